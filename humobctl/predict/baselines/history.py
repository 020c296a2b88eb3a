"""The history baseline: weighted counts of a user's past cells.

    p(cell | day, slot) ~ sum over the user's records in that cell of
        slot kernel(slots apart) * exp(-age / recency) * weekday factor * day type factor
        * gap kernel

The slots in which a person was seen are known for the days to predict too, and say much: a record
is written when a phone moves or is used, so a long gap before a row means a stay. Hence the last
factor: a past row counts more when the gaps around it are like those of the row to predict.

Arrays: n known rows, r target rows, k cells, D target days, J known days.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from humobctl.native import Floats, Int64s
from humobctl.predict.base import (
    FAR_GAP,
    PredictOptions,
    SlotDistributions,
    UserHistory,
    candidates,
    circular_slots,
    find_gaps,
    normalize,
    number_days,
)
from humobctl.predict.city_profile import CityProfile

_FLOOR = 1e-9  # of the slot kernel: any record is better than none


@dataclass(frozen=True)
class HistoryConfig:
    """Kernel widths and factors; chosen on days before 60 by ``benchmarks/tune_history.py``.

    Attributes:
        slot_width: decay of the narrow slot kernel, in slots.
        slot_wide: decay of the wide one, in slots.
        wide_share: weight of the wide kernel beside the narrow one.
        recency: decay of a record's weight, in days.
        other_weekday: factor for a record of another day of the week.
        other_type: factor for a record of a working day on a day off, and the reverse.
        gap: strength of the match of the gaps to the rows before and after (0: none).
    """

    slot_width: float = 0.7
    slot_wide: float = 6.0
    wide_share: float = 0.1
    recency: float = 60.0
    other_weekday: float = 0.7
    other_type: float = 0.5
    gap: float = 0.9


class History:
    """The history baseline of one city; it has nothing to train."""

    def __init__(
        self, city: CityProfile, options: PredictOptions, config: HistoryConfig | None = None
    ) -> None:
        self.city, self.config = city, config or HistoryConfig()

    def distribution(self, user: UserHistory) -> SlotDistributions:
        """Weighted counts of the user's past cells for each target row."""
        if not len(user.d):
            return self.city.distribution(user)
        cells, index = candidates(user)
        known, day = number_days(user.d)
        target, target_day = number_days(user.target_d)
        by_day = self._day_weights(target, known)
        order = np.argsort(index, kind="stable")
        weight = self._record_weights(user, by_day, day, target_day, order)
        first = np.searchsorted(index[order], np.arange(len(cells)))
        return SlotDistributions(cells, normalize(np.add.reduceat(weight, first, axis=1)))

    def _day_weights(self, target: Int64s, known: Int64s) -> Floats:
        """Weight of a known day for a target day by date and calendar, shape (D, J)."""
        config = self.config
        recent = np.exp(-np.abs(target[:, None] - known[None, :]) / config.recency)
        # Only the order of magnitude between records matters: keep the weights near 1.
        recent /= recent.max(axis=1, keepdims=True)
        same_weekday, same_type = self.city.alike(target, known)
        weights: Floats = (
            recent
            * np.where(same_weekday, 1.0, config.other_weekday)
            * np.where(same_type, 1.0, config.other_type)
        )
        return weights

    def _record_weights(
        self, user: UserHistory, by_day: Floats, day: Int64s, target_day: Int64s, order: Int64s
    ) -> Floats:
        """Weight of each known row (in ``order``) for each target row, shape (r, n)."""
        config = self.config
        slot = _slot_kernel(config.slot_width, config.slot_wide, config.wide_share)
        weight: Floats = by_day[:, day[order]][target_day]
        weight *= slot[:, user.t[order]][user.target_t]
        if config.gap > 0:
            kernel = _gap_kernel(config.gap)
            known, target = find_gaps(user.d, user.t), find_gaps(user.target_d, user.target_t)
            for mine, theirs in zip(target, known, strict=True):
                weight *= kernel[:, theirs[order]][mine]
        return weight


@functools.lru_cache(maxsize=16)
def _slot_kernel(narrow: float, wide: float, share: float) -> Floats:
    """Weight of a record by the slots between it and the target, shape (48, 48)."""
    apart = circular_slots()
    kernel: Floats = np.exp(-apart / narrow) + share * np.exp(-apart / wide) + _FLOOR
    return kernel


@functools.lru_cache(maxsize=16)
def _gap_kernel(strength: float) -> Floats:
    """Weight by the ratio of two gaps, ratio ** -strength, shape (25, 25)."""
    logs = np.log(np.maximum(np.arange(FAR_GAP + 1), 1))
    kernel: Floats = np.exp(-strength * np.abs(logs[:, None] - logs[None, :]))
    return kernel

"""Bigram model: the next cell given the cell before and the slot.

    weight(a -> b | t) = sum over transitions from a to b of exp(-|t - slot of b| / slot_width)
                         + back_off * frequency of b in slot t

The marginals are carried forward from the known cell before each run of target rows (the first
known one where none is before), so that every decoder applies; one walk is drawn too, each step
from the cell drawn before, out of the ``top_p`` likeliest cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humobctl.native import Int64s
from humobctl.predict.base import (
    PredictOptions,
    SlotDistributions,
    UserHistory,
    candidates,
    circular_slots,
    normalize,
    slot_counts,
    with_back_off,
)
from humobctl.predict.city_profile import CityProfile
from humobctl.predict.decode_slots import keep_top
from humobctl.tables.schemas import SLOTS_PER_DAY


@dataclass(frozen=True)
class MarkovConfig:
    """Settings of the bigram model.

    Attributes:
        slot_width: decay of a transition's weight with the slots apart, in slots.
        back_off: weight of the slot's own frequencies beside the transitions.
    """

    slot_width: float = 1.0
    back_off: float = 0.1


class Markov:
    """The bigram model of one city."""

    def __init__(
        self, city: CityProfile, options: PredictOptions, config: MarkovConfig | None = None
    ) -> None:
        self.city, self.options = city, options
        self.config = config or MarkovConfig()

    def distribution(self, user: UserHistory) -> SlotDistributions:
        """Marginals of the chain for each target row, and one drawn walk."""
        if not len(user.d):
            return self.city.distribution(user)
        cells, index = candidates(user)
        k, back_off = len(cells), self.config.back_off
        slot_p = normalize(with_back_off(slot_counts(user.t, index, k))) * back_off
        kernel = np.exp(-circular_slots() / self.config.slot_width)[:, user.t[1:]]
        here, there = index[:-1], index[1:]
        draws = np.random.default_rng((self.options.seed, user.uid)).random(len(user.target_t))
        p, path = np.empty((len(draws), k)), np.empty(len(draws), dtype=np.int64)
        before, walk, starts = np.empty(k), 0, _starts(user)
        for row, slot in enumerate(user.target_t):
            if starts[row] >= 0:
                walk = int(index[starts[row]])
                before = np.eye(1, k, walk)[0]
            weight = kernel[slot]
            leaving = np.bincount(here, weight, k) + back_off
            share = before / leaving
            before = np.bincount(there, weight * share[here], k) + slot_p[slot] * share.sum()
            p[row] = before
            mine = here == walk
            step = (np.bincount(there[mine], weight[mine], k) + slot_p[slot]) / leaving[walk]
            top = np.cumsum(keep_top(step, self.options.top_p))
            walk = path[row] = min(int(np.searchsorted(top, draws[row])), k - 1)
        return SlotDistributions(cells, normalize(p), path)


def _starts(user: UserHistory) -> Int64s:
    """The known row that each target row follows, shape (r,); -1 where it follows a target row."""
    known = user.d * SLOTS_PER_DAY + user.t
    target = user.target_d * SLOTS_PER_DAY + user.target_t
    last = np.searchsorted(known, target) - 1
    starts: Int64s = np.where(np.diff(last, prepend=-2) > 0, np.maximum(last, 0), -1)
    return starts

"""Frequencies of a user's past cells. With --decode argmax these are the modes."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from humobctl.native import Floats, Int64s
from humobctl.predict.base import (
    PredictOptions,
    SlotDistributions,
    UserHistory,
    candidates,
    normalize,
    slot_counts,
    with_back_off,
)
from humobctl.predict.city_profile import CityProfile

_BACK_OFF = 1e-3  # weight of the slot's frequencies beside those of the weekday and slot


class _Frequencies(ABC):
    """What the three share: the city answers for users without a past."""

    def __init__(self, city: CityProfile, options: PredictOptions) -> None:
        self.city = city

    def distribution(self, user: UserHistory) -> SlotDistributions:
        """Frequencies of the user's past cells for each target row."""
        if not len(user.d):
            return self.city.distribution(user)
        cells, index = candidates(user)
        return SlotDistributions(cells, normalize(self.counts(user, index, len(cells))))

    @abstractmethod
    def counts(self, user: UserHistory, index: Int64s, k: int) -> Floats:
        """How often the user was in each cell, as it counts for each target row, shape (r, k)."""


class Mode(_Frequencies):
    """How often the user was in each cell, whatever the time."""

    def counts(self, user: UserHistory, index: Int64s, k: int) -> Floats:
        """One distribution for every target row."""
        return np.tile(np.bincount(index).astype(np.float64), (len(user.target_d), 1))


class SlotMode(_Frequencies):
    """How often the user was in each cell in that slot."""

    def counts(self, user: UserHistory, index: Int64s, k: int) -> Floats:
        """By slot; a slot never seen takes the counts of the nearest slots."""
        counts: Floats = with_back_off(slot_counts(user.t, index, k))[user.target_t]
        return counts


class WeekdayMode(_Frequencies):
    """How often the user was in each cell in that slot of that day of the week."""

    def counts(self, user: UserHistory, index: Int64s, k: int) -> Floats:
        """By weekday and slot, over a little of the slot's own frequencies."""
        by_slot = normalize(with_back_off(slot_counts(user.t, index, k)))
        counts: Floats = by_slot[user.target_t] * _BACK_OFF
        known, wanted = self.city.weekday[user.d], self.city.weekday[user.target_d]
        for weekday in np.unique(wanted):
            mine, rows = known == weekday, wanted == weekday
            counts[rows] += slot_counts(user.t[mine], index[mine], k)[user.target_t[rows]]
        return counts

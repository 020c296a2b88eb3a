"""Frequencies of a user's past cells. With --decode argmax these are the modes."""

from __future__ import annotations

import numpy as np

from humobctl.models.city import City
from humobctl.models.distribution import (
    SlotDistributions,
    UserHistory,
    candidates,
    normalised,
    slot_counts,
    with_back_off,
)
from humobctl.models.registry import Options

_BACK_OFF = 1e-3  # weight of the slot's frequencies beside those of the weekday and slot


class Mode:
    """How often the user was in each cell, whatever the time."""

    def __init__(self, city: City, options: Options) -> None:
        self.city = city

    def distribution(self, user: UserHistory) -> SlotDistributions:
        """Frequencies, the same for every target row."""
        if not len(user.d):
            return self.city.distribution(user)
        cells, index = candidates(user)
        p = normalised(np.bincount(index).astype(np.float64))
        return SlotDistributions(cells, np.tile(p, (len(user.target_d), 1)))


class SlotMode:
    """How often the user was in each cell in that slot."""

    def __init__(self, city: City, options: Options) -> None:
        self.city = city

    def distribution(self, user: UserHistory) -> SlotDistributions:
        """Frequencies by slot; a slot never seen takes those of the nearest slots."""
        if not len(user.d):
            return self.city.distribution(user)
        cells, index = candidates(user)
        counts = with_back_off(slot_counts(user.t, index, len(cells)))
        return SlotDistributions(cells, normalised(counts)[user.target_t])


class WeekdayMode:
    """How often the user was in each cell in that slot of that day of the week."""

    def __init__(self, city: City, options: Options) -> None:
        self.city = city

    def distribution(self, user: UserHistory) -> SlotDistributions:
        """Frequencies by weekday and slot, over a little of the slot's own."""
        if not len(user.d):
            return self.city.distribution(user)
        cells, index = candidates(user)
        counts = with_back_off(slot_counts(user.t, index, len(cells)))
        p = normalised(counts)[user.target_t] * _BACK_OFF
        known, wanted = self.city.weekday[user.d], self.city.weekday[user.target_d]
        for weekday in np.unique(wanted):
            mine, rows = known == weekday, wanted == weekday
            p[rows] += slot_counts(user.t[mine], index[mine], len(cells))[user.target_t[rows]]
        return SlotDistributions(cells, normalised(p))

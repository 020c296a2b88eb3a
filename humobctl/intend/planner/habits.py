"""Habits: draws that a person's days share, so that weeks are more than days side by side.

An event of a day is a habit with the chances of ``config.HABITS``: it is then drawn as on the
person's other working days (or days off), or as on the same day of other weeks. What is shared are
uniform draws, each still independent of the other draws of its day. So every single day has the
distribution that it had without habits, and the first day of a kind is the same with and without.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from humobctl.intend.backends.base import BackendSettings
from humobctl.intend.planner import config
from humobctl.native import Bools, Floats, Int64s
from humobctl.tables.keyed_random import uniforms

_COIN = 0x636F696E
"""Keeps the draws of what is a habit apart from those of days."""


@dataclass(frozen=True)
class _Custom:
    """Habits of one sort; arrays run over person-days (n).

    Attributes:
        name: keeps its draws apart from others.
        number: which of the person's habits applies on a day, (n,).
        first: the first day on which it does, (n,).
        chance: that an event of the day follows it, (n,).
    """

    name: int
    number: Int64s
    first: Int64s
    chance: Floats


class HabitDraws:
    """Uniform draws of person-days, some of which other days of the person share.

    Args:
        settings: seed, day of the week of day 0, and whether there are habits.
        uid: whose days, (n,).
        day: their indices, (n,).
        off: days off of each person-day's person by weekday, Sunday first, (n, 7).
    """

    def __init__(
        self, settings: BackendSettings, uid: NDArray[np.uint32], day: Int64s, off: Bools
    ) -> None:
        self._seed, self._uid, self._day = settings.seed, uid, day
        several = settings.habits and len(day) > 0 and int(day.max()) > 0
        self._customs = _customs(settings.weekday, day, off) if several else ()

    def take(self, count: int, name: int, rows: NDArray[np.intp], *seq: int, own: int) -> Floats:
        """Draws of one event of some person-days, or of the days themselves.

        Args:
            count: draws for each.
            name: what is drawn; keeps it apart from others.
            rows: indices of the person-days, (m,).
            seq: number of the event.
            own: how many of the draws, the last ones, are never shared.

        Returns:
            Shape (m, count).
        """
        uid, day = self._uid[rows], self._day[rows]
        drawn = uniforms(count, self._seed, name, uid, day, *seq)
        for custom in self._customs:
            coin, first = _COIN + custom.name, custom.first[rows]
            toss = uniforms(1, self._seed, coin, name, uid, day, *seq)[:, 0]
            at = np.flatnonzero((toss < custom.chance[rows]) & (first != day))
            who, first, chance = uid[at], first[at], custom.chance[rows][at]
            # The first day has its own draws: it follows the habit by being what others follow.
            begun = uniforms(1, self._seed, coin, name, who, first, *seq)[:, 0] < chance
            shown = uniforms(count - own, self._seed, name, who, first, *seq)
            number = custom.number[rows][at]
            habit = uniforms(count - own, self._seed, name + custom.name, who, number, *seq)
            drawn[at, : count - own] = np.where(begun[:, None], shown, habit)
        return drawn


def _customs(weekday: int, day: Int64s, off: Bools) -> tuple[_Custom, ...]:
    """Those of the day of the week, then those of working days and days off."""
    week = np.roll(off, -weekday, axis=1)  # from day 0 on
    kind = week[np.arange(len(day)), day % 7]
    first = np.where(kind, week.argmax(axis=1), (~week).argmax(axis=1))
    chance = np.array(config.HABITS)[kind.astype(np.intp)]
    weekly = _Custom(1 << 40, day % 7, day % 7, np.full(len(day), config.WEEKLY_HABITS))
    return weekly, _Custom(1 << 41, kind.astype(np.int64), first, chance)

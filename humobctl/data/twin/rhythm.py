"""When people are seen: how many records a day has, and in which slots.

The number of records of a day is one of LEVELS classes, which depends on that of the day before, on
days off, on the person (two traits: how much, and how often not at all), and on the day (all people
together). The slots then follow one after another by the time since the last record.

Shapes: P people, D days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humobctl.native import Bools, Floats, Int64s
from humobctl.tables.schemas import SLOTS_PER_DAY

_EDGES = np.array([0, 1, 3, 5, 7, 9, 11, 13, 16, 19, 23, 28])
LEVELS = len(_EDGES)
_SCALE = np.linspace(-1, 1, LEVELS)
_NONE = (np.arange(LEVELS) == 0).astype(float)
_WAITS = np.array([1, 2, 5])
_TRIES = 30
_PRIOR = 5.0


@dataclass(frozen=True)
class Rhythm:
    """When people are seen.

    Attributes:
        levels: scores of a day's class by day off and the class of the day before, of which the
            last is that of no day, (2, LEVELS + 1, LEVELS).
        days: pull of each day to more records, (D,).
        slots: chance of a record by day off, class, time since the last one, and slot,
            (2, LEVELS, 4, 48).
    """

    levels: Floats
    days: Floats
    slots: Floats

    def draw_levels(
        self, off: Bools, more: Floats, none: Floats, rng: np.random.Generator
    ) -> Int64s:
        """Class of each person and day, (P, D)."""
        before = np.full(len(more), LEVELS)
        found = np.zeros((len(more), len(off)), np.int64)
        for day, free in enumerate(off):
            score = self.levels[int(free), before] + (more[:, None] + self.days[day]) * _SCALE
            score = score + none[:, None] * _NONE
            before = (score + rng.gumbel(size=score.shape)).argmax(axis=1)
            found[:, day] = before
        return found

    def draw_slots(self, off: Bools, levels: Int64s, rng: np.random.Generator) -> Bools:
        """Which slots have a record, (P, D, 48)."""
        seen = np.zeros((*levels.shape, SLOTS_PER_DAY), bool)
        person, day = np.nonzero(levels)
        free = off[day].astype(np.int64)
        level = levels[person, day]
        for _ in range(_TRIES):
            drawn = self._draw(free, level, rng)
            seen[person, day] = drawn
            again = np.searchsorted(_EDGES, drawn.sum(axis=1), side="right") - 1 != level
            person, day, free, level = person[again], day[again], free[again], level[again]
            if not len(level):
                break
        return seen

    def _draw(self, free: Int64s, level: Int64s, rng: np.random.Generator) -> Bools:
        last = np.full(len(level), -99)
        seen = np.zeros((len(level), SLOTS_PER_DAY), bool)
        for slot in range(SLOTS_PER_DAY):
            wait = np.searchsorted(_WAITS, slot - last)
            seen[:, slot] = rng.random(len(level)) < self.slots[free, level, wait, slot]
            last[seen[:, slot]] = slot
        return seen


@dataclass(frozen=True)
class Presence:
    """What a rhythm is fitted on: which slots have a record, (P, D, 48), and days off, (D,)."""

    seen: Bools
    off: Bools


def fit_rhythm(presence: Presence) -> tuple[Rhythm, Floats, Floats]:
    """The rhythm, and two traits of each person: more records, and days without any, (P,)."""
    levels = np.searchsorted(_EDGES, presence.seen.sum(axis=2), side="right") - 1
    table, more, none, days = _fit_levels(levels, presence.off)
    slots = _fit_slots(presence.seen, levels, presence.off)
    return Rhythm(table, days, slots), more, none


def _fit_levels(levels: Int64s, off: Bools) -> tuple[Floats, Floats, Floats, Floats]:
    people, days = levels.shape
    before = np.concatenate([np.full((people, 1), LEVELS), levels[:, :-1]], axis=1)
    row = np.where(off, LEVELS + 1, 0) + before
    observed = np.zeros((2 * (LEVELS + 1), LEVELS))
    np.add.at(observed, (row, levels), 1)
    prior = (observed.sum(axis=0) / observed.sum() + 1e-6) * _PRIOR
    table = np.log((observed + prior) / (observed + prior).sum(axis=1, keepdims=True))
    more, none, pull = np.zeros(people), np.zeros(people), np.zeros(days)
    for _ in range(12):
        score = (
            table[row] + (more[:, None] + pull)[..., None] * _SCALE + none[:, None, None] * _NONE
        )
        chance = np.exp(score - score.max(axis=2, keepdims=True))
        chance /= chance.sum(axis=2, keepdims=True)
        expected = np.zeros_like(observed)
        np.add.at(expected, row, chance)
        table = table + 0.7 * np.log((observed + prior) / (expected + prior))
        mean = chance @ _SCALE
        spread = chance @ _SCALE**2 - mean**2
        miss = _SCALE[levels] - mean
        more += 0.7 * (miss.sum(axis=1) - more) / (spread.sum(axis=1) + 1)
        pull += 0.7 * (miss.sum(axis=0) - pull) / (spread.sum(axis=0) + 1)
        absent = chance[..., 0]
        miss = (levels == 0) - absent
        none += 0.7 * (miss.sum(axis=1) - none) / ((absent * (1 - absent)).sum(axis=1) + 1)
    return table.reshape(2, LEVELS + 1, LEVELS), more, none, pull


def _fit_slots(seen: Bools, levels: Int64s, off: Bools) -> Floats:
    """Chance of a record by day off, class, wait and slot."""
    counts = np.zeros((2, 2, LEVELS, len(_WAITS) + 1, SLOTS_PER_DAY))
    free = np.broadcast_to(off.astype(np.int64), levels.shape)
    last = np.full(levels.shape, -99)
    for slot in range(SLOTS_PER_DAY):
        wait = np.searchsorted(_WAITS, slot - last)
        now = seen[..., slot]
        np.add.at(counts[..., slot], (now.astype(np.int64), free, levels, wait), 1)
        last[now] = slot
    # Few counts lean on both kinds of day and the slots around, those on any time since the last.
    both = counts.sum(axis=1)
    coarse = both.sum(axis=2, keepdims=True)
    rate = (coarse[1] + 0.01) / (coarse.sum(axis=0) + 1)
    near = sum(np.roll(both, shift, axis=-1) for shift in (-1, 0, 1))
    prior = (near[1] + rate) / (near.sum(axis=0) + 1)
    chance: Floats = (counts[1] + _PRIOR * prior) / (counts.sum(axis=0) + _PRIOR)
    return chance

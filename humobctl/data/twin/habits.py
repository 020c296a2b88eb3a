"""What people know of their city, and what of it counts when they go somewhere next.

Every record is a choice: one of the own cells, or a cell that is new. What counts is how often a
cell was visited at this time of day and at all, how long ago, how far it is from the last record,
whether it is home or work, and for a new cell how much is known already: exploration and
preferential return (Song, Koren, Wang, Barabasi, Nature Physics 6, 2010), by tables.

Shapes: P people, K own cells at most, a people who have a record now.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from humobctl.native import Bools, Float32s, Floats, Int64s
from humobctl.tables.schemas import GRID_SIDE, SLOTS_PER_DAY

HOME, WORK = 0, 1
"""Places of the home and the work among the own cells; others follow in the order of discovery."""
_KERNEL = np.exp(-0.5 * (np.arange(-4, 5) / 1.5) ** 2)
_REACH, _CLOSE = 4, 1
_SHARES = np.array([0.0, 0.003, 0.01, 0.025, 0.06, 0.12, 0.2, 0.33, 0.5, 0.7])
_SINCE = np.array([0, 1, 2, 4, 8, 15, 31])
_GAPS = np.array([1, 2, 4, 12, 48])
_DISTANCES = np.array([0.5, 1.2, 1.6, 2.3, 3.2, 4.5, 6.5, 10, 16, 25, 40, 64])
_FAR = np.searchsorted(_DISTANCES, np.sqrt(np.arange(2 * GRID_SIDE**2)))
_LOADS = 8
"""Classes of the number of own cells, by powers of 2."""
_NEARS = np.array([1.2, 1.6, 2.3, 3.2, 4.5, 6.5, 9.5])
NEARS = len(_NEARS) + 1
"""Classes of the distance from the nearest own cell."""
_ROUND = 9
_OFFSETS = np.stack(np.divmod(np.arange((2 * _ROUND + 1) ** 2), 2 * _ROUND + 1)) - _ROUND
_STAMP = np.searchsorted(_NEARS, np.hypot(*_OFFSETS)).astype(np.uint8)
_HOURS = 3
_PARTS = SLOTS_PER_DAY // (2 * _HOURS)


class _Factors:
    """Numbers of weights, factor after factor; number 0 stands for none."""

    def __init__(self) -> None:
        self.size = 1

    def add(self, *shape: int) -> Int64s:
        """The numbers of a new factor's weights."""
        count = int(np.prod(shape))
        numbers = np.arange(self.size, self.size + count).reshape(shape)
        self.size += count
        return numbers


_F = _Factors()
_BY_DISTANCE = _F.add(len(_GAPS) + 1, len(_DISTANCES) + 1)
_BY_SLOT = _F.add(2, len(_SHARES) + 1)
_BY_COUNT = _F.add(2, len(_SHARES) + 1)
_BY_AGE = _F.add(len(_SINCE) + 1)
_BY_KIND = _F.add(3, _PARTS, 2)
_STAY = _F.add(3, _PARTS)
_BY_WEEKDAY = _F.add(len(_SHARES) + 1)
_BY_AGE_AT_SLOT = _F.add(len(_SINCE) + 1)
_NEW_AT = _F.add(_PARTS, 2)
_NEW_AFTER = _F.add(len(_GAPS) + 1, 4)
_NEW_LOAD = _F.add(_LOADS)
_NEW_DAY = _F.add(6)
_NEW_AWAY = _F.add(len(_DISTANCES) + 1)
KINDS = [(int(_BY_KIND[kind].min()), int(_BY_KIND[kind].max()) + 1) for kind in (HOME, WORK)]
"""Ranges of the weights of homes and of works."""
NEW_FROM = int(_NEW_AT.min())
"""From this weight on, they are of new cells."""
FACTORS = 8
"""Weights of an alternative."""
WEIGHTS = _F.size
"""Number of weights."""


HABITS = np.ones(WEIGHTS, bool)
HABITS[_BY_DISTANCE] = False
"""Weights that feed on themselves: who is often somewhere will be there more often."""


class Memory:
    """Own cells of people, and when they were there.

    Attributes:
        cells: numbers of the own cells, (P, K).
        count: how many there are, (P,).
        known: for each person and cell its place among the own cells, or -1, (P, 40000).
        near: class of the distance of all cells from the nearest own one, (P, 40000).
        last: place of the last record's cell among the own cells, (P,).
        last_slot: slots from 0:00 of day 0 to the last record, (P,).
    """

    def __init__(self, homes: Int64s, works: Int64s, most: int) -> None:
        """People who know their home and their work; no work is -1."""
        people = len(homes)
        self.cells = np.zeros((people, most), np.int64)
        self.known = np.full((people, GRID_SIDE**2), -1, np.int16)
        self.count = np.full(people, 2)
        self.near = np.full((people, GRID_SIDE**2), NEARS - 1, np.uint8)
        self.visits = np.zeros((people, most), np.float32)
        self.at = np.zeros((people, most, SLOTS_PER_DAY + 2 * _REACH, 2), np.float32)
        self.weekday = np.zeros((people, most, 7), np.float32)
        self.day_at = np.full((people, most, SLOTS_PER_DAY + 2 * _CLOSE), -1000, np.int16)
        self.day = np.full((people, most), -1000, np.int64)
        self.last = np.zeros(people, np.int64)
        self.last_slot = np.full(people, -1000, np.int64)
        self.fresh = np.zeros(people, bool)
        self.everyone = np.arange(people)
        self.has_work = works >= 0
        # Who has no work has a second cell that is never a candidate.
        self.cells[:, HOME], self.cells[:, WORK] = homes, np.where(works >= 0, works, homes)
        self.known[self.everyone, homes] = HOME
        self.known[self.everyone[self.has_work], works[self.has_work]] = WORK
        self._stamp(self.everyone, homes)
        self._stamp(self.everyone[self.has_work], works[self.has_work])

    def add(self, who: Int64s, place: Int64s, day: int, slot: int, off: int) -> None:
        """Records of people at places among their own cells."""
        around = np.arange(slot, slot + 2 * _REACH + 1)
        self.at[who[:, None], place[:, None], around, off] += _KERNEL.astype(np.float32)
        close = np.arange(slot, slot + 2 * _CLOSE + 1)
        self.day_at[who[:, None], place[:, None], close] = day
        self.weekday[who, place, day % 7] += 1
        self.fresh[who] = self.visits[who, place] == 0
        self.visits[who, place] += 1
        self.day[who, place] = day
        self.last[who] = place
        self.last_slot[who] = day * SLOTS_PER_DAY + slot

    def discover(self, who: Int64s, cell: Int64s) -> Int64s:
        """The places that cells new to people take; where there is no room, that of the home."""
        room = self.count[who] < self.cells.shape[1]
        place = np.where(room, self.count[who], HOME)
        some, where, what = who[room], place[room], cell[room]
        self.cells[some, where] = what
        self.known[some, what] = where
        self.count[some] += 1
        self._stamp(some, what)
        return place

    def _stamp(self, who: Int64s, cell: Int64s) -> None:
        """Note how near all cells around a new own cell are."""
        x, y = (
            axis[:, None] + off
            for axis, off in zip(np.divmod(cell, GRID_SIDE), _OFFSETS, strict=True)
        )
        inside = (x >= 0) & (x < GRID_SIDE) & (y >= 0) & (y < GRID_SIDE)
        around = np.where(inside, x * GRID_SIDE + y, cell[:, None])
        stamp = np.where(inside, _STAMP, 0).astype(np.uint8)
        rows = who[:, None]
        self.near[rows, around] = np.minimum(self.near[rows, around], stamp)

    def alternatives(
        self, who: Int64s, day: int, slot: int, off: int
    ) -> tuple[NDArray[np.int16], Bools]:
        """Weights of each person's own cells, and of a new cell as the last alternative.

        Returns:
            Numbers of weights (a, K + 1, FACTORS), and which alternatives there are, (a, K + 1).
        """
        most = int(self.count[who].max())
        here = (who, self.last[who])
        gap = np.searchsorted(_GAPS, day * SLOTS_PER_DAY + slot - self.last_slot[who])
        part = slot // (2 * _HOURS)
        places = np.arange(most)
        same = (places == self.last[who][:, None]).astype(np.int64)
        kind = np.broadcast_to(np.minimum(places, 2), same.shape)
        bins = np.zeros((len(who), most + 1, FACTORS), np.int16)
        own = bins[:, :-1]
        own[..., 0] = _BY_DISTANCE[gap[:, None], self._distance(who, most, self.cells[here])]
        at_slot = self.at[who, :most, slot + _REACH]
        own[..., 1] = _BY_SLOT[same, _share(at_slot[..., off] + 0.2 * at_slot[..., 1 - off])]
        own[..., 2] = _BY_COUNT[same, _share(self.visits[who, :most])]
        own[..., 3] = _BY_AGE[np.searchsorted(_SINCE, day - self.day[who, :most])]
        own[..., 4] = _BY_KIND[kind, part, off]
        own[..., 5] = np.where(same, _STAY[kind, part], 0)
        own[..., 6] = _BY_WEEKDAY[_share(self.weekday[who, :most, day % 7])]
        since = day - self.day_at[who, :most, slot + _CLOSE].astype(np.int64)
        own[..., 7] = _BY_AGE_AT_SLOT[np.searchsorted(_SINCE, since)]
        new = bins[:, -1]
        at = np.where(self.fresh[who], 3, np.minimum(self.last[who], 2))
        new[:, 0] = _NEW_AT[part, off]
        new[:, 1] = _NEW_AFTER[gap, at]
        new[:, 2] = _NEW_LOAD[np.minimum(np.log2(self.count[who]).astype(np.int64), _LOADS - 1)]
        new[:, 3] = _NEW_DAY[min(day // 3, 5)]
        new[:, 4] = _NEW_AWAY[self._distance(who, 1, self.cells[here])[:, 0]]
        there = places < self.count[who][:, None]
        there[:, WORK] = self.has_work[who]
        return bins, np.append(there, np.ones((len(who), 1), bool), axis=1)

    def _distance(self, who: Int64s, most: int, origin: Int64s) -> Int64s:
        """Class of the distance of each own cell from one."""
        x, y = np.divmod(self.cells[who, :most], GRID_SIDE)
        x0, y0 = np.divmod(origin, GRID_SIDE)
        far: Int64s = _FAR[(x - x0[:, None]) ** 2 + (y - y0[:, None]) ** 2]
        return far


def _share(counts: Floats | Float32s) -> Int64s:
    """Class of each cell's share of its person's counts."""
    total = counts.sum(axis=1, keepdims=True)
    found: Int64s = np.searchsorted(_SHARES, counts / np.maximum(total, 1e-9)).astype(np.int64)
    return found

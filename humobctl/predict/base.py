"""What every predictor takes and gives, and the small parts that predictors share.

Shapes:  n known rows, r target rows, k candidate cells, D target days, J known days.
Units:   d in days, t in half-hour slots 0-47, cells counted from 1, 500 m wide.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from humobctl.native import Floats, Int32s, Int64s
from humobctl.tables.schemas import SLOTS_PER_DAY

Bools = NDArray[np.bool_]
FAR_GAP = 24
"""Slots; a longer gap between two rows of a day, or none, counts as this."""


@dataclass(frozen=True)
class UserHistory:
    """What is known of one user, and the rows to fill; both sorted by (d, t).

    Attributes:
        uid: the user; seeds what is drawn at random.
        d, t, x, y: known rows, each of shape (n,); n may be 0.
        target_d, target_t: rows to fill, each of shape (r,).
    """

    uid: int
    d: Int64s
    t: Int64s
    x: Int64s
    y: Int64s
    target_d: Int64s
    target_t: Int64s


@dataclass(frozen=True)
class SlotDistributions:
    """A distribution over candidate cells for each target row.

    Attributes:
        cells: candidate cells (x, y), shape (k, 2).
        p: probabilities, shape (r, k); each row sums to 1.
        path: index of a cell drawn for each row, shape (r,), from a model that draws whole walks.
    """

    cells: Int32s
    p: Floats
    path: Int64s | None = None


def candidates(user: UserHistory) -> tuple[Int32s, Int64s]:
    """The user's past cells (k, 2), and for each known row the index of its cell (n,)."""
    keys, index = np.unique(user.x * 1024 + user.y, return_inverse=True)
    return np.stack([keys >> 10, keys & 1023], axis=1).astype(np.int32), index.astype(np.int64)


def number_days(d: Int64s) -> tuple[Int64s, Int64s]:
    """The distinct days of sorted rows, and for each row the number of its day."""
    fresh = np.ones(len(d), dtype=np.bool_)
    fresh[1:] = d[1:] != d[:-1]
    return d[fresh], np.cumsum(fresh) - 1


def find_gaps(d: Int64s, t: Int64s) -> tuple[Int64s, Int64s]:
    """Slots since the row before and until the row after, within the day, each (rows,)."""
    before, after = np.full(len(d), FAR_GAP), np.full(len(d), FAR_GAP)
    gap = np.where(d[1:] == d[:-1], np.minimum(t[1:] - t[:-1], FAR_GAP), FAR_GAP)
    before[1:], after[:-1] = gap, gap
    return before, after


def normalised(weight: Floats) -> Floats:
    """The weights divided by their sum over the last axis."""
    shares: Floats = weight / weight.sum(axis=-1, keepdims=True)
    return shares


@functools.cache
def circular_slots() -> Int64s:
    """Slots between two slots, the short way round the clock, shape (48, 48)."""
    slots = np.arange(SLOTS_PER_DAY)
    apart = np.abs(slots[:, None] - slots[None, :])
    around: Int64s = np.minimum(apart, SLOTS_PER_DAY - apart)
    return around


def slot_counts(t: Int64s, index: Int64s, k: int) -> Floats:
    """How often each cell was seen in each slot, shape (48, k)."""
    counts = np.bincount(t * k + index, minlength=SLOTS_PER_DAY * k)
    return counts.reshape(SLOTS_PER_DAY, k).astype(np.float64)


def with_back_off(counts: Floats) -> Floats:
    """Counts by slot, shape (48, k), in which no slot is empty.

    A slot never seen takes the counts of the nearest seen slots; equal counts are told apart by
    the counts over all slots.
    """
    seen = counts.sum(axis=0)
    full = np.flatnonzero(counts.sum(axis=1) > 0)
    filled = counts.copy()
    for slot in np.flatnonzero(counts.sum(axis=1) == 0):
        apart = circular_slots()[slot, full]
        filled[slot] = counts[full[apart == apart.min()]].sum(axis=0)
    backed: Floats = filled + 1e-3 * seen / seen.sum()
    return backed


def distances(cells: Int32s) -> Floats:
    """Distances between cells, in cells, shape (k, k)."""
    x, y = cells[:, 0].astype(np.float64), cells[:, 1].astype(np.float64)
    apart: Floats = np.hypot(x[:, None] - x[None, :], y[:, None] - y[None, :])
    return apart

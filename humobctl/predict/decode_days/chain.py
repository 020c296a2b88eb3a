"""Days drawn record by record, each after the one before it.

    q(c | b) ~ p(c) ** trust * lift(b, c) ** lift * (1 + cells apart) ** -near * exp(-leave [c = b])

b is the cell of the record before, and lift(b, c) says how much more often c comes right after b
in the user's past days than c is visited at all. A day's first record is drawn from p. The four
weights were learnt by conditional logit from the true days 30-59 of cities B and C, with the
ranker's p.

Shapes:  r rows to fill, k candidate cells, K kept ones of a row, S days to draw, n known rows.
"""

from __future__ import annotations

import numpy as np

from humobctl.native import Floats, Int64s
from humobctl.predict.base import highest
from humobctl.predict.decode_days.config import DayConfig

_KEPT = 10  # likeliest cells of a row
_PRIOR = 2.0  # records after a cell that are spread like all records
_FLOOR = 1e-6


def spread(random: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Numbers in [0, 1): each uniform, those of a column one in each of as many equal parts."""
    places = random.random(shape).argsort(axis=0)
    numbers: Floats = (places + random.random(shape)) / shape[0]
    return numbers


def log_lifts(d: Int64s, index: Int64s, k: int) -> Floats:
    """How much more often a cell comes right after another than it is visited at all, (k, k).

    Args:
        d: day of each known row, sorted, shape (n,); n is at least 1.
        index: the cell of each, shape (n,).
        k: number of cells.

    Returns:
        Logarithms, by the cell before and the cell after.
    """
    same = d[1:] == d[:-1]
    pairs = np.bincount(index[:-1][same] * k + index[1:][same], minlength=k * k)
    pairs = pairs.reshape(k, k)
    share = np.bincount(index, minlength=k) / len(index) + 1e-9
    after = (pairs + _PRIOR * share) / (pairs.sum(axis=1, keepdims=True) + _PRIOR)
    lifts: Floats = np.log(after / share)
    return lifts


def draw_chains(
    p: Floats, starts: Int64s, lifts: Floats, apart: Floats, config: DayConfig
) -> Int64s:
    """Days whose records follow each other as the user's do.

    Args:
        p: distribution of each row, shape (r, k).
        starts: offsets of the target days, shape (D + 1,).
        lifts: log lift of each cell after each, shape (k, k).
        apart: distances between cells, in cells, shape (k, k).
        config: the number of days, the weights, and the seed.

    Returns:
        Cells, shape (config.chained, r).
    """
    kept = highest(p, _KEPT)
    scores = np.log(np.take_along_axis(p, kept, axis=1) + _FLOOR)
    step = config.lift * lifts - config.near * np.log1p(apart)
    step[np.diag_indices(len(step))] -= config.leave
    before = np.concatenate([kept[:1], kept[:-1]])
    chance = config.trust * scores[:, None, :] + step[before[:, :, None], kept[:, None, :]]
    first = starts[:-1][np.diff(starts) > 0]
    chance[first] = scores[first, None, :]
    chance = np.exp(chance - chance.max(axis=2, keepdims=True))
    within = np.cumsum(chance, axis=2)
    marks = spread(np.random.default_rng((config.seed, 1)), (config.chained, len(p))).T
    marks = marks[:, :, None] * within[:, None, :, -1]
    # Where each kept cell of the row before leads; the last entry is never passed, by rounding.
    leads = (within[:, None, :, :-1] < marks[..., None]).sum(axis=3)
    return np.take_along_axis(kept, _walk(leads, starts), axis=1).T


def _walk(leads: Int64s, starts: Int64s) -> Int64s:
    """The places among the kept cells that follow from each day's first row on, shape (r, S)."""
    length, columns = np.diff(starts), np.arange(leads.shape[1])
    places = leads[:, :, 0].copy()
    for m in range(1, int(length.max())):
        rows = starts[:-1][length > m] + m
        places[rows] = leads[rows[:, None], columns, places[rows - 1]]
    return places

"""An auction of the copies of cells among the rows of a day.

Shapes:  r rows to fill, k candidate cells, D target days, J sample days, A finalists of a day,
         L rows of the longest day.
"""

from __future__ import annotations

import numpy as np

from humobctl.native import Floats, Int64s
from humobctl.predict.decode_days.config import DayConfig
from humobctl.predict.decode_days.sample_days import DaySamples


def _copies(day: Int64s, past: DaySamples, finalists: Int64s, k: int, longest: int) -> Floats:
    """Chance that a day holds a cell more than m times, m = 0 to longest - 1, (D, A, longest)."""
    days, most = finalists.shape
    count = past.weight.shape[1]
    place = np.full((days, k), most)
    np.put_along_axis(place, finalists, np.arange(most)[None, :], axis=1)
    found = place[day[None, :], past.cell]
    key = (day[None, :] * count + np.arange(count)[:, None]) * (most + 1) + found
    times = np.bincount(key.ravel(), minlength=days * count * (most + 1))
    times = times.reshape(days, count, most + 1)[:, :, :most]
    slot = np.arange(days * most).reshape(days, 1, most) * (longest + 1) + times
    weight = np.broadcast_to(past.weight[:, :, None], times.shape)
    exactly = np.bincount(slot.ravel(), weight.ravel(), days * most * (longest + 1))
    exactly = exactly.reshape(days, most, longest + 1)
    at_least = np.cumsum(exactly[:, :, ::-1], axis=2)[:, :, ::-1]
    chance: Floats = np.ascontiguousarray(at_least[:, :, 1:])
    return chance


def _lead(score: Floats) -> Floats:
    """By how much a cell leads the best other cell of its row (last axis is cells)."""
    if score.shape[-1] == 1:
        return score
    ends = np.partition(score, -2, axis=-1)
    best, second = ends[..., -1:], ends[..., -2:-1]
    lead: Floats = np.where(score == best, score - second, score - best)
    return lead


def _share_copies(base: Floats, own: Floats, chance: Floats, lent: Floats, rounds: int) -> Floats:
    """Share each cell's copies out among the rows of its day, the surest copy to the best row.

    Args:
        base: worth of a cell in a row by itself, shape (D, L, A).
        own: probability of a cell in a row, minus infinity where a day has no such row, (D, L, A).
        chance: worth of a cell's copies, most first, shape (D, A, L).
        lent: how much of its worth a cell lends another, shape (D, A, A).
        rounds: how often to share out anew.
    """
    missing, lead, score = np.isneginf(own), own, base
    worth = np.empty_like(chance)
    for _ in range(rounds + 1):
        order = np.argsort(-lead.transpose(0, 2, 1), axis=2, kind="stable")
        np.put_along_axis(worth, order, chance, axis=2)
        score = base + worth.transpose(0, 2, 1) @ lent
        lead = np.where(missing, -np.inf, _lead(score))
    return score


def auction(
    p: Floats, day: Int64s, starts: Int64s, past: DaySamples, apart: Floats, config: DayConfig
) -> Floats:
    """What each cell is worth in each row, as a bag of cells and by itself, shape (r, k).

    GEO-BLEU matches the points of a day without regard to time, so the m-th copy of a cell is
    worth the chance that the true day holds it at least m times. Cells that are not among a day's
    finalists get the worst finalist's worth.
    """
    mass = np.add.reduceat(p, starts[:-1], axis=0)
    finalists = np.argsort(-mass, axis=1, kind="stable")[:, : config.finalists]
    among, place = finalists[day], np.arange(len(day)) - starts[:-1][day]
    near = np.exp(-config.auction_beta * apart)
    shape = (len(finalists), int(place.max()) + 1, finalists.shape[1])
    base, own = np.zeros(shape), np.full(shape, -np.inf)
    expected = (1.0 - config.auction_bag) * (p @ near)
    base[day, place] = np.take_along_axis(expected, among, axis=1)
    own[day, place] = np.take_along_axis(p, among, axis=1)
    lent = config.auction_bag * near[finalists[:, :, None], finalists[:, None, :]]
    chance = _copies(day, past, finalists, p.shape[1], shape[1])
    score = _share_copies(base, own, chance, lent, config.auction_rounds)[day, place]
    worth = np.repeat(score.min(axis=1, keepdims=True), p.shape[1], axis=1)
    np.put_along_axis(worth, among, score, axis=1)
    return worth

"""Whole days by minimum Bayes risk, for any model that gives a distribution over cells a row.

The best day is the one with the best expected score over what the day may turn out to be
(Kumar and Byrne, "Minimum Bayes-risk decoding for statistical machine translation", 2004):

    y* = argmax_y  E_s [ w GB(y, s) - (1 - w) (DTW_open(y, s) / a + DTW_closed(y, s) / b) ]
                   + w mean_i [ alpha E_p exp(-beta |c - y_i|) + rho auction(i, y_i) ]
                   - (1 - w) gamma mean_i E_p |c - y_i|

The expectation over s runs over sample days: the user's own past days laid over the slots to fill
(`lay_over`), weighted by the calendar and by how well they agree with p (`agreeing`), days drawn
from p that follow a past day (`draw`), and days drawn record by record (`draw_chains`). As few
samples overfit, the terms in the second and third line hold the answer to p, and to an auction that
shares out the copies of a cell among the rows (`auction`). The day is improved row by row in C, by
incremental GEO-BLEU and DTW.

Shapes:  r rows to fill, k candidate cells, D target days, J sample days, n known rows,
         A finalists of a day, L rows of the longest day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humobctl.native import Floats, Int32s, Int64s, library, share_out
from humobctl.predict.base import (
    SlotDistributions,
    UserHistory,
    candidates,
    distances,
    highest,
    number_days,
)
from humobctl.predict.city_profile import CityProfile
from humobctl.predict.decode_days.cell_copies import auction
from humobctl.predict.decode_days.chain import log_lifts
from humobctl.predict.decode_days.config import DEFAULTS, DayConfig
from humobctl.predict.decode_days.sample_days import DaySamples, mix_samples, past_days

_CELLS_PER_KM = 2.0
_SAMPLED = 0.3
"""Weight of what the sample days hold in the order in which cells are tried."""
_LEAST = 2
"""Target days that are worth a thread; a day takes some milliseconds."""


@dataclass(frozen=True)
class DayProblem:
    """What the decoder is to decide for a user.

    Attributes:
        config: settings.
        day, starts: number of each row's target day, (r,), and where the days begin, (D + 1,).
        near, apart: proximities and distances in km of all pairs of cells, (k, k) each.
        close, worth, far: expected proximity, worth in the auction and expected distance in km of
            each cell in each row, (r, k) each.
        past: the user's past days.
        samples: past days, by how well they agree with p, and days drawn from p.
        options: cells to try in each row, -1 for none, (r, any).
        begin: cells to start from, (r,).
    """

    config: DayConfig
    day: Int64s
    starts: Int64s
    near: Floats
    apart: Floats
    close: Floats
    worth: Floats
    far: Floats
    past: DaySamples
    samples: DaySamples
    options: Int64s
    begin: Int64s


def decode_days(
    cells: Int32s,
    p: Floats,
    day: Int64s,
    past: DaySamples,
    config: DayConfig = DEFAULTS,
    lifts: Floats | None = None,
) -> Int64s:
    """The candidate for each row, day by day.

    Args:
        cells: candidate cells (x, y), shape (k, 2).
        p: probabilities, each row sums to 1, shape (r, k); r may be 0.
        day: number of each row's target day, 0 to D - 1 and ascending, shape (r,).
        past: the user's own past days as samples; J may be 0.
        config: settings.
        lifts: how cells follow each other, see ``log_lifts``; None where that is not known.

    Returns:
        Index of the chosen candidate of each row, shape (r,).
    """
    if not len(p):
        return np.zeros(0, dtype=np.int64)
    return solve(pose(cells, p, day, past, config, lifts))


def pose(
    cells: Int32s,
    p: Floats,
    day: Int64s,
    past: DaySamples,
    config: DayConfig,
    lifts: Floats | None = None,
) -> DayProblem:
    """What there is to decide; arguments as those of ``decode_days``, r is at least 1."""
    starts = np.searchsorted(day, np.arange(int(day[-1]) + 2)).astype(np.int64)
    apart = distances(cells)
    if not past.weight.shape[1]:
        past = DaySamples(p.argmax(axis=1)[None, :], np.ones((len(starts) - 1, 1)))
    near = np.exp(-config.beta * apart)
    lifts = np.zeros_like(apart) if lifts is None else lifts
    close, far = p @ np.exp(-0.5 * apart), p @ apart / _CELLS_PER_KM
    samples = mix_samples(past, p, day, starts, (close, apart, lifts), config)
    worth = auction(p, day, starts, past, apart, config)
    held = _held(samples, day, len(near))
    of_day = np.add.reduceat(held, starts[:-1], axis=0) / np.diff(starts)[:, None]
    sampled = config.weight * _SAMPLED * (held @ near + of_day[day])
    begin = worth.argmax(axis=1) if config.weight > 0 else far.argmin(axis=1)
    return DayProblem(
        config=config,
        day=day,
        starts=starts,
        near=near,
        apart=apart / _CELLS_PER_KM,
        close=close,
        worth=worth,
        far=far,
        past=past,
        samples=samples,
        options=options(_alone(config, close, worth, far) + sampled, begin, day, config.options),
        begin=begin,
    )


def solve(problem: DayProblem) -> Int64s:
    """The candidate for each row, shape (r,)."""
    config = problem.config
    rows = np.diff(problem.starts)[problem.day][:, None]
    own = _alone(config, problem.close, problem.worth, problem.far) / rows
    tables, samples = (problem.near, problem.apart), problem.samples
    return ascend(problem.starts, tables, own, problem.options, samples, problem.begin, config)[0]


def _alone(config: DayConfig, close: Floats, worth: Floats, far: Floats) -> Floats:
    """What a cell adds in a row by itself, times the rows of its day, shape (r, k)."""
    near = config.weight * (config.proximity * close + config.auction * worth)
    alone: Floats = near - (1.0 - config.weight) * config.distance * far
    return alone


def _held(samples: DaySamples, day: Int64s, k: int) -> Floats:
    """Weight of the sample days that hold a cell in a row, shape (r, k)."""
    place = np.arange(len(day)) * k + samples.cell
    weight = samples.weight[day].T
    held = np.bincount(place.ravel(), weight.ravel(), len(day) * k)
    return held.reshape(-1, k).astype(np.float64)


def options(score: Floats, begin: Int64s, day: Int64s, most: int) -> Int64s:
    """Cells to try in each row, once each: its best, and the first choice of the rows beside it."""
    best = highest(score, most)
    same = day[1:] == day[:-1]
    before, after = np.full((2, len(day)), -1)
    before[1:][same], after[:-1][same] = begin[:-1][same], begin[1:][same]
    after[(best == after[:, None]).any(axis=1) | (after == before)] = -1
    before[(best == before[:, None]).any(axis=1)] = -1
    return np.concatenate([best, before[:, None], after[:, None]], axis=1)


def ascend(
    starts: Int64s,
    tables: tuple[Floats, Floats],
    own: Floats,
    options: Int64s,
    samples: DaySamples,
    begin: Int64s,
    config: DayConfig,
) -> tuple[Int64s, Floats]:
    """Improve whole days row by row, in C (day.c gives the formula).

    Args:
        starts: offsets of the target days, shape (D + 1,).
        tables: proximities and distances in km of all pairs of cells, each (k, k).
        own: what a cell adds in a row by itself, shape (r, k).
        options: cells to try in each row, -1 for none, shape (r, any).
        samples: days to score against.
        begin: the days to start from, shape (r,).
        config: weights and limits; ``sweeps`` 0 only computes the values.

    Returns:
        Chosen candidates, shape (r,), and the value of each day, shape (D,).
    """
    chosen = np.array(begin, dtype=np.int32, order="C")
    value = np.zeros(len(starts) - 1)
    near, apart = (np.ascontiguousarray(table) for table in tables)
    arguments = (
        *(len(value), np.ascontiguousarray(starts), len(near), near, apart),
        *(np.ascontiguousarray(own), np.ascontiguousarray(options, dtype=np.int32)),
        *(options.shape[1], len(samples.cell)),
        np.ascontiguousarray(samples.cell, dtype=np.int32),
        np.ascontiguousarray(samples.weight),
        *(config.weight, (1.0 - config.weight) / config.open_km),
        *((1.0 - config.weight) / config.closed_km, config.longest),
        *(config.tolerance, config.hope, config.sweeps, chosen, value),
    )
    kernel = library().humob_decode_days

    def work(first: int, last: int) -> None:
        if kernel(first, last, *arguments):
            raise MemoryError("no memory left to decode a user's days")

    share_out(len(value), work, least=_LEAST)
    return chosen.astype(np.int64), value


def decode_user(
    user: UserHistory, city: CityProfile, dist: SlotDistributions, config: DayConfig = DEFAULTS
) -> Int32s:
    """The cells of all of a user's target rows, with the user's own past days as samples.

    Args:
        user: known and target rows.
        city: the calendar.
        dist: what a model returned; past cells that are not candidates count as the nearest one.
        config: settings.

    Returns:
        Cells (x, y), shape (r, 2).
    """
    if not len(user.target_d):
        return dist.cells[:0]
    return dist.cells[solve(pose_user(user, city, dist, config))]


def pose_user(
    user: UserHistory, city: CityProfile, dist: SlotDistributions, config: DayConfig = DEFAULTS
) -> DayProblem:
    """What there is to decide for a user; arguments as those of ``decode_user``."""
    target, day = number_days(user.target_d)
    past, lifts = DaySamples(np.empty((0, len(day)), np.int64), np.empty((len(target), 0))), None
    if len(user.d):
        own, index = candidates(user)
        index = _places(own, dist.cells)[index]
        past = past_days(user, index, city, target, config)
        lifts = log_lifts(user.d, index, len(dist.cells))
    return pose(dist.cells, dist.p, day, past, config, lifts)


def _places(cells: Int32s, among: Int32s) -> Int64s:
    """For each cell the index of the nearest one among others."""
    if np.array_equal(cells, among):
        return np.arange(len(cells), dtype=np.int64)
    steps = cells[:, None, :].astype(np.int64) - among[None, :, :]
    places: Int64s = (steps**2).sum(axis=2).argmin(axis=1)
    return places

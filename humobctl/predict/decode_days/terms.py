"""Why the day decoder chose a cell: what each term of a day's value gains by it.

The value of a day (see ``run``) is a sum of five terms. For each row the chosen cell is exchanged
for the most probable one, all other rows as they were chosen; what the value loses, term by term,
is what spoke for the chosen cell.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from humobctl.native import Floats, Int64s
from humobctl.predict.decode_days.config import DayConfig
from humobctl.predict.decode_days.run import DayProblem, ascend

TERMS = ("geobleu", "dtw", "proximity", "copies", "distance")


def gains_of(problem: DayProblem, chosen: Int64s, other: Int64s) -> dict[str, Floats]:
    """What each term gains by the chosen cell instead of another, row by row.

    Args:
        problem: what the decoder solved.
        chosen: its answer, shape (r,).
        other: the cells to compare with, shape (r,).

    Returns:
        Gains in the value of the day, in which GEO-BLEU weighs ``config.weight``, by ``TERMS``;
        shape (r,) each.
    """
    config = problem.config
    rows = np.diff(problem.starts)[problem.day]
    whole, far = config.weight / rows, (1.0 - config.weight) * config.distance / rows
    no_dtw = replace(config, open_km=np.inf, closed_km=np.inf)
    return {
        "geobleu": _gains_over_samples(problem, chosen, other, no_dtw),
        "dtw": _gains_over_samples(problem, chosen, other, replace(config, longest=0)),
        "proximity": whole * config.proximity * _apart(problem.close, chosen, other),
        "copies": whole * config.auction * _apart(problem.worth, chosen, other),
        "distance": far * _apart(problem.far, other, chosen),
    }


def copied_days(problem: DayProblem, chosen: Int64s) -> Int64s:
    """Past day from which each row's cell may have been copied: its number among the samples.

    Of the past days that hold the chosen cell in that row, the one of most weight; -1 for none.
    """
    past = problem.past
    weight = problem.samples.weight[problem.day, : len(past.cell)].T
    held = np.where(past.cell == chosen[None, :], weight, 0.0)
    found: Int64s = np.where(held.max(axis=0, initial=0.0) > 0, held.argmax(axis=0), -1)
    return found


def _apart(worth: Floats, chosen: Int64s, other: Int64s) -> Floats:
    row = np.arange(len(chosen))
    apart: Floats = worth[row, chosen] - worth[row, other]
    return apart


def _gains_over_samples(
    problem: DayProblem, chosen: Int64s, other: Int64s, config: DayConfig
) -> Floats:
    """Gains of a term over the sample days: row m of every day is exchanged at once."""
    config = replace(config, sweeps=0, tolerance=0.0)
    starts, gain = problem.starts, np.zeros(len(chosen))
    own = np.zeros((len(chosen), len(problem.near)))

    def values(days: Int64s) -> Floats:
        tables = (problem.near, problem.apart)
        return ascend(starts, tables, own, problem.options, problem.samples, days, config)[1]

    as_chosen = values(chosen)
    for m in range(int(np.diff(starts).max())):
        rows = starts[:-1] + m
        rows = rows[rows < starts[1:]]
        if (chosen[rows] == other[rows]).all():
            continue
        exchanged = chosen.copy()
        exchanged[rows] = other[rows]
        day = problem.day[rows]
        gain[rows] = as_chosen[day] - values(exchanged)[day]
    return gain

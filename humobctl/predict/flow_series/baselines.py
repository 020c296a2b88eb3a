"""Means and interpolations: what entrants and organisers compare with."""

from __future__ import annotations

import numpy as np

from humobctl.native import Floats, Int64s
from humobctl.predict.flow_series.base import (
    FlowSample,
    LinearModel,
    SeriesDays,
    neighbours,
    progress_between,
)

MEAN_DAYS = 28
"""Given days of a mean: four weeks."""


def mean_after(days: SeriesDays, _: FlowSample) -> LinearModel:
    """The mean of the nearest given days after; of those before where none are after."""
    return _each(days, lambda day: _mean(days, neighbours(days, day, MEAN_DAYS)[1]))


def mean_around(days: SeriesDays, _: FlowSample) -> LinearModel:
    """The mean of the mean before and the mean after."""

    def weigh(day: int) -> Floats:
        before, after = neighbours(days, day, MEAN_DAYS)
        return (_mean(days, before) + _mean(days, after)) / 2

    return _each(days, weigh)


def linear(days: SeriesDays, _: FlowSample) -> LinearModel:
    """The line from the last given day before to the first one after."""
    return _each(days, lambda day: _interpolate(days, neighbours(days, day, 1), day))


def same_weekday(days: SeriesDays, _: FlowSample) -> LinearModel:
    """The same between days of the same weekday; between any where a weekday has none."""
    weekday = np.arange(len(days.dates)) % 7

    def weigh(day: int) -> Floats:
        found = neighbours(days, day, 1, weekday == day % 7)
        if not len(found[0]):
            found = neighbours(days, day, 1)
        return _interpolate(days, found, day)

    return _each(days, weigh)


def _each(days: SeriesDays, weigh: object) -> LinearModel:
    rows = [weigh(day) for day in days.wanted.tolist()]  # type: ignore[operator]
    return LinearModel(np.array(rows).reshape(len(rows), len(days.dates)))


def _mean(days: SeriesDays, at: Int64s) -> Floats:
    weights = np.zeros(len(days.dates))
    weights[at] = 1 / len(at)
    return weights


def _interpolate(days: SeriesDays, found: list[Int64s], day: int) -> Floats:
    before, after = found
    weights = np.zeros(len(days.dates))
    progress = progress_between(before, after, day)
    weights[before[-1]] += 1 - progress
    weights[after[0]] += progress
    return weights

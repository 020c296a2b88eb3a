"""Interpolation between the levels at both boundaries of a gap, with factors of types of days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humobctl.native import Floats
from humobctl.predict.flow_series.base import FlowSample, SeriesDays, neighbours, progress_between
from humobctl.predict.flow_series.day_types import TypeFactors, estimate_factors

BOUNDARY_DAYS = 14
"""Given days of a level on each side."""


@dataclass(frozen=True)
class Boundary:
    """A level that goes from one boundary to the other on a line, times the day's factor."""

    days: SeriesDays
    diagonal_factors: TypeFactors
    pair_factors: TypeFactors

    def diagonal(self, flows: Floats) -> Floats:
        """Flows within cells, with each cell's own factors."""
        return self._predict(flows, self.diagonal_factors.own)

    def pairs(self, flows: Floats) -> Floats:
        """Flows between cells, with the factors of all."""
        return self._predict(flows, self.pair_factors.pooled)

    def _predict(self, flows: Floats, factors: Floats) -> Floats:
        by_day = factors[self.days.types].astype(flows.dtype)
        result = np.empty((len(self.days.wanted), flows.shape[1]), flows.dtype)
        for row, day in enumerate(self.days.wanted.tolist()):
            before, after = neighbours(self.days, day, BOUNDARY_DAYS)
            part = progress_between(before, after, day)
            levels = [flows[at].sum(axis=0) / by_day[at].sum(axis=0) for at in (before, after)]
            result[row] = ((1 - part) * levels[0] + part * levels[1]) * by_day[day]
        return result


def boundary(days: SeriesDays, sample: FlowSample) -> Boundary:
    """The model, with factors estimated on the given days."""
    return Boundary(
        days,
        diagonal_factors=estimate_factors(days, sample.diagonal),
        pair_factors=estimate_factors(days, sample.pairs),
    )

"""Ridge regression of each series on the calendar: types of days, and a line bent each month.

A. E. Hoerl and R. W. Kennard, Technometrics 12 (1970) 55.
"""

from __future__ import annotations

import numpy as np

from humobctl.native import Floats
from humobctl.predict.flow_series.base import FlowSample, LinearModel, SeriesDays
from humobctl.predict.flow_series.day_types import TYPES
from humobctl.predict.flow_series.state_space import find_breaks

KNOT_DAYS = 30
"""Days between bends of the trend."""
PENALTY = 3.0
"""Penalty of the standardised features; the mean is not penalised."""


def ridge(days: SeriesDays, sample: FlowSample) -> LinearModel:
    """The regression, which is linear in the flows: one matrix for all series."""
    diagonal = sample.diagonal[days.known]
    scale = np.sqrt(np.maximum(diagonal.mean(axis=0), 1e-12))
    features = calendar_features(days, find_breaks(days, diagonal / scale))
    known = days.known
    features = features - features[known].mean(axis=0)
    spread = features[known].std(axis=0)
    features = features[:, spread > 1e-9] / spread[spread > 1e-9]
    given = features[known]
    moments = given.T @ given + PENALTY * np.eye(given.shape[1])
    weights = np.zeros((len(days.wanted), len(days.dates)))
    # features are centred, so the mean of the given days stands beside them unpenalised
    weights[:, known] = features[days.wanted] @ np.linalg.solve(moments, given.T) + 1 / len(known)
    return LinearModel(weights)


def calendar_features(days: SeriesDays, breaks: tuple[int, ...]) -> Floats:
    """Types of days, the trend and its bends, and for each break a step and its decays."""
    # the trend is held before the first given day and after the last one
    at = np.clip(np.arange(len(days.dates)), days.known[0], days.known[-1])
    columns = [(days.types == kind).astype(float) for kind in range(TYPES)]
    columns += [np.maximum(at - knot, 0) / KNOT_DAYS for knot in range(0, len(at), KNOT_DAYS)]
    for day in breaks:
        since = at - day
        columns.append((since >= 0).astype(float))
        columns += [np.where(since >= 0, np.exp(-since / scale), 0) for scale in (10.0, 40.0)]
    return np.column_stack(columns)

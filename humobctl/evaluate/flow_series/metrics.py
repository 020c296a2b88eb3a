"""Errors of daily flows over all pairs of areas, the empty ones too.

The score of HuMob 2026, for n areas (cells of the box) and each day::

    rmse_diagonal     = sqrt( sum_i (p_ii - t_ii)^2 / n )
    rmse_off_diagonal = sqrt( sum_{i != j} (p_ij - t_ij)^2 / (n (n - 1)) )

Each is averaged over the days and divided by a fixed number (26.57 and 0.0176, with which a
prediction of no flow at all scores about 1); ``combined_nrmse`` is the mean of the two. Flows are
sparse: pairs that neither side lists add nothing to the sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humobctl.native import Floats, Int32s, Int64s
from humobctl.tables.flow_series import FlowDay

DIAGONAL_SCALE = 26.57
OFF_DIAGONAL_SCALE = 0.0176
"""What HuMob 2026 divides by."""


@dataclass(frozen=True)
class SquaredErrors:
    """Sums of squared errors of a day by class of the origin, shape (classes,) each."""

    diagonal: Floats
    off_diagonal: Floats


def squared_errors(
    predicted: FlowDay, true: FlowDay, place: Int32s, classes: Int64s, count: int
) -> SquaredErrors:
    """Squared errors of a day.

    Args:
        predicted: the predicted day.
        true: the same day, numbered alike.
        place: by number of area its place among the scored ones, -1 for others.
        classes: class of each scored area, from 0.
        count: number of classes.
    """
    scored = np.int64(len(classes))
    keys, values = [], []
    for day, sign in ((predicted, 1.0), (true, -1.0)):
        pairs = day.pairs
        origin, destination = place[day.origin[pairs]], place[day.destination[pairs]]
        inside = (origin >= 0) & (destination >= 0)
        keys.append(origin[inside] * scored + destination[inside])
        values.append(sign * day.flow[pairs][inside])
    pair, index = np.unique(np.concatenate(keys), return_inverse=True)
    error = np.bincount(index, weights=np.concatenate(values), minlength=len(pair)) ** 2
    leaves, own = pair // scored, pair // scored == pair % scored
    sums = [
        np.bincount(classes[leaves[which]], weights=error[which], minlength=count).astype(float)
        for which in (own, ~own)
    ]
    return SquaredErrors(*sums)


def root_mean(squares: Floats, pairs: Floats | int) -> Floats:
    """Roots of mean squares, NaN where there is no pair."""
    with np.errstate(divide="ignore", invalid="ignore"):
        result: Floats = np.sqrt(squares / pairs)
    return result

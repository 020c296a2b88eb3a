"""Scores of a predicted point by its distance from the true one, in one table.

A user-day's score is the mean over its points. To add one: an entry in ``POINT_METRICS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from humobctl.native import Floats


@dataclass(frozen=True)
class PointMetric:
    """A score of points.

    Attributes:
        unit: km, or share.
        higher_is_better: which way is better.
        scores: scores of points by their distances in km, shape (points,) both.
        by_cell: whether the side of a cell changes the value.
    """

    unit: str
    higher_is_better: bool
    scores: Callable[[Floats], Floats]
    by_cell: bool = True


POINT_METRICS = {
    "accuracy": PointMetric("share", True, lambda km: (km == 0).astype(float), by_cell=False),
    "distance": PointMetric("km", False, lambda km: km),
}
"""Name -> how it is computed, in the order they are shown."""

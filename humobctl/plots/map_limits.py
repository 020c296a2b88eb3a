"""Where a map begins: most places, without a few far away that would make a dot of the rest."""

from __future__ import annotations

import numpy as np

from humobctl.native import Floats

_FAR, _MIDDLE = 0.002, 0.05
"""Parts left out on each side: stray ones of many, and what is left out to see the rest."""
_MANY, _FEWEST, _TIMES = 2_000, 100, 5


def map_limits(x: Floats, y: Floats, weights: Floats | None = None) -> Floats:
    """Ends of both axes, shape (2, 2): the middle 90 % where all are five times as wide.

    Args:
        x: places, in one unit with ``y``.
        y: the same in the other direction.
        weights: records at each place; None for one.
    """
    counts = np.ones(len(x)) if weights is None else weights
    number = counts.sum()
    everything = _middle(x, y, counts, _FAR if number > _MANY else 0.0)
    most = _middle(x, y, counts, _MIDDLE)
    wide, narrow = (np.ptp(ends, axis=1).max() for ends in (everything, most))
    return most if number >= _FEWEST and wide > _TIMES * narrow > 0 else everything


def _middle(x: Floats, y: Floats, weights: Floats, part: float) -> Floats:
    """Ends of both axes without that part of the records on each side."""
    ends = []
    for values in (x, y):
        order = np.argsort(values)
        reached = np.cumsum(weights[order]) / weights.sum()
        low, high = np.searchsorted(reached, [part, 1 - part])
        ends.append([values[order[low]], values[order[min(high, len(order) - 1)]]])
    return np.array(ends, dtype=np.float64)

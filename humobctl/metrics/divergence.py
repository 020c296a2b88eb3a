"""How far apart two distributions are."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from humobctl.native import Floats


def jsd(first: ArrayLike, second: ArrayLike) -> float:
    """Jensen-Shannon divergence in nats (Lin, 1991): 0 for equal shapes, ln 2 for disjoint ones.

    Args:
        first: counts or shares of bins, of any shape; need not sum to 1.
        second: the same of the other distribution, of the same shape.

    Returns:
        NaN where one of them is empty.
    """
    p, q = _shares(first), _shares(second)
    middle = (p + q) / 2
    if np.isnan(middle).any():
        return float("nan")
    # A last-bit error may put equal distributions below 0.
    return max(0.0, (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2)


def _shares(counts: ArrayLike) -> Floats:
    values = np.asarray(counts, dtype=np.float64)
    total = values.sum()
    return values / total if total > 0 else np.full_like(values, np.nan)


def _relative_entropy(p: Floats, q: Floats) -> float:
    """Kullback-Leibler divergence; q is positive wherever p is."""
    there = p > 0
    return float((p[there] * np.log(p[there] / q[there])).sum())


def rows_apart(first: Floats, second: Floats) -> float:
    """Mean total variation distance between the rows of two transition matrices, from 0 to 1.

    Each row (what follows an intent) counts by its share of the transitions of ``second``, the
    reference; a row that only the reference has is at distance 1.

    Args:
        first: counts of transitions, shape (k, k).
        second: the reference's.

    Returns:
        NaN where the reference has no transition.
    """
    weights = second.sum(axis=1)
    if not weights.sum():
        return float("nan")
    p = first / np.maximum(first.sum(axis=1, keepdims=True), 1)
    q = second / np.maximum(second.sum(axis=1, keepdims=True), 1)
    apart = np.abs(p - q).sum(axis=1) / 2
    apart[(first.sum(axis=1) == 0) & (weights > 0)] = 1.0
    return float((apart * weights).sum() / weights.sum())

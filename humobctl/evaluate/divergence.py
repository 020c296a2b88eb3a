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


def wasserstein(
    first: ArrayLike,
    second: ArrayLike,
    first_weights: ArrayLike | None = None,
    second_weights: ArrayLike | None = None,
) -> float:
    """Wasserstein-1 distance of two samples on a line: the area between their cumulative shares.

    Exact (Ramdas, Garcia and Cuturi, "On Wasserstein two-sample testing", 2017, section 2), in the
    unit of the values. scipy.stats has the same, but its import takes longer than a whole ``eval``.

    Args:
        first: values, shape (n,).
        second: values of the other sample, shape (m,).
        first_weights: weight of each value; all the same unless given.
        second_weights: the same of the other sample.

    Returns:
        NaN where a sample is empty or has no weight.
    """
    cumulated = [_cumulate(first, first_weights), _cumulate(second, second_weights)]
    if not all(shares[-1] for _, shares in cumulated):
        return float("nan")
    steps = np.sort(np.concatenate([values for values, _ in cumulated]), kind="stable")
    p, q = (
        shares[np.searchsorted(values, steps[:-1], side="right")] / shares[-1]
        for values, shares in cumulated
    )
    return float((np.abs(p - q) * np.diff(steps)).sum())


def _cumulate(values: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, Floats]:
    """Sorted values, and the weight below each of them and in all, shape (n + 1,)."""
    value = np.asarray(values, dtype=np.float64)
    if weights is None:
        return np.sort(value), np.arange(len(value) + 1, dtype=np.float64)
    order = np.argsort(value, kind="stable")
    weight = np.asarray(weights, dtype=np.float64)[order]
    return value[order], np.concatenate([[0.0], np.cumsum(weight)])


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

"""Paired comparison of predictions by the bootstrap over users.

Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile interval).
Users are drawn with replacement, the same draw for both files, since the same users' days are easy
or hard for both.

A p-value is the smallest level at which the percentile interval leaves zero out, from B resamples
of the difference d: ``p = 2 (1 + min(#{d <= 0}, #{d >= 0})) / (B + 1)``, at most 1. The ones added
(Davison and Hinkley, "Bootstrap Methods and their Application", 1997, chapter 4) keep it above 0.
With several pairs of files the p-values of a metric are adjusted as in Holm, "A Simple
Sequentially Rejective Multiple Test Procedure", Scand. J. Statist. 6, 1979: the i-th smallest of m
becomes the largest of ``(m - j + 1) p_j`` for j up to i.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from humobctl.errors import HumobError
from humobctl.evaluate.cells.run import Evaluation
from humobctl.evaluate.registry import Metric
from humobctl.native import Floats

RESAMPLES = 2000


@dataclass(frozen=True)
class Difference:
    """How two files differ in one metric: ``second - first``.

    Attributes:
        metric: the metric.
        first, second: the files' scores.
        low, high: percentile interval of the difference.
        confidence: of that interval, such as 0.95.
        p: two-sided p-value of no difference.
        p_holm: the same, adjusted for all pairs that are compared in this metric.
    """

    metric: Metric
    first: float
    second: float
    low: float
    high: float
    confidence: float
    p: float
    p_holm: float

    @property
    def value(self) -> float:
        """The difference itself."""
        return self.second - self.first

    @property
    def better(self) -> bool | None:
        """Whether ``second`` is better; None where ``p_holm`` does not decide it."""
        if self.p_holm > 1 - self.confidence:
            return None
        return (self.value > 0) == self.metric.higher_is_better


@dataclass(frozen=True)
class PairDifferences:
    """Two files of several by their numbers, and their differences in every metric."""

    first: int
    second: int
    differences: list[Difference]


def resampled_means(values: Floats, resamples: int, seed: int) -> Floats:
    """Means of bootstrap samples of users.

    Args:
        values: shape (users, metrics).
        resamples: number of samples.
        seed: of the draws.

    Returns:
        Shape (resamples, metrics); NaN of a single user, who never varies.
    """
    users = len(values)
    if users < 2:
        return np.full((resamples, values.shape[1]), np.nan)
    rng = np.random.default_rng(seed)
    means = np.empty((resamples, values.shape[1]))
    for index in range(resamples):
        counts = np.bincount(rng.integers(0, users, users), minlength=users)
        means[index] = counts @ values / users
    return means


def p_values(draws: Floats) -> Floats:
    """Two-sided p-values of no difference.

    Args:
        draws: resampled differences, shape (resamples, ...).

    Returns:
        Shape (...), above 0 and at most 1; 1 where the differences are NaN.
    """
    rarer = np.minimum((~(draws > 0)).sum(axis=0), (~(draws < 0)).sum(axis=0))
    result: Floats = np.minimum(2 * (1 + rarer) / (len(draws) + 1), 1.0)
    return result


def adjust_by_holm(p: Floats) -> Floats:
    """P-values adjusted for their number, along the first axis."""
    order = np.argsort(p, axis=0, kind="stable")
    count = len(p)
    weights = np.arange(count, 0, -1).reshape(-1, *[1] * (p.ndim - 1))
    scaled = np.take_along_axis(p, order, axis=0) * weights
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.maximum.accumulate(scaled, axis=0), axis=0)
    return np.minimum(adjusted, 1.0)


def compare(
    evaluations: Sequence[Evaluation],
    pairs: Literal["all", "first"] = "all",
    *,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
    seed: int = 0,
) -> list[PairDifferences]:
    """Differences of files, each later one minus the earlier one, with bootstrap intervals.

    Args:
        evaluations: of the files.
        pairs: all pairs of files, or each with the first one.
        resamples: number of bootstrap samples.
        confidence: of the intervals, and of what counts as decided.
        seed: of the draws, which are the same for all pairs.

    Raises:
        HumobError: the files do not score the same rows.
    """
    wanted = [
        pair for pair in combinations(range(len(evaluations)), 2) if pairs == "all" or not pair[0]
    ]
    if not wanted:
        return []
    for other in evaluations[1:]:
        _check_rows(evaluations[0], other)
    metrics = evaluations[0].metrics
    columns = [m.column for m in metrics]
    users = [e.users.select(columns).to_numpy() for e in evaluations]
    values = np.hstack([users[b] - users[a] for a, b in wanted])
    draws = resampled_means(values, resamples, seed).reshape(resamples, len(wanted), len(metrics))
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    p = p_values(draws)
    holm = adjust_by_holm(p)
    return [
        PairDifferences(
            a,
            b,
            [
                Difference(
                    metric,
                    evaluations[a].value(metric),
                    evaluations[b].value(metric),
                    low=float(low[row, at]),
                    high=float(high[row, at]),
                    confidence=confidence,
                    p=float(p[row, at]),
                    p_holm=float(holm[row, at]),
                )
                for at, metric in enumerate(metrics)
            ],
        )
        for row, (a, b) in enumerate(wanted)
    ]


def _check_rows(first: Evaluation, second: Evaluation) -> None:
    scored = [
        (e.users.height, e.user_days, e.coverage.rows, f"days {e.days[0]}-{e.days[1]}")
        for e in (first, second)
    ]
    if scored[0] != scored[1] or not first.users["uid"].equals(second.users["uid"]):
        texts = ["{} users, {} user-days, {} rows, {}".format(*found) for found in scored]
        raise HumobError(
            f"{second.name}: found {texts[1]}, expected the same rows as in {first.name} "
            f"({texts[0]}) for a paired comparison"
        )

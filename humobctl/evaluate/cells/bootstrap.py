"""Paired comparison of predictions by the bootstrap over users.

Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile interval).
Users are drawn with replacement, the same draw for both files, since the same users' days are easy
or hard for both. Of an entry with several seeds each sample also draws one of them (an entry of
its own for itself), so that an interval is that of one run's score.

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
_DRAWS_AT_ONCE = 1 << 15  # so many that they stay in the cache


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


def resampled_means(values: Floats, resamples: int, seed: int, entry: int = 0) -> Floats:
    """Means of bootstrap samples of users, and of one of the seeds where there are several.

    Args:
        values: shape (users, metrics), or (seeds, users, metrics).
        resamples: number of samples.
        seed: of the draws.
        entry: number of the entry; entries draw the same users, and their seeds independently.

    Returns:
        Shape (resamples, metrics); NaN of a single user, who never varies.
    """
    by_seed = values.reshape(-1, *values.shape[-2:])
    seeds, users, metrics = by_seed.shape
    if users < 2:
        return np.full((resamples, metrics), np.nan)
    rng = np.random.default_rng(seed)
    chosen = np.random.default_rng((seed, 1, entry)).integers(0, seeds, resamples)
    means = np.empty((resamples, metrics))
    at_once = max(1, _DRAWS_AT_ONCE // users)
    for begin in range(0, resamples, at_once):
        part = slice(begin, begin + at_once)
        shape = (len(means[part]), users)
        drawn = rng.integers(0, users, shape) + users * np.arange(shape[0])[:, None]
        counts = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(shape).astype(float)
        sampled = by_seed[chosen[part]] if seeds > 1 else by_seed
        means[part] = (counts[:, None] @ sampled)[:, 0] / users
    return means


def percentile_interval(draws: Floats, confidence: float) -> Floats:
    """Lower and upper bounds (2, ...) of draws over their first axis."""
    tail = (1 - confidence) / 2
    bounds: Floats = np.quantile(draws, [tail, 1 - tail], axis=0)
    return bounds


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
        check_same_rows(evaluations[0], other)
    metrics = evaluations[0].metrics
    means = [resampled_means(e.values, resamples, seed, at) for at, e in enumerate(evaluations)]
    draws = np.stack([means[b] - means[a] for a, b in wanted], axis=1)
    low, high = percentile_interval(draws, confidence)
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


def check_same_rows(first: Evaluation, second: Evaluation) -> None:
    """Refuse to compare files that score other users, days or rows.

    Raises:
        HumobError: names the second file, with what both score.
    """
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

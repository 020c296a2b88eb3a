"""Paired comparison of predictions by the bootstrap over users.

Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile interval).
Users are drawn with replacement, the same draw for both files, since the same users' days are easy
or hard for both.
"""

from __future__ import annotations

from dataclasses import dataclass

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
        better: whether the interval lies wholly on the side that is better for ``second``
            (True), on the other side (False), or contains zero (None).
    """

    metric: Metric
    first: float
    second: float
    low: float
    high: float
    confidence: float
    better: bool | None

    @property
    def value(self) -> float:
        """The difference itself."""
        return self.second - self.first


def resampled_means(values: Floats, resamples: int, seed: int) -> Floats:
    """Means of bootstrap samples of users.

    Args:
        values: shape (users, metrics).
        resamples: number of samples.
        seed: of the draws.

    Returns:
        Shape (resamples, metrics).
    """
    users = len(values)
    rng = np.random.default_rng(seed)
    means = np.empty((resamples, values.shape[1]))
    for index in range(resamples):
        counts = np.bincount(rng.integers(0, users, users), minlength=users)
        means[index] = counts @ values / users
    return means


def compare(
    first: Evaluation,
    second: Evaluation,
    *,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
    seed: int = 0,
) -> list[Difference]:
    """Differences of the second file from the first, with bootstrap intervals.

    Raises:
        HumobError: the files do not score the same rows.
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
    columns = [m.column for m in first.metrics]
    a, b = (e.users.select(columns).to_numpy() for e in (first, second))
    draws = resampled_means(b - a, resamples, seed)
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    result = []
    for index, metric in enumerate(first.metrics):
        bounds = float(low[index]), float(high[index])
        rises = bounds[0] > 0
        decided = rises or bounds[1] < 0
        result.append(
            Difference(
                metric,
                first.value(metric),
                second.value(metric),
                *bounds,
                confidence,
                rises == metric.higher_is_better if decided else None,
            )
        )
    return result

"""Intervals of scores and paired comparisons of ranked files, by resampling users.

A bootstrap sample draws users with all of their targets, the same for all files; a score of it is
that of its targets. The permutation test swaps the two files for each user with chance 1/2 (Good,
"Permutation Tests", 2000), p = (1 + #{|swapped| >= |found|}) / (B + 1); ece has none, as
it is not a mean. P-values of several pairs are adjusted by Holm's procedure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from humobctl.errors import HumobError
from humobctl.evaluate.cells.bootstrap import adjust_by_holm, p_values, resampled_means
from humobctl.evaluate.cells.seeds import group_seeds
from humobctl.evaluate.ranked.metrics import higher_is_better, scores_of
from humobctl.evaluate.ranked.run import RankedEvaluation
from humobctl.native import Bools, Floats


@dataclass(frozen=True)
class Resampling:
    """How users are drawn.

    Attributes:
        resamples: number of bootstrap samples and of permutations.
        confidence: of the intervals, and of what counts as decided.
        seed: of the draws.
    """

    resamples: int = 2000
    confidence: float = 0.95
    seed: int = 0

    def draw(self, sums: Floats, names: Sequence[str], entry: int = 0) -> Floats:
        """Scores of bootstrap samples (resamples, metrics); NaN of a single user, who never varies.

        Args:
            sums: see ``user_sums``, shape (seeds, users, ...); each sample also draws a seed.
            names: metrics.
            entry: number of the file; files draw their seeds independently.
        """
        if (sums[0, :, 0] > 0).sum() < 2:
            return np.full((self.resamples, len(names)), np.nan)
        return scores_of(resampled_means(sums, self.resamples, self.seed, entry), names)

    def interval(self, draws: Floats) -> tuple[Floats, Floats]:
        """Percentile interval of draws over their first axis; NaN where all are."""
        tail = (1 - self.confidence) / 2
        some = np.where(np.isnan(draws).all(axis=0), 0.0, draws)
        low, high = np.nanquantile(some, [tail, 1 - tail], axis=0)
        none = np.where(np.isnan(draws).all(axis=0), np.nan, 0.0)
        return low + none, high + none


@dataclass(frozen=True)
class RankedDifference:
    """How two files differ in one metric: ``second - first``."""

    metric: str
    value: float
    low: float
    high: float
    confidence: float
    p: float
    p_holm: float
    p_permutation: float
    p_permutation_holm: float

    @property
    def better(self) -> bool | None:
        """Whether ``second`` is better; None where ``p_holm`` does not decide it."""
        if self.p_holm > 1 - self.confidence:
            return None
        return (self.value > 0) == higher_is_better(self.metric)


@dataclass(frozen=True)
class RankedPair:
    """Two files of several by their numbers, and their differences in every metric."""

    first: int
    second: int
    differences: list[RankedDifference]


@dataclass(frozen=True)
class ScoreRow:
    """Scores of some targets with their intervals, by metric.

    Attributes:
        targets: number of targets.
        scores: value and interval; of several seeds the mean, and an interval over users and seeds.
        sd: standard deviation over seeds; empty for one.
    """

    targets: int
    scores: dict[str, tuple[float, float, float]]
    sd: dict[str, float]


def score_rows(found: RankedEvaluation, how: Resampling, chosen: Bools | None = None) -> ScoreRow:
    """Scores of a file, or of some of its targets, with intervals."""
    return score_row(found.sums(chosen), found.names, how)


def score_row(sums: Floats, names: Sequence[str], how: Resampling) -> ScoreRow:
    """Scores of sums over users, shape (seeds, users, ...), with intervals."""
    low, high = how.interval(how.draw(sums, names))
    by_seed = scores_of(sums.sum(axis=1), names)
    rows = zip(by_seed.mean(axis=0).tolist(), low.tolist(), high.tolist(), strict=True)
    sd = by_seed.std(axis=0, ddof=1).tolist() if len(by_seed) > 1 else []
    return ScoreRow(
        targets=int(sums[0, :, 0].sum()),
        scores=dict(zip(names, rows, strict=True)),
        sd=dict(zip(names, sd, strict=False)),
    )


def pool_seeds(evaluations: Sequence[RankedEvaluation]) -> list[RankedEvaluation]:
    """One evaluation for all files whose names differ in their seeds alone, in their order.

    Raises:
        HumobError: files of one entry do not score the same records.
        UsageError: no two files are seeds of one entry.
    """
    entries = group_seeds(evaluations)
    for first, *others in entries.values():
        for other in others:
            _check_same_records(first, other)
    return [
        replace(files[0], name=name, seeds=tuple(files)) if len(files) > 1 else files[0]
        for name, files in entries.items()
    ]


def _check_same_records(first: RankedEvaluation, other: RankedEvaluation) -> None:
    if not other.keys.equals(first.keys) or other.names != first.names:
        raise HumobError(
            f"{other.name}: found {len(other.targets.user):,} records in lists of "
            f"{other.listed}, expected the same records and metrics as in {first.name} "
            f"({len(first.targets.user):,}, {first.listed}) for a paired comparison"
        )


def compare_ranked(
    evaluations: Sequence[RankedEvaluation], pairs: Literal["all", "first"], how: Resampling
) -> list[RankedPair]:
    """Differences of files, each later one minus the earlier one.

    Raises:
        HumobError: the files do not score the same records.
    """
    wanted = [
        pair for pair in combinations(range(len(evaluations)), 2) if pairs == "all" or not pair[0]
    ]
    if not wanted:
        return []
    first = evaluations[0]
    for other in evaluations[1:]:
        _check_same_records(first, other)
    sums = [one.sums() for one in evaluations]
    drawn = [how.draw(one, first.names, at) for at, one in enumerate(sums)]
    whole = [scores_of(one.sum(axis=1), first.names).mean(axis=0) for one in sums]
    values = np.stack([whole[b] - whole[a] for a, b in wanted])
    draws = np.stack([drawn[b] - drawn[a] for a, b in wanted], axis=1)
    low, high = how.interval(draws)
    p = np.where(np.isnan(draws).all(axis=0), 1.0, p_values(draws))
    means = [one.mean(axis=0) for one in sums]
    swapped = np.stack([_permute(means[b] - means[a], len(first.names), how) for a, b in wanted])
    holm, swapped_holm = adjust_by_holm(p), adjust_by_holm(swapped)
    if "ece" in first.names:
        none = first.names.index("ece")
        swapped[:, none] = swapped_holm[:, none] = np.nan
    return [
        RankedPair(
            a,
            b,
            [
                RankedDifference(
                    metric=name,
                    value=float(values[row, at]),
                    low=float(low[row, at]),
                    high=float(high[row, at]),
                    confidence=how.confidence,
                    p=float(p[row, at]),
                    p_holm=float(holm[row, at]),
                    p_permutation=float(swapped[row, at]),
                    p_permutation_holm=float(swapped_holm[row, at]),
                )
                for at, name in enumerate(first.names)
            ],
        )
        for row, (a, b) in enumerate(wanted)
    ]


def _permute(differences: Floats, metrics: int, how: Resampling) -> Floats:
    """P-values of no difference by swapping files user by user, shape (metrics,)."""
    each = differences[:, 1 : 1 + metrics]
    rng = np.random.default_rng((how.seed, 1))
    signs = rng.integers(0, 2, (how.resamples, len(each)), dtype=np.int8) * 2.0 - 1.0
    apart = np.abs(signs @ each) >= np.abs(each.sum(axis=0)) - 1e-12
    p: Floats = (1 + apart.sum(axis=0)) / (how.resamples + 1)
    return p

"""Several seeds of one entry as one: means, their spread, and intervals over users and seeds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TypeVar

import numpy as np
import polars as pl

from humobctl.errors import UsageError
from humobctl.evaluate.cells.bootstrap import (
    RESAMPLES,
    check_same_rows,
    percentile_interval,
    resampled_means,
)
from humobctl.evaluate.cells.breakdowns import pool_groups
from humobctl.evaluate.cells.errors import ErrorTally
from humobctl.evaluate.cells.run import Evaluation, SeedSpread
from humobctl.evaluate.score_table import Named

Scored = TypeVar("Scored", bound=Named)
_SEED = re.compile(r"[./_-]?seed[_-]?\d+")


def entry_of(name: str) -> str:
    """A file's name without its seeds: ``predicted.csv`` of ``predicted.seed-3.csv``."""
    return _SEED.sub("", name)


def group_seeds(evaluations: Sequence[Scored]) -> dict[str, list[Scored]]:
    """Evaluations of files whose names differ in their seeds alone, by the name without them.

    Raises:
        UsageError: no two files are seeds of one entry.
    """
    entries: dict[str, list[Scored]] = {}
    for one in evaluations:
        entries.setdefault(entry_of(one.name), []).append(one)
    if len(entries) == len(evaluations):
        raise UsageError(
            f"--as-seeds: found no two files of one entry among {len(evaluations)}, expected names "
            "that differ in their seeds alone, such as predicted.seed-0.csv and "
            "predicted.seed-1.csv (predict --seeds)"
        )
    return entries


def pool_seeds(
    evaluations: Sequence[Evaluation],
    *,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
    seed: int = 0,
) -> list[Evaluation]:
    """One evaluation for all files whose names differ in their seeds alone, in their order.

    Args:
        evaluations: of the files.
        resamples: number of bootstrap samples.
        confidence: of the intervals.
        seed: of the draws.

    Raises:
        HumobError: files of one entry do not score the same rows.
        UsageError: no two files are seeds of one entry.
    """
    return [
        _pool(name, files, resamples, confidence, seed) if len(files) > 1 else files[0]
        for name, files in group_seeds(evaluations).items()
    ]


def _pool(
    name: str, files: list[Evaluation], resamples: int, confidence: float, seed: int
) -> Evaluation:
    first = files[0]
    for other in files[1:]:
        check_same_rows(first, other)
    by_seed = np.stack([one.values[0] for one in files])
    columns = [metric.column for metric in first.metrics]
    means = pl.DataFrame(dict(zip(columns, by_seed.mean(axis=0).T, strict=True)))
    deviations = by_seed.mean(axis=1).std(axis=0, ddof=1)
    bounds = percentile_interval(resampled_means(by_seed, resamples, seed), confidence)
    rows = zip(columns, deviations.tolist(), *bounds.tolist(), strict=True)
    errors = {
        one.name: np.mean([getattr(file.errors, one.name) for file in files], axis=0)
        for one in fields(ErrorTally)
    }
    return replace(
        first,
        name=name,
        users=first.users.with_columns(means),
        errors=ErrorTally(**errors),
        by_seed=by_seed,
        files=tuple(one.name for one in files),
        groups=pool_groups([one.groups for one in files]),
        spread={name: SeedSpread(sd, low, high, confidence) for name, sd, low, high in rows},
    )

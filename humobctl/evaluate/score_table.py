"""The score table: scores in long form, one value a row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import polars as pl

from humobctl.tables.schemas import SCORES

_RARE = ("sd", "intent", "p", "p_holm")
"""Columns of scores of some kinds alone."""


class Named(Protocol):
    """Whatever came of a file."""

    @property
    def name(self) -> str:
        """The file's name."""
        ...


def names_of(evaluations: Sequence[Named]) -> list[str]:
    """The files' names, with a number where one comes again."""
    names = [one.name for one in evaluations]
    for index, name in enumerate(names):
        if name in names[:index]:
            names[index] = f"{name}#{index + 1}"
    return names


def score_table(rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    """Scores in long form.

    Args:
        rows: file, metric and value of each; edition, uid, low, high, sd, intent, p and p_holm
            where there are any. A value that is NaN is missing.

    Returns:
        file, uid, metric, edition, value, low, high; sd, intent, p and p_holm if any row has them.
    """
    found = pl.DataFrame(list(rows), schema=SCORES.dtypes, orient="row")
    found = found.with_columns(pl.col("value").fill_nan(None))
    return found.drop([name for name in _RARE if found[name].null_count() == len(found)])


def or_null(value: float) -> float | None:
    """A score for JSON, where one that is not defined is null."""
    return None if math.isnan(value) else value

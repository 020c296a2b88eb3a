"""Scores as people and programs read them: a table, JSON, or a score table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO

import polars as pl

from humobctl import __version__
from humobctl.console import report
from humobctl.evaluate.cells.bootstrap import Difference
from humobctl.evaluate.cells.run import Evaluation
from humobctl.evaluate.registry import Metric
from humobctl.tables.schemas import SCORES


class Named(Protocol):
    """Whatever came of a file."""

    name: str


@dataclass(frozen=True)
class Comparison:
    """Scores of one file of predictions, or of several beside the first one.

    Attributes:
        evaluations: of each file.
        differences: of each further file from the first one.
        by_user: whether records and tables hold every user's scores, too.
    """

    evaluations: list[Evaluation]
    differences: list[list[Difference]]
    by_user: bool = False


def as_record(
    evaluation: Evaluation, differences: list[Difference] | None, *, by_user: bool = False
) -> dict[str, Any]:
    """One file's scores as JSON holds them; ``differences`` are those from the first file."""
    coverage = evaluation.coverage
    record: dict[str, Any] = {
        "file": evaluation.name,
        "users": evaluation.users.height,
        "user_days": evaluation.user_days,
        "days": list(evaluation.days),
        "rows": coverage.rows,
        "coverage": {
            "rows": [coverage.rows, coverage.expected_rows],
            "users": [coverage.users, coverage.expected_users],
        },
        "version": __version__,
        "scores": [_score_record(evaluation, metric) for metric in evaluation.metrics],
    }
    if by_user:
        record["per_user"] = evaluation.users.to_dicts()
    if differences is not None:
        record["difference_from_first"] = [
            {
                "metric": d.metric.name,
                "dialect": d.metric.dialect or None,
                "unit": d.metric.unit or None,
                "difference": d.value,
                "interval": [d.low, d.high],
                "confidence": d.confidence,
                "better": d.better,
            }
            for d in differences
        ]
    return record


def _score_record(evaluation: Evaluation, metric: Metric) -> dict[str, Any]:
    return {
        "metric": metric.name,
        "dialect": metric.dialect or None,
        "unit": metric.unit or None,
        "value": evaluation.value(metric),
        "higher_is_better": metric.higher_is_better,
        "signature": evaluation.signature(metric),
    }


def as_json(found: Comparison) -> str:
    """All scores: one object for one file, an array for several."""
    return one_or_all(
        as_record(one, found.differences[index - 1] if index else None, by_user=found.by_user)
        for index, one in enumerate(found.evaluations)
    )


def as_table(found: Comparison) -> pl.DataFrame:
    """The score table (scope, metric, value); several files stand apart in the scope.

    A comparison adds the scope ``second - first`` with the difference of each metric and the ends
    of its interval (``_low``, ``_high``).
    """
    rows: list[tuple[str, str, float]] = []
    scopes = scopes_of(found.evaluations)
    for scope, evaluation in zip(scopes, found.evaluations, strict=True):
        rows += [(scope, m.column, evaluation.value(m)) for m in evaluation.metrics]
        if found.by_user:
            rows += [
                (f"{scope},uid={row['uid']}", m.column, row[m.column])
                for row in evaluation.users.iter_rows(named=True)
                for m in evaluation.metrics
            ]
    for scope, differences in zip(scopes[1:], found.differences, strict=True):
        for d in differences:
            parts = (("", d.value), ("_low", d.low), ("_high", d.high))
            rows += [
                (f"{scope} - {scopes[0]}", f"{d.metric.column}{end}", value) for end, value in parts
            ]
    return pl.DataFrame(rows, schema=SCORES.dtypes, orient="row")


def show(found: Comparison, stream: TextIO) -> None:
    """Print the scores for people, with their signatures."""
    first, *others = found.evaluations
    columns = ["metric", "better", *(Path(e.name).name for e in found.evaluations)]
    rows = [
        [m.label, better(m.higher_is_better)] + [number(m, e.value(m)) for e in found.evaluations]
        for m in first.metrics
    ]
    days = f"days {first.days[0]}-{first.days[1]}"
    title = f"{first.users.height} users, {first.user_days} user-days, {days}"
    signatures = "\n".join(first.signature(m) for m in first.metrics)
    report.table(title, columns, rows, stream=stream, caption=signatures)
    for evaluation, differences in zip(others, found.differences, strict=True):
        _show_differences(first, evaluation, differences, stream)


def _show_differences(
    first: Evaluation, second: Evaluation, found: list[Difference], stream: TextIO
) -> None:
    percent = f"{100 * found[0].confidence:g} %"
    verdicts = {True: "better", False: "worse", None: "not decided"}
    rows = [
        [
            d.metric.label,
            f"{number(d.metric, d.value, sign='+')}",
            f"{number(d.metric, d.low, sign='+')} to {number(d.metric, d.high, sign='+')}",
            verdicts[d.better],
        ]
        for d in found
    ]
    report.table(
        f"{Path(second.name).name} minus {Path(first.name).name}, paired bootstrap over users",
        ["metric", "difference", f"{percent} interval", "verdict"],
        rows,
        stream=stream,
    )


def one_or_all(records: Iterable[dict[str, Any]]) -> str:
    """Records as JSON: one object for one file, an array for several."""
    found = list(records)
    return json.dumps(found[0] if len(found) == 1 else found, indent=2) + "\n"


def better(higher: bool | None) -> str:
    """Which way is better, as tables for people show it."""
    return "higher" if higher else "lower"


def scopes_of(evaluations: Sequence[Named]) -> list[str]:
    """``all`` for one file; the names of several, with a number where one comes again."""
    scopes = [e.name if len(evaluations) > 1 else "all" for e in evaluations]
    for index, scope in enumerate(scopes):
        if scope in scopes[:index]:
            scopes[index] = f"{scope}#{index + 1}"
    return scopes


def number(metric: Metric, value: float, sign: str = "") -> str:
    """A score as tables for people show it."""
    return f"{value:{sign}.2f}" if metric.unit == "km" else f"{value:{sign}.4f}"

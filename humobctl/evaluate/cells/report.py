"""Scores as people and programs read them: a table, JSON, or a score table."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import polars as pl

from humobctl import __version__
from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.evaluate.cells.bootstrap import Difference, PairDifferences
from humobctl.evaluate.cells.breakdowns import CellGroup
from humobctl.evaluate.cells.run import Evaluation, SeedSpread
from humobctl.evaluate.ranked.compare import Resampling, ScoreRow, score_row
from humobctl.evaluate.registry import Metric
from humobctl.evaluate.score_table import names_of, or_null, score_table


@dataclass(frozen=True)
class Comparison:
    """Scores of one file of predictions, or of several beside each other.

    Attributes:
        evaluations: of each file.
        pairs: differences of the files that are compared.
        by_user: whether records and tables hold every user's scores, too.
        how: how intervals of groups are made.
    """

    evaluations: list[Evaluation]
    pairs: list[PairDifferences]
    by_user: bool = False
    how: Resampling = field(default_factory=Resampling)

    def groups(self, one: Evaluation) -> Iterator[tuple[CellGroup, ScoreRow]]:
        """The groups of all breakdowns of a file, and their scores."""
        for group in one.groups:
            yield group, score_row(group.sums, [m.column for m in group.metrics], self.how)


def _record(found: Comparison, number: int) -> dict[str, Any]:
    """One file's scores as JSON holds them, with its differences from earlier files."""
    evaluation = found.evaluations[number]
    coverage = evaluation.coverage
    record: dict[str, Any] = {
        "file": evaluation.name,
        **({"seeds": list(evaluation.files)} if evaluation.files else {}),
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
    if evaluation.groups:
        record["breakdowns"] = [
            {
                "by": group.by,
                "group": group.name,
                "users": row.targets,
                "scores": [_group_record(metric, row) for metric in group.metrics],
            }
            for group, row in found.groups(evaluation)
        ]
    if found.by_user:
        record["per_user"] = evaluation.users.to_dicts()
    differences = [
        _difference_record(found.evaluations[pair.first].name, difference)
        for pair in found.pairs
        if pair.second == number
        for difference in pair.differences
    ]
    return record | ({"differences": differences} if differences else {})


def _difference_record(other: str, found: Difference) -> dict[str, Any]:
    return {
        "from": other,
        "metric": found.metric.name,
        "dialect": found.metric.dialect or None,
        "unit": found.metric.unit or None,
        "difference": found.value,
        "interval": [or_null(found.low), or_null(found.high)],
        "confidence": found.confidence,
        "p": found.p,
        "p_holm": found.p_holm,
        "better": found.better,
    }


def _group_record(metric: Metric, row: ScoreRow) -> dict[str, Any]:
    value, low, high = row.scores[metric.column]
    return {
        "metric": metric.name,
        "dialect": metric.dialect or None,
        "unit": metric.unit or None,
        "value": value,
        **({"sd": row.sd[metric.column]} if row.sd else {}),
        "interval": [or_null(low), or_null(high)],
        "higher_is_better": metric.higher_is_better,
    }


def _score_record(evaluation: Evaluation, metric: Metric) -> dict[str, Any]:
    spread = evaluation.spread.get(metric.column)
    over_seeds = (
        {}
        if spread is None
        else {
            "sd": spread.sd,
            "interval": [or_null(spread.low), or_null(spread.high)],
            "confidence": spread.confidence,
        }
    )
    return {
        "metric": metric.name,
        "dialect": metric.dialect or None,
        "unit": metric.unit or None,
        "value": evaluation.value(metric),
        **over_seeds,
        "higher_is_better": metric.higher_is_better,
        "signature": evaluation.signature(metric),
    }


def as_json(found: Comparison) -> str:
    """All scores: one object for one file, an array for several."""
    return one_or_all(_record(found, number) for number in range(len(found.evaluations)))


def as_table(found: Comparison) -> pl.DataFrame:
    """The score table; ``second - first`` in the place of a file stands for a difference.

    ``edition`` is the dialect of a metric, or the group of a breakdown, or both.
    """
    names = names_of(found.evaluations)
    rows: list[dict[str, Any]] = []
    for name, evaluation in zip(names, found.evaluations, strict=True):
        rows += [
            _row(name, m, evaluation.value(m), **_bounds(evaluation, m)) for m in evaluation.metrics
        ]
        for group, row in found.groups(evaluation):
            rows += [_group_row(name, group, metric, row) for metric in group.metrics]
        if found.by_user:
            rows += [
                _row(name, m, row[m.column], uid=row["uid"])
                for row in evaluation.users.iter_rows(named=True)
                for m in evaluation.metrics
            ]
    rows += [
        _row(
            f"{names[pair.second]} - {names[pair.first]}",
            d.metric,
            d.value,
            low=or_null(d.low),
            high=or_null(d.high),
            p=d.p,
            p_holm=d.p_holm,
        )
        for pair in found.pairs
        for d in pair.differences
    ]
    return score_table(rows)


def _bounds(evaluation: Evaluation, metric: Metric) -> dict[str, float | None]:
    spread = evaluation.spread.get(metric.column)
    if spread is None:
        return {}
    return {"sd": spread.sd, "low": or_null(spread.low), "high": or_null(spread.high)}


def _group_row(file: str, group: CellGroup, metric: Metric, row: ScoreRow) -> dict[str, Any]:
    value, low, high = row.scores[metric.column]
    bounds = {"low": or_null(low), "high": or_null(high), "sd": row.sd.get(metric.column)}
    edition = f"{group.by}:{group.name}"
    return _row(file, metric, value, **bounds) | {
        "edition": f"{metric.dialect}|{edition}" if metric.dialect else edition
    }


def _row(file: str, metric: Metric, value: float, **more: float | None) -> dict[str, Any]:
    edition = metric.dialect or None
    return {"file": file, "metric": metric.name, "edition": edition, "value": value, **more}


def show(found: Comparison, stream: TextIO) -> None:
    """Print the scores for people, with their signatures."""
    first = found.evaluations[0]
    columns = ["metric", "better", *(Path(e.name).name for e in found.evaluations)]
    rows = [
        [m.label, better(m.higher_is_better)] + [_score(m, e) for e in found.evaluations]
        for m in first.metrics
    ]
    days = f"days {first.days[0]}-{first.days[1]}"
    title = (
        f"{pluralize(first.users.height, 'user')}, {pluralize(first.user_days, 'user-day')}, {days}"
    )
    notes = [first.signature(m) for m in first.metrics]
    spreads = [one for e in found.evaluations for one in e.spread.values()]
    if spreads:
        notes.insert(0, f"mean ± standard deviation over seeds [{_percent(spreads[0])} interval]")
    report.table(title, columns, rows, stream=stream, caption="\n".join(notes))
    if found.pairs:
        _show_differences(found, stream)
    for by in first.settings.by:
        _show_groups(found, by, stream)


def _show_groups(found: Comparison, by: str, stream: TextIO) -> None:
    """One breakdown: a line a metric and group, the files beside each other."""
    files = [
        {group.name: (group, row) for group, row in found.groups(one) if group.by == by}
        for one in found.evaluations
    ]
    groups = {name: one for each in reversed(files) for name, one in each.items()}
    rows = [
        [
            metric.label,
            name,
            f"{groups[name][1].targets:,}",
            *(_group_score(metric, each[name][1]) if name in each else "" for each in files),
        ]
        for metric in next(iter(groups.values()))[0].metrics
        for name in groups
    ]
    heads = ["metric", by, "users", *(Path(one.name).name for one in found.evaluations)]
    title = f"by {by} [{100 * found.how.confidence:g} % interval]"
    report.table(title, heads, rows, stream=stream, left=2)


def _score(metric: Metric, one: Evaluation) -> str:
    spread = one.spread.get(metric.column)
    value = one.value(metric)
    if spread is None:
        return number(metric, value)
    return _with_spread(metric, value, spread.sd, spread.low, spread.high)


def _group_score(metric: Metric, row: ScoreRow) -> str:
    value, low, high = row.scores[metric.column]
    return _with_spread(metric, value, row.sd.get(metric.column), low, high)


def _with_spread(metric: Metric, value: float, sd: float | None, low: float, high: float) -> str:
    """A score, its standard deviation over seeds, and its interval, where there are any."""
    text = number(metric, value) + ("" if sd is None else f" ± {number(metric, sd)}")
    if math.isnan(low):
        return text
    return f"{text} [{number(metric, low)}, {number(metric, high)}]"


def _percent(found: Difference | SeedSpread) -> str:
    return f"{100 * found.confidence:g} %"


def _show_differences(found: Comparison, stream: TextIO) -> None:
    names = [Path(name).name for name in names_of(found.evaluations)]
    verdicts = {True: "better", False: "worse", None: "not decided"}
    rows = [
        [
            f"{names[pair.second]} minus {names[pair.first]}",
            d.metric.label,
            f"{number(d.metric, d.value, sign='+')}",
            _interval(d),
            f"{d.p_holm:.4f}",
            verdicts[d.better],
        ]
        for pair in found.pairs
        for d in pair.differences
    ]
    several = len(found.pairs) > 1
    adjusted = f"; p adjusted for {len(found.pairs)} pairs (Holm)" if several else ""
    interval = interval_heading(found.pairs[0].differences[0].confidence, len(found.pairs))
    over = "users and seeds" if any(e.spread for e in found.evaluations) else "users"
    report.table(
        f"paired bootstrap over {over}{adjusted}",
        ["files", "metric", "difference", interval, "p", "verdict"],
        rows,
        stream=stream,
        left=2,
    )


def _interval(found: Difference) -> str:
    """Nothing for a single user, whose scores have none."""
    if math.isnan(found.low):
        return ""
    low, high = (number(found.metric, value, sign="+") for value in (found.low, found.high))
    return f"{low} to {high}"


def interval_heading(confidence: float, pairs: int) -> str:
    """The heading of the intervals of differences; of several pairs, only p is adjusted."""
    return f"{100 * confidence:g} % interval" + ", not adjusted" * (pairs > 1)


def one_or_all(records: Iterable[dict[str, Any]]) -> str:
    """Records as JSON: one object for one file, an array for several."""
    found = list(records)
    return json.dumps(found[0] if len(found) == 1 else found, indent=2) + "\n"


def better(higher: bool | None) -> str:
    """Which way is better, as tables for people show it."""
    return "higher" if higher else "lower"


def number(metric: Metric, value: float, sign: str = "") -> str:
    """A score as tables for people show it."""
    return f"{value:{sign}.2f}" if metric.unit == "km" else f"{value:{sign}.4f}"

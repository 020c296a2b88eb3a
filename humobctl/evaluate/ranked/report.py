"""Scores of ranked candidates as people and programs read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import isnan
from pathlib import Path
from typing import Any, TextIO

import polars as pl

from humobctl import __version__
from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.evaluate.cells.report import better, interval_heading, one_or_all
from humobctl.evaluate.ranked.compare import RankedPair, Resampling, ScoreRow, score_rows
from humobctl.evaluate.ranked.metrics import higher_is_better, scores_of
from humobctl.evaluate.ranked.run import RankedEvaluation
from humobctl.evaluate.score_table import names_of, or_null, score_table


@dataclass(frozen=True)
class RankedComparison:
    """Scores of one file of ranked candidates, or of several beside each other.

    Attributes:
        evaluations: of each file.
        pairs: differences of the files that are compared.
        how: how intervals are made.
        by_user: whether records and tables hold every user's scores, too.
    """

    evaluations: list[RankedEvaluation]
    pairs: list[RankedPair]
    how: Resampling
    by_user: bool = False

    def rows(self, one: RankedEvaluation) -> Iterator[tuple[str, str, ScoreRow]]:
        """Breakdown, group and scores: of all targets first."""
        yield "", "", score_rows(one, self.how)
        for by, groups in one.groups.items():
            for name, chosen in groups.items():
                yield by, name, score_rows(one, self.how, chosen)


def as_json(found: RankedComparison) -> str:
    """All scores: one object for one file, an array for several."""
    return one_or_all(_record(found, number) for number in range(len(found.evaluations)))


def _record(found: RankedComparison, number: int) -> dict[str, Any]:
    one = found.evaluations[number]
    (_, _, whole), *groups = found.rows(one)
    record: dict[str, Any] = {
        "file": one.name,
        **({"seeds": [file.name for file in one.seeds]} if one.seeds else {}),
        "users": len(one.uids),
        "targets": whole.targets,
        "chosen": one.chosen,
        "coverage": [whole.targets, one.expected],
        "list": one.listed,
        "version": __version__,
        "scores": [
            {**record, "signature": one.signature(record["metric"])} for record in _scores(whole)
        ],
    }
    if groups:
        record["breakdowns"] = [
            {"by": by, "group": name, "targets": row.targets, "scores": _scores(row)}
            for by, name, row in groups
        ]
    if found.by_user:
        record["per_user"] = [
            {"uid": uid, "targets": targets, **scores} for uid, targets, scores in _per_user(one)
        ]
    differences = [
        {
            "from": found.evaluations[pair.first].name,
            "metric": each.metric,
            "difference": each.value,
            "interval": [or_null(each.low), or_null(each.high)],
            **{name: or_null(value) for name, value in asdict(each).items() if name[0] == "p"},
            "confidence": each.confidence,
            "better": each.better,
        }
        for pair in found.pairs
        if pair.second == number
        for each in pair.differences
    ]
    return record | ({"differences": differences} if differences else {})


def _scores(row: ScoreRow) -> list[dict[str, Any]]:
    return [
        {
            "metric": name,
            "value": or_null(value),
            **({"sd": row.sd[name]} if row.sd else {}),
            "interval": [or_null(low), or_null(high)],
            "higher_is_better": higher_is_better(name),
        }
        for name, (value, low, high) in row.scores.items()
    ]


def _per_user(one: RankedEvaluation) -> Iterator[tuple[Any, int, dict[str, float]]]:
    sums = one.sums().mean(axis=0)
    for uid, row, scores in zip(one.uids, sums, scores_of(sums, one.names), strict=True):
        yield uid, int(row[0]), dict(zip(one.names, scores.tolist(), strict=True))


def as_table(found: RankedComparison) -> pl.DataFrame:
    """The score table; groups of breakdowns stand in ``edition``."""
    names = names_of(found.evaluations)
    rows: list[dict[str, Any]] = []
    for name, one in zip(names, found.evaluations, strict=True):
        for by, group, row in found.rows(one):
            edition = f"{by}:{group}" if by else None
            rows += [
                {
                    "file": name,
                    "metric": metric,
                    "edition": edition,
                    "value": value,
                    "low": or_null(low),
                    "high": or_null(high),
                    "sd": row.sd.get(metric),
                }
                for metric, (value, low, high) in row.scores.items()
            ]
    rows += [
        {
            "file": f"{names[pair.second]} - {names[pair.first]}",
            "metric": each.metric,
            "value": each.value,
            "low": or_null(each.low),
            "high": or_null(each.high),
            "p": each.p,
            "p_holm": each.p_holm,
        }
        for pair in found.pairs
        for each in pair.differences
    ]
    return score_table(rows)


def show(found: RankedComparison, stream: TextIO) -> None:
    """Print the scores for people, with their signatures."""
    first = found.evaluations[0]
    whole = [score_rows(one, found.how) for one in found.evaluations]
    title = (
        f"{pluralize(len(first.uids), 'user')}, {pluralize(len(first.targets.user), 'record')} "
        f"({first.chosen})"
    )
    columns = ["metric", "better", *(Path(one.name).name for one in found.evaluations)]
    rows = [
        [name, better(higher_is_better(name)), *(_with_interval(one, name) for one in whole)]
        for name in first.names
    ]
    notes = [first.signature(name) for name in first.names]
    if any(one.sd for one in whole):
        notes.insert(0, "mean ± standard deviation over seeds [interval over users and seeds]")
    report.table(title, columns, rows, stream=stream, caption="\n".join(notes))
    for by in first.groups:
        _show_groups(found, by, stream)
    if found.pairs:
        _show_pairs(found, stream)


def _show_groups(found: RankedComparison, by: str, stream: TextIO) -> None:
    for one in found.evaluations:
        rows = [
            [name, f"{row.targets:,}", *(f"{value:.4f}" for value, *_ in row.scores.values())]
            for which, name, row in found.rows(one)
            if which == by
        ]
        title = f"{Path(one.name).name} by {by}"
        report.table(title, [by, "records", *one.names], rows, stream=stream)


def _show_pairs(found: RankedComparison, stream: TextIO) -> None:
    names = [Path(name).name for name in names_of(found.evaluations)]
    verdicts = {True: "better", False: "worse", None: "not decided"}
    rows = [
        [
            f"{names[pair.second]} minus {names[pair.first]}",
            each.metric,
            f"{each.value:+.4f}",
            "" if isnan(each.low) else f"{each.low:+.4f} to {each.high:+.4f}",
            f"{each.p_holm:.4f}",
            "" if isnan(each.p_permutation_holm) else f"{each.p_permutation_holm:.4f}",
            verdicts[each.better],
        ]
        for pair in found.pairs
        for each in pair.differences
    ]
    several = len(found.pairs) > 1
    adjusted = f"; p adjusted for {len(found.pairs)} pairs (Holm)" if several else ""
    interval = interval_heading(found.how.confidence, len(found.pairs))
    report.table(
        f"paired bootstrap and permutations over users{adjusted}",
        ["files", "metric", "difference", interval, "p", "p permutation", "verdict"],
        rows,
        stream=stream,
        left=2,
    )


def _with_interval(row: ScoreRow, name: str) -> str:
    value, low, high = row.scores[name]
    text = f"{value:.4f}" + (f" ± {row.sd[name]:.4f}" if row.sd else "")
    return text if isnan(low) else f"{text} [{low:.4f}, {high:.4f}]"

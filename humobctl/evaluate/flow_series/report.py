"""Scores of predicted daily flows as people and programs read them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, TextIO

import polars as pl

from humobctl import __version__
from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.evaluate.cells.report import interval_heading, one_or_all
from humobctl.evaluate.flow_series.run import (
    METRICS,
    DayDifference,
    FlowSeriesComparison,
    FlowSeriesEvaluation,
)
from humobctl.evaluate.score_table import names_of, or_null, score_table


def as_json(found: FlowSeriesComparison) -> str:
    """One object for one file, an array for several; a score that is not defined is null."""
    return one_or_all(_record(found, number) for number in range(len(found.evaluations)))


def _record(found: FlowSeriesComparison, number: int) -> dict[str, Any]:
    one, names = found.evaluations[number], names_of(found.evaluations)
    record: dict[str, Any] = {
        "file": one.name,
        "reference": one.reference,
        "days": len(one.dates),
        "areas": one.areas,
        "version": __version__,
        **_scores(one.values()),
        "rmse_diagonal": float(one.values()[1] * one.settings.diagonal_scale),
        "rmse_off_diagonal": float(one.values()[2] * one.settings.off_diagonal_scale),
        "confidence": one.settings.confidence,
        "intervals": {
            metric: [or_null(float(end)) for end in one.intervals[:, at]]
            for at, metric in enumerate(METRICS)
        },
        "signature": f"{one.signature}|v:{__version__}",
        "daily": [
            {"date": str(date), **_scores(values)}
            for date, values in zip(one.dates, one.daily, strict=True)
        ],
        "by_recovery": [
            {
                "class": part.name,
                "areas": part.areas,
                "nrmse_diagonal": or_null(part.nrmse_diagonal),
                "nrmse_off_diagonal": or_null(part.nrmse_off_diagonal),
                "share_of_squares_diagonal": part.share_of_squares[0],
                "share_of_squares_off_diagonal": part.share_of_squares[1],
            }
            for part in one.classes
        ],
    }
    differences = [
        {
            "from": names[d.first],
            "metric": d.metric,
            "days": d.days,
            "difference": d.value,
            "interval": [or_null(d.low), or_null(d.high)],
            "confidence": one.settings.confidence,
            "p": d.p,
            "p_holm": d.p_holm,
            "better": _verdict(d, one),
        }
        for d in found.differences
        if d.second == number
    ]
    return record | ({"differences": differences} if differences else {})


def _scores(values: Any) -> dict[str, float | None]:
    return {name: or_null(float(value)) for name, value in zip(METRICS, values, strict=True)}


def _verdict(found: DayDifference, one: FlowSeriesEvaluation) -> bool | None:
    """Whether the second file is better; None where the p-value does not decide it."""
    return None if found.p_holm > 1 - one.settings.confidence else found.value < 0


def as_table(found: FlowSeriesComparison) -> pl.DataFrame:
    """The score table; ``second - first`` in the place of a file stands for a difference."""
    names = names_of(found.evaluations)
    rows: list[dict[str, Any]] = [
        {
            "file": name,
            "metric": metric,
            "value": float(one.values()[at]),
            "low": or_null(float(one.intervals[0, at])),
            "high": or_null(float(one.intervals[1, at])),
        }
        for name, one in zip(names, found.evaluations, strict=True)
        for at, metric in enumerate(METRICS)
    ]
    rows += [
        {
            "file": f"{names[d.second]} - {names[d.first]}",
            "metric": d.metric,
            "value": d.value,
            "low": or_null(d.low),
            "high": or_null(d.high),
            "p": d.p,
            "p_holm": d.p_holm,
        }
        for d in found.differences
    ]
    return score_table(rows)


def show(found: FlowSeriesComparison, stream: TextIO) -> None:
    """Print the scores for people: in all, by class of recovery, and differences."""
    first = found.evaluations[0]
    names = [Path(name).name for name in names_of(found.evaluations)]
    rows = [
        [metric.replace("_", " "), "lower", *(_with_interval(one, at) for one in found.evaluations)]
        for at, metric in enumerate(METRICS)
    ]
    days = f"{pluralize(len(first.dates), 'day')}, {first.dates[0]} to {first.dates[-1]}"
    report.table(
        f"{days}, {first.areas:,} areas, against {Path(first.reference).name}",
        ["metric", "better", *names],
        rows,
        stream=stream,
        caption="\n".join(f"{one.signature}|v:{__version__}" for one in found.evaluations),
    )
    for name, one in zip(names, found.evaluations, strict=True):
        _show_classes(name, one, stream)
    if found.differences:
        _show_differences(found, names, stream)


def _with_interval(one: FlowSeriesEvaluation, at: int) -> str:
    low, high = one.intervals[:, at]
    interval = "" if math.isnan(low) else f" ({low:.4f} to {high:.4f})"
    return f"{one.values()[at]:.4f}{interval}"


def _show_classes(name: str, one: FlowSeriesEvaluation, stream: TextIO) -> None:
    rows = [
        [
            part.name,
            f"{part.areas:,}",
            f"{part.nrmse_diagonal:.4f}",
            f"{part.nrmse_off_diagonal:.4f}",
            f"{part.share_of_squares[0]:.1%}",
            f"{part.share_of_squares[1]:.1%}",
        ]
        for part in one.classes
    ]
    if rows:
        columns = ["recovery", "areas", "nrmse diagonal", "nrmse off diagonal"]
        shares = ["of squares, diagonal", "of squares, off diagonal"]
        report.table(f"{name}, by recovery", [*columns, *shares], rows, stream=stream)


def _show_differences(found: FlowSeriesComparison, names: list[str], stream: TextIO) -> None:
    verdicts = {True: "better", False: "worse", None: "not decided"}
    rows = [
        [
            f"{names[d.second]} minus {names[d.first]}",
            d.metric.replace("_", " "),
            f"{d.value:+.4f}",
            "" if math.isnan(d.low) else f"{d.low:+.4f} to {d.high:+.4f}",
            f"{d.p_holm:.4f}",
            verdicts[_verdict(d, found.evaluations[d.second])],
        ]
        for d in found.differences
    ]
    pairs = len({(d.first, d.second) for d in found.differences})
    adjusted = f"; p adjusted for {pairs} pairs (Holm)" if pairs > 1 else ""
    interval = interval_heading(found.evaluations[0].settings.confidence, pairs)
    report.table(
        f"paired bootstrap over {pluralize(found.differences[0].days, 'day')}{adjusted}",
        ["files", "metric", "difference", interval, "p", "verdict"],
        rows,
        stream=stream,
        left=2,
    )

"""Scores of flow tables as people and programs read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TextIO

import polars as pl

from humobctl import __version__
from humobctl.console import report
from humobctl.evaluate.cells.report import better, one_or_all
from humobctl.evaluate.flows.run import FlowEvaluation
from humobctl.evaluate.score_table import names_of, or_null, score_table
from humobctl.evaluate.scores import TableScore


def as_json(evaluations: list[FlowEvaluation]) -> str:
    """One object for one file, an array for several; a score that is not defined is null."""
    return one_or_all(map(_record, evaluations))


def _record(evaluation: FlowEvaluation) -> dict[str, Any]:
    return {
        "file": evaluation.name,
        "reference": evaluation.reference,
        "areas": evaluation.areas,
        "trips": list(evaluation.trips),
        "version": __version__,
        "scores": [score_record(score) for score in evaluation.scores],
    }


def score_record(score: TableScore) -> dict[str, Any]:
    """A score as JSON holds it."""
    return {
        "metric": score.name,
        "unit": score.unit or None,
        "value": or_null(score.value),
        "higher_is_better": score.higher_is_better,
        "signature": score.signature,
    }


def as_table(evaluations: list[FlowEvaluation]) -> pl.DataFrame:
    """The score table."""
    return score_table(
        {"file": name, "metric": score.name, "value": score.value}
        for name, evaluation in zip(names_of(evaluations), evaluations, strict=True)
        for score in evaluation.scores
    )


def show(evaluations: list[FlowEvaluation], stream: TextIO) -> None:
    """Print the scores for people, with their signatures."""
    first = evaluations[0]
    columns = ["metric", "better", *(Path(e.name).name for e in evaluations)]
    rows = [
        [
            f"{score.name.replace('_', ' ')}{' (trips)' if score.unit == 'trips' else ''}",
            better(score.higher_is_better),
            *(f"{e.scores[index].value:.4f}" for e in evaluations),
        ]
        for index, score in enumerate(first.scores)
    ]
    trips = "; ".join(f"{e.trips[0]:,.0f} trips" for e in evaluations)
    title = f"{trips} against {first.trips[1]:,.0f} between {first.areas} areas"
    caption = "\n".join(score.signature for score in first.scores)
    report.table(title, columns, rows, stream=stream, caption=caption)

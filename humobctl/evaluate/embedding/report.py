"""Scores of embeddings as people and programs read them."""

from __future__ import annotations

import json
from typing import TextIO

import polars as pl

from humobctl import __version__
from humobctl.console import report
from humobctl.evaluate.cells.report import better
from humobctl.evaluate.embedding.metrics import EmbeddingEvaluation
from humobctl.evaluate.flows.report import score_record
from humobctl.evaluate.score_table import score_table


def as_json(evaluations: list[EmbeddingEvaluation]) -> str:
    """An array with an object for each method."""
    records = [
        {
            "method": one.name,
            "users": one.users,
            "version": __version__,
            "scores": [score_record(score) for score in one.scores],
        }
        for one in evaluations
    ]
    return json.dumps(records, indent=2) + "\n"


def as_table(evaluations: list[EmbeddingEvaluation]) -> pl.DataFrame:
    """The score table; in the place of files stand the methods."""
    return score_table(
        {"file": one.name, "metric": score.name, "value": score.value}
        for one in evaluations
        for score in one.scores
    )


def show(evaluations: list[EmbeddingEvaluation], stream: TextIO) -> None:
    """Print the scores for people, with their signatures."""
    first = evaluations[0]
    columns = ["metric", "better", *(one.name for one in evaluations)]
    rows = [
        [
            score.name.replace("_", " "),
            better(score.higher_is_better),
            *(f"{one.scores[index].value:.4f}" for one in evaluations),
        ]
        for index, score in enumerate(first.scores)
    ]
    users = ", ".join(f"{count:,} of {city}" for city, count in first.users.items())
    caption = "\n".join(score.signature for score in first.scores)
    title = f"Users that no model was trained on: {users}"
    report.table(title, columns, rows, stream=stream, caption=caption)

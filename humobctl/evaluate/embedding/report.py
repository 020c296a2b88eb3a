"""Scores of embeddings as people and programs read them."""

from __future__ import annotations

import json
from typing import Any, TextIO

import numpy as np
import polars as pl

from humobctl import __version__
from humobctl.console import report
from humobctl.evaluate.cells.report import better
from humobctl.evaluate.embedding.metrics import EmbeddingEvaluation
from humobctl.evaluate.flows.report import score_record
from humobctl.evaluate.score_table import or_null, score_table
from humobctl.evaluate.scores import TableScore


def as_json(evaluations: list[EmbeddingEvaluation]) -> str:
    """An array with an object for each method."""
    return json.dumps([_record(one) for one in evaluations], indent=2) + "\n"


def _record(one: EmbeddingEvaluation) -> dict[str, Any]:
    return {
        "method": one.name,
        "users": one.users,
        "trained_on": one.trained_on if one.trained_on is None else list(one.trained_on),
        "version": __version__,
        "scores": _scores(one.scores),
        "by_city": {city: _scores(scores) for city, scores in one.by_city.items()},
    }


def _scores(scores: list[TableScore]) -> list[dict[str, Any]]:
    return [
        score_record(one) | {"low": or_null(one.low), "high": or_null(one.high)} for one in scores
    ]


def as_table(evaluations: list[EmbeddingEvaluation]) -> pl.DataFrame:
    """The score table; in the place of files stand the methods, and ``METHOD in CITY``."""
    return score_table(
        {
            "file": title,
            "metric": score.name,
            "value": score.value,
            "low": or_null(score.low),
            "high": or_null(score.high),
        }
        for one in evaluations
        for title, scores in (
            (one.name, one.scores),
            *((f"{one.name} in {city}", scores) for city, scores in one.by_city.items()),
        )
        for score in scores
    )


def show(evaluations: list[EmbeddingEvaluation], stream: TextIO) -> None:
    """Print the scores for people, with their signatures: all cities, then each of several."""
    first = evaluations[0]
    users = ", ".join(f"{count:,} of {city}" for city, count in first.users.items())
    _show_part(
        f"Users that no model was trained on: {users}",
        [(one.name, one.scores) for one in evaluations],
        stream,
        signed=True,
    )
    for city in first.by_city:
        known = [one.name for one in evaluations if city in (one.trained_on or ())]
        other = [
            one.name
            for one in evaluations
            if one.trained_on is not None and city not in one.trained_on
        ]
        said = [f"city of training: {', '.join(known)}"] if known else []
        said += [f"another city: {', '.join(other)}"] if other else []
        methods = [(one.name, one.by_city[city]) for one in evaluations]
        _show_part("; ".join([city, *said]), methods, stream, signed=False)


def _show_part(
    title: str, methods: list[tuple[str, list[TableScore]]], stream: TextIO, *, signed: bool
) -> None:
    """A table of re-identification and one of distances, as far as there are any."""
    for unit, what in (("", "re-identification"), ("km", "km")):
        chosen = [score for score in methods[0][1] if score.unit == unit]
        if not chosen:
            continue
        names = [one.name.removeprefix("reid_").removesuffix("_km") for one in chosen]
        rows = [
            (name, *(_cell(score) for score in scores if score.unit == unit))
            for name, scores in methods
            if unit or not all(np.isnan(score.value) for score in scores if not score.unit)
        ]
        caption = "\n".join(score.signature for score in chosen) if signed else None
        heads = ["method", *(name.replace("_", " ") for name in names)]
        said = f"{title}: {what} ({better(chosen[0].higher_is_better)} is better)"
        report.table(said, heads, rows, stream=stream, caption=caption)


def _cell(score: TableScore) -> str:
    if np.isnan(score.value):
        return "–"
    if score.unit != "km":
        return f"{score.value:.3f}"
    return f"{score.value:.2f} [{score.low:.2f}, {score.high:.2f}]"

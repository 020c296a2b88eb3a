"""Scores of day plans as people and programs read them: a table, JSON, or a score table."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TextIO

import polars as pl

from humobctl import __version__
from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.evaluate.cells.report import number, one_or_all
from humobctl.evaluate.plans.run import IntentionEvaluation, intent_durations
from humobctl.evaluate.score_table import names_of, score_table
from humobctl.native import Floats
from humobctl.tables.schemas import INTENTS


def as_json(evaluations: list[IntentionEvaluation]) -> str:
    """Scores of day plans: one object for one file, an array for several."""
    return one_or_all(map(_record, evaluations))


def _record(evaluation: IntentionEvaluation) -> dict[str, Any]:
    plans, truth = evaluation.plans, evaluation.truth
    lasting = intent_durations(plans, truth)
    return {
        "file": evaluation.name,
        "reference": evaluation.reference,
        "users": plans.users,
        "user_days": plans.user_days,
        "events": plans.events,
        "version": __version__,
        "scores": [
            {
                "metric": metric.name,
                "value": evaluation.value(metric),
                "higher_is_better": metric.higher_is_better,
                "signature": evaluation.signature(metric),
            }
            for metric in evaluation.metrics
        ],
        "per_intent": [
            {
                "intent": intent,
                "events": int(plans.intents[code]),
                "share": _share(plans.intents, code),
                "reference_events": int(truth.intents[code]),
                "reference_share": _share(truth.intents, code),
                "intent_duration": lasting.get(intent),
            }
            for code, intent in enumerate(INTENTS)
        ],
    }


def _share(counts: Floats, code: int) -> float | None:
    total = counts.sum()
    return float(counts[code] / total) if total else None


def as_table(evaluations: list[IntentionEvaluation]) -> pl.DataFrame:
    """The score table; rows with an intent have the durations of that intent alone."""
    rows: list[dict[str, Any]] = []
    for name, evaluation in zip(names_of(evaluations), evaluations, strict=True):
        rows += [
            {"file": name, "metric": m.column, "value": evaluation.value(m)}
            for m in evaluation.metrics
        ]
        if any(m.name == "intent_duration" for m in evaluation.metrics):
            lasting = intent_durations(evaluation.plans, evaluation.truth)
            rows += [
                {"file": name, "metric": "intent_duration", "value": value, "intent": intent}
                for intent, value in lasting.items()
            ]
    return score_table(rows)


def show(evaluations: list[IntentionEvaluation], stream: TextIO) -> None:
    """Print the scores of day plans for people, with their signatures."""
    first = evaluations[0]
    titles = [Path(e.name).name for e in evaluations]
    rows = [
        [metric.label, "lower", *(number(metric, e.value(metric)) for e in evaluations)]
        for metric in first.metrics
    ]
    counts = (
        f"{pluralize(first.plans.user_days, 'user-day')}, {pluralize(first.plans.events, 'event')}"
    )
    title = (f"{counts},", f"against {first.reference}")
    signatures = "\n".join(first.signature(m) for m in first.metrics)
    report.table(title, ["metric", "better", *titles], rows, stream=stream, caption=signatures)

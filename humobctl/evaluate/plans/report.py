"""Scores of day plans as people and programs read them: a table, JSON, or a score table."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TextIO

import polars as pl

from humobctl import __version__
from humobctl.console import report
from humobctl.evaluate.cells.report import number, one_or_all, scopes_of
from humobctl.evaluate.plans.run import IntentionEvaluation, intent_durations
from humobctl.native import Floats
from humobctl.tables.schemas import INTENTS, SCORES


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
    """The score table; ``intent=NAME`` in the scope stands for the durations of one intent."""
    rows: list[tuple[str, str, float]] = []
    for scope, evaluation in zip(scopes_of(evaluations), evaluations, strict=True):
        rows += [(scope, m.column, evaluation.value(m)) for m in evaluation.metrics]
        if any(m.name == "intent_duration" for m in evaluation.metrics):
            lasting = intent_durations(evaluation.plans, evaluation.truth)
            rows += [(f"{scope},intent={i}", "intent_duration", v) for i, v in lasting.items()]
    return pl.DataFrame(rows, schema=SCORES.dtypes, orient="row")


def show(evaluations: list[IntentionEvaluation], stream: TextIO) -> None:
    """Print the scores of day plans for people, with their signatures."""
    first = evaluations[0]
    titles = [Path(e.name).name for e in evaluations]
    rows = [
        [metric.label, "lower", *(number(metric, e.value(metric)) for e in evaluations)]
        for metric in first.metrics
    ]
    counts = f"{first.plans.user_days} user-days, {first.plans.events} events"
    title = (f"{counts},", f"against {first.reference}")
    signatures = "\n".join(first.signature(m) for m in first.metrics)
    report.table(title, ["metric", "better", *titles], rows, stream=stream, caption=signatures)

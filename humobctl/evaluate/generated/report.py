"""Scores of generated data as people and programs read them: a table, JSON, or a score table."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, TextIO

import polars as pl

from humobctl import __version__
from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.evaluate.cells.report import better, one_or_all
from humobctl.evaluate.generated.floor import DRAWS, Floor
from humobctl.evaluate.generated.run import GeneratedEvaluation, GeneratedScore, Side
from humobctl.evaluate.registry import GENERATED_NAMES
from humobctl.evaluate.score_table import names_of, or_null, score_table
from humobctl.tables.schemas import INTENTS


def as_json(evaluations: list[GeneratedEvaluation]) -> str:
    """Scores of generated data: one object for one file, an array for several."""
    return one_or_all(map(_record, evaluations))


def _record(evaluation: GeneratedEvaluation) -> dict[str, Any]:
    return {
        "file": evaluation.name,
        "reference": evaluation.real.name,
        "users": evaluation.generated.users,
        "user_days": evaluation.generated.user_days,
        "stays": evaluation.generated.stays,
        "stays_with_duration": evaluation.generated.timed,
        "reference_users": evaluation.real.users,
        "reference_user_days": evaluation.real.user_days,
        "reference_stays": evaluation.real.stays,
        "reference_stays_with_duration": evaluation.real.timed,
        "version": __version__,
        "scores": [_score_record(evaluation, score) for score in evaluation.scores],
        "per_intent": _per_intent(evaluation),
    }


def _score_record(evaluation: GeneratedEvaluation, score: GeneratedScore) -> dict[str, Any]:
    bins = evaluation.bins(score.metric)
    record: dict[str, Any] = {
        "metric": score.metric.name,
        "value": or_null(score.value),
        **_floor_record("floor", score.floor),
        "at_floor": score.at_floor,
        "wasserstein": score.wasserstein,
        **_floor_record("wasserstein_floor", score.wasserstein_floor),
        "unit": score.unit or None,
        "higher_is_better": score.metric.higher_is_better,
        "signature": evaluation.signature(score.metric),
    }
    if bins is not None:
        record["bins"] = {
            "from": bins.low,
            "width": bins.width,
            "count": bins.count,
            "open_end": bins.open_end,
        }
    return record


def _floor_record(name: str, floor: Floor | None) -> dict[str, float | None]:
    """Mean over the samples, and standard deviation."""
    return {
        name: None if floor is None else floor.mean,
        f"{name}_sd": None if floor is None else floor.spread,
    }


def _per_intent(evaluation: GeneratedEvaluation) -> list[dict[str, Any]]:
    """Nothing where a side has no intents."""
    ours, real = evaluation.generated, evaluation.real
    if not (any(ours.intents.values()) and any(real.intents.values())):
        return []
    return [
        {
            "intent": intent,
            "stays": ours.intents[intent],
            "share": _share(ours, intent),
            "reference_stays": real.intents[intent],
            "reference_share": _share(real, intent),
        }
        | {
            name: {"value": value, "wasserstein": apart}
            for name, (value, apart) in evaluation.of_intent(intent).items()
        }
        for intent in INTENTS
    ]


def _share(one: Side, intent: str) -> float:
    return one.intents[intent] / sum(one.intents.values())


def as_table(evaluations: list[GeneratedEvaluation]) -> pl.DataFrame:
    """The score table; rows with an intent have the scores of that intent alone.

    ``METRIC_floor``, ``METRIC_wasserstein``, ``METRIC_wasserstein_floor`` and the spread of both
    floors (``_sd``) stand beside METRIC.
    """
    rows: list[dict[str, Any]] = []
    for file, evaluation in zip(names_of(evaluations), evaluations, strict=True):
        for score in evaluation.scores:
            name = score.metric.column
            found = {
                name: score.value,
                **_floor_record(f"{name}_floor", score.floor),
                f"{name}_wasserstein": score.wasserstein,
                **_floor_record(f"{name}_wasserstein_floor", score.wasserstein_floor),
            }
            rows += [
                {"file": file, "metric": key, "value": value}
                for key, value in found.items()
                if value is not None
            ]
        for intent in INTENTS:
            for name, (value, apart) in evaluation.of_intent(intent).items():
                both = {name: value, f"{name}_wasserstein": apart}
                rows += [
                    {"file": file, "metric": key, "value": number, "intent": intent}
                    for key, number in both.items()
                    if number is not None
                ]
    return score_table(rows)


def show(evaluations: list[GeneratedEvaluation], stream: TextIO) -> None:
    """Print the scores for people: what each file is apart from the reference, and the floors."""
    first = evaluations[0]
    titles = [Path(e.name).name for e in evaluations] if len(evaluations) > 1 else [""]
    columns = ["metric"]
    columns += [f"{title} {what}".strip() for title in titles for what in ("JSD", "W1")]
    columns += ["floor JSD", "floor W1"]
    every = dict.fromkeys(s.metric.name for e in evaluations for s in e.scores)
    names = [name for name in every if name in GENERATED_NAMES]
    rows = [_row(name, evaluations) for name in names]
    sizes = [size(Path(e.name).name, e.generated) for e in evaluations]
    title = [*sizes, f"against {size(Path(first.real.name).name, first.real)}"]
    if first.real.users > 1:
        title.append(
            f"floor: {DRAWS} pairs of samples of the real people, mean ± deviation; * at the floor"
        )
    by_name = {s.metric.name: e.signature(s.metric) for e in evaluations[::-1] for s in e.scores}
    caption = "\n".join(by_name[name] for name in names)
    report.table(title, columns, rows, stream=stream, caption=caption)
    _show_extras([name for name in every if name not in names], evaluations, titles, stream)
    for evaluation in evaluations:
        _show_intents(evaluation, stream)


def size(name: str, one: Side) -> str:
    """How much a side of the comparison has."""
    return (
        f"{name}: {pluralize(one.users, 'user')}, {pluralize(one.user_days, 'user-day')}, "
        f"{pluralize(one.stays, 'stay')}"
    )


def _find(
    name: str, evaluations: list[GeneratedEvaluation]
) -> tuple[list[GeneratedScore | None], GeneratedScore]:
    """The score of a metric in each file, and the first that there is."""
    found = [next((s for s in e.scores if s.metric.name == name), None) for e in evaluations]
    return found, next(score for score in found if score is not None)


def _row(name: str, evaluations: list[GeneratedEvaluation]) -> list[str]:
    found, one = _find(name, evaluations)
    unit = f" {one.unit}" if one.unit else ""
    cells = [text for score in found for text in _texts(score, unit)]
    return [one.metric.label, *cells, _floor_text(one.floor), _floor_text(one.wasserstein_floor)]


def _texts(score: GeneratedScore | None, unit: str) -> tuple[str, str]:
    """Divergence, marked where it is at the floor, and Wasserstein distance of a file."""
    if score is None:
        return "", ""
    apart = number(score.wasserstein)
    divergence = number(score.value) + " *" * bool(score.at_floor)
    return divergence, f"{apart}{unit}" if apart else ""


def _floor_text(floor: Floor | None) -> str:
    """Mean and spread."""
    if floor is None:
        return ""
    spread = number(floor.spread)
    return f"{number(floor.mean)} ± {spread}" if spread else number(floor.mean)


def _show_extras(
    names: list[str], evaluations: list[GeneratedEvaluation], titles: list[str], stream: TextIO
) -> None:
    """Privacy and flows: values that are not divergences."""
    if not names:
        return
    rows = []
    for name in names:
        found, one = _find(name, evaluations)
        metric, values = one.metric, [number(s.value if s else None) for s in found]
        way = better(metric.higher_is_better)
        rows.append([metric.label, way, *values, _floor_text(one.floor), metric.unit])
    columns = ["metric", "better", *(f"{t} value".strip() for t in titles), "real people", "unit"]
    first = evaluations[0]
    caption = "\n".join(first.signature(s.metric) for s in first.scores if s.metric.name in names)
    report.table("privacy and flows", columns, rows, stream=stream, caption=caption)


def _show_intents(evaluation: GeneratedEvaluation, stream: TextIO) -> None:
    found = {intent: evaluation.of_intent(intent) for intent in INTENTS}
    names = list(dict.fromkeys(name for scores in found.values() for name in scores))
    if not names:
        return
    rows = [
        [
            intent,
            str(evaluation.generated.intents[intent]),
            str(evaluation.real.intents[intent]),
            *(number(value) for name in names for value in scores.get(name, (None, None))),
        ]
        for intent, scores in found.items()
        if evaluation.generated.intents[intent] or evaluation.real.intents[intent]
    ]
    columns = ["intent", "stays", "of the reference"]
    columns += [f"{name.replace('_', ' ')} {what}" for name in names for what in ("JSD", "W1")]
    report.table(f"{Path(evaluation.name).name} by intent", columns, rows, stream=stream)


def number(value: float | None) -> str:
    """A score in a table for people; nothing where there is none."""
    if value is None or math.isnan(value):
        return ""
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"

"""What a training of an embedder gained: scores of users held out, beside what only counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from humobctl.console import report
from humobctl.embed.embed import TrainedEmbedder
from humobctl.embed.score import method_of
from humobctl.evaluate.embedding.run import (
    TFIDF,
    CityPeople,
    baselines,
    evaluate_embeddings,
)
from humobctl.evaluate.scores import TableScore
from humobctl.native import Int64s

_NAMES = ("reid_top1", "home_km", "work_km", "next_day_km")
_WORDS = {
    "reid_top1_alternate": "found again",
    "home_km": "home",
    "work_km": "work",
    "next_day_km": "next day",
}
_BESIDE = ("median day", "most visited cell", TFIDF)
MOST_HELD = 100
"""Users of a city to score on, at most."""


def say_gained(
    trained: TrainedEmbedder, cities: Sequence[CityPeople], first_weekday: int, seed: int
) -> dict[str, Any]:
    """Say what ``eval embedding`` says of users held out; the scores for ``run.json``.

    Args:
        trained: the model.
        cities: records of users that it was neither trained nor validated on; of two at least.
        first_weekday: of day 0; 0 is Sunday.
        seed: of the probes and the intervals.
    """
    counted = baselines(first_weekday)
    methods = {"embedder": method_of(trained, first_weekday)}
    methods |= {name: counted[name] for name in _BESIDE}
    nobody: Int64s = trained.seen[0][:0]
    found = evaluate_embeddings(
        cities,
        [nobody] * len(cities),
        methods,
        _NAMES,
        first_weekday=first_weekday,
        seed=seed,
    )
    scores = {
        one.name: {
            score.name: score
            for score in one.scores
            if score.name in _WORDS and not math.isnan(score.value)
        }
        for one in found
    }
    report.info("users held out, scored as by 'eval embedding' (median km; fraction found again):")
    for name, mine in scores.items():
        parts = [_in_words(score) for score in mine.values()]
        report.info(f"  {name}: {', '.join(parts)}")
    _warn_of_better(scores)
    compared = {
        name: {
            key: {"value": one.value, "low": one.low, "high": one.high} for key, one in mine.items()
        }
        for name, mine in scores.items()
    }
    return {"compared": compared}


def _in_words(score: TableScore) -> str:
    form = ".1f" if score.unit else ".3f"
    value, low, high = (format(number, form) for number in (score.value, score.low, score.high))
    return f"{_WORDS[score.name]} {value} [{low}, {high}]"


def _warn_of_better(scores: dict[str, dict[str, TableScore]]) -> None:
    """Name what a baseline, which needs no training, tells better."""
    better = []
    for key, mine in scores["embedder"].items():
        sign = 1 if mine.higher_is_better else -1
        others = {name: sign * scores[name][key].value for name in _BESIDE if key in scores[name]}
        best = max(others, key=others.__getitem__)
        if others[best] > sign * mine.value:
            better.append(f"{_WORDS[key]} ({best})")
    if better:
        report.warn(f"what needs no training tells better: {', '.join(better)}")

"""How far scores move by seeds and by users: history and ranker on cities B and C, days 60-74."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.harness import DATA, WORK, cost, markdown
from benchmarks.prediction import PUBLISHED
from humobctl.evaluate.cells.bootstrap import compare
from humobctl.evaluate.cells.run import CellEvalSettings, Evaluation, Evaluator
from humobctl.evaluate.cells.seeds import pool_seeds

DECODER_SEEDS = 5
TRAINING_SEEDS = 3
COLUMNS = ["city", "model", "what varies", "GEO-BLEU humob24", "GEO-BLEU humob25"]
COLUMNS += ["DTW km humob24", "DTW km humob25", "accuracy", "distance km"]


def table() -> str:
    """Means, deviations and ranges over seeds, intervals over users and seeds; then differences."""
    ranker = WORK / "noise_ranker"
    cities = [DATA / "humob" / f"city{city}_challenge.csv.gz" for city in "BC"]
    seeds = ("--seeds", TRAINING_SEEDS, "--output", ranker, "--overwrite")
    cost("train", "ranker", *cities, *seeds)
    trained = [ranker / f"seed-{seed}" for seed in range(TRAINING_SEEDS)]
    rows: list[list[str]] = []
    pairs: list[list[str]] = []
    for city in "BC":
        history, own = _scored(city, ["history"]), _scored(city, trained)
        rows += _rows(city, "history", history) + _rows(city, "ranker of B and C", own)
        pairs += _differences(city, "history", history, own)
        for name, file in PUBLISHED.items():
            path = str(DATA / "humob" / f"city{city}_{file}.csv.gz")
            (published,) = _evaluations(city, [path])
            pairs += _differences(city, name, published, own)
    head = ["city", "ranker minus", "metric", "difference", "95 % interval", "verdict"]
    return markdown(COLUMNS, rows) + "\n\n" + markdown(head, pairs)


def _scored(city: str, models: list[str] | list[Path]) -> Evaluation:
    """Scores of all training seeds with all decoder seeds as one, in this order."""
    challenge, paths = DATA / "humob" / f"city{city}_challenge.csv.gz", []
    for model in map(str, models):
        name = f"noise_{city}_{model.replace(str(WORK), '').replace('/', '_')}"
        output = ("--seeds", DECODER_SEEDS, "--output", WORK / f"{name}.csv")
        cost("predict", challenge, "--model", model, *output)
        paths += [str(WORK / f"{name}.seed-{seed}.csv") for seed in range(DECODER_SEEDS)]
    (pooled,) = pool_seeds(_evaluations(city, paths))
    return pooled


def _evaluations(city: str, paths: list[str]) -> list[Evaluation]:
    truth = str(DATA / "humob" / f"city{city}_100users.csv.gz")
    evaluator = Evaluator(paths, truth, CellEvalSettings())
    for _ in evaluator.run():
        pass
    return evaluator.evaluations


def _rows(city: str, model: str, scored: Evaluation) -> list[list[str]]:
    digits = [2 if metric.unit == "km" else 4 for metric in scored.metrics]
    means = scored.values.mean(axis=1).reshape(-1, DECODER_SEEDS, len(digits))
    spread = [scored.spread[metric.column] for metric in scored.metrics]
    single = {"mean": means.mean(axis=(0, 1)), "sd over seeds": [one.sd for one in spread]}
    spans = {
        "users and seeds, 95 % interval": np.array([one[1:3] for one in spread]).T,
        f"decoder seed, {DECODER_SEEDS}": np.array([means[0].min(axis=0), means[0].max(axis=0)]),
    }
    if len(means) > 1:
        by_training = means.mean(axis=1)
        spans[f"training seed, {len(means)}"] = np.array(
            [by_training.min(axis=0), by_training.max(axis=0)]
        )
    rows = []
    for name, values in single.items():
        texts = [f"{v:.{d}f}" for v, d in zip(values, digits, strict=True)]
        rows.append([city, model, name, *texts])
    for name, (low, high) in spans.items():
        span = [f"{a:.{d}f} to {b:.{d}f}" for a, b, d in zip(low, high, digits, strict=True)]
        rows.append([city, model, name, *span])
    return rows


def _differences(city: str, name: str, other: Evaluation, mine: Evaluation) -> list[list[str]]:
    rows = []
    (pair,) = compare([other, mine])
    for d in pair.differences:
        verdict = {True: "better", False: "worse", None: "not decided"}[d.better]
        interval = f"{d.low:+.4f} to {d.high:+.4f}"
        rows.append([city, name, d.metric.label, f"{d.value:+.4f}", interval, verdict])
    return rows

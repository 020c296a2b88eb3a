"""How far scores move by seeds and by users: history and ranker on cities B and C, days 60-74."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from benchmarks.harness import DATA, WORK, cost, markdown
from benchmarks.prediction import PUBLISHED
from humobctl.evaluate.cells.bootstrap import compare, resampled_means
from humobctl.evaluate.cells.run import CellEvalSettings, Evaluation, Evaluator

DECODER_SEEDS = range(5)
TRAINING_SEEDS = range(3)
COLUMNS = ["city", "model", "what varies", "GEO-BLEU humob24", "GEO-BLEU humob25"]
COLUMNS += ["DTW km humob24", "DTW km humob25", "accuracy", "distance km"]


@dataclass
class Scored:
    """Scores of one model on one city.

    Attributes:
        values: of shape (training seeds, decoder seeds, users, metrics).
        evaluation: the users' scores, each the mean over all seeds.
    """

    values: np.ndarray
    evaluation: Evaluation


def table() -> str:
    """Means, ranges over seeds and intervals over users; then differences."""
    models = [WORK / f"noise_ranker_{seed}" for seed in TRAINING_SEEDS]
    for seed, model in zip(TRAINING_SEEDS, models, strict=True):
        cities = [DATA / "humob" / f"city{city}_challenge.csv.gz" for city in "BC"]
        cost("train", "ranker", *cities, "--seed", seed, "--output", model, "--overwrite")
    rows: list[list[str]] = []
    pairs: list[list[str]] = []
    for city in "BC":
        history = _scored(city, ["history"])
        ranker = _scored(city, list(map(str, models)))
        rows += _rows(city, "history", history) + _rows(city, "ranker of B and C", ranker)
        pairs += _differences(city, "history", history.evaluation, ranker.evaluation)
        for name, file in PUBLISHED.items():
            path = str(DATA / "humob" / f"city{city}_{file}.csv.gz")
            (published,) = _evaluations(city, [path])
            pairs += _differences(city, name, published, ranker.evaluation)
    head = ["city", "ranker minus", "metric", "difference", "95 % interval", "verdict"]
    return markdown(COLUMNS, rows) + "\n\n" + markdown(head, pairs)


def _scored(city: str, models: list[str]) -> Scored:
    paths = []
    for training, model in enumerate(models):
        for seed in DECODER_SEEDS:
            path = (
                WORK
                / f"noise_{city}_{'ranker' if len(models) > 1 else model}_{training}_{seed}.csv"
            )
            challenge = DATA / "humob" / f"city{city}_challenge.csv.gz"
            cost("predict", challenge, "--model", model, "--seed", seed, "--output", path)
            paths.append(str(path))
    evaluations = _evaluations(city, paths)
    columns = [metric.column for metric in evaluations[0].metrics]
    values = np.array([e.users.select(columns).to_numpy() for e in evaluations])
    means = pl.DataFrame(dict(zip(columns, values.mean(axis=0).T, strict=True)))
    users = evaluations[0].users.with_columns(means)
    shape = (len(models), len(DECODER_SEEDS), *values.shape[1:])
    return Scored(values.reshape(shape), replace(evaluations[0], users=users))


def _evaluations(city: str, paths: list[str]) -> list[Evaluation]:
    truth = str(DATA / "humob" / f"city{city}_100users.csv.gz")
    evaluator = Evaluator(paths, truth, CellEvalSettings())
    for _ in evaluator.run():
        pass
    return evaluator.evaluations


def _rows(city: str, model: str, scored: Scored) -> list[list[str]]:
    values, metrics = scored.values, scored.evaluation.metrics
    digits = [2 if metric.unit == "km" else 4 for metric in metrics]
    means = values.mean(axis=2)
    draws = resampled_means(values.mean(axis=(0, 1)), 2000, 0)
    spans = {
        "users, 95 % interval": np.quantile(draws, [0.025, 0.975], axis=0),
        "decoder seed, 5": np.array([means[0].min(axis=0), means[0].max(axis=0)]),
    }
    if len(values) > 1:
        by_training = means.mean(axis=1)
        spans["training seed, 3"] = np.array([by_training.min(axis=0), by_training.max(axis=0)])
    mean = [f"{v:.{d}f}" for v, d in zip(means.mean(axis=(0, 1)), digits, strict=True)]
    rows = [[city, model, "mean", *mean]]
    for name, (low, high) in spans.items():
        span = [f"{a:.{d}f} to {b:.{d}f}" for a, b, d in zip(low, high, digits, strict=True)]
        rows.append([city, model, name, *span])
    return rows


def _differences(city: str, name: str, other: Evaluation, mine: Evaluation) -> list[list[str]]:
    rows = []
    for d in compare([other, mine])[0].differences:
        verdict = {True: "better", False: "worse", None: "not decided"}[d.better]
        interval = f"{d.low:+.4f} to {d.high:+.4f}"
        rows.append([city, name, d.metric.label, f"{d.value:+.4f}", interval, verdict])
    return rows

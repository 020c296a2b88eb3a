"""The headline of the README: days 60-74 of cities B and C, by the commands alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.harness import DATA, WORK, Cost, cost, markdown
from benchmarks.prediction import PUBLISHED
from humobctl.evaluate.cells.bootstrap import RESAMPLES, resampled_means
from humobctl.native import Floats

SEEDS = range(5)
COLUMNS = ["city", "model", "GEO-BLEU humob24", "GEO-BLEU humob25", "DTW km humob24"]
COLUMNS += ["DTW km humob25", "cost a user"]
SCORES = {"geobleu_humob24": 4, "geobleu_humob25": 4, "dtw_humob24": 2, "dtw_humob25": 2}
"""Names of scores in the output of ``eval --per-user``, and decimals in the table."""
OURS = "humobctl, ranker"


def table() -> str:
    """Means over users with 95 % bootstrap intervals, and paired differences from the ranker."""
    rows = []
    for city in "BC":
        scores, costs = city_scores(city)
        for name, values in scores.items():
            rows.append([city, name, *score_cells(values), costs[name]])
        for name in PUBLISHED:
            difference = scores[OURS] - scores[name]
            rows.append([city, f"ranker minus {name}", *score_cells(difference, sign="+"), ""])
    return markdown(COLUMNS, rows) + "\n\nCity D is not here: nobody who develops has its data."


def city_scores(city: str) -> tuple[dict[str, Floats], dict[str, str]]:
    """Scores of each model, (users, metrics), and its cost; the ranker's are means over seeds."""
    challenge = DATA / "humob" / f"city{city}_challenge.csv.gz"
    folder = WORK / f"headline_{city}"
    spent = [cost("train", "ranker", challenge, "--output", folder, "--overwrite")]
    ours = []
    for seed in SEEDS:
        path = WORK / f"headline_{city}_{seed}.csv"
        spent.append(
            cost("predict", challenge, "--model", folder, "--seed", seed, "--output", path)
        )
        ours.append(per_user(city, path))
    scores = {OURS: np.mean(ours, axis=0)}
    costs = {OURS: _ours(spent, len(ours[0]))}
    for name, file in PUBLISHED.items():
        scores[name] = per_user(city, DATA / "humob" / f"city{city}_{file}.csv.gz")
        costs[name] = "not recorded"
    recorded = pl.read_csv(DATA / "humob" / f"city{city}_recorded_scores.csv")
    costs["Llama-3-8B-Mob"] = f"{recorded['llama_seconds'].mean():.0f} s of an RTX A6000"
    return scores, costs


def per_user(city: str, path: Path) -> Floats:
    """What ``eval --per-user`` says, (users, metrics)."""
    command = [sys.executable, "-m", "humobctl", "eval", path, "--per-user", "--format", "json"]
    command += ["--truth", DATA / "humob" / f"city{city}_100users.csv.gz"]
    command += ["--metric", "geobleu", "--metric", "dtw"]
    done = subprocess.run(list(map(str, command)), capture_output=True, check=True)
    users = json.loads(done.stdout)["per_user"]
    return np.array([[user[name] for name in SCORES] for user in users])


def score_cells(values: Floats, sign: str = "") -> list[str]:
    """Mean and 95 % interval of each metric."""
    low, high = np.quantile(resampled_means(values, RESAMPLES, seed=0), (0.025, 0.975), axis=0)
    return [
        f"{mean:{sign}.{n}f} [{a:{sign}.{n}f}, {b:{sign}.{n}f}]"
        for mean, a, b, n in zip(values.mean(axis=0), low, high, SCORES.values(), strict=True)
    ]


def _ours(spent: list[Cost], users: int) -> str:
    """Processor seconds a user: training, and one prediction."""
    train, *predict = (work.cpu_seconds / users for work in spent)
    return f"{train:.2f} s to train, {np.mean(predict):.2f} s to predict, of a CPU core"

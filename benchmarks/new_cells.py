"""Chance of cells new to a user: weights learnt on days 30-44, calibration on days 45-59."""

from __future__ import annotations

import numpy as np
import polars as pl

from benchmarks.harness import DATA, WORK, cost, markdown
from humobctl.io.by_user import UserStore, paired_groups
from humobctl.io.read import iter_table
from humobctl.predict.new_cells import FEATURES, new_cell_features
from humobctl.predict.registry import build
from humobctl.predict.run import PredictJob, Targets, survey, user_of
from humobctl.tables.cells import encode_cells


def table() -> str:
    """Weights for ``humobctl/predict/new_cells.py``, and expected calibration errors (10 bins)."""
    weights, errors = [], []
    for model in ("history", "ranker"):
        learnt, held = (_rows(model, first) for first in (30, 45))
        w = fit(learnt[0], learnt[3])
        weights.append([model, *(f"{value:.4f}" for value in w)])
        for days, (x, best, hit, new) in (("30-44, learnt on", learnt), ("45-59", held)):
            chance = 1.0 / (1.0 + np.exp(-x @ w))
            pair = (ece(best, hit), ece(best * (1.0 - chance), hit), ece(chance, new))
            errors.append([model, days, f"{new.mean():.3f}", *(f"{value:.4f}" for value in pair)])
    head = ["model", "days", "new", "ECE of p among own cells", "ECE of p", "ECE of new"]
    return markdown(["model", *FEATURES], weights) + "\n\n" + markdown(head, errors)


def _rows(model: str, first: int) -> tuple[np.ndarray, ...]:
    """Features, the likeliest cell's p, whether it is the true one, whether that one is new."""
    cities = [DATA / "humob" / f"city{city}_challenge.csv.gz" for city in "BC"]
    name, parts = model, []
    if model == "ranker":
        name = str(WORK / f"new_cells_{first}")
        cost("train", "ranker", *cities, "--to-day", first - 1, "--output", name, "--overwrite")
    job = PredictJob(name, targets=Targets((first, first + 14)))
    for path in map(str, cities):
        with UserStore() as store:
            store.collect(iter_table(path))
            city, _ = survey(store, job, path)
            predictor = build(name, city, job.options)
            for (group,) in paired_groups([store]):
                for rows in group.partition_by("uid", maintain_order=True):
                    user = user_of(rows, job.targets)
                    if not len(user.target_d) or not len(user.d):
                        continue
                    dist = predictor.distribution(user)
                    there = rows.filter(pl.col("d").is_between(first, first + 14))
                    x, y = (there[axis].to_numpy().astype(np.int64) for axis in "xy")
                    true, best = encode_cells(x, y), dist.p.max(axis=1)
                    chosen = dist.cells[dist.p.argmax(axis=1)].astype(np.int64)
                    hit = encode_cells(chosen[:, 0], chosen[:, 1]) == true
                    new = ~np.isin(true, encode_cells(user.x, user.y))
                    parts.append((new_cell_features(user, city, best), best, hit, new))
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def fit(x: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Weights of a logistic regression, by Newton's method."""
    w = np.zeros(x.shape[1])
    for _ in range(30):
        chance = 1.0 / (1.0 + np.exp(-x @ w))
        slope = x.T @ (chance - new) / len(x)
        bend = (x * (chance * (1.0 - chance))[:, None]).T @ x / len(x)
        w -= np.linalg.solve(bend + 1e-6 * np.eye(len(w)), slope)
    return w


def ece(p: np.ndarray, hit: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error, as ``eval`` of ranked candidates has it."""
    of = np.minimum((p * bins).astype(int), bins - 1)
    return float(np.abs(np.bincount(of, hit - p, bins)).sum() / len(p))

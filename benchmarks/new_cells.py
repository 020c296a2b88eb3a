"""Honest probabilities: calibration of users that were not learnt from, on later days.

Rankers are trained on half of the users of city B, with the days before those predicted, and
score the other half and city C; other models have nothing to train. ``NEW_CELLS_SPLITS`` sets how
many splits of B there are (2; each gives two rankers).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

import humobctl as hm
from benchmarks.harness import DATA, WORK, cost, markdown

BINS = 10
SPLITS = int(os.environ.get("NEW_CELLS_SPLITS", "2"))
MODELS = ("history", "slot-mode", "markov")
WINDOWS = (30, 45)
"""First days of 15: choices were made on the first, the second is reported."""


def table() -> str:
    """Expected calibration errors, their intervals over users, and what they are by chance."""
    rows = []
    for first in WINDOWS:
        days = f"{first}-{first + 14}"
        cities = {name: _city(name) for name in "BC"}
        for model in MODELS:
            rows += _by_city(model, model, cities, first)
        found: dict[str, list[pl.DataFrame]] = {"other users of B": [], "C": []}
        for others, model in _rankers(cities["B"], first):
            found["other users of B"].append(_records(model, others, first))
            found["C"].append(_records(model, cities["C"], first))
        for name, several in found.items():
            rows.append([f"ranker, {len(several)} of B", name, days, *_measure(several)])
        both = _train([cities["B"], cities["C"]], first, "both")
        rows += _by_city("ranker of B and C", both, cities, first)
    by_chance = ["by chance", "debiased"]
    head = ["model", "users", "days", "new", "ECE of p", *by_chance, "ECE of new", *by_chance]
    return markdown(head, rows)


def _by_city(
    title: str, model: str | Path, cities: dict[str, pl.DataFrame], first: int
) -> list[list[str]]:
    """A row a city, and one of both together."""
    found = {name: _records(model, city, first) for name, city in cities.items()}
    numbered = [
        one.with_columns(uid=pl.col("uid").cast(pl.Int64) + (number << 32))
        for number, one in enumerate(found.values())
    ]
    found["both"] = pl.concat(numbered)
    days = f"{first}-{first + 14}"
    return [[title, name, days, *_measure([one])] for name, one in found.items()]


def _city(name: str) -> pl.DataFrame:
    return hm.read(DATA / "humob" / f"city{name}_challenge.csv.gz").filter(pl.col("x") != 999)


def _rankers(city: pl.DataFrame, first: int) -> Iterator[tuple[pl.DataFrame, Path]]:
    """The users not learnt from, and the ranker, for each half of each split."""
    users = np.sort(city["uid"].unique().to_numpy())
    for split in range(SPLITS):
        order = np.random.default_rng(split).permutation(users)
        for half in range(2):
            inside = pl.col("uid").is_in(order[half::2].tolist())
            learnt, others = city.filter(inside), city.filter(~inside)
            yield others, _train([learnt], first, f"{split}_{half}", split * 2 + half)


def _train(cities: list[pl.DataFrame], first: int, name: str, seed: int = 0) -> Path:
    """A ranker of the days before ``first``."""
    folder = WORK / f"new_cells_{first}_{name}"
    paths = [folder.with_suffix(f".{number}.csv") for number in range(len(cities))]
    for path, city in zip(paths, cities, strict=True):
        city.write_csv(path)
    options = ("--to-day", first - 1, "--seed", seed, "--output", folder, "--overwrite")
    cost("train", "ranker", *paths, *map(str, options))
    return folder


def _records(model: str | Path, city: pl.DataFrame, first: int) -> pl.DataFrame:
    """Of each record: uid, p of the likeliest cell and whether it is the true one; the same of new.

    A cell is new that the user was not in before day ``first``.
    """
    place = WORK / "new_cells.parquet"
    hm.predict(city, model=model, top_k=1, from_day=first, to_day=first + 14, probabilities=place)
    key, cell = ["uid", "d", "t"], ["x", "y"]
    past = city.filter(pl.col("d") < first).select("uid", *cell).unique()
    listed = pl.read_parquet(place).join(past.with_columns(own=True), ["uid", *cell], "left")
    truth = city.join(past.with_columns(known=True), ["uid", *cell], "left")
    rows = listed.group_by(key).agg(
        q=pl.col("p").filter(pl.col("own").is_null()).sum(),
        best=pl.col("p").filter(pl.col("x").is_not_null()).max(),
        best_x=pl.col("x").drop_nulls().first(),
        best_y=pl.col("y").drop_nulls().first(),
    )
    found = rows.join(truth, key).filter(pl.col("uid").is_in(past["uid"].implode()))
    hit = (pl.col("best_x") == pl.col("x")) & (pl.col("best_y") == pl.col("y"))
    return found.select("uid", "best", "q", hit=hit, new=pl.col("known").is_null()).sort("uid")


def _measure(several: list[pl.DataFrame]) -> list[str]:
    """Fraction of new cells, then of p and of new: ECE with its interval, and by chance alone."""
    found = [f"{np.mean([one['new'].mean() for one in several]):.3f}"]
    for p, true in (("best", "hit"), ("q", "new")):
        values = [_calibration(one, p, true) for one in several]
        error, low, high, *rest = (np.mean(column) for column in zip(*values, strict=True))
        found += [f"{error:.4f} [{low:.4f}, {high:.4f}]", *(f"{value:.4f}" for value in rest)]
    return found


def _calibration(rows: pl.DataFrame, p: str, true: str) -> tuple[float, ...]:
    """ECE, its 95 % interval over users, that of a calibrated model with these users, and debiased.

    By chance: each user's differences with a random sign, after their mean over users is taken off:
    records of a user go wrong together, so that it is far from 0 with a hundred users. Debiased:
    less what resampling users adds to it on average (as Kumar et al., NeurIPS 2019, with labels).
    """
    bins = np.minimum((rows[p].to_numpy() * BINS).astype(int), BINS - 1)
    user = rows["uid"].rle_id().to_numpy()
    miss = np.zeros((int(user.max()) + 1, BINS))
    np.add.at(miss, (user, bins), rows[true].to_numpy() - rows[p].to_numpy())
    many = np.bincount(user)
    random = np.random.default_rng(0)
    drawn = random.integers(len(miss), size=(1000, len(miss)))
    resampled = np.abs(miss[drawn].sum(axis=1)).sum(axis=1) / many[drawn].sum(axis=1)
    signs = random.choice([-1.0, 1.0], (1000, len(miss)))
    chance = np.abs(signs @ (miss - miss.mean(axis=0))).sum(axis=1) / len(rows)
    error = np.abs(miss.sum(axis=0)).sum() / len(rows)
    low, high = np.quantile(resampled, [0.025, 0.975])
    debiased = max(0.0, 2.0 * error - resampled.mean())
    return float(error), float(low), float(high), float(chance.mean()), float(debiased)

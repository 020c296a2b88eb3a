"""Do nearest neighbours in another city share routines? Cities B and C, days before 60.

Vectors are of a user's even days; what is compared are routines of the odd days, of the user and of
the neighbour in the other city. Correlations are over users, but for "hours": of each pair's
fractions at home and at work by hour, less the mean of all users.
"""

from __future__ import annotations

import os

import numpy as np
import polars as pl

from benchmarks.borrowed import embedder
from benchmarks.harness import DATA, markdown
from benchmarks.trainings import SEEDS
from humobctl.embed.embed import load_embedder
from humobctl.embed.routine import describe_routines, measure_hours, measure_ways
from humobctl.embed.score import method_of
from humobctl.evaluate.embedding.metrics import CityRecords, slot_histograms
from humobctl.evaluate.embedding.run import CityPeople, records_of
from humobctl.io.read import read_table
from humobctl.native import Floats, Int64s

PAIRS = (("B", "C"), ("C", "B"))
MEASURES = {"radius": 0, "home to work": 1, "entropy": 3, "cells a record": 5, "cells a day": 6}
RESAMPLES = int(os.environ.get("RESAMPLES", "500"))
Cities = dict[str, CityRecords]
Vectors = dict[str, Floats]


def halves(name: str) -> tuple[CityRecords, CityRecords]:
    """Records of the even and of the odd days on which each user is seen."""
    rows = read_table(str(DATA / "humob" / f"city{name}_challenge.csv.gz"))
    rows = rows.filter((pl.col("x") != 999) & (pl.col("d") < 60)).sort("uid", "d", "t")
    fresh = (pl.col("d") != pl.col("d").shift(1)).fill_null(value=True)
    day = rows.select(fresh.cum_sum().over("uid")).to_series()
    return records_of(rows.filter(day % 2 == 0), 0), records_of(rows.filter(day % 2 == 1), 0)


def table() -> str:
    """Agreement of routines by how the neighbour was found, with 95 % intervals over users."""
    even: Cities = {}
    odd: Cities = {}
    for name in "BC":
        even[name], odd[name] = halves(name)
    truth = {name: (measure_hours(one), measure_ways(one)) for name, one in odd.items()}
    own = {name: (measure_hours(one), measure_ways(one)) for name, one in even.items()}
    whole: dict[str, list[Vectors]] = {
        "embed --place-free": [{name: describe_routines(one) for name, one in even.items()}],
        "slot histograms": [{name: slot_histograms(one, parts(one)) for name, one in even.items()}],
        "embedder, 512 numbers": [vectors_of(seed, even) for seed in SEEDS],
    }
    rows = [row(title, truth, [_nearest(one) for one in ways]) for title, ways in whole.items()]
    random = np.random.default_rng(0)
    drawn = [
        {a: random.integers(0, len(odd[b].uid), len(odd[a].uid)) for a, b in PAIRS}
        for _ in range(20)
    ]
    rows.append(row("a user drawn at random", truth, drawn))
    rows.append(_own(truth, own))
    return markdown(["neighbour by", "hours", *MEASURES], rows)


def parts(people: CityRecords) -> list[Int64s]:
    """Each user's rows."""
    return [people.rows_of(user) for user in range(len(people.uid))]


def vectors_of(seed: int, cities: Cities) -> Vectors:
    """Whole vectors by an embedder of that seed."""
    trained = load_embedder(str(embedder(seed)), "cpu")
    found = {}
    for name, one in cities.items():
        found[name] = method_of(trained, 0)(CityPeople(name, "", pl.DataFrame()))(one, parts(one))
    return found


def _nearest(vectors: Vectors) -> dict[str, Int64s]:
    """The neighbour of each user in the other city, by cosine."""
    unit = {name: one / np.linalg.norm(one, axis=1, keepdims=True) for name, one in vectors.items()}
    return {a: (unit[a] @ unit[b].T).argmax(axis=1) for a, b in PAIRS}


def row(
    title: str, truth: dict[str, tuple[Floats, Floats]], ways: list[dict[str, Int64s]]
) -> list[str]:
    """Agreement with neighbours, a mean over ways (seeds), and its interval over users."""
    pairs = [
        (truth[a][0], truth[b][0][way[a]], truth[a][1], truth[b][1][way[a]])
        for way in ways
        for a, b in PAIRS
    ]
    middle = np.concatenate([truth["B"][0], truth["C"][0]]).mean(axis=0)
    return [title, *_texts(pairs, middle)]


def _own(
    truth: dict[str, tuple[Floats, Floats]], own: dict[str, tuple[Floats, Floats]]
) -> list[str]:
    pairs = [(truth[name][0], own[name][0], truth[name][1], own[name][1]) for name in "BC"]
    middle = np.concatenate([truth["B"][0], truth["C"][0]]).mean(axis=0)
    return ["the user's own even days (ceiling)", *_texts(pairs, middle)]


def _texts(pairs: list[tuple[Floats, Floats, Floats, Floats]], middle: Floats) -> list[str]:
    values = _agree(pairs, middle, [np.arange(len(one[0])) for one in pairs])
    random = np.random.default_rng(0)
    drawn = np.array(
        [
            _agree(pairs, middle, [random.integers(0, len(one[0]), len(one[0])) for one in pairs])
            for _ in range(RESAMPLES)
        ]
    )
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    spans = zip(values, low, high, strict=True)
    return [f"{value:.2f} [{below:.2f}, {above:.2f}]" for value, below, above in spans]


def _agree(
    pairs: list[tuple[Floats, Floats, Floats, Floats]], middle: Floats, which: list[Int64s]
) -> Floats:
    found = []
    for (mine, theirs, ways, other), users in zip(pairs, which, strict=True):
        a, b = mine[users] - middle, theirs[users] - middle
        a, b = (one - one.mean(axis=1, keepdims=True) for one in (a, b))
        hours = (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
        columns = [
            np.corrcoef(ways[users, number], other[users, number])[0, 1]
            for number in MEASURES.values()
        ]
        found.append([hours.mean(), *columns])
    return np.mean(found, axis=0)

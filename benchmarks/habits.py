"""How much the days of a person are alike, in real stays and in plans of weeks."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.harness import DATA, WORK, markdown, peak
from benchmarks.planning import PROFILES
from benchmarks.trainings import SEEDS, span
from humobctl.evaluate.divergence import jsd
from humobctl.intend.backends.base import BackendSettings
from humobctl.intend.planner.run import Planner
from humobctl.intend.population import read_population
from humobctl.native import Bools, Floats

States = NDArray[np.int8]
"""What each user does by half hour, (users, days, 48): home, work, elsewhere, or not seen."""
UNSEEN, ELSEWHERE, AT_HOME, AT_WORK = -1, 0, 1, 2
DAYS, PEOPLE = 60, 400
NEAR_KM = 0.8
"""A stay so near to home counts as one there: cells of 500 m part what a fix does not."""
LEAST_PAIRS = 3
GRID = ("--grid", "500m@40,-30,200x200", "--axes", "east,north", "--start-date", "2024-03-03")
CELLS = {f"HuMob 2024, {c}": DATA / "humob" / f"city{c}_100users.csv.gz" for c in "BC"}
POINTS = {
    "GeoLife": DATA / "geolife" / "geolife_sample.txt.gz",
    "New York, check-ins": DATA / "foursquare-nyc" / "checkins.parquet",
}
LEAST_SEEN = dict.fromkeys(CELLS, 6) | {"GeoLife": 2, "New York, check-ins": 1}
"""Half hours seen on both days of a pair."""


class Likeness(NamedTuple):
    """Shares of half hours alike: two days of a user, of others, on the same day of the week."""

    within: float
    between: float
    weekday: float
    users: Floats


def habits() -> str:
    """Days of a person in real stays and in plans: alike within a person, and between persons.

    Plans are looked at through the eyes of the data: at the half hours at which a real user was
    seen on that day.
    """
    rows = []
    population = read_population(str(PROFILES), count=PEOPLE)
    people = next(iter(population.batches(PEOPLE)))
    for name, source in {**CELLS, **POINTS}.items():
        real, first = _real(name, source)
        plans = {
            title: [
                _states(pl.concat(list(Planner(_settings(first, on, seed)).tables(people))), DAYS)
                for seed in SEEDS
            ]
            for title, on in (("plans, days anew", False), ("plans with habits", True))
        }
        seen = real[np.arange(PEOPLE) % len(real), :DAYS] != UNSEEN
        for off in (False, True):
            days = np.isin((first + np.arange(real.shape[1])) % 7, (0, 6)) == off
            truth = _alike(real[:, days], days, LEAST_SEEN[name])
            rows.append([name, "days off" if off else "working days", "real", *_cells([truth])])
            for title, several in plans.items():
                shown = [np.where(seen, one, UNSEEN)[:, days[:DAYS]] for one in several]
                found = [_alike(one, days[:DAYS], LEAST_SEEN[name]) for one in shown]
                divergence = span([jsd(one.users, truth.users) for one in found], 3)
                rows.append(["", "", title, *_cells(found), divergence])
    columns = ["within a person", "between persons", "excess", "same weekday", "JSD of persons"]
    return markdown(["data", "days", "", *columns], [[*row, ""][:8] for row in rows])


def _settings(weekday: int, on: bool, seed: int) -> BackendSettings:
    return BackendSettings(days=DAYS, weekday=weekday, habits=on, seed=seed)


def _cells(found: list[Likeness]) -> list[str]:
    """Of seeds, mean and range."""
    columns = [
        (one.within, one.between, (one.within - one.between) / (1 - one.between), one.weekday)
        for one in found
    ]
    return [span(values, 3) for values in zip(*columns, strict=True)]


def _real(name: str, source: Path) -> tuple[States, int]:
    """What the users of a data set do, and the day of the week of day 0."""
    visits, points = (WORK / f"habits_{what}.parquet" for what in ("visits", "points"))
    if name in CELLS:
        peak("data", "stays", source, *GRID, "-o", visits)
    else:
        peak("data", "import", source, "-o", points)
        peak("data", "stays", points, "-o", visits)
    table = pl.read_parquet(visits)
    began, d = table.select("started_at", "d").row(0)
    known = table.group_by("uid").agg(
        pl.col("intent").filter(pl.col("intent") == intent).len().alias(intent)
        for intent in ("go home", "go to work")
    )
    with_both = known.filter(pl.col("go home") > 0, pl.col("go to work") > 0)["uid"]
    table = table.filter(pl.col("uid").is_in(with_both.implode()))
    return _states(_near(table), int(table["d"].max()) + 1), (began.isoweekday() - d) % 7


def _near(table: pl.DataFrame) -> pl.DataFrame:
    """Stays, those near home or work with that intent."""
    intent = pl.col("intent")
    for name in ("go to work", "go home"):
        at = [pl.col(c).filter(intent == name).median().over("uid") for c in ("lat", "lon")]
        east = (pl.col("lon") - at[1]) * 111.2 * (at[0] * np.pi / 180).cos()
        away = (((pl.col("lat") - at[0]) * 111.2) ** 2 + east**2).sqrt()
        table = table.with_columns(
            pl.when(away < NEAR_KM).then(pl.lit(name)).otherwise(intent).alias(f"near {name}")
        )
    home, work = (pl.col(f"near {name}") for name in ("go home", "go to work"))
    return table.with_columns(intent=pl.when(home == "go home").then(home).otherwise(work))


def _states(table: pl.DataFrame, days: int) -> States:
    code = (
        pl.when(pl.col("intent").is_in(["go home", "go to sleep"]))
        .then(AT_HOME)
        .when(pl.col("intent") == "go to work")
        .then(AT_WORK)
        .otherwise(ELSEWHERE)
    )
    user = pl.col("uid").rank("dense").cast(pl.Int64) - 1
    found = table.select(user, pl.col("d"), code.alias("code"), "start_min", "end_min")
    minutes = np.full((table["uid"].n_unique(), days, 1440), UNSEEN, np.int8)
    for uid, d, state, start, end in found.filter(pl.col("d") < days).iter_rows():
        minutes[uid, d, int(start) : max(int(end), int(start) + 1)] = state
    halves = minutes.reshape(*minutes.shape[:2], 48, 30)
    counts = np.stack([(halves == s).sum(-1) for s in (ELSEWHERE, AT_HOME, AT_WORK)], -1)
    states: States = np.where(counts.any(-1), counts.argmax(-1), UNSEEN).astype(np.int8)
    return states


def _alike(states: States, chosen: Bools, least: int) -> Likeness:
    """How alike days are.

    Args:
        states: of some days.
        chosen: which of all days these are.
        least: half hours seen on both days of a pair.
    """
    weekday = np.flatnonzero(chosen) % 7
    first, second = np.triu_indices(len(weekday), 1)
    same = weekday[first] == weekday[second]
    own = [(_pairs(u[first], u[second], least), same) for u in states]
    own = [(share, of) for share, of in own if np.isfinite(share).sum() >= LEAST_PAIRS]
    means = np.array([np.nanmean(share) for share, _ in own])
    weekly = [np.nanmean(s[of]) for s, of in own if np.isfinite(s[of]).any()]
    rng = np.random.default_rng(0)
    one, other = rng.integers(len(states), size=(2, 40_000))
    d, e = rng.integers(len(weekday), size=(2, 40_000))
    apart = one != other
    between = _pairs(states[one[apart], d[apart]], states[other[apart], e[apart]], least)
    users = np.histogram(means, np.linspace(0, 1.0001, 11))[0].astype(float)
    return Likeness(float(means.mean()), float(np.nanmean(between)), float(np.mean(weekly)), users)


def _pairs(one: States, other: States, least: int) -> Floats:
    both = (one != UNSEEN) & (other != UNSEEN)
    seen, alike = both.sum(-1), ((one == other) & both).sum(-1)
    share: Floats = np.where(seen >= least, alike / np.maximum(seen, 1), np.nan)
    return share

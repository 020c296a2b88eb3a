"""``generate gravity``: how fast it is, and how near its days are to real ones."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.copb_gravity import AT_HOME, QueryAndLoop, Scan
from benchmarks.harness import DATA, WORK, markdown, peak
from humobctl.data.schemas import INTENTS
from humobctl.metrics.divergence import jsd
from humobctl.models.gravity.config import LAWS, Law
from humobctl.models.gravity.homes import Dwellings
from humobctl.models.gravity.places import City, read_city
from humobctl.models.gravity.run import Job

PLACES = 200_000
BEIJING = DATA / "beijing"
PROFILES = BEIJING / "profiles.csv"
COUNTS = (10_000, 100_000, 1_000_000)
SHARES = np.array([1, 3, 4, 1, 0.3, 1.5, 0.8, 4, 0.7, 0.4])
"""Of places by intent: work, eat, shopping and so on."""
PEOPLE = 5_000
"""People that are planned for each score; the real data have 5,469."""


def synthetic_places() -> Path:
    """200,000 places in a clustered city of 44 km by 44 km."""
    path = WORK / "places.parquet"
    if not path.exists():
        WORK.mkdir(exist_ok=True)
        rng = np.random.default_rng(1)
        centres = rng.normal(0, 9, (300, 2))
        points = centres[rng.integers(0, 300, PLACES)] + rng.normal(0, 1.2, (PLACES, 2))
        east, north = np.clip(points, -22, 22).T
        intents = [name for name in INTENTS if name not in AT_HOME]
        pl.DataFrame(
            {
                "place_id": [f"p{i}" for i in range(PLACES)],
                "intent": rng.choice(intents, PLACES, p=SHARES / SHARES.sum()),
                "lat": 39.9 + north / 111.2,
                "lon": 116.4 + east / (111.2 * np.cos(np.radians(39.9))),
            }
        ).write_parquet(path)
    return path


def plans_of(count: int) -> Path:
    """Day plans by the planner."""
    path = WORK / f"gravity_plans_{count}.parquet"
    if not path.exists():
        peak("intend", PROFILES, "--count", count, "--output", path)
    return path


def in_memory(city: City, plans: pl.DataFrame, law: Law) -> tuple[float, float]:
    """Person-days a second, by the clock and by the seconds of all cores."""
    job = Job(city, Dwellings(city), law)
    clock, cores = time.perf_counter(), time.process_time()
    for _ in job.run([plans]):
        pass
    days = job.tally.days
    return days / (time.perf_counter() - clock), days / (time.process_time() - cores)


def speed() -> str:
    """The laws in memory, then what others do with the same places and plans."""
    city = read_city(str(synthetic_places()))
    plans = pl.read_parquet(plans_of(100_000))
    rows = []
    for name in LAWS:
        found = max(in_memory(city, plans, Law(name)) for _ in range(3))
        rows.append([f"`{name}`, in memory", *(f"{rate:,.0f}" for rate in found), ""])
        if name == "gravity":
            ours = found
    for name, way, people in (
        ("the original's way: a query and a Python loop for each event", QueryAndLoop(city), 40),
        ("numpy over the whole category for each event", Scan(city), 1000),
    ):
        some = plans.filter(pl.col("uid") < people)
        clock, cores = time.perf_counter(), time.process_time()
        way.days(some)
        clock, cores = time.perf_counter() - clock, time.process_time() - cores
        ratio = f"{ours[0] / (people / clock):,.0f}"
        rows.append([name, f"{people / clock:,.1f}", f"{people / cores:,.1f}", ratio])
    head = f"{PLACES:,} places, load {os.getloadavg()[0]:.1f} when it ended.\n\n"
    columns = ["", "person-days a second", "a core-second", "`gravity` is so many times as fast"]
    return head + markdown(columns, rows)


def processes() -> str:
    """Whole processes, with start-up, reading and writing Parquet."""
    rows = []
    for count in COUNTS:
        target = WORK / "visits.parquet"
        files = (plans_of(count), "--places", synthetic_places(), "--output", target)
        before = _core_seconds()
        seconds, megabytes = peak("generate", "gravity", *files)
        cores, rate = _core_seconds() - before, f"{count / seconds:,.0f}"
        rows.append([f"{count:,}", f"{seconds:.1f}", f"{cores:.1f}", rate, f"{megabytes:.0f}"])
        target.unlink()
    head = f"{PLACES:,} places, load {os.getloadavg()[0]:.1f} when it ended.\n\n"
    return head + markdown(["person-days", "seconds", "core-seconds", "a second", "peak MB"], rows)


def _core_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# -- scores -------------------------------------------------------------------------------------


def scores() -> str:
    """JSD in nats of days in Beijing by law, against real ones."""
    stays = pl.read_parquet(BEIJING / "stays.parquet")
    places = WORK / "beijing_places.parquet"
    stays.group_by("place_id").agg(pl.first("lat", "lon")).sort("place_id").with_columns(
        pl.col("place_id").cast(pl.String)
    ).write_parquet(places)
    people = pl.col("uid").rank("dense") % 2 == 0
    real, halves = shapes(stays), [shapes(stays.filter(people)), shapes(stays.filter(~people))]
    rows = [["real people, halves", *_apart(halves[0], halves[1])]]
    stays.filter(people).write_parquet(WORK / "beijing_fit.parquet")
    runs = [(f"`{name}`", ("--law", name)) for name in LAWS]
    for name in ("gravity", "epr"):
        option = ("--law", name, "--fit", WORK / "beijing_fit.parquet")
        runs.append((f"`{name}`, fitted on one half, scored on the other", option))
    for name, options in runs:
        target = WORK / "beijing_visits.parquet"
        files = ("--places", places, "--home-work", BEIJING / "home_work.parquet", "-o", target)
        peak("generate", "gravity", plans_of(PEOPLE), *files, *options)
        rows.append([name, *_apart(shapes(pl.read_parquet(target)), _truth(name, real, halves))])
    columns = ["days", "jump distance", "radius of gyration", "stay duration", "places a day"]
    return markdown(columns, rows)


def _truth(name: str, real: dict, halves: list[dict]) -> dict:
    return halves[1] if "fitted" in name else real


def _apart(first: dict, second: dict) -> list[str]:
    return [f"{jsd(first[name], second[name]):.4f}" for name in first]


def shapes(frame: pl.DataFrame) -> dict[str, np.ndarray]:
    """Histograms: km by 50 bins of 600 m, the last open; minutes by 10; distinct places a day."""
    frame = frame.with_columns(
        x=pl.col("lon") * 111.195 * np.cos(np.radians(39.93)), y=pl.col("lat") * 111.195
    )
    same = pl.col("uid") == pl.col("uid").shift()
    jump = ((pl.col("x").diff() ** 2 + pl.col("y").diff() ** 2).sqrt()).filter(same)
    days = frame.group_by("uid").agg(
        radius=(pl.col("x").var(ddof=0) + pl.col("y").var(ddof=0)).sqrt(),
        places=pl.n_unique("place_id"),
    )
    km = np.append(np.arange(50) * 0.6, np.inf)
    minutes = frame["end_min"] - frame["start_min"]
    return {
        "jump": np.histogram(frame.select(jump).to_series().to_numpy(), km)[0],
        "radius": np.histogram(days["radius"].to_numpy(), km)[0],
        "duration": np.histogram(minutes.to_numpy(), np.arange(0, 1441, 10))[0],
        "places": np.bincount(days["places"].to_numpy(), minlength=30)[:30],
    }

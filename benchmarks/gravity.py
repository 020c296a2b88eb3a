"""``generate gravity``: how fast it is, and how near its days are to real ones."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import time
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.copb_gravity import AT_HOME, QueryAndLoop, Scan
from benchmarks.harness import DATA, WORK, markdown, peak
from humobctl.generate.gravity.config import LAWS, Law
from humobctl.generate.gravity.homes import HomesAndWorks
from humobctl.generate.gravity.places import PlaceIndex, read_city
from humobctl.generate.gravity.run import GravityJob
from humobctl.tables.schemas import INTENTS

PLACES = 200_000
BEIJING = DATA / "beijing"
STAYS = BEIJING / "stays.parquet"
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


def in_memory(city: PlaceIndex, plans: pl.DataFrame, law: Law) -> tuple[float, float]:
    """Person-days a second, by the clock and by the seconds of all cores."""
    job = GravityJob(city, HomesAndWorks(city), law)
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


METRICS = ("jump_distance", "radius", "duration", "daily_loc", "start", "periodicity", "irank")


def _beijing_halves() -> tuple[Path, Path, Path]:
    """The places of all stays in Beijing, and the stays of one half and of the other."""
    places, half, other = (WORK / f"beijing_{name}.parquet" for name in ("places", "fit", "test"))
    peak("data", "import", STAYS, "--as", "places", "-o", places)
    table = pl.read_parquet(STAYS)
    people = pl.col("uid").rank("dense") % 2 == 0
    table.filter(people).write_parquet(half)
    table.filter(~people).write_parquet(other)
    return places, half, other


def scores() -> str:
    """`data import`, `intend`, `generate gravity` and `eval`: days in Beijing against real ones."""
    places, half, other = _beijing_halves()
    runs = [(f"`{name}`", ("--law", name), STAYS) for name in LAWS]
    for name in ("gravity", "epr"):
        options = ("--law", name, "--fit", half)
        runs.append((f"`{name}`, fitted on one half, scored on the other", options, other))
    found, pairs = [], ("--home-work", BEIJING / "home_work.parquet")
    for name, options, truth in runs:
        target = WORK / "beijing_visits.parquet"
        files = ("--places", places, *pairs, "-o", target)
        peak("generate", "gravity", plans_of(PEOPLE), *files, *options)
        scored = {least: _evaluated(target, truth, least) for least in (1, 3)}
        found += [[name, str(least), *_values(one, "value")] for least, one in scored.items()]
    floor = _values(_evaluated(target, STAYS, 1), "floor")
    rows = [["floor", "1", *floor], *sorted(found, key=lambda row: row[1])]
    return markdown(["days", "least stays", *(name.replace("_", " ") for name in METRICS)], rows)


SEEDS = (1, 2, 3, 4, 5)
HALF = ("jump_distance", "radius", "daily_loc", "periodicity")


def half_scores() -> str:
    """Laws fitted to half of the people of Beijing, scored on the other half, five seeds."""
    places, half, other = _beijing_halves()
    pairs = ("--home-work", BEIJING / "home_work.parquet")
    rows, target = [], WORK / "beijing_visits.parquet"
    for law in ("empirical", "gravity"):
        for name, given in (("drawn", ()), ("real pairs", pairs)):
            options = ("--law", law, "--fit", half, *given, "--places", places)
            found: dict[int, list[dict[str, dict]]] = {1: [], 3: []}
            for seed in SEEDS:
                plans, last = plans_of(PEOPLE), ("--seed", str(seed), "-o", target)
                peak("generate", "gravity", plans, *options, *last)
                for least, scores in found.items():
                    scores.append(_evaluated(target, other, least))
            for least, scores in found.items():
                means = [_spread([one[metric]["value"] for one in scores]) for metric in HALF]
                rows.append([f"`{law}`", name, str(least), *means])
    floor = _evaluated(target, other, 1)
    text = (f"{floor[name]['floor']:.4f} ± {floor[name]['floor_sd']:.4f}" for name in HALF)
    rows.append(["floor", "", "1", *text])
    names = [name.replace("_", " ") for name in HALF]
    return markdown(["law, fitted on one half", "homes and works", "least stays", *names], rows)


FAMILY = {
    "DensityEPR": "d-EPR",
    "SpatialEPR": "s-EPR",
    "Ditras": "DITRAS",
    "STS_epr": "STS-EPR",
    "GeoSim": "GeoSim",
}
"""Models of fastmob, and what the field calls them."""


def epr_family() -> str:
    """Models of fastmob, given one half of the people of Beijing, scored on the other."""
    python = os.environ.get("FASTMOB_PYTHON")
    if python is None:
        return "left out: FASTMOB_PYTHON names no Python that has fastmob (epr_family.py)"
    places, half, other = _beijing_halves()
    job = {"places": str(places), "stays": str(half), "people": PEOPLE, "folder": str(WORK)}
    found: dict[tuple[str, int], list[dict[str, dict]]] = {}
    took: dict[str, list[float]] = {}
    for seed in SEEDS[:3]:
        job |= {"seed": seed, "models": list(FAMILY)}
        script = str(Path(__file__).with_name("epr_family.py"))
        done = subprocess.run(
            [python, script],
            input=json.dumps(job).encode(),
            stdout=subprocess.PIPE,
            check=True,
        )
        for model, seconds in json.loads(done.stdout).items():
            took.setdefault(model, []).append(seconds)
            for least in (1, 3):
                scored = _evaluated(WORK / f"{model}.parquet", other, least)
                found.setdefault((model, least), []).append(scored)
    rows = []
    for (model, least), scores in sorted(found.items(), key=lambda item: item[0][1]):
        means = [_spread([one[name]["value"] for one in scores]) for name in METRICS]
        rows.append([FAMILY[model], str(least), *means, f"{np.mean(took[model]):.0f}"])
    names = [name.replace("_", " ") for name in METRICS]
    return markdown(["model", "least stays", *names, "seconds"], rows)


def _spread(values: list[float]) -> str:
    return f"{np.mean(values):.4f} ({min(values):.4f}-{max(values):.4f})"


def _evaluated(visits: Path, truth: Path, least: int) -> dict[str, dict]:
    """The scores by metric, as `eval` writes them."""
    target = WORK / "beijing_scores.json"
    peak("eval", visits, "--truth", truth, "--min-events", str(least), "-o", target)
    return {score["metric"]: score for score in json.loads(target.read_text())["scores"]}


def _values(found: dict[str, dict], which: str) -> list[str]:
    return [f"{found[name][which]:.4f}" for name in METRICS]

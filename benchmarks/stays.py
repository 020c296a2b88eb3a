"""Stays, locations and trips in points: the same as the field's tools find, and how much sooner.

Whole processes on one file, in turn: humobctl's command, and a script of the other tool that reads
the file, finds stays and locations (and trips) and writes them. Needs
``pip install trackintel``, best in an environment of its own (``TRACKINTEL_PYTHON``);
scikit-mobility has an environment of its own, see skmob_flows.py (``SKMOB_PYTHON``).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.harness import DATA, WORK, interleaved, markdown, peak

OTHER = os.environ.get("TRACKINTEL_PYTHON", sys.executable)
"""trackintel brings packages that humobctl loads where they are installed."""
GEOLIFE = DATA / "geolife" / "geolife_sample.txt.gz"
TRACKINTEL = """
import sys, warnings; warnings.filterwarnings("ignore")
import geopandas as gpd, pandas as pd, trackintel as ti
table = pd.read_csv(sys.argv[1]).drop_duplicates()
table["tracked_at"] = pd.to_datetime(table["datetime"], utc=True)
points = gpd.points_from_xy(table.lng, table.lat)
fixes = gpd.GeoDataFrame({"user_id": table.uid, "tracked_at": table.tracked_at}, geometry=points,
                         crs=4326)
fixes = ti.Positionfixes(fixes.sort_values(["user_id", "tracked_at"]).reset_index(drop=True))
fixes, stays = fixes.generate_staypoints(dist_threshold=100, time_threshold=5, gap_threshold=15)
stays, locations = stays.generate_locations(epsilon=100, num_samples=1)
fixes, legs = fixes.generate_triplegs(stays, gap_threshold=15)
stays = stays.create_activity_flag()
stays, legs, trips = ti.preprocessing.generate_trips(stays, legs, gap_threshold=15)
tables = {"stays": stays, "legs": legs, "trips": trips}
if len(sys.argv) > 3:
    tables["tours_near"] = ti.preprocessing.generate_tours(trips)[1]
    # Locations take longitude for latitude; turned round they are those of the right order.
    turned = stays.set_geometry(gpd.points_from_xy(stays.geometry.y, stays.geometry.x, crs=4326))
    stays["location_id"] = turned.generate_locations(epsilon=100, num_samples=1)[0]["location_id"]
    tables["tours"] = ti.preprocessing.generate_tours(trips, staypoints=stays)[1]
for name, found in tables.items():
    found = pd.DataFrame(found)[["user_id", "started_at", "finished_at"]]
    found.to_csv(f"{sys.argv[2]}/{name}.csv")
"""
SKMOB = """
import sys, warnings; warnings.filterwarnings("ignore")
import pandas as pd, skmob
from skmob.preprocessing import clustering, detection
table = skmob.TrajDataFrame(pd.read_csv(sys.argv[1]), latitude="lat", longitude="lng",
                            datetime="datetime", user_id="uid")
stays = clustering.cluster(detection.stay_locations(table), cluster_radius_km=0.1)
pd.DataFrame(stays).to_csv(f"{sys.argv[2]}/stays.csv")
"""


def agreement() -> str:
    """Stays, legs, trips and tours of the GeoLife sample beside trackintel's, one by one."""
    theirs, ours = _folder("trackintel"), _folder("humobctl")
    _run(OTHER, TRACKINTEL, theirs, tours=True)()
    _humobctl(ours, trips=True, more=("--tours", ours / "tours.csv"))()
    near = ("--tours", ours / "tours_near.csv", "--tour-distance", "100")
    _humobctl(ours, trips=False, more=near)()
    files = {
        **{"stays": "stays", "trip legs": "legs", "trips": "trips"},
        **{"tours by location": "tours", "tours within 100 m": "tours_near"},
    }
    lines = []
    for what, file in files.items():
        known = _moments(theirs / f"{file}.csv")
        found = _moments(ours / f"{file}.csv")
        lines.append([what, str(len(known)), str(len(found)), str(len(known & found))])
    return markdown(["GeoLife sample", "trackintel", "humobctl", "same user and times"], lines)


def speed() -> str:
    """Seconds of whole processes, the GeoLife sample once, and as 20 users."""
    lines = []
    for name, file in (("GeoLife, 217,653 points", GEOLIFE), ("the same of 20 users", _many(10))):
        works = [_humobctl(_folder("humobctl"), file=file, trips=trips) for trips in (False, True)]
        works += [_run(OTHER, TRACKINTEL, _folder("trackintel"), file)]
        if python := os.environ.get("SKMOB_PYTHON"):
            works.append(_run(python, SKMOB, _folder("skmob"), file))
        taken = interleaved(*works, runs=3)
        ours, trips, *others = taken
        lines.append([name, "stays, locations, homes", f"{ours:.2f}", "1"])
        lines.append([name, "the same with trips and legs", f"{trips:.2f}", f"{trips / ours:.1f}"])
        tools = ("trackintel, with trips", "scikit-mobility, without")
        lines += [
            [name, tool, f"{seconds:.1f}", f"{seconds / (trips if 'with ' in tool else ours):.0f}"]
            for tool, seconds in zip(tools, others, strict=False)
        ]
    return markdown(["points", "what", "seconds", "times humobctl's"], lines)


def large() -> str:
    """20 million points of 10,000 users."""
    file = WORK / "points20m.parquet"
    if not file.exists():
        make_points(10_000, 2_000).write_parquet(file)
    lines = []
    for name, more in (("stays", ()), ("with trips", ("--trips", WORK / "trips.parquet"))):
        found = WORK / "stays20m.parquet"
        seconds, megabytes = peak("data", "stays", file, "-o", found, *more, "--overwrite")
        lines.append([name, f"{seconds:.0f}", f"{megabytes:.0f}"])
    return markdown(["20 million points, 10,000 users", "seconds", "peak MB"], lines)


def make_points(users: int, each: int) -> pl.DataFrame:
    """Tracks of people who stay at one of five places for two hours, and walk to the next."""
    draw = np.random.default_rng(1)
    step = np.arange(each)
    stay, at = step // 30, step % 30
    places = draw.normal(0, 0.03, (users, 5, 2)) + draw.normal(0, 0.1, (users, 1, 2))
    order = draw.integers(0, 5, (users, each // 30 + 2))
    here, there = (places[np.arange(users)[:, None], order[:, stay + later]] for later in (0, 1))
    way = np.clip(at - 24, 0, None)[None, :, None] / 6
    degrees = here + (there - here) * way + draw.normal(0, 1e-4, (users, each, 2))
    minutes = (step * 5).astype("timedelta64[m]") + np.datetime64("2026-01-05", "us")
    return pl.DataFrame(
        {
            "uid": np.repeat(np.arange(users), each).astype(str),
            "datetime": np.tile(minutes, users),
            "lat": 40.0 + degrees[..., 0].ravel(),
            "lon": 116.0 + degrees[..., 1].ravel(),
        }
    )


def _many(times: int) -> Path:
    """The GeoLife sample as that of so many times its users."""
    file = WORK / "geolife_many.csv"
    table = pl.read_csv(GEOLIFE)
    pl.concat([table.with_columns(uid=pl.col("uid") + 1000 * n) for n in range(times)]).write_csv(
        file
    )
    return file


def _humobctl(
    folder: Path, *, trips: bool, file: Path = GEOLIFE, more: Sequence[object] = ()
) -> Callable[[], object]:
    command = ["data", "stays", file, "-o", folder / "stays.csv", "--overwrite", *more]
    if trips:
        command += ["--trips", folder / "trips.csv", "--trip-legs", folder / "legs.csv"]
    return lambda: subprocess.run(
        [sys.executable, "-m", "humobctl", *map(str, command)],
        stderr=subprocess.DEVNULL,
        check=True,
    )


def _run(
    python: str, script: str, folder: Path, file: Path = GEOLIFE, *, tours: bool = False
) -> Callable[[], object]:
    command = [python, "-c", script, str(file), str(folder), *["tours"] * tours]
    return lambda: subprocess.run(command, stderr=subprocess.DEVNULL, check=True)


def _folder(name: str) -> Path:
    folder = WORK / "stays" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _moments(file: Path) -> set[tuple[str, ...]]:
    """User, begin and end of each row; a stay that is split at midnight once."""
    table = pl.read_csv(file).rename({"user_id": "uid"}, strict=False)
    moments = (
        pl.col(name).str.slice(0, 19).str.replace("T", " ")
        for name in ("started_at", "finished_at")
    )
    return set(table.select(pl.col("uid").cast(pl.String), *moments).rows())

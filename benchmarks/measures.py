"""Measures of users: how fast, and how near to scikit-mobility's own."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import polars as pl

import humobctl as hm
from benchmarks.harness import DATA, WORK, cost, markdown
from humobctl.data.describe.description import UserDescription

CHECK_INS = DATA / "foursquare-nyc/checkins.parquet"
NAMES = {
    "radius_of_gyration": "radius_of_gyration_km",
    "k_radius_of_gyration": "k2_radius_of_gyration_km",
    "maximum_distance": "maximum_distance_km",
    "distance_straight_line": "distance_straight_line_km",
    "max_distance_from_home": "distance_from_home_max_km",
    "number_of_locations": "locations",
    "random_entropy": "entropy_random_bits",
    "uncorrelated_entropy": "entropy_uncorrelated_bits",
    "real_entropy": "entropy_real_bits",
}
"""scikit-mobility's measures, and the columns that hold them here."""


def agreement() -> str:
    """Check-ins of New York without their places: locations are coordinates, as there.

    One check-in a user and minute, since scikit-mobility leaves open which of several is first.
    """
    points = pl.read_parquet(CHECK_INS).select("uid", "datetime", "lat", lng="lon")
    points = points.unique(["uid", "datetime"], keep="first", maintain_order=True)
    points = points.sort("uid", "datetime")
    path = WORK / "checkins.csv"
    points.write_csv(path)
    start = time.perf_counter()
    with hm.quiet():
        described = hm.describe(points)
    assert isinstance(described, UserDescription)
    ours = described.to_frame().sort(pl.col("uid").cast(pl.Int64))
    seconds = time.perf_counter() - start
    rows = []
    for name, found in _skmob(path).items():
        own = ours[NAMES[name]].cast(pl.Float64).to_numpy()
        theirs = np.array(found["values"])
        apart = np.abs(own - theirs) / np.maximum(np.abs(theirs), 1e-9)
        alike = int((apart < 1e-9).sum())
        rows.append(
            [name, f"{found['seconds']:.2f}", f"{alike} of {len(own)}", f"{apart.max():.1e}"]
        )
    rows.append(["all of ours, all measures", f"{seconds:.2f}", "", ""])
    return markdown(
        ["measure", "seconds", "users alike to 1e-9", "largest relative difference"], rows
    )


def _skmob(path: Path) -> dict[str, dict[str, object]]:
    """Their seconds and values, where SKMOB_PYTHON names a Python that has scikit-mobility."""
    python = os.environ.get("SKMOB_PYTHON")
    if python is None:
        return {}
    script = Path(__file__).with_name("skmob_measures.py")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [python, str(script), str(path.resolve())],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        env=environment,
        cwd="/",
    )
    found: dict[str, dict[str, object]] = json.loads(done.stdout)
    return found


def speed() -> str:
    """Whole commands on made points: 1,000 of each user at up to 200 locations."""
    rows = []
    for users in (2_000, 20_000):
        path = WORK / f"points-{users}.parquet"
        if not path.exists():
            _points(users, 1_000).write_parquet(path)
        spent = cost("data", "describe", path, "--per-user", WORK / "measures.parquet")
        numbers = (f"{spent.seconds:.1f}", f"{spent.cpu_seconds:.1f}", f"{spent.megabytes:.0f}")
        rows.append([f"{users * 1_000:,}", f"{users:,}", *numbers])
    return markdown(["points", "users", "seconds", "CPU seconds", "peak MB"], rows)


def _points(users: int, each: int) -> pl.DataFrame:
    """Points five minutes apart; visits of a user's locations fall off with their rank."""
    draws = np.random.default_rng(1)
    rows = users * each
    uid = np.repeat(np.arange(users), each)
    seconds = np.tile(np.arange(each) * 300, users) + draws.integers(0, 60, rows)
    place = np.minimum(draws.zipf(1.5, rows), 200) + uid * 1_000
    return pl.DataFrame(
        {
            "uid": uid.astype(str),
            "datetime": pl.Series(seconds * 1_000_000 + 1_600_000_000_000_000).cast(
                pl.Datetime("us")
            ),
            "lat": 39 + (place * 7919 % 10007) / 10007,
            "lon": 116 + (place * 104729 % 10009) / 10009,
        }
    )

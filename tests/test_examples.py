"""The pipelines in examples/ run as they stand."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import polars as pl
import pytest

from tests.conftest import ROOT, environment
from tests.intend.chat_server import KEY, serving

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
    out = run(tmp_path, EXAMPLES / "day_plans.sh", tmp_path, "300")
    scores = pl.read_csv(out.encode())
    days = scores.filter(metric="events_per_day").sort("scope")
    assert days["scope"].to_list() == [
        "week.parquet",
        "without_attitude.parquet",
        "without_control.parquet",
        "without_norm.parquet",
    ]
    assert days["value"][0] < 0.02 < days["value"][2]
    assert json.loads((tmp_path / "week.json").read_text())["plans"] == 2100


def test_user_map(tmp_path: Path) -> None:
    out = run(tmp_path, EXAMPLES / "user_map.sh", tmp_path, "30", "tiny", HUMOBCTL_THREADS="1")
    methods = {record["method"]: record["users"] for record in json.loads(out)}
    assert methods[str(tmp_path / "embedder")] == {"city": 15}
    assert "<title>humobctl explore: " in (tmp_path / "map.html").read_text()


def test_readme(workdir: Path) -> None:
    """Every humobctl line of the README, in its order, with files of the names it uses."""
    shutil.copy(workdir / "challenge.csv", workdir / "cityB_challengedata.csv")
    run(workdir, "gzip", "cityB_challengedata.csv")
    points = (workdir / "gps.csv").read_text()
    (workdir / "points.csv").write_text(points.replace("uid", "who", 1))
    text = (ROOT / "README.md").read_text().replace("\\\n", "")
    commands = [line.strip() for line in text.splitlines() if line.startswith("    humobctl ")]
    assert len(commands) >= 10
    with serving() as server:
        env = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY}
        for command in commands:
            # tests/intend/backends/test_transformers.py, tests/commands/test_finetune_llama.py
            # have models, tests/execution/test_ray_cluster.py a cluster.
            elsewhere = ("--backend hf", "finetune", "-m adapter", "--address head:6379")
            if not any(words in command for words in elsewhere):
                run(workdir, "bash", "-o", "pipefail", "-c", command, **env)
        assert server.requests

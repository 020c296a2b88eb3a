"""The pipelines in examples/ run as they stand."""

from __future__ import annotations

import itertools
import json
import re
import runpy
import shutil
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.conftest import ROOT, environment
from tests.shell import run_line, run_script

EXAMPLES = ROOT / "examples"


def run(folder: Path, *arguments: str | Path) -> str:
    """Standard output of a script that must end well."""
    if shutil.which(str(arguments[0])) is None:
        pytest.skip(f"{arguments[0]} is not installed")
    code, out, err = run_script(list(map(str, arguments)), folder, environment())
    assert code == 0, err
    return out


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
    out = run(tmp_path, EXAMPLES / "user_map.sh", tmp_path, "30", "tiny")
    methods = {record["method"]: record["users"] for record in json.loads(out)}
    assert methods[str(tmp_path / "embedder")] == {"city": 15}
    assert "<title>humobctl explore: " in (tmp_path / "map.html").read_text()


README = (ROOT / "README.md").read_text()
RECIPES = re.findall(r"^```(bash|python)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
"""Blocks of the README that run as they stand, one after the other; what installs is ``sh``."""


def test_the_recipes_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [kind for kind, _ in RECIPES] == ["bash"] * 4 + ["python"]
    monkeypatch.chdir(tmp_path)
    for kind, text in RECIPES:
        if kind == "python":
            (tmp_path / "recipe.py").write_text(text)
            runpy.run_path(str(tmp_path / "recipe.py"))
            continue
        for line in text.replace("\\\n", "").splitlines():
            done = run_line(line, tmp_path)
            assert done.code == 0, f"{line}: {done.err}"
    assert (tmp_path / "map.html").stat().st_size > 1e6


def test_the_readme_is_a_front_page_and_its_scores_are_those_of_the_benchmarks() -> None:
    assert len(README.splitlines()) <= 200
    headline = (ROOT / "docs/notes/prediction.md").read_text().partition("## Headline\n")[2]
    measured = [float(text) for text in NUMBER.findall(headline.partition("\n## ")[0])]
    table = README.partition("## Scores\n")[2].partition("\n\n`")[0]
    rows = [line.split("|")[3:-2] for line in table.splitlines() if re.match(r"\| [BCD] ", line)]
    assert len(rows) == 12
    for text in NUMBER.findall(" ".join(itertools.chain(*rows))):
        half = 0.5001 * 10.0 ** -len(text.partition(".")[2])
        assert any(abs(float(text) - value) <= half for value in measured), text


NUMBER = re.compile(r"[+-]?\d*\.\d+")

"""The real data of the tutorial from GPS points to vectors: its commands on the GeoLife sample."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import polars as pl
import pytest

from tests.conftest import ROOT, Cli
from tests.messages import says

PAGE = ROOT / "docs" / "tutorials" / "gps_to_embeddings.md"


def test_gps_points_of_two_people_become_vectors(
    shared_data: Path, example_files: Path, tmp_path: Path, cli: Cli
) -> None:
    pytest.importorskip("torch")
    shutil.copy(shared_data / "geolife" / "geolife_sample.txt.gz", tmp_path)
    shutil.copy(example_files / "city.csv", tmp_path)
    shutil.copytree(example_files / "embedder", tmp_path / "embedder")
    section = PAGE.read_text().partition("## 7. ")[2]
    lines = [
        line
        for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
        for line in block.splitlines()
    ]
    assert len(lines) == 7
    said = ""
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "humobctl"
        done = cli(*arguments, cwd=tmp_path)
        assert done.code == 0, f"{line}: {done.err}"
        said += done.err
    shown = re.findall(r"```text\n(.*?)```", section, re.DOTALL)[0]
    for words in shown.splitlines():
        says(said, words)
    assert pl.read_parquet(tmp_path / "both.parquet").filter(city="geolife").height == 2
    assert pl.read_parquet(tmp_path / "pairs.parquet").height == 2

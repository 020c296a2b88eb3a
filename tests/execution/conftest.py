"""A model of each kind for all tests of engines, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import Cli, Once

SMALL = {"HUMOBCTL_PART_ROWS": "300", "HUMOBCTL_PART_USERS": "5"}
"""Parts so small that the example files have several."""
FEW = {"HUMOBCTL_PART_ROWS": "60", "HUMOBCTL_PART_USERS": "5"}
"""The same for tables of visits and plans, which have fewer rows a person."""

PREDICT = ("predict", "challenge.csv")
EMBED = ("embed", "city.csv", "--model", "embedder")
INTEND = ("intend", "population.csv", "--count", "40", "--days", "2")
STAYS = ("data", "stays", "gps.csv", "--include-last")
GRAVITY = ("generate", "gravity", "plans.csv", "--places", "places.csv", "--law", "epr")
DIFFUSION = ("generate", "diffusion", "plans.csv", "--model", "days", "--places", "places.csv")
FREE = ("generate", "diffusion", "--count", "12", "--model", "free", "--batch-size", "5")
EVAL = ("eval", "predicted.csv", "--truth", "city.csv", "--format", "json", "--per-user")


@pytest.fixture(scope="session")
def example_files(few_people: Path) -> Path:
    """Parts are small here: a few people make several."""
    return few_people


@pytest.fixture(scope="session")
def models(cli: Cli, example_files: Path, once: Once) -> Path:
    """The example files, and diffusion models ``days`` and ``free``; do not write into it."""
    for package in ("torch", "diffusers"):
        pytest.importorskip(package)

    def make(folder: Path) -> None:
        shutil.copytree(example_files, folder, dirs_exist_ok=True)
        tiny = ("train", "diffusion", "stays.csv", "--preset", "tiny", "--steps", "2")
        for name, options in (("days", ()), ("free", ("--condition", "none"))):
            done = cli(*tiny, *options, "--output", name, cwd=folder)
            assert done.code == 0, done.err

    return once("execution", make)


@pytest.fixture
def place(models: Path, tmp_path: Path) -> Path:
    """The same in a folder of the test's own."""
    shutil.copytree(models, tmp_path, dirs_exist_ok=True)
    return tmp_path

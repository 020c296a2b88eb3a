"""Size: the commands on synthetic cities of more and more users, as folders of Parquet files.

``SCALE_USERS=1000,10000`` chooses the sizes, ``SCALE_ONLY="predict"`` the commands by a part of
their names.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import polars as pl

from benchmarks.harness import WORK, cost, markdown

USERS = "1000,10000"
MASKED = 0.1
"""Share of the users whose days 60-74 are to be predicted."""


def scale() -> str:
    """Seconds, rows a second, CPU seconds and peak memory, size by size."""
    lines = []
    for users in map(int, os.environ.get("SCALE_USERS", USERS).split(",")):
        lines += _of(users, WORK / f"scale{users}")
    columns = ["command", "users", "rows", "seconds", "rows/s", "CPU s", "peak MB"]
    return markdown(columns, lines)


def _of(users: int, folder: Path) -> list[list[str]]:
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    wanted = os.environ.get("SCALE_ONLY", "")
    for name, source, output, arguments in _works(users, folder):
        needed = name == "data synth" or output in ("masked/", "embedder", "ranker", "plans/")
        if wanted not in name and (not needed or (folder / output.rstrip("/")).exists()):
            continue
        made = [folder / part.rstrip("/") for part in output.split()]
        for path in made:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        spent = cost(*arguments, cwd=folder)
        if name.startswith("train"):
            continue
        rows = _rows(folder / (source or made[0].name))
        lines.append(
            [
                *(name, f"{users:,}", f"{rows:,}", f"{spent.seconds:.1f}"),
                *(f"{rows / spent.seconds:,.0f}", f"{spent.cpu_seconds:.1f}"),
                f"{spent.megabytes:.0f}",
            ]
        )
    return lines


def _works(users: int, folder: Path) -> list[tuple[str, str, str, tuple[str | int, ...]]]:
    """Each command: its name, what its rows are counted in (else its output), output, arguments."""
    last = max(1, int(MASKED * users))
    predict = ("predict", "masked", "--output", "predicted/")
    small = ("train", "embedder", "city", "--preset", "tiny", "--steps", 20, "--output", "embedder")
    synth = ("data", "synth", "-n", users, "-o", "city/")
    return [
        (
            *("data synth", "", "city/"),
            (*synth, "--places", "places.csv", "--profiles", "profiles.parquet"),
        ),
        ("data describe", "city", "", ("data", "describe", "city", "--format", "json")),
        ("data split", "city", "a/ b/", ("data", "split", "city", "--train", "a/", "--test", "b/")),
        (
            *("data mask", "city", "masked/"),
            ("data", "mask", "city", "--from-day", 60, "--last", last, "-o", "masked/"),
        ),
        ("predict history, day", "masked", "predicted/", (*predict, "--decode", "day")),
        (
            *("predict history, geobleu", "masked", "predicted/"),
            (*predict, "--decode", "geobleu"),
        ),
        (
            *("train ranker", "masked", "ranker"),
            ("train", "ranker", "masked", "--rows", 20_000, "--output", "ranker"),
        ),
        ("predict ranker", "masked", "predicted/", (*predict, "--model", "ranker")),
        ("eval", "city", "", ("eval", "city", "--truth", "city", "--days", "60-74")),
        ("train embedder", "city", "embedder", small),
        ("embed", "city", "vectors/", ("embed", "city", "-m", "embedder", "-o", "vectors/")),
        ("intend, planner", "", "plans/", ("intend", "profiles.parquet", "-o", "plans/")),
        (
            *("generate gravity", "plans", "visits/"),
            ("generate", "gravity", "plans", "--places", "places.csv", "-o", "visits/"),
        ),
    ]


def _rows(path: Path) -> int:
    files = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
    return sum(pl.scan_parquet(file).select(pl.len()).collect().item() for file in files)

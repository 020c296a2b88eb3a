"""Start-up, and scoring against the plain Python definition."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks import reference
from benchmarks.harness import DATA, WORK, interleaved, markdown, process
from humobctl.evaluate.cells.geobleu import RULES, combine
from humobctl.evaluate.cells.kernels import score_days

EVERY = 30  # the definition is timed on every 30th user-day


def startup() -> str:
    """``--help`` beside importing the libraries that it needs."""
    imports, root, sub = interleaved(
        process("-c", "import typer, rich"),
        process("-m", "humobctl", "--help"),
        process("-m", "humobctl", "eval", "--help"),
        runs=15,
    )
    rows = [
        ["`python -c 'import typer, rich'`", f"{imports:.3f}", "1"],
        ["`humobctl --help`", f"{root:.3f}", f"{root / imports:.2f}"],
        ["`humobctl eval --help`", f"{sub:.3f}", f"{sub / imports:.2f}"],
    ]
    return markdown(["command", "seconds", "ratio"], rows)


def _columns(frame: pl.DataFrame):
    x, y = (frame[name].to_numpy().astype(np.int32) for name in ("x", "y"))
    key = frame["uid"].to_numpy().astype(np.int64) * 1000 + frame["d"].to_numpy()
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    return x, y, np.append(starts, len(key)).astype(np.int64)


def _days(side):
    x, y, starts = side
    points = list(zip(x.tolist(), y.tolist(), strict=True))
    return [points[a:b] for a, b in pairwise(starts)]


def _definition(sides, dialect: str) -> Callable[[], object]:
    """A work: GEO-BLEU and DTW of every ``EVERY``-th day, written plainly; and its values."""
    rule = RULES[dialect]
    days = list(zip(*map(_days, sides), strict=True))[::EVERY]

    def run() -> list[tuple[float, float]]:
        return [
            (
                reference.geobleu(g, t, max_n=rule.max_n, by_matches=rule.divide_by_matches),
                reference.dtw(g, t, open_start=dialect == "humob24"),
            )
            for g, t in days
        ]

    return run


def _difference(sides, dialect: str) -> float:
    """Largest difference between the kernels and the definition on the sampled days."""
    plain = np.array(_definition(sides, dialect)())
    ours = np.column_stack(_kernel(sides, dialect))[::EVERY]
    return float(np.abs(ours - plain).max())


def _kernel(sides, dialect: str):
    rule, is_open = RULES[dialect], dialect == "humob24"
    predicted, truth = sides
    sums, opened, closed = score_days(
        predicted,
        truth,
        max_n=rule.max_n,
        beta=0.5,
        scale=2.0,
        dtw_open=is_open,
        dtw_closed=not is_open,
    )
    lengths = np.diff(truth[2])
    return combine(sums, lengths, lengths, rule), opened if is_open else closed


def kernels() -> str:
    """The compiled kernels beside the definition, a user, GEO-BLEU and DTW together."""
    rows = []
    for city in "BC":
        folder = DATA / "humob"
        truth = pl.read_csv(folder / f"city{city}_100users.csv.gz").filter(pl.col("d") >= 60)
        predicted = pl.read_csv(folder / f"city{city}_llama3-8b-mob.csv.gz")
        sides = [_columns(frame.sort("uid", "d", "t")) for frame in (predicted, truth)]
        for dialect in RULES:
            sampled, ours = interleaved(
                _definition(sides, dialect), lambda s=sides, d=dialect: _kernel(s, d), runs=5
            )
            plain = sampled * EVERY
            rows.append(
                [
                    *(city, dialect, f"{10 * plain:.1f}", f"{10 * ours:.4f}"),
                    *(f"{plain / ours:.0f}", f"{_difference(sides, dialect):.0e}"),
                ]
            )
    columns = ["city", "dialect", "definition ms/user", "kernels ms/user", "ratio"]
    return markdown([*columns, "largest difference"], rows)


def submission() -> tuple[Path, Path]:
    """A full submission of 3,000 users, and a truth made by jittering its cells."""
    predicted, truth = WORK / "submission.csv", WORK / "truth.csv"
    if not truth.exists():
        file = DATA / "humob" / "cityB_submission_3000users.csv.gz"
        names = ["uid", "d", "t", "x", "y"]
        frame = pl.read_csv(file, has_header=False, new_columns=names)
        frame.write_csv(predicted)
        rng = np.random.default_rng(0)
        moved = [
            pl.Series(c, np.clip(frame[c].to_numpy() + rng.integers(-2, 3, frame.height), 1, 200))
            for c in ("x", "y")
        ]
        frame.with_columns(moved).write_csv(truth)
    return predicted, truth


def command() -> str:
    """The whole ``eval`` command on 3,000 users and 15 days, start-up and reading included."""
    predicted, truth = submission()
    sides = [_columns(pl.read_csv(file).sort("uid", "d", "t")) for file in (predicted, truth)]
    rows = []
    for dialect in (*RULES, "both"):
        flags = ("--truth", truth, "--dialect", dialect, "--format", "json")
        run = process("-m", "humobctl", "eval", predicted, *flags)
        wanted = list(RULES) if dialect == "both" else [dialect]
        plain = [_definition(sides, name) for name in wanted]
        inside = [lambda d=name: _kernel(sides, d) for name in wanted]
        whole, *rest = interleaved(run, *plain, *inside, runs=7)
        by_definition = sum(rest[: len(wanted)]) * EVERY
        by_kernels = sum(rest[len(wanted) :])
        rows.append(
            [
                *(dialect, f"{by_definition:.0f}", f"{by_kernels:.3f}"),
                *(f"{by_definition / by_kernels:.0f}", f"{whole:.2f}"),
                f"{by_definition / whole:.0f}",
            ]
        )
    columns = ["dialect", "definition s", "kernels s", "ratio", "`humobctl eval` s", "ratio"]
    return markdown(columns, rows)


def machine() -> str:
    """What the figures were taken on."""
    model = "unknown processor"
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":")[1].strip() if lines else model
    return json.dumps(
        {"processor": model, "cores": os.cpu_count(), "python": platform.python_version()}
    )

"""Timing that holds on a noisy machine: interleaved runs, medians, and ratios in one run."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import humobctl as hm

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
WORK = ROOT / "bench-data"
DIALECTS = ("humob24", "humob25")


def interleaved(
    *works: Callable[[], object], runs: int = 7, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Median seconds of each work; they take turns, so that a slow spell hits all of them."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(runs):
        for work, taken in zip(works, times, strict=True):
            start = clock()
            work()
            taken.append(clock() - start)
    return [statistics.median(taken) for taken in times]


def process(*arguments: str | Path, **environment: str) -> Callable[[], object]:
    """A whole process, start-up included, as a work."""

    def run() -> None:
        subprocess.run(
            [sys.executable, *map(str, arguments)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environment},
            check=True,
        )

    return run


def peak(*arguments: str | Path) -> tuple[float, float]:
    """Seconds and peak megabytes of ``humobctl`` with these arguments."""
    spent = cost(*arguments)
    return spent.seconds, spent.megabytes


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds, seconds of processors, and peak megabytes."""

    seconds: float
    cpu_seconds: float
    megabytes: float


def cost(*arguments: str | Path | int, cwd: Path | None = None) -> Cost:
    """What ``humobctl`` with these arguments takes.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    code = (
        "import resource, subprocess, sys, time;"
        "a = time.perf_counter();"
        "done = subprocess.run([sys.executable, '-m', 'humobctl', *sys.argv[1:]],"
        " stdout=subprocess.DEVNULL);"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(time.perf_counter() - a, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024);"
        "sys.exit(done.returncode)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )
    if done.returncode:
        raise RuntimeError(f"humobctl {' '.join(map(str, arguments))}: {done.stderr}")
    return Cost(*map(float, done.stdout.split()))


def mean_scores(predicted: str | Path, truth: str | Path) -> list[float]:
    """Accuracy, GEO-BLEU and DTW (km) in both dialects, humob24 first: means over users."""
    found = hm.evaluate(predicted, truth).to_dict()
    values = {(one["metric"], one["dialect"]): one["value"] for one in found["scores"]}
    dialects = [(name, dialect) for name in ("geobleu", "dtw") for dialect in DIALECTS]
    return [values[key] for key in [("accuracy", None), *dialects]]


def markdown(columns: list[str], rows: list[list[str]]) -> str:
    """A table as BENCHMARKS.md holds it."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)

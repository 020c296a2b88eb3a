"""What ``--dry-run`` says of a training beside what the training then takes, preset by preset."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from benchmarks.harness import DATA, WORK, markdown
from benchmarks.llama import smollm2
from benchmarks.trainings import TRAININGS

_B = DATA / "humob" / "cityB_challenge.csv.gz"
_BERT = ("train", "bert-moe", _B)
_EMBEDDER = ("train", "embedder", _B, "--last-day", "59")
_LLAMA = ("finetune", "llama", _B)
_GRU, _DIFFUSION = TRAININGS["next-gru"], TRAININGS["diffusion"]
_TINY, _SMALL, _PAPER = (("--preset", name) for name in ("tiny", "small", "paper"))
RUNS: dict[str, tuple[str | Path, ...]] = {
    "ranker": ("train", "ranker", _B),
    "next": TRAININGS["next"],
    "next-gru tiny": (*_GRU, *_TINY),
    "next-gru small, 60 steps": (*_GRU, *_SMALL, "--max-steps", "60"),
    "bert-moe tiny": (*_BERT, *_TINY),
    "bert-moe small": (*_BERT, *_SMALL),
    "bert-moe paper, 12 steps": (*_BERT, *_PAPER, "--max-steps", "12"),
    "embedder tiny": (*_EMBEDDER, *_TINY),
    "embedder small, 60 steps": (*_EMBEDDER, *_SMALL, "--steps", "60"),
    "embedder paper, 12 steps": (*_EMBEDDER, *_PAPER, "--steps", "12"),
    "diffusion tiny": (*_DIFFUSION, *_TINY),
    "diffusion small, 400 steps": (*_DIFFUSION, *_SMALL, "--steps", "400"),
    "diffusion paper, 4 steps": (*_DIFFUSION, *_PAPER, "--steps", "4"),
    "llama tiny, SmolLM2": (*_LLAMA, *_TINY),
    "llama small, SmolLM2, 2 steps": (*_LLAMA, *_SMALL, "--max-steps", "2"),
}
"""Trainings by preset; ``ONLY`` (names between semicolons) takes some.

Of long ones a part of their steps: published sizes would take days on a CPU.
"""
_SAID = re.compile(r"time: about (\S+) .*memory: about (\S+ .B) at", re.DOTALL)
_TOOK = re.compile(r"took (\S+), (\S+ .B) of memory")
WHATS, HOWS = ("time", "peak"), ("said", "taken", "ratio")
_BYTES = {"kB": 1e3, "MB": 1e6, "GB": 1e9}


def table() -> str:
    """Seconds and megabytes: said, taken (by the training's last line), and their ratio."""
    chosen = os.environ.get("ONLY", ";".join(RUNS)).split(";")
    rows = []
    for name in chosen:
        base = ("--base", smollm2()) if "llama" in name else ()
        said = _read(_SAID, *RUNS[name], *base, "--dry-run")
        took = _read(_TOOK, *RUNS[name], *base, "--overwrite", "--output", WORK / "dry-run")
        pairs = [
            text
            for a, b, unit in zip(said, took, ("s", "MB"), strict=True)
            for text in (f"{a:.0f} {unit}", f"{b:.0f} {unit}", f"{a / b:.2f}")
        ]
        rows.append([name, *pairs])
        print(rows[-1], file=sys.stderr, flush=True)
    return markdown(["training", *(f"{what} {how}" for what in WHATS for how in HOWS)], rows)


def _read(lines: re.Pattern[str], *command: str | Path) -> tuple[float, float]:
    """Seconds and megabytes in what a command says.

    Raises:
        RuntimeError: it says something else.
    """
    done = subprocess.run(
        [sys.executable, "-m", "humobctl", *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = lines.search(done.stderr)
    if found is None:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr}")
    hours, minutes, seconds = map(int, found[1].split(":"))
    number, unit = found[2].split()
    return 3600 * hours + 60 * minutes + seconds, float(number) * _BYTES[unit] / 1e6

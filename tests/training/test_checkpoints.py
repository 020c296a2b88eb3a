"""Every training writes checkpoints by time: a kill at a random moment loses no more than that."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import polars as pl
import pytest

from tests.conftest import Cli
from tests.data.test_split_next import check_ins
from tests.messages import says

pytest.importorskip("torch")
ALWAYS, SECONDS = ("--checkpoint-minutes", "0.0005"), 0.03
TINY = ("--preset", "tiny")
NEVER = ("--evaluate-every", "1000")
KINDS = {
    "bert-moe": ("challenge.csv", *TINY, "--max-steps", "8", "--validation-fraction", "0"),
    "diffusion": ("stays.csv", *TINY, "--steps", "20", *NEVER),
    "embedder": ("city.csv", *TINY, "--steps", "15", *NEVER, "--batch-size", "8"),
    "next": ("past.csv", "--rows", "2000", "--epochs", "4", "--members", "1", "--hidden", "64"),
    "next-gru": ("past.csv", *TINY, "--max-steps", "25", *NEVER),
    "ranker": ("challenge.csv", "--rows", "8000", "--epochs", "1", "--members", "2"),
}
LLAMA = ("challenge.csv", "--base", "tinyllama", *TINY, "--epochs", "3", "--records", "3", *NEVER)


def dies_after_a_checkpoint(folder: str, draw: random.Random) -> str:
    """Python with which a process kills itself at a random moment after its second checkpoint."""
    return f"""
import os, signal, sys, threading, time
from pathlib import Path
written = 0
def kill():
    Path({folder!r}, "died").write_text(str(time.time()))
    os.kill(os.getpid(), signal.SIGKILL)
def look(event, arguments):
    global written
    if event == "os.rename" and {folder + "/state"!r} in str(arguments[1]):
        written += 1
        if written == 2:
            threading.Timer({draw.uniform(0, 0.1)}, kill).start()
sys.addaudithook(look)
"""


def check_kind(cli: Cli, command: tuple[str, ...], folder: Path) -> None:
    draw = random.Random(command[1])
    whole = cli(*command, "-o", "whole", "--resume", cwd=folder)
    assert whole.code == 0, whole.err
    says(whole.err, "whole.training", "no checkpoint", "anew")
    before = dies_after_a_checkpoint("cut.training", draw)
    cut = cli(*command, *ALWAYS, "-o", "cut", cwd=folder, before=before)
    assert cut.code == -signal.SIGKILL, cut.err
    state, died = (folder / "cut.training" / name for name in ("state.safetensors", "died"))
    lost = float(died.read_text()) - state.stat().st_mtime
    assert lost < SECONDS + 2  # a step, and a busy machine
    done = cli(*command, *ALWAYS, "-o", "cut", "--resume", cwd=folder)
    assert done.code == 0, done.err
    says(done.err, "cut.training", "resumes after step", "checkpoint", "min old")
    (weights,) = (path.name for path in (folder / "whole").glob("*model.safetensors"))
    for name in (weights, "metrics.jsonl"):
        first, second = ((folder / one / name).read_bytes() for one in ("whole", "cut"))
        assert first == second, name


@pytest.fixture
def here(example_files: Path, tmp_path: Path) -> Path:
    for name in ("challenge.csv", "city.csv", "stays.csv"):
        (tmp_path / name).symlink_to(example_files / name)
    rows = [(user, float(n), "ABCAD"[n % 5]) for user in "uvw" for n in range(400)]
    (tmp_path / "past.csv").write_text(check_ins(*rows))
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_at_any_moment_loses_little(kind: str, warm_cli: Cli, here: Path) -> None:
    check_kind(warm_cli, ("train", kind, *KINDS[kind]), here)


def test_a_kill_of_a_fine_tuning_loses_little(warm_cli: Cli, here: Path, tiny_llama: Path) -> None:
    (here / "tinyllama").symlink_to(tiny_llama / "tinyllama")
    few = pl.read_csv(here / "challenge.csv").filter(pl.col("uid") < 4)
    (here / "challenge.csv").unlink()
    few.write_csv(here / "challenge.csv")
    check_kind(warm_cli, ("finetune", "llama", *LLAMA), here)

"""Trainings in two processes, which share every batch: `torchrun`, and what it tells its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Cli, Run, environment
from tests.messages import fails, says

EMBEDDER = ("train", "embedder", "city.csv", "--preset", "tiny", "--dropout", "0")
EMBEDDER += ("--steps", "8", "--evaluate-every", "4")


@pytest.fixture(scope="session")
def cli(warm_cli: Cli) -> Cli:
    """Torch is imported once for all these tests."""
    return warm_cli


@pytest.fixture
def folder(example_files: Path, tmp_path: Path) -> Path:
    """A folder with what the trainings read."""
    for name in ("city.csv", "stays.csv", "challenge.csv"):
        (tmp_path / name).symlink_to(example_files / name)
    return tmp_path


def curve(folder: Path) -> list[float]:
    """All losses and scores of a training, in their order."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    left_out = ("step", "epoch", "grad_norm", "learning_rate")
    return [
        value
        for line in lines
        for name, value in sorted(json.loads(line).items())
        if name not in left_out
    ]


def compare(folder: Path, rtol: float) -> None:
    """``one`` and ``two`` came from one process and from two."""
    np.testing.assert_allclose(curve(folder / "two"), curve(folder / "one"), rtol=rtol)
    assert json.loads((folder / "two" / "run.json").read_text())["processes"] == 2
    assert {path.name for path in folder.iterdir() if not path.is_symlink()} == {"one", "two"}


def test_embedder_by_torchrun_as_in_one_process(cli, folder) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc-per-node", "2", "-m", "humobctl"]
    uneven = ("--train-below", "17")  # 15 to train on, in a batch of 7 and one of 8
    done = subprocess.run(
        [*torchrun, *EMBEDDER, *uneven, "--batch-size", "8", "-o", "two"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b""
    # The main process alone speaks.
    assert done.stderr.decode().count("two: ") == 1
    assert done.stderr.decode().count("step 4/8") == 1
    one = cli(*EMBEDDER, *uneven, "--batch-size", "16", "-o", "one", cwd=folder)
    assert one.code == 0, one.err
    compare(folder, rtol=1e-4)


DIFFUSION = ("train", "diffusion", "stays.csv", "--preset", "tiny")
BERT = ("train", "bert-moe", "city.csv", "--preset", "tiny", "--dropout", "0")
BERT += ("--users", "8", "--validation-fraction", "0.25", "--blend-users", "0")
LLAMA = ("finetune", "llama", "challenge.csv", "--base", "tinyllama", "--preset", "tiny")
LLAMA += ("--dropout", "0", "--no-packing")
# The number of steps of validations, whose scores the loop logs.
STEPS = {
    EMBEDDER: (),
    DIFFUSION: ("--steps", "8"),
    BERT: ("--max-steps", "8"),
    LLAMA: ("--max-steps", "4"),
}
EVERY = {DIFFUSION: 4, BERT: 4, LLAMA: 2}


@pytest.mark.parametrize("command", [DIFFUSION, BERT, LLAMA], ids=lambda one: one[1])
def test_two_processes_train_as_one_with_the_doubled_batch(cli, folder, command, request) -> None:
    if command == LLAMA:
        tinyllama = request.getfixturevalue("tiny_llama") / "tinyllama"
        (folder / "tinyllama").symlink_to(tinyllama)
    command += (*STEPS[command], "--evaluate-every", str(EVERY[command]))
    two = cli(*command, "--batch-size", "2", "-o", "two", cwd=folder, processes=2)
    assert two.code == 0, two.err
    assert two.err.count("two: ") == 1
    assert two.out == ""
    one = cli(*command, "--batch-size", "4", "-o", "one", cwd=folder)
    assert one.code == 0, one.err
    compare(folder, rtol=2e-3)


FAULTS = {
    "raise": "raise KeyError(6)",
    "kill": "os.kill(os.getpid(), 9)",
    "nan": "next(self.network.parameters()).data[:] = float('nan')",
}


def fault(name: str, rank: int) -> str:
    """Python with which a process meets a fault before its seventh step."""
    return f"""
import os
from humobctl.training.torch_loop import TorchTraining
advance = TorchTraining.advance
def faulty(self, *rest):
    if os.environ["RANK"] == "{rank}" and self.step == 6:
        {FAULTS[name]}
    return advance(self, *rest)
TorchTraining.advance = faulty
"""


@pytest.mark.parametrize(
    ("name", "rank", "command", "code", "names"),
    [
        ("raise", 1, EMBEDDER, 1, ("internal", "KeyError", 6)),
        ("nan", 1, EMBEDDER, 1, ("loss", "nan", "step 7")),
        ("nan", 1, BERT, 1, ("loss", "nan", "step 7")),
        ("kill", 1, EMBEDDER, -1, ("process 0 of 2", "lost")),
        ("kill", 0, EMBEDDER, -1, ("process 1 of 2", "lost")),
    ],
)
def test_what_ends_one_process_ends_all_with_one_line(
    cli, folder, name, rank, command, code, names
) -> None:
    done = cli(
        *command,
        *STEPS[command],
        *("-o", "two"),
        cwd=folder,
        processes=2,
        before=fault(name, rank),
    )
    assert done.code == code, done.err
    says(done.err, "error:", *names)
    assert done.err.count("error:") == 1
    assert not (folder / "two").exists()


@pytest.mark.parametrize(
    ("options", "code", "names"),
    [
        (("-o", "city.csv"), 1, ("error:", "city.csv", "not a model dir")),
        (("--train-below", "1"), 1, ("error:", "city.csv", "1 of 20 users")),
        (("--train-below", "2", "--validation-fraction", "0"), 0, ("embedder trained", "step 8")),
        (("--city", "a", "--city", "b"), 2, ("error:", "--city", "2 names")),
    ],
)
def test_bad_input_is_one_line(cli, folder, options, code, names) -> None:
    done = cli(*EMBEDDER, "-o", "x", *options, cwd=folder, processes=2)
    assert done.code == code, done.err
    says(done.err, *names)
    assert done.err.count(names[0]) == 1
    assert not (folder / "x.training").exists()


@pytest.mark.parametrize("command", [EMBEDDER, DIFFUSION], ids=lambda one: one[1])
def test_two_processes_go_on_to_the_same_bits(cli, folder, command) -> None:
    """One loop trains all; diffusion keeps a moving average besides."""

    def run(name: str, *options: str, **more) -> Run:
        settings = (*STEPS[command], "--evaluate-every", "4")
        return cli(*command, *settings, "-o", name, *options, cwd=folder, **more)

    straight = run("straight", processes=2)
    assert straight.code == 0, straight.err
    cut = run("two", processes=2, before=fault("raise", 1))
    assert cut.code == 1, cut.err
    if command == EMBEDDER:
        done = run("two", processes=2)
        fails(done, "two.training", "unfinished", notes=True)
        done = run("two", "--resume")
        fails(done, "two.training", "processes", 1, 2, notes=True)
    done = run("two", "--resume", processes=2)
    assert done.code == 0, done.err
    for name in ("model.safetensors", "metrics.jsonl"):
        first, second = (folder / one / name for one in ("straight", "two"))
        assert first.read_bytes() == second.read_bytes(), name
    assert not (folder / "two.training").exists()


def test_a_number_among_nobody_is_no_group(cli, folder) -> None:
    """Schedulers set LOCAL_RANK for a single process, too; accelerate would look for others."""
    train = ("train", "bert-moe", "challenge.csv", "--preset", "tiny", "--max-steps", "2")
    env = {"LOCAL_RANK": "0", "RANK": "0"}
    done = cli(*train, "-o", "one", cwd=folder, env=env)
    assert done.code == 0, done.err
    says(done.err, "bert-moe", "2 steps")

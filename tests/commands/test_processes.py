"""Trainings in two processes, which share every batch: `torchrun`, and what it tells its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Cli, Run, environment

EMBEDDER = ("train", "embedder", "city.csv", "--preset", "tiny", "--dropout", "0")
EMBEDDER += ("--steps", "8", "--evaluate-every", "4")


@pytest.fixture(scope="session")
def cli(warm_cli: Cli) -> Cli:
    """Torch is imported once for all these tests."""
    return warm_cli


@pytest.fixture
def folder(example_files: Path, tiny_llama: Path, tmp_path: Path) -> Path:
    """A folder with what the trainings read."""
    (tmp_path / "tinyllama").symlink_to(tiny_llama / "tinyllama")
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
    done = subprocess.run(
        [*torchrun, *EMBEDDER, "--batch-size", "4", "-o", "two"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b""
    # The main process alone speaks.
    assert done.stderr.decode().count("two: embedder trained, weights of step") == 1
    assert done.stderr.decode().count("step 4/8") == 1
    one = cli(*EMBEDDER, "--batch-size", "8", "-o", "one", cwd=folder)
    assert one.code == 0, one.err
    compare(folder, rtol=1e-4)


DIFFUSION = ("train", "diffusion", "stays.csv", "--preset", "tiny")
BERT = ("train", "bert-moe", "city.csv", "--preset", "tiny", "--dropout", "0")
LLAMA = ("finetune", "llama", "challenge.csv", "--base", "tinyllama", "--preset", "tiny")
LLAMA += ("--dropout", "0", "--no-packing")
# The number of steps of validations, whose scores the loop and the Trainer log.
STEPS = {DIFFUSION: ("--steps", "8"), BERT: ("--max-steps", "8"), LLAMA: ("--max-steps", "4")}
EVERY = {DIFFUSION: 4, BERT: 4, LLAMA: 2}


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers
@pytest.mark.parametrize("command", [DIFFUSION, BERT, LLAMA], ids=lambda one: one[1])
def test_two_processes_train_as_one_with_the_doubled_batch(cli, folder, command) -> None:
    command += (*STEPS[command], "--evaluate-every", str(EVERY[command]))
    two = cli(*command, "--batch-size", "2", "-o", "two", cwd=folder, processes=2)
    assert two.code == 0, two.err
    assert two.err.count("two: ") == 1
    assert two.out == ""
    one = cli(*command, "--batch-size", "4", "-o", "one", cwd=folder)
    assert one.code == 0, one.err
    compare(folder, rtol=2e-3)


FAULT = """
import os
from humobctl.models.{model} import fit
advance = fit.Training.advance
def faulty(self, *rest):
    if os.environ["RANK"] == "{rank}" and self.step == 6:
        {fault}
    return advance(self, *rest)
fit.Training.advance = faulty
"""
FAULTS = {
    "raise": "raise KeyError(6)",
    "memory": "raise MemoryError",
    "kill": "os.kill(os.getpid(), 9)",
    "nan": "next(self.network.parameters()).data[:] = float('nan')",
}


@pytest.mark.parametrize(
    ("fault", "rank", "code", "text"),
    [
        ("raise", 1, 1, "error: internal: KeyError: ['6']"),
        ("raise", 0, 1, "error: internal: KeyError: ['6']"),
        ("memory", 1, 1, "error: no memory left"),
        ("nan", 1, 1, "error: training: the loss became nan at step 7"),
        ("kill", 1, -1, "error: training: process 0 of 2 lost the others"),
        ("kill", 0, -1, "error: training: process 1 of 2 lost the others"),
    ],
)
def test_what_ends_one_process_ends_all_with_one_line(cli, folder, fault, rank, code, text) -> None:
    before = FAULT.format(model="embedder", rank=rank, fault=FAULTS[fault])
    done = cli(*EMBEDDER, "-o", "two", cwd=folder, processes=2, before=before, timeout=30)
    assert done.code == code, done.err
    assert text in done.err
    assert done.err.count("error:") == 1
    assert not (folder / "two").exists()


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("-o", "city.csv"), 1, "city.csv: found something that is no model dir"),
        (("--train-below", "1"), 1, "city.csv: found 1 of 20 users to train on"),
        (("--train-below", "2", "--validation-share", "0"), 0, "trained, weights of step 8"),
        (("--city", "a", "--city", "b"), 2, "--city: found 2 names"),
    ],
)
def test_bad_input_is_one_line(cli, folder, options, code, text) -> None:
    done = cli(*EMBEDDER, "-o", "x", *options, cwd=folder, processes=2, timeout=30)
    assert done.code == code, done.err
    assert done.err.count(text) == 1
    assert not (folder / "x.training").exists()


def test_two_processes_go_on_to_the_same_bits(cli, folder) -> None:
    def run(name: str, *options: str, **more) -> Run:
        return cli(*EMBEDDER, "-o", name, *options, cwd=folder, **more)

    assert run("straight", processes=2).code == 0
    fault = FAULT.format(model="embedder", rank=1, fault=FAULTS["raise"])
    assert run("two", processes=2, before=fault).code == 1
    done = run("two", processes=2)
    assert (done.code, "two.training: found an unfinished" in done.err) == (1, True)
    done = run("two", "--resume")
    assert done.code == 1
    assert "two.training: found 1 processes, expected 2 as in the training" in done.err
    done = run("two", "--resume", processes=2)
    assert done.code == 0, done.err
    for name in ("model.safetensors", "metrics.jsonl", "run.json"):
        first, second = (folder / one / name for one in ("straight", "two"))
        assert first.read_bytes() == second.read_bytes(), name

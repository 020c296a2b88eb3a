"""kill -9 at any moment, --resume, and the bytes are those of a run that nobody killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import environment, run_cli
from tests.execution.conftest import DIFFUSION, EMBED, FEW, FREE, GRAVITY, INTEND, PREDICT, SMALL
from tests.messages import fails, says

QUICK = {"predict": (PREDICT, SMALL), "intend": (INTEND, FEW), "gravity": (GRAVITY, FEW)}
TORCH = {"embed": (EMBED, SMALL), "diffusion": (DIFFUSION, FEW), "free": (FREE, FEW)}


def killed(arguments, cwd: Path, env: dict[str, str], after: float) -> bool:
    """Start a command in a process group of its own, and kill it all; whether it was in time."""
    process = subprocess.Popen(
        [sys.executable, "-m", "humobctl", *arguments],
        cwd=cwd,
        env=environment(**env),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


@pytest.mark.parametrize("name", QUICK)
def test_a_killed_run_goes_on_to_the_same_bytes(name, example_files, workdir) -> None:
    (command, env), draws = QUICK[name], random.Random(f"{name} 1")
    before = set(workdir.iterdir())
    command = (*command, "--resume", "--output")
    start = time.monotonic()
    done = run_cli(*command, "whole.parquet", cwd=workdir, env=env)
    took = time.monotonic() - start
    assert done.code == 0, done.err
    kills = [draws.uniform(0.4, 0.95) * took for _ in range(3)]
    caught = [killed((*command, "cut.parquet"), workdir, env, after) for after in kills]
    assert any(caught)
    done = run_cli(*command, "cut.parquet", cwd=workdir, env=env)
    assert done.code == 0, done.err
    assert (workdir / "cut.parquet").read_bytes() == (workdir / "whole.parquet").read_bytes()
    left = {path.name for path in set(workdir.iterdir()) - before}
    assert left == {"whole.parquet", "cut.parquet"}


@pytest.mark.parametrize("name", TORCH)
def test_a_killed_run_with_a_model_goes_on_to_the_same_bytes(
    name, place, warm_start, warm_cli
) -> None:
    (command, env), draws = TORCH[name], random.Random(f"{name} 1")
    before = set(place.iterdir())
    command = [*command, "--resume", "--output"]
    start = time.monotonic()
    done = warm_cli(*command, "whole.csv", cwd=place, env=env)
    took = time.monotonic() - start
    assert done.code == 0, done.err
    codes = [
        warm_start().run(
            [*command, "cut.csv"],
            input=b"",
            cwd=str(place),
            env=environment(**env),
            timeout=300,
            kill_after=draws.uniform(0.5, 0.95) * took,
        )[0]
        for _ in range(2)
    ]
    assert -signal.SIGKILL in codes
    done = warm_cli(*command, "cut.csv", cwd=place, env=env)
    assert done.code == 0, done.err
    assert (place / "cut.csv").read_bytes() == (place / "whole.csv").read_bytes()
    left = {path.name for path in set(place.iterdir()) - before}
    assert left == {"whole.csv", "cut.csv"}


def test_every_moment_of_a_part_can_be_the_last(workdir) -> None:
    """Killed after each number of finished parts, rather than after a time."""
    command = ("predict", "challenge.csv", "--model", "slot-mode", "--decode", "argmax")
    command = (*command, "--resume", "--output")
    whole = run_cli(*command, "whole.csv", cwd=workdir, env=SMALL)
    assert whole.code == 0, whole.err
    folder = workdir / "cut.csv.parts"
    for wanted in (1, 4, 9):
        process = subprocess.Popen(
            [sys.executable, "-m", "humobctl", *command, "cut.csv"],
            cwd=workdir,
            env=environment(**SMALL),
            start_new_session=True,
            stderr=subprocess.DEVNULL,
        )
        while len(list(folder.glob("part-*"))) < wanted and process.poll() is None:
            time.sleep(0.001)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = run_cli(*command, "cut.csv", cwd=workdir, env=SMALL)
    assert done.code == 0, done.err
    assert (workdir / "cut.csv").read_bytes() == (workdir / "whole.csv").read_bytes()


def test_ctrl_c_says_how_to_go_on(workdir) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "humobctl", *PREDICT, "--resume", "--output", "cut.csv"],
        cwd=workdir,
        env=environment(**SMALL),
        stderr=subprocess.PIPE,
        text=True,
    )
    folder = workdir / "cut.csv.parts"
    while not list(folder.glob("part-*")):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    says(said, "cut.csv.parts", "--resume")
    assert not (workdir / "cut.csv").exists()
    done = run_cli(*PREDICT, "--output", "cut.csv", cwd=workdir)
    fails(done, "cut.csv.parts", "unfinished", "--resume", "--overwrite")

"""kill -9 at any moment, --resume, and the bytes are those of a run that nobody killed."""

from __future__ import annotations

import functools
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import environment, run_cli
from tests.execution.conftest import (
    DIFFUSION,
    EMBED,
    FEW,
    FREE,
    GRAVITY,
    INTEND,
    PREDICT,
    SMALL,
    STAYS,
)
from tests.messages import fails, says
from tests.warm import dies

COMMANDS = {
    "predict": (PREDICT, SMALL),
    "intend": (INTEND, FEW),
    "gravity": (GRAVITY, FEW),
    "stays": (STAYS, {"HUMOBCTL_PART_ROWS": "100"}),
    "embed": (EMBED, SMALL),
    "diffusion": (DIFFUSION, FEW),
    "free": (FREE, FEW),
}


def cut_short(run, command, times: int, draws: random.Random) -> None:
    """Kill a run of ``cut.csv`` and those that go on with it, each before it could end.

    ``run`` is ``warm_cli`` in a folder. A run touches files ``times`` times in all.
    """
    for _ in range(3):
        done = run(*command, before=dies("cut.csv", draws.randint(1, times // 4)))
        assert done.code == -signal.SIGKILL, done.err


@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_run_goes_on_to_the_same_bytes(name, request, tmp_path, warm_cli) -> None:
    (command, env), draws = COMMANDS[name], random.Random(f"{name} 1")
    needs_torch = name in ("embed", "diffusion", "free")
    shutil.copytree(
        request.getfixturevalue("models" if needs_torch else "example_files"),
        tmp_path,
        dirs_exist_ok=True,
    )
    before = set(tmp_path.iterdir())
    run = functools.partial(warm_cli, cwd=tmp_path, env=env)
    command = (*command, "--resume", "--output")
    whole = run(*command, "whole.csv", before=dies("whole.csv"))
    assert whole.code == 0, whole.err
    cut_short(run, (*command, "cut.csv"), int(whole.err.splitlines()[-1]), draws)
    done = run(*command, "cut.csv")
    assert done.code == 0, done.err
    assert (tmp_path / "cut.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    left = {path.name for path in set(tmp_path.iterdir()) - before}
    assert left - {f"{name}.run.json" for name in ("whole.csv", "cut.csv")} == {
        "whole.csv",
        "cut.csv",
    }


def test_every_touch_of_a_file_can_be_the_last(workdir, warm_cli) -> None:
    """Killed before each of them in turn, from the first part to the name of the output."""
    command = ("predict", "challenge.csv", "--model", "slot-mode", "--decode", "argmax")
    command = (*command, "--resume", "--output")
    few = {"HUMOBCTL_PART_ROWS": "3000", "HUMOBCTL_PART_USERS": "4"}
    run = functools.partial(warm_cli, cwd=workdir, env=few)
    whole = run(*command, "whole.csv", before=dies("whole.csv"))
    assert whole.code == 0, whole.err
    times = int(whole.err.splitlines()[-1])
    assert times > 20
    for at in range(1, times + 1, 3):
        done = run(*command, "cut.csv", before=dies("cut.csv", at))
        assert done.code == -signal.SIGKILL, done.err
        done = run(*command, "cut.csv")
        assert done.code == 0, done.err
        assert (workdir / "cut.csv").read_bytes() == (workdir / "whole.csv").read_bytes()
        (workdir / "cut.csv").unlink()


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

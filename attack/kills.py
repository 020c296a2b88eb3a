"""Every long command, killed at any moment and started again: the end must be the same bytes."""

from __future__ import annotations

import random
import shutil
import signal
import tempfile
import time
from pathlib import Path

from attack.workers import Outcome
from tests.conftest import environment, make_examples, run_cli
from tests.execution.conftest import DIFFUSION, EMBED, FEW, FREE, GRAVITY, INTEND, PREDICT, SMALL
from tests.predict.llama import tiny
from tests.warm import WarmStart, dies

KILLS = 20
IN_A_ROW = 5
"""Kills of one run before it is let go on to its end."""
TINY = ("--preset", "tiny", "--steps", "6")
TRAINED = ("--hidden", "8", "--members", "2", "--epochs", "2", "--rows", "3000")
BERT = ("train", "bert-moe", "challenge.csv", "--preset", "tiny", "--max-steps", "4")
LLAMA = ("finetune", "llama", "challenge.csv", "--base", "tinyllama", "--preset", "tiny")
COMMANDS = {
    "data import": (("data", "import", "gps.csv", "--grid", "500m@39.6,116.0"), SMALL, False),
    "data mask": (("data", "mask", "city.csv", "--from-day", "60"), SMALL, False),
    "predict": (PREDICT, SMALL, True),
    "intend": (INTEND, FEW, True),
    "generate gravity": (GRAVITY, FEW, True),
    "generate diffusion": (DIFFUSION, FEW, True),
    "generate diffusion --count": (FREE, FEW, True),
    "embed": (EMBED, SMALL, True),
    "train ranker": (("train", "ranker", "challenge.csv", *TRAINED), {}, True),
    "train embedder": (("train", "embedder", "city.csv", *TINY), {}, True),
    "train diffusion": (("train", "diffusion", "stays.csv", *TINY), {}, True),
    "train bert-moe": (BERT, {}, True),
    "finetune llama": ((*LLAMA, "--max-steps", "4"), {}, True),
}
"""Name: the command line, its variables, and whether it takes --resume."""


def prepare(folder: Path) -> None:
    """Make the example files and models that the commands need."""
    make_examples(folder)
    tiny.make(folder / "tinyllama")
    days = ("train", "diffusion", "stays.csv", "--preset", "tiny", "--steps", "2")
    adapter = (*LLAMA, "--max-steps", "1", "--output", "trained")
    for command in (
        *((*days, "--output", "days"), (*days, "--condition", "none", "--output", "free")),
        adapter,
    ):
        done = run_cli(*command, cwd=folder)
        if done.code:
            raise RuntimeError(done.err)


def kill(name: str, examples: Path, warm: WarmStart, count: int = KILLS) -> Outcome:
    """Kill a command ``count`` times, half of them as it touches files, half at any time."""
    command, env, resumes = COMMANDS[name]
    draw, outcome = random.Random(name), Outcome()
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "run")
        shutil.copytree(examples, folder)
        before = _files(folder)

        def run(output: str, first: str = "") -> tuple[int, str]:
            arguments = [*command, *(["--resume"] if resumes else []), "--output", output]
            code, _, err = warm.run(
                [*map(str, arguments)],
                input=b"",
                cwd=str(folder),
                env=environment(**env),
                timeout=300,
                before=first,
            )
            return code, err.decode(errors="replace")

        start = time.monotonic()
        code, err = run("whole.csv", dies("whole.csv"))
        seconds, touches = time.monotonic() - start, int(err.splitlines()[-1])
        if code:
            raise RuntimeError(f"{name}: {err}")
        while outcome.tried < count:
            for _ in range(IN_A_ROW):
                by_touch = draw.random() < 0.5
                at = draw.randint(1, touches) if by_touch else draw.uniform(0.0, seconds)
                code, err = run("cut.csv", dies("cut.csv", int(at)) if by_touch else _later(at))
                if code != -signal.SIGKILL:
                    faults += _fault(code, err)
                    break
                outcome.tried += 1
            code, err = run("cut.csv")
            faults += _fault(code, err)
            if not _same(folder / "whole.csv", folder / "cut.csv"):
                faults.append("other bytes than those of a run that nobody killed")
            _remove(folder / "cut.csv")
        if left := _files(folder) - before - {"whole.csv"}:
            faults.append(f"left behind: {', '.join(sorted(left))}")
    outcome.findings = dict(enumerate(faults))
    return outcome


def _fault(code: int, err: str) -> list[str]:
    """What is wrong with an end; a training that was whole when it was killed is left alone."""
    whole = "found a model dir, expected a new name" in err
    return [f"exit {code}: {err[-300:]}"] if code and not whole else []


def _later(seconds: float) -> str:
    kill = "os.kill(os.getpid(), signal.SIGKILL)"
    timer = f"threading.Timer({seconds}, lambda: {kill})"
    return f"import os, signal, threading\nt = {timer}\nt.daemon = True\nt.start()"


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _same(one: Path, other: Path) -> bool:
    if one.is_dir():
        one, other = (next(folder.glob("*.safetensors"), folder) for folder in (one, other))
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

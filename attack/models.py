"""Models of those who mean ill, through every command that loads one."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from attack.workers import Outcome
from tests.conftest import environment
from tests.llm.hostile import ADAPTERS, CODE, MODELS, RAN, TEMPLATES, Change, copy_of
from tests.llm.test_hostile_models import COMMANDS, HISTORY, OFFLINE, PEOPLE, YES
from tests.warm import WarmStart

MOST_SECONDS = 90
ADAPTED = {
    "predict": ("predict", "challenge.csv", "--model", "adapter", "--output", "x.csv"),
    "merge": ("finetune", "merge", "adapter", "--output", "made"),
}


def attempts() -> Iterator[tuple[str, Change, str, tuple[str, ...]]]:
    """What is changed, how, where it lies, and the command that loads it."""
    for changes in (CODE, MODELS, TEMPLATES):
        for name, change in changes.items():
            for command, arguments in COMMANDS.items():
                yield f"{name}, {command}", change, "tinyllama", arguments
    for name, change in ADAPTERS.items():
        for command, arguments in ADAPTED.items():
            yield f"{name}, {command}", change, "trained", arguments


def attack(good: Path, warm: WarmStart) -> Outcome:
    """Each folder through each command, with somebody at standard input who says yes.

    Args:
        good: a folder with ``tinyllama`` and ``trained``, its adapter.
        warm: what commands are forked from.
    """
    outcome = Outcome()
    for number, (words, change, source, arguments) in enumerate(attempts()):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "people.csv").write_text(PEOPLE)
            (folder / "history.csv").write_text(HISTORY)
            (folder / "challenge.csv").write_text(HISTORY + "1,20,4,999,999\n")
            shutil.copytree(good / "trained", folder / "trained")
            model = "adapter" if source == "trained" else "model"
            copy_of(good / source, folder / model, change)
            start = time.monotonic()
            code, out, err = warm.run(
                list(arguments),
                input=YES.encode(),
                cwd=place,
                env=environment(**OFFLINE),
                timeout=MOST_SECONDS,
            )
            wrong = _faults(folder, code, (out + err).decode(errors="replace"))
            if time.monotonic() - start > MOST_SECONDS - 1:
                wrong.append("hung")
            outcome.tried += 1
            outcome.refused += code == 1
            if wrong:
                outcome.findings[number] = f"{words}: {', '.join(wrong)}"
    return outcome


def _faults(folder: Path, code: int, said: str) -> list[str]:
    found = ["code of the model was run"] if list(folder.rglob(RAN)) else []
    found += ["somebody was asked"] if "[y/N]" in said else []
    found += [f"exit {code}: {said[-300:]}"] if code not in (0, 1) else []
    found += [said[-300:]] if "internal:" in said or "Traceback" in said else []
    return found

"""The folder of an unfinished training, ``OUTPUT.training`` beside the model dir."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from humobctl import ranks
from humobctl.errors import HumobError
from humobctl.io.json_files import read_json
from humobctl.io.streams import clear_os_errors

NOTE = "job.json"


def folder_of(output: str) -> Path:
    """The folder for a model dir."""
    return Path(f"{output.rstrip('/')}.training")


def open_training_dir(
    work: Path, about: dict[str, Any], *, resume: bool, overwrite: bool, unfinished: bool
) -> None:
    """Make the folder, or see that the training in it is the one that is to go on.

    Args:
        work: the folder.
        about: settings and data, which it remembers as ``job.json``.
        resume: continue with the training that it holds.
        overwrite: throw that away.
        unfinished: whether it holds something to continue with.

    ``about`` gets the number of processes, on which batches and their rounding depend.

    Raises:
        HumobError: it holds a training that is not to go on, or another one than ``about``.
    """
    note = work / NOTE
    about = {**about, "processes": ranks.world_size()}
    with clear_os_errors(str(work)):
        if work.exists() and not resume:
            if not overwrite and unfinished:
                raise HumobError(
                    f"{work}: found an unfinished training, expected --resume to continue it or "
                    "--overwrite to start again"
                )
            shutil.rmtree(work)
        if not note.is_file():
            work.mkdir(exist_ok=True)
            partial = work / f".{NOTE}"
            partial.write_text(json.dumps(about, indent=2) + "\n")
            partial.rename(note)
            return
    before = {"processes": 1, **read_json(note, _ANEW)}
    for key, value in json.loads(json.dumps(about)).items():
        if before.get(key) != value:
            raise HumobError(f"{work}: {_difference(key, before.get(key), value)}")


_ANEW = "; --overwrite starts again"


def _difference(key: str, before: Any, now: Any) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        changed = [name for name in now if before.get(name) != now[name]]
        name = changed[0] if changed else key
        return f"found {name} = {now.get(name)}, expected {before.get(name)} as in the training"
    if key == "processes":
        return f"found {now} processes, expected {before} as in the training"
    return f"found other {key} than those of the training that --resume would go on with{_ANEW}"

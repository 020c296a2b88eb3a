"""What is needed to make an output again, beside each output and in each model dir.

``predicted.csv.run.json`` holds the command, its options, the versions of packages, and digests of
the model, the inputs and the output. Nothing of the time or the machine: the same command on the
same files gives the same record. Keys and passwords are left out.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from humobctl import __version__
from humobctl.console.safe_text import HIDDEN, hide_secrets
from humobctl.io.kept_inputs import Identity, leads_to
from humobctl.io.outputs import RECORD_ENDING

_PACKAGES = ("polars", "numpy", "torch", "transformers")
"""Packages whose versions can change a result."""
_SECRET_FIELD = re.compile(
    r"""((?:key|token|secret|passw\w*|pwd|auth\w*)["']?\s*[:=]\s*["']?)[^"'&\s,}]{4,}""", re.I
)
_MODELS = ("model", "base")

_calls: list[Callable[[], dict[str, Any]]] = []
_settled: list[dict[str, Any]] = []
"""Options that each call was left to choose."""


@contextmanager
def note_call(describe: Callable[[], dict[str, Any]]) -> Iterator[None]:
    """Until the block ends, what is written is that of a call of the library.

    Args:
        describe: gives its ``command`` and its ``options``.
    """
    _calls.append(describe)
    _settled.append({})
    try:
        yield
    finally:
        _calls.pop()
        _settled.pop()


def note_settled(**options: Any) -> None:
    """Note what stands for options that the call that goes on was not given, such as its model."""
    if _settled:
        _settled[-1].update(options)


def describe_run() -> dict[str, Any]:
    """Version, command and packages of the call that goes on; without the command if none does."""
    call = {"command": hide_fields(_calls[-1]()["command"])} if _calls else {}
    return {"version": __version__, **call, "packages": _versions()}


def write_run_record(output: str | os.PathLike[str] | None, noted: Mapping[Identity, str]) -> None:
    """Write the record of the call that goes on beside its output.

    Args:
        output: what was written; nothing is written beside standard output, a device or a pipe.
        noted: the files that were read.

    Raises:
        HumobError: it cannot be written.
    """
    from humobctl.io.streams import STANDARD, is_special, whole_file  # noqa: PLC0415 - helps need none

    place = Path(str(output))
    if output in (None, STANDARD) or is_special(place) or not place.exists():
        return
    known = _settled[-1] | _calls[-1]()["options"]
    options = {name: hide_fields(value) for name, value in known.items()}
    models = [options[name] for name in _MODELS if _is_there(options.get(name))]
    inputs = {
        hide_fields(name): fingerprint_of(name) if leads_to(name, identity) else None
        for identity, name in noted.items()
        if not any(Path(model) in Path(name).parents for model in models)
    }
    record = {
        **describe_run(),
        "options": options,
        "models": {model: fingerprint_of(model) for model in models},
        "inputs": dict(sorted(inputs.items())),
        "output": fingerprint_of(place),
    }
    with whole_file(f"{str(output).rstrip('/')}{RECORD_ENDING}") as partial:
        partial.write_text(json.dumps(record, indent=2) + "\n")


def hide_fields(value: Any) -> Any:
    """A text without secrets: keys of the environment, passwords of URLs, secret fields of JSON."""
    if isinstance(value, list):
        return [hide_fields(one) for one in value]
    if not isinstance(value, str):
        return value
    return _SECRET_FIELD.sub(rf"\g<1>{HIDDEN}", hide_secrets(value))


def fingerprint_of(path: str | Path) -> str:
    """A digest of a file, or of the names and contents of the files of a folder.

    Raises:
        HumobError: one cannot be read.
    """
    from humobctl.io.streams import clear_os_errors  # noqa: PLC0415 - helps need none

    place, digest = Path(path), hashlib.blake2b(digest_size=16)
    with clear_os_errors(str(path)):
        files = sorted(file for file in place.rglob("*") if file.is_file())
        for file in files if place.is_dir() else [place]:
            digest.update(f"{file.relative_to(place)}\0".encode())
            with file.open("rb") as content:
                while block := content.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()


def _is_there(name: object) -> bool:
    return isinstance(name, str) and Path(name).exists()


@functools.cache
def _versions() -> dict[str, str]:
    """Versions of Python and of those packages that are installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found

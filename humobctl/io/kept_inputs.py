"""No output over an input: what a command reads is not what it writes, by whatever name.

Files are known by device and inode, so that links and other spellings of a path make no difference.
Inputs are remembered as long as the command (or the call of the library) lasts that reads them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from humobctl.errors import UsageError

Identity = tuple[int, int]
"""Device and inode of a file."""
_scopes: list[dict[Identity, str]] = []


@contextmanager
def inputs_kept() -> Iterator[Mapping[Identity, str]]:
    """Until the block ends, nothing that is read in it is written over; what is read, by name."""
    scope: dict[Identity, str] = {}
    _scopes.append(scope)
    try:
        yield scope
    finally:
        # Scopes may be equal: this one goes, not the first that looks like it.
        _scopes[:] = [one for one in _scopes if one is not scope]


def note_input(path: str | Path | int, name: str, outputs: Iterable[Path] = ()) -> None:
    """Remember a file that is read.

    Args:
        path: of the file, or its descriptor.
        name: as messages say it.
        outputs: what is being written.

    Raises:
        UsageError: it is one of them.
    """
    if not _scopes:
        return
    identity = _identity(path)
    if identity is None:
        return
    for output in outputs:
        if _identity(output) == identity:
            raise _refusal(str(output), name)
    for scope in _scopes:  # a command still writes when its call of the library has ended
        scope[identity] = name


def refuse_input(path: str | Path, name: str | Path) -> None:
    """See that an output is not a file that is read.

    Args:
        path: of the output.
        name: as messages say it.

    Raises:
        UsageError: it is one.
    """
    identity = _identity(path) if _scopes else None
    for scope in _scopes:
        if identity in scope:
            raise _refusal(str(name), scope[identity])


def leads_to(name: str, identity: Identity) -> bool:
    """Whether the name of a file that was read, as messages say it, is a path to it."""
    return _identity(name) == identity


def _identity(path: str | Path | int) -> Identity | None:
    """Device and inode of a file; None for what is not an ordinary one."""
    try:
        found = os.fstat(path) if isinstance(path, int) else Path(path).stat()
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def _refusal(output: str, name: str) -> UsageError:
    return UsageError(
        f"{output}: found the input {name}, which the output would overwrite; choose another "
        "name for the output"
    )

"""One run an output, and folders that take their names when they are whole.

A run that writes ``out.csv`` holds a lock on ``.out.csv.lock`` beside it, and removes that file
when it ends. The kernel releases the lock of a process that was killed, so what such a process left
is in no run's way: the next run takes the lock over, and clears up.
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from humobctl import ranks
from humobctl.console import report, signals
from humobctl.errors import HumobError, reason
from humobctl.io import kept_inputs

if sys.platform != "win32":
    import fcntl

_held: dict[Path, int] = {}
"""Outputs of this process -> how often they are held."""


def behind_links(path: str | Path) -> Path:
    """Where a path leads, an output that is a symbolic link too: what it points to is written.

    Raises:
        HumobError: links that lead in a circle.
    """
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError) as exc:
        raise HumobError(f"{path}: found symbolic links that form a loop, expected a file") from exc


def note_input(path: str | Path | int, name: str) -> None:
    """Remember a file that this command reads, so that it is not written over.

    Args:
        path: of the file, or its descriptor.
        name: as messages say it.

    Raises:
        UsageError: it is an output of this command.
    """
    kept_inputs.note_input(path, name, outputs=_held)


def room_for(target: Path) -> Path:
    """Where hidden files of an output go: beside it, or into a folder that has to stay.

    A mounted folder cannot be replaced by another, nor one whose parent cannot be written.
    """
    if target.is_dir() and (target.is_mount() or not os.access(target.parent, os.W_OK)):
        return target
    return target.parent


def is_empty(folder: Path) -> bool:
    """Whether nothing is in a folder, but for the hidden files of those that write it."""
    return all(path.name.startswith(f".{folder.name}.") for path in folder.iterdir())


@contextmanager
def reserve(path: str | Path, *, name: str | None = None) -> Iterator[None]:
    """Hold an output for as long as the block lasts; this process may hold it several times.

    Of the processes of one training (torchrun), the first holds it for all.

    Args:
        path: the file or folder.
        name: as messages say it.

    Raises:
        HumobError: another run holds it, or the place cannot be written.
        UsageError: it is an input of this command.
    """
    kept_inputs.refuse_input(path, name or path)
    target = behind_links(path)
    if target in _held or not ranks.is_main() or sys.platform == "win32":
        _held[target] = _held.get(target, 0) + 1
        try:
            yield
        finally:
            _held[target] -= 1
            if not _held[target]:
                del _held[target]
        return
    lock = room_for(target) / f".{target.name}.lock"
    signals.claim()
    try:
        opened = _lock(lock, name or path)
    except OSError as exc:
        raise HumobError(f"{name or path}: {reason(exc)}") from exc
    if opened is None:
        yield
        return
    try:
        _held[target] = 1
        with signals.remove_if_ended(lock):
            _clear_up(target)
            yield
    finally:
        del _held[target]
        os.close(opened)


@contextmanager
def reserve_early(path: str | None) -> Iterator[None]:
    """A lock from the start of a command; other faults of the output are reported later."""
    if path is None or not _is_ordinary(Path(path)):
        yield
        return
    with reserve(path):
        yield


def replace_folder(partial: Path, target: Path) -> None:
    """Give a folder its name; what stood there goes only when the new one is there."""
    if not target.exists() or not any(target.iterdir()):
        partial.rename(target)  # an empty folder is replaced
        return
    old = partial.with_suffix(".old")
    target.rename(old)
    try:
        partial.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _is_ordinary(path: Path) -> bool:
    """Whether a file or folder can come to be there by renaming."""
    try:
        special = path.exists() and not path.is_file() and not path.is_dir()
        return path.name != "-" and not special and os.access(room_for(path), os.W_OK)
    except (OSError, ValueError):
        return False


if sys.platform != "win32":

    def _lock(lock: Path, shown: str | Path) -> int | None:
        """A descriptor that holds the lock; None on a file system that knows no locks."""
        while True:
            opened = _open(lock)
            held = take_lock(opened, lock)
            if held is not True:
                os.close(opened)
            if held is False:
                raise HumobError(
                    f"{shown}: found another run writing this file; wait for it, or choose "
                    "another name"
                )
            if held is None:
                lock.unlink(missing_ok=True)
                return None
            with suppress(FileNotFoundError):
                if os.path.samestat(lock.stat(), os.fstat(opened)):
                    return opened
            os.close(opened)  # the run before removed the file between our two steps

    def _open(lock: Path) -> int:
        """The file of a lock, to be written where that is allowed: NFS locks no other."""
        flags = os.O_CREAT | os.O_NOFOLLOW
        try:
            return os.open(lock, os.O_RDWR | flags, 0o644)
        except PermissionError:
            return os.open(lock, os.O_RDONLY | flags, 0o644)


def take_lock(opened: Any, path: str | Path) -> bool | None:
    """Lock an open file for this process, without waiting.

    Args:
        opened: the file, or its descriptor.
        path: of the file, for messages.

    Returns:
        Whether this process has the lock; None on a file system without locks (some of Lustre and
        NFS), of which there is one warning.
    """
    if sys.platform == "win32":  # where two runs are not kept apart
        return None
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as exc:
        _warn_of_no_locks(str(Path(path).parent), reason(exc))
        return None
    return True


@functools.cache
def _warn_of_no_locks(folder: str, why: str) -> None:
    report.warn(
        f"{folder}: this file system has no locks ({why}); let no two runs write the same output"
    )


def _clear_up(target: Path) -> None:
    """Remove what a killed run left; an output that it had moved away comes back."""
    for path in room_for(target).iterdir():
        number, _, ending = path.name.removeprefix(f".{target.name}.").partition(".")
        if not path.name.startswith(f".{target.name}.") or not number.isdigit():
            continue
        with suppress(OSError):
            if ending == "old" and not target.exists():
                path.rename(target)
            elif ending in ("part", "old"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

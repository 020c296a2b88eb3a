"""Folders of Parquet files that are one table: which files are read, and what their names say.

As Spark, Hive and Ray write them: all files below the folder, in the order of their names; a name
that begins with ``.`` or ``_`` (``_SUCCESS``, ``_metadata``) is not data; a folder that is called
``key=value`` gives the rows below it a column.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from humobctl.errors import HumobError, reason
from humobctl.io.frame_path import FramePath
from humobctl.io.outputs import RECORD_ENDING
from humobctl.tables.column_names import roles

MAGIC = b"PAR1"
"""The first and the last four bytes of a Parquet file."""
_ENDINGS = (".parquet", ".pq")
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
_NO_NAMES = "names that begin with . or _ are left out"


@dataclass(frozen=True)
class DatasetFile:
    """One file of a folder.

    Attributes:
        name: as messages say it: the folder as the user wrote it, and the file's place in it.
        path: the file.
        size: its bytes.
        keys: what ``key=value`` folders above it say; None for Hive's null.
    """

    name: str
    path: Path
    size: int
    keys: dict[str, str | None] = field(default_factory=dict)


def parquet_parts(folder: str) -> tuple[DatasetFile, ...]:
    """The Parquet files below a folder, by name.

    Raises:
        HumobError: there is none, or something else than whole Parquet files: links, devices and
            pipes are never followed or opened.
    """
    parts = tuple(_part(folder, path, place) for path, place in _files(folder))
    if not parts:
        raise HumobError(
            f"{folder}: found a directory without Parquet files ({_NO_NAMES}), expected a table"
        )
    return parts


def is_parquet_folder(path: str | Path) -> bool:
    """Whether a folder is a table in Parquet files, rather than a data set of another kind."""
    if not Path(path).is_dir():
        return False
    first = True
    for file, _ in _files(str(path), strict=False):
        if file.suffix.lower() in _ENDINGS:
            return True
        if first and _ends(file)[0] == MAGIC:
            return True
        first = False
    return False


def is_other_folder(path: str | Path) -> bool:
    """Whether a path is a folder that is read by what a program put there: trips, traces."""
    return not isinstance(path, FramePath) and Path(path).is_dir() and not is_parquet_folder(path)


def key_columns(keys: Iterable[str], names: Iterable[str]) -> list[str]:
    """The keys of ``key=value`` folders that are columns: they say what no column of the file does.

    Args:
        keys: of the folders.
        names: columns of the file.
    """
    listed = list(names)
    played = roles(listed).keys()
    return [
        key
        for key in keys
        if key not in listed and any(role not in played for role in roles([key]))
    ]


def _files(folder: str, *, strict: bool = True) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Files below the folder in the order of their names, and their places in it."""
    waiting: list[tuple[Path, tuple[str, ...]]] = [(Path(folder), ())]
    while waiting:
        path, place = waiting.pop()
        try:
            with os.scandir(path) as listed:
                entries = sorted(listed, key=lambda entry: entry.name, reverse=True)
        except NotADirectoryError:
            yield path, place
            continue
        except OSError as exc:
            if strict:
                raise HumobError(f"{_shown_path(folder, place)}: {reason(exc)}") from exc
            continue
        for entry in entries:
            if entry.name.startswith((".", "_")) or entry.name.endswith(RECORD_ENDING):
                continue
            inside = (*place, entry.name)
            if entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False):
                waiting.append((Path(entry.path), inside))
            elif strict:
                what = "a symbolic link" if entry.is_symlink() else "a device, pipe or socket"
                raise HumobError(
                    f"{_shown_path(folder, inside)}: found {what}, expected a Parquet file"
                )


def _part(folder: str, path: Path, place: tuple[str, ...]) -> DatasetFile:
    name = _shown_path(folder, place)
    try:
        first, last = _ends(path)
        size = path.stat().st_size
    except OSError as exc:
        raise HumobError(f"{name}: {reason(exc)}") from exc
    if not size:
        raise HumobError(f"{name}: found an empty file, expected Parquet")
    if first != MAGIC:
        raise HumobError(
            f"{name}: found something else than Parquet, expected Parquet files alone ({_NO_NAMES})"
        )
    if last != MAGIC or size < 3 * len(MAGIC):
        raise HumobError(f"{name}: found a Parquet file that is cut off, expected a whole one")
    return DatasetFile(name, path, size, _keys(place[:-1]))


def _ends(path: Path) -> tuple[bytes, bytes]:
    with path.open("rb") as file:
        first = file.read(len(MAGIC))
        file.seek(max(0, file.seek(0, os.SEEK_END) - len(MAGIC)))
        return first, file.read(len(MAGIC))


def _keys(folders: tuple[str, ...]) -> dict[str, str | None]:
    pairs = (name.partition("=") for name in folders)
    return {
        unquote(key): None if value == _HIVE_NULL else unquote(value)
        for key, sign, value in pairs
        if sign and key
    }


def _shown_path(folder: str, place: tuple[str, ...]) -> str:
    return os.path.join(folder, *place).encode(errors="replace").decode().replace("\n", "\\n")  # noqa: PTH118 - as the user wrote it


def parquet_columns(path: Path) -> list[str]:
    """Names of a file's columns; a ``*`` in its name is one."""
    import polars as pl  # noqa: PLC0415 - not for the start of every command

    return pl.scan_parquet(path, glob=False, hive_partitioning=False).collect_schema().names()

"""Writing a table as a folder of Parquet files, whole or not at all.

    part-00000.parquet ...              whole users in each, about ``FILE_ROWS`` rows
    uid_block=00000/part-00000.parquet  the same by blocks of users, where that was asked for
    _SUCCESS                            empty; written last

The files come to be in a hidden folder beside the target, which is renamed when all are whole.
``data/listing.py`` says what is read of a folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from humobctl.console import signals
from humobctl.console.words import pluralize
from humobctl.errors import HumobError, UsageError
from humobctl.io import stream_columnar
from humobctl.io.output_lock import is_empty, replace_folder, reserve, room_for
from humobctl.io.streams import STANDARD, clear_os_errors, is_folder

FILE_ROWS = 4_000_000
"""Rows of a file, up to the end of a user; twice as many for a user who has more."""
MAX_BLOCKS = 10_000
SUCCESS = "_SUCCESS"
"""The empty file that says that a folder is whole, as Hadoop and Spark write it."""


def part_name(number: int) -> str:
    """Name of a folder's file ``number``, from 0; names are in the order of the numbers."""
    return f"part-{number:05d}.parquet"


def check_folder_options(path: str | None, users_a_block: int | None) -> None:
    """Refuse blocks of users where no folder is written.

    Raises:
        UsageError: there is no folder.
    """
    if users_a_block is not None and not is_folder(path):
        shown = "standard output" if path in (None, STANDARD) else path
        raise UsageError(
            f"--users-per-block: found {shown} as output, expected a folder (a name that ends in /)"
        )


def check_folder(path: str | Path) -> Path:
    """The real path of a folder to write; refused before the work where it cannot be.

    Args:
        path: as the user gave it.

    Raises:
        HumobError: its parent is missing, or something is there that would be lost.
    """
    target = Path(path).resolve()
    if not target.parent.is_dir():
        raise HumobError(f"{path}: found no folder {target.parent}, expected an existing folder")
    if target.exists() and not target.is_dir():
        raise HumobError(f"{path}: found a file, expected a folder or a new name")
    with clear_os_errors(str(path)):
        empty = not target.is_dir() or is_empty(target)
    if not empty:
        raise HumobError(
            f"{path}: found a folder that is not empty, expected an empty one or a new name"
        )
    return target


@contextmanager
def whole_folder(path: str | Path, *, marker: bool = True) -> Iterator[Path]:
    """A folder to write files into; it takes its real name only when the block ends well.

    Everything is flushed to the disk before the name is given.

    Args:
        path: the folder; what stands there, if anything, is empty.
        marker: add ``_SUCCESS``.

    Raises:
        HumobError: see ``check_folder``; or no permission, or a full disk.
    """
    target = check_folder(path)
    beside = room_for(target)
    partial = beside / f".{target.name}.{os.getpid()}.part"
    with (
        reserve(target, name=str(path)),
        signals.remove_if_ended(partial),
        clear_os_errors(str(path)),
    ):
        check_folder(path)  # nobody else has written it meanwhile
        partial.mkdir()
        yield partial
        if marker:
            (partial / SUCCESS).touch()
        _flush(partial)
        if beside is target:
            _move_in(partial, target)
        else:
            replace_folder(partial, target)


def write_folder(
    batches: Iterable[pl.DataFrame],
    path: str | Path,
    schema: Mapping[str, pl.DataType],
    *,
    users_a_block: int | None = None,
) -> int:
    """Write batches of a table as a folder of Parquet files.

    Args:
        batches: frames with the columns of ``schema``.
        path: the folder.
        schema: what the table holds, so that an empty one still has its columns.
        users_a_block: users of each folder ``uid_block=...``: those whose uid divided by it is the
            block's number; users with names are counted as they appear. None for no such folders.

    Returns:
        Number of rows.

    Raises:
        HumobError: see ``whole_folder``; or there would be more than ``MAX_BLOCKS`` blocks.
        UsageError: blocks of a table without users.
    """
    if users_a_block is not None and "uid" not in schema:
        raise UsageError("--users-per-block: found a table without uid, expected one of users")
    with whole_folder(path) as folder:
        if users_a_block is not None:
            return _Blocks(folder, str(path), schema, users_a_block).write(batches)
        pieces = _Pieces(batches)
        number = 0
        while number == 0 or pieces.left():
            file = folder / part_name(number)
            stream_columnar.sink(
                pieces.next_users(FILE_ROWS), "parquet", file, dict(schema), str(path)
            )
            number += 1
    return pieces.rows


class _Pieces:
    """Batches, cut into pieces at the ends of users.

    Attributes:
        rows: rows given on so far.
    """

    def __init__(self, batches: Iterable[pl.DataFrame]) -> None:
        self._batches, self._held, self.rows = iter(batches), pl.DataFrame(), 0

    def left(self) -> bool:
        """Whether there are rows left."""
        while not self._held.height:
            batch = next(self._batches, None)
            if batch is None:
                return False
            self._held = batch
        return True

    def next_users(self, wanted: int) -> Iterator[pl.DataFrame]:
        """At least ``wanted`` rows if there are so many, up to the end of a user, at most twice."""
        taken, last = 0, None
        while taken < 2 * wanted and self.left():
            batch = self._held
            cut = self._end_of_user(batch, max(0, wanted - taken), last)
            cut = min(cut, 2 * wanted - taken)
            self._held = batch.slice(cut)
            taken, self.rows = taken + cut, self.rows + cut
            if cut:
                last = batch["uid"][cut - 1] if "uid" in batch.columns else None
                yield batch.head(cut)
            if self._held.height:
                return

    @staticmethod
    def _end_of_user(batch: pl.DataFrame, begin: int, last: object) -> int:
        """The first row from ``begin`` on that is of another user than the row before it."""
        if begin >= batch.height:
            return batch.height
        if "uid" not in batch.columns:
            return begin
        user = batch["uid"][begin - 1] if begin else last
        others = batch["uid"].slice(begin) != user
        return begin + int(others.arg_max() or 0) if others.any() else batch.height


class _Blocks:
    """Rows by blocks of users: held until there are many, then written block by block."""

    def __init__(
        self, folder: Path, name: str, schema: Mapping[str, pl.DataType], users: int
    ) -> None:
        self._folder, self._name, self._schema, self._users = folder, name, dict(schema), users
        self._held: dict[int, list[pl.DataFrame]] = {}
        self._files: dict[int, int] = {}
        self._numbers: dict[str, int] = {}
        self._rows = 0

    def write(self, batches: Iterable[pl.DataFrame]) -> int:
        """Write all batches; the number of rows."""
        rows = 0
        for batch in batches:
            if not batch.height:
                continue
            rows += batch.height
            last = self._hold(batch)
            if self._rows > FILE_ROWS:
                self._write_others(last)
        for block in sorted(self._held):
            self._write_block(block, pl.concat(self._held.pop(block)))
        if not rows:
            self._write_block(0, pl.DataFrame(schema=self._schema))
        return rows

    def _hold(self, batch: pl.DataFrame) -> int:
        """Sort a batch's rows into blocks; the block of the last row."""
        blocks = self._blocks(batch["uid"])
        parted = batch.with_columns(blocks.alias("")).partition_by(
            "", as_dict=True, include_key=False, maintain_order=True
        )
        for (block,), frame in parted.items():
            self._held.setdefault(int(block), []).append(frame)
        if len(self._held.keys() | self._files.keys()) > MAX_BLOCKS:
            raise HumobError(
                f"{self._name}: found more than {MAX_BLOCKS:,} blocks of "
                f"{pluralize(self._users, 'user')}, expected a larger --users-per-block"
            )
        self._rows += batch.height
        return int(blocks[-1])

    def _blocks(self, uid: pl.Series) -> pl.Series:
        if uid.dtype.is_integer():
            return uid.cast(pl.Int64) // self._users
        for name in uid.unique(maintain_order=True).to_list():
            self._numbers.setdefault(name, len(self._numbers))
        return uid.replace_strict(self._numbers, return_dtype=pl.Int64) // self._users

    def _write_others(self, last: int) -> None:
        """Write what is held, but for the block that is being filled or its last user."""
        for block in sorted(self._held.keys() - {last}):
            self._write_block(block, pl.concat(self._held.pop(block)))
        rows = pl.concat(self._held[last])
        if rows.height > FILE_ROWS:
            whole = rows["uid"] != rows["uid"][-1]
            if whole.any():
                self._write_block(last, rows.filter(whole))
                rows = rows.filter(~whole)
            else:
                self._write_block(last, rows)
                rows = rows.clear()
        self._held[last], self._rows = [rows], rows.height

    def _write_block(self, block: int, rows: pl.DataFrame) -> None:
        if not rows.height and self._files:
            return
        folder = self._folder / f"uid_block={block:05d}"
        number = self._files.get(block, 0)
        self._files[block] = number + 1
        folder.mkdir(exist_ok=True)
        stream_columnar.sink(
            [rows], "parquet", folder / part_name(number), self._schema, self._name
        )


# -- giving the name ----------------------------------------------------------------------------


def _flush(folder: Path) -> None:
    """Have the disk hold the folder and all that is in it."""
    for place, _, names in os.walk(folder):
        for path in (*(Path(place, name) for name in names), Path(place)):
            opened = os.open(path, os.O_RDONLY)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)


def _move_in(partial: Path, target: Path) -> None:
    """Move the files into a folder that stays; ``_SUCCESS`` last."""
    for entry in sorted(partial.iterdir(), key=lambda entry: entry.name == SUCCESS):
        entry.rename(target / entry.name)

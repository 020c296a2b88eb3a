"""Masking: hide cells that are to be predicted, as the HuMob challenges do (999 in x and y)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.console.words import flag, pluralize
from humobctl.data.split import check_fraction, shuffle_users
from humobctl.errors import HumobError, TableError, UsageError
from humobctl.io.parquet_folder import check_folder_options
from humobctl.io.read import iter_table
from humobctl.io.replayable import Spool
from humobctl.io.row_errors import OnError
from humobctl.io.streams import open_input
from humobctl.io.write import write_table
from humobctl.tables.schemas import MASKED, MAX_DAY

Users = NDArray[np.uint32]


@dataclass(frozen=True)
class Mask:
    """Which rows to mask: those of some days and of some users.

    At most one of ``users``, ``last``, ``fraction`` and ``users_file`` is given; with none of them,
    all users are meant.

    Attributes:
        from_day, to_day: first and last day (both inclusive).
        users: as many users, drawn at random.
        last: as many users, those with the highest uid (what HuMob masks).
        fraction: this fraction of the users (above 0, up to 1), drawn at random; at least one.
        users_file: a file with one uid a line.
        seed: of the draw, which does not depend on the order of rows.

    Raises:
        UsageError: the attributes do not go together.
    """

    from_day: int | None = None
    to_day: int | None = None
    users: int | None = None
    last: int | None = None
    fraction: float | None = None
    users_file: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what does not go together, and a fraction of nothing."""
        check_fraction("--fraction", self.fraction)
        given = [
            name
            for name in ("users", "last", "fraction", "users_file")
            if getattr(self, name) is not None
        ]
        if len(given) > 1:
            options = " and ".join(flag(name) for name in given)
            raise UsageError(f"found {options}, expected only one of them")
        if not given and self.from_day is None and self.to_day is None:
            raise UsageError(
                "found nothing to mask, expected --from-day, --to-day, --users, --last, --fraction "
                "or --users-file"
            )
        if None not in (self.from_day, self.to_day) and (self.to_day or 0) < (self.from_day or 0):
            raise UsageError(f"found --to-day {self.to_day} before --from-day {self.from_day}")

    def days(self) -> tuple[int, int]:
        """First and last day to mask."""
        first = 0 if self.from_day is None else self.from_day
        return first, MAX_DAY if self.to_day is None else self.to_day


@dataclass(frozen=True)
class Masked:
    """What was masked: rows that had a cell before, their users, and all rows written."""

    rows: int
    users: int
    written: int


def mask_table(
    path: str | None,
    output: str | None,
    mask: Mask,
    *,
    format: str | None = None,
    on_error: OnError = "fail",
    users_a_block: int | None = None,
) -> Masked:
    """Write a grid trajectory with some of its cells masked; all rows, in their order.

    Args:
        path: a file, or None or ``-`` for standard input.
        output: the same for output.
        mask: what to mask.
        format: of the output; by default the file's ending decides.
        on_error: stop at the first bad row of the input, or drop bad rows with a warning.
        users_a_block: users of each folder ``uid_block=...`` of a folder.

    Raises:
        HumobError: the input cannot be read, it lacks the users asked for, or nothing in it is
            left to mask (then nothing is written).
    """
    check_folder_options(output, users_a_block)
    source = "stdin" if path in (None, "-") else str(path)
    listed = None if mask.users_file is None else read_users(mask.users_file)
    with Spool(iter_table(path, on_error=on_error), source) as spool:
        chosen = choose_users(spool.users, mask, source, listed)
        hit = _hit(mask, chosen)
        rows, users = _count(spool, hit)
        if not rows:
            first, last = mask.days()
            end = "" if mask.to_day is None else f" to {last}"
            raise HumobError(
                f"{source}: found no cell to mask in days {spool.first_day}-{spool.last_day} of "
                f"{pluralize(len(spool.users), 'user')}, expected some from day {first}{end} of "
                f"{'all' if chosen is None else len(chosen)} users"
            )
        rows_out = _mask_cells(spool, hit)
        written = write_table(rows_out, output, format=format, users_a_block=users_a_block)
    return Masked(rows, users, written)


def choose_users(
    present: Users, mask: Mask, source: str, listed: Users | None = None
) -> Users | None:
    """The users to mask, or None for all of them.

    Args:
        present: users of the input, ascending.
        mask: which of them.
        source: name of the input.
        listed: users of ``mask.users_file``.

    Raises:
        HumobError: there are not so many users, or a listed one is not there.
    """
    if listed is not None:
        missing = np.setdiff1d(listed, present)
        if len(missing):
            raise HumobError(
                f"{mask.users_file}: found {pluralize(len(missing), 'user')} not in {source} (such "
                f"as {missing[0]}), expected users of it"
            )
        return listed
    wanted = mask.users if mask.users is not None else mask.last
    if mask.fraction is not None:
        wanted = max(1, round(mask.fraction * len(present)))
    if wanted is None:
        return None
    if wanted > len(present):
        raise HumobError(
            f"{source}: found {pluralize(len(present), 'user')}, expected at least {wanted}"
        )
    if mask.last is not None:
        return present[-wanted:]
    return shuffle_users(present, mask.seed)[:wanted]


def read_users(path: str) -> Users:
    """Users from a text file: one uid a line, under the heading ``uid`` or none.

    Raises:
        HumobError: the file cannot be read, holds none, or something else.
    """
    source = open_input(path)
    try:
        lines = source.stream.read().decode(errors="replace").removeprefix("\ufeff").splitlines()
    finally:
        source.close()
    found: list[int] = []
    for number, line in enumerate(lines, start=1):
        text = line.strip().strip('"')
        if not text or (number == 1 and text == "uid"):
            continue
        if not (text.isascii() and text.isdigit() and int(text) < 1 << 32):
            raise TableError(source.name, repr(text), "one uid a line", line=number)
        found.append(int(text))
    if not found:
        raise HumobError(f"{Path(path).name}: found no uid, expected one a line")
    return np.unique(np.array(found, dtype=np.uint32))


def _hit(mask: Mask, chosen: Users | None) -> pl.Expr:
    first, last = mask.days()
    hit = pl.col("d").is_between(first, last)
    return hit if chosen is None else hit & pl.col("uid").is_in(chosen.tolist())


def _count(spool: Spool, hit: pl.Expr) -> tuple[int, int]:
    """Rows that will lose their cell, and their users."""
    rows, users = 0, np.empty(0, dtype=np.uint32)
    for batch in spool:
        lost = batch.filter(hit & (pl.col("x") != MASKED))
        rows += lost.height
        users = np.union1d(users, lost["uid"].unique().to_numpy())
    return rows, len(users)


def _mask_cells(spool: Spool, hit: pl.Expr) -> Iterator[pl.DataFrame]:
    hidden = pl.lit(MASKED, dtype=pl.Int16)
    for batch in spool:
        yield batch.with_columns(
            pl.when(hit).then(hidden).otherwise(pl.col(name)).alias(name) for name in ("x", "y")
        )

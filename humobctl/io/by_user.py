"""Whole users at a time, from inputs of any order and size.

A small input stays in memory. A large one becomes sorted runs in a temporary folder (an external
sort): each run is one Arrow file in user order, and a group of users is a slice of every run. So
work on one group after another needs memory for a group only, however many users there are, and
groups come in user order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl

from humobctl.io.scratch import Scratch
from humobctl.io.streams import clear_os_errors
from humobctl.native import Int64s
from humobctl.tables.schemas import GRID

IN_MEMORY_ROWS = 4_000_000
"""Rows of a grid trajectory kept in memory: 44 MB."""
GROUP_ROWS = 2_000_000
"""Rows of a group of users, over all inputs; one user alone may have more."""

_ALL_USERS = (0, 1 << 32)


@dataclass(frozen=True)
class _Run:
    """A file of rows in user order: its users, and where each one's rows start."""

    path: Path
    users: Int64s
    starts: Int64s

    def slice(self, low: int, high: int) -> pl.DataFrame:
        first, last = np.searchsorted(self.users, [low, high])
        begin, end = int(self.starts[first]), int(self.starts[last])
        return pl.scan_ipc(self.path).slice(begin, end - begin).collect()


class UserStore(Scratch):
    """Collects batches of a grid trajectory; gives them back by groups of whole users.

    Use it as a context manager: the temporary files go when it closes.

    Attributes:
        rows: rows collected.
        first_day, last_day: range of d; None before the first row.
        dtypes: columns and their types.
        when: column of whole numbers that orders a user's rows in time.
    """

    dtypes: ClassVar[dict[str, pl.DataType]] = GRID.dtypes
    when = "d"

    def __init__(self) -> None:
        self.rows = 0
        self.first_day: int | None = None
        self.last_day: int | None = None
        self._held: list[pl.DataFrame] = []
        self._held_rows = 0
        self._runs: list[_Run] = []

    @property
    def spilled(self) -> bool:
        """Whether the rows went to disk."""
        return self.has_scratch

    def collect(self, batches: Iterable[pl.DataFrame]) -> UserStore:
        """Take in all batches."""
        for batch in batches:
            if not batch.height:
                continue
            low, high = int(batch[self.when].min()), int(batch[self.when].max())  # type: ignore[arg-type]
            self.first_day = low if self.first_day is None else min(low, self.first_day)
            self.last_day = high if self.last_day is None else max(high, self.last_day)
            self.rows += batch.height
            self._held.append(batch)
            self._held_rows += batch.height
            if self._held_rows > IN_MEMORY_ROWS:
                self.spill()
        return self

    def spill(self) -> None:
        """Move what is in memory to a sorted run on disk."""
        with clear_os_errors("temporary files"):
            self._spill()

    def _spill(self) -> None:
        folder = self.scratch
        if not self._held:
            return
        run = pl.concat(self._held).sort("uid")
        path = folder / f"{len(self._runs)}.arrow"
        run.write_ipc(path, record_batch_size=1 << 16)
        counts = run.group_by("uid", maintain_order=True).len()
        starts = np.append(0, np.cumsum(counts["len"].to_numpy().astype(np.int64)))
        self._runs.append(_Run(path, counts["uid"].to_numpy().astype(np.int64), starts))
        self._held, self._held_rows = [], 0

    def counts(self) -> tuple[Int64s, Int64s]:
        """Users and their rows, run by run (a user may stand in several runs)."""
        if not self.spilled:
            uid = self.group(*_ALL_USERS)["uid"].to_numpy()
            begins = np.flatnonzero(np.append(True, uid[1:] != uid[:-1]))[: len(uid)]
            return uid[begins].astype(np.int64), np.diff(np.append(begins, len(uid)))
        self.spill()
        if not self._runs:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        users = np.concatenate([run.users for run in self._runs])
        return users, np.concatenate([np.diff(run.starts) for run in self._runs])

    def group(self, low: int, high: int) -> pl.DataFrame:
        """All rows of the users from ``low`` to below ``high``, sorted by uid, d and t."""
        if self.spilled:
            return self.in_order(self._concat([run.slice(low, high) for run in self._runs]))
        rows = self.in_order(self._concat(self._held))
        if self._held:
            self._held = [rows]
        return rows if (low, high) == _ALL_USERS else between(rows, low, high)

    def in_order(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows by user and time."""
        return sort_by_key(frame)

    def _concat(self, frames: list[pl.DataFrame]) -> pl.DataFrame:
        return pl.concat(frames) if frames else pl.DataFrame(schema=self.dtypes)


class PointStore(UserStore):
    """Collects points instead: uid, at (microseconds of the clock since 1970), lat and lon.

    ``first_day`` and ``last_day`` are the range of ``at``. Rows of one user and moment are in the
    order of their coordinates, so that that of the input does not matter.
    """

    dtypes: ClassVar = {
        "uid": pl.UInt32(),
        "at": pl.Int64(),
        "lat": pl.Float64(),
        "lon": pl.Float64(),
    }
    when = "at"

    def in_order(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The points by user, time and coordinates."""
        return frame.sort("uid", "at", "lat", "lon")


class RecordStore(PointStore):
    """Collects points with the place that each was recorded at, and its category."""

    dtypes: ClassVar = {**PointStore.dtypes, "place_id": pl.String(), "category": pl.String()}


def keys(frame: pl.DataFrame) -> pl.Series:
    """One int64 per row that orders it by uid, then d, then t (t in the lowest 8 bits)."""
    return frame.select(
        key=pl.col("uid").cast(pl.Int64) * (1 << 24)
        + pl.col("d").cast(pl.Int64) * (1 << 8)
        + pl.col("t")
    )["key"]


def sort_by_key(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame sorted by uid, d and t; at no cost where it is sorted already."""
    key = keys(frame)
    return frame if key.is_sorted() else frame.select(pl.all().sort_by(key))


def between(rows: pl.DataFrame, low: int, high: int) -> pl.DataFrame:
    """The rows of the users from ``low`` to below ``high``, of rows sorted by uid."""
    begin, end = (int(at) for at in np.searchsorted(rows["uid"].to_numpy(), [low, high]))
    return rows[begin:end]


def paired_parts(
    stores: list[UserStore], rows: int
) -> Iterator[tuple[int, int, tuple[pl.DataFrame, ...]]]:
    """The same users of several stores, in parts of whole users and about ``rows`` rows.

    Parts depend on the data alone, not on whether they are in memory.

    Yields:
        First user, the one after the last, and the rows of each store.
    """
    users, counts = _all_counts(stores)
    if not len(users):
        return
    before = np.cumsum(counts) - counts
    together = rows * max(1, GROUP_ROWS // rows)
    for begin, end in _cuts(before // together):
        high = int(users[end]) if end < len(users) else _ALL_USERS[1]
        groups = [store.group(int(users[begin]), high) for store in stores]
        for first, last in _cuts(before[begin:end] // rows):
            upto = int(users[begin + last]) if begin + last < end else high
            low = int(users[begin + first])
            yield low, upto, tuple(between(group, low, upto) for group in groups)


def _all_counts(stores: list[UserStore]) -> tuple[Int64s, Int64s]:
    """Users of all stores, ascending, and their rows."""
    found = [store.counts() for store in stores]
    users, inverse = np.unique(np.concatenate([u for u, _ in found]), return_inverse=True)
    rows = np.bincount(inverse, weights=np.concatenate([n for _, n in found]))
    return users.astype(np.int64), rows.astype(np.int64)


def _cuts(numbers: Int64s) -> list[tuple[int, int]]:
    """Where runs of equal numbers begin and end."""
    begins = np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1])).tolist()
    return list(zip(begins, [*begins[1:], len(numbers)], strict=True))


def paired_groups(stores: list[UserStore]) -> Iterator[tuple[pl.DataFrame, ...]]:
    """The same users of several stores, group after group, in user order."""
    for low, high in _plan(stores):
        yield tuple(store.group(low, high) for store in stores)


def _plan(stores: list[UserStore]) -> list[tuple[int, int]]:
    """Ranges of users that hold about GROUP_ROWS rows over all stores."""
    if not any(store.spilled for store in stores):
        return [_ALL_USERS]
    for store in stores:
        store.spill()
    users, rows = _all_counts(stores)
    part = (np.cumsum(rows) - rows) // GROUP_ROWS
    begins = users[np.flatnonzero(np.diff(part, prepend=-1))].tolist()
    return list(zip(begins, [*begins[1:], _ALL_USERS[1]], strict=True))

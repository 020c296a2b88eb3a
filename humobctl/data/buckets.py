"""Whole users at a time, from inputs of any order and size.

A small input stays in memory. A large one is spread over buckets of users in a temporary folder
(a user's rows always fall into one bucket), so that work on one bucket after another needs memory
for a bucket only, however many users there are.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

import polars as pl

from humobctl.data.schemas import GRID

IN_MEMORY_ROWS = 4_000_000
"""Rows of a grid trajectory kept in memory: 44 MB."""
BUCKETS = 64


class UserBuckets:
    """Collects batches of a grid trajectory; gives them back by groups of whole users.

    Use it as a context manager: the temporary files go when it closes.

    Attributes:
        rows: rows collected.
        first_day, last_day: range of d; None before the first row.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.first_day: int | None = None
        self.last_day: int | None = None
        self._held: list[pl.DataFrame] = []
        self._held_rows = 0
        self._folder: Path | None = None
        self._flushes = 0

    def __enter__(self) -> UserBuckets:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def spilled(self) -> bool:
        """Whether the rows went to disk."""
        return self._folder is not None

    def collect(self, batches: Iterable[pl.DataFrame]) -> UserBuckets:
        """Take in all batches."""
        for batch in batches:
            if not batch.height:
                continue
            low, high = int(batch["d"].min()), int(batch["d"].max())  # type: ignore[arg-type]
            self.first_day = low if self.first_day is None else min(low, self.first_day)
            self.last_day = high if self.last_day is None else max(high, self.last_day)
            self.rows += batch.height
            self._held.append(batch)
            self._held_rows += batch.height
            if self._held_rows > IN_MEMORY_ROWS:
                self.spill()
        return self

    def spill(self) -> None:
        """Move what is in memory to the buckets on disk."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="humobctl-"))
        if not self._held:
            return
        held = pl.concat(self._held).with_columns(bucket=pl.col("uid") % BUCKETS)
        for key, part in held.partition_by("bucket", as_dict=True, include_key=False).items():
            folder = self._folder / f"{key[0]}"
            folder.mkdir(exist_ok=True)
            part.write_ipc(folder / f"{self._flushes}.arrow")
        self._flushes += 1
        self._held, self._held_rows = [], 0

    def groups(self) -> int:
        """Number of groups of users: 1 in memory, else the number of buckets."""
        return BUCKETS if self.spilled else 1

    def group(self, index: int) -> pl.DataFrame:
        """All rows of the users of one group, sorted by uid, d and t."""
        if not self.spilled:
            return sorted_by_key(_concat(self._held))
        self.spill()
        assert self._folder is not None
        files = sorted((self._folder / f"{index}").glob("*.arrow"))
        return sorted_by_key(_concat([pl.read_ipc(file) for file in files]))


def _concat(frames: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(frames) if frames else pl.DataFrame(schema=GRID.dtypes)


def keys(frame: pl.DataFrame) -> pl.Series:
    """One int64 per row that orders it by uid, then d, then t (t in the lowest 8 bits)."""
    return frame.select(
        key=pl.col("uid").cast(pl.Int64) * (1 << 24)
        + pl.col("d").cast(pl.Int64) * (1 << 8)
        + pl.col("t")
    )["key"]


def sorted_by_key(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame sorted by uid, d and t; at no cost where it is sorted already."""
    key = keys(frame)
    return frame if key.is_sorted() else frame.select(pl.all().sort_by(key))


def paired_groups(sides: list[UserBuckets]) -> Iterator[tuple[pl.DataFrame, ...]]:
    """The same users of several inputs, group after group."""
    if any(side.spilled for side in sides):
        for side in sides:
            side.spill()
    for index in range(sides[0].groups()):
        yield tuple(side.group(index) for side in sides)

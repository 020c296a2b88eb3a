"""Which (uid, d, t) were seen already: one bit each, so that 100,000 users take 45 MB."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.native import library
from humobctl.tables.schemas import SLOTS_PER_DAY

_DAYS_PER_PAGE = 80
_PAGE = _DAYS_PER_PAGE * SLOTS_PER_DAY  # bits of one user and 80 days: 480 bytes


class SeenKeys:
    """A growing bitmap over user, page of 80 days, day and slot."""

    def __init__(self) -> None:
        self._pages: dict[int, int] = {}
        self._bits: NDArray[np.uint8] = np.zeros(64 * _PAGE // 8, dtype=np.uint8)

    def mark(self, frame: pl.DataFrame) -> int | None:
        """Mark all rows; the index of the first that was marked before, or None.

        Args:
            frame: a checked grid trajectory. Rows after a repeat are left unmarked.
        """
        if frame.height == 0:
            return None
        keys = self._keys(frame)
        index = int(library().humob_mark_seen(self._bits, keys, len(keys)))
        return None if index < 0 else index

    def repeats(self, frame: pl.DataFrame, first: int) -> pl.Series:
        """Which rows repeat an earlier one, given that ``mark`` stopped at row ``first``."""
        keys = self._keys(frame)
        found = np.zeros(len(keys), dtype=bool)
        at = first
        while at < len(keys):
            found[at] = True
            rest = np.ascontiguousarray(keys[at + 1 :])
            step = int(library().humob_mark_seen(self._bits, rest, len(rest)))
            if step < 0:
                break
            at += 1 + step
        return pl.Series("repeat", found)

    def _keys(self, frame: pl.DataFrame) -> NDArray[np.int64]:
        day = frame["d"].to_numpy().astype(np.int64)
        owner = frame["uid"].to_numpy().astype(np.int64) << 16 | day // _DAYS_PER_PAGE
        # Rows of one user mostly stand together: number the runs, not the rows.
        starts = np.flatnonzero(np.diff(owner, prepend=owner[0] - 1))
        pages = np.array(
            [self._pages.setdefault(o, len(self._pages)) for o in owner[starts].tolist()],
            dtype=np.int64,
        )
        lengths = np.diff(np.append(starts, len(owner)))
        self._grow()
        slot = (day % _DAYS_PER_PAGE) * SLOTS_PER_DAY + frame["t"].to_numpy()
        keys: NDArray[np.int64] = np.repeat(pages, lengths) * _PAGE + slot
        return keys

    def _grow(self) -> None:
        needed = len(self._pages) * _PAGE // 8
        if needed > len(self._bits):
            more = np.zeros(max(needed, 2 * len(self._bits)) - len(self._bits), dtype=np.uint8)
            self._bits = np.concatenate([self._bits, more])


class SeenRows:
    """Duplicates among the keys of small tables, kept as they are."""

    def __init__(self, key: tuple[str, ...]) -> None:
        self._key = key
        self._rows: set[tuple[object, ...]] = set()

    def mark(self, frame: pl.DataFrame) -> int | None:
        """Mark all rows; the index of the first that was marked before, or None."""
        rows = frame.select(self._key).rows()
        fresh = set(rows)
        if len(fresh) == len(rows) and self._rows.isdisjoint(fresh):  # almost always, and quick
            self._rows |= fresh
            return None
        for index, row in enumerate(rows):
            if row in self._rows:
                return index
            self._rows.add(row)
        return None

    def repeats(self, frame: pl.DataFrame, first: int) -> pl.Series:
        """Which rows repeat an earlier one, given that ``mark`` stopped at row ``first``."""
        found = [False] * frame.height
        for index, row in enumerate(frame.select(self._key).iter_rows()):
            if index >= first:
                found[index] = row in self._rows
                self._rows.add(row)
        return pl.Series("repeat", found)

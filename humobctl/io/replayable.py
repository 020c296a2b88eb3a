"""A stream that can be gone through again: in memory while small, on disk when large."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.errors import HumobError
from humobctl.io.scratch import Scratch
from humobctl.io.streams import clear_os_errors

IN_MEMORY_ROWS = 4_000_000
"""Rows of a grid trajectory kept in memory: 44 MB."""


class Spool(Scratch):
    """Batches of a grid trajectory in their order, with their users and days.

    Use it as a context manager: temporary files go when it closes.

    Attributes:
        source: name of the input, for messages.
        rows: number of rows.
        users: the distinct users, ascending.
        first_day, last_day: range of d.

    Raises:
        HumobError: there is no row at all, or no room for temporary files.
    """

    def __init__(self, batches: Iterable[pl.DataFrame], source: str) -> None:
        self.source, self.rows = source, 0
        self._parts: list[pl.DataFrame | Path] = []
        try:
            self._fill(batches)
        except BaseException:
            self.close()
            raise

    def _fill(self, batches: Iterable[pl.DataFrame]) -> None:
        users: NDArray[np.uint32] = np.empty(0, dtype=np.uint32)
        days: list[int] = []
        for batch in batches:
            if not batch.height:
                continue
            self.rows += batch.height
            users = np.union1d(users, batch["uid"].unique().to_numpy())
            low_high = batch.select(low=pl.col("d").min(), high=pl.col("d").max()).row(0)
            days = [min([*days, *low_high]), max([*days, *low_high])]
            self._parts.append(batch if self.rows <= IN_MEMORY_ROWS else self._spill(batch))
        if not self.rows:
            raise HumobError(f"{self.source}: found no good row, expected at least one")
        self.users = users
        self.first_day, self.last_day = days

    def _spill(self, batch: pl.DataFrame) -> Path:
        with clear_os_errors("temporary files"):
            path = self.scratch / f"{len(self._parts)}.arrow"
            batch.write_ipc(path)
        return path

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """The batches again, as often as wanted."""
        for part in self._parts:
            yield part if isinstance(part, pl.DataFrame) else pl.read_ipc(part)

"""A table beside the main output: collected on disk, written when the main one is complete."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from humobctl.io.scratch import Scratch
from humobctl.tables.schemas import Table


class SideTable(Scratch):
    """Takes frames in, and gives them back in their order; a context manager.

    Attributes:
        table: what it holds.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self._parts = 0

    def add(self, rows: pl.DataFrame) -> None:
        """Keep rows."""
        rows.write_ipc(self.scratch / f"{self._parts}.arrow", compression="lz4")
        self._parts += 1

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """All frames that were kept."""
        for part in range(self._parts):
            yield pl.read_ipc(self.scratch / f"{part}.arrow")

"""Tables beside the main output: parts that hold them, and one that is collected on disk.

It is written when the main one is complete.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from humobctl.io.scratch import Scratch
from humobctl.tables.schemas import Table


def pack(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Several tables as one frame of one row, which is kept as one finished part."""
    return pl.DataFrame([frame.to_struct(name).implode() for name, frame in tables.items()])


def unpack(packed: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The tables of a part, by name."""
    return {name: packed[name].explode().struct.unnest() for name in packed.columns}


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

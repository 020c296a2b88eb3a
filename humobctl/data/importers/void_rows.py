"""Rows at latitude 0, longitude 0: what devices and data sets write where they know no place."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from humobctl.console.words import pluralize
from humobctl.data.importers.delimited import Batch
from humobctl.io.row_errors import LineNumbers


@dataclass
class VoidRows:
    """Leaves such rows out, and counts them.

    Attributes:
        keep: keep them instead.
        count: rows left out so far.
    """

    keep: bool = False
    count: int = 0

    def left_out(self, frame: pl.DataFrame, places: LineNumbers) -> Batch:
        """The other rows of a checked frame, and where they stand."""
        if self.keep:
            return frame, places
        void = (frame["lat"] == 0) & (frame["lon"] == 0)
        if not void.any():
            return frame, places
        kept = ~void.fill_null(False)
        self.count += frame.height - int(kept.sum())
        return frame.filter(kept), places.keep(kept)

    def notes(self) -> list[str]:
        """What was left out, for people."""
        if not self.count:
            return []
        rows = pluralize(self.count, "void row")
        return [f"left out {rows} at latitude 0, longitude 0 (--keep-zero keeps them)"]

"""HuMob's places by cell (``cell_POIcat``): x, y, category and how many places of it are there.

Nothing says where in its cell a place is: each is drawn uniformly in it, always the same for the
same file. Categories are numbers, of which ``humob.csv`` has the names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import dataframely as dy
import numpy as np
import polars as pl

from humobctl.data.importers.delimited import Batch, Delimited
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.places.assign import Assigned
from humobctl.data.importers.places.mapping import mapping_for, own_rules
from humobctl.errors import HumobError, TableError, UsageError
from humobctl.io.read import Reader
from humobctl.io.row_errors import LineNumbers
from humobctl.tables.column_names import plain
from humobctl.tables.grid import Grid
from humobctl.tables.schemas import PLACES, Table

NAMES = ("x", "y", "POIcategory", "POI_count")
_ROLES = {
    "x": "x",
    "y": "y",
    "poicategory": "category",
    "category": "category",
    "poicount": "count",
}
_SEED = 0


class CellPlaces(dy.Schema):
    """How many places of a category are in a cell."""

    x = dy.Int16(min=1, metadata={"expected": "a cell from 1"})
    y = dy.Int16(min=1, metadata={"expected": "a cell from 1"})
    category = dy.String(metadata={"expected": "a category"})
    count = dy.UInt32(min=1, max=1_000_000, metadata={"expected": "a number of places from 1"})


CELL_PLACES = Table("places by cell", CellPlaces, key=("x", "y", "category"))


def is_cell_places(names: Sequence[str]) -> bool:
    """Whether these are the columns of HuMob's places by cell."""
    return {"x", "y", "category", "count"} <= {_ROLES.get(plain(name), "") for name in names}


@dataclass
class CellReader(Reader):
    """Reads places by cell, and makes one place of each.

    Attributes:
        options: the grid, the mapping, and what to do with faults.
        header_names: the file's columns; None: it has no header.
        notes: things to say when all is read.

    Raises:
        UsageError: there is no grid to put the cells on.
    """

    options: ImportOptions = field(default_factory=ImportOptions)
    header_names: list[str] | None = None
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse cells that are nowhere."""
        if self.options.grid is None:
            raise UsageError(
                f"{self.source.name}: places by cell need --grid and --axes: the locations of "
                "HuMob's cities are not public, so choose one; the city of 'humobctl data synth' "
                "is on --grid 500m@40,-30,200x200 --axes east,north"
            )

    def _parse(self) -> Iterator[Batch]:
        if self.source.kind != "csv":
            yield from super()._parse()
            return
        text = Delimited(
            self.source,
            self.separator,
            None if self.header_names else list(NAMES),
            on_error=self.on_error,
            dropped=self.dropped,
        )
        for frame, places in text.frames():
            yield self._cast(self._rename_columns(frame), places)

    def _rename_columns(self, frame: pl.DataFrame) -> pl.DataFrame:
        found = {_ROLES[plain(name)]: name for name in frame.columns if plain(name) in _ROLES}
        found |= {new: old for old, new in self.options.columns.items() if new}
        lacking = [name for name in self.table.columns if found.get(name) not in frame.columns]
        if lacking:
            raise HumobError(
                f"{self.source.name}: found columns {', '.join(frame.columns)}, expected "
                f"{', '.join(NAMES)} (missing: {', '.join(lacking)})"
            )
        return frame.select(pl.col(found[name]).alias(name) for name in self.table.columns)

    def batches(self) -> Iterator[pl.DataFrame]:
        """Checked batches of a place table.

        Raises:
            HumobError: a fault, a cell outside the grid, or no place of any intent.
        """
        grid = self.options.grid
        assert grid is not None
        assigned = Assigned(mapping_for(self.options.mapping, "humob"), self.options.keep_unmapped)
        draws, total = np.random.default_rng(_SEED), 0
        for batch in super().batches():
            places = _scatter(self._inside(batch, grid), grid, draws)
            kept, _ = assigned.intents(places, LineNumbers(1))
            total += kept.height
            if kept.height:
                yield kept.select(pl.col(name).cast(dtype) for name, dtype in PLACES.dtypes.items())
        if not total:
            raise HumobError(assigned.nothing(self.source.name))
        self.notes += assigned.notes()

    def _inside(self, batch: pl.DataFrame, grid: Grid) -> pl.DataFrame:
        inside = batch.select(grid.inside(pl.col("x"), pl.col("y"))).to_series()
        if inside.all():
            return batch
        first = batch.filter(~inside).row(0)
        found = f"the cell {first[0]}, {first[1]}"
        error = TableError(self.source.name, found, f"cells of --grid ({grid})", column="x, y")
        if self.options.outside == "fail":
            raise error
        self.dropped.add("outside the grid", error, int((~inside).sum()))
        return batch.filter(inside)


def _scatter(cells: pl.DataFrame, grid: Grid, draws: np.random.Generator) -> pl.DataFrame:
    """One row a place, somewhere in its cell; ids are ``x-y-category-number``."""
    each = cells.select(pl.all().repeat_by("count").explode())
    number = each.select(pl.int_range(1, pl.len() + 1).over("x", "y", "category")).to_series()
    # Row by row, so that the size of a batch does not change who stands where.
    within = draws.random((each.height, 2))
    x, y = (pl.col(axis) + pl.Series(within[:, at]) - 0.5 for at, axis in enumerate("xy"))
    lat, lon = grid.centre(x, y)
    names = [rule.category for rule in own_rules("humob")]
    numbers = [str(at) for at in range(1, len(names) + 1)]
    category = pl.col("category").replace(numbers, names)
    return each.select(
        place_id=pl.format("{}-{}-{}-{}", "x", "y", "category", number),
        name=pl.lit(None, pl.String),
        category=category,
        lat=lat,
        lon=lon,
        categories=category,
    )

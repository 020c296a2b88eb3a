"""HuMob grid trajectories of any year.

Sources: HuMob Challenge 2023 and 2024 count days 0-74, the GIS Cup 2025 counts 1-75; all have
cells 1-200 and half hours 0-47, with 999 for a masked cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import dataframely as dy
import polars as pl

from humobctl.data.importers.delimited import Batch
from humobctl.data.importers.extra_columns import SeparatedReader
from humobctl.data.importers.import_reader import ImportReader
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.user_ids import are_names
from humobctl.errors import HumobError, UsageError
from humobctl.io.csv_records import nameless, split_record
from humobctl.io.read import Reader
from humobctl.io.streams import Input
from humobctl.tables.column_names import roles
from humobctl.tables.schemas import GRID, MAX_DAY, GridTrajectory, Table

DAYS = {"humob23": (0, 74), "humob24": (0, 74), "humob25": (1, 75), "grid": (0, MAX_DAY)}
"""Format -> first and last day."""
DAYS_UNSAID = (0, 75)
"""Days of HuMob data of a year that is not said."""
_HEAD = 1 << 16


def grid_table(first: int, last: int) -> Table:
    """The grid trajectory table with days from ``first`` to ``last`` only."""
    expected = f"a day index from {first} to {last}"
    if (first, last) == DAYS_UNSAID:
        expected += " (--max-day or --format grid allows more)"
    day = dy.Int16(min=first, max=last, metadata={"expected": expected})
    columns = {**GridTrajectory.columns(), "d": day}
    rule = vars(GridTrajectory)["half_masked"]
    schema = type("GridTrajectory", (dy.Schema,), {**columns, "half_masked": rule})
    return Table(GRID.name, schema, GRID.rules, GRID.key, GRID.optional)


@dataclass
class GridReader(SeparatedReader, ImportReader):
    """Reads a grid trajectory and moves its days.

    Attributes:
        shift: added to the days.
        leave: columns of the file to leave out.
        names: columns of a text file with a header.
    """

    shift: int = 0
    leave: list[str] = field(default_factory=list)
    names: list[str] | None = None

    def _parse(self) -> Iterator[Batch]:
        # Without columns to leave out or users to number, the reader's own way is the quicker one.
        slowly = (self.leave and self.names) or self._has_names()
        for batch in super()._parse() if slowly else Reader._parse(self):
            if self.options.uid_map and self.numbers is None:
                raise UsageError("--uid-map does nothing for a grid trajectory of numbered users")
            yield batch

    def _has_names(self) -> bool:
        """Whether the first rows of a text file have names of users in place of numbers."""
        if self.source.kind != "csv":
            return False
        head = self.source.stream.peek(_HEAD)[:_HEAD].decode(errors="replace")
        columns = self.names or list(GRID.columns)
        played = [self.rename.get(name, name) for name in columns]
        if "uid" not in played:
            return False
        at = played.index("uid")
        rows = [
            split_record(line, self.separator) for line in head.splitlines()[bool(self.names) :]
        ]
        return are_names(pl.Series([row[at] for row in rows if len(row) == len(columns)]))

    def _rename_columns(self, frame: pl.DataFrame) -> pl.DataFrame:
        return super()._rename_columns(frame.drop(self.leave))

    def batches(self) -> Iterator[pl.DataFrame]:
        """Checked batches; the days are moved after the check.

        Raises:
            HumobError: a fault, or a day that would move below 0.
        """
        for frame in super().batches():
            if self.shift == 0:
                yield frame
                continue
            day = frame["d"].cast(pl.Int32) + self.shift
            low, high = day.min(), day.max()
            if not day.is_between(0, MAX_DAY).all():
                moved = f"--shift-days {self.shift} moves days to {low!s} to {high!s}"
                raise HumobError(f"{self.source.name}: {moved}, expected 0 to {MAX_DAY}")
            yield frame.with_columns(day.cast(pl.Int16).alias("d"))


def humob(
    source: Input,
    options: ImportOptions,
    *,
    format: str | None,
    names: list[str] | None,
    separator: str,
) -> GridReader:
    """A HuMob table.

    Args:
        source: the opened input.
        options: columns, the last day, the shift of days.
        format: whose days are allowed; None: HuMob's of any year.
        names: the file's columns; None: it has no header.
        separator: between the fields of a text file.
    """
    first, last = DAYS[format] if format else DAYS_UNSAID
    if options.max_day is not None:
        last = options.max_day
    rename = {}
    if names is None and options.columns and source.kind == "csv":
        raise HumobError(
            f"{source.name}: found no header, expected one for --columns; without a header the "
            f"columns are {', '.join(GRID.columns)}"
        )
    if names is not None:
        found = roles(names, options.columns, source.name)
        rename = {old: role for role, old in found.items() if role in GRID.columns}
    leave = [old for old, new in options.columns.items() if not new]
    index = [name for name in nameless(names or []) if name not in options.columns]
    reader = GridReader(
        source,
        grid_table(first, last),
        options.on_error,
        rename=rename,
        separator=separator,
        header=names is not None,
        shift=options.shift_days,
        leave=leave + index,
        names=names,
        options=options,
    )
    if index:
        reader.notes.append(f"left out the columns without a name {', '.join(index)}")
    return reader

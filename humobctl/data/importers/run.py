"""One import, from a path to checked batches of a table."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.data.importers.cells import ToGrid, to_points
from humobctl.data.importers.detect import Format, recognise
from humobctl.data.importers.options import ImportOptions, Opened
from humobctl.data.importers.places.visited import visited_places
from humobctl.data.importers.probe import InputProbe, look_at
from humobctl.data.importers.user_ids import numbering_notes, write_users
from humobctl.errors import HumobError, UsageError
from humobctl.io.parquet_dataset import is_other_folder
from humobctl.io.streams import IN_PLACE, STANDARD, open_input, seekable
from humobctl.tables.schemas import (
    GRID,
    HOME_WORK,
    INTENTIONS,
    INTENTS,
    PLACES,
    POINTS,
    TRIP_LEGS,
    TRIPS,
    VISITS,
    Table,
)


@dataclass
class Imported:
    """What ``import_data`` gives: a table, and its batches to be written.

    Attributes:
        table: what the batches hold.
        batches: checked batches; when they are used up, what was found is reported on stderr.
    """

    table: Table
    batches: Iterator[pl.DataFrame]


@dataclass
class _ImportTally:
    """Counts what passes through."""

    rows: int = 0
    users: set[Any] = field(default_factory=set)
    first: Any = None
    last: Any = None

    def watch(self, batches: Iterable[pl.DataFrame], column: str | None) -> Iterator[pl.DataFrame]:
        for batch in batches:
            self.rows += batch.height
            if batch.height and column is not None:
                self.users.update(batch["uid"].unique().to_list())
                low, high = batch[column].min(), batch[column].max()
                self.first = low if self.first is None else min(self.first, low)
                self.last = high if self.last is None else max(self.last, high)
            yield batch

    def words(self) -> str:
        text = pluralize(self.rows, "row")
        if self.first is None:
            return text
        text += f", {pluralize(len(self.users), 'user')}"
        if isinstance(self.first, int):
            days = f"{self.first}-{self.last}" if self.last != self.first else f"{self.first}"
            return f"{text}, days {days}" if self.last != self.first else f"{text}, day {days}"
        return f"{text}, {self.first:%Y-%m-%d} to {self.last:%Y-%m-%d}"


@dataclass
class _PlaceTally:
    """Counts places by intent as they pass through."""

    intents: Counter[str | None] = field(default_factory=Counter)

    def watch(self, batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        for batch in batches:
            self.intents.update(dict(batch["intent"].value_counts().iter_rows()))
            yield batch

    def words(self) -> str:
        order = [(intent, self.intents[intent]) for intent in (*INTENTS, None)]
        listed = [f"{intent or 'any intent'} {many:,}" for intent, many in order if many]
        return f"{pluralize(self.intents.total(), 'place')}: {', '.join(listed)}"


_TIME = {
    **{TRIPS.name: "started_at", TRIP_LEGS.name: "started_at"},
    **{GRID.name: "d", POINTS.name: "datetime", VISITS.name: "d", INTENTIONS.name: "d"},
}


def import_data(
    path: str | None,
    options: ImportOptions,
    format: str = "auto",
    expected: Table | None = None,
) -> Imported:
    """Recognise an input and read it as one of our tables.

    Args:
        path: a file or folder, or None or ``-`` for standard input.
        options: columns, zones, the grid and what to do with faults.
        format: the name of an entry of ``recognise.FORMATS``, or ``auto``.
        expected: the only table that will do; None for any.

    Returns:
        The table and its batches: a point trajectory, a grid trajectory, visits or places.

    Raises:
        UsageError: an option that does not go with this input.
        HumobError: the input is not known, or (while reading) holds a fault.
    """
    stack = ExitStack()
    try:
        look = _look(path, stack, options.layer)
        entry, opened = recognise(look, options, format)
        other = expected is not None and expected.name != opened.table.name
        if expected is not None and other and not options.cells_to_points:
            found = f"{opened.words} ({look.words})"
            cells = "; --grid, --axes and --start-date place cells" * (opened.table is GRID)
            raise HumobError(f"{look.name}: found {found}, expected a {expected.name} table{cells}")
        _check(entry, opened.table, options)
        table, convert = _converter(look.name, opened, options)
    except BaseException:
        stack.close()
        raise
    return Imported(table, _finish(stack, look, opened, table, convert, options))


def _look(path: str | None, stack: ExitStack, layer: str | None) -> InputProbe:
    if path is not None and path != STANDARD and is_other_folder(path):
        if layer is not None:
            raise UsageError(f"--layer does nothing for the folder {path}")
        return InputProbe(path, folder=Path(path))
    source = open_input(path)
    stack.callback(source.close)
    if source.path is None and source.kind in IN_PLACE and source.kind != "shapefile":
        # Its names stand at the end of the file or in a block of its own: it needs a real file.
        spool = open_input(str(stack.enter_context(seekable(source))))
        stack.callback(spool.close)
        source = dataclasses.replace(spool, name=source.name)
    return look_at(source, layer)


def _check(entry: Format, table: Table, options: ImportOptions) -> None:
    """Refuse options that would do nothing."""
    grid, points, visits = (table.name == known.name for known in (GRID, POINTS, VISITS))
    if options.wanted == "places" and not (points or visits or table is PLACES):
        raise UsageError(f"--as places does nothing for a {table.name} table")
    places = options.wanted == "places" or table is PLACES
    on_grid = options.grid is not None
    cells = entry.name == "cell-poicat" or options.cells_to_points
    ways = table in (TRIPS, TRIP_LEGS)
    numbered = not places and (on_grid or visits or grid or ways)
    clocks = entry.name in ("copb-pickle", "copb-traces", "timed-stays", "points")
    dated = not places and (on_grid or clocks)
    purposes = entry.name in ("timed-stays", "trips")
    timed = (points or ways or entry.name == "timed-stays") and not places
    useless = (
        ("--max-day", options.max_day is not None and not grid),
        ("--shift-days", options.shift_days != 0 and not grid),
        ("--timezone", options.timezone is not None and not timed),
        ("--source-timezone", options.source_timezone is not None and not timed),
        ("--cells-to-points", options.cells_to_points and not grid),
        ("--grid", on_grid and not cells and not (points and not places)),
        ("--uid-map", options.uid_map is not None and not numbered),
        ("--places", options.places is not None and not (visits or table is HOME_WORK)),
        ("--start-date", options.start_date is not None and not dated),
        ("--mapping", options.mapping is not None and not (places or purposes)),
        ("--keep-unmapped", options.keep_unmapped and not places),
        ("--keep-zero", options.keep_zero and (ways or not (places or timed))),
        ("--decimal-comma", options.decimal_comma and grid),
        ("--wrap-longitude", options.wrap_longitude and grid),
        ("--crs", options.crs is not None and (grid or ways)),
    )
    for name, wrong in useless:
        if wrong:
            hint = " without --grid" if name in ("--uid-map", "--start-date") and timed else ""
            if name == "--grid" and visits:
                hint = "; put the points that visits come from on a grid"
            raise UsageError(
                f"{name} does nothing for a {(PLACES if places else table).name} table{hint}"
            )


def _converter(name: str, opened: Opened, options: ImportOptions) -> tuple[Table, Any]:
    if opened.table is PLACES:
        return PLACES, lambda batches: batches
    if options.wanted == "places":
        opened.users = None
        return PLACES, lambda batches: visited_places(batches, name, options, opened.notes)
    if options.grid is None:
        return opened.table, lambda batches: batches
    if options.cells_to_points:
        start = options.start_date
        if start is None:
            raise UsageError("--cells-to-points needs --start-date, the date of day 0")
        grid = options.grid
        return POINTS, lambda batches: to_points(batches, grid, start, name, opened.notes)
    to_grid = ToGrid(name, options.grid, options, notes=opened.notes)
    opened.users = to_grid.numbers.users
    return GRID, to_grid.batches


def _finish(
    stack: ExitStack,
    look: InputProbe,
    opened: Opened,
    table: Table,
    convert: Any,
    options: ImportOptions,
) -> Iterator[pl.DataFrame]:
    """Pass the batches on; then say what was seen."""
    tally: _ImportTally | _PlaceTally
    with stack:
        if table is PLACES:
            tally = _PlaceTally()
            yield from tally.watch(convert(opened.batches))
        else:
            tally = _ImportTally()
            yield from convert(tally.watch(opened.batches, _TIME.get(opened.table.name)))
    users = opened.users() if opened.users else []
    opened.notes += numbering_notes(users, written=options.uid_map is not None)
    report.info(f"{look.name}: {opened.words} ({look.words}): {tally.words()}")
    if opened.notes:
        report.info("; ".join(opened.notes))
    if options.uid_map is not None and opened.users is not None:
        write_users(users, options.uid_map)

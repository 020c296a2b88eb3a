"""One export, from a path to a file or folder of another program."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.data.export.copb import copb_lines
from humobctl.data.export.humob26 import challenge_lines, submission_lines
from humobctl.data.export.kepler import kepler_trips, to_kepler_csv
from humobctl.data.export.libcity import write_libcity
from humobctl.data.export.movingpandas import to_movingpandas
from humobctl.data.export.skmob import to_skmob
from humobctl.data.export.tables import ExportTable, open_table, with_times
from humobctl.data.export.trackintel import to_trackintel
from humobctl.data.flow_series.write import is_challenge_name
from humobctl.data.importers.areas import read_areas
from humobctl.data.importers.cells import known_cells, to_points
from humobctl.errors import HumobError, UsageError
from humobctl.io.databases import is_database, write_database
from humobctl.io.databases.names import IfExists, display
from humobctl.io.geometry import box_polygons
from humobctl.io.row_errors import OnError
from humobctl.io.scratch import Scratch
from humobctl.io.streams import STANDARD, output_format
from humobctl.io.write import write_lines, write_table
from humobctl.tables.grid import Grid
from humobctl.tables.schemas import FLOW_SERIES, FLOWS, GRID, INTENTIONS, POINTS, TOURS

_PLAIN = (INTENTIONS.name, TOURS.name, FLOW_SERIES.name)
"""Tables without coordinates."""
GEOMETRIES = ("geojson", "geoparquet", "flatgeobuf", "geopackage", "shapefile")
"""Formats that hold any table with coordinates."""


@dataclass(frozen=True)
class ExportOptions:
    """Settings of one export; see the help of ``data export`` for each.

    Attributes:
        to: the format; None for what the ending of the output says.
        start_date: the date of day 0.
        timezone: of the times of the table.
        areas: a table with the coordinates of the areas of flows.
        grid: where cells lie.
        if_exists: what to do if a database has the table: fail, append, replace.
        on_error: stop at the first faulty row, or drop faulty rows and count them.
    """

    to: str | None = None
    start_date: dt.date | None = None
    timezone: str | None = None
    areas: str | None = None
    grid: Grid | None = None
    if_exists: IfExists = "fail"
    on_error: OnError = "fail"


@dataclass(frozen=True)
class Tool:
    """A format of another program.

    Attributes:
        columns: sets of columns of which the table has to have one.
        words: what it holds, for messages.
        change: the table in its columns.
        lines: the text of its file, where that is not a table.
        write: writes it, where it is not a single file.
        format: of its files, unless their ending says another.
        moments: it needs dates and times.
    """

    columns: tuple[tuple[str, ...], ...]
    words: str
    change: Callable[[ExportTable], ExportTable] | None = None
    lines: Callable[[ExportTable], Iterator[str]] | None = None
    write: Callable[[ExportTable, str], int] | None = None
    format: str = "csv"
    moments: bool = True


_POINTS = ("uid", "datetime", "lat", "lon")
_VISITS = ("uid", "start_min", "lat", "lon")
_TRIPS = ("uid", "started_at", "finished_at", "distance_m", "points")
_LOCATIONS = ("uid", "place_id", "lat", "lon", "stays")
_FLOWS = ("origin", "destination", "flow")
_FLOW_SERIES = ("date", *_FLOWS)
TOOLS = {
    "gpx": Tool(
        (("lat", "lon"), _TRIPS), "points, visits, trips and places", format="gpx", moments=False
    ),
    "kepler-csv": Tool(((),), "any table with coordinates", to_kepler_csv, moments=False),
    "kepler-trips": Tool(
        (_POINTS, _VISITS, _TRIPS), "points, visits and trips", lines=kepler_trips
    ),
    "trackintel": Tool(
        (_POINTS, _VISITS, _TRIPS, _LOCATIONS),
        "points, visits, trips and locations",
        to_trackintel,
    ),
    "scikit-mobility": Tool((_POINTS, _VISITS, _FLOWS), "points, visits and flows", to_skmob),
    "movingpandas": Tool(
        (_POINTS, _VISITS), "points and visits", to_movingpandas, format="geoparquet"
    ),
    "libcity": Tool((_POINTS, _VISITS, _FLOWS), "points, visits and flows", write=write_libcity),
    "copb": Tool(
        (_VISITS, ("uid", "start_min", "intent")),
        "visits and intentions",
        lines=copb_lines,
        moments=False,
    ),
    "humob26": Tool((_FLOW_SERIES,), "daily flows", lines=challenge_lines, moments=False),
    "humob26-submission": Tool(
        (_FLOW_SERIES,), "daily flows", lines=submission_lines, moments=False
    ),
}
"""Formats of other programs by their names."""
FORMATS = (*GEOMETRIES, *TOOLS)


def export_table(path: str, output: str, options: ExportOptions) -> int:
    """Write a table in the format of another program.

    Args:
        path: a table of ours, or what ``data import`` reads.
        output: a file or folder, or ``-`` for standard output.
        options: the format and what it needs.

    Returns:
        Number of rows written.

    Raises:
        UsageError: the format does not hold such a table, or lacks an option.
        HumobError: the table cannot be read, or the file not be written.
    """
    if is_database(output):
        return _into_database(path, output, options)
    if options.if_exists != "fail":
        raise UsageError("--if-exists needs a database as --output")
    named_so = "humob26" if is_challenge_name(output) else None
    format = options.to or named_so or output_format(output, None)
    if format not in FORMATS:
        named = "standard output" if output == STANDARD else output
        raise UsageError(
            f"{named}: found no known ending, expected --to with one of {', '.join(FORMATS)}"
        )
    tool = TOOLS.get(format, Tool(((),), "a table with coordinates", moments=False))
    table = open_table(path, options.on_error)
    _check(table, options)
    notes: list[str] = []
    polygons = format in GEOMETRIES or format == "kepler-csv"
    if tool.columns == (_FLOW_SERIES,):
        _check_holds(table, format, tool)  # before it is asked where cells of other tables lie
    table = _locate(table, format, options, notes, polygons=polygons)
    table = with_times(table, options.start_date, options.timezone)
    _check_holds(table, format, tool)
    counted = _CountedTable(table)
    if tool.write is not None:
        rows = tool.write(counted.table, output)
    elif tool.lines is not None:
        write_lines(tool.lines(counted.table), output)
        rows = counted.rows
    else:
        made = tool.change(counted.table) if tool.change is not None else counted.table
        frames = chain([pl.DataFrame(schema=made.schema)], made.batches)
        kind = _file_format(format, tool, output)
        rows = write_table(frames, output, table=None, format=kind)
    shown = "standard output" if output == STANDARD else output
    report.info(f"{table.name}: {pluralize(counted.rows, 'row')} to {shown} ({format})")
    for note in notes:
        report.info(note)
    return rows


def _into_database(path: str, output: str, options: ExportOptions) -> int:
    """Write a table into a database; flows with the coordinates of areas where these are given."""
    if options.to is not None:
        raise UsageError(f"--to {options.to} writes a file, found a database as --output")
    table = open_table(path, options.on_error)
    _check(table, options)
    if options.areas is not None:
        table = _locate(table, "database", options, [], polygons=False)
    table = with_times(table, options.start_date, options.timezone)
    with Scratch() as owner:
        rows = write_database(
            table.batches,
            output,
            table.schema,
            if_exists=options.if_exists,
            folder=owner.scratch,
        )
    report.info(f"{table.name}: {pluralize(rows, 'row')} to {display(output)}")
    return rows


class _CountedTable:
    """A table that counts the rows read from it."""

    def __init__(self, table: ExportTable) -> None:
        self.rows = 0
        self.table = replace(table, batches=self._watch(table.batches))

    def _watch(self, batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        for batch in batches:
            self.rows += batch.height
            yield batch


def _check(table: ExportTable, options: ExportOptions) -> None:
    """Refuse options without an effect on the table."""
    dated = table.has("d") and not table.has("started_at")
    timed = table.has("datetime") or table.has("started_at") or options.start_date is not None
    useless = (
        ("--areas", options.areas is not None and table.kind != FLOWS.name),
        ("--grid", options.grid is not None and table.kind != GRID.name),
        ("--start-date", options.start_date is not None and not dated),
        ("--timezone", options.timezone is not None and not timed),
    )
    for name, wrong in useless:
        if wrong:
            reason = " that has times" if name == "--start-date" and table.has("d") else ""
            raise UsageError(f"{name} does nothing for a {table.kind} table{reason}")


def _locate(
    table: ExportTable, format: str, options: ExportOptions, notes: list[str], *, polygons: bool
) -> ExportTable:
    """Add the coordinates of areas and cells.

    Args:
        table: any.
        format: of the output, for messages.
        options: say where areas and cells lie.
        notes: what to say when all is written.
        polygons: cells are to be polygons, otherwise points at their centres.

    Raises:
        UsageError: they do not say it.
    """
    if table.kind == FLOWS.name and options.areas is not None:
        areas = read_areas(options.areas, on_error=options.on_error)
        return table.map(partial(_with_ends, areas=areas, name=table.name, file=options.areas))
    if table.kind == FLOWS.name and format != "scikit-mobility":
        raise UsageError(f"{format}: flows need --areas FILE, a table of area_id, lat and lon")
    if table.kind != GRID.name:
        return table
    grid, start = options.grid, options.start_date
    if grid is None:
        raise UsageError(f"{format}: cells need --grid and --axes, the position of the grid")
    if polygons:
        known = known_cells(table.batches, grid, table.name, notes)
        return replace(table, batches=known).map(partial(_with_polygons, grid=grid))
    if start is None:
        raise _no_date(format)
    points = to_points(table.batches, grid, start, table.name, notes)
    return ExportTable(table.name, POINTS.name, POINTS.dtypes, points)


def _with_ends(batch: pl.DataFrame, areas: pl.DataFrame, name: str, file: str) -> pl.DataFrame:
    """Flows with the coordinates of their origins and destinations."""
    for end in ("origin", "destination"):
        known = areas.select(
            pl.col("area_id").alias(end),
            pl.col("lat").alias(f"{end}_lat"),
            pl.col("lon").alias(f"{end}_lon"),
        )
        batch = batch.join(known, on=end, how="left", maintain_order="left")
        lost = batch.filter(pl.col(f"{end}_lat").is_null())[end].unique(maintain_order=True)
        if len(lost):
            raise HumobError(
                f"{name}: found the {end} {lost[0]!r} ({pluralize(len(lost), 'unknown area')} in "
                f"all), expected areas of {file}"
            )
    return batch


def _with_polygons(batch: pl.DataFrame, grid: Grid) -> pl.DataFrame:
    x, y = pl.col("x"), pl.col("y")
    corners = (grid.centre(x - 0.5, y - 0.5), grid.centre(x + 0.5, y + 0.5))
    return box_polygons(batch, *corners)


def _check_holds(table: ExportTable, format: str, tool: Tool) -> None:
    """Refuse a table that the format cannot hold.

    Raises:
        UsageError: the message says which formats have.
    """
    if _holds(tool, table):
        if tool.moments and table.has("start_min") and not table.has("started_at"):
            raise _no_date(format)
        return
    others = [name for name, one in TOOLS.items() if _holds(one, table)]
    if table.kind in _PLAIN:
        others = [name for name in others if name != "kepler-csv"]
    else:
        others = [*GEOMETRIES, *others]
    holders = f"; formats that hold it: {', '.join(others)}" if others else ""
    raise UsageError(f"--to {format}: found a {table.kind} table, expected {tool.words}{holders}")


def _holds(tool: Tool, table: ExportTable) -> bool:
    """Whether the tool has such tables; what has flows of no date has none of several days."""
    by_day = table.kind == FLOW_SERIES.name
    return any(
        table.has(*columns) and (columns == _FLOW_SERIES or not by_day) for columns in tool.columns
    )


def _no_date(format: str) -> UsageError:
    return UsageError(f"{format} needs dates, and the table has day numbers: give --start-date")


def _file_format(format: str, tool: Tool, output: str) -> str:
    """The format of the file that a program's table goes to."""
    if format in GEOMETRIES or format == tool.format:
        return format
    if output == STANDARD:
        return tool.format
    found = output_format(output, None)
    return "geoparquet" if (tool.format, found) == ("geoparquet", "parquet") else found

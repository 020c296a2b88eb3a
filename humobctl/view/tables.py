"""Tables of every kind as rows that a map can draw."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from humobctl.console import report
from humobctl.console.words import day_span, pluralize
from humobctl.data.importers.areas import read_areas, read_flows
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.run import import_data
from humobctl.data.importers.table_kind import columns_of
from humobctl.errors import HumobError, UsageError
from humobctl.io.parquet_dataset import is_other_folder
from humobctl.io.read import iter_table
from humobctl.io.row_errors import OnError
from humobctl.tables.column_names import roles
from humobctl.tables.flow_series import OUTSIDE
from humobctl.tables.grid import Grid
from humobctl.tables.schemas import (
    AREAS,
    CATEGORISED_INTENTIONS,
    CATEGORISED_VISITS,
    FLOW_SERIES,
    FLOWS,
    GRID,
    HOME_WORK,
    INTENTIONS,
    LOCATIONS,
    MASKED,
    PLACES,
    POINTS,
    TIMED_VISITS,
    TRIP_LEGS,
    TRIPS,
    VISITS,
    Table,
)
from humobctl.view.rows import rows_of
from humobctl.view.sample import Sampler
from humobctl.view.squares import SquareTally

NOUNS = {
    GRID.name: "record",
    POINTS.name: "point",
    VISITS.name: "visit",
    INTENTIONS.name: "activity",
    PLACES.name: "place",
    LOCATIONS.name: "location",
    AREAS.name: "area",
    TRIPS.name: "trip",
    TRIP_LEGS.name: "trip leg",
    FLOWS.name: "flow",
    FLOW_SERIES.name: "flow",
    HOME_WORK.name: "home and work",
}


@dataclass(frozen=True)
class ViewOptions:
    """Which rows to draw, and how the tables are read.

    Attributes:
        users: ids to keep; none for all.
        days: first and last day to keep.
        grid: where cells lie; None for a bare grid.
        start_date: date of day 0; None for that of the earliest point, or for none.
        max_rows: rows to draw.
        seed: of the sample.
        columns: names in the files -> our names.
        on_error: stop at the first bad row, or drop bad rows.
        counted: whether cells and points beyond ``max_rows`` are counted in squares.
    """

    users: tuple[str, ...] = ()
    days: tuple[int, int] | None = None
    grid: Grid | None = None
    start_date: dt.date | None = None
    max_rows: int = 1_000_000
    seed: int = 0
    columns: dict[str, str] = field(default_factory=dict)
    on_error: OnError = "fail"
    counted: bool = False


@dataclass(frozen=True)
class DrawnTable:
    """A table as it is drawn.

    Attributes:
        name: the file's.
        kind: its table.
        frame: ``ROWS``.
        rows, users: how many the file has of what was asked for; users None where it has none.
        start: date of day 0, where it is known.
        squares: what the rows are counted in, by hour of the day; None where they are drawn.
        on_cells: whether flows by day lie between cells.
    """

    name: str
    kind: Table
    frame: pl.DataFrame
    rows: int
    users: int | None
    start: dt.date | None = None
    squares: SquareTally | None = None
    on_cells: bool = False

    @property
    def noun(self) -> str:
        """Noun for a row."""
        return NOUNS[self.kind.name]


def kind_by_columns(path: str) -> Table | None:
    """The kind of table with a file's columns; None for a file to import."""
    if path != "-" and is_other_folder(path):
        return None
    names = {"uid" if name == "profile_id" else name for name in columns_of(path)}
    found = roles(names).keys()
    if {"origin", "destination", "flow"} <= found:
        return FLOW_SERIES if "date" in found else FLOWS
    if {"start_min", "end_min"} <= names:
        return _activity_table(names)
    for table in (TRIPS, TRIP_LEGS, LOCATIONS, HOME_WORK, AREAS):
        if set(table.columns) - set(table.optional) <= names:
            return table
    return None


def _activity_table(names: set[str]) -> Table:
    """Visits or day plans, by their columns."""
    if not {"lat", "lon"} & names:
        return CATEGORISED_INTENTIONS if "category" in names else INTENTIONS
    if "started_at" in names:
        return TIMED_VISITS
    return CATEGORISED_VISITS if "category" in names else VISITS


def load_table(
    path: str,
    name: str,
    options: ViewOptions,
    *,
    only: pl.DataFrame | None = None,
    areas: pl.DataFrame | None = None,
) -> DrawnTable:
    """A table as it is drawn, sampled where it is too long.

    Args:
        path: of the file.
        name: of the table, for messages.
        options: what of it is wanted.
        only: uid and day to keep, for the truth of another table.
        areas: where flows begin and end.

    Raises:
        HumobError: the file cannot be read, is of no kind that can be drawn, or holds no row of
            what is wanted.
    """
    kind, batches = _open(path, options)
    if kind.name not in NOUNS:
        raise HumobError(
            f"{name}: found a {kind.name} table, expected one with positions or times: points, "
            "visits, cells, trips, places, flows or day plans"
        )
    by = "uid" if "uid" in kind.columns else None
    # Days of points and flows are known once all dates are.
    late = kind in (POINTS, FLOW_SERIES) and options.days is not None
    late = late and (options.start_date is None or kind is FLOW_SERIES)
    chosen: Iterable[pl.DataFrame] = _choose(batches, kind, options, only)
    if options.counted and kind in (GRID, POINTS) and not late and not options.users:
        chosen, tally = _count_if_long(chosen, kind, options.max_rows)
        if tally is not None:
            return _table_of_counts(name, kind, tally, options.grid)
    sampler = Sampler(options.max_rows if not late else 1 << 62, options.seed, by)
    raw = sampler.collect(chosen)
    if raw.is_empty():
        raise _none_found(name, options)
    if kind is FLOWS:
        if areas is None:
            raise UsageError(
                f"{name}: flows need a table of their areas: humobctl view flows.csv areas.csv"
            )
        raw = _between_areas(raw, name, areas)
    start = options.start_date
    if kind is FLOW_SERIES:
        start = raw["date"].min()  # type: ignore[assignment]
        raw = _between_cells(raw, name) if areas is None else _between_areas(raw, name, areas)
    if kind in (TRIPS, TRIP_LEGS) and start is None:
        start = raw["started_at"].min().date()  # type: ignore[union-attr]
    if kind is POINTS and start is None:
        start = raw["datetime"].min().date()  # type: ignore[union-attr]
    frame = rows_of(raw, kind, start, options.grid)
    if late:
        first, last = options.days or (0, 0)
        sampler = Sampler(options.max_rows, options.seed, by)
        frame = sampler.collect([frame.filter(pl.col("day").is_between(first, last))])
        if frame.is_empty():
            raise _none_found(name, options)
    _tell(name, NOUNS[kind.name], sampler, frame)
    users = sampler.users if by else None
    own = "uid" if by else None
    order = [one for one in (own, "day", "start") if one]
    return DrawnTable(
        name,
        kind,
        frame.sort(order, maintain_order=True),
        sampler.rows,
        users,
        start,
        on_cells=kind is FLOW_SERIES and areas is None,
    )


def _count_if_long(
    batches: Iterable[pl.DataFrame], kind: Table, most: int
) -> tuple[Iterable[pl.DataFrame], SquareTally | None]:
    """The batches, where they are few enough to be drawn; otherwise what they are counted in."""
    source, kept, rows = iter(batches), list[pl.DataFrame](), 0
    for batch in source:
        kept.append(batch)
        rows += batch.height
        if rows > most:
            break
    else:
        return kept, None
    tally = SquareTally(kind, most)
    for batch in itertools.chain(kept, source):
        tally.add(batch)
    return [], tally


def _table_of_counts(name: str, kind: Table, tally: SquareTally, grid: Grid | None) -> DrawnTable:
    records = f"{pluralize(tally.rows, NOUNS[kind.name])} of {pluralize(tally.users, 'user')}"
    report.warn(
        f"{name}: {records} are counted in squares by hour of the day; --max-rows sets how "
        "many are drawn one by one, another --colour-by draws a sample of them"
    )
    frame = tally.frame(grid)
    return DrawnTable(name, kind, frame, tally.rows, tally.users, squares=tally)


def _open(path: str, options: ViewOptions) -> tuple[Table, Iterator[pl.DataFrame]]:
    own = None if options.columns else kind_by_columns(path)
    if own is FLOW_SERIES:
        own = None  # rows may stand in any order
    if own is FLOWS:
        return FLOWS, iter([read_flows(path, on_error=options.on_error)])
    if own is AREAS:
        return AREAS, iter([read_areas(path, on_error=options.on_error)])
    if own is not None:
        rename = {"profile_id": "uid"}
        rows = iter_table(path, own, on_error=options.on_error, rename=rename)
        return {VISITS.name: VISITS, INTENTIONS.name: INTENTIONS}.get(own.name, own), rows
    imported = import_data(path, ImportOptions(columns=options.columns, on_error=options.on_error))
    return imported.table, imported.batches


def _choose(
    batches: Iterable[pl.DataFrame], kind: Table, options: ViewOptions, only: pl.DataFrame | None
) -> Iterator[pl.DataFrame]:
    """The rows to draw; masked cells are left out."""
    if options.users and "uid" not in kind.columns:
        raise UsageError(f"--user does nothing for a {kind.name} table")
    days = options.days if "d" in kind.columns else None
    for batch in batches:
        keep = pl.lit(True)
        if kind is GRID:
            keep &= pl.col("x") != MASKED
        if kind is FLOW_SERIES:
            keep &= (pl.col("flow") > 0) & (pl.col("origin") != OUTSIDE)
            keep &= pl.col("destination") != OUTSIDE
        if options.users:
            wanted = pl.Series(options.users).cast(batch.schema["uid"], strict=False).drop_nulls()
            keep &= pl.col("uid").is_in(wanted.implode())
        if days is not None:
            keep &= pl.col("d").is_between(*days)
        some = batch.filter(keep)
        if only is not None and "uid" in kind.columns:
            keys = ["uid", "d"] if "d" in kind.columns else ["uid"]
            those = only.select(
                pl.col("uid").cast(batch.schema["uid"], strict=False),
                *([pl.col("day").cast(batch.schema["d"]).alias("d")] if "d" in keys else []),
            ).unique()
            some = some.join(those, on=keys, how="semi", maintain_order="left")
        yield some


def _none_found(name: str, options: ViewOptions) -> HumobError:
    users = f" of user {', '.join(options.users)}" * bool(options.users)
    wish = users if options.days is None else f"{users} on {day_span(*options.days)}"
    return HumobError(f"{name}: found no row{wish}, expected at least one")


def _tell(name: str, noun: str, sampler: Sampler, frame: pl.DataFrame) -> None:
    """Report what was left out."""
    if frame.height == sampler.rows:
        return
    kept = frame["uid"].n_unique()
    of = f" of {kept:,} of {pluralize(sampler.users, 'user')}" if sampler.by else ""
    report.warn(
        f"{name}: drawing a sample, {frame.height:,} of {pluralize(sampler.rows, noun)}{of}; "
        "--max-rows sets its size"
    )


def _between_areas(flows: pl.DataFrame, name: str, areas: pl.DataFrame) -> pl.DataFrame:
    """Flows with the centroids of their areas; small ones first, so that large ones lie above.

    Raises:
        HumobError: an area is not there.
    """
    for end, lat, lon in (("origin", "lat", "lon"), ("destination", "to_lat", "to_lon")):
        where = areas.select(
            pl.col("area_id").alias(end), pl.col("lat").alias(lat), pl.col("lon").alias(lon)
        )
        flows = flows.join(where, on=end, how="left", maintain_order="left")
        lost = flows.filter(pl.col(lat).is_null())
        if lost.height:
            raise HumobError(f"{name}: found the area {lost[end][0]!r}, expected one of the areas")
    return flows.sort("flow")


def _between_cells(flows: pl.DataFrame, name: str) -> pl.DataFrame:
    """Flows by day with the cells y_x of their areas, small ones first.

    Raises:
        UsageError: an area is not a cell.
    """
    for end, prefix in (("origin", ""), ("destination", "to_")):
        cell = pl.col(end).str.extract_groups(r"^(?<y>\d{1,9})_(?<x>\d{1,9})$")
        flows = flows.with_columns(
            cell.struct.field(axis).cast(pl.Int32).alias(f"{prefix}{axis}") for axis in "xy"
        )
        lost = flows.filter(pl.col(f"{prefix}x").is_null())
        if lost.height:
            raise UsageError(
                f"{name}: found the area {lost[end][0]!r}, expected cells y_x, or a table of the "
                "areas beside the flows"
            )
    return flows.sort("flow")


def flow_difference(first: DrawnTable, second: DrawnTable) -> DrawnTable:
    """Flows of the second table minus those of the first; large changes last, to lie above."""
    ends = ["lat", "lon", "to_lat", "to_lon", "label"]
    both = first.frame.join(
        second.frame.select(*ends, other="value"), on=ends, how="full", coalesce=True
    )
    change = pl.col("other").fill_null(0.0) - pl.col("value").fill_null(0.0)
    frame = both.with_columns(value=change).filter(pl.col("value") != 0)
    frame = frame.sort(pl.col("value").abs(), "label").select(first.frame.columns)
    return DrawnTable(f"{second.name} minus {first.name}", FLOWS, frame, frame.height, None)


def table_name(path: str) -> str:
    """What a table is called on the page."""
    return "stdin" if path == "-" else Path(path).name

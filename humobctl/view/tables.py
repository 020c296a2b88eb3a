"""Tables of every kind as rows that a map can draw."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.data.importers.areas import read_areas, read_flows
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.run import import_data
from humobctl.data.importers.table_kind import columns_of
from humobctl.errors import HumobError, UsageError
from humobctl.io.parquet_dataset import is_other_folder
from humobctl.io.read import iter_table
from humobctl.io.row_errors import OnError
from humobctl.tables.column_names import roles
from humobctl.tables.grid import Grid
from humobctl.tables.schemas import (
    AREAS,
    CATEGORISED_INTENTIONS,
    CATEGORISED_VISITS,
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
from humobctl.view.sample import Sampler

MINUTES_A_SLOT = 30
ROWS = {
    "uid": pl.String,
    "day": pl.Int32,
    "start": pl.Float64,
    "end": pl.Float64,
    "lat": pl.Float64,
    "lon": pl.Float64,
    "to_lat": pl.Float64,
    "to_lon": pl.Float64,
    "intent": pl.String,
    "label": pl.String,
    "value": pl.Float64,
    "line": pl.String,
}
"""What of a row is drawn: times are minutes of ``day``; of cells lat and lon are y and x."""
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
    HOME_WORK.name: "home and work",
}


@dataclass(frozen=True)
class ViewOptions:
    """What of the tables is wanted, and how they are read.

    Attributes:
        users: ids to keep; none for all.
        days: first and last day to keep.
        grid: where cells lie; None for a bare grid.
        start_date: date of day 0; None for that of the earliest point, or for none.
        max_rows: rows to draw.
        seed: of the sample.
        columns: names in the files -> our names.
        on_error: stop at the first bad row, or drop bad rows.
    """

    users: tuple[str, ...] = ()
    days: tuple[int, int] | None = None
    grid: Grid | None = None
    start_date: dt.date | None = None
    max_rows: int = 1_000_000
    seed: int = 0
    columns: dict[str, str] = field(default_factory=dict)
    on_error: OnError = "fail"


@dataclass(frozen=True)
class DrawnTable:
    """A table as it is drawn.

    Attributes:
        name: the file's.
        kind: its table.
        frame: ``ROWS``.
        rows, users: how many the file has of what was asked for; users None where it has none.
        start: date of day 0, where it is known.
    """

    name: str
    kind: Table
    frame: pl.DataFrame
    rows: int
    users: int | None
    start: dt.date | None = None

    @property
    def noun(self) -> str:
        """What a row is."""
        return NOUNS[self.kind.name]


def kind_by_columns(path: str) -> Table | None:
    """The table of ours that has a file's columns; None for one that is to be imported."""
    if path != "-" and is_other_folder(path):
        return None
    names = {"uid" if name == "profile_id" else name for name in columns_of(path)}
    found = roles(names).keys()
    if {"origin", "destination", "flow"} <= found:
        return FLOWS
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
    # Days of points are known once all dates are.
    late = kind is POINTS and options.days is not None and options.start_date is None
    chosen = _choose(batches, kind, options, only)
    sampler = Sampler(options.max_rows if not late else 1 << 62, options.seed, by)
    raw = sampler.collect(chosen)
    if raw.is_empty():
        raise HumobError(f"{name}: found no row{_wanted(options)}, expected at least one")
    if kind is FLOWS:
        if areas is None:
            raise UsageError(
                f"{name}: flows need their areas, too: humobctl view flows.csv areas.csv"
            )
        raw = _between_areas(raw, name, areas)
    start = options.start_date
    if kind in (TRIPS, TRIP_LEGS) and start is None:
        start = raw["started_at"].min().date()  # type: ignore[union-attr]
    if kind is POINTS and start is None:
        start = raw["datetime"].min().date()  # type: ignore[union-attr]
    frame = _rows_of(raw, kind, start, options.grid)
    if late:
        first, last = options.days or (0, 0)
        sampler = Sampler(options.max_rows, options.seed, by)
        frame = sampler.collect([frame.filter(pl.col("day").is_between(first, last))])
        if frame.is_empty():
            raise HumobError(f"{name}: found no row{_wanted(options)}, expected at least one")
    _tell(name, NOUNS[kind.name], sampler, frame)
    users = sampler.users if by else None
    own = "uid" if by else None
    order = [one for one in (own, "day", "start") if one]
    return DrawnTable(
        name, kind, frame.sort(order, maintain_order=True), sampler.rows, users, start
    )


def _open(path: str, options: ViewOptions) -> tuple[Table, Iterator[pl.DataFrame]]:
    own = None if options.columns else kind_by_columns(path)
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
    """The rows that are wanted; masked cells have no place."""
    if options.users and "uid" not in kind.columns:
        raise UsageError(f"--user does nothing for a {kind.name} table")
    days = options.days if "d" in kind.columns else None
    for batch in batches:
        keep = pl.lit(True)
        if kind is GRID:
            keep &= pl.col("x") != MASKED
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


def _rows_of(
    raw: pl.DataFrame, kind: Table, start: dt.date | None, grid: Grid | None
) -> pl.DataFrame:
    """Rows of a table as ``ROWS``."""
    rows = _EXPRESSIONS[kind.name](start, grid)
    if "uid" in raw.columns:
        rows["uid"] = pl.col("uid")
    if kind is POINTS:
        raw = raw.sort("uid", "datetime", maintain_order=True)
        raw = raw.with_columns(speed=_speed())
    return raw.select(
        (rows[name].cast(dtype) if name in rows else pl.lit(None, dtype)).alias(name)
        for name, dtype in ROWS.items()
    )


def _speed() -> pl.Expr:
    """km/h from each user's point before (great circle)."""
    lat, lon = pl.col("lat").radians(), pl.col("lon").radians()
    lat0, lon0 = (one.shift(1).over("uid") for one in (lat, lon))
    half = ((lat - lat0) / 2).sin() ** 2 + lat.cos() * lat0.cos() * ((lon - lon0) / 2).sin() ** 2
    km = 2 * 6371.0088 * half.sqrt().clip(0, 1).arcsin()
    hours = pl.col("datetime").diff().over("uid").dt.total_microseconds() / 3.6e9
    return pl.when(hours > 0).then(km / hours)


def _minute(moment: str) -> pl.Expr:
    at = pl.col(moment)
    return at.dt.hour().cast(pl.Float64) * 60 + at.dt.minute() + at.dt.second() / 60


def _cells(start: dt.date | None, grid: Grid | None) -> dict[str, pl.Expr]:
    x, y = pl.col("x"), pl.col("y")
    lat, lon = (y.cast(pl.Float64), x.cast(pl.Float64)) if grid is None else grid.centre(x, y)
    at = pl.col("t").cast(pl.Float64) * MINUTES_A_SLOT
    label = pl.format("{}, {}", x, y)
    return {
        "day": pl.col("d"),
        "start": at,
        "end": at + MINUTES_A_SLOT,
        "lat": lat,
        "lon": lon,
        "label": label,
    }


def _points(start: dt.date | None, grid: Grid | None) -> dict[str, pl.Expr]:
    day = (pl.col("datetime").dt.date() - pl.lit(start)).dt.total_days()
    at = _minute("datetime")
    label = pl.coalesce("category", "place_id")
    value = pl.col("speed")
    return {"day": day, "start": at, "end": at, **_where(), "label": label, "value": value}


def _visits(start: dt.date | None, grid: Grid | None) -> dict[str, pl.Expr]:
    return {**_activities(start, grid), **_where(), "label": pl.col("place_id")}


def _activities(start: dt.date | None, grid: Grid | None) -> dict[str, pl.Expr]:
    intent = pl.col("intent")
    times = {"start": pl.col("start_min"), "end": pl.col("end_min")}
    return {"day": pl.col("d"), **times, "intent": intent}


def _plans(start: dt.date | None, grid: Grid | None) -> dict[str, pl.Expr]:
    return {**_activities(start, grid), "label": pl.col("reason")}


def _places(start: dt.date | None, grid: Grid | None) -> dict[str, pl.Expr]:
    label = pl.coalesce("name", "category", "place_id")
    return {**_where(), "intent": pl.col("intent"), "label": label}


def _locations(start: dt.date | None, grid: Grid | None) -> dict[str, pl.Expr]:
    label, value = pl.col("place_id"), pl.col("minutes") / 60
    return {**_where(), "intent": pl.col("intent"), "label": label, "value": value}


def _areas(start: dt.date | None, grid: Grid | None) -> dict[str, pl.Expr]:
    return {**_where(), "label": pl.col("area_id"), "value": pl.col("population")}


def _flows(start: dt.date | None, grid: Grid | None) -> dict[str, pl.Expr]:
    label = pl.format("{} → {}", "origin", "destination")
    there = {"to_lat": pl.col("to_lat"), "to_lon": pl.col("to_lon")}
    return {**_where(), **there, "label": label, "value": pl.col("flow")}


def _homes(start: dt.date | None, grid: Grid | None) -> dict[str, pl.Expr]:
    ends = {"lat": "home_lat", "lon": "home_lon", "to_lat": "work_lat", "to_lon": "work_lon"}
    return {name: pl.col(one) for name, one in ends.items()} | {"label": pl.col("id")}


def _legs(start: dt.date | None, grid: Grid | None) -> dict[str, pl.Expr]:
    day = (pl.col("started_at").dt.date() - pl.lit(start)).dt.total_days()
    at = _minute("started_at")
    minutes = (pl.col("finished_at") - pl.col("started_at")).dt.total_seconds() / 60
    speed = pl.when(minutes > 0).then(pl.col("distance_m") / 1000 / (minutes / 60))
    return {"day": day, "start": at, "end": at + minutes, "value": speed, "line": pl.col("line")}


def _trips(start: dt.date | None, grid: Grid | None) -> dict[str, pl.Expr]:
    ends = {
        **{"lat": "origin_lat", "lon": "origin_lon"},
        **{"to_lat": "destination_lat", "to_lon": "destination_lon"},
    }
    known = pl.format("{} → {}", "origin", "destination")
    return {**_legs(start, grid), "label": known} | {
        name: pl.col(one) for name, one in ends.items()
    }


def _where() -> dict[str, pl.Expr]:
    return {"lat": pl.col("lat"), "lon": pl.col("lon")}


_EXPRESSIONS = {
    GRID.name: _cells,
    POINTS.name: _points,
    VISITS.name: _visits,
    INTENTIONS.name: _plans,
    PLACES.name: _places,
    LOCATIONS.name: _locations,
    AREAS.name: _areas,
    FLOWS.name: _flows,
    HOME_WORK.name: _homes,
    TRIP_LEGS.name: _legs,
    TRIPS.name: _trips,
}


def _wanted(options: ViewOptions) -> str:
    users = f" of user {', '.join(options.users)}" * bool(options.users)
    first, last = options.days or (0, 0)
    days = f" on day {first}" if first == last else f" on days {first}-{last}"
    return users + days * (options.days is not None)


def _tell(name: str, noun: str, sampler: Sampler, frame: pl.DataFrame) -> None:
    """Say what was left out."""
    if frame.height == sampler.rows:
        return
    kept = frame["uid"].n_unique()
    of = f" of {kept:,} of {pluralize(sampler.users, 'user')}" if sampler.by else ""
    report.warn(
        f"{name}: a sample is drawn, {frame.height:,} of {pluralize(sampler.rows, noun)}{of}; "
        "--max-rows sets how many"
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


def table_name(path: str) -> str:
    """What a table is called on the page."""
    return "stdin" if path == "-" else Path(path).name

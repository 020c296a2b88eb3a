"""Tables of every kind as rows of one form."""

from __future__ import annotations

import datetime as dt

import polars as pl

from humobctl.tables.grid import EARTH_RADIUS, Grid
from humobctl.tables.schemas import (
    AREAS,
    FLOW_SERIES,
    FLOWS,
    GRID,
    HOME_WORK,
    INTENTIONS,
    LOCATIONS,
    PLACES,
    POINTS,
    TRIP_LEGS,
    TRIPS,
    VISITS,
    Table,
)

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
"""A row to draw: times are minutes of ``day``; lat and lon of cells are y and x."""


def rows_of(
    raw: pl.DataFrame, kind: Table, start: dt.date | None, grid: Grid | None
) -> pl.DataFrame:
    """Rows of a table as ``ROWS``."""
    rows = _EXPRESSIONS[kind.name](start, grid)
    if kind is FLOW_SERIES and "to_x" in raw.columns:
        rows |= _cell_ends(grid)
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
    km = 2 * EARTH_RADIUS / 1000 * half.sqrt().clip(0, 1).arcsin()
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


def _flows_by_day(start: dt.date | None, grid: Grid | None) -> dict[str, pl.Expr]:
    day = (pl.col("date") - pl.lit(start)).dt.total_days()
    return {**_flows(start, grid), "day": day, "start": pl.lit(0.0), "end": pl.lit(1440.0)}


def _cell_ends(grid: Grid | None) -> dict[str, pl.Expr]:
    """Where flows between cells begin and end."""
    ends: dict[str, pl.Expr] = {}
    for prefix in ("", "to_"):
        x, y = pl.col(f"{prefix}x"), pl.col(f"{prefix}y")
        lat, lon = (y.cast(pl.Float64), x.cast(pl.Float64)) if grid is None else grid.centre(x, y)
        ends |= {f"{prefix}lat": lat, f"{prefix}lon": lon}
    return ends


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
    FLOW_SERIES.name: _flows_by_day,
    HOME_WORK.name: _homes,
    TRIP_LEGS.name: _legs,
    TRIPS.name: _trips,
}

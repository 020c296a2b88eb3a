"""Visits as a grid trajectory, and people of a twin as visits: in cells of 500 m."""

from __future__ import annotations

import math
from collections.abc import Iterator

import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.data.importers.stays import iter_visits
from humobctl.data.twin.fit import read_users
from humobctl.io.row_errors import OnError
from humobctl.tables.calendar import MINUTES_PER_SLOT
from humobctl.tables.cells import encode_columns
from humobctl.tables.grid import DEFAULT_CELLS, EARTH_RADIUS, Grid
from humobctl.tables.schemas import GRID, VISITS

_CELL = 500.0


def visits_to_cells(path: str, on_error: OnError) -> tuple[pl.DataFrame, Grid]:
    """Where users were in each half hour that a visit covers most of, and the grid around them."""
    visits = pl.concat(list(iter_visits(path, on_error)))
    grid = _grid_around(visits)
    x, y = grid.cell(pl.col("lat"), pl.col("lon"))
    inside = visits.with_columns(x=x, y=y).filter(grid.inside(pl.col("x"), pl.col("y")))
    if len(inside) < len(visits):
        left_out = pluralize(len(visits) - len(inside), "visit")
        report.warn(f"{path}: left out {left_out} outside a square of 100 km around the median")
    slots = inside.with_columns(
        t=pl.int_ranges(
            pl.col("start_min") // MINUTES_PER_SLOT,
            (pl.max_horizontal("end_min", pl.col("start_min") + 1) - 1) // MINUTES_PER_SLOT + 1,
        )
    ).explode("t")
    begin = pl.col("t") * MINUTES_PER_SLOT
    covered = pl.min_horizontal("end_min", begin + MINUTES_PER_SLOT)
    covered = covered - pl.max_horizontal("start_min", begin)
    longest = slots.filter(pl.col("t") < 48).sort(covered, descending=True, maintain_order=True)
    rows = longest.unique(["uid", "d", "t"], keep="first", maintain_order=True)
    return rows.select(GRID.columns).cast(pl.Schema(GRID.dtypes)), grid


def _grid_around(visits: pl.DataFrame) -> Grid:
    """A square of 100 km whose middle is the median of the visits."""
    lat, lon = (float(visits[name].median() or 0.0) for name in ("lat", "lon"))  # type: ignore[arg-type]
    half = math.degrees(_CELL * DEFAULT_CELLS / 2 / EARTH_RADIUS)
    return Grid(_CELL, lat - half, lon - half / max(math.cos(math.radians(lat - half)), 0.01))


def cells_to_visits(
    people: Iterator[pl.DataFrame], grid: Grid, first_weekday: int
) -> Iterator[pl.DataFrame]:
    """Visits of people: runs of records of a day in one cell, at its centre."""
    lat, lon = grid.centre(pl.col("x"), pl.col("y"))
    key = ["uid", "d", "x", "y", "run"]
    for rows in people:
        if rows.is_empty():
            continue
        users = read_users(rows, first_weekday)
        placed = rows.with_columns(cell=encode_columns()).with_columns(
            run=pl.struct("uid", "d", "cell").rle_id(),
            at_home=pl.col("cell") == pl.Series(users.home[users.user]),
            at_work=pl.col("cell") == pl.Series(users.work[users.user]),
        )
        runs = placed.group_by(key, maintain_order=True).agg(
            pl.col("at_home", "at_work").first(), first=pl.col("t").first(), last=pl.col("t").last()
        )
        intent = pl.when("at_home").then(pl.lit("go home"))
        yield runs.select(
            "uid",
            "d",
            seq=pl.int_range(pl.len()).over("uid", "d"),
            intent=intent.when("at_work").then(pl.lit("go to work")),
            start_min=pl.col("first").cast(pl.Int32) * MINUTES_PER_SLOT,
            end_min=(pl.col("last").cast(pl.Int32) + 1) * MINUTES_PER_SLOT,
            place_id=pl.format("{}_{}", "x", "y"),
            lat=lat,
            lon=lon,
        ).cast(pl.Schema(VISITS.dtypes))

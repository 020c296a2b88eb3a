"""What is drawn: tables on one plane, with one list of users, as arrays for a page or a picture."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.native import Floats, Int64s
from humobctl.tables.grid import EARTH_RADIUS, Grid
from humobctl.tables.schemas import (
    AREAS,
    FLOW_SERIES,
    FLOWS,
    GRID,
    INTENTS,
    LOCATIONS,
    POINTS,
    TRIP_LEGS,
    TRIPS,
)
from humobctl.view.base import BaseLines
from humobctl.view.tables import DrawnTable

NO_INTENT = 255
MEASURES = {
    POINTS.name: ("speed", "km/h"),
    TRIPS.name: ("speed", "km/h"),
    TRIP_LEGS.name: ("speed", "km/h"),
    FLOWS.name: ("flow", "trips"),
    FLOW_SERIES.name: ("flow", "a day"),
    AREAS.name: ("population", "people"),
    LOCATIONS.name: ("time there", "hours"),
}
"""What the value of a row is, and its unit."""
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_MOST_NORTH = 85.05


@dataclass(frozen=True)
class MapPlane:
    """Where degrees (Web Mercator, as tiles are) or cells (as on squared paper) lie.

    Attributes:
        lat, lon: of the middle, in degrees; of a bare grid, its middle cell.
        cell_km: side of a cell of a bare grid; None for degrees.
    """

    lat: float
    lon: float
    cell_km: float | None = None

    def place(self, lat: Floats, lon: Floats) -> tuple[Floats, Floats]:
        """East and north of the middle: metres of the map, which are cos(lat) true metres."""
        if self.cell_km is not None:
            side = self.cell_km * 1000
            return (lon - self.lon) * side, (lat - self.lat) * side
        turn = np.remainder(lon - self.lon + 180.0, 360.0) - 180.0
        return np.radians(turn) * EARTH_RADIUS, _mercator(lat) - _mercator(np.array(self.lat))


def _mercator(lat: Floats) -> Floats:
    angle = np.radians(np.clip(lat, -_MOST_NORTH, _MOST_NORTH))
    metres: Floats = EARTH_RADIUS * np.log(np.tan(np.pi / 4 + angle / 2))
    return metres


@dataclass(frozen=True)
class Scene:
    """Rows of all tables, by table, user and time.

    Attributes:
        title: of the page.
        tables: what is drawn.
        plane: where it lies; None for what has no place.
        users: ids.
        intents, labels: texts that ``intent`` and ``label`` count.
        rows: numbers by name: layer, x, y, to_x, to_y, user, day, start, end, intent, label, value;
            columns that no table has are left out.
        line: end of each row's line among ``line_x``, ``line_y``; none where no table has lines.
        measure: what ``value`` is, and its unit; None where there is none.
        start: date of day 0, where it is known.
        weekday: day of the week of day 0, 0 for Monday; None where days are not known.
        cell: size of a cell in map metres at the middle, for cells to be squares.
        base: lines below.
        truth: whether the second table is the truth of the first.
        difference: whether the third table is the second minus the first, flow by flow.
    """

    title: str
    tables: list[DrawnTable]
    plane: MapPlane | None
    users: list[str]
    intents: list[str]
    labels: list[str]
    rows: dict[str, NDArray[Any]]
    line: Int64s
    line_x: Floats
    line_y: Floats
    measure: tuple[str, str] | None
    start: dt.date | None
    weekday: int | None
    cell: float | None
    base: list[BaseLines]
    truth: bool = False
    difference: bool = False

    def __len__(self) -> int:
        return len(self.rows["layer"])

    @property
    def sides(self) -> tuple[str, str] | None:
        """What a table and its truth are called; None without a truth."""
        if not self.truth:
            return None
        return ("predicted", "true") if self.tables[0].kind is GRID else ("generated", "real")

    @property
    def counted(self) -> bool:
        """Whether rows are squares by hour, whose value is a number of records."""
        return self.tables[0].squares is not None

    @property
    def records(self) -> int:
        """Records that are drawn."""
        return int(self.rows["value"].sum()) if self.counted else len(self)


def make_scene(
    tables: Sequence[DrawnTable],
    *,
    title: str,
    grid: Grid | None = None,
    cell_km: float = 0.5,
    weekday: int = 6,
    truth: bool = False,
    difference: bool = False,
    base: Sequence[BaseLines] = (),
) -> Scene:
    """Bring tables together.

    Args:
        tables: what is drawn; with ``truth``, predicted and true.
        title: of the page.
        grid: where cells lie; None for a bare grid.
        cell_km: side of a cell of a bare grid.
        weekday: day of the week of day 0, where no date says it: 0 for Monday.
        truth: whether to compare two tables, row by row.
        difference: whether the third table is what two tables of flows differ by.
        base: lines below, in degrees.
    """
    bare = grid is None and any(one.kind is GRID or one.on_cells for one in tables)
    parts = [one.frame.with_columns(layer=pl.lit(at, pl.UInt8)) for at, one in enumerate(tables)]
    frame = pl.concat(reversed(parts) if truth else parts)  # what is predicted lies above
    measure = next((MEASURES[one.kind.name] for one in tables if one.kind.name in MEASURES), None)
    squares = tables[0].squares
    if squares is not None:
        measure = ("records", "")
    if truth:
        frame, measure = _with_errors(frame, cell_km if bare else None), ("error", "km")
    has_times = frame["day"].null_count() < frame.height
    start = next((one.start for one in tables if one.start is not None), None)
    users = _in_order(frame["uid"].drop_nulls().unique().to_list())
    numbers = dict(zip(users, range(len(users)), strict=True))
    labels = frame["label"].drop_nulls().unique(maintain_order=True).to_list()
    rows = _numbers(frame, numbers, labels)
    plane = _plane_of(frame, cell_km if bare else None)
    line, line_x, line_y = np.empty(0, np.int64), np.empty(0), np.empty(0)
    if plane is not None:
        rows["x"], rows["y"] = _place_of(frame, "lat", "lon", plane)
        if frame["to_lat"].null_count() < frame.height:
            rows["to_x"], rows["to_y"] = _place_of(frame, "to_lat", "to_lon", plane)
        if frame["line"].null_count() < frame.height:
            line, lat, lon = _read_lines(frame["line"])
            line_x, line_y = plane.place(lat, lon)
    if measure is not None:
        rows["value"] = frame["value"].to_numpy()
    side = cell_km * 1000 if any(one.kind is GRID for one in tables) and bare else None
    if grid is not None and plane is not None and any(one.kind is GRID for one in tables):
        side = grid.cell_size / float(np.cos(np.radians(plane.lat)))
    if squares is not None:
        side = squares.side(side)
    return Scene(
        title=title,
        tables=list(tables),
        plane=plane,
        users=users,
        intents=list(INTENTS),
        labels=labels,
        rows=rows,
        line=line,
        line_x=line_x,
        line_y=line_y,
        measure=measure,
        start=start,
        weekday=(start.weekday() if start else weekday) if has_times else None,
        cell=side,
        base=[] if bare else list(base),
        truth=truth,
        difference=difference,
    )


def _numbers(
    frame: pl.DataFrame, users: dict[str, int], labels: list[str]
) -> dict[str, NDArray[Any]]:
    """Columns as numbers; those without any value are left out."""
    rows: dict[str, NDArray[Any]] = {"layer": frame["layer"].to_numpy()}

    def has(name: str) -> bool:
        return frame[name].null_count() < frame.height

    if users:
        rows["user"] = _codes(frame["uid"], list(users))
    if has("day"):
        for name in ("day", "start", "end"):
            rows[name] = frame[name].fill_null(0).cast(pl.Int32).to_numpy()
    if has("intent"):
        codes = dict(zip(INTENTS, range(len(INTENTS)), strict=True))
        column = frame["intent"].replace_strict(codes, default=NO_INTENT, return_dtype=pl.UInt8)
        rows["intent"] = column.fill_null(NO_INTENT).to_numpy()
    if labels:
        rows["label"] = _codes(frame["label"], labels)
    return rows


def _codes(column: pl.Series, names: list[str]) -> NDArray[Any]:
    """Numbers of names, from 1; 0 for null."""
    known = pl.DataFrame({"name": names, "at": range(1, len(names) + 1)})
    found = (
        column.alias("name").to_frame().join(known, on="name", how="left", maintain_order="left")
    )
    return found["at"].fill_null(0).cast(pl.UInt32).to_numpy()


def _in_order(names: list[str]) -> list[str]:
    """Numbers by size, then names."""
    return sorted(names, key=lambda name: (not name.isdigit(), name.zfill(20), name))


def _plane_of(frame: pl.DataFrame, cell_km: float | None) -> MapPlane | None:
    """The plane around the middle of all points; None where there is none."""
    known = frame.select("lat", "lon").drop_nulls()
    if not known.height:
        lines = frame["line"].drop_nulls()
        if not len(lines):
            return None
        _, lat, lon = _read_lines(lines)
        known = pl.DataFrame({"lat": lat, "lon": lon})
    lat, lon = known["lat"].to_numpy(), known["lon"].to_numpy()
    if cell_km is not None:
        return MapPlane(float(np.median(lat)), float(np.median(lon)), cell_km)
    turn = np.remainder(lon - lon[0] + 180.0, 360.0) - 180.0
    middle = (float(lon[0] + np.median(turn)) + 180.0) % 360.0 - 180.0
    return MapPlane(float(np.median(lat)), middle)


def _place_of(frame: pl.DataFrame, lat: str, lon: str, plane: MapPlane) -> tuple[Floats, Floats]:
    return plane.place(frame[lat].to_numpy(), frame[lon].to_numpy())


def _read_lines(lines: pl.Series) -> tuple[Int64s, Floats, Floats]:
    """Ends of lines in WKT among all their points, and latitudes and longitudes of these."""
    found = lines.str.extract_all(_NUMBER).fill_null([])
    ends = (found.list.len().cast(pl.Int64) // 2).cum_sum().to_numpy()
    both = found.explode().drop_nulls().cast(pl.Float64).to_numpy().reshape(-1, 2)
    return ends, both[:, 1], both[:, 0]


def _with_errors(frame: pl.DataFrame, cell_km: float | None) -> pl.DataFrame:
    """Rows of the first table with the km to that of the second at the same user and time."""
    keys = ["uid", "day", "start"]
    true = frame.filter(layer=1).select(*keys, true_lat="lat", true_lon="lon").unique(keys)
    both = frame.join(true, on=keys, how="left", maintain_order="left")
    lat, lon, lat0, lon0 = (both[n].to_numpy() for n in ("lat", "lon", "true_lat", "true_lon"))
    if cell_km is not None:
        km = np.hypot(lat - lat0, lon - lon0) * cell_km
    else:
        north, east = np.radians(lat - lat0) / 2, np.radians(lon - lon0) / 2
        around = np.cos(np.radians(lat)) * np.cos(np.radians(lat0)) * np.sin(east) ** 2
        km = 2 * EARTH_RADIUS / 1000 * np.arcsin(np.sqrt(np.sin(north) ** 2 + around))
    error = pl.Series("value", km, nan_to_null=True)
    own = pl.col("layer") == 0
    return both.with_columns(error).with_columns(
        pl.when(own).then(pl.col(name)).alias(to)
        for name, to in (("value", "value"), ("true_lat", "to_lat"), ("true_lon", "to_lon"))
    )

"""The places of a city, in metres, indexed by intent for the kernel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from scipy.spatial import KDTree

from humobctl.console import report
from humobctl.generate.gravity import kernels
from humobctl.generate.gravity.kernels import Int8s
from humobctl.io.read import read_table
from humobctl.io.row_errors import OnError
from humobctl.native import Float32s, Floats, Int64s
from humobctl.tables.plane import Plane, plane_through
from humobctl.tables.schemas import INTENTS, PLACES

EVERYTHING = len(INTENTS)
"""Number of the list of all places, after those of the intents."""
MOST_DISTORTION = 0.05
"""Error of distances east and west on the plane, beyond which there is a warning."""
MEMBERS_PER_CELL = 4
SMALLEST_CELL = 400.0
"""Metres; rings of 1 km would have to be put together from many rows of smaller cells."""


@dataclass
class PlaceIndex:
    """Places and their index.

    Attributes:
        name: of the table, for messages.
        plane: in which distances are measured.
        place_id: ids, (n,).
        lat, lon: degrees, (n,).
        intent: number of the intent that each serves, -1 for all of them, (n,).
    """

    name: str
    plane: Plane
    place_id: pl.Series
    lat: Floats
    lon: Floats
    intent: Int8s
    east: Float32s = field(init=False)
    north: Float32s = field(init=False)
    struct: Any = field(init=False)
    grids: Any = field(init=False)
    _trees: dict[int, tuple[KDTree, Int64s]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        east, north = self.plane.metres(self.lat, self.lon)
        self.east, self.north = east.astype(np.float32), north.astype(np.float32)
        self._index()

    def __reduce__(self) -> tuple[type[PlaceIndex], tuple[Any, ...]]:
        """Another process makes the index of its own, which holds addresses."""
        parts = (self.name, self.plane, self.place_id, self.lat, self.lon, self.intent)
        return PlaceIndex, parts

    def __len__(self) -> int:
        """Number of places."""
        return len(self.lat)

    def serving(self, intent: int) -> Int64s:
        """Rows of the places that serve an intent, or of all."""
        if intent == EVERYTHING:
            return np.arange(len(self))
        return np.flatnonzero((self.intent == intent) | (self.intent < 0))

    def count(self, intent: int) -> int:
        """How many places serve an intent."""
        return int(self.grids["members"][intent])

    def nearest(self, intent: int, east: Floats, north: Floats) -> tuple[Int64s, Floats]:
        """Rows of the nearest places that serve an intent, and metres to them; -1 for none."""
        if not self.count(intent):
            return np.full(len(east), -1), np.full(len(east), np.inf)
        tree, rows = self._tree(intent)
        away, found = tree.query(np.column_stack([east, north]))
        return rows[found], away

    def within(self, intent: int, point: Floats, radius: float) -> Floats:
        """Metres from a point (east, north) to the places of an intent within a radius."""
        if not self.count(intent):
            return np.empty(0)
        tree, _ = self._tree(intent)
        near = tree.data[tree.query_ball_point(point, radius)]
        away: Floats = np.linalg.norm(near - point, axis=1)
        return away

    def _tree(self, intent: int) -> tuple[KDTree, Int64s]:
        """A tree over the places that serve an intent, and their rows; made once."""
        if intent not in self._trees:
            rows = self.serving(intent)
            points = np.column_stack([self.east[rows], self.north[rows]])
            self._trees[intent] = KDTree(points.astype(np.float64)), rows
        return self._trees[intent]

    def _index(self) -> None:
        """A grid for each intent; intents served by the same places share one."""
        grids = np.zeros(EVERYTHING + 1, kernels.GRID)
        shared: dict[int, Any] = {}
        members: list[Int64s] = []
        starts: list[Int64s] = []
        cells = first = 0
        for intent in range(EVERYTHING + 1):
            rows = self.serving(intent)
            # As many as those without an intent: they are these.
            if len(rows) in shared and not (self.intent == intent).any():
                grids[intent] = shared[len(rows)]
                continue
            grid, order, start = build_grid(self.east[rows], self.north[rows])
            grid["cell"], grid["first"] = cells, first
            grids[intent] = grid
            if not (self.intent == intent).any():
                shared[len(rows)] = grid
            members.append(rows[order])
            starts.append(start)
            cells += len(start)
            first += len(rows)
        place = np.concatenate(members)
        self.grids = grids
        arrays = {
            "grids": grids,
            "start": np.concatenate(starts),
            "east": self.east[place],
            "north": self.north[place],
            "place": place.astype(np.int32),
            "intent": self.intent,
            "place_east": self.east,
            "place_north": self.north,
        }
        self.struct = kernels.struct_of(kernels.PlacesStruct, arrays)


def build_grid(east: Float32s, north: Float32s) -> tuple[Any, Int64s, Int64s]:
    """A grid over points, the order by cells, and where each cell starts, (cells + 1,)."""
    grid = np.zeros((), kernels.GRID)
    count = len(east)
    if not count:
        grid["columns"] = grid["rows"] = 1
        grid["side"] = SMALLEST_CELL
        return grid, np.empty(0, np.int64), np.zeros(2, np.int64)
    west, south = east.min(), north.min()
    wide, high = float(east.max() - west), float(north.max() - south)
    side = np.sqrt(wide * high * MEMBERS_PER_CELL / count)
    side = max(side, max(wide, high) * MEMBERS_PER_CELL / count, SMALLEST_CELL)
    columns, rows = int(wide / side) + 1, int(high / side) + 1
    column = np.clip(((east - west) / side).astype(np.int64), 0, columns - 1)
    row = np.clip(((north - south) / side).astype(np.int64), 0, rows - 1)
    cell = row * columns + column
    grid["members"], grid["columns"], grid["rows"] = count, columns, rows
    grid["west"], grid["south"], grid["side"] = west, south, side
    start = np.append(0, np.cumsum(np.bincount(cell, minlength=columns * rows)))
    return grid, np.argsort(cell, kind="stable"), start


def read_city(path: str, *, on_error: OnError = "fail") -> PlaceIndex:
    """The places of a file.

    Raises:
        HumobError: the file cannot be read or holds a fault.
    """
    return city_of(read_table(path, PLACES, on_error=on_error), "stdin" if path == "-" else path)


def city_of(places: pl.DataFrame, name: str = "places") -> PlaceIndex:
    """The places of a table."""
    lat, lon = places["lat"].to_numpy(), places["lon"].to_numpy()
    plane = plane_through(lat, lon)
    widths = np.cos(np.radians([lat.min(), lat.max()])) / np.cos(np.radians(plane.lat))
    if np.abs(widths - 1).max() > MOST_DISTORTION:
        report.warn(
            f"{name}: places span latitudes {lat.min():.1f} to {lat.max():.1f}: distances on one "
            f"plane are off by up to {np.abs(widths - 1).max():.0%}; use one city at a time"
        )
    codes = places["intent"].cast(pl.Enum(INTENTS)).to_physical().cast(pl.Int8)
    return PlaceIndex(
        name,
        plane,
        places["place_id"],
        lat,
        lon,
        codes.fill_null(-1).to_numpy().copy(),
    )

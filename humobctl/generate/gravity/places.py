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
from humobctl.tables.schemas import INTENTS, WEIGHTED_PLACES

EVERYTHING = len(INTENTS)
"""Number of the list of all places, after those of the intents."""
MOST_DISTORTION = 0.05
"""Error of distances east and west on the plane, beyond which there is a warning."""
COPIES = 16
"""How often the index holds a place of mean weight, where weights are fractions or large."""
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
        weight: how much each attracts, beside its distance, (n,); None for all alike.
        jobs: how many people work at each, (n,); None where that is not known.
    """

    name: str
    plane: Plane
    place_id: pl.Series
    lat: Floats
    lon: Floats
    intent: Int8s
    weight: Floats | None = None
    jobs: Floats | None = None
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
        return PlaceIndex, (*parts, self.weight, self.jobs)

    def __len__(self) -> int:
        """Number of places."""
        return len(self.lat)

    def serving(self, intent: int) -> Int64s:
        """Rows of the places that serve an intent, or of all."""
        if intent == EVERYTHING:
            return np.arange(len(self))
        return np.flatnonzero((self.intent == intent) | (self.intent < 0))

    def count(self, intent: int) -> int:
        """How many places serve an intent; each counts as often as the index holds it."""
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
        copies = None if self.weight is None else copies_of(self.weight)
        for intent in range(EVERYTHING + 1):
            rows = self.serving(intent)
            # As many as those without an intent: they are these.
            alike = len(rows)
            if alike in shared and not (self.intent == intent).any():
                grids[intent] = shared[alike]
                continue
            rows = rows if copies is None else np.repeat(rows, copies[rows])
            grid, order, start = build_grid(self.east[rows], self.north[rows])
            grid["cell"], grid["first"] = cells, first
            grids[intent] = grid
            if not (self.intent == intent).any():
                shared[alike] = grid
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


def copies_of(weight: Floats) -> Int64s:
    """How often the index holds each place, so that one drawn of all is drawn by its weight.

    Whole numbers stay as they are unless they take too much room; others become COPIES in the mean.
    """
    total = COPIES * len(weight)
    if weight.sum() <= total and (weight == np.floor(weight)).all():
        return weight.astype(np.int64)
    copies: Int64s = np.round(weight * (total / weight.sum())).astype(np.int64)
    return np.where(weight > 0, np.maximum(copies, 1), 0)


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


def read_city(path: str, *, weighted: bool = True, on_error: OnError = "fail") -> PlaceIndex:
    """The places of a file, with their visits and jobs where it has them.

    Args:
        path: the file, or ``-`` for standard input.
        weighted: whether visits and jobs are of use; otherwise they are left aside, which is said.
        on_error: stop at the first faulty row, or drop faulty rows with a warning.

    Raises:
        HumobError: the file cannot be read or holds a fault.
    """
    places = read_table(path, WEIGHTED_PLACES, on_error=on_error)
    if not weighted:
        given = [name for name in ("visits", "jobs") if places[name].count()]
        if given:
            report.info(f"{path}: {' and '.join(given)} are not used: only --law empirical does")
        places = places.drop("visits", "jobs")
    return city_of(places, "stdin" if path == "-" else path)


def city_of(places: pl.DataFrame, name: str = "places", plane: Plane | None = None) -> PlaceIndex:
    """The places of a table, on a plane through their middle unless one is given."""
    lat, lon = places["lat"].to_numpy(), places["lon"].to_numpy()
    plane = plane or plane_through(lat, lon)
    widths = np.cos(np.radians([lat.min(), lat.max()])) / np.cos(np.radians(plane.lat))
    if np.abs(widths - 1).max() > MOST_DISTORTION:
        report.warn(
            f"{name}: places span latitudes {lat.min():.1f} to {lat.max():.1f}: distances on one "
            f"plane are off by up to {np.abs(widths - 1).max():.0%}; use one city at a time"
        )
    visits, jobs = (_numbers(places, column) for column in ("visits", "jobs"))
    codes = places["intent"].cast(pl.Enum(INTENTS)).to_physical().cast(pl.Int8)
    return PlaceIndex(
        name,
        plane,
        places["place_id"],
        lat,
        lon,
        codes.fill_null(-1).to_numpy().copy(),
        None if visits is None else visits + 1,
        jobs,
    )


def _numbers(places: pl.DataFrame, column: str) -> Floats | None:
    """A column of numbers, 0 where one is missing; None where all are."""
    if column not in places.columns or not places[column].count():
        return None
    found: Floats = places[column].fill_null(0.0).to_numpy()
    return found

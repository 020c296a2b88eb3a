"""Grids: from points in degrees to cells and back.

A grid is laid on the plane that touches the earth at its origin (equirectangular projection)::

    east  = R * cos(lat0) * (lon - lon0)        metres, angles in radians
    north = R * (lat - lat0)                    R = 6371008.8 m, the mean radius of the earth (IUGG)

Cell (1, 1) touches the origin, and each axis points the way that the grid declares. Over a HuMob
city (100 km) at 36 degrees north, east-west lengths at the far edge are 1.2 % off.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import polars as pl

from humobctl.errors import UsageError

EARTH_RADIUS = 6_371_008.8
"""Mean radius of the earth in metres (IUGG 1980)."""
COMPASS = {"east": (1, 0), "west": (-1, 0), "north": (0, 1), "south": (0, -1)}
"""Direction -> (steps east, steps north)."""
DEFAULT_CELLS = 200
SYNTAX = "CELL@LAT,LON or CELL@LAT,LON,NXxNY, such as 500m@39.60,116.00,200x200"

_GRID = re.compile(
    r"\s*(?P<size>[\d.]+)\s*(?P<unit>m|km)?\s*@\s*(?P<lat>[-+]?[\d.]+)\s*,\s*(?P<lon>[-+]?[\d.]+)"
    r"\s*(,\s*(?P<nx>\d+)\s*x\s*(?P<ny>\d+)\s*)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Grid:
    """A square grid and the way its axes point.

    Attributes:
        cell_size: side of a cell in metres.
        lat: latitude of the origin in degrees: the outer corner of cell (1, 1).
        lon: longitude of the origin in degrees.
        nx: number of cells along x.
        ny: number of cells along y.
        axes: the compass directions in which x and y grow.

    Raises:
        UsageError: a value that makes no grid.
    """

    cell_size: float
    lat: float
    lon: float
    nx: int = DEFAULT_CELLS
    ny: int = DEFAULT_CELLS
    axes: tuple[str, str] = ("east", "north")

    def __post_init__(self) -> None:
        """Refuse what makes no grid."""
        if not (math.isfinite(self.cell_size) and self.cell_size > 0):
            raise UsageError(
                f"--grid: found a cell size of {self.cell_size} m, expected more than 0"
            )
        if not -89 <= self.lat <= 89:
            raise UsageError(f"--grid: found the latitude {self.lat}, expected -89 to 89")
        if not -180 <= self.lon <= 180:
            raise UsageError(f"--grid: found the longitude {self.lon}, expected -180 to 180")
        if self.nx < 1 or self.ny < 1:
            raise UsageError(f"--grid: found {self.nx} x {self.ny} cells, expected at least one")
        known = all(axis in COMPASS for axis in self.axes)
        if not known or COMPASS[self.axes[0]][0] ** 2 == COMPASS[self.axes[1]][0] ** 2:
            raise UsageError(
                f"--axes: found the axes {','.join(self.axes)}, expected one of east and west and "
                "one of north and south, such as east,south"
            )

    def __str__(self) -> str:
        """The grid in words."""
        return (
            f"{self.nx} x {self.ny} cells of {self.cell_size:g} m from {self.lat:g}, {self.lon:g}; "
            f"x grows {self.axes[0]}, y grows {self.axes[1]}"
        )

    def cell(self, lat: pl.Expr, lon: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
        """Cells of points, unbounded: outside the grid they run below 1 or above nx, ny.

        Args:
            lat: latitudes in degrees.
            lon: longitudes in degrees.

        Returns:
            x and y, counted from 1 (Int32).
        """
        # The shorter way round, so that a grid may lie across the date line.
        turn = (lon - self.lon + 180.0) - ((lon - self.lon + 180.0) / 360.0).floor() * 360.0 - 180.0
        east = turn.radians() * (EARTH_RADIUS * math.cos(math.radians(self.lat)))
        north = (lat - self.lat).radians() * EARTH_RADIUS
        return tuple(  # type: ignore[return-value]
            ((east * COMPASS[axis][0] + north * COMPASS[axis][1]) / self.cell_size)
            .floor()
            .cast(pl.Int32)
            + 1
            for axis in self.axes
        )

    def inside(self, x: pl.Expr, y: pl.Expr) -> pl.Expr:
        """Whether cells belong to the grid."""
        return x.is_between(1, self.nx) & y.is_between(1, self.ny)

    def centre(self, x: pl.Expr, y: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
        """Centres of cells: latitude and longitude in degrees (Float64)."""
        along = [((axis.cast(pl.Float64) - 0.5) * self.cell_size) for axis in (x, y)]
        steps = [COMPASS[axis] for axis in self.axes]
        east = along[0] * steps[0][0] + along[1] * steps[1][0]
        north = along[0] * steps[0][1] + along[1] * steps[1][1]
        lat = self.lat + (north / EARTH_RADIUS).degrees()
        wide = EARTH_RADIUS * math.cos(math.radians(self.lat))
        lon = self.lon + (east / wide).degrees()
        return lat, lon - 360.0 * ((lon + 180.0) / 360.0).floor()


def parse_grid(text: str, axes: str | None = None) -> Grid:
    """A grid from the command line.

    Args:
        text: ``500m@39.60,116.00`` or ``0.5km@39.60,116.00,200x200``: side of a cell, then the
            latitude and longitude of the origin, then the number of cells (200x200 unless given).
        axes: ``east,north`` unless given: the directions in which x and y grow.

    Raises:
        UsageError: a text that names no grid.
    """
    found = _GRID.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        size = float(found["size"]) * (1000 if (found["unit"] or "m").lower() == "km" else 1)
        lat, lon = float(found["lat"]), float(found["lon"])
    except ValueError:
        raise UsageError(f"--grid: found {text!r}, expected {SYNTAX}") from None
    nx, ny = int(found["nx"] or DEFAULT_CELLS), int(found["ny"] or DEFAULT_CELLS)
    names = tuple(part.strip().lower() for part in (axes or "east,north").split(","))
    if len(names) != 2:
        raise UsageError(f"--axes: found {axes!r}, expected two directions, such as east,south")
    return Grid(size, lat, lon, nx, ny, (names[0], names[1]))

"""A plane in metres under points in degrees, for distances within a city or a region.

The equirectangular projection of ``grid.py``, on the parallel through the plane's centre::

    east  = R * cos(lat0) * (lon - lon0)        metres, angles in radians
    north = R * (lat - lat0)                    R = 6371008.8 m (IUGG)

50 km from the centre, at 60 degrees north, distances are 1.4 % off; nearer the equator, less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humobctl.native import Floats
from humobctl.tables.grid import EARTH_RADIUS


@dataclass(frozen=True)
class Plane:
    """The plane that touches the earth at ``lat``, ``lon`` (degrees)."""

    lat: float
    lon: float

    def metres(self, lat: Floats, lon: Floats) -> tuple[Floats, Floats]:
        """Points on the plane: metres east and north of its centre.

        Args:
            lat: latitudes in degrees, any shape.
            lon: longitudes in degrees, the same shape; the shorter way round the earth is taken.
        """
        turn = np.remainder(np.asarray(lon, np.float64) - self.lon + 180.0, 360.0) - 180.0
        east = np.radians(turn) * (EARTH_RADIUS * np.cos(np.radians(self.lat)))
        return east, np.radians(np.asarray(lat, np.float64) - self.lat) * EARTH_RADIUS

    def degrees(self, east: Floats, north: Floats) -> tuple[Floats, Floats]:
        """The way back: latitudes and longitudes in degrees."""
        lat = self.lat + np.degrees(np.asarray(north, np.float64) / EARTH_RADIUS)
        wide = EARTH_RADIUS * np.cos(np.radians(self.lat))
        lon = self.lon + np.degrees(np.asarray(east, np.float64) / wide)
        return lat, np.remainder(lon + 180.0, 360.0) - 180.0


def plane_through(lat: Floats, lon: Floats) -> Plane:
    """The plane that touches the earth in the middle of points (the median of each coordinate).

    Args:
        lat: latitudes in degrees, at least one.
        lon: longitudes in degrees; points may lie on both sides of the date line.
    """
    turn = np.remainder(np.asarray(lon, np.float64) - lon[0] + 180.0, 360.0) - 180.0
    middle = np.remainder(lon[0] + np.median(turn) + 180.0, 360.0) - 180.0
    return Plane(float(np.median(lat)), float(middle))


def kilometres_apart(
    lat: Floats,
    lon: Floats,
    lat0: float | Floats,
    lon0: float | Floats,
    radius: float = EARTH_RADIUS,
) -> Floats:
    """Great-circle distances in km of points to one point or to as many, in degrees (haversine)."""
    north, east = np.radians(lat - lat0) / 2, np.radians(lon - lon0) / 2
    around = np.cos(np.radians(lat)) * np.cos(np.radians(lat0)) * np.sin(east) ** 2
    half = np.sqrt(np.minimum(np.sin(north) ** 2 + around, 1.0))
    km: Floats = 2.0 * radius / 1000.0 * np.arcsin(half)
    return km

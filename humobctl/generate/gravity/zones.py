"""Homes in zones, by population: at places to live in the zone, or anywhere in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.data.importers.places.geometry import from_across
from humobctl.generate.gravity.places import PlaceIndex
from humobctl.native import Floats, Int64s
from humobctl.tables.keyed_random import uniforms

_ZONE, _PLACE, _POINT = 0x7A6F6E65, 0x7A706C61, 0x7A706F69
"""Keep these draws apart from each other and from those of events."""
_TRIES = 200
"""Points of a box that are drawn until one lies in the polygon; then one inside of it is taken."""


@dataclass
class Zones:
    """Polygons, the people of each, and the places to live there.

    Attributes:
        table: population and geometry (WKB), as ``read_zones`` gives them.
        city: the places.
        rows: of the places where people may live.
    """

    table: pl.DataFrame
    city: PlaceIndex
    rows: Int64s
    shapes: NDArray[Any] = field(init=False, repr=False)
    first: Int64s = field(init=False, repr=False)
    places: Int64s = field(init=False, repr=False)

    def __post_init__(self) -> None:
        import shapely  # noqa: PLC0415 - a tenth of a second to import

        self.shapes = np.asarray(shapely.from_wkb(self.table["geometry"].to_numpy()))
        lat, lon = self.city.lat[self.rows], self.city.lon[self.rows]
        if shapely.total_bounds(self.shapes)[2] > 180:
            lon = np.where(lon < 0, lon + 360, lon)
        zone, place = shapely.STRtree(shapely.points(lon, lat)).query(self.shapes, "intersects")
        order = np.lexsort((place, zone))
        self.places = self.rows[place[order]]
        self.first = np.searchsorted(zone[order], np.arange(len(self.shapes) + 1))

    @cached_property
    def centroids(self) -> tuple[Floats, Floats]:
        """Latitudes and longitudes, (zones,)."""
        import shapely  # noqa: PLC0415

        middle = shapely.centroid(self.shapes)
        return shapely.get_y(middle), from_across(shapely.get_x(middle))

    @property
    def spots(self) -> float:
        """Equally likely homes that people would share as much; infinite without places."""
        share = self.table["population"].to_numpy() / self.table["population"].sum()
        held = np.diff(self.first)
        shared = (share[held > 0] ** 2 / held[held > 0]).sum()
        return float(1 / shared) if shared else np.inf

    def settle(self, uid: NDArray[Any], seed: int) -> tuple[Floats, Int64s]:
        """Homes of people: points (latitude, longitude), (n, 2), and rows of places or -1, (n,)."""
        people = np.cumsum(self.table["population"].to_numpy())
        drawn = uniforms(1, seed, _ZONE, uid)[:, 0] * people[-1]
        zone = np.searchsorted(people, drawn, side="right")
        first, held = self.first[zone], np.diff(self.first)[zone]
        at = first + (uniforms(1, seed, _PLACE, uid)[:, 0] * held).astype(np.int64)
        place = np.full(len(uid), -1)
        place[held > 0] = self.places[at[held > 0]]
        point = np.column_stack([self.city.lat[place], self.city.lon[place]])
        homeless = np.flatnonzero(held == 0)
        point[homeless] = self._points(zone[homeless], uid[homeless], seed)
        return point, place

    def _points(self, zone: Int64s, uid: NDArray[Any], seed: int) -> Floats:
        """A point anywhere in the zone of each person, (n, 2)."""
        import shapely  # noqa: PLC0415

        middle = shapely.point_on_surface(self.shapes[zone])
        found = np.column_stack([shapely.get_y(middle), shapely.get_x(middle)])
        box, left = shapely.bounds(self.shapes[zone]), np.arange(len(zone))
        for number in range(_TRIES):
            share = uniforms(2, seed, _POINT, number, uid[left])
            east, north = (box[left, :2] + share * (box[left, 2:] - box[left, :2])).T
            inside = shapely.intersects_xy(self.shapes[zone[left]], east, north)
            found[left[inside]] = np.column_stack([north, east])[inside]
            left = left[~inside]
            if not len(left):
                break
        found[:, 1] = from_across(found[:, 1])
        return found

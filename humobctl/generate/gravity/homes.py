"""Where people live and work: known, drawn from pairs, or drawn from the places of the city.

A person's home and work follow from the seed and the uid alone, so they are the same on all days.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.errors import HumobError
from humobctl.generate.gravity import kernels
from humobctl.generate.gravity.choose_place import choose
from humobctl.generate.gravity.config import COMMUTE, Law
from humobctl.generate.gravity.jobs import SAMPLE, Works, balance_works
from humobctl.generate.gravity.places import EVERYTHING, PlaceIndex
from humobctl.generate.gravity.zones import Zones
from humobctl.generate.homes_and_works import HOME_COLUMNS, degrees, known_dwellings
from humobctl.generate.other_city import refuse_another_city
from humobctl.io.read import read_table
from humobctl.io.row_errors import OnError
from humobctl.native import Float32s, Floats, Int32s, Int64s
from humobctl.tables.intents import CODES
from humobctl.tables.intents import HOME as GO_HOME
from humobctl.tables.intents import WORK as GO_TO_WORK
from humobctl.tables.keyed_random import uniforms
from humobctl.tables.schemas import DENSITY

_HOME, _WORK = 0x686F6D65, 0x776F726B
"""Keep these draws apart from each other and from those of events."""


@dataclass
class Locations:
    """One spot a person: a place of the city, or a point of its own.

    Attributes:
        lat, lon: degrees, (people,).
        east, north: metres on the city's plane.
        place: row of the place, or -1.
    """

    lat: Floats
    lon: Floats
    east: Float32s
    north: Float32s
    place: Int32s

    @classmethod
    def none(cls, people: int) -> Locations:
        """Locations that are still to be found."""
        nowhere = np.full(people, np.nan)
        small = nowhere.astype(np.float32)
        return cls(
            nowhere, nowhere.copy(), small, small.copy(), np.full(people, -1, dtype=np.int32)
        )

    def put(self, at: NDArray[np.intp], city: PlaceIndex, place: Int64s) -> None:
        """Put people at places."""
        self.lat[at], self.lon[at] = city.lat[place], city.lon[place]
        self.east[at], self.north[at] = city.east[place], city.north[place]
        self.place[at] = place


@dataclass
class HomesAndWorks:
    """Finds home and work of people.

    Attributes:
        city: the places.
        seed: of the draws.
        snap: metres within which a known home or work is the nearest place that serves it.
        people: profiles with home and work, sorted by uid; None where none is known.
        pairs: home and work, one of which each person gets; None to draw from the places.
        source: name of the table of people, for messages.
        density: points and their population, from which homes are drawn; None for the places.
        commute: the law by which works are drawn from home.
        zones: polygons and their population, from which homes are drawn; None for the density.
    """

    city: PlaceIndex
    seed: int = 0
    snap: float = 500.0
    people: pl.DataFrame | None = None
    pairs: pl.DataFrame | None = None
    source: str = "people"
    density: pl.DataFrame | None = None
    commute: Law = COMMUTE
    zones: pl.DataFrame | None = None
    _zones: Zones | None = field(init=False, default=None, repr=False)
    _works: Works | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse homes of another city.

        Raises:
            HumobError: they lie far from all places.
        """
        places = (f"the places of {self.city.name}", (self.city.lat, self.city.lon))
        for what, table, columns in (
            (f"homes of {self.source or 'people'}", self.people, HOME_COLUMNS),
            ("homes of --home-work", self.pairs, HOME_COLUMNS),
            ("points of --density", self.density, ("lat", "lon")),
        ):
            if table is not None:
                refuse_another_city(what, degrees(table, columns), *places)
        if self.zones is not None:
            self._zones = Zones(self.zones, self.city, self.places_for_homes())
            refuse_another_city("zones of --zones", self._zones.centroids, *places)
        weights = self.commute.weights
        if self.city.jobs is not None and weights is not None and self.pairs is None:
            uid = np.arange(SAMPLE, dtype=np.uint32)
            if self.people is not None:
                uid = self.people["uid"].to_numpy()
            home, _ = self._homes(uid[:SAMPLE], self._find_known(uid[:SAMPLE]))
            homes = np.column_stack([home.east, home.north]).astype(np.float64) / 1000
            rows = self._places_for_works()
            self._works = balance_works(self.city, rows, homes, np.array(weights.work))

    def of(
        self, uid: NDArray[np.uint32], working: NDArray[np.bool_], memories: kernels.Memories
    ) -> tuple[Locations, Locations, int]:
        """Home and work of people, work only where ``working``; and how many homes were drawn.

        Args:
            uid: people, (n,).
            working: who needs a workplace, (n,).
            memories: of the kernel.

        Raises:
            HumobError: a person is not in the table of people.
        """
        known = self._find_known(uid)
        home, drawn = self._homes(uid, known)
        work = self._spots(known[:, 2], known[:, 3], CODES[GO_TO_WORK])
        lost = np.flatnonzero(np.isnan(work.lat) & working)
        work.put(lost, self.city, self._drawn_works(uid[lost], home, lost, memories))
        idle = np.flatnonzero(np.isnan(work.lat))
        for name in ("lat", "lon", "east", "north", "place"):
            getattr(work, name)[idle] = getattr(home, name)[idle]
        return home, work, drawn

    def _find_known(self, uid: NDArray[Any]) -> Floats:
        return known_dwellings(uid, self.seed, self.people, self.pairs, self.source)

    def _homes(self, uid: NDArray[np.uint32], known: Floats) -> tuple[Locations, int]:
        """Homes of people, and how many of them were drawn."""
        lost = np.flatnonzero(np.isnan(known[:, :2]).any(axis=1))
        place = np.full(len(lost), -1)
        if self._zones is not None:
            known[lost, :2], place = self._zones.settle(uid[lost], self.seed)
        elif self.density is not None:
            known[lost, :2] = self._settle(uid[lost])
        else:
            place = self._drawn_homes(uid[lost])
        home = self._spots(known[:, 0], known[:, 1], CODES[GO_HOME])
        home.put(lost[place >= 0], self.city, place[place >= 0])
        return home, len(lost)

    @property
    def home_spots(self) -> float:
        """Equally likely homes that drawn people would share as much as they do."""
        if self._zones is not None:
            return self._zones.spots
        if self.density is not None:
            share = self.density["population"].to_numpy() / self.density["population"].sum()
            return float(1 / (share**2).sum())
        return float(len(self.places_for_homes()))

    def _spots(self, lat: Floats, lon: Floats, intent: int) -> Locations:
        """Known points, each at the nearest place that serves the intent, if that is near."""
        spots = Locations.none(len(lat))
        at = np.flatnonzero(~np.isnan(lat) & ~np.isnan(lon))
        if not len(at):
            return spots
        east, north = self.city.plane.metres(lat[at], lon[at])
        spots.lat[at], spots.lon[at] = lat[at], lon[at]
        spots.east[at], spots.north[at] = east, north
        if self.snap > 0:
            place, away = self.city.nearest(intent, east, north)
            near = away <= self.snap
            spots.put(at[near], self.city, place[near])
        return spots

    def _settle(self, uid: NDArray[np.uint32]) -> Floats:
        """Points in proportion to their population, (n, 2)."""
        assert self.density is not None
        people = np.cumsum(self.density["population"].to_numpy())
        drawn = uniforms(1, self.seed, _HOME, uid)[:, 0] * people[-1]
        points = self.density.select("lat", "lon").to_numpy()
        found: Floats = points[np.searchsorted(people, drawn, side="right")]
        return found

    def places_for_homes(self) -> Int64s:
        """Rows of the places that can be a home or of all."""
        rows = self.city.serving(CODES[GO_HOME])
        return rows if len(rows) else np.arange(len(self.city))

    def _places_for_works(self) -> Int64s:
        """Rows of the places that can be a work or of all."""
        rows = self.city.serving(CODES[GO_TO_WORK])
        return rows if len(rows) else np.arange(len(self.city))

    def _drawn_homes(self, uid: NDArray[np.uint32]) -> Int64s:
        """Places in proportion to their density: each that can be a home or any, alike."""
        rows = self.places_for_homes()
        drawn = uniforms(1, self.seed, _HOME, uid)[:, 0] * len(rows)
        return rows[drawn.astype(np.int64)]

    def _drawn_works(
        self,
        uid: NDArray[np.uint32],
        home: Locations,
        people: NDArray[np.intp],
        memories: kernels.Memories,
    ) -> Int64s:
        """Places by a law from home; home itself where there is no other."""
        city, works = self.city, self._works
        intent = CODES[GO_TO_WORK] if city.count(CODES[GO_TO_WORK]) else EVERYTHING
        east, north, place = home.east[people], home.north[people], home.place[people]
        if works is not None:
            city, intent = works.index, EVERYTHING
            place = np.where(place < 0, -1, works.own[place])
        start = (east, north, place)
        chosen, _ = choose(
            city,
            law=self.commute,
            intent=intent,
            start=start,
            name=uid.astype(np.int64),
            seed=self.seed,
            tag=_WORK,
            memories=memories,
        )
        alone = np.flatnonzero(chosen < 0)
        places, _ = city.nearest(
            intent, east[alone].astype(np.float64), north[alone].astype(np.float64)
        )
        chosen[alone] = places
        rows = chosen.astype(np.int64)
        return rows if works is None else works.rows[rows]


def read_density(path: str, *, on_error: OnError = "fail") -> pl.DataFrame:
    """Points and their population.

    Raises:
        HumobError: the file cannot be read, holds a fault, or no inhabitant.
    """
    density = read_table(path, DENSITY, on_error=on_error).filter(pl.col("population") > 0)
    if density.is_empty():
        raise HumobError(
            f"{path}: found a population of 0 everywhere, expected at least one inhabitant"
        )
    return density

"""Where people live and work: known, drawn from pairs, or drawn from the places of the city.

A person's home and work follow from the seed and the uid alone, so they are the same on all days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.errors import HumobError
from humobctl.generate.gravity import kernels
from humobctl.generate.gravity.choose_place import choose
from humobctl.generate.gravity.config import COMMUTE, Law
from humobctl.generate.gravity.places import EVERYTHING, PlaceIndex
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
    """

    city: PlaceIndex
    seed: int = 0
    snap: float = 500.0
    people: pl.DataFrame | None = None
    pairs: pl.DataFrame | None = None
    source: str = "people"
    density: pl.DataFrame | None = None
    commute: Law = COMMUTE

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
        known = known_dwellings(uid, self.seed, self.people, self.pairs, self.source)
        if self.density is not None:
            homeless = np.flatnonzero(np.isnan(known[:, :2]).any(axis=1))
            known[homeless, :2] = self._settle(uid[homeless])
        home = self._spots(known[:, 0], known[:, 1], CODES[GO_HOME])
        lost = np.flatnonzero(np.isnan(home.lat))
        drawn = len(lost)
        home.put(lost, self.city, self._drawn_homes(uid[lost]))
        work = self._spots(known[:, 2], known[:, 3], CODES[GO_TO_WORK])
        lost = np.flatnonzero(np.isnan(work.lat) & working)
        work.put(lost, self.city, self._drawn_works(uid[lost], home, lost, memories))
        idle = np.flatnonzero(np.isnan(work.lat))
        for name in ("lat", "lon", "east", "north", "place"):
            getattr(work, name)[idle] = getattr(home, name)[idle]
        return home, work, drawn

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
        intent = CODES[GO_TO_WORK] if self.city.count(CODES[GO_TO_WORK]) else EVERYTHING
        east, north = home.east[people], home.north[people]
        start = (east, north, home.place[people])
        chosen, _ = choose(
            self.city,
            law=self.commute,
            intent=intent,
            start=start,
            name=uid.astype(np.int64),
            seed=self.seed,
            tag=_WORK,
            memories=memories,
        )
        alone = np.flatnonzero(chosen < 0)
        places, _ = self.city.nearest(
            intent, east[alone].astype(np.float64), north[alone].astype(np.float64)
        )
        chosen[alone] = places
        return chosen.astype(np.int64)


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

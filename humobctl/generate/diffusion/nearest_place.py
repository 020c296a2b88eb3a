"""The places nearest to generated points, among those that serve an intent or have a category."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.spatial import KDTree

from humobctl.errors import HumobError
from humobctl.generate.diffusion.data import HOME_CLASS, WORK_CLASS
from humobctl.generate.gravity.places import PlaceIndex, city_of
from humobctl.generate.homes_and_works import degrees
from humobctl.generate.other_city import refuse_another_city
from humobctl.io.read import read_table
from humobctl.io.row_errors import OnError
from humobctl.native import Floats, Int64s
from humobctl.tables.intents import ANCHORED
from humobctl.tables.plane import Plane
from humobctl.tables.schemas import INTENTS, WEIGHTED_PLACES

LEARNT_DAYS = "the days that the model has learnt"
ANY = -1
"""Stands for any place."""


@dataclass
class Places:
    """Places on a model's plane.

    Attributes:
        name: of the table, for messages.
        frame: the table.
        points: metres east and north, (n, 2).
        intent: number of the intent that each serves, ANY for all of them, (n,).
        plane: the model's plane.
    """

    name: str
    frame: pl.DataFrame
    points: Floats
    intent: Int64s
    plane: Plane
    _trees: dict[int, tuple[KDTree, Int64s]] = field(init=False, default_factory=dict)
    _of: dict[str, tuple[KDTree, Int64s] | None] = field(init=False, default_factory=dict)

    @functools.cached_property
    def city(self) -> PlaceIndex:
        """The same places for the laws."""
        return city_of(self.frame, self.name, self.plane)

    def nearest(self, intent: int, points: Floats) -> tuple[Int64s, Floats]:
        """Rows of the nearest places that serve an intent, and metres to them.

        Raises:
            HumobError: no place serves it.
        """
        if intent not in self._trees:
            rows = self._serving(intent)
            self._trees[intent] = KDTree(self.points[rows]), rows
        tree, rows = self._trees[intent]
        away, found = tree.query(points)
        return rows[found], away

    def nearest_of(self, category: str, points: Floats) -> tuple[Int64s, Floats] | None:
        """Rows of the nearest places of a category, and metres to them; None without any."""
        if category not in self._of:
            rows = np.flatnonzero((self.frame["category"] == category).fill_null(False).to_numpy())
            self._of[category] = (KDTree(self.points[rows]), rows) if len(rows) else None
        known = self._of[category]
        if known is None:
            return None
        away, found = known[0].query(points)
        return known[1][found], away

    def snap_categories(
        self, category: pl.Series, points: Floats, row: Int64s, away: Floats
    ) -> int:
        """Put rows of, and metres to, places of a point's own category where there are any.

        Returns:
            Number of points whose category no place has.
        """
        elsewhere = 0
        for name in category.drop_nulls().unique().sort():
            these = (category == name).fill_null(False).to_numpy()
            found = self.nearest_of(name, points[these])
            if found is None:
                elsewhere += int(these.sum())
            else:
                row[these], away[these] = found
        return elsewhere

    def _serving(self, intent: int) -> Int64s:
        rows = np.flatnonzero((self.intent == intent) | (self.intent == ANY))
        if len(rows):
            return rows
        if intent == ANY or intent in ANCHORED:  # any place serves these
            return np.arange(len(self.intent))
        raise HumobError(
            f"{self.name}: found no place for {INTENTS[intent]!r}, expected at least one, or "
            "places without an intent, which serve all ('data import --keep-unmapped')"
        )


def read_places(path: str, plane: Plane, *, on_error: OnError = "fail") -> Places:
    """The places of a file, on a model's plane.

    Raises:
        HumobError: the file cannot be read, holds a fault or no place, or is of another city.
    """
    name = "stdin" if path == "-" else path
    frame = read_table(path, WEIGHTED_PLACES, on_error=on_error)
    if not frame.height:
        raise HumobError(f"{name}: found no place, expected at least one")
    refuse_another_city(
        f"places of {name}",
        degrees(frame, ("lat", "lon")),
        LEARNT_DAYS,
        (np.array([plane.lat]), np.array([plane.lon])),
    )
    points = np.column_stack(plane.metres(frame["lat"].to_numpy(), frame["lon"].to_numpy()))
    codes = frame["intent"].cast(pl.Enum(INTENTS)).to_physical().cast(pl.Int64)
    return Places(name, frame, points, codes.fill_null(ANY).to_numpy(), plane)


def place_ids(
    places: Places | None, row: Int64s, place_class: NDArray[np.int8], uid: NDArray[np.uint32]
) -> pl.Series:
    """Ids of places by their rows; a home or work that is none (-1) is named after its person."""
    own = pl.DataFrame({"uid": uid, "kind": place_class}).select(
        pl.when(pl.col("kind") == HOME_CLASS)
        .then(pl.format("home-{}", "uid"))
        .when(pl.col("kind") == WORK_CLASS)
        .then(pl.format("work-{}", "uid"))
    )
    if places is None:
        return own.to_series()
    named = places.frame["place_id"].gather(np.maximum(row, 0))
    return named.zip_with(pl.Series(row >= 0), own.to_series())

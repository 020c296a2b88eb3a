"""Intents of locations other than home and work, from the nearest place with an intent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from humobctl.data.stays.detect import on_sphere
from humobctl.errors import HumobError
from humobctl.io.read import read_table
from humobctl.tables.grid import EARTH_RADIUS
from humobctl.tables.schemas import PLACES

if TYPE_CHECKING:
    from scipy.spatial import KDTree

AT_HOME_OR_WORK = ("go home", "go to sleep", "go to work")
"""Intents that come from the hours of stays, never from places nearby."""


@dataclass
class NearestPlaces:
    """Places by their position.

    Attributes:
        tree: positions of places on the unit sphere.
        intents: theirs.
        metres: distance up to which a place counts.
    """

    tree: KDTree
    intents: pl.Series
    metres: float

    def fill_intents(self, locations: pl.DataFrame) -> pl.DataFrame:
        """The locations (lat, lon, intent) with the intent of the nearest place for a null."""
        if locations.is_empty():
            return locations
        # A chord of the unit sphere for a distance along the surface.
        chord = 2 * np.sin(min(self.metres / EARTH_RADIUS, np.pi) / 2)
        _, nearest = self.tree.query(
            on_sphere(locations["lat"], locations["lon"]), distance_upper_bound=chord
        )
        found = nearest < len(self.intents)
        rows = pl.Series(np.where(found, nearest, 0))
        near = self.intents.gather(rows)
        return locations.with_columns(
            intent=pl.when(pl.col("intent").is_null() & pl.Series(found))
            .then(near)
            .otherwise("intent")
        )


def read_places(path: str, metres: float) -> NearestPlaces:
    """The places of a table that have an intent.

    Raises:
        HumobError: the table cannot be read, or no place has an intent to go by.
    """
    from scipy.spatial import KDTree  # noqa: PLC0415 - half of the start of a run without places

    places = read_table(path, PLACES)
    told = places.filter(pl.col("intent").is_not_null() & ~pl.col("intent").is_in(AT_HOME_OR_WORK))
    if told.is_empty():
        raise HumobError(
            f"{path}: found no place with an intent other than home, sleep and work; expected "
            "places such as 'humobctl data import' makes from OpenStreetMap"
        )
    return NearestPlaces(KDTree(on_sphere(told["lat"], told["lon"])), told["intent"], metres)

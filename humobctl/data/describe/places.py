"""What is in a table of places: how many of which intent and category, where, and how dense."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import polars as pl

from humobctl.data.describe.description import Section, TableDescription, degrees
from humobctl.data.describe.grid import CELL_KM
from humobctl.data.describe.heat import HeatTally
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.places.reader import UNIQUE_PLACES
from humobctl.data.importers.run import import_data
from humobctl.data.importers.table_kind import columns_of
from humobctl.data.measures.spread import Spread, spread
from humobctl.io.read import iter_table
from humobctl.native import Floats
from humobctl.tables.plane import plane_through
from humobctl.tables.schemas import INTENTS, PLACES

ANY = "any intent"
"""Label of places without an intent, which serve all intents."""
_TOP = 20


@dataclass(repr=False)
class PlacesDescription(TableDescription):
    """What ``describe_places`` found.

    Attributes:
        places: how many.
        intents: intent -> places, in the order of ``schemas.INTENTS``; ``ANY`` for those of none.
        categories: number of distinct categories; ``top_categories`` are the most frequent.
        without_name, without_category: places that lack one.
        bounding_box: south, north, west and east in degrees; across the date line, west > east.
        width_km, height_km: its sides, on a plane through the middle of the places.
        places_per_km2: places over the area of the box; None for a box without area.
        cell_km: side of the cells in which density is counted.
        cells: cells with at least one place.
        places_per_cell: over those cells.
        heat: places by square of degrees, as ``HeatTally`` has them.
    """

    hidden: ClassVar[frozenset[str]] = frozenset({"heat"})

    places: int
    intents: dict[str, int]
    categories: int
    top_categories: dict[str, int]
    without_name: int
    without_category: int
    bounding_box: dict[str, float]
    width_km: float
    height_km: float
    places_per_km2: float | None
    cell_km: float
    cells: int
    places_per_cell: Spread
    heat: pl.DataFrame = field(repr=False, compare=False)

    def sections(self) -> list[Section]:
        """Totals, intents and categories."""
        return [
            self.totals(totals(self)),
            *(
                Section("", (title, "places", "share"), shares(counts, self.places))
                for title, counts in (("intent", self.intents), ("category", self.top_categories))
            ),
        ]


def describe_places(
    path: str | None, *, cell_km: float = CELL_KM, options: ImportOptions | None = None
) -> PlacesDescription:
    """Describe places: a place table, or any file of places that ``data import`` reads.

    Args:
        path: a file, or None or ``-`` for standard input.
        cell_km: side of a cell in km.
        options: how places are read; those of no intent stay.

    Raises:
        HumobError: the input cannot be read, or no row of it is good.
    """
    options = replace(options or ImportOptions(), keep_unmapped=True)
    if {"place_id"} <= columns_of(path) <= set(PLACES.columns) and not options.columns:
        batches = iter_table(path, UNIQUE_PLACES, on_error=options.on_error)
    else:
        batches = import_data(path, options, expected=PLACES).batches
    intents: Counter[str | None] = Counter()
    categories: Counter[str | None] = Counter()
    unnamed, lat, lon, heat = 0, [], [], HeatTally()
    for batch in batches:
        intents.update(dict(batch["intent"].value_counts().iter_rows()))
        categories.update(dict(batch["category"].value_counts().iter_rows()))
        unnamed += batch["name"].null_count()
        heat.add(batch)
        lat.append(batch["lat"].to_numpy())
        lon.append(batch["lon"].to_numpy())
    uncategorised = categories.pop(None, 0)
    order = [(intent or ANY, intents[intent]) for intent in (*INTENTS, None)]
    return PlacesDescription(
        source="stdin" if path in (None, "-") else str(path),
        kind="places",
        places=intents.total(),
        intents={intent: many for intent, many in order if many},
        categories=len(categories),
        top_categories={str(name): many for name, many in categories.most_common(_TOP)},
        without_name=unnamed,
        without_category=uncategorised,
        heat=heat.heat(),
        **_extent(np.concatenate(lat), np.concatenate(lon), cell_km),
    )


def _extent(lat: Floats, lon: Floats, cell_km: float) -> dict[str, Any]:
    plane = plane_through(lat, lon)
    east, north = (axis / 1000 for axis in plane.metres(lat, lon))
    corners = np.array([[east.min(), east.max()], [north.min(), north.max()]])
    (south, top), (west, right) = (
        axis.tolist() for axis in plane.degrees(corners[0] * 1000, corners[1] * 1000)
    )
    width, height = (corners[:, 1] - corners[:, 0]).tolist()
    cells = np.floor(np.stack([east, north]) / cell_km).astype(np.int64)
    _, counts = np.unique(cells, axis=1, return_counts=True)
    area = width * height
    return {
        "bounding_box": {"south": south, "north": top, "west": west, "east": right},
        "width_km": width,
        "height_km": height,
        "places_per_km2": len(lat) / area if area else None,
        "cell_km": cell_km,
        "cells": len(counts),
        "places_per_cell": spread(counts.astype(np.float64)),
    }


# -- for people --------------------------------------------------------------------------------


def totals(found: PlacesDescription) -> list[tuple[str, str]]:
    """Names and values of the totals."""
    box, dense = found.bounding_box, found.places_per_cell
    per_km2 = "-" if found.places_per_km2 is None else f"{found.places_per_km2:,.1f}"
    return [
        ("places", f"{found.places:,}"),
        ("without a name", f"{found.without_name:,}"),
        ("without a category", f"{found.without_category:,}"),
        ("categories", f"{found.categories:,}"),
        *degrees(box),
        ("width, height in km", f"{found.width_km:,.1f}, {found.height_km:,.1f}"),
        ("places per square km", per_km2),
        (f"cells of {found.cell_km:g} km with a place", f"{found.cells:,}"),
        ("places in such a cell: mean", f"{dense.mean:,.1f}"),
        ("places in such a cell: maximum", f"{dense.max:,.0f}"),
    ]


def shares(counts: dict[str, int], places: int) -> list[tuple[str, str, str]]:
    """Name, places and share of all places."""
    return [(name, f"{many:,}", f"{many / places:.1%}") for name, many in counts.items()]

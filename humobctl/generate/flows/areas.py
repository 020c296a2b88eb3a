"""Areas as arrays, and all pairs of them, a block of origins at a time.

Shapes: n areas, b origins in a block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.console.words import pluralize
from humobctl.errors import HumobError
from humobctl.native import Floats, Int64s
from humobctl.tables.area_ids import likely_reason
from humobctl.tables.grid import EARTH_RADIUS

LEAST_KM = 0.1
"""Areas nearer than this count as this far, so that a power of the distance stays finite."""
TIE_KM = 0.001
"""Areas whose distances differ by no more are equally far: centroids have rounding, too."""
BLOCK_PAIRS = 1 << 20
"""Pairs of areas in memory at once: 8 MB a number."""
KEPT_PAIRS = 1 << 24
"""Pairs whose distances are kept between the steps of a fit; of more, they are computed anew."""


@dataclass(frozen=True)
class Region:
    """Areas by their number.

    Attributes:
        ids: area ids, in the order of the file.
        lat, lon: centroids in degrees, shape (n,).
        population: people, shape (n,).
        outflow: trips to other areas, NaN where it is not known, shape (n,).
        name: the file, for messages.
    """

    ids: list[str]
    lat: Floats
    lon: Floats
    population: Floats
    outflow: Floats
    name: str = "areas"

    @cached_property
    def _number(self) -> dict[str, int]:
        return {area: number for number, area in enumerate(self.ids)}

    def __len__(self) -> int:
        """How many areas there are."""
        return len(self.ids)

    def numbers(self, ids: pl.Series, source: str) -> Int64s:
        """The numbers of area ids.

        Raises:
            HumobError: an id that no area has.
        """
        found = ids.replace_strict(self._number, default=None, return_dtype=pl.Int64)
        if found.null_count():
            strange = ids.filter(found.is_null())
            raise HumobError(
                f"{source}: column {ids.name}: found {strange[0]!r} ({strange.n_unique()} such "
                f"ids), expected an area of {self.name}"
                + likely_reason(strange, pl.Series(self.ids))
            )
        return found.to_numpy().astype(np.int64)


def region_of(areas: pl.DataFrame, name: str = "areas") -> Region:
    """A table of areas as arrays.

    Raises:
        HumobError: fewer than two areas, or no inhabitant.
    """
    columns = {
        column: areas[column].to_numpy().astype(np.float64)
        for column in ("lat", "lon", "population", "outflow")
    }
    if areas.height < 2 or not columns["population"].sum():
        raise HumobError(
            f"{name}: found {pluralize(areas.height, 'area')} with "
            f"{columns['population'].sum():g} people, expected at least two areas and some people"
        )
    return Region(areas["area_id"].to_list(), **columns, name=name)


@dataclass(frozen=True)
class OriginBlock:
    """The pairs of some origins with all areas.

    Attributes:
        rows: numbers of the origins, shape (b,).
        km: great-circle distances, at least LEAST_KM, shape (b, n).
        other: False where origin and destination are the same, shape (b, n).
    """

    rows: Int64s
    km: Floats
    other: NDArray[np.bool_]


class Pairs:
    """All pairs of some origins with all areas; distances of a small region are kept."""

    def __init__(self, region: Region, origins: Int64s) -> None:
        self.region, self.origins = region, origins
        lat, lon = np.radians(region.lat), np.radians(region.lon)
        self._unit = np.stack(
            [np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1
        )
        self._kept: list[OriginBlock] = []

    def __iter__(self) -> Iterator[OriginBlock]:
        """Block after block, in the order of the origins."""
        if self._kept:
            yield from self._kept
            return
        keep = len(self.origins) * len(self.region) <= KEPT_PAIRS
        step = max(1, BLOCK_PAIRS // len(self.region))
        for low in range(0, len(self.origins), step):
            block = self._block(self.origins[low : low + step])
            if keep:
                self._kept.append(block)
            yield block

    def _block(self, rows: Int64s) -> OriginBlock:
        # Half the chord; of nearer points than LEAST_KM the cosine alone would lose the digits.
        half = np.sqrt(np.maximum((1.0 - self._unit[rows] @ self._unit.T) / 2.0, 0.0))
        km = 2.0 * EARTH_RADIUS / 1000.0 * np.arcsin(np.minimum(half, 1.0))
        other = np.ones(km.shape, dtype=bool)
        other[np.arange(len(rows)), rows] = False
        return OriginBlock(rows, np.maximum(km, LEAST_KM), other)


def between(km: Floats, mass: Floats, rows: Int64s) -> tuple[Floats, Floats]:
    """Intervening opportunities: the mass nearer to the origin than the destination is.

    Origin and destination do not count. Areas equally far (each within TIE_KM of the one before)
    are one destination to the law, so that nothing depends on their order in the file; they share
    its flow by their masses.

    Args:
        km: distances, shape (b, n).
        mass: of each area, shape (n,).
        rows: numbers of the origins, shape (b,).

    Returns:
        The mass nearer, and the mass as far as each area, its own among it, (b, n) each.
    """
    line = np.arange(len(rows))[:, None]
    far = km.copy()
    far[line[:, 0], rows] = -1.0
    order = np.argsort(far, axis=1, kind="stable")[:, 1:]
    along = mass[order]
    before = np.cumsum(along, axis=1) - along
    distance = far[line, order]
    apart = np.diff(distance, axis=1) > TIE_KM
    nearer, together = np.zeros(km.shape), np.broadcast_to(mass, km.shape).copy()
    if not apart.all():
        place, edge = np.arange(order.shape[1]), np.ones((len(rows), 1), bool)
        first = np.where(np.hstack([edge, apart]), place, 0)
        first = np.maximum.accumulate(first, axis=1)
        last = np.where(np.hstack([apart, edge]), place, len(place))
        last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
        before = np.take_along_axis(before, first, axis=1)
        through = np.take_along_axis(np.cumsum(along, axis=1), last, axis=1)
        together[line, order] = np.where(first == last, along, through - before)
    nearer[line, order] = before
    return nearer, together

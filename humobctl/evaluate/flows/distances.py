"""Trips by distance between the centroids of their areas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.errors import HumobError
from humobctl.native import Floats
from humobctl.tables.area_ids import likely_reason
from humobctl.tables.plane import kilometres_apart

EDGES = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 21_000)
"""Distances in km at which one bin ends and the next begins."""


@dataclass(frozen=True)
class TripDistances:
    """How far trips go.

    Attributes:
        trips: in each bin between two ``EDGES``.
    """

    trips: Floats

    @property
    def shares(self) -> Floats:
        """Shares of the trips."""
        found: Floats = self.trips / max(self.trips.sum(), 1e-300)
        return found


def measure_trips(
    flows: pl.DataFrame, name: str, areas: pl.DataFrame, areas_name: str, *, within: bool
) -> TripDistances:
    """Trips by distance; those of areas without a position are left out with a warning.

    Args:
        flows: origin, destination, flow.
        name: of their file.
        areas: area_id, lat, lon.
        areas_name: of their file.
        within: whether trips within an area count, at 0 km.

    Raises:
        HumobError: no area of the flows has a position.
    """
    kept = flows if within else flows.filter(pl.col("origin") != pl.col("destination"))
    known = areas.select("area_id", "lat", "lon")
    joined = kept
    for side in ("origin", "destination"):
        joined = joined.join(known, left_on=side, right_on="area_id", how="inner", suffix="_to")
    lost = float(kept["flow"].sum()) - float(joined["flow"].sum())
    if not joined.height:
        ids = pl.concat([flows["origin"], flows["destination"]]).unique()
        raise HumobError(
            f"{areas_name}: found none of the areas of {name}, expected their positions"
            f"{likely_reason(ids, known['area_id'])}"
        )
    if lost > 0:
        report.warn(f"{name}: {lost:,.0f} trips of areas that {areas_name} does not have")
    lat, lon, lat_to, lon_to = (
        joined[one].to_numpy() for one in ("lat", "lon", "lat_to", "lon_to")
    )
    km = kilometres_apart(lat, lon, lat_to, lon_to)
    trips, _ = np.histogram(km, bins=EDGES, weights=joined["flow"].to_numpy())
    return TripDistances(trips.astype(np.float64))

"""Places, homes and models of different cities: refused before anything is drawn."""

from __future__ import annotations

import numpy as np

from humobctl.errors import HumobError
from humobctl.native import Floats
from humobctl.tables.plane import kilometres_apart, plane_through

FAR_KM = 100.0
"""Beyond all places of a city by so much is another one."""
_REACH = 0.95
"""Fraction of the places, so that a stray one does not widen a city."""


def refuse_another_city(
    what: str, points: tuple[Floats, Floats], where: str, city: tuple[Floats, Floats]
) -> None:
    """See that points lie around a city.

    Args:
        what: the points, for messages, such as ``homes of pairs.csv``.
        points: latitudes and longitudes in degrees, nan for one that is not known.
        where: the city, for messages.
        city: latitudes and longitudes of its places, or of its centre alone.

    Raises:
        HumobError: more than half of the points lie farther than FAR_KM from the city.
    """
    known = ~np.isnan(points[0]) & ~np.isnan(points[1])
    lat, lon = points[0][known], points[1][known]
    if not len(lat) or not len(city[0]):
        return
    centre = plane_through(*city)
    reach = np.quantile(kilometres_apart(*city, centre.lat, centre.lon), _REACH)
    away = kilometres_apart(lat, lon, centre.lat, centre.lon)
    if np.mean(away > reach + FAR_KM) <= 0.5:
        return
    middle = plane_through(lat, lon)
    raise HumobError(
        f"{what}: found them {np.median(away):,.0f} km from {where} (around "
        f"{middle.lat:.2f}, {middle.lon:.2f} and {centre.lat:.2f}, {centre.lon:.2f}), expected "
        "both in one city"
    )

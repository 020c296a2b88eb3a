"""Coordinates in any reference system as degrees of WGS 84, by PROJ (pyproj)."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from humobctl.console.words import pluralize
from humobctl.errors import HumobError, UsageError
from humobctl.extras import require
from humobctl.io.streams import Input

_DEGREES = re.compile(r"EPSG:4326|OGC:CRS84", re.IGNORECASE)
_URN = re.compile(r"urn:ogc:def:crs:(\w+):[\w.]*:(\w+)", re.IGNORECASE)
_WKT_NAME = re.compile(r'\w+\s*\[\s*"([^"]*)"')
_BEYOND = 5.0
"""Degrees beyond the area of a reference system that are still no sign of a wrong one."""
_SLACK = 1e-6
"""Part of a coordinate by which it may differ after the way to degrees and back."""
NO_CRS = (
    "the file names no coordinate reference system: assuming longitude and latitude of "
    "WGS 84 (--crs names another)"
)


def crs_name(crs: Any) -> str:
    """A reference system in a few words: its code, otherwise its name."""
    if isinstance(crs, dict):
        code = crs.get("id")
        if isinstance(code, dict):
            return f"{code.get('authority')}:{code.get('code')}"
        return str(crs.get("name", "a system without a name"))
    if (urn := _URN.fullmatch(str(crs))) is not None:
        return f"{urn[1]}:{urn[2]}".upper()
    found = _WKT_NAME.match(str(crs))
    return found[1] if found else str(crs)


def is_degrees(crs: Any) -> bool:
    """Whether these are longitudes and latitudes of WGS 84 already."""
    return bool(_DEGREES.fullmatch(crs_name(crs)))


@dataclass
class Projection:
    """Turns coordinates into degrees, and counts what looks wrong.

    Attributes:
        name: of the reference system.
        transform: (x, y) -> (longitude, latitude), infinite where that cannot be.
        back: the other way.
        area: west, south, east, north of where it is meant for; None where nothing is known.
        metres: whether its coordinates are not degrees.
        outside, small, count: points outside the area, those that look like degrees, all.
    """

    name: str
    transform: Any
    back: Any
    area: tuple[float, float, float, float] | None
    metres: bool
    outside: int = 0
    small: int = 0
    count: int = 0

    def degrees(self, x: pl.Series, y: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Latitudes and longitudes; null where there is none."""
        given = (column.cast(pl.Float64).fill_null(np.nan).to_numpy() for column in (x, y))
        easting, northing = given
        lon, lat = self.transform(easting, northing)
        # What lies far off comes out anywhere, and does not come back.
        east, north = self.back(lon, lat)
        away = np.hypot(east - easting, north - northing)
        lost = ~(away <= _SLACK * (1 + np.hypot(easting, northing)))
        lon, lat = np.where(lost, np.nan, lon), np.where(lost, np.nan, lat)
        self.count += int((~lost).sum())
        self.small += int(((np.abs(easting) <= 180) & (np.abs(northing) <= 90)).sum())
        if self.area is not None:
            west, south, east, north = self.area
            wide = east - west if west <= east else east - west + 360
            beside = (lon - west + _BEYOND) % 360 > wide + 2 * _BEYOND
            far = (lat < south - _BEYOND) | (lat > north + _BEYOND)
            self.outside += int((~lost & (beside | far)).sum())
        return pl.Series("lat", lat, nan_to_null=True), pl.Series("lon", lon, nan_to_null=True)

    def say(self) -> list[str]:
        """What was done, for people, and what looks wrong."""
        said = [f"converted coordinates from {self.name} to degrees (WGS 84)"]
        if self.metres and self.count and self.small == self.count:
            said.append(
                f"all coordinates look like degrees, not like those of {self.name}: check that "
                "the file names the right system"
            )
        elif self.outside:
            said.append(
                f"{pluralize(self.outside, 'point')} far outside the area of {self.name}: check "
                "the reference system, and the order of x and y"
            )
        return said


def find_projection(source: Input, asked: str | None, own: Any) -> Projection | None:
    """What turns the coordinates of an input into degrees; None where they are.

    Args:
        source: the input, for messages.
        asked: of the option ``--crs``.
        own: what the file itself says; None where it says nothing.

    Raises:
        UsageError: the option is not a reference system, or not the file's.
        HumobError: a system that PROJ does not know, or the extra is missing.
    """
    if asked is not None and own is not None and crs_name(own).lower() != asked.lower():
        raise UsageError(
            f"--crs: found {asked}, but {source.name} says that it is in {crs_name(own)}"
        )
    crs = own if own is not None else asked
    if crs is None or is_degrees(crs):
        return None
    require("geo", f"{source.name}: coordinates in {crs_name(crs)}", ("pyproj",))
    import pyproj  # noqa: PLC0415 - of the extra "geo"

    try:
        system = pyproj.CRS.from_user_input(crs)
        to_degrees = pyproj.Transformer.from_crs(system, "OGC:CRS84", always_xy=True)
    except pyproj.exceptions.ProjError as exc:
        if own is None:
            raise UsageError(
                f"--crs: found {asked!r}, expected a coordinate reference system such as EPSG:3857"
            ) from exc
        raise HumobError(
            f"{source.name}: found the coordinate reference system {crs_name(crs)}, expected one "
            "that PROJ knows"
        ) from exc
    used = system.area_of_use
    area = None if used is None else (used.west, used.south, used.east, used.north)
    back = functools.partial(to_degrees.transform, direction="INVERSE")
    metres = not system.is_geographic
    return Projection(crs_name(crs), to_degrees.transform, back, area, metres)

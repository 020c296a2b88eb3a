"""Where a place is: points as they are, and one representative point of anything larger.

The representative point is shapely's ``point_on_surface``: a point inside of an area, or on a
line. The centre of an area may lie outside of it, in the street or in the lake. Shapes that lie
across the 180th meridian are put together there first.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.data.importers.wkb import coordinates_apart
from humobctl.errors import HumobError
from humobctl.native import Floats

_BOXES = (("ymin", "ymax", "xmin", "xmax"), ("miny", "maxy", "minx", "maxx"))
_SURELY_SHALLOW = 1 << 15
"""Bytes of a geometry below which it is nested too little to fill the stack of GEOS."""
_MOST_COLLECTIONS = 1000
_COLLECTION = re.compile("COLLECTION", re.IGNORECASE)
_MULTI_WKB = re.compile(
    rb"\x01(?:[\x04-\x07]\0|[\xec-\xef]\x03|[\xd4-\xd7]\x07|[\xbc-\xbf]\x0b)\0[\0\x20\x80\xa0\xc0\xe0]"
    rb"|\0[\0\x20\x80\xa0\xc0\xe0]\0(?:\0[\x04-\x07]|\x03[\xec-\xef]|\x07[\xd4-\xd7]|\x0b[\xbc-\xbf])"
)
"""Byte order and type of shapes that hold others, with and without Z, M and a spatial reference."""


def representative(shapes: Any, *, degrees: bool = True) -> tuple[Floats, Floats]:
    """Latitudes and longitudes of shapes; nan for one that is missing, empty or not valid.

    Args:
        shapes: an array of shapely geometries (longitude, latitude), or None.
        degrees: they are in degrees, and may lie across the 180th meridian.
    """
    import shapely  # noqa: PLC0415 - a tenth of a second to import

    shapes = np.array(shapes, dtype=object)
    there = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    # Only what has an extent is worked on: points are most of the places.
    points = there & (shapely.get_type_id(shapes) == 0)
    large = np.flatnonzero(there & ~points)
    joined = across_180(shapes[large]) if degrees else shapes[large]
    # Parts that meet at the meridian are valid only apart, a ring across it only put together.
    valid = shapely.is_valid(shapes[large]) | shapely.is_valid(joined)
    inside = shapely.point_on_surface(joined[valid])
    lat, lon = np.full(len(shapes), np.nan), np.full(len(shapes), np.nan)
    lat[points], lon[points] = shapely.get_y(shapes[points]), shapely.get_x(shapes[points])
    east = shapely.get_x(inside)
    lat[large[valid]] = shapely.get_y(inside)
    lon[large[valid]] = from_across(east) if degrees else east
    return lat, lon


def across_180(shapes: NDArray[Any]) -> NDArray[Any]:
    """Shapes, of which those across the 180th meridian reach beyond it to the east.

    A shape of more than 180 degrees from west to east lies across the meridian if it has no more
    that way. (None at all is one that goes round the earth.)

    Args:
        shapes: shapely geometries in degrees.
    """
    import shapely  # noqa: PLC0415

    def width(some: NDArray[Any]) -> Floats:
        west, _, east, _ = shapely.bounds(some).T
        return east - west  # type: ignore[no-any-return]

    wide = np.flatnonzero(width(shapes) > 180)
    if not len(wide):
        return shapes
    moved = shapely.transform(shapes[wide], lambda at: at + np.where(at < 0, [360.0, 0.0], 0.0))
    across = (width(moved) > 0) & (width(moved) <= 180)
    result = shapes.copy()
    result[wide[across]] = moved[across]
    return result


def from_across(lon: Floats) -> Floats:
    """Longitudes of points in shapes from ``across_180``, from -180 to 180 degrees again."""
    return np.where((lon > 180) & (lon <= 360), lon - 360, lon)


def positions(column: pl.Series, name: str, *, degrees: bool = True) -> tuple[pl.Series, pl.Series]:
    """Latitudes and longitudes of geometries, null where there is none that can be used.

    Args:
        column: WKB as bytes (also with a spatial reference, EWKB), WKT as text, or GeoArrow's
            points.
        name: of the file, for messages.
        degrees: they are in degrees.

    Raises:
        HumobError: a column of another type.
    """
    import shapely  # noqa: PLC0415 - a tenth of a second to import

    if (apart := coordinates_apart(column)) is not None:
        return apart["lat"].alias("lat"), apart["lon"].alias("lon")
    if column.dtype == pl.Binary:
        read, size = shapely.from_wkb, column.bin.size()
    elif column.dtype == pl.String:
        read, size = shapely.from_wkt, column.str.len_bytes()
    else:
        raise HumobError(
            f"{name}: found {column.dtype} in column {column.name}, expected geometries as WKB "
            "or WKT"
        )
    written = column.to_numpy()
    for row in (size > _SURELY_SHALLOW).arg_true():
        if _is_deep(written[row]):
            written = written.copy()
            written[row] = None
    with np.errstate(invalid="ignore"):  # a NaN among the coordinates
        lat, lon = representative(read(written, on_invalid="ignore"), degrees=degrees)
    return pl.Series("lat", lat, nan_to_null=True), pl.Series("lon", lon, nan_to_null=True)


def _is_deep(geometry: str | bytes) -> bool:
    """Whether a geometry may be nested so deeply that reading it would end this process."""
    if isinstance(geometry, str):
        return len(_COLLECTION.findall(geometry)) > _MOST_COLLECTIONS
    return len(_MULTI_WKB.findall(geometry)) > _MOST_COLLECTIONS


def box_middle(frame: pl.DataFrame, column: str) -> tuple[pl.Expr, pl.Expr] | None:
    """Latitude and longitude of the middle of bounding boxes, where ``column`` holds such.

    Overture's boxes hold 32-bit numbers: a point lies within a metre of the middle of its box. A
    box whose west is east of its east, or that is wider than 180 degrees, is one of a place on both
    sides of the 180th meridian.
    """
    dtype = frame.schema[column]
    if not isinstance(dtype, pl.Struct):
        return None
    fields = {field.name for field in dtype.fields}
    for south, north, west, east in _BOXES:
        if {south, north, west, east} <= fields:
            side = {name: pl.col(column).struct.field(name).cast(pl.Float64) for name in fields}
            middle = (side[west] + side[east]) / 2
            other = pl.when(middle > 0).then(middle - 180).otherwise(middle + 180)
            across = ~(side[east] - side[west]).is_between(0, 180)
            lon = pl.when(across).then(other).otherwise(middle)
            return ((side[south] + side[north]) / 2).fill_nan(None), lon.fill_nan(None)
    return None

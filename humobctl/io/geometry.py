"""The geometry of each row of a table: a point, a line or a polygon, by the names of its columns.

The columns that a geometry is made of are not written beside it: it holds them in full precision.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.errors import TableError, UsageError
from humobctl.io.row_errors import quote

Geometries = NDArray[np.object_]
"""Geometries of shapely, or None, of shape (rows,)."""
POLYGON = "polygon"
"""The column of polygons as WKB, which the cells of a grid are given."""
GEOMETRY = "geometry"
"""The column of geometries in files that have one."""
_LINE = "line"
_PAIRS = (("origin", "destination"), ("home", "work"))
_EXPECTED = "lat and lon, a line, or the coordinates of origin and destination"


@dataclass(frozen=True)
class Shape:
    """How the geometries of a table are made.

    Attributes:
        kind: what they are.
        columns: of which they are made.
        make: geometries of a frame.
    """

    kind: Literal["Point", "LineString", "Polygon"]
    columns: tuple[str, ...]
    make: Callable[[pl.DataFrame], Geometries]


def shape_of(columns: Collection[str], name: str | None) -> Shape:
    """The shape that the columns of a table give.

    Args:
        columns: their names.
        name: of the output, for messages; None for standard output.

    Raises:
        UsageError: they give none.
    """
    if POLYGON in columns:
        return Shape("Polygon", (POLYGON,), _polygons)
    if {"lat", "lon"} <= set(columns):
        return Shape("Point", ("lat", "lon"), _points)
    if _LINE in columns:
        return Shape("LineString", (_LINE,), _lines)
    for pair in _PAIRS:
        ends = tuple(f"{end}_{axis}" for end in pair for axis in ("lat", "lon"))
        if set(ends) <= set(columns):
            return Shape("LineString", ends, partial(_straight, ends=ends))
    remedy = ""
    if {"x", "y"} <= set(columns):
        remedy = "; 'humobctl data export --grid' makes cells polygons"
    elif {"origin", "destination"} <= set(columns):
        remedy = "; 'humobctl data export --areas' makes flows lines"
    raise UsageError(
        f"{name or 'standard output'}: found columns {', '.join(columns)}, expected {_EXPECTED} "
        f"for a file of geometries{remedy}"
    )


def split_geometries(frame: pl.DataFrame, shape: Shape) -> tuple[Geometries, pl.DataFrame]:
    """The geometries of a frame, and the columns beside them."""
    return shape.make(frame), frame.drop(shape.columns)


def with_wkb(frame: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """A frame with a column ``geometry`` of WKB in place of the columns that it is made of."""
    import shapely  # noqa: PLC0415 - only for files of geometries

    shapes, others = split_geometries(frame, shape)
    return others.with_columns(pl.Series(GEOMETRY, shapely.to_wkb(shapes), dtype=pl.Binary))


def box_polygons(frame: pl.DataFrame, south_west: Any, north_east: Any) -> pl.DataFrame:
    """A frame with a column of boxes.

    Args:
        frame: any.
        south_west: expressions of latitude and longitude of a corner.
        north_east: the same of the opposite corner.
    """
    import shapely  # noqa: PLC0415 - only for files of geometries

    lat0, lon0, lat1, lon1 = (
        frame.select(one.alias("one"))["one"].to_numpy() for one in (*south_west, *north_east)
    )
    west, east = np.minimum(lon0, lon1), np.maximum(lon0, lon1)
    boxes = shapely.box(west, np.minimum(lat0, lat1), east, np.maximum(lat0, lat1))
    return frame.with_columns(pl.Series(POLYGON, shapely.to_wkb(boxes), dtype=pl.Binary))


def _points(frame: pl.DataFrame) -> Geometries:
    import shapely  # noqa: PLC0415 - only for files of geometries

    known, (lat, lon) = _axes(frame, ("lat", "lon"))
    return _where(known, shapely.points(lon, lat))


def _straight(frame: pl.DataFrame, ends: tuple[str, ...]) -> Geometries:
    import shapely  # noqa: PLC0415 - only for files of geometries

    known, (lat0, lon0, lat1, lon1) = _axes(frame, ends)
    corners = np.stack([np.stack([lon0, lat0], -1), np.stack([lon1, lat1], -1)], 1)
    return _where(known, shapely.linestrings(corners))


def _lines(frame: pl.DataFrame) -> Geometries:
    """Lines of WKT; those that are not known go straight from origin to destination."""
    import shapely  # noqa: PLC0415 - only for files of geometries

    texts = frame[_LINE].cast(pl.String)
    lines: Geometries = np.asarray(shapely.from_wkt(texts.to_list(), on_invalid="ignore"))
    bad = np.flatnonzero(texts.is_not_null().to_numpy() & (shapely.get_type_id(lines) != 1))
    if len(bad):
        found = quote(texts[int(bad[0])])
        raise TableError("table", found, "LINESTRING (longitude latitude, ...)", column=_LINE)
    ends = tuple(f"{end}_{axis}" for end in _PAIRS[0] for axis in ("lat", "lon"))
    if texts.null_count() and set(ends) <= set(frame.columns):
        lost = texts.is_null().to_numpy()
        lines[lost] = _straight(frame.filter(lost), ends)
    return lines


def _polygons(frame: pl.DataFrame) -> Geometries:
    import shapely  # noqa: PLC0415 - only for files of geometries

    return np.asarray(shapely.from_wkb(frame[POLYGON].to_list()))


def _axes(
    frame: pl.DataFrame, names: tuple[str, ...]
) -> tuple[NDArray[np.bool_], list[NDArray[np.float64]]]:
    """Which rows have all coordinates, and these, 0 in other rows."""
    numbers = frame.select(pl.col(names).cast(pl.Float64))
    known = numbers.select(pl.all_horizontal(pl.all().is_finite().fill_null(False)).alias("known"))
    filled = numbers.select(pl.when(known["known"]).then(pl.all()).otherwise(0.0))
    return known["known"].to_numpy(), [filled[name].to_numpy() for name in names]


def _where(known: NDArray[np.bool_], shapes: Any) -> Geometries:
    """None in place of geometries that are not known."""
    found: Geometries = shapes
    found[~known] = None
    return found

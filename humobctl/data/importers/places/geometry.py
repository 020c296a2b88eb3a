"""Where a place is: points as they are, and one representative point of anything larger.

The representative point is shapely's ``point_on_surface``: a point inside of an area, or on a
line. The centre of an area may lie outside of it, in the street or in the lake.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from humobctl.errors import HumobError
from humobctl.native import Floats

_EXTRA = "pip install 'humobctl[places]'"
_BOXES = (("ymin", "ymax", "xmin", "xmax"), ("miny", "maxy", "minx", "maxx"))


def needs(library: str, name: str, what: str) -> HumobError:
    """The error for a library that is not installed."""
    return HumobError(f"{name}: {what} needs {library}: {_EXTRA}")


def representative(shapes: Any) -> tuple[Floats, Floats]:
    """Latitudes and longitudes of shapes, nan for a missing or empty one.

    Args:
        shapes: an array of shapely geometries in degrees (longitude, latitude), or None.
    """
    import shapely  # noqa: PLC0415 - a tenth of a second to import

    # Only what has an extent is worked on: points are most of the places.
    shapes = np.array(shapes, dtype=object)
    large = ~np.isin(shapely.get_type_id(shapes), (-1, 0))
    shapes[large] = shapely.point_on_surface(shapes[large])
    return shapely.get_y(shapes), shapely.get_x(shapes)


def positions(column: pl.Series, name: str) -> tuple[pl.Series, pl.Series]:
    """Latitudes and longitudes of geometries, null where there is none that can be read.

    Args:
        column: WKB as bytes (also with a spatial reference, EWKB), or WKT as text.
        name: of the file, for messages.

    Raises:
        HumobError: a column of another type.
    """
    import shapely  # noqa: PLC0415 - a tenth of a second to import

    if column.dtype == pl.Binary:
        read = shapely.from_wkb
    elif column.dtype == pl.String:
        read = shapely.from_wkt
    else:
        raise HumobError(
            f"{name}: found {column.dtype} in column {column.name}, expected geometries as WKB "
            "or WKT"
        )
    lat, lon = representative(read(column.to_numpy(), on_invalid="ignore"))
    return pl.Series("lat", lat, nan_to_null=True), pl.Series("lon", lon, nan_to_null=True)


def box_middle(frame: pl.DataFrame, column: str) -> tuple[pl.Expr, pl.Expr] | None:
    """Latitude and longitude of the middle of bounding boxes, where ``column`` holds such.

    Overture's boxes hold 32-bit numbers: a point lies within a metre of the middle of its box.
    """
    dtype = frame.schema[column]
    if not isinstance(dtype, pl.Struct):
        return None
    fields = {field.name for field in dtype.fields}
    for south, north, west, east in _BOXES:
        if {south, north, west, east} <= fields:
            side = {name: pl.col(column).struct.field(name).cast(pl.Float64) for name in fields}
            return (side[south] + side[north]) / 2, (side[west] + side[east]) / 2
    return None

"""Zones: polygons and how many people live in each, such as those of a census."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.data.importers.areas import parse_features
from humobctl.data.importers.crs import Projection, find_projection
from humobctl.data.importers.places.geometry import across_180
from humobctl.errors import HumobError, TableError
from humobctl.io.geo_columns import GeometryColumn, geometry_column
from humobctl.io.row_errors import Dropped, OnError
from humobctl.io.streams import Input, open_input
from humobctl.io.vector_files import GEOMETRY, VECTOR_KINDS, find_layer, layer_frames
from humobctl.native import Floats
from humobctl.tables.column_names import roles

Shapes = NDArray[Any]
_FORMATS = "GeoJSON, GeoPackage, FlatGeobuf, a Shapefile or GeoParquet"
_POLYGONS = (3, 6)
"""Numbers that shapely gives to polygons and to several of them."""
_ROWS = 1 << 20


def read_zones(path: str, *, on_error: OnError = "fail") -> pl.DataFrame:
    """The zones of a file in which people live.

    Args:
        path: a file, or ``-`` for standard input.
        on_error: stop at the first faulty zone, or drop faulty ones with a warning.

    Returns:
        population, and geometry as WKB: valid polygons in degrees, those across the 180th meridian
        beyond it to the east.

    Raises:
        HumobError: it cannot be read, holds a fault (on_error="fail"), or no inhabitant.
    """
    import shapely  # noqa: PLC0415 - a tenth of a second to import

    source = open_input(path)
    try:
        table, shapes = _read(source)
        name = source.name
    finally:
        source.close()
    given = _population(table, name) if len(shapes) else pl.Series([], dtype=pl.Float64)
    people = given.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
    fault = _faults(people, shapes)
    dropped = Dropped()
    for row in np.flatnonzero(fault != ""):
        column = "geometry" if "polygon" in fault[row] else "population"
        value = given[int(row)] if column == "population" else shapes[row]
        found = "nothing" if value is None else str(getattr(value, "geom_type", value))
        error = TableError(name, found, fault[row], row=int(row) + 1, column=column)
        if on_error == "fail":
            raise error
        dropped.add("without people or polygon", error)
    dropped.tell()
    kept = np.flatnonzero((fault == "") & (people > 0))
    if not len(kept):
        raise HumobError(f"{name}: found no zone with people, expected at least one")
    whole = across_180(shapely.make_valid(shapes[kept]))
    return pl.DataFrame({"population": people[kept], "geometry": shapely.to_wkb(whole).tolist()})


def _read(source: Input) -> tuple[pl.DataFrame, Shapes]:
    """Properties and shapes in degrees, None where there is none."""
    import shapely  # noqa: PLC0415

    if source.kind in ("json", "ndjson"):
        return _read_features(source)
    column, frame = None, pl.DataFrame()
    if source.kind in VECTOR_KINDS and source.path is not None:
        layer = find_layer(source.path, source.name, source.kind)
        frame = pl.concat(layer_frames(layer, source.name, source.kind, _ROWS))
        column = GeometryColumn(GEOMETRY, layer.crs)
    elif source.kind == "parquet" and source.path is not None:
        column = geometry_column(Path(source.path), source.kind)
        frame = frame if column is None else pl.read_parquet(source.path)
    if column is None:
        raise HumobError(f"{source.name}: found {source.kind}, expected polygons: {_FORMATS}")
    shapes = np.array(shapely.from_wkb(frame[column.name].to_numpy(), on_invalid="ignore"), object)
    projection = find_projection(source, None, column.crs)
    return frame.drop(column.name), shapes if projection is None else _turn(shapes, projection)


def _turn(shapes: Shapes, projection: Projection) -> Shapes:
    import shapely  # noqa: PLC0415

    def degrees(points: Floats) -> Floats:
        return np.column_stack(projection.transform(points[:, 0], points[:, 1]))

    turned: Shapes = shapely.transform(shapes, degrees)
    return turned


def _read_features(source: Input) -> tuple[pl.DataFrame, Shapes]:
    import shapely  # noqa: PLC0415

    rows, shapes = [], []
    for number, feature in enumerate(parse_features(source), start=1):
        properties = feature.get("properties") if isinstance(feature, dict) else None
        if not isinstance(properties, dict):
            raise TableError(source.name, "something else", "a feature with properties", row=number)
        rows.append({key: str(value) for key, value in properties.items() if value is not None})
        shapes.append(json.dumps(feature.get("geometry")))
    table = pl.DataFrame(rows, infer_schema_length=None) if rows else pl.DataFrame()
    return table, np.array(shapely.from_geojson(shapes, on_invalid="ignore"), object).reshape(-1)


def _population(table: pl.DataFrame, name: str) -> pl.Series:
    """People of each zone, as they are written."""
    found = roles(table.columns, {}, name).get("population")
    if found is None:
        names = ", ".join(table.columns) or "(none)"
        raise HumobError(f"{name}: found columns {names}, expected a column population")
    return table[found]


def _faults(people: Floats, shapes: Shapes) -> NDArray[Any]:
    """What was expected of each zone that has a fault; otherwise nothing."""
    import shapely  # noqa: PLC0415

    expected = np.full(len(people), "", dtype=object)
    expected[~(np.isfinite(people) & (people >= 0))] = "a number of people from 0"
    expected[~np.isin(shapely.get_type_id(shapes), _POLYGONS) | shapely.is_empty(shapes)] = (
        "a polygon"
    )
    inside = np.abs(shapely.bounds(shapes).reshape(-1, 4)) <= [180, 90, 180, 90]
    expected[(expected == "") & ~inside.all(axis=1)] = "a polygon in degrees"
    return expected

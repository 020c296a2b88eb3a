"""Which column of a Parquet or Arrow file holds geometries, and in which reference system.

Sources: GeoParquet 1.1 (the key ``geo`` of the file's metadata; no ``crs`` is OGC:CRS84, a null one
is unknown), GeoArrow 0.2 (extension types ``geoarrow.*`` with ``crs`` in their metadata).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from humobctl.io.size_limits import parse_json

DEGREES = "OGC:CRS84"
_EXTENSIONS = ("geoarrow.", "ogc.wkb")


@dataclass(frozen=True)
class GeometryColumn:
    """A column of geometries.

    Attributes:
        name: of the column.
        crs: a code, WKT or PROJJSON; None where the file leaves it open.
    """

    name: str
    crs: Any


def geometry_column(path: Path, kind: str) -> GeometryColumn | None:
    """The geometries that a Parquet or Arrow file declares; None where it declares none.

    Args:
        path: of the file.
        kind: parquet, arrow or arrow-stream.
    """
    if kind == "parquet":
        if (told := _of_parquet(pl.read_parquet_metadata(path).get("geo"))) is not None:
            return told
        schema = pl.read_parquet_schema(path)
    elif kind == "arrow":
        schema = pl.read_ipc_schema(path)
    else:
        schema = dict(pl.read_ipc_stream(path, n_rows=0).schema)
    found = (_of_extension(name, dtype) for name, dtype in schema.items())
    return next((column for column in found if column is not None), None)


def _of_parquet(text: str | None) -> GeometryColumn | None:
    try:
        told = parse_json(text or "")
        name = told["primary_column"]
        return GeometryColumn(str(name), told["columns"][name].get("crs", DEGREES))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _of_extension(name: str, dtype: Any) -> GeometryColumn | None:
    if dtype.base_type() != pl.Extension or not dtype.ext_name().startswith(_EXTENSIONS):
        return None
    try:
        told = parse_json(dtype.ext_metadata() or "{}")
    except ValueError:
        told = {}
    return GeometryColumn(name, told.get("crs") if isinstance(told, dict) else None)

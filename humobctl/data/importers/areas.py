"""Areas and the flows between them, from tables with the usual column names or from GeoJSON.

A GeoJSON polygon stands for its centroid, taken on degrees as on a plane (so does scikit-mobility);
in one direction degrees are stretched, and a centroid does not change by that. An area across the
180th meridian is put together there first.
"""

from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from humobctl.data.importers.extra_columns import SeparatedReader
from humobctl.data.importers.places.geometry import across_180, from_across
from humobctl.errors import HumobError, TableError
from humobctl.io.row_errors import Dropped, OnError
from humobctl.io.size_limits import parse_json
from humobctl.io.streams import Input, clear_read_errors, open_input
from humobctl.tables.column_names import roles
from humobctl.tables.schemas import AREAS, FLOWS, Table

_HEAD = 1 << 12
_LONGEST = 100


@dataclass
class NamedReader(SeparatedReader):
    """A table whose columns are found by their usual names; other columns are left aside."""

    columns: dict[str, str] = field(default_factory=dict)

    def _rename_columns(self, frame: pl.DataFrame) -> pl.DataFrame:
        found = roles(frame.columns, self.columns, self.source.name)
        lacking = [n for n in self.table.columns if n not in (*found, *self.table.optional)]
        if lacking:
            raise HumobError(
                f"{self.source.name}: found columns {', '.join(frame.columns)}, expected those of "
                f"a table of {self.table.name}s (missing: {', '.join(lacking)}); --columns NAME="
                f"{lacking[0]} says which one it is"
            )
        return frame.select(
            (pl.col(found[name]) if name in found else pl.lit(None)).alias(name)
            for name in self.table.columns
        )


def _read(
    source: Input, table: Table, columns: dict[str, str] | None, on_error: OnError
) -> pl.DataFrame:
    reader = NamedReader(source, table, on_error, unique=False, columns=columns or {})
    return _without_repeats(pl.concat(list(reader.batches())), table, source.name, on_error)


def _without_repeats(
    frame: pl.DataFrame, table: Table, name: str, on_error: OnError
) -> pl.DataFrame:
    """All rows at once, which takes a tenth of the reader's time for millions of flows."""
    first = frame.select(pl.struct(table.key).is_first_distinct().alias("first"))["first"]
    if first.all():
        return frame
    index = (~first).arg_max() or 0
    found = frame.select(table.key).row(index)
    row = index + 1 if on_error == "fail" else None  # after dropped rows it would mislead
    error = TableError(
        name,
        f"{' to '.join(map(repr, found))} a second time",
        f"each {' and '.join(table.key)} once",
        row=row,
    )
    if on_error == "fail":
        raise error
    dropped = Dropped()
    dropped.add("with a repeated key", error, int((~first).sum()))
    dropped.tell()
    return frame.filter(first)


def read_flows(
    path: str | None, *, columns: dict[str, str] | None = None, on_error: OnError = "fail"
) -> pl.DataFrame:
    """A flow table.

    Args:
        path: a file, or None or ``-`` for standard input.
        columns: names in the file -> names of the table, before the usual ones.
        on_error: stop at the first faulty row, or drop faulty rows with a warning.

    Raises:
        HumobError: it cannot be read, or (on_error="fail") holds a fault.
    """
    source = open_input(path)
    try:
        return _read(source, FLOWS, columns, on_error)
    finally:
        source.close()


def read_areas(
    path: str | None, *, columns: dict[str, str] | None = None, on_error: OnError = "fail"
) -> pl.DataFrame:
    """An area table, or the features of a GeoJSON file with their properties.

    Args:
        path: a file, or None or ``-`` for standard input.
        columns: names in the file -> names of the table, before the usual ones.
        on_error: stop at the first faulty row, or drop faulty rows with a warning.

    Raises:
        HumobError: it cannot be read, or (on_error="fail") holds a fault.
    """
    source = open_input(path)
    try:
        if source.kind == "ndjson" and b"FeatureCollection" in source.stream.peek(_HEAD)[:_HEAD]:
            return _read(_features(source, on_error), AREAS, columns, on_error)
        return _read(source, AREAS, columns, on_error)
    finally:
        source.close()


# -- GeoJSON (RFC 7946) -------------------------------------------------------------------------


def parse_features(source: Input) -> list[Any]:
    """The features of a GeoJSON file, as they are.

    Raises:
        HumobError: it is not a GeoJSON FeatureCollection.
    """
    with clear_read_errors(source.name):
        payload = source.stream.read()
    try:
        collection = parse_json(payload)
    except ValueError as exc:
        raise HumobError(
            f"{source.name}: found broken JSON ({exc}), expected a GeoJSON FeatureCollection"
        ) from None
    features = collection.get("features") if isinstance(collection, dict) else None
    if not isinstance(features, list):
        raise HumobError(f"{source.name}: found no features, expected a FeatureCollection")
    return features


def _features(source: Input, on_error: OnError) -> Input:
    """The features as a table: their id, their properties, and lat and lon of their centroids."""
    rows, dropped = [], Dropped()
    for number, feature in enumerate(parse_features(source), start=1):
        try:
            rows.append(_row(feature, source.name, number))
        except TableError as exc:
            if on_error == "fail":
                raise
            dropped.add("without a centroid", exc)
    dropped.tell()
    raw = io.BytesIO(json.dumps(rows).encode())
    return Input(source.name, io.BufferedReader(raw), "json", None, None, raw)


def _row(feature: Any, name: str, number: int) -> dict[str, Any]:
    if not isinstance(feature, dict) or not isinstance(feature.get("properties") or {}, dict):
        raise TableError(name, "something else", "a GeoJSON feature", row=number)
    lat, lon = _centroid(feature.get("geometry"), name, number)
    known = {"id": feature["id"]} if "id" in feature else {}
    known |= feature.get("properties") or {}
    plain = {key: value if _is_plain(value) else None for key, value in known.items()}
    return {**plain, "lat": lat, "lon": lon}


def _is_plain(value: Any) -> bool:
    """Whether a value may stand in a table: no list, no object, no NaN (which pandas writes)."""
    return not isinstance(value, dict | list) and not (
        isinstance(value, float) and not math.isfinite(value)
    )


def _centroid(geometry: Any, name: str, number: int) -> tuple[float, float]:
    import shapely  # noqa: PLC0415 - only for GeoJSON

    try:
        shape = across_180(np.array([shapely.from_geojson(json.dumps(geometry))]))[0]
        # The signed areas of a ring that crosses itself take each other away.
        point = (shape if shape.is_valid else shapely.make_valid(shape)).centroid
        if not point.is_empty:
            return float(point.y), float(from_across(point.x))
        why = "empty"
    except (shapely.errors.ShapelyError, AttributeError, TypeError, ValueError) as exc:
        why = "nothing" if geometry is None else str(exc).splitlines()[0][:_LONGEST]
    expected = "a polygon or a point"
    raise TableError(name, f"no geometry ({why})", expected, row=number, column="geometry")

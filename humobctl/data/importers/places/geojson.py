"""GeoJSON (RFC 7946): a FeatureCollection, or one Feature a line; read as a stream."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import polars as pl

from humobctl.data.importers.delimited import Batch
from humobctl.data.importers.places.geometry import representative
from humobctl.errors import TableError
from humobctl.extras import require
from humobctl.io.row_errors import Dropped, LineNumbers, OnError, quote
from humobctl.io.shallow_json import ShallowJson
from humobctl.io.streams import Input, clear_read_errors

FEATURES = 50_000
"""Features of a batch."""
_FEATURE = re.compile(rb'"type"\s*:\s*"Feature(Collection)?"')
_PEEK = 1 << 16
_LEAST_RING = 4
"""Positions of a ring, the last of which is the first again."""


def is_geojson(head: bytes) -> bool:
    """Whether text begins as GeoJSON does."""
    return bool(_FEATURE.search(head))


@dataclass
class Features:
    """The features of a file as raw frames: properties, ``id``, ``lat`` and ``lon``.

    Attributes:
        source: the opened input.
        wanted: says which properties to keep; others may be many, and of any type.
        on_error: stop at the first feature that is none, or drop and count them.
        dropped: where they are counted.
        points: refuse geometries that are not points.
    """

    source: Input
    wanted: Callable[[str], bool]
    on_error: OnError
    dropped: Dropped
    points: bool = False

    def frames(self) -> Iterator[Batch]:
        """Frames of up to ``FEATURES`` features, and where they stand."""
        features, row = self._features(), 1
        while batch := list(islice(features, FEATURES)):
            yield self._frame(batch, row)
            row += len(batch)

    def _features(self) -> Iterator[Any]:
        require("places", f"{self.source.name}: GeoJSON", ("ijson",))
        import ijson  # noqa: PLC0415 - of the extra "places"

        first = _FEATURE.search(self.source.stream.peek(_PEEK)[:_PEEK])
        by_line = first is not None and first[1] is None
        prefix = "" if by_line else "features.item"
        stream = ShallowJson(self.source.stream)
        row = 1
        with clear_read_errors(self.source.name):
            try:
                items = ijson.items(stream, prefix, use_float=True, multiple_values=by_line)
                for feature in items:
                    yield feature
                    row += 1
            except (ijson.JSONError, ValueError) as exc:
                found = f"broken JSON ({_words(exc)})"
                raise TableError(self.source.name, found, "a whole GeoJSON file", row=row) from exc

    def _frame(self, features: list[Any], first: int) -> Batch:
        records: list[dict[str, Any]] = []
        shapes: list[Any] = []
        rows: list[int] = []
        for row, feature in enumerate(features, first):
            try:
                shape, record = _shape(feature["geometry"]), self._record(feature)
                if self.points and not isinstance(shape, tuple | None):
                    raise ValueError("no point")
            except Exception as exc:  # shapely raises what it likes
                form = "a point" if self.points else "a geometry in degrees"
                expected = f"a GeoJSON feature with properties and {form}"
                error = TableError(self.source.name, quote(feature), expected, row=row)
                if self.on_error == "fail":
                    raise error from exc
                self.dropped.add("of another form", error)
                continue
            shapes.append(shape)
            records.append(record)
            rows.append(row)
        names = dict.fromkeys(name for record in records for name in record)
        columns = {
            name: pl.Series([record.get(name) for record in records], strict=False)
            for name in names
        }
        return pl.DataFrame({**columns, **_positions(shapes)}), LineNumbers(rows)

    def _record(self, feature: Any) -> dict[str, Any]:
        """The properties that are wanted, numbers as text: elsewhere in the file they may be."""
        properties = (feature["properties"] or {}).items()
        given = {} if feature.get("id") is None else {"id": feature["id"]}
        wanted = given | {n: v for n, v in properties if self.wanted(n)}
        return {
            name: value if value is None or isinstance(value, dict | list) else str(value)
            for name, value in wanted.items()
        }


def _words(exc: Exception) -> str:
    """The first line of what ijson says, which it gives as bytes where the input is not text."""
    if isinstance(exc, UnicodeDecodeError) or "UTF8" in str(exc):
        return "text that is not UTF-8"
    return str(exc).splitlines()[0]


def _shape(geometry: Any) -> Any:
    """(longitude, latitude) of a point, a shapely geometry of anything larger.

    None of nothing, and of rings that do not close or have too few points.
    """
    from shapely.geometry import shape  # noqa: PLC0415

    if geometry is None:
        return None
    kind = geometry["type"]
    parts = geometry["geometries" if kind == "GeometryCollection" else "coordinates"]
    if not parts:
        return None
    if kind == "Point":
        lon, lat = parts[:2]
        return float(lon), float(lat)
    areas = {"Polygon": [parts], "MultiPolygon": parts}.get(kind, [])
    if any(len(ring) < _LEAST_RING or ring[0] != ring[-1] for area in areas for ring in area):
        return None
    return shape(geometry)


def _positions(shapes: list[Any]) -> dict[str, pl.Series]:
    lat, lon = np.full(len(shapes), np.nan), np.full(len(shapes), np.nan)
    large = []
    for at, shape in enumerate(shapes):
        if isinstance(shape, tuple):
            lon[at], lat[at] = shape
        elif shape is not None:
            large.append(at)
    if large:
        lat[large], lon[large] = representative([shapes[at] for at in large])
    return {
        "lat": pl.Series(lat, nan_to_null=True),
        "lon": pl.Series(lon, nan_to_null=True),
    }

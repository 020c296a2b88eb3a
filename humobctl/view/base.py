"""Lines below a map, from files of the user: GeoJSON, or extracts of OpenStreetMap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from humobctl.errors import HumobError, reason
from humobctl.io.size_limits import parse_json
from humobctl.io.streams import open_input
from humobctl.native import Floats, Int64s

_LINES = {"LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
"""Geometries with lines -> how deep the lists of positions lie."""


@dataclass(frozen=True)
class BaseLines:
    """Lines of a file.

    Attributes:
        name: of the file.
        ends: end of each line among the points.
        lat, lon: of the points, in degrees.
    """

    name: str
    ends: Int64s
    lat: Floats
    lon: Floats


def read_base(path: str) -> BaseLines:
    """The lines of a file; of areas, their borders.

    Raises:
        HumobError: it cannot be read, or has no line.
    """
    source = open_input(path)
    try:
        if source.kind in ("osm-pbf", "osm-xml"):
            raise HumobError(f"{path}: OpenStreetMap data as a base is not read yet")
        text = source.stream.read()
    finally:
        source.close()
    try:
        found = parse_json(text)
    except ValueError as exc:
        raise HumobError(f"{path}: found broken JSON ({exc}), expected GeoJSON") from None
    lines = [np.array(one, np.float64) for one in _lines_in(found, path)]
    if not lines:
        raise HumobError(f"{path}: found no line and no area, expected GeoJSON with some")
    points = np.concatenate([one[:, :2] for one in lines])
    ends = np.cumsum([len(one) for one in lines])
    return BaseLines(Path(path).name, ends, points[:, 1], points[:, 0])


def _lines_in(found: Any, path: str) -> Iterator[Any]:
    """Lists of positions of a GeoJSON object."""
    try:
        for geometry in _geometries(found):
            depth = _LINES.get(geometry["type"], 0)
            parts = [geometry["coordinates"]] if depth else []
            for _ in range(depth - 1):
                parts = [one for part in parts for one in part]
            yield from (one for one in parts if len(one) > 1)
    except (KeyError, TypeError, AttributeError) as exc:
        raise HumobError(f"{path}: found another form, expected GeoJSON ({reason(exc)})") from exc


def _geometries(found: Any) -> Iterator[Any]:
    if found is None:
        return
    inner = found.get("features") or found.get("geometries")
    if inner is not None:
        for one in inner:
            yield from _geometries(one)
    elif "geometry" in found:
        yield from _geometries(found["geometry"])
    else:
        yield found

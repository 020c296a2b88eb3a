"""Lines below a map, from files of the user: GeoJSON, or extracts of OpenStreetMap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from humobctl.errors import HumobError
from humobctl.extras import require
from humobctl.io.size_limits import parse_json
from humobctl.io.streams import Input, open_input, seekable
from humobctl.native import Floats, Int64s

_LINES = {"LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
"""Geometries with lines -> how deep the lists of positions lie."""
_OSM = {"osm-pbf": "pbf", "osm-xml": "osm"}
_KEYS = ("highway", "railway", "waterway", "water", "coastline")
_SMALL = ("footway", "path", "steps", "service", "cycleway", "track", "proposed", "construction")


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
        lines = _ways_of(source) if source.kind in _OSM else _shapes_of(source)
    finally:
        source.close()
    if not lines:
        raise HumobError(f"{path}: found no lines or areas, expected some to draw below the data")
    points = np.concatenate(lines)
    if not np.isfinite(points).all() or np.abs(points).max() > 360:
        raise HumobError(
            f"{path}: found coordinates out of range, expected longitude and latitude in degrees"
        )
    ends = np.cumsum([len(one) for one in lines])
    return BaseLines(Path(path).name, ends, points[:, 1], points[:, 0])


def _shapes_of(source: Input) -> list[Floats]:
    """Positions (longitude, latitude) of the lines of GeoJSON, each (n, 2)."""
    try:
        found = parse_json(source.stream.read())
    except ValueError as exc:
        raise HumobError(f"{source.name}: found broken JSON ({exc}), expected GeoJSON") from None
    try:
        return [
            np.array([at[:2] for at in one], np.float64) for one in _lines_in(found, source.name)
        ]
    except (TypeError, ValueError) as exc:
        raise HumobError(f"{source.name}: found a damaged position, expected GeoJSON") from exc


def _ways_of(source: Input) -> list[Floats]:
    """Positions of the roads, railways, waters and borders of OpenStreetMap data."""
    require("places", f"{source.name}: OpenStreetMap data", ("osmium",))
    import osmium  # noqa: PLC0415 - of the extra "places"

    lines = []
    with seekable(source) as path:
        file = osmium.io.File(str(path), _OSM[source.kind])
        try:
            ways = osmium.FileProcessor(file).with_locations()
            for way in ways.with_filter(osmium.filter.KeyFilter(*_KEYS)):
                if not isinstance(way, osmium.osm.Way) or way.tags.get("highway") in _SMALL:
                    continue
                points = [(at.lon, at.lat) for at in way.nodes if at.location.valid()]
                if len(points) > 1:
                    lines.append(np.array(points, np.float64))
        except (RuntimeError, ValueError) as exc:
            said = str(exc).splitlines()[0]
            raise HumobError(f"{source.name}: found damaged data ({said})") from exc
    return lines


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
        raise HumobError(f"{path}: found an unknown structure, expected GeoJSON") from exc


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

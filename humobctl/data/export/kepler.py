"""kepler.gl: CSV whose columns it knows, and the GeoJSON of its trip layer.

A trip is a line of points [longitude, latitude, altitude, seconds since 1970]; kepler.gl shows
these as UTC, so that local times keep their hours on its clock.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.data.export.movingpandas import as_points
from humobctl.data.export.tables import ExportTable
from humobctl.data.export.text_times import short_times
from humobctl.data.export.trackintel import wkt
from humobctl.io.geometry import POLYGON, shape_of

_LINES = "geometry"


def to_kepler_csv(table: ExportTable) -> ExportTable:
    """Columns that kepler.gl takes for points, arcs, lines or polygons, and for times."""
    return table.map(_kepler_columns)


def _kepler_columns(batch: pl.DataFrame) -> pl.DataFrame:
    plain = short_times(batch)
    if POLYGON in batch.columns or "line" in batch.columns:
        plain = wkt(plain, _LINES)
    shape_of(batch.columns, "kepler-csv")  # refuses what has no coordinates
    return plain.rename(lambda name: f"{name[:-3]}lng" if _is_longitude(name) else name)


def _is_longitude(name: str) -> bool:
    return name == "lon" or name.endswith("_lon")


def kepler_trips(table: ExportTable) -> Iterator[str]:
    """The lines of a file of trips: one for each user's points or visits, or for each trip.

    Those of a single point, which make no line, are counted on standard error.
    """
    moving = table.has("started_at", "distance_m")
    features = _lines_of_trips(table) if moving else _lines_of_users(table)
    yield '{"type":"FeatureCollection","features":[\n'
    between, single = "", 0
    for properties, points in features:
        if len(points) < 2:
            single += 1
            continue
        geometry = {"type": "LineString", "coordinates": points}
        feature = {"type": "Feature", "geometry": geometry, "properties": properties}
        yield between + json.dumps(feature, ensure_ascii=False, separators=(",", ":"))
        between = ",\n"
    yield "\n]}\n"
    if single:
        report.info(f"left out {pluralize(single, 'line')} with a single point")


def _lines_of_users(table: ExportTable) -> Iterator[tuple[dict[str, Any], list[list[float]]]]:
    needed = ("uid", "datetime", "lat", "lon")
    points = pl.concat([batch.select(needed) for batch in as_points(table).batches])
    order = points.sort("uid", "datetime", maintain_order=True)
    for (uid,), group in order.group_by("uid", maintain_order=True):
        columns = (group["lon"], group["lat"], _seconds(group["datetime"]))
        yield {"uid": uid}, [[lon, lat, 0, when] for lon, lat, when in zip(*columns, strict=True)]


def _lines_of_trips(table: ExportTable) -> Iterator[tuple[dict[str, Any], list[list[float]]]]:
    """Trips with times between start and end by the length of the line so far."""
    import shapely  # noqa: PLC0415 - only for files of geometries

    shape = shape_of(table.schema.keys(), "kepler-trips")
    for batch in table.batches:
        spans = zip(_seconds(batch["started_at"]), _seconds(batch["finished_at"]), strict=True)
        names = [name for name in ("uid", "trip", "leg") if name in batch.columns]
        rows = batch.select(names).iter_rows(named=True)
        for properties, (start, end), line in zip(rows, spans, shape.make(batch), strict=True):
            if line is None:
                yield properties, []
                continue
            places = shapely.get_coordinates(line)
            behind = np.cumsum([0, *np.hypot(*np.diff(places, axis=0).T)])
            times = start + (end - start) * behind / (behind[-1] or 1)
            points = zip(places.tolist(), times.round(3).tolist(), strict=True)
            yield properties, [[lon, lat, 0, when] for (lon, lat), when in points]


def _seconds(times: pl.Series) -> list[float]:
    """Seconds since 1970 of the wall clock."""
    local = times.dt.replace_time_zone(None)
    return (local.dt.epoch("us") / 1_000_000).to_list()

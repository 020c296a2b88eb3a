"""trackintel: CSV that its ``read_*_csv`` read; geometries are WKT in longitude and latitude.

Points are positionfixes, visits staypoints (whole stays, not their parts by day), trip legs
triplegs, trips trips (without ids of staypoints, which a trip table does not have), locations
locations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.data.export.stays import whole_stays
from humobctl.data.export.tables import ExportTable
from humobctl.data.export.text_times import pandas_times
from humobctl.io.geometry import shape_of

_FIXES = {"uid": "user_id", "datetime": "tracked_at", "lat": "latitude", "lon": "longitude"}
_STAYS = {"uid": "user_id", "place_id": "location_id", "intent": "purpose"}
_LEGS = {"uid": "user_id", "trip": "trip_id"}
_TRIPS = {"uid": "user_id", "mode": "primary_mode", "intent": "destination_purpose"}
_OTHERS = {"uid": "user_id"}


def to_trackintel(table: ExportTable) -> ExportTable:
    """The table in trackintel's columns; others stay as they are."""
    if table.has("uid", "datetime", "lat"):
        return table.map(lambda batch: pandas_times(batch, "T").rename(_FIXES))
    if table.has("start_min"):
        return whole_stays(table).map(lambda batch: _with_wkt(batch, "geom", _STAYS))
    if table.has("origin_lat"):
        return table.map(_trips)
    if table.has("started_at"):
        lines = replace(table, batches=_with_lines(table.batches))
        return lines.map(lambda batch: _with_wkt(batch, "geom", _LEGS))
    return table.map(lambda batch: _with_wkt(batch, "center", _OTHERS))


def _with_lines(batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Legs that have a line: trackintel reads no others."""
    lost = 0
    for batch in batches:
        lost += batch["line"].null_count()
        yield batch.filter(pl.col("line").is_not_null())
    if lost:
        report.info(f"left out {pluralize(lost, 'trip leg')} without a line")


def _trips(batch: pl.DataFrame) -> pl.DataFrame:
    """Trips with their two ends as geometry, and their line as they have it."""
    ends = (f"{end}_{axis}" for end in ("origin", "destination") for axis in ("lon", "lat"))
    lon0, lat0, lon1, lat1 = map(pl.col, ends)
    none = pl.lit(None, pl.UInt32)
    return pandas_times(batch, "T").select(
        pl.all().name.map(lambda name: _TRIPS.get(name, name)),
        origin_staypoint_id=none,
        destination_staypoint_id=none,
        geom=pl.format("MULTIPOINT ({} {}, {} {})", lon0, lat0, lon1, lat1),
    )


def _with_wkt(batch: pl.DataFrame, name: str, names: dict[str, str]) -> pl.DataFrame:
    return wkt(pandas_times(batch, "T"), name).rename(names, strict=False)


def wkt(batch: pl.DataFrame, name: str) -> pl.DataFrame:
    """A frame with a column of WKT in place of the columns that it is made of."""
    import shapely  # noqa: PLC0415 - only for files of geometries

    shape = shape_of(batch.columns, name)
    texts = shapely.to_wkt(shape.make(batch), rounding_precision=-1)
    return batch.drop(shape.columns).with_columns(pl.Series(name, texts, dtype=pl.String))

"""trackintel: CSV that its ``read_*_csv`` read; geometries are WKT in longitude and latitude.

Points are positionfixes, visits staypoints (whole stays, not their parts by day), trips triplegs,
a user's locations locations.
"""

from __future__ import annotations

import polars as pl

from humobctl.data.export.stays import whole_stays
from humobctl.data.export.tables import ExportTable
from humobctl.data.export.text_times import pandas_times
from humobctl.io.geometry import shape_of

_FIXES = {"uid": "user_id", "datetime": "tracked_at", "lat": "latitude", "lon": "longitude"}
_STAYS = {"uid": "user_id", "place_id": "location_id", "intent": "purpose"}
_OTHERS = {"uid": "user_id"}


def to_trackintel(table: ExportTable) -> ExportTable:
    """The table in trackintel's columns; others stay as they are."""
    if table.has("uid", "datetime", "lat"):
        return table.map(lambda batch: pandas_times(batch, "T").rename(_FIXES))
    if table.has("start_min"):
        return whole_stays(table).map(lambda batch: _with_wkt(batch, "geom", _STAYS))
    if table.has("started_at"):
        return table.map(lambda batch: _with_wkt(batch, "geom", _OTHERS))
    return table.map(lambda batch: _with_wkt(batch, "center", _OTHERS))


def _with_wkt(batch: pl.DataFrame, name: str, names: dict[str, str]) -> pl.DataFrame:
    return wkt(pandas_times(batch, "T"), name).rename(names, strict=False)


def wkt(batch: pl.DataFrame, name: str) -> pl.DataFrame:
    """A frame with a column of WKT in place of the columns that it is made of."""
    import shapely  # noqa: PLC0415 - only for files of geometries

    shape = shape_of(batch.columns, name)
    texts = shapely.to_wkt(shape.make(batch), rounding_precision=-1)
    return batch.drop(shape.columns).with_columns(pl.Series(name, texts, dtype=pl.String))

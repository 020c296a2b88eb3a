"""Visits as stays: parts of one stay, cut at midnight, are one again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from humobctl.data.export.tables import ExportTable

_PARTS = ("d", "seq", "start_min", "end_min")
"""Columns of the parts; the moments of a stay say the same."""
_SAME = ("uid", "started_at", "finished_at", "lat", "lon")


def whole_stays(table: ExportTable) -> ExportTable:
    """The stays of visits, each once, without the days and minutes of their parts."""
    schema = {name: kind for name, kind in table.schema.items() if name not in _PARTS}
    return replace(table, schema=schema, batches=_first_parts(table.batches))


def _first_parts(batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Whether each row begins another stay than the row above."""
    last: pl.DataFrame | None = None
    for batch in batches:
        whole = batch.drop(_PARTS)
        same = whole.select(_SAME) if last is None else pl.concat([last, whole.select(_SAME)])
        new = same.select(pl.struct(pl.all()).rle_id().diff().fill_null(1) > 0).to_series()
        last = whole.select(_SAME).tail(1)
        yield whole.filter(new.tail(whole.height))


def ends_of_stays(batch: pl.DataFrame) -> pl.DataFrame:
    """Two points a visit, at its start and its end: uid, datetime, lat, lon, and others."""
    moments = pl.concat_list("started_at", "finished_at").alias("datetime")
    return batch.with_columns(moments).drop("started_at", "finished_at").explode("datetime")

"""scikit-mobility: CSV of a TrajDataFrame, of stops or of a FlowDataFrame."""

from __future__ import annotations

import polars as pl

from humobctl.data.export.stays import whole_stays
from humobctl.data.export.tables import ExportTable

_NAMES = {"lon": "lng", "started_at": "datetime", "finished_at": "leaving_datetime"}


def to_skmob(table: ExportTable) -> ExportTable:
    """The table in scikit-mobility's columns; others stay as they are."""
    stays = whole_stays(table) if table.has("start_min") else table
    return stays.map(lambda batch: plain_times(batch).rename(_NAMES, strict=False))


def plain_times(batch: pl.DataFrame) -> pl.DataFrame:
    """A frame with its times as ``YYYY-MM-DD hh:mm:ss``, and the offset of those with a zone."""
    return batch.with_columns(
        pl.col(name).dt.strftime(f"%Y-%m-%d %H:%M:%S%.f{'%:z' if kind.time_zone else ''}")
        for name, kind in batch.schema.items()
        if isinstance(kind, pl.Datetime)
    )

"""scikit-mobility: CSV of a TrajDataFrame, of stops or of a FlowDataFrame."""

from __future__ import annotations

from humobctl.data.export.stays import whole_stays
from humobctl.data.export.tables import ExportTable
from humobctl.data.export.text_times import pandas_times

_NAMES = {"lon": "lng", "started_at": "datetime", "finished_at": "leaving_datetime"}


def to_skmob(table: ExportTable) -> ExportTable:
    """The table in scikit-mobility's columns; others stay as they are."""
    stays = whole_stays(table) if table.has("start_min") else table
    return stays.map(lambda batch: pandas_times(batch, " ").rename(_NAMES, strict=False))

"""movingpandas: points with ``traj_id`` and ``t``, in a file that geopandas reads.

``TrajectoryCollection(geopandas.read_parquet(path), traj_id_col="traj_id", t="t")`` takes them.
"""

from __future__ import annotations

from humobctl.data.export.stays import ends_of_stays, whole_stays
from humobctl.data.export.tables import ExportTable

_NAMES = {"uid": "traj_id", "datetime": "t"}


def to_movingpandas(table: ExportTable) -> ExportTable:
    """A trajectory for each user; a visit is two points, at its start and its end."""
    return as_points(table).map(lambda batch: batch.rename(_NAMES))


def as_points(table: ExportTable) -> ExportTable:
    """Points as they are, visits as two points each."""
    return whole_stays(table).map(ends_of_stays) if table.has("start_min") else table

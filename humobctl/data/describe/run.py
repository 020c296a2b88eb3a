"""Describe a table of any kind, detected from its columns and first bytes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from humobctl.data.describe.description import TableDescription
from humobctl.data.describe.flow_series import describe_flow_series
from humobctl.data.describe.flows import describe_flows
from humobctl.data.describe.grid import CELL_KM, describe
from humobctl.data.describe.places import describe_places
from humobctl.data.describe.plans import describe_plans
from humobctl.data.describe.points import describe_points
from humobctl.data.describe.trips import describe_trips
from humobctl.data.describe.visits import describe_visits
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.run import import_data
from humobctl.data.importers.table_kind import columns_of, refuse_misnamed_file
from humobctl.errors import HumobError
from humobctl.io.read import iter_table
from humobctl.tables.schemas import (
    FLOW_SERIES,
    FLOWS,
    GRID,
    INTENTIONS,
    PLACES,
    POINTS,
    VISITS,
    Table,
)


@dataclass(frozen=True)
class DescribeJob:
    """Settings of a description.

    Attributes:
        cell_km: side of a cell in km.
        areas: areas of a flow table.
        options: how points, visits and flows are read.
    """

    cell_km: float = CELL_KM
    areas: str | None = None
    options: ImportOptions = field(default_factory=ImportOptions)

    def run(self, path: str | None, table: Table) -> TableDescription:  # noqa: PLR0911 - by kind
        """Describe a table that ``find_table`` recognised.

        Raises:
            HumobError: it cannot be read, or has no good row.
        """
        on_error = self.options.on_error
        if table is PLACES:
            return describe_places(path, cell_km=self.cell_km, options=self.options)
        if table in (FLOWS, FLOW_SERIES):
            columns = self.options.columns
            if table is FLOW_SERIES:
                return describe_flow_series(path, columns=columns, on_error=on_error)
            return describe_flows(path, areas=self.areas, columns=columns, on_error=on_error)
        if table is GRID:
            _refuse_unknown(path)
            return describe(path, cell_km=self.cell_km, on_error=on_error)
        name = "stdin" if path in (None, "-") else str(path)
        if table in (POINTS, VISITS):
            # The description counts points at latitude 0, longitude 0, and leaves them out.
            options = replace(self.options, keep_zero=table is POINTS)
            batches = import_data(path, options, expected=table).batches
            return (describe_points if table is POINTS else describe_visits)(batches, name)
        if table is INTENTIONS:
            return describe_plans(iter_table(path, table, on_error=on_error), name)
        return describe_trips(import_data(path, self.options, expected=table).batches, name, table)


def _refuse_unknown(path: str | None) -> None:
    """Refuse a table whose header has no column of a grid trajectory.

    Raises:
        HumobError: it is one.
    """
    names = columns_of(path)
    if names and not {"d", "t", "x", "y"} & names:
        refuse_misnamed_file(path)
        name = "stdin" if path in (None, "-") else str(path)
        raise HumobError(
            f"{name}: found columns {', '.join(sorted(names))}, expected points, visits, plans, "
            "trips, places, flows or a grid trajectory; --columns NAME=OURS renames one"
        )

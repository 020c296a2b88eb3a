"""Describing a table of any kind, with the field's measures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from humobctl.api.options import CellKm, OnError
from humobctl.api.signatures import public
from humobctl.api.tables import PathName, Source, as_path, paths_of
from humobctl.console.words import flag
from humobctl.errors import UsageError

if TYPE_CHECKING:
    from humobctl.data.describe.description import TableDescription
    from humobctl.tables.schemas import Table


@public()
def describe(
    table: Source,
    *,
    per_user: PathName | None = None,
    areas: Source | None = None,
    plot: PathName | None = None,
    cell_km: CellKm = 0.5,
    columns: Iterable[str] = (),
    timezone: str | None = None,
    source_timezone: str | None = None,
    on_error: OnError = "fail",
) -> TableDescription:
    """Describe a table: coverage, quality and the field's measures of mobility.

    docs/measures.md has the formulas and their sources.

    Args:
        table: points, check-ins, visits or stays, places or (daily) flows in any form that 'data
            import' reads, grid trajectories, day plans, trips or trip legs.
        per_user: also write a table with every measure of each user to this file.
        areas: areas of a flow table (area_id, lat, lon, or GeoJSON), for distances. Default: no
            distances.
        plot: draw maps, histograms and spreads of any kind of table: a .png, .svg or
            .html file (extra plot).
        cell_km: cell size in km.
        columns: rename a column (``OLD=NEW``) or leave it out (``OLD=``); several with commas.
        timezone: time zone to convert times to, if they carry an offset or are UTC. Default: UTC.
        source_timezone: time zone of times without one. Default: they are local times already.

    Returns:
        A description of its kind with an attribute for each number; it prints as tables, and has
        ``to_dict()`` and ``to_latex()``. With positions of users it has ``measures``, and
        ``to_frame()`` gives every measure of each user.

    Raises:
        HumobError: the table cannot be read, or has no good row.
        UsageError: an option that does nothing for this kind of table.

    Example:
        >>> hm.describe("challenge.csv").users
        20
        >>> round(hm.describe("gps.csv").measures.radius_of_gyration_km.median, 1)
        3.2
    """
    from humobctl.data.describe.description import UserDescription
    from humobctl.data.describe.plots import write_plot
    from humobctl.data.describe.run import DescribeJob
    from humobctl.data.importers.options import ImportOptions
    from humobctl.data.importers.table_kind import find_table
    from humobctl.io.write import write_table
    from humobctl.plots.files import check_plot
    from humobctl.tables.calendar import check_zone
    from humobctl.tables.column_names import parse_columns
    from humobctl.tables.schemas import GRID

    picture, target = as_path(plot), as_path(per_user)
    with paths_of(table, areas) as (path, areas_path):
        kind = find_table(path, parse_columns(columns))
        zones = {"timezone": timezone, "source_timezone": source_timezone}
        given = {"per_user": per_user, "areas": areas, "columns": columns, **zones}
        _refuse_useless(kind, {name for name, value in given.items() if value not in (None, ())})
        if picture is not None:
            check_plot(picture, interactive=kind is GRID)
        options = ImportOptions(
            columns=parse_columns(columns),
            on_error=on_error,
            timezone=check_zone(timezone) if timezone else None,
            source_timezone=(
                check_zone(source_timezone, "--source-timezone") if source_timezone else None
            ),
        )
        found = DescribeJob(cell_km, areas_path, options).run(path, kind)
        if target is not None and isinstance(found, UserDescription):
            write_table(found.to_frame(), target)
        if picture is not None:
            write_plot(found, picture)
    return found


def _refuse_useless(table: Table, given: set[str]) -> None:
    """Refuse options that would do nothing for this kind of table.

    Raises:
        UsageError: one was given.
    """
    from humobctl.tables.schemas import FLOW_SERIES, FLOWS, GRID, PLACES, POINTS, VISITS

    only = {
        "per_user": (GRID, POINTS, VISITS),
        "areas": (FLOWS,),
        "columns": (POINTS, VISITS, PLACES, FLOWS, FLOW_SERIES),
        "timezone": (POINTS, VISITS),
        "source_timezone": (POINTS, VISITS),
    }
    for name in sorted(given):
        if table not in only[name]:
            has = " (it has no positions of users)" if name == "per_user" else ""
            raise UsageError(f"{flag(name)} does nothing for a {table.name} table{has}")

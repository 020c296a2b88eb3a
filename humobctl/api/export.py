"""Tables as other programs and libraries read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from humobctl.api.options import OnError
from humobctl.api.signatures import public
from humobctl.api.tables import PathName, Source, as_path, paths_of, summary
from humobctl.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

ExportFormat = Literal[
    "geojson",
    "geoparquet",
    "flatgeobuf",
    "geopackage",
    "shapefile",
    "gpx",
    "kepler-csv",
    "kepler-trips",
    "trackintel",
    "scikit-mobility",
    "movingpandas",
    "libcity",
    "copb",
    "humob26",
    "humob26-submission",
]


@public()
def export(
    table: Source,
    *,
    output: PathName,
    to: ExportFormat | None = None,
    start_date: str | None = None,
    timezone: str | None = None,
    areas: Source | None = None,
    grid: str | None = None,
    axes: str | None = None,
    if_exists: Literal["fail", "append", "replace"] = "fail",
    on_error: OnError = "fail",
) -> pl.DataFrame:
    """Export a table to the format of a GIS or of another mobility library.

    docs/export.md has what each format holds, and how the other program opens it.

    Args:
        table: points, visits, trips, places, locations, areas, flows, daily flows, a grid
            trajectory or pairs of home and work, in any form that 'data import' reads.
        output: file to write (libcity: folder), - for standard output, or a table of a database:
            ``postgresql://USER@HOST/NAME?table=TABLE``, ``FILE.duckdb?table=TABLE``.
        to: format of the output. Default: from the file's ending (.geojson, .geoparquet, .fgb,
            .gpkg, .gpx, .tsv).
        start_date: date of day 0, YYYY-MM-DD, for the times of visits and cells. Default: days
            stay numbers.
        timezone: time zone of the table's times, which are written with their offset. Default:
            local times are written without one.
        areas: table of area_id, lat and lon, or GeoJSON, with the areas of flows; needed for
            flows.
        grid: grid of a grid trajectory: cell size (m or km), corner of cell (1, 1), number of cells
            (200x200 if left out), such as 500m@39.6,116.0,200x200; needed for cells.
        if_exists: action if the database has the table: stop (fail), add rows to it (append), or
            overwrite it (replace).
        axes: compass directions in which x and y of ``grid`` grow, such as east,north; needed with
            ``grid``.

    Returns:
        One row that says how many rows went to the output.

    Raises:
        HumobError: the table cannot be read, or the output not be written.
        UsageError: the format cannot hold such a table, or needs an option.

    Example:
        >>> hm.export("places.csv", output="places.geojson")["rows"].item()
        50
    """
    from humobctl.data.export.run import ExportOptions, export_table
    from humobctl.io.databases import is_database
    from humobctl.io.databases.names import display
    from humobctl.tables.calendar import check_zone, parse_date
    from humobctl.tables.grid import parse_grid

    if bool(grid) != bool(axes):
        raise UsageError("--grid and --axes: found one, expected both (they place the cells)")
    target = str(as_path(output))
    with paths_of(table, areas) as (path, areas_path):
        options = ExportOptions(
            to=to,
            start_date=parse_date(start_date) if start_date else None,
            timezone=check_zone(timezone) if timezone else None,
            areas=areas_path,
            grid=parse_grid(grid, axes) if grid else None,
            if_exists=if_exists,
            on_error=on_error,
        )
        rows = export_table(path, target, options)
    return summary(display(target) if is_database(target) else target, rows=rows)

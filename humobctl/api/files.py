"""Tables of files: read any, write any."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from humobctl.api.options import Count, Day, OnError, OutputFormat
from humobctl.api.signatures import public
from humobctl.api.tables import Frame, PathName, Source, as_frame, as_path, paths_of, summary
from humobctl.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from humobctl.tables.schemas import Table

InputFormat = Literal[
    "auto",
    "humob",
    "humob23",
    "humob24",
    "humob25",
    "humob26",
    "flow-series",
    "grid",
    "points",
    "tsmc2014",
    "gowalla",
    "massive-steps",
    "geolife",
    "gpx",
    "tdrive",
    "porto",
    "openpflow",
    "libcity",
    "timed-stays",
    "trips",
    "trip-legs",
    "survey",
    "copb-stays",
    "copb-traces",
    "copb-pickle",
    "osm",
    "overture",
    "foursquare",
    "geojson",
    "cell-poicat",
    "places",
]


@public()
def read(
    table: Source,
    *,
    output: PathName | None = None,
    format: InputFormat = "auto",
    as_: Literal["auto", "places"] = "auto",
    to: OutputFormat | None = None,
    users_per_block: Count | None = None,
    columns: Iterable[str] = (),
    on_error: OnError = "fail",
    grid: str | None = None,
    axes: str | None = None,
    outside: OnError = "fail",
    cells_to_points: bool = False,
    timezone: str | None = None,
    source_timezone: str | None = None,
    start_date: str | None = None,
    uid_map: PathName | None = None,
    max_day: Day | None = None,
    shift_days: int = 0,
    places: Source | None = None,
    mapping: PathName | None = None,
    keep_unmapped: bool = False,
    keep_zero: bool = False,
    decimal_comma: bool = False,
    wrap_longitude: bool = False,
    query: str | None = None,
    crs: str | None = None,
    layer: str | None = None,
) -> pl.DataFrame:
    """Read a table of ours, or convert what other programs and data sets write.

    As ``humobctl data import``, whose help says more of each format and option. Tables of
    humobctl (trajectories, profiles, intentions, places, visits, flows, areas, embeddings,
    scores) are read as they are.

    Args:
        table: HuMob, GPS, check-in or place data in CSV, NDJSON, JSON, Parquet or Arrow (plain, .gz
            or .zst), OpenStreetMap, GeoJSON, a GeoLife folder, CoPB's pickles, or a database
            (``postgresql://USER@HOST/NAME``, a .duckdb file).
        output: file to write in batches, or folder (``FOLDER/``) for Parquet files. Default: the
            table is returned.
        format: format of the input (the output's is ``to``); auto: detected and reported.
        as_: table to make: what the input holds (auto), or the distinct places in it (places).
        to: format of the output. Default: from the file's ending, or csv.
        columns: rename a column (``OLD=NEW``) or leave it out (``OLD=``); several with commas.
        grid: put points on a grid: cell size (m or km), corner of cell (1, 1), number of cells
            (200x200 if left out), such as 500m@39.6,116.0,200x200.
        axes: compass directions in which x and y of ``grid`` grow. Default: east,north for points;
            needed with ``cells_to_points``.
        outside: stop at the first point outside ``grid`` (fail), or drop such points (drop).
        cells_to_points: turn cells into points at their centres; needs ``grid``, ``axes`` and
            ``start_date``.
        timezone: time zone to convert times to, if they carry an offset or are UTC. Default: UTC
            (for TSMC2014 each record's own offset).
        source_timezone: time zone of times without one. Default: they are local times already.
        start_date: date of day 0, YYYY-MM-DD. Default: the date of the earliest point.
        uid_map: also write the table of original and new user ids to this file.
        max_day: last day allowed in a grid trajectory. Default: 75.
        shift_days: number of days to add to each day of a grid trajectory: -1 turns 1-75 into 0-74.
        places: table of place_id, lat and lon; needed for CoPB's traces, which have no coordinates.
        mapping: CSV of category and intent for places, used before the built-in mapping. Default:
            the built-in mapping alone.
        keep_unmapped: keep places of unknown intent; they then serve every intent.
        keep_zero: keep points and places at latitude 0, longitude 0. Default: left out and counted.
        decimal_comma: read decimal commas in coordinates: ``39,9`` is 39.9.
        wrap_longitude: read longitudes from 0 to 360: 181.5 is -178.5.
        query: SQL query whose result is read, if the input is a database. Default: the one table
            that it has.
        crs: coordinate reference system of the coordinates, such as EPSG:3857, where the file does
            not say. Default: longitude and latitude (WGS 84).
        layer: layer to read of a GeoPackage or another file of several. Default: the only one.

    Returns:
        The table, its rows in the order of the input; with ``output`` one row that says how many
        rows went there.

    Raises:
        HumobError: the input cannot be read, is of no known format, or holds a fault, of which
            the message tells row and column.
        UsageError: an option that does not go with this input.

    Example:
        >>> trajectories = hm.read("challenge.csv")
        >>> trajectories.columns
        ['uid', 'd', 't', 'x', 'y']
    """
    import polars as pl

    from humobctl.data.importers.options import ImportOptions
    from humobctl.data.importers.run import import_data
    from humobctl.io.databases import is_database, read_query
    from humobctl.io.parquet_folder import check_folder_options
    from humobctl.io.scratch import Scratch
    from humobctl.io.write import write_table
    from humobctl.tables.calendar import check_zone, parse_date
    from humobctl.tables.column_names import parse_columns
    from humobctl.tables.grid import parse_grid

    if axes and not grid:
        raise UsageError("--axes needs --grid")
    if outside == "drop" and (not grid or cells_to_points):
        raise UsageError("--outside drop needs points and --grid")
    if cells_to_points and not (grid and axes and start_date):
        raise UsageError(
            "--cells-to-points needs --grid, --axes and --start-date: sources contradict each "
            "other on the directions of HuMob's axes, so none is assumed"
        )
    with Scratch() as owner, paths_of(table, places) as (source, places_path):
        if query is not None and not is_database(source):
            raise UsageError(
                "--query needs a database as input: postgresql://USER@HOST/NAME, or a .duckdb file"
            )
        path = read_query(source, query, owner.scratch) if is_database(source) else source
        options = ImportOptions(
            columns=parse_columns(columns),
            on_error=on_error,
            outside=outside,
            grid=parse_grid(grid, axes) if grid else None,
            cells_to_points=cells_to_points,
            timezone=check_zone(timezone) if timezone else None,
            source_timezone=(
                check_zone(source_timezone, "--source-timezone") if source_timezone else None
            ),
            start_date=parse_date(start_date) if start_date else None,
            max_day=max_day,
            shift_days=shift_days,
            places=places_path,
            uid_map=as_path(uid_map),
            wanted=as_,
            mapping=as_path(mapping),
            keep_unmapped=keep_unmapped,
            keep_zero=keep_zero,
            decimal_comma=decimal_comma,
            wrap_longitude=wrap_longitude,
            crs=crs,
            layer=layer,
        )
        target = as_path(output)
        check_folder_options(target, users_per_block)
        plain = format == "auto" and options == ImportOptions(on_error=on_error)
        if target is None and plain and (found := _read_own(path, on_error)) is not None:
            return found
        imported = import_data(path, options, format)
        if target is None:
            return pl.concat(list(imported.batches))
        rows = write_table(
            imported.batches,
            target,
            table=imported.table,
            format=to,
            users_a_block=users_per_block,
        )
        return summary(target, rows=rows)


def _read_own(path: str, on_error: OnError) -> pl.DataFrame | None:
    """A table that has exactly the columns of one of ours; None for what is to be converted."""
    from humobctl.embed import vectors
    from humobctl.io.parquet_dataset import is_other_folder
    from humobctl.io.read import read_table

    if path != "-" and is_other_folder(path):
        return None
    if vectors.is_embeddings(path):
        return vectors.table(vectors.read_embeddings(path))
    table = _own_table(path)
    if table is None:
        return None
    return read_table(path, table, on_error=on_error, rename={"profile_id": "uid"})


def _own_table(path: str) -> Table | None:
    from humobctl.data.importers.table_kind import columns_of
    from humobctl.tables import schemas

    names = {"uid" if name == "profile_id" else name for name in columns_of(path)}
    known = (
        *(schemas.GRID, schemas.INTENTIONS, schemas.CATEGORISED_INTENTIONS, schemas.PROFILES),
        *(
            schemas.POPULATION,
            schemas.AREAS,
            schemas.FLOWS,
            schemas.FLOW_SERIES,
            schemas.SCORES,
            schemas.CALENDAR,
        ),
    )
    for table in known:
        if set(table.columns) - set(table.optional) <= names <= set(table.columns):
            return table
    return None


def write(
    table: Frame,
    output: PathName,
    *,
    format: str | None = None,
    users_per_block: int | None = None,
) -> int:
    """Write a table; the file appears under its name only when it is whole.

    Args:
        table: a frame of polars or pandas.
        output: a file, packed as its ending says (.gz, .zst); a folder (a path that ends in
            ``/``) gets Parquet files; ``-`` is standard output.
        format: csv, ndjson, parquet or arrow; geojson, geoparquet, flatgeobuf, geopackage, gpx or
            shapefile for tables with coordinates; npy or safetensors for embeddings. By default
            the ending decides.
        users_per_block: users of each folder ``uid_block=...`` of a folder.

    Returns:
        Number of rows.

    Raises:
        HumobError: no such folder, no permission, or a full disk.
        UsageError: an ending that says nothing, or options that do not go together.

    Example:
        >>> hm.write(hm.read("challenge.csv"), "challenge.parquet")
        19379
    """
    from humobctl.embed.vectors import write_embeddings
    from humobctl.io.write import write_table

    frame, path = as_frame(table), as_path(output)
    if "embedding" in frame.columns and not users_per_block:
        return write_embeddings([frame], path, format)
    return write_table(frame, path, format=format, users_a_block=users_per_block)

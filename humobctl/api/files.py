"""Tables of files: read any, write any."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, Literal

import polars as pl

from humobctl.api.options import OnError
from humobctl.api.tables import Frame, Source, as_frame, as_path, paths_of, summary
from humobctl.errors import UsageError
from humobctl.io.write import write_table

if TYPE_CHECKING:
    from humobctl.tables.schemas import Table

PathName = str | PathLike[str]


def read(
    table: Source,
    *,
    format: str = "auto",
    as_: Literal["auto", "places"] = "auto",
    columns: Iterable[str] = (),
    grid: str | None = None,
    axes: str | None = None,
    outside: OnError = "fail",
    cells_to_points: bool = False,
    timezone: str | None = None,
    source_timezone: str | None = None,
    start_date: str | None = None,
    uid_map: PathName | None = None,
    max_day: int | None = None,
    shift_days: int = 0,
    places: Source | None = None,
    mapping: PathName | None = None,
    keep_unmapped: bool = False,
    keep_zero: bool = False,
    decimal_comma: bool = False,
    wrap_longitude: bool = False,
    output: PathName | None = None,
    to: str | None = None,
    users_per_block: int | None = None,
    on_error: OnError = "fail",
) -> pl.DataFrame:
    """Read a table of ours, or convert what other programs and data sets write.

    As ``humobctl data import``, whose help says more of each format and option. Tables of
    humobctl (trajectories, profiles, intentions, places, visits, flows, areas, embeddings,
    scores) are read as they are.

    Args:
        table: a frame, or a file or folder: CSV, NDJSON, JSON, Parquet or Arrow, plain, .gz or
            .zst, OpenStreetMap, GeoLife folders, CoPB's pickles; ``-`` for standard input.
        format: of the input; ``auto`` recognises it.
        as_: ``places`` for the distinct places of visits and check-ins.
        columns: texts ``OLD=NEW`` that rename columns; ``OLD=`` leaves one out.
        grid: puts points on a grid: ``500m@39.6,116.0,200x200``, cells of 500 m from the corner
            at 39.6 N 116.0 E.
        axes: directions of x and y of ``grid``, such as ``east,north``.
        outside: stop at the first point outside ``grid``, or drop those.
        cells_to_points: turn cells into their centres.
        timezone: zone to show times in that carry an offset.
        source_timezone: zone of times that carry none.
        start_date: of day 0, ``YYYY-MM-DD``.
        uid_map: file for the numbers that user ids got.
        max_day: last day allowed in a grid trajectory.
        shift_days: added to the days of a grid trajectory.
        places: place_id, lat and lon for CoPB's traces, which name places by id only.
        mapping: CSV of category and intent for places.
        keep_unmapped: keep places of no known intent.
        keep_zero: keep rows at latitude 0, longitude 0.
        decimal_comma: read ``39,9`` as 39.9.
        wrap_longitude: read longitudes from 0 to 360; 181.5 becomes -178.5.
        output: file or folder to write in batches, so that memory does not grow with the input.
        to: format of ``output``; by default its ending decides.
        users_per_block: users of each folder ``uid_block=...`` of a folder.
        on_error: stop at the first bad row, or drop bad rows.

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
    from humobctl.data.importers.options import ImportOptions
    from humobctl.data.importers.run import import_data
    from humobctl.io.parquet_folder import check_folder_options
    from humobctl.tables.calendar import check_zone, parse_date
    from humobctl.tables.column_names import parse_columns
    from humobctl.tables.grid import parse_grid

    if axes and not grid:
        raise UsageError("--axes belongs to --grid")
    if outside == "drop" and (not grid or cells_to_points):
        raise UsageError("--outside belongs to --grid for points")
    if cells_to_points and not (grid and axes and start_date):
        raise UsageError(
            "--cells-to-points needs --grid, --axes and --start-date: which way the axes of a "
            "public grid point is told in contradictory ways, so say it"
        )
    with paths_of(table, places) as (path, places_path):
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
        *(schemas.POPULATION, schemas.AREAS, schemas.FLOWS, schemas.SCORES, schemas.CALENDAR),
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
        format: csv, ndjson, parquet or arrow, for embeddings npy or safetensors, too; by default
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

    frame, path = as_frame(table), as_path(output)
    if "embedding" in frame.columns and not users_per_block:
        return write_embeddings([frame], path, format)
    return write_table(frame, path, format=format, users_a_block=users_per_block)

"""Tables: read, write, describe, split and mask them, and make an example city."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import polars as pl

from humobctl.api.options import OnError
from humobctl.api.tables import Frame, Source, as_frame, as_path, framed, paths_of, summary
from humobctl.console import report
from humobctl.errors import UsageError
from humobctl.io.write import write_table

if TYPE_CHECKING:
    from humobctl.data.describe import Description
    from humobctl.data.describe_places import PlacesDescription
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


def describe(
    table: Source,
    *,
    cell_km: float = 0.5,
    plot: PathName | None = None,
    on_error: OnError = "fail",
) -> Description | PlacesDescription:
    """Describe a grid trajectory (users, days, coverage, gyration, entropy, gaps) or places.

    Args:
        table: a frame or a file.
        cell_km: side of a cell in km.
        plot: a .png or .html file for a picture of a trajectory (extra plot).
        on_error: stop at the first bad row, or drop bad rows.

    Returns:
        A description with an attribute for each number; it prints as tables, and has
        ``to_dict()`` and ``to_latex()``. Radius of gyration: Gonzalez et al. 2008; entropies:
        Song et al. 2010.

    Raises:
        HumobError: the table cannot be read, or has no good row.
        UsageError: a plot of places.

    Example:
        >>> hm.describe("challenge.csv").users
        20
    """
    from humobctl.data import describe as trajectories
    from humobctl.data.describe_places import describe_places, holds_places
    from humobctl.data.describe_plots import check_plot, write_plot

    picture = as_path(plot)
    with paths_of(table) as (path,):
        if holds_places(path):
            if picture is not None:
                raise UsageError("--plot does nothing for a place table")
            return describe_places(path, cell_km=cell_km, on_error=on_error)
        if picture is not None:
            check_plot(picture)
        found = trajectories.describe(path, cell_km=cell_km, on_error=on_error)
    if picture is not None:
        write_plot(found, picture)
    return found


def split(
    table: Source,
    *,
    by: Literal["user", "day", "both"] = "user",
    test_share: float | None = None,
    test_users: int | None = None,
    from_day: int | None = None,
    validation_share: float | None = None,
    seed: int = 0,
    train: PathName | None = None,
    test: PathName | None = None,
    validation: PathName | None = None,
    format: str | None = None,
    users_per_block: int | None = None,
    on_error: OnError = "fail",
) -> dict[str, pl.DataFrame]:
    """Split a grid trajectory into train, test and, where asked for, validation rows.

    Args:
        table: a frame or a file.
        by: ``user``: all rows of the test users; ``day``: all rows from the first test day on;
            ``both``: the test users' rows from ``from_day`` on, as in the HuMob challenges.
        test_share: fraction of users (of days with ``day``) to test on; 0.2 by default.
        test_users: number of test users.
        from_day: first test day.
        validation_share: fraction to validate on; 0.1 where only the file is given.
        seed: of the draw of users, which does not depend on the order of rows.
        train: file or folder to write; without it and ``test``, frames are returned.
        test: the same for the test rows.
        validation: the same for the validation rows.
        format: of the files; by default each one's ending decides.
        users_per_block: users of each folder ``uid_block=...``, where the parts are folders.
        on_error: stop at the first bad row, or drop bad rows.

    Returns:
        ``train``, ``test`` and maybe ``validation``, each with the table's columns; of files, one
        row each that says what was written.

    Raises:
        HumobError: the table cannot be read, or a part would have no rows.
        UsageError: options that do not go together.

    Example:
        >>> parts = hm.split("city.csv", by="day", from_day=60)
        >>> parts["test"]["d"].min()
        60
    """
    from humobctl.data.split import Split, split_table

    what = Split(by, test_share, test_users, from_day, validation_share, seed)
    files = {"train": train, "test": test, "validation": validation}
    paths = {name: as_path(file) for name, file in files.items()}
    written = any(path is not None for path in paths.values())
    if written and (train is None or test is None):
        raise UsageError("--train and --test: found one, expected both")
    with tempfile.TemporaryDirectory(prefix="humobctl-") as folder, paths_of(table) as (path,):
        if not written:
            names = ["train", "test", *(["validation"] if validation_share is not None else [])]
            paths = {name: str(Path(folder) / f"{name}.arrow") for name in names}
        parts = split_table(
            path,
            what,
            train=str(paths["train"]),
            test=str(paths["test"]),
            validation=paths.get("validation"),
            format=format,
            on_error=on_error,
            users_a_block=users_per_block,
        )
        if not written:
            return {name: pl.read_ipc(str(file)) for name, file in paths.items()}
    for part in parts:
        report.info(
            f"{part.name}: {part.rows:,} rows of {part.users:,} users, "
            f"days {part.first_day}-{part.last_day}"
        )
    return {part.name: pl.DataFrame([asdict(part)]) for part in parts}


def mask(
    table: Source,
    *,
    from_day: int | None = None,
    to_day: int | None = None,
    users: int | None = None,
    last: int | None = None,
    share: float | None = None,
    users_file: PathName | None = None,
    seed: int = 0,
    output: PathName | None = None,
    format: str | None = None,
    users_per_block: int | None = None,
    on_error: OnError = "fail",
) -> pl.DataFrame:
    """Mask cells that are to be predicted: x and y become 999, the form of a HuMob challenge.

    Args:
        table: a frame or a file.
        from_day: first day to mask.
        to_day: last day to mask.
        users: number of users to mask, drawn at random; at most one of the next four.
        last: the same, those with the highest uid.
        share: the same as a fraction of all users, above 0.
        users_file: a file with one uid a line.
        seed: of the draw of users.
        output: file or folder to write.
        format: of ``output``; by default its ending decides.
        users_per_block: users of each folder ``uid_block=...`` of a folder.
        on_error: stop at the first bad row, or drop bad rows.

    Returns:
        All rows in their order; with ``output`` one row that says how many rows were masked.

    Raises:
        HumobError: the table cannot be read, lacks the users, or has nothing to mask.
        UsageError: options that do not go together.

    Example:
        >>> challenge = hm.mask("city.csv", from_day=60, last=5)
        >>> challenge.filter(x=999)["uid"].n_unique()
        5
    """
    from humobctl.data.mask import Mask, mask_table

    what = Mask(from_day, to_day, users, last, share, as_path(users_file), seed)
    target = as_path(output)
    with paths_of(table) as (path,):
        frame, done = framed(
            target,
            format,
            lambda place: mask_table(
                path,
                place,
                what,
                format=format,
                on_error=on_error,
                users_a_block=users_per_block,
            ),
        )
    report.info(f"masked {done.rows:,} of {done.written:,} rows, of {done.users:,} users")
    if target is None:
        return frame
    return summary(target, rows=done.written, masked_rows=done.rows, masked_users=done.users)


def synth(
    *,
    users: int = 100,
    days: int = 75,
    seed: int = 0,
    output: PathName | None = None,
    format: str | None = None,
    users_per_block: int | None = None,
    places: PathName | None = None,
    profiles: PathName | None = None,
) -> pl.DataFrame:
    """Make a synthetic city whose trajectories look like HuMob data.

    200 by 200 cells of 500 m, half-hour slots, day 0 a Sunday, about 13 of 48 slots a day with a
    row. A seed always gives the same city, of which person 7 is the same among any number.

    Args:
        users: number of people.
        days: number of days.
        seed: of the city and its people.
        output: file or folder to write in batches.
        format: of ``output``; by default its ending decides.
        users_per_block: users of each folder ``uid_block=...`` of a folder.
        places: file for the city's places.
        profiles: file for the people's profiles, with home and work.

    Returns:
        A grid trajectory (uid, d, t, x, y); with ``output`` one row that says how many rows went
        there.

    Raises:
        HumobError: a file cannot be written.
        UsageError: two tables would go to one file, or fewer than one user or day.

    Example:
        >>> hm.synth(users=3, days=2, seed=1)["uid"].unique().to_list()
        [0, 1, 2]
    """
    from humobctl.data.synth.run import SyntheticCity, write_city

    if users < 1 or days < 1:
        raise UsageError(f"--users, --days: found {users} and {days}, expected 1 or more of each")
    target = as_path(output)
    frame, rows = framed(
        target,
        format,
        lambda place: write_city(
            SyntheticCity(users, days, seed),
            place,
            format=format,
            places=as_path(places),
            profiles=as_path(profiles),
            users_a_block=users_per_block,
        ),
    )
    return frame if target is None else summary(target, rows=rows)

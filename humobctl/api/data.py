"""Grid trajectories: split and mask them, and make an example city; stays in points."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

from humobctl.api.options import (
    Between,
    Count,
    Day,
    OnError,
    OutputFormat,
    Seed,
    check_choice,
)
from humobctl.api.signatures import public
from humobctl.api.tables import PathName, Source, as_path, paths_of, summary, write_to_frame
from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.errors import UsageError

if TYPE_CHECKING:
    import polars as pl


@public()
def split(
    table: Source,
    *,
    train: PathName | None = None,
    test: PathName | None = None,
    by: Literal["user", "day", "both"] = "user",
    test_fraction: Annotated[float, Between(None, 1)] | None = None,
    test_users: Count | None = None,
    from_day: Day | None = None,
    validation: PathName | None = None,
    validation_fraction: Annotated[float, Between(None, 1)] | None = None,
    seed: Seed = 0,
    format: OutputFormat | None = None,
    users_per_block: Count | None = None,
    on_error: OnError = "fail",
) -> dict[str, pl.DataFrame]:
    """Split a grid trajectory into train, test and, where asked for, validation rows.

    Args:
        table: grid trajectory.
        train: file or folder (``FOLDER/``) for the train part; needs ``test``.
        test: file or folder (``FOLDER/``) for the test part.
        by: split by user, day or both. user: all rows of the test users; day: all rows from the
            first test day on; both: the test users' rows from ``from_day`` on, as in the HuMob
            challenges.
        test_fraction: fraction of users (with ``by`` day: of days) in the test part, above 0.
            Default: 0.2.
        test_users: number of users in the test part. Default: see ``test_fraction``.
        from_day: first day of the test part; needed with ``by`` both. Default: see
            ``test_fraction``.
        validation: file or folder (``FOLDER/``) for a validation part. Default: no such part.
        validation_fraction: fraction of users (with ``by`` day: of days) in the validation part,
            above 0. Default: 0.1 with ``validation``.
        seed: seed of the random draw of users; the order of the rows does not matter.
        format: format of the files. Default: from each file's ending, or csv.

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
    import polars as pl

    from humobctl.data.split import Split, split_table
    from humobctl.io.scratch import Scratch

    what = Split(by, test_fraction, test_users, from_day, validation_fraction, seed)
    files = {"train": train, "test": test, "validation": validation}
    paths = {name: as_path(file) for name, file in files.items()}
    written = any(path is not None for path in paths.values())
    if written and (train is None or test is None):
        raise UsageError("--train and --test: found one, expected both")
    with Scratch() as owner, paths_of(table) as (path,):
        if not written:
            names = ["train", "test", *(["validation"] if validation_fraction is not None else [])]
            paths = {name: str(owner.scratch / f"{name}.arrow") for name in names}
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
            f"{part.name}: {pluralize(part.rows, 'row')} of {pluralize(part.users, 'user')}, "
            f"days {part.first_day}-{part.last_day}"
        )
    return {part.name: pl.DataFrame([asdict(part)]) for part in parts}


@public()
def mask(
    table: Source,
    *,
    from_day: Day | None = None,
    to_day: Day | None = None,
    users: Count | None = None,
    last: Count | None = None,
    fraction: Annotated[float, Between(None, 1)] | None = None,
    users_file: PathName | None = None,
    seed: Seed = 0,
    output: PathName | None = None,
    format: OutputFormat | None = None,
    users_per_block: Count | None = None,
    on_error: OnError = "fail",
) -> pl.DataFrame:
    """Mask cells that are to be predicted: x and y become 999, the form of a HuMob challenge.

    Args:
        table: grid trajectory.
        from_day: first day to mask. Default: day 0.
        to_day: last day to mask. Default: the last day of the table.
        users: number of users to mask, drawn at random. Default: all users.
        last: number of users to mask, those with the highest uid (as in HuMob). Default: all users.
        fraction: fraction of users to mask, above 0, drawn at random. Default: all users.
        users_file: file of the users to mask, one uid per line. Default: all users.
        seed: seed of the random draw of users; the order of the rows does not matter.

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

    what = Mask(from_day, to_day, users, last, fraction, as_path(users_file), seed)
    target = as_path(output)
    with paths_of(table) as (path,):
        frame, done = write_to_frame(
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


@public()
def stays(
    points: Source,
    *,
    method: Literal["sliding-window", "scikit-mobility"] = "sliding-window",
    distance: Annotated[float, Between(0.1, 1e6)] | None = None,
    minutes: Annotated[float, Between(0)] | None = None,
    gap: Annotated[float, Between(0)] | None = None,
    include_last: bool = False,
    location_distance: Annotated[float, Between(0, 1e6)] = 100.0,
    max_speed: Annotated[float, Between(0.001)] | None = None,
    accuracy: Annotated[float, Between(0)] | None = None,
    box: str | None = None,
    keep_zero: bool = False,
    compress: Annotated[float, Between(0.1, 1e6)] | None = None,
    places: PathName | None = None,
    place_distance: Annotated[float, Between(0.1, 1e6)] = 100.0,
    trips: PathName | None = None,
    trip_legs: PathName | None = None,
    trip_gap: Annotated[float, Between(0)] = 15.0,
    activity_minutes: Annotated[float, Between(0)] = 15.0,
    check_in_minutes: Annotated[float, Between(0)] = 0.0,
    grid: str | None = None,
    axes: str | None = None,
    home_work: PathName | None = None,
    locations: PathName | None = None,
    columns: Iterable[str] = (),
    timezone: str | None = None,
    source_timezone: str | None = None,
    start_date: str | None = None,
    uid_map: PathName | None = None,
    output: PathName | None = None,
    format: OutputFormat | None = None,
    on_error: OnError = "fail",
) -> pl.DataFrame:
    """Find stays in points: visits at each user's locations, with homes and works.

    Of check-ins and of cells each record is a stay; those of one place in a row are one.
    docs/stays.md has the methods and their sources.

    Args:
        points: GPS points, pings or check-ins in any form that 'data import' reads, rows in any
            order; a grid trajectory with ``grid``.
        method: way of finding stays: sliding-window (Li et al. 2008), as in trackintel, or
            scikit-mobility.
        distance: distance in metres at which a stay ends. Default: 100 (sliding-window), 200
            (scikit-mobility).
        minutes: minimum duration of a stay in minutes. Default: 5 (sliding-window), 20
            (scikit-mobility).
        gap: longest time in minutes between two points of a stay. Default: 15 (sliding-window),
            any (scikit-mobility).
        include_last: keep the stay that a user's points end in (sliding-window).
        location_distance: distance in metres up to which stays are at one location (DBSCAN).
        max_speed: leave out points reached at more than so many km/h. Default: none.
        accuracy: leave out points whose accuracy is more than so many metres. Default: none.
        box: leave out points outside SOUTH,WEST,NORTH,EAST in degrees. Default: none.
        keep_zero: keep points at latitude 0, longitude 0. Default: left out and counted.
        compress: make points within so many metres of the first of a run one point, as in
            scikit-mobility. Default: none.
        places: places that give stays nearby their intent, if these are neither home nor work.
            Default: none.
        place_distance: distance in metres up to which a place gives a stay its intent.
        trips: also write the trips between activities to this file.
        trip_legs: also write the trip legs, the ways between two stays, to this file.
        trip_gap: longest time in minutes without a point within a trip.
        activity_minutes: duration in minutes above which a stay ends a trip.
        check_in_minutes: duration in minutes of a check-in, at most until the user's next one.
        grid: position of the cells of a grid trajectory: cell size (m or km), corner of cell
            (1, 1), number of cells, such as 500m@39.6,116.0,200x200; needed for cells.
        axes: compass directions in which x and y of ``grid`` grow, such as east,north; needed with
            ``grid``.
        home_work: also write the pairs of home and work of all users with both to this file.
        locations: also write the locations of all users to this file.
        columns: rename a column (``OLD=NEW``) or leave it out (``OLD=``); several with commas.
        timezone: time zone to convert times to, if they carry an offset or are UTC. Default: UTC.
        source_timezone: time zone of times without one. Default: they are local times already.
        start_date: date of day 0, YYYY-MM-DD. Default: the date of the earliest point.
        uid_map: also write the table of original and new user ids to this file.

    Returns:
        Visits (uid, d, seq, intent, start_min, end_min, place_id, lat, lon) split at midnight,
        with started_at and finished_at of the whole stay; with ``output`` one row that says how
        many rows went there.

    Raises:
        HumobError: the input is no table of points, or holds a fault.
        UsageError: options that do not go together.

    Example:
        >>> visits = hm.stays("gps.csv")
        >>> visits.filter(uid=1).select("d", "start_min", "intent").rows()[:3]
        [(0, 0, 'go home'), (0, 540, 'go to work'), (0, 1080, 'go home')]
    """
    import dataclasses

    from humobctl.data.importers.options import ImportOptions
    from humobctl.data.stays.config import METHODS, PointFilter, TripSettings, parse_box
    from humobctl.data.stays.purpose import read_places
    from humobctl.data.stays.run import StayJob
    from humobctl.data.stays.side_table import SideTable
    from humobctl.io.write import write_table
    from humobctl.tables.calendar import check_zone, parse_date
    from humobctl.tables.column_names import parse_columns
    from humobctl.tables.grid import parse_grid
    from humobctl.tables.schemas import HOME_WORK, LOCATIONS, TIMED_VISITS, TRIP_LEGS, TRIPS

    check_choice("--method", method, METHODS)
    if include_last and method != "sliding-window":
        raise UsageError("--include-last goes with --method sliding-window")
    if (grid is None) != (axes is None) or (grid and not start_date):
        raise UsageError("--grid, --axes and --start-date go together: they place cells and days")
    known = METHODS[method]
    files = ((HOME_WORK, home_work), (LOCATIONS, locations), (TRIPS, trips), (TRIP_LEGS, trip_legs))
    target = as_path(output)
    with ExitStack() as stack:
        beside = {
            table.name: stack.enter_context(SideTable(table))
            for table, file in files
            if file is not None
        }
        job = StayJob(
            dataclasses.replace(
                known,
                metres=known.metres if distance is None else distance,
                minutes=known.minutes if minutes is None else minutes,
                gap=known.gap if gap is None else gap,
                last=1 if include_last else known.last,
            ),
            filters=PointFilter(max_speed, accuracy, parse_box(box) if box else None, compress),
            metres=location_distance,
            check_in_minutes=check_in_minutes,
            trips=TripSettings(trip_gap, activity_minutes),
            places=None if places is None else read_places(str(places), place_distance),
            options=ImportOptions(
                columns=parse_columns(columns),
                on_error=on_error,
                timezone=check_zone(timezone) if timezone else None,
                source_timezone=(
                    check_zone(source_timezone, "--source-timezone") if source_timezone else None
                ),
                keep_zero=keep_zero,
                accuracy=accuracy is not None,
                grid=parse_grid(grid, axes) if grid else None,
                cells_to_points=grid is not None,
                start_date=parse_date(start_date) if grid and start_date else None,
            ),
            start_date=parse_date(start_date) if start_date else None,
            uid_map=as_path(uid_map),
            beside=beside,
        )
        path = stack.enter_context(paths_of(points))[0]
        frame, rows = write_to_frame(
            target,
            format,
            lambda place: write_table(job.run(path), place, table=TIMED_VISITS, format=format),
        )
        for table, file in files:
            if file is not None:
                write_table(beside[table.name], as_path(file), table=table)
    return frame if target is None else summary(target, rows=rows)


@public()
def synth(
    *,
    users: Annotated[int, Between(1, 10_000_000)] = 100,
    days: Annotated[int, Between(1, 10_000)] = 75,
    seed: Seed = 0,
    output: PathName | None = None,
    format: OutputFormat | None = None,
    users_per_block: Count | None = None,
    places: PathName | None = None,
    profiles: PathName | None = None,
) -> pl.DataFrame:
    """Make a synthetic city whose trajectories look like HuMob data.

    200 by 200 cells of 500 m, half-hour slots, day 0 a Sunday, about 13 of 48 slots a day with a
    row. A seed always gives the same city, of which person 7 is the same among any number.

    Args:
        users: number of users.
        days: number of days; day 0 is a Sunday.
        places: also write the city's places (with category and intent) to this file.
        profiles: also write the profiles of its people, with home and work, to this file.

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

    target = as_path(output)
    frame, rows = write_to_frame(
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

"""Stays, homes, works and trips in points."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Literal

from humobctl.api.options import Between, EngineName, OnError, OutputFormat, Workers, check_choice
from humobctl.api.signatures import public
from humobctl.api.tables import PathName, Source, as_path, deliver, paths_of
from humobctl.errors import UsageError

if TYPE_CHECKING:
    import polars as pl


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
    tours: PathName | None = None,
    trip_gap: Annotated[float, Between(0)] = 15.0,
    activity_minutes: Annotated[float, Between(0)] = 15.0,
    tour_hours: Annotated[float, Between(0)] = 24.0,
    tour_distance: Annotated[float, Between(0, 1e6)] | None = None,
    modes: bool = False,
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
    engine: EngineName = "local",
    address: str | None = None,
    workers: Workers | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_error: OnError = "fail",
) -> pl.DataFrame:
    """Find stays in points: visits at each user's locations, with homes and works.

    Each check-in and each record of a cell is a stay; consecutive ones at one place are joined.
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
        include_last: keep the last stay of each user, which has no later point (sliding-window).
        location_distance: distance in metres up to which stays are at one location (DBSCAN).
        max_speed: leave out points reached faster than this speed in km/h. Default: no limit.
        accuracy: leave out points whose accuracy exceeds this many metres. Default: no limit.
        box: leave out points outside SOUTH,WEST,NORTH,EAST in degrees. Default: none.
        keep_zero: keep points at latitude 0, longitude 0. Default: left out and counted.
        compress: merge consecutive points within this many metres of the first one, as in
            scikit-mobility. Default: points stay as they are.
        places: places whose intents are given to stays nearby, other than at home and work.
            Default: none.
        place_distance: distance in metres up to which a place gives a stay its intent.
        trips: also write the trips between activities to this file.
        trip_legs: also write the trip legs, the movements between two stays, to this file.
        tours: also write the tours, trips in a row that end where they began, to this file.
        trip_gap: longest time in minutes without a point within a trip.
        activity_minutes: duration in minutes above which a stay ends a trip.
        tour_hours: longest time in hours that a tour takes.
        tour_distance: distance in metres up to which trips of a tour meet. Default: they meet at a
            location.
        modes: guess the mode of transport of trip legs from their mean speed: slow_mobility (below
            15 km/h), motorized_mobility (below 100 km/h) or fast_mobility, as in trackintel.
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
        HumobError: the input is not a table of points, or holds a fault.
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
    from humobctl.data.stays.task import OF_TRIPS, StayTask
    from humobctl.execution.run import LongRun
    from humobctl.execution.side_table import SideTable
    from humobctl.io.outputs import check_distinct
    from humobctl.io.write import check_output, write_table
    from humobctl.tables.calendar import check_zone, parse_date
    from humobctl.tables.column_names import parse_columns
    from humobctl.tables.grid import parse_grid
    from humobctl.tables.schemas import HOME_WORK, LOCATIONS, TIMED_VISITS

    check_choice("--method", method, METHODS)
    if include_last and method != "sliding-window":
        raise UsageError("--include-last needs --method sliding-window")
    if (grid is None) != (axes is None) or (grid and not start_date):
        raise UsageError(
            "--grid, --axes and --start-date: expected all three (they place cells and days)"
        )
    known = METHODS[method]
    of_trips = zip(OF_TRIPS.items(), (trips, trip_legs, tours), strict=True)
    files = {
        **{"--home-work": (HOME_WORK, home_work), "--locations": (LOCATIONS, locations)},
        **{option: (table, file) for (option, table), file in of_trips},
    }
    wanted = [(table, as_path(file)) for table, file in files.values() if file is not None]
    long = LongRun(as_path(output), engine, address, workers, resume, overwrite)
    if long.into_folder and wanted:
        raise UsageError(
            "--output: found a folder, expected a file when other tables are written too"
        )
    check_distinct(
        {
            **{"--output": long.output or "-", "--uid-map": as_path(uid_map)},
            **{option: as_path(file) for option, (_, file) in files.items()},
        }
    )
    check_output(long.output, TIMED_VISITS, format)
    for table, file in wanted:
        check_output(file, table)
    with ExitStack() as stack:
        beside = {table.name: stack.enter_context(SideTable(table)) for table, _ in wanted}
        task = StayTask(
            dataclasses.replace(
                known,
                metres=known.metres if distance is None else distance,
                minutes=known.minutes if minutes is None else minutes,
                gap=known.gap if gap is None else gap,
                last=1 if include_last else known.last,
            ),
            filters=PointFilter(max_speed, accuracy, parse_box(box) if box else None, compress),
            metres=location_distance,
            trips=TripSettings(trip_gap, activity_minutes, tour_hours, tour_distance, modes),
            places=None if places is None else read_places(str(places), place_distance),
            beside=tuple(beside),
        )
        day_0 = parse_date(start_date) if start_date else None
        job = StayJob(
            task,
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
                start_date=day_0 if grid else None,
            ),
            check_in_minutes=check_in_minutes,
            start_date=day_0,
            uid_map=as_path(uid_map),
            beside=beside,
        )
        path = stack.enter_context(paths_of(points))[0]
        frame = deliver(job.run(path, long), TIMED_VISITS, long, format)
        for table, file in wanted:
            write_table(beside[table.name], file, table=table)
    return frame

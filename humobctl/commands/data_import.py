"""``humobctl data import``: what other programs and data sets write, as a table of ours."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from humobctl.api.options import OnError
from humobctl.commands.options import OnErrorOption, Output, OutputFormat, UsersPerBlock

InputFormat = Literal[
    "auto",
    "humob",
    "humob23",
    "humob24",
    "humob25",
    "grid",
    "points",
    "tsmc2014",
    "gowalla",
    "geolife",
    "tdrive",
    "porto",
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


def import_(
    input_: Annotated[
        str | None,
        typer.Argument(
            metavar="INPUT",
            help="File or folder to read; - or nothing for standard input.",
        ),
    ] = None,
    output: Output = None,
    format_: Annotated[
        InputFormat,
        typer.Option(
            "--format",
            "-f",
            help="Format of the input (the output has --to); auto recognises it and says so.",
        ),
    ] = "auto",
    as_: Annotated[
        Literal["auto", "places"],
        typer.Option(
            "--as",
            help="What to make of the input: what it is (auto), or a table of the places in it.",
        ),
    ] = "auto",
    to: Annotated[
        OutputFormat | None,
        typer.Option("--to", help="Format of the output; else by the file's ending, else csv."),
    ] = None,
    users_per_block: UsersPerBlock = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--columns",
            metavar="OLD=NEW",
            help="Rename a column; OLD= leaves it out. Repeat it, or separate pairs by commas.",
        ),
    ] = None,
    on_error: OnErrorOption = "fail",
    grid: Annotated[
        str | None,
        typer.Option(
            "--grid",
            metavar="CELL@LAT,LON[,NXxNY]",
            help="Put points on a grid: cell size in m or km, origin (outer corner of cell 1, 1), "
            "number of cells (200x200). Such as 500m@39.6,116.0,200x200.",
        ),
    ] = None,
    axes: Annotated[
        str | None,
        typer.Option(
            "--axes",
            metavar="X,Y",
            help="Directions in which x and y of --grid grow: east,north for points.",
        ),
    ] = None,
    outside: Annotated[
        OnError,
        typer.Option("--outside", help="Stop at the first point outside --grid, or drop them."),
    ] = "fail",
    cells_to_points: Annotated[
        bool,
        typer.Option(
            "--cells-to-points",
            help="Turn cells back into their centres; needs --grid, --axes and --start-date.",
        ),
    ] = False,
    timezone: Annotated[
        str | None,
        typer.Option(
            "--timezone",
            metavar="ZONE",
            help="Zone to show times in that carry an offset or are UTC; half hours are cut there.",
        ),
    ] = None,
    source_timezone: Annotated[
        str | None,
        typer.Option(
            "--source-timezone",
            metavar="ZONE",
            help="Zone of times that carry none; without it they are local already.",
        ),
    ] = None,
    start_date: Annotated[
        str | None,
        typer.Option(
            "--start-date", metavar="DATE", help="Date of day 0; else that of the earliest point."
        ),
    ] = None,
    uid_map: Annotated[
        str | None,
        typer.Option("--uid-map", metavar="FILE", help="Write which number each user id got."),
    ] = None,
    max_day: Annotated[
        int | None,
        typer.Option("--max-day", min=0, help="Last day allowed in a grid table, instead of 75."),
    ] = None,
    shift_days: Annotated[
        int,
        typer.Option("--shift-days", help="Add to the days of a grid table: -1 makes 1-75 0-74."),
    ] = 0,
    places: Annotated[
        str | None,
        typer.Option(
            "--places",
            metavar="FILE",
            help="Table of place_id, lat, lon for CoPB's traces, which name places by id only.",
        ),
    ] = None,
    mapping: Annotated[
        str | None,
        typer.Option(
            "--mapping",
            metavar="FILE",
            help="CSV of category,intent for places; its rows go before those of humobctl.",
        ),
    ] = None,
    keep_unmapped: Annotated[
        bool,
        typer.Option(
            "--keep-unmapped",
            help="Keep places of no known intent; having none, they serve every intent.",
        ),
    ] = False,
    keep_zero: Annotated[
        bool,
        typer.Option(
            "--keep-zero",
            help="Keep rows at latitude 0, longitude 0. Default: left out and counted.",
        ),
    ] = False,
    decimal_comma: Annotated[
        bool, typer.Option("--decimal-comma", help="Read 39,9 as 39.9 in columns of numbers.")
    ] = False,
    wrap_longitude: Annotated[
        bool,
        typer.Option(
            "--wrap-longitude", help="Read longitudes from 0 to 360; 181.5 becomes -178.5."
        ),
    ] = False,
) -> None:
    """Convert a data set to a table of humobctl.

    Reads HuMob tables (2023, 2024, 2025), GPS points and check-ins with a header (scikit-mobility,
    trackintel, user_id/lat/lon/timestamp), Foursquare TSMC2014, Gowalla and Brightkite, GeoLife
    folders, T-Drive and Porto taxis, and CoPB's stay lists, JSON traces and pickled data sets; as
    CSV or other separated text, NDJSON, JSON, Parquet or Arrow, plain, .gz or .zst. What was
    recognised is said on stderr. --format is the format of the input, --to that of the output.

    Writes a grid trajectory (uid, d, t, x, y), a point trajectory (uid, datetime, lat, lon,
    place_id, category) or, for stays and traces, visits. Points become cells with --grid; several
    points in one half hour give the most frequent cell. User ids that are not all whole numbers
    are then numbered from 0.

    Writes places (place_id, name, category, intent, lat, lon) for OpenStreetMap PBF or XML,
    Overture places, Foursquare OS Places, GeoJSON, tables of places, and HuMob's places by cell
    (cell_POIcat, with --grid and --axes). Categories get one of the twelve intents; places of none
    are left out, and counted. --as places takes the distinct places of visits and check-ins; those
    of visits serve every intent. See docs/places.md.

    Times are local wall-clock times. Times with an offset or in UTC are shown in --timezone;
    without it TSMC2014's become local by their own offset and others stay UTC. Times that carry
    no zone are taken as local, unless --source-timezone names theirs.

    Days of a grid table stay as they are, 0-74 or 1-75; --format humob23, humob24 or humob25
    insists on those of the year, --format grid allows any.

    Example: humobctl data import city.csv --output city.parquet

    Example: humobctl data import gps.csv --columns uid=user_id --timezone Asia/Tokyo --to ndjson

    Example: humobctl data import city.geojson --output places.parquet

    Example: humobctl data import stays.csv --as places --output places.csv

    Example: humobctl data import gps.csv --grid 500m@39.6,116.0 --outside drop --output cells.csv
    """
    import humobctl as hm

    hm.read(
        input_ or "-",
        format=format_,
        as_=as_,
        columns=columns or (),
        grid=grid,
        axes=axes,
        outside=outside,
        cells_to_points=cells_to_points,
        timezone=timezone,
        source_timezone=source_timezone,
        start_date=start_date,
        uid_map=uid_map,
        max_day=max_day,
        shift_days=shift_days,
        places=places,
        mapping=mapping,
        keep_unmapped=keep_unmapped,
        keep_zero=keep_zero,
        decimal_comma=decimal_comma,
        wrap_longitude=wrap_longitude,
        output=output or "-",
        to=to,
        users_per_block=users_per_block,
        on_error=on_error,
    )

"""What an import was asked to do."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from humobctl.io.row_errors import Dropped, OnError
from humobctl.io.streams import Input
from humobctl.tables.grid import Grid
from humobctl.tables.schemas import Table

Wanted = Literal["auto", "places"]


@dataclass(frozen=True)
class ImportOptions:
    """Settings of one import; see the help of ``data import`` for each.

    Attributes:
        columns: name in the file -> our name, or "" to leave a column out.
        on_error: stop at the first faulty row, or drop faulty rows and count them.
        outside: the same for points outside the grid.
        grid: cells for points, or the grid that cells belong to.
        cells_to_points: write centres of cells.
        timezone: where slots are cut and UTC times are shown.
        source_timezone: the zone of times that carry none.
        start_date: the date of day 0.
        max_day: the last day allowed in a grid table.
        shift_days: added to the days of a grid table.
        places: a place table with the coordinates of place ids.
        uid_map: file for the numbers that user ids got.
        wanted: what to make of the input: what it is, or the places in it.
        mapping: a user's file of categories and intents.
        keep_unmapped: keep places of no intent.
        categories: read the categories of the places of visits, too.
        accuracy: read the accuracy of points, too.
        keep_zero: keep rows at latitude 0, longitude 0.
        decimal_comma: read 39,9 as 39.9.
        wrap_longitude: read longitudes from 0 to 360.
        crs: the coordinate reference system of coordinates that are not degrees.
        layer: the layer of a vector file.
    """

    columns: dict[str, str] = field(default_factory=dict)
    on_error: OnError = "fail"
    outside: OnError = "fail"
    grid: Grid | None = None
    cells_to_points: bool = False
    timezone: str | None = None
    source_timezone: str | None = None
    start_date: dt.date | None = None
    max_day: int | None = None
    shift_days: int = 0
    places: str | None = None
    uid_map: str | None = None
    wanted: Wanted = "auto"
    mapping: str | None = None
    keep_unmapped: bool = False
    categories: bool = False
    accuracy: bool = False
    keep_zero: bool = False
    decimal_comma: bool = False
    wrap_longitude: bool = False
    crs: str | None = None
    layer: str | None = None


@dataclass
class Opened:
    """A recognised input, ready to be read.

    Attributes:
        table: what it becomes.
        batches: checked batches of that table.
        words: what it is, for people.
        notes: things to say when all is read; filled while reading.
        dropped: what was left out with on_error="drop".
        users: numbers and names of users, once all is read, where users were numbered.
    """

    table: Table
    batches: Iterator[pl.DataFrame]
    words: str
    notes: list[str] = field(default_factory=list)
    dropped: Dropped = field(default_factory=Dropped)
    users: Callable[[], list[tuple[int, str]]] | None = None


def stand_in(name: str, size: int | None = None) -> Input:
    """An input without bytes of its own, for folders: its raw stream only counts progress."""
    return Input(name, io.BufferedReader(io.BytesIO()), "csv", None, size, io.BytesIO())

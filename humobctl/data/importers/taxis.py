"""Taxis: T-Drive (Beijing) and Porto.

Formats: T-Drive (Yuan et al. 2010, its user guide): a file a taxi, without a header; taxi, local
time, longitude, latitude. Porto (ECML/PKDD 2015): a row a trip; ``TAXI_ID``, ``TIMESTAMP`` (seconds
since 1970 of its first point), ``MISSING_DATA`` (points are missing somewhere in between) and
``POLYLINE``, ``[[longitude, latitude], ...]``, a point every 15 seconds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from humobctl.console.words import pluralize
from humobctl.data.importers.delimited import Batch, Delimited
from humobctl.data.importers.file_rows import FileRows, read_files
from humobctl.data.importers.options import ImportOptions, Opened
from humobctl.data.importers.points import PointReader
from humobctl.data.importers.probe import InputProbe
from humobctl.errors import HumobError, TableError
from humobctl.io.row_errors import LineNumbers, quote
from humobctl.tables.schemas import POINTS

PORTO_NAMES = ("TRIP_ID", "TAXI_ID", "TIMESTAMP", "MISSING_DATA", "POLYLINE")
PORTO_SECONDS = 15

_TDRIVE = re.compile(
    rb"\s*\d+,\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,-?\d+(\.\d*)?,-?\d+(\.\d*)?\s*?(\n|$)"
)
_DEGREES = r"\s*-?(?:0|[1-9]\d*)(?:\.\d+)?\s*"
_POINT = rf"\s*\[{_DEGREES},{_DEGREES}\]\s*"
_LINE = rf"^\s*\[\s*(?:{_POINT}(?:,{_POINT})*)?\]\s*$"
_HEAD = 200
_BEIJING = "T-Drive taxis"


class TaxiRows(FileRows):
    """The rows of T-Drive's files."""

    NAMES = ["uid", "datetime", "lon", "lat"]  # noqa: RUF012

    def shape(self, frame: pl.DataFrame, _: list[int]) -> pl.DataFrame:
        """As they are: each row names its taxi."""
        return frame


def is_tdrive(look: InputProbe, _: ImportOptions) -> bool:
    """Whether the first line, or that of the first file of a folder, is one of T-Drive's."""
    if look.folder is None:
        return look.columns is None and bool(_TDRIVE.match(look.head[:_HEAD]))
    for path in _text_files(look.folder):
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if head.strip():  # some taxis have no point
            return bool(_TDRIVE.match(head))
    return False


def _text_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.txt") if path.is_file())


def tdrive(look: InputProbe, options: ImportOptions) -> Opened:
    """The points of one file, or of all ``.txt`` files of a folder.

    Raises:
        HumobError: the folder holds no such file.
    """
    if look.folder is not None:
        files = _text_files(look.folder)
        if not files:
            raise HumobError(
                f"{look.name}: found a directory without .txt files, expected those of T-Drive"
            )
        return read_files(look.name, files, options, TaxiRows).open(_BEIJING)
    source = look.file("a file of T-Drive")
    reader = PointReader(source, POINTS, options.on_error, options=options)
    text = Delimited(
        source, names=TaxiRows.NAMES, on_error=options.on_error, dropped=reader.dropped
    )
    reader.factory = text.frames
    return reader.open(_BEIJING)


def is_porto(look: InputProbe, _: ImportOptions) -> bool:
    """Whether the columns are those of the Porto taxis."""
    return set(look.columns or ()) >= set(PORTO_NAMES)


def porto(look: InputProbe, options: ImportOptions) -> Opened:
    """The points of Porto's trips; trips that lack points are left out, and counted."""
    source = look.file("a table of trips")
    reader = PolylineReader(source, POINTS, options.on_error, options=options, utc=True)
    text = Delimited(source, look.separator, on_error=options.on_error, dropped=reader.dropped)
    reader.factory = lambda: reader.points(text)
    return reader.open("Porto taxis")


@dataclass
class PolylineReader(PointReader):
    """Points of trips that are a row each.

    Attributes:
        left_out: trips that gave no points, by the reason.
    """

    left_out: Counter[str] = field(default_factory=Counter)

    def batches(self) -> Iterator[pl.DataFrame]:
        """Checked batches of points.

        Raises:
            HumobError: a fault.
        """
        yield from super().batches()
        self.notes += [f"left out {pluralize(n, 'trip')} {why}" for why, n in self.left_out.items()]

    def points(self, text: Delimited) -> Iterator[Batch]:
        """The points of trips, and the rows of these."""
        for frame, places in text.frames():
            yield self._explode(*self._whole(frame, places))

    def _whole(self, frame: pl.DataFrame, places: LineNumbers) -> Batch:
        """The trips that have all their points, as lists."""
        if missing := [name for name in PORTO_NAMES[1:] if name not in frame.columns]:
            found = f"columns {', '.join(map(quote, frame.columns[:12]))}"
            raise TableError(self.source.name, found, f"Porto's {', '.join(missing)}")
        trips = frame.select(pl.col("TAXI_ID").alias("uid"), *PORTO_NAMES[2:])
        bad = trips["TIMESTAMP"].cast(pl.Int64, strict=False).is_null()
        trips, places = self.refuse(bad, trips, places, "TIMESTAMP", "seconds since 1970")
        bad = ~trips["POLYLINE"].fill_null("").str.contains(_LINE)
        expected = "[[longitude, latitude], ...]"
        trips, places = self.refuse(bad, trips, places, "POLYLINE", expected)
        gaps = (trips["MISSING_DATA"].str.to_lowercase() == "true").fill_null(value=False)
        trips, places = self._without(gaps, trips, places, "that lack points (MISSING_DATA)")
        line = trips["POLYLINE"].str.json_decode(pl.List(pl.List(pl.Float64)))
        trips = trips.with_columns(line.alias("line"))
        bare = trips["line"].list.len() == 0
        return self._without(bare, trips, places, "without a point")

    def _without(
        self, gone: pl.Series, trips: pl.DataFrame, places: LineNumbers, why: str
    ) -> Batch:
        if not gone.any():
            return trips, places
        self.left_out[why] += int(gone.sum())
        return trips.filter(~gone), places.keep(~gone)

    def _explode(self, trips: pl.DataFrame, places: LineNumbers) -> Batch:
        rows = (
            trips.with_row_index("trip")
            .with_columns(step=pl.int_ranges(pl.col("line").list.len()))
            .explode("line", "step")
        )
        time = pl.col("TIMESTAMP").cast(pl.Int64) + PORTO_SECONDS * pl.col("step")
        lon, lat = (pl.col("line").list.get(at, null_on_oob=True) for at in (0, 1))
        frame = rows.select("uid", time.alias("utc_time"), lat.alias("lat"), lon.alias("lon"))
        return frame, places.take(rows["trip"])

"""Points in anyone's column names: GPS records and check-ins as a point trajectory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import polars as pl

from humobctl.console.words import counted
from humobctl.data.importers.delimited import Batch
from humobctl.data.importers.options import ImportOptions, Opened
from humobctl.errors import HumobError, TableError
from humobctl.io.read import Reader
from humobctl.io.row_errors import LineNumbers
from humobctl.tables.calendar import moments, shown, to_local
from humobctl.tables.column_names import ALIASES, roles
from humobctl.tables.schemas import POINTS

_OWN = ("uid", "datetime", "utc", "offset", "lat", "lon", "geom", "place_id", "category")
_WKT = r"(?i)^\s*(?:SRID=\d+;)?\s*POINT\s*Z?\s*\(\s*([-+.\deE]+)\s+([-+.\deE]+)"
UTC_NOTE = "times are in UTC: --timezone shows them in a zone and cuts slots there"


@dataclass
class PointReader(Reader):
    """Reads points: finds the columns, makes local times, and checks every row.

    Attributes:
        options: columns, time zones and what to do with faults.
        factory: makes the raw frames where the input is no plain table.
        utc: whether times without an offset are UTC.
        notes: things to say when all is read.
        naive: times without a zone so far, which --timezone leaves as they are.
    """

    options: ImportOptions = field(default_factory=ImportOptions)
    factory: Callable[[], Iterator[Batch]] | None = None
    utc: bool = False
    notes: list[str] = field(default_factory=list)
    found: dict[str, str] = field(default_factory=dict)
    naive: int = 0

    def opened(self, words: str) -> Opened:
        """The input ready to be read, in words for people."""
        return Opened(POINTS, self.batches(), words, self.notes, self.dropped)

    def batches(self) -> Iterator[pl.DataFrame]:
        """Checked batches; a fault is told in the names of the file.

        Raises:
            HumobError: a fault.
        """
        try:
            yield from super().batches()
        except TableError as exc:
            raise self._renamed(exc) from exc.__cause__
        if self.naive and self.options.timezone and not self.options.source_timezone:
            self.notes.append(
                f"{counted(self.naive, 'time')} without a zone taken as local already: "
                "--source-timezone UTC converts from UTC"
            )

    def _renamed(self, error: TableError) -> TableError:
        ways = {"datetime": ("datetime", "utc"), "lat": ("lat", "geom"), "lon": ("lon", "geom")}
        ours = error.column or ""
        theirs = [self.found[way] for way in ways.get(ours, (ours,)) if way in self.found]
        return TableError(
            error.source,
            error.found,
            error.expected,
            row=error.row,
            line=error.line,
            column=theirs[0] if theirs else error.column,
        )

    def _parsed(self) -> Iterator[Batch]:
        if self.factory is None:
            yield from super()._parsed()
            return
        for frame, places in self.factory():
            yield self._cast(self._named(frame), places)

    def _named(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The raw values of the columns we want, under our names."""
        if not self.found:
            self.found = self._find(frame)
        found = self.found
        wanted = [
            _text(frame, found["uid"]).alias("uid"),
            pl.col(found.get("datetime") or found["utc"]).alias("datetime"),
            *self._place_of(frame),
            *(
                (_text(frame, found[name]) if name in found else pl.lit(None, pl.String)).alias(
                    name
                )
                for name in ("place_id", "category")
            ),
        ]
        if "offset" in found:
            wanted.append(pl.col(found["offset"]).alias("offset"))
        return frame.select(wanted)

    def _find(self, frame: pl.DataFrame) -> dict[str, str]:
        found = roles(frame.columns, self.options.columns, self.source.name)
        lacking = [
            name
            for name, ways in (
                ("uid", ("uid",)),
                ("datetime", ("datetime", "utc")),
                ("lat", ("lat", "geom")),
                ("lon", ("lon", "geom")),
            )
            if not any(way in found for way in ways)
        ]
        if lacking:
            known = "; ".join(f"{name}: {', '.join(ALIASES[name])}" for name in lacking)
            raise HumobError(
                f"{self.source.name}: found columns {', '.join(frame.columns)}, expected one for "
                f"{', '.join(lacking)} ({known}); name it with --columns NAME={lacking[0]}"
            )
        used = {found[name] for name in _OWN if name in found}
        spare = [c for c in frame.columns if c not in used and self.options.columns.get(c) != ""]
        if spare:
            self.notes.append(f"left out the columns {', '.join(spare)}")
        return found

    def _place_of(self, frame: pl.DataFrame) -> list[pl.Expr]:
        if "lat" in self.found and "lon" in self.found:
            return [pl.col(self.found[name]).alias(name) for name in ("lat", "lon")]
        name = self.found["geom"]
        if frame.schema[name] != pl.String:
            raise HumobError(
                f"{self.source.name}: found {frame.schema[name]} in column {name}, expected text "
                "such as POINT (116.3 39.9)"
            )
        parts = [pl.col(name).str.extract(_WKT, group).alias(axis) for axis, group in _LON_LAT]
        return [*parts, pl.col(name).alias("geom")]

    def _cast(self, frame: pl.DataFrame, places: LineNumbers) -> Batch:
        if "geom" in frame.columns:
            bad = frame["geom"].is_not_null() & frame["lat"].is_null()
            frame, places = self._refuse(bad, frame, places, "geom", "POINT (longitude latitude)")
        if frame.height:
            local = self._local(frame)
            bad = frame["datetime"].is_not_null() & local.is_null()
            expected = "a date and time"
            if self.options.source_timezone:
                expected += f" that exists in {self.options.source_timezone}"
            # The raw value is what an error shows; only then is it replaced.
            frame = frame.with_columns(local.alias("local"))
            frame, places = self._refuse(bad, frame, places, "datetime", expected)
            frame = frame.with_columns(datetime=pl.col("local"))
        return super()._cast(frame.select(POINTS.columns), places)

    def _local(self, frame: pl.DataFrame) -> pl.Series:
        from_utc = self.utc or "datetime" not in self.found
        times, aware = moments(frame["datetime"], utc=from_utc)
        self.naive += int((times.is_not_null() & ~aware).sum())
        offset = None
        if "offset" in frame.columns and aware.any():
            offset = frame["offset"].cast(pl.Float64, strict=False)
        options = self.options
        kept = aware.any() and options.timezone is None and offset is None
        if kept and UTC_NOTE not in self.notes:
            self.notes.append(UTC_NOTE)
        return to_local(
            times,
            aware,
            zone=options.timezone,
            source_zone=options.source_timezone,
            offset_minutes=offset,
        )

    def _refuse(
        self, bad: pl.Series, frame: pl.DataFrame, places: LineNumbers, column: str, expected: str
    ) -> Batch:
        """Stop at the first bad row, or count and drop the bad ones."""
        if not bad.any():
            return frame, places
        index = bad.arg_max() or 0
        error = TableError(
            self.source.name,
            shown(frame[column], index),
            expected,
            column=column,
            **places.of(index),
        )
        if self.on_error == "fail":
            raise error
        self.dropped.add(f"with a bad {column}", error, int(bad.sum()))
        return frame.filter(~bad), places.keep(~bad)


_LON_LAT = (("lon", 1), ("lat", 2))


def _text(frame: pl.DataFrame, name: str) -> pl.Expr:
    """An id as text: 4.0 is 4."""
    column = pl.col(name)
    if frame.schema[name].is_float():
        whole = column.cast(pl.Int64, strict=False)
        return (
            pl.when(whole == column).then(whole.cast(pl.String)).otherwise(column.cast(pl.String))
        )
    return column.cast(pl.String)

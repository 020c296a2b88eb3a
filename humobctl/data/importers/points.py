"""Points in anyone's column names: GPS records and check-ins as a point trajectory."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import polars as pl

from humobctl.console.words import pluralize
from humobctl.data.importers.delimited import Batch, Delimited
from humobctl.data.importers.import_reader import ImportReader
from humobctl.data.importers.options import Opened
from humobctl.data.importers.places.geojson import Features
from humobctl.data.importers.probe import InputProbe
from humobctl.errors import HumobError, TableError, UsageError
from humobctl.io.row_errors import LineNumbers
from humobctl.tables.column_names import ALIASES, PURPOSE, ROLES, plain, roles
from humobctl.tables.id_text import id_text, is_id_type
from humobctl.tables.moments import (
    FARTHEST_OFFSET,
    NumberForms,
    is_time_type,
    moments,
    to_local,
)

_OWN = (
    *("uid", "date", "datetime", "utc", "leave", "offset"),
    *("lat", "lon", "geom", "place_id", "category"),
)
UNDATED = dt.date(2000, 1, 1)
"""Day 0 of tables without dates, unless --start-date says another."""
_SAMPLE = 1000
_ONLY_CLOCK = r"^\s*\d{1,2}:\d\d(?::\d\d)?\s*$"
_CLOCK = r"^\s*\d{1,2}:\d\d"
_A_TIME = (
    "a date and time such as 2023-01-01 10:30:00, the year first, or 9 digits or more since 1970"
)
UTC_NOTE = "times are in UTC; --timezone converts them to local time before slots are cut"


@dataclass
class PointReader(ImportReader):
    """Reads points: finds the columns, makes local times, and checks every row.

    Attributes:
        factory: makes the raw frames where the input is not a plain table.
        utc: whether times without an offset are UTC.
        naive: times without a zone so far, which --timezone leaves as they are.
        by_clock: --start-date is for times of day alone.
        unknown: accuracies so far that are not a number of metres.
        forms: what the numbers of the time column are.
        repeated: by column, times that --source-timezone's clocks show twice.
    """

    factory: Callable[[], Iterator[Batch]] | None = None
    utc: bool = False
    found: dict[str, str] = field(default_factory=dict)
    naive: int = 0
    unknown: int = 0
    by_clock: bool = False
    forms: NumberForms = field(default_factory=NumberForms)
    repeated: dict[str, RepeatedHours] = field(init=False)

    def __post_init__(self) -> None:
        """Count from nothing."""
        super().__post_init__()
        self.repeated = defaultdict(RepeatedHours)

    def with_header(self, look: InputProbe) -> PointReader:
        """This reader, ready for separated text and GeoJSON too.

        Raises:
            HumobError: text without names of columns.
        """
        if look.geojson:
            features = Features(
                self.source, self._is_wanted, self.on_error, self.dropped, points=True
            )
            self.factory, self.geometric = features.frames, True
        elif self.source.kind == "csv":
            if look.columns is None:
                raise HumobError(
                    f"{look.name}: found no header, expected names of columns in the first line"
                )
            self.factory = Delimited(
                self.source, look.separator, on_error=self.on_error, dropped=self.dropped
            ).frames
        return self

    def _is_wanted(self, name: str) -> bool:
        """Whether a property is one that is looked at."""
        return name in self.options.columns or plain(name) in (PURPOSE, *ROLES)

    def open(self, words: str) -> Opened:
        """The input ready to be read, in words for people."""
        return Opened(self.table, self.batches(), words, self.notes, self.dropped)

    def batches(self) -> Iterator[pl.DataFrame]:
        """Checked batches; a fault is reported in the names of the file.

        Raises:
            HumobError: a fault.
        """
        yield from super().batches()
        self.notes += self.forms.notes()
        if self.unknown:
            rows = "accuracy" if self.unknown == 1 else "accuracies"
            self.notes.append(f"emptied {self.unknown:,} invalid {rows} (expected metres from 0)")
        self.notes += [note for hours in self.repeated.values() for note in hours.notes()]
        if self.naive and not self.options.source_timezone:
            zone = "" if self.options.timezone else " --timezone ZONE"
            self.notes.append(
                f"{pluralize(self.naive, 'time')} without a zone: taken as local "
                f"(--source-timezone UTC{zone} converts them from UTC)"
            )

    def _swap_hint(self) -> str:
        if self.geometric:
            return super()._swap_hint()
        return f"--columns {self.found['lat']}=lon,{self.found['lon']}=lat"

    def _explain(self, error: TableError) -> TableError:
        ways = {"datetime": ("datetime", "utc"), "lat": ("lat", "geom"), "lon": ("lon", "geom")}
        ours = error.column or ""
        theirs = [self.found[way] for way in ways.get(ours, (ours,)) if way in self.found]
        return super()._explain(error).with_words(column=theirs[0] if theirs else None)

    def _parse(self) -> Iterator[Batch]:
        if self.factory is None:
            yield from super()._parse()
            return
        for frame, places in self.factory():
            if frame.height:
                yield self._cast(self._rename_columns(frame), places)

    def _rename_columns(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The raw values of the columns we want, under our names."""
        if not self.found:
            self.found = self._find(frame)
        # Features have only the properties that they have.
        absent = set(self.found.values()).difference(frame.columns)
        frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in absent)
        columns = {
            "uid": self._id(frame, "uid"),
            "datetime": self._when(frame),
            **self._place_of(frame),
            **{name: self._id(frame, name) for name in ("place_id", "category")},
        }
        if "accuracy" in self.table.columns:
            columns["accuracy"] = self._accuracy(frame[self.found["accuracy"]])
        if "offset" in self.found:
            columns["offset"] = frame[self.found["offset"]]
        return pl.DataFrame(columns)

    def _accuracy(self, column: pl.Series) -> pl.Series:
        """Metres; null for what devices write where they know none, which is counted."""
        text = column.str.strip_chars() if column.dtype == pl.String else column
        metres = text.cast(pl.Float64, strict=False)
        known = metres.is_finite() & (metres >= 0)
        self.unknown += int((column.is_not_null() & ~known.fill_null(value=False)).sum())
        return pl.select(pl.when(known).then(metres)).to_series()

    def _id(self, frame: pl.DataFrame, name: str) -> pl.Series:
        if name not in self.found:
            return pl.repeat(None, frame.height, dtype=pl.String, eager=True)
        column = frame[self.found[name]]
        if not is_id_type(column.dtype):
            raise self.wrong_type(column, "text or numbers")
        return id_text(column)

    def _when(self, frame: pl.DataFrame) -> pl.Series:
        """The raw times; a date and a time of day that stand in two columns are put together."""
        time = frame[self.found.get("datetime") or self.found["utc"]]
        if "date" in self.found:
            first = time.drop_nulls().head(1)
            clock = first.dtype == pl.Time or (
                first.dtype == pl.String and first.str.contains(_CLOCK).all()
            )
            if clock:
                day = frame[self.found["date"]].cast(pl.String).str.extract(r"^\s*([^\sT]+)")
                both = [day.alias("date"), time.cast(pl.String).str.strip_chars().alias("time")]
                return pl.select(pl.concat_str(*both, separator=" ")).to_series()
        if (dated := self._on_a_day(time)) is not None:
            return dated
        if self.by_clock and self.options.start_date is not None and self.options.grid is None:
            raise UsageError("--start-date does nothing for points that have dates, without --grid")
        if not is_time_type(time.dtype):
            raise self.wrong_type(time, "times as text, numbers (of 64 bits) or date-times")
        return time

    def _on_a_day(self, time: pl.Series) -> pl.Series | None:
        """Times of day without a date on the start date; None for times with one."""
        clock = time.dtype == pl.Time or (
            time.dtype == pl.String
            and time.len() > time.null_count()
            and time.drop_nulls().head(_SAMPLE).str.contains(_ONLY_CLOCK).all()
        )
        if not clock:
            return None
        day = self.options.start_date or UNDATED
        note = f"times of day without a date: taken on {day} (--start-date)"
        if note not in self.notes:
            self.notes.append(note)
        return pl.select(pl.lit(f"{day} ") + time.cast(pl.String).str.strip_chars()).to_series()

    def _roles(self, frame: pl.DataFrame) -> dict[str, str]:
        """Which column plays which role."""
        found = roles(frame.columns, self.options.columns, self.source.name)
        if not {"datetime", "utc"} & found.keys() and "d" not in found and "t" in frame.columns:
            found["datetime"] = "t"  # movingpandas
        return found

    def _find(self, frame: pl.DataFrame) -> dict[str, str]:
        found = self._roles(frame)
        lacking = [
            name
            for name, ways in (
                ("uid", ("uid",)),
                ("datetime", ("datetime", "utc")),
                ("lat", ("lat", "geom")),
                ("lon", ("lon", "geom")),
                ("accuracy", ("accuracy",)),
            )
            if name in self.table.columns and not any(way in found for way in ways)
        ]
        if lacking:
            known = "; ".join(f"{name}: {', '.join(ALIASES[name])}" for name in lacking)
            raise HumobError(
                f"{self.source.name}: found columns {', '.join(frame.columns)}, expected one for "
                f"{', '.join(lacking)} ({known}); name it with --columns NAME={lacking[0]}"
            )
        used = {found[name] for name in (*_OWN, *self.table.columns) if name in found}
        spare = [c for c in frame.columns if c not in used and self.options.columns.get(c) != ""]
        if spare:
            self.notes.append(f"left out the columns {', '.join(spare)}")
        return found

    def _place_of(self, frame: pl.DataFrame) -> dict[str, pl.Series]:
        declared = "geom" in self.found and self.is_declared()
        if "lat" in self.found and "lon" in self.found and not declared:
            return {name: frame[self.found[name]] for name in ("lat", "lon")}
        return self.split_geometry(frame[self.found["geom"]])

    def _cast(self, frame: pl.DataFrame, places: LineNumbers) -> Batch:
        if "geom" in frame.columns:
            bad = frame["geom"].is_not_null() & frame["lat"].is_null()
            frame, places = self.refuse(bad, frame, places, "geom", "POINT (longitude latitude)")
        if frame.height:
            frame, places = self._localize_times(frame, places)
        return super()._cast(frame.select(self.table.columns), places)

    def _localize_times(
        self, frame: pl.DataFrame, places: LineNumbers, column: str = "datetime"
    ) -> Batch:
        """Local times in place of raw ones, which are what an error shows."""
        from_utc = self.utc or "datetime" not in self.found
        times, aware = moments(frame[column], utc=from_utc, forms=self.forms)
        # Beside the frame, whose columns may be in pieces that others would be cut to.
        clock = pl.DataFrame({"times": times, "aware": aware})
        bad = frame[column].is_not_null() & times.is_null()
        frame, places = self.refuse(bad, frame, places, column, _A_TIME)
        clock = self._with_offsets(frame, clock.filter(~bad) if bad.any() else clock)
        bad = clock["bad_offset"]
        expected = f"minutes ahead of UTC, from -{FARTHEST_OFFSET} to {FARTHEST_OFFSET}"
        frame, places = self.refuse(bad, frame, places, "offset", expected)
        clock = clock.filter(~bad) if bad.any() else clock
        local = self._local(frame["uid"], clock, column)
        bad = clock["times"].is_not_null() & local.is_null()
        expected = f"a date and time that exists in {self.options.source_timezone}"
        frame, places = self.refuse(bad, frame, places, column, expected)
        local = local.filter(~bad) if bad.any() else local
        return frame.with_columns(local.alias(column)), places

    def _with_offsets(self, frame: pl.DataFrame, clock: pl.DataFrame) -> pl.DataFrame:
        """With minutes ahead of UTC where they are needed, and whether they are bad."""
        if "offset" not in frame.columns or self.options.timezone or not clock["aware"].any():
            return clock.with_columns(bad_offset=pl.lit(value=False))
        raw = frame["offset"]
        text = raw.str.strip_chars() if raw.dtype == pl.String else raw
        minutes = text.cast(pl.Float64, strict=False)
        bad = clock["aware"] & ~(minutes.abs() <= FARTHEST_OFFSET).fill_null(value=False)
        return clock.with_columns(minutes.alias("minutes"), bad.alias("bad_offset"))

    def _local(self, uids: pl.Series, clock: pl.DataFrame, column: str) -> pl.Series:
        options, aware = self.options, clock["aware"]
        if column == "datetime":
            self.naive += int((clock["times"].is_not_null() & ~aware).sum())
        offset = clock["minutes"] if "minutes" in clock.columns else None
        if aware.any() and not options.timezone and offset is None and UTC_NOTE not in self.notes:
            self.notes.append(UTC_NOTE)
        repeated = self.repeated[column]
        return to_local(
            clock["times"],
            aware,
            zone=options.timezone,
            source_zone=options.source_timezone,
            offset_minutes=offset,
            second=lambda walls, rows: repeated.second(uids.gather(rows), walls),
        )


@dataclass
class RepeatedHours:
    """Which pass of an hour that clocks show twice a time belongs to.

    A user's rows stand in the order of time: a time before that of the row above is in the second
    pass, and so are those that follow it.

    Attributes:
        last: user -> the last such time, and whether it was in the second pass.
        count: how many there were.
        later: those of the second pass.
    """

    last: dict[str | None, tuple[dt.datetime, bool]] = field(default_factory=dict)
    count: int = 0
    later: int = 0

    def second(self, uids: pl.Series, walls: pl.Series) -> pl.Series:
        """Whether each of these times, in the order of the file, is in the second pass."""
        passes = []
        for uid, wall in zip(uids, walls, strict=True):
            before, second = self.last.get(uid, (wall, False))
            if abs(wall - before) > dt.timedelta(days=1):  # another autumn
                before, second = wall, False
            second = second or wall < before
            self.last[uid] = wall, second
            passes.append(second)
        self.count += len(passes)
        self.later += sum(passes)
        return pl.Series(passes, dtype=pl.Boolean)

    def notes(self) -> list[str]:
        """What was decided, for people."""
        if not self.count:
            return []
        times = pluralize(self.count, "time")
        return [
            f"{times} in the hour that clocks repeat: {self.later:,} assigned to its second "
            "pass, by the order of each user's rows"
        ]

"""Stays with the time of arrival and of leaving, as visits.

Sources of the names: trackintel's staypoints (``started_at``, ``finished_at``, ``geom``,
``location_id``, ``purpose``) and scikit-mobility's stay locations (``datetime``,
``leaving_datetime``).
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field

import dataframely as dy
import polars as pl

from humobctl.console.words import pluralize
from humobctl.data.importers.delimited import Batch
from humobctl.data.importers.options import ImportOptions, Opened
from humobctl.data.importers.places.mapping import VOCABULARIES, Mapping, mapping_for
from humobctl.data.importers.points import PointReader
from humobctl.data.importers.probe import InputProbe
from humobctl.data.importers.user_ids import UserNumbers
from humobctl.errors import HumobError
from humobctl.io.row_errors import LineNumbers
from humobctl.tables.calendar import EPOCH
from humobctl.tables.column_names import PURPOSE, plain
from humobctl.tables.intents import intent_of
from humobctl.tables.schemas import MAX_DAY, POINTS, TIMED_VISITS, PointTrajectory, Table

DAY_MINUTES = 24 * 60
_INTENTS = {"home": "go home", "work": "go to work"}
"""Purposes that are intents under another name."""
UNKNOWN = "unknown"
"""The purpose of stays that trackintel gave none."""


class TimedStay(PointTrajectory):
    """A stay from its arrival, ``datetime``, until ``leave``."""

    leave = dy.Datetime(time_unit="us", metadata={"expected": "a date and time"})
    intent = dy.String(nullable=True)

    @dy.rule()
    def leaves_first(cls) -> pl.Expr:  # noqa: N805 - dataframely passes the class
        """No user leaves before arriving."""
        return pl.col("leave") >= pl.col("datetime")


TIMED_STAYS = Table(
    "stay",
    TimedStay,
    rules={"leaves_first": ("datetime, leave", "a stay that ends after its start")},
    optional=(*POINTS.optional, "intent"),
)


@dataclass
class TimedStayReader(PointReader):
    """Reads stays of points and gives visits: split at midnight, users and days numbered."""

    users_seen: UserNumbers = field(default_factory=UserNumbers)

    @functools.cached_property
    def mapping(self) -> Mapping:
        """Categories and intents, the user's own first."""
        return mapping_for(self.options.mapping, *VOCABULARIES)

    def users(self) -> list[tuple[int, str]]:
        """Numbers and names of users, once all is read."""
        return self.users_seen.users()

    def visits(self) -> Iterator[pl.DataFrame]:
        """All visits, those of a user in the order of time.

        Raises:
            HumobError: a fault, or a stay before the start date.
        """
        stays = pl.concat(list(self.batches()))
        codes = self.users_seen.codes(stays["uid"])
        numbers = pl.Series([number for number, _ in self.users()], dtype=pl.UInt32)
        visits = self._in_days(stays.with_columns(uid=numbers.gather(codes)))
        named = visits.with_columns(started_at="datetime", finished_at="leave")
        yield named.select(pl.col(name).cast(kind) for name, kind in TIMED_VISITS.dtypes.items())

    def _in_days(self, stays: pl.DataFrame) -> pl.DataFrame:
        first: dt.date = stays["datetime"].min().date()  # type: ignore[union-attr]
        last: dt.date = stays["leave"].max().date()  # type: ignore[union-attr]
        start = day_zero(self.source.name, first, last, self.options.start_date)
        parts = split_at_midnight(stays, start)
        split = parts.height - stays.height
        if split:
            self.notes.append(f"split stays at {pluralize(split, 'midnight')}")
        weekday = f"{start:%A}"
        self.notes.append(f"day 0 is {start} ({weekday})")
        return parts

    # -- the columns beside those of points -----------------------------------------------------

    def _roles(self, frame: pl.DataFrame) -> dict[str, str]:
        found = super()._roles(frame)
        purposes = [name for name in frame.columns if plain(name) == PURPOSE]
        return {"intent": purposes[0], **found} if purposes else found

    def _rename_columns(self, frame: pl.DataFrame) -> pl.DataFrame:
        named = super()._rename_columns(frame)
        intent = pl.repeat(None, frame.height, dtype=pl.String, eager=True)
        if "intent" in self.found:
            intent = intents_of_purposes(frame[self.found["intent"]], self.mapping)
        return named.with_columns(leave=frame[self.found["leave"]], intent=intent)

    def _localize_times(
        self, frame: pl.DataFrame, places: LineNumbers, column: str = "datetime"
    ) -> Batch:
        frame, places = super()._localize_times(frame, places, column)
        if column == "leave" or not frame.height:
            return frame, places
        return self._localize_times(frame, places, "leave")


def intents_of_purposes(purposes: pl.Series, mapping: Mapping) -> pl.Series:
    """Intents of purposes, by name or as categories of places; others stay as they are."""

    def intent(purpose: str) -> str | None:
        if purpose in ("", UNKNOWN):
            return None
        known = _INTENTS.get(purpose) or intent_of(purpose)
        return known or mapping.find([purpose]).intent or purpose

    texts = purposes.cast(pl.String).str.strip_chars()
    return texts.replace({text: intent(text.lower()) for text in texts.drop_nulls().unique()})


def day_zero(name: str, first: dt.date, last: dt.date, start: dt.date | None) -> dt.date:
    """The date of day 0: the one that was given, or the first.

    Raises:
        HumobError: stays before it, or more than MAX_DAY days after it.
    """
    start = start or first
    if first < start or (last - start).days > MAX_DAY:
        raise HumobError(
            f"{name}: found stays from {first} to {last}, expected dates from "
            f"{start} (day 0) to {start + dt.timedelta(days=MAX_DAY)} (day {MAX_DAY})"
        )
    return start


def split_at_midnight(stays: pl.DataFrame, start: dt.date) -> pl.DataFrame:
    """Stays cut into their days, with d, seq, start_min and end_min.

    Args:
        stays: uid, datetime and leave, and any others.
        start: date of day 0.
    """
    zero = (start - EPOCH).days * DAY_MINUTES
    begin, end = (
        pl.col(name).dt.epoch("us") // 60_000_000 - zero for name in ("datetime", "leave")
    )
    day = begin // DAY_MINUTES
    # A stay until midnight does not reach into the next day.
    days = pl.max_horizontal((end - 1) // DAY_MINUTES - day, 0) + 1
    parts = (
        stays.with_columns(d=pl.int_ranges(day, day + days), begin=begin, end=end)
        .explode("d")
        .with_columns(
            start_min=(pl.col("begin") - pl.col("d") * DAY_MINUTES).clip(lower_bound=0),
            end_min=(pl.col("end") - pl.col("d") * DAY_MINUTES).clip(upper_bound=DAY_MINUTES),
        )
        .sort("uid", "d", "start_min", "end_min", maintain_order=True)
    )
    return parts.with_columns(seq=pl.int_range(pl.len()).over("uid", "d"))


def timed_stays(look: InputProbe, options: ImportOptions) -> Opened:
    """The stays of a table as visits."""
    source = look.file("a table of stays")
    reader = TimedStayReader(source, TIMED_STAYS, options.on_error, options=options)
    reader.with_header(look)
    return Opened(
        TIMED_VISITS, reader.visits(), "stays", reader.notes, reader.dropped, reader.users
    )

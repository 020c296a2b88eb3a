"""Dates, time zones, days and half-hour slots.

A time of day is local: 8:30 is the slot 17 wherever the person lives.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo

import polars as pl

from humobctl.errors import UsageError
from humobctl.tables.schemas import SLOTS_PER_DAY

MINUTES_PER_SLOT = 24 * 60 // SLOTS_PER_DAY
NIGHT = (10, 42)
"""Home is where a user is most before slot 10 (5:00) and from slot 42 (21:00) on: one rule for
city profiles, probes of embeddings and training days of diffusion."""
DAYTIME = (20, 36)
"""Slots from 10:00 to 18:00, working hours on Mondays to Fridays."""
EPOCH = dt.date(1970, 1, 1)


def check_zone(name: str, option: str = "--timezone") -> str:
    """The name of a time zone that exists.

    Raises:
        UsageError: the zone is not known.
    """
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(
            f"{option}: found {name!r}, expected a time zone such as Asia/Tokyo or UTC"
        ) from None
    return name


def parse_date(text: str, option: str = "--start-date") -> dt.date:
    """A date in ISO format.

    Raises:
        UsageError: the text is not a date.
    """
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option}: found {text!r}, expected a date such as 2012-04-03") from None


def day_and_slot(datetime: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Days since 1970-01-01 (Int32) and half-hour slots 0-47 (UInt8) of local times."""
    minute = datetime.dt.hour().cast(pl.Int32) * 60 + datetime.dt.minute().cast(pl.Int32)
    return (
        datetime.dt.date().to_physical().cast(pl.Int32),
        (minute // MINUTES_PER_SLOT).cast(pl.UInt8),
    )


def slot_start(day: pl.Expr, slot: pl.Expr, start: dt.date) -> pl.Expr:
    """When slots begin: day 0 is ``start`` (Datetime in microseconds)."""
    minutes = day.cast(pl.Int64) * (24 * 60) + slot.cast(pl.Int64) * MINUTES_PER_SLOT
    return pl.lit(dt.datetime.combine(start, dt.time())).cast(pl.Datetime("us")) + pl.duration(
        minutes=minutes
    )

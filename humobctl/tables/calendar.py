"""Moments, days and half-hour slots.

A time of day is local: 8:30 is the slot 17 wherever the person lives. Times that carry an offset
(or stand in UTC) are moved to a zone first; naive times are taken as local already.
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
EPOCH = dt.date(1970, 1, 1)

_NAIVE = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y%m%d%H%M%S",
    "%Y%m%d %H:%M:%S",
)
_AWARE = (
    "%Y-%m-%d %H:%M:%S%#z",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M%#z",
    "%a %b %d %H:%M:%S %z %Y",
)
_SECONDS_LOW, _MILLIS_LOW = 10**8, 10**11  # 1973 in seconds; the year 5138 in seconds, 1973 in ms


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


def parse_date(text: str) -> dt.date:
    """A date in ISO format.

    Raises:
        UsageError: the text is no date.
    """
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--start-date: found {text!r}, expected a date such as 2012-04-03"
        ) from None


def moments(raw: pl.Series, *, utc: bool = False) -> tuple[pl.Series, pl.Series]:
    """Read times in the ways that data sets write them.

    Understood: ISO dates with a space or T, with or without seconds, fractions and an offset;
    ``Tue Apr 03 18:00:09 +0000 2012``; seconds or milliseconds since 1970; dates and date-times.

    Args:
        raw: text, numbers, dates or date-times; what cannot be read, or is in no year of four
            digits, becomes null.
        utc: take times without an offset as UTC.

    Returns:
        (UTC or naive time in microseconds, whether it is UTC), row by row.
    """
    if raw.dtype == pl.String:
        times, aware = _parse_text(raw)
    elif raw.dtype.is_numeric():
        times, aware = _since_1970(raw.cast(pl.Float64)), pl.repeat(True, len(raw), eager=True)
    elif isinstance(raw.dtype, pl.Datetime):
        zone = raw.dtype.time_zone
        plain = _in_all_years(raw)
        if zone is not None:
            plain = plain.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        times = plain.cast(pl.Datetime("us"))
        aware = pl.repeat(zone is not None, len(raw), eager=True)
    else:
        times = raw.cast(pl.Datetime("us"), strict=False)
        aware = pl.repeat(False, len(raw), eager=True)
    return times.alias(raw.name), pl.repeat(True, len(raw), eager=True) if utc else aware


_PER_SECOND = {"ms": 10**3, "us": 10**6, "ns": 10**9}
_YEARS = [86_400 * (dt.date(year, 1, 1) - EPOCH).days for year in (1, 9999)]


def _in_all_years(times: pl.Series) -> pl.Series:
    """Times in the years 1 to 9998; others, which polars holds but cannot show, become null."""
    assert isinstance(times.dtype, pl.Datetime)
    low, high = (_PER_SECOND[times.dtype.time_unit] * second for second in _YEARS)
    number = times.to_physical()
    # In 64 bits: those of nanoseconds end in 2262.
    inside = (number >= max(low, -(1 << 63))) & (number <= min(high, 1 << 63) - 1)
    return times.zip_with(inside.fill_null(False), times.clear(len(times)))


def shown(raw: pl.Series, row: int) -> str:
    """A value as a message shows it; a time beyond all years by its number."""
    if isinstance(raw.dtype, pl.Datetime) and _in_all_years(raw[row : row + 1]).null_count():
        return f"{raw.to_physical()[row]} {raw.dtype.time_unit} from 1970"
    return repr(raw[row])


def _parse_text(raw: pl.Series) -> tuple[pl.Series, pl.Series]:
    text = raw.str.strip_chars().str.replace(r"^(\d{4}.?\d\d.?\d\d)[Tt]", "$1 ")
    naive = pl.Series(raw.name, [None], dtype=pl.Datetime("us")).new_from_index(0, len(raw))
    for form in _NAIVE:
        if naive.null_count() == text.null_count():
            break
        found = text.str.to_datetime(form, strict=False, time_unit="us")
        naive = naive.zip_with(naive.is_not_null(), found)
    times, aware = naive, pl.repeat(False, len(raw), eager=True)
    for form in _AWARE:
        if times.null_count() == text.null_count():
            break
        found = text.str.to_datetime(form, strict=False, time_unit="us", time_zone="UTC")
        found = found.dt.replace_time_zone(None)
        aware = aware | (times.is_null() & found.is_not_null())
        times = times.zip_with(times.is_not_null(), found)
    if times.null_count() > text.null_count():
        found = _since_1970(text.cast(pl.Float64, strict=False))
        aware = aware | (times.is_null() & found.is_not_null())
        times = times.zip_with(times.is_not_null(), found)
    if times.null_count() > text.null_count():
        found = text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
        times = times.zip_with(times.is_not_null(), found)
    return times, aware


def _since_1970(numbers: pl.Series) -> pl.Series:
    frame = pl.DataFrame({"n": numbers})
    number = pl.col("n")
    micros = (
        pl.when(number.is_between(_SECONDS_LOW, _MILLIS_LOW, closed="left"))
        .then(number * 1e6)
        .when(number.is_between(_MILLIS_LOW, _MILLIS_LOW * 1000, closed="left"))
        .then(number * 1e3)
    )
    return frame.select(micros.round().cast(pl.Int64).cast(pl.Datetime("us"))).to_series()


def to_local(
    times: pl.Series,
    aware: pl.Series,
    *,
    zone: str | None = None,
    source_zone: str | None = None,
    offset_minutes: pl.Series | None = None,
) -> pl.Series:
    """Wall-clock times.

    Args:
        times: UTC where ``aware``, else wall clock already (or of ``source_zone``).
        aware: as ``moments`` gives it.
        zone: the zone to show UTC times in; without one they stay in UTC.
        source_zone: the zone of times that carry none; None: they are local already.
        offset_minutes: minutes that local time is ahead of UTC; used where ``zone`` is None.

    Returns:
        Naive local times; null where a time does not exist in ``source_zone``.
    """
    utc = times
    if source_zone is not None and not aware.all():
        placed = times.dt.replace_time_zone(
            source_zone, ambiguous="earliest", non_existent="null"
        ).dt.convert_time_zone("UTC")
        utc = times.zip_with(aware, placed.dt.replace_time_zone(None))
        aware = pl.repeat(True, len(times), eager=True)
    if not aware.any():
        return times
    if zone is not None:
        shown = utc.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
        local = shown.dt.replace_time_zone(None)
    elif offset_minutes is not None:
        local = utc + (offset_minutes * 60_000_000).cast(pl.Duration("us"))
    else:
        local = utc
    return local if aware.all() else local.zip_with(aware, times)


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

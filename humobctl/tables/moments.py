"""Moments as data sets write them, in text and in numbers, and the wall clocks they are shown on.

Times that carry an offset (or stand in UTC) are moved to a zone; naive times are taken as local
already. A number is read by how many digits its whole part has, in text and in numbers alike:

- 8, 12, 14, 17: YYYYMMDD, with hhmm, with hhmmss, with milliseconds; naive;
- 9 or 10, 12 or 13, 15 or 16, 18 or 19: seconds, milliseconds, microseconds, nanoseconds since
  1970, from 1973 to 2286 and as far before 1970; UTC. The longer count begins in 2001.

Of 10 digits (seconds, or YYYYMMDDhh) and 12 (milliseconds of before 2001, or YYYYMMDDhhmm) the
column decides once: they are dates where most of them can be.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

FARTHEST_OFFSET = 14 * 60
"""Minutes that a clock on Earth is away from UTC, at most."""

_TWITTER = "%a %b %d %H:%M:%S %z %Y"
_QUICK = (
    *((f"%Y-%m-%d{sign}%H:%M:%S{part}", False) for part in ("", "%.f") for sign in " T"),
    *((f"%Y-%m-%d{sign}%H:%M:%S%.f%#z", True) for sign in " T"),
    (_TWITTER, True),
)
"""Forms that polars reads itself, and whether they carry an offset."""
_FORM = (
    r"(?i)^(\d{4})(?:[-/.](\d{1,2})[-/.](\d{1,2})|(\d\d)(\d\d))"  # 1-5: the date
    r"(?:[ T]+(?:(\d{1,2}):(\d\d)(?::(\d\d))?|(\d\d)(\d\d)(\d\d)?)(?:[.,](\d{1,9}))?"  # 6-12
    r"\s*(?:(Z|UTC|GMT)|([+-])(\d\d)(?::?(\d\d))?)?)?$"  # 13-16: the offset
)
_TOO_FAR = r"[+-](?:1[5-9]|[2-9]\d|14:?(?:0[1-9]|[1-9]\d))(?::?\d\d)?(?: \d{4})?$"
_NUMBER = r"^([+-]?\d{1,20})(\.\d*)?$"
_SCIENTIFIC = r"^[+-]?\d(\.\d+)?[eE]\+?\d\d?$"
_EARLIEST = dt.datetime(1000, 1, 1)
"""Years of four digits: a year of two is not guessed."""
_AMBIGUOUS = {10: "YYYYMMDDhh", 12: "YYYYMMDDhhmm"}
_MODERN = (dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1))


@dataclass
class NumberForms:
    """What the ambiguous numbers of one column were taken for.

    Attributes:
        dates: number of digits -> whether they are dates.
        samples: number of digits -> the first such number.
    """

    dates: dict[int, bool] = field(default_factory=dict)
    samples: dict[int, int] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """What was decided, for people; 10 digits of seconds, the usual case, are not told."""
        return [
            f"times of {digits} digits such as {self.samples[digits]} are taken as "
            + (_AMBIGUOUS[digits] if dates else "milliseconds since 1970")
            for digits, dates in self.dates.items()
            if dates or digits != 10
        ]


def is_time_type(dtype: pl.DataType) -> bool:
    """Whether a column of this type can hold moments; single precision cannot."""
    if dtype.is_float():
        return dtype == pl.Float64
    known = (pl.String, pl.Categorical, pl.Enum, pl.Binary, pl.Date, pl.Datetime, pl.Null)
    return dtype.is_numeric() or isinstance(dtype, known)


def moments(
    raw: pl.Series, *, utc: bool = False, forms: NumberForms | None = None
) -> tuple[pl.Series, pl.Series]:
    """Read times in the ways that data sets write them.

    Understood: ISO dates with a space or T, with or without seconds, fractions and an offset, also
    in the basic form (``20120403T180009Z``), with ``/`` or ``.`` and with ``UTC`` behind; 24:00;
    ``Tue Apr 03 18:00:09 +0000 2012``; numbers as the head of this file tells; dates, date-times.

    Args:
        raw: text, numbers, dates or date-times; what cannot be read, lies in no year of four
            digits or more than 14 hours away from UTC becomes null.
        utc: take times without an offset as UTC.
        forms: what earlier parts of the column decided; filled.

    Returns:
        (UTC or naive time in microseconds, whether it is UTC), row by row.
    """
    forms = forms or NumberForms()
    dtype = raw.dtype
    if dtype.is_numeric():
        times, aware = _of_numbers(*_parts(raw), forms)
    elif isinstance(dtype, pl.Datetime):
        zone = dtype.time_zone
        plain = _in_all_years(raw)
        if zone is not None:
            plain = plain.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        times = plain.cast(pl.Datetime("us"))
        aware = pl.repeat(zone is not None, len(raw), eager=True)
    elif dtype in (pl.Date, pl.Null):
        times = raw.cast(pl.Datetime("us"), strict=False)
        aware = pl.repeat(False, len(raw), eager=True)
    else:
        times, aware = _of_text(raw.cast(pl.String, strict=False), forms)
    return times.alias(raw.name), pl.repeat(True, len(raw), eager=True) if utc else aware


_PER_SECOND = {"ms": 10**3, "us": 10**6, "ns": 10**9}
_YEARS = [86_400 * (dt.date(year, 1, 1) - dt.date(1970, 1, 1)).days for year in (1, 9999)]


def _in_all_years(times: pl.Series) -> pl.Series:
    """Times in the years 1 to 9998; others, which polars holds but cannot show, become null."""
    assert isinstance(times.dtype, pl.Datetime)
    low, high = (_PER_SECOND[times.dtype.time_unit] * second for second in _YEARS)
    number = times.to_physical()
    # In 64 bits: those of nanoseconds end in 2262.
    inside = (number >= max(low, -(1 << 63))) & (number <= min(high, 1 << 63) - 1)
    return times.zip_with(inside.fill_null(False), times.clear(len(times)))


def display(raw: pl.Series, row: int) -> str:
    """A value as a message shows it; a time beyond all years by its number."""
    if isinstance(raw.dtype, pl.Datetime) and _in_all_years(raw[row : row + 1]).null_count():
        return f"{raw.to_physical()[row]} {raw.dtype.time_unit} from 1970"
    return "nothing" if raw[row] is None else repr(raw[row])


# -- text -----------------------------------------------------------------------------------------


def _of_text(raw: pl.Series, forms: NumberForms) -> tuple[pl.Series, pl.Series]:
    text = raw.str.strip_chars()
    times, aware = _quickly(text)
    left = (times.is_null() & text.is_not_null()).arg_true()
    for read in (_text_numbers, _any_form):
        if not len(left):
            break
        found, utc = read(text.gather(left), forms)
        times, aware = times.scatter(left, found), aware.scatter(left, utc)
        left = left.filter(found.is_null())
    return times, aware


def _quickly(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """All times in the form of the first one; the others are null."""
    first = text.drop_nulls().head(1)
    for form, aware in _QUICK:
        if len(first) and not _parse(first, form, aware).null_count():
            times = _parse(text, form, aware)
            return times, times.is_not_null() if aware else pl.repeat(False, len(text), eager=True)
    return _no_times(len(text)), pl.repeat(False, len(text), eager=True)


def _no_times(count: int) -> pl.Series:
    return pl.Series([None], dtype=pl.Datetime("us")).new_from_index(0, count)


def _parse(text: pl.Series, form: str, aware: bool) -> pl.Series:
    zone = "UTC" if aware else None
    times = text.str.to_datetime(form, strict=False, time_unit="us", time_zone=zone)
    if aware:
        times = times.dt.replace_time_zone(None)
        if not text.str.ends_with("Z").all():
            times = times.zip_with(~text.str.contains(_TOO_FAR).fill_null(False), _no_times(1))
    return _in_four_digits(times)


def _in_four_digits(times: pl.Series) -> pl.Series:
    # Compared in polars: Python has no moments of other years to compare with.
    there = times.is_between(_EARLIEST, dt.datetime.max).fill_null(value=True)
    return times if there.all() else times.zip_with(there, _no_times(1))


def _any_form(text: pl.Series, _: NumberForms) -> tuple[pl.Series, pl.Series]:
    """Any of the forms of text, put into one that polars reads."""
    part = text.str.extract_groups(_FORM).struct.unnest()
    part.columns = [f"p{number}" for number in range(1, 17)]
    hour = pl.coalesce("p6", "p9")
    # ISO's end of a day: 24:00 is 0:00 of the next.
    last = (hour == "24") & (pl.coalesce("p7", "p10") == "00")
    last &= pl.coalesce("p8", "p11").fill_null("00") == "00"
    plain = pl.concat_str(
        "p1",
        pl.coalesce("p2", "p4").str.zfill(2),
        pl.coalesce("p3", "p5").str.zfill(2),
        pl.when(last).then(pl.lit("00")).otherwise(hour).fill_null("00").str.zfill(2),
        pl.coalesce("p7", "p10").fill_null("00"),
        pl.coalesce("p8", "p11").fill_null("00"),
    )
    away = pl.col("p15").cast(pl.Int32) * 60 + pl.col("p16").fill_null("0").cast(pl.Int32)
    minutes = pl.when(pl.col("p14") == "-").then(-away).otherwise(away).fill_null(0)
    micros = pl.col("p12").str.pad_end(6, "0").str.head(6).cast(pl.Int64).fill_null(0)
    moved = micros - minutes.cast(pl.Int64) * 60_000_000
    moved += pl.when(last).then(86_400_000_000).otherwise(0)
    whole = plain.str.to_datetime("%Y%m%d%H%M%S", strict=False, time_unit="us")
    found = part.select(
        times=pl.when(minutes.abs() <= FARTHEST_OFFSET).then(whole + moved.cast(pl.Duration("us"))),
        aware=pl.col("p13").is_not_null() | pl.col("p14").is_not_null(),
    )
    times = _in_four_digits(found["times"])
    other = _parse(text, _TWITTER, aware=True)
    times = times.zip_with(times.is_not_null(), other)
    return times, (found["aware"] | other.is_not_null()).fill_null(False)


# -- numbers --------------------------------------------------------------------------------------


def _text_numbers(text: pl.Series, forms: NumberForms) -> tuple[pl.Series, pl.Series]:
    part = text.str.extract_groups(_NUMBER).struct.unnest()
    part.columns = ["whole", "part"]
    whole = part["whole"].str.strip_prefix("+").cast(pl.Int64, strict=False)
    sign = pl.when(pl.col("whole").str.starts_with("-")).then(-1.0).otherwise(1.0)
    after = part.select(
        sign * pl.concat_str(pl.lit("0"), "part", pl.lit("0")).cast(pl.Float64, strict=False)
    ).to_series()
    scientific = text.str.contains(_SCIENTIFIC).fill_null(False)
    if scientific.any():
        number = text.zip_with(scientific, pl.Series([None], dtype=pl.String))
        others = _parts(number.cast(pl.Float64, strict=False))
        whole, after = (
            whole.zip_with(~scientific, others[0]),
            after.zip_with(~scientific, others[1]),
        )
    return _of_numbers(whole, after.fill_null(0.0), forms)


def _parts(raw: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Whole numbers, null where they are too large, and what stands behind the point."""
    if raw.dtype.is_integer():
        return raw.cast(pl.Int64, strict=False), pl.repeat(0.0, len(raw), eager=True)
    number = raw.cast(pl.Float64)
    whole = number.cast(pl.Int64, strict=False)
    return whole, (number - whole.cast(pl.Float64)).fill_null(0.0)


def _of_numbers(
    whole: pl.Series, after: pl.Series, forms: NumberForms
) -> tuple[pl.Series, pl.Series]:
    number, part = pl.col("whole"), pl.col("after")
    frame = pl.DataFrame({"whole": whole, "after": after}).with_columns(
        digits=number.cast(pl.String).str.strip_prefix("-").str.len_bytes()
    )
    found = frame.select(
        pl.when(pl.col("digits").is_in((9, 10)))
        .then(number * 10**6 + (part * 1e6).round().cast(pl.Int64))
        .when(pl.col("digits").is_in((12, 13)))
        .then(number * 10**3 + (part * 1e3).round().cast(pl.Int64))
        .when(pl.col("digits").is_in((15, 16)))
        .then(number + part.round().cast(pl.Int64))
        .when(pl.col("digits").is_in((18, 19)))
        .then(number // 10**3)
        .cast(pl.Datetime("us"))
        .alias("times"),
        "digits",
    )
    times, aware = found["times"], found["times"].is_not_null()
    for digits in frame["digits"].unique().drop_nulls().to_list():
        if digits in (8, 10, 12, 14, 17):
            rows = (frame["digits"] == digits).fill_null(False).arg_true()
            dates = _dates(frame[rows], digits)
            if digits in _AMBIGUOUS and not _are_dates(
                dates, digits, frame["whole"][rows[0]], forms
            ):
                continue
            times = times.scatter(rows, dates)
            aware = aware.scatter(rows, False)
    return times, aware


def _dates(numbers: pl.DataFrame, digits: int) -> pl.Series:
    """Numbers as dates and what follows down to seconds; fractions of any other part are none."""
    number, part = pl.col("whole"), (pl.col("after") * 1e6).round().cast(pl.Int64)
    if digits == 17:
        number, part = pl.col("whole") // 1000, pl.col("whole") % 1000 * 1000 + part // 1000
    plain = (number * 10 ** max(0, 14 - digits)).cast(pl.String)
    times = plain.str.to_datetime("%Y%m%d%H%M%S", strict=False, time_unit="us")
    whole = pl.lit(True) if digits >= 14 else pl.col("after") == 0
    return numbers.select(
        pl.when(whole & (pl.col("whole") > 0)).then(times + part.cast(pl.Duration("us")))
    ).to_series()


def _are_dates(dates: pl.Series, digits: int, sample: int, forms: NumberForms) -> bool:
    """Whether the column's numbers of so many digits are dates: most of them are plausible."""
    if digits not in forms.dates:
        plausible = dates.is_between(*_MODERN, closed="left").sum()
        forms.dates[digits] = 2 * int(plausible) >= len(dates)
        forms.samples[digits] = sample
    return forms.dates[digits]


# -- wall clocks ----------------------------------------------------------------------------------

Choose = Callable[[pl.Series, pl.Series], pl.Series]


def to_local(
    times: pl.Series,
    aware: pl.Series,
    *,
    zone: str | None = None,
    source_zone: str | None = None,
    offset_minutes: pl.Series | None = None,
    second: Choose | None = None,
) -> pl.Series:
    """Wall-clock times.

    Args:
        times: UTC where ``aware``, otherwise wall clock already (or of ``source_zone``).
        aware: as ``moments`` gives it.
        zone: the zone to show UTC times in; without one they stay in UTC.
        source_zone: the zone of times that carry none; None: they are local already.
        offset_minutes: minutes that local time is ahead of UTC; used where ``zone`` is None.
        second: told the times that the clocks of ``source_zone`` show twice and their rows; says
            which are the second ones. None: all are the first.

    Returns:
        Naive local times; null where a time does not exist in ``source_zone``.
    """
    utc = times
    if source_zone is not None and not aware.all():
        utc = times.zip_with(aware, _to_utc(times, aware, source_zone, second))
        aware = pl.repeat(True, len(times), eager=True)
    if not aware.any():
        return times
    if zone is not None:
        moved = utc.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
        local = moved.dt.replace_time_zone(None)
    elif offset_minutes is not None:
        local = utc + (offset_minutes * 60_000_000).cast(pl.Duration("us"))
    else:
        local = utc
    return local if aware.all() else local.zip_with(aware, times)


def _to_utc(times: pl.Series, aware: pl.Series, zone: str, second: Choose | None) -> pl.Series:
    """Naive times of a zone in UTC."""

    def utc(walls: pl.Series, ambiguous: str) -> pl.Series:
        placed = walls.dt.replace_time_zone(zone, ambiguous=ambiguous, non_existent="null")  # type: ignore[arg-type]
        return placed.dt.convert_time_zone("UTC").dt.replace_time_zone(None)

    placed = utc(times, "null")
    rows = (placed.is_null() & times.is_not_null() & ~aware).arg_true()
    if not len(rows):
        return placed
    walls = times.gather(rows)
    first = utc(walls, "earliest")
    twice = first.is_not_null()
    rows, walls, first = rows.filter(twice), walls.filter(twice), first.filter(twice)
    if second is not None and len(rows):
        first = utc(walls, "latest").zip_with(second(walls, rows), first)
    return placed.scatter(rows, first)

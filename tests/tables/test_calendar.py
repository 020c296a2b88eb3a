"""Times as data sets write them, zones, days and half hours."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humobctl.errors import HumobError
from humobctl.tables.calendar import (
    EPOCH,
    check_zone,
    day_and_slot,
    parse_date,
    slot_start,
)
from humobctl.tables.moments import display, moments, to_local
from tests.messages import raises

NOON = dt.datetime(2012, 4, 3, 12, 0, 9)


@pytest.mark.parametrize(
    ("text", "expected", "utc"),
    [
        ("2012-04-03 12:00:09", NOON, False),
        ("2012-04-03T12:00:09", NOON, False),
        ("  2012-04-03 12:00:09 ", NOON, False),
        ("2012-04-03 12:00:09.5", NOON.replace(microsecond=500000), False),
        ("2012-04-03 12:00", NOON.replace(second=0), False),
        ("2012/04/03 12:00:09", NOON, False),
        ("20120403120009", NOON, False),
        ("2012-04-03", dt.datetime(2012, 4, 3), False),
        ("2012-04-03T12:00:09Z", NOON, True),
        ("2012-04-03T21:00:09+09:00", NOON, True),
        ("2012-04-03 07:00:09.250-0500", NOON.replace(microsecond=250000), True),
        ("Tue Apr 03 12:00:09 +0000 2012", NOON, True),
        ("1333454409", NOON, True),
        ("1333454409000", NOON, True),
    ],
)
def test_times_are_read_as_data_sets_write_them(
    text: str, expected: dt.datetime, utc: bool
) -> None:
    times, aware = moments(pl.Series([text]))
    assert times.to_list() == [expected]
    assert aware.to_list() == [utc]


def test_one_column_may_mix_forms_and_what_is_no_time_becomes_null() -> None:
    times, aware = moments(
        pl.Series(["2012-04-03 12:00:09", "noon", None, "2012-04-03T12:00:09Z", "2012-13-01"])
    )
    assert times.to_list() == [NOON, None, None, NOON, None]
    assert aware.to_list()[0] is False
    assert aware.to_list()[3] is True


def test_numbers_dates_and_zoned_columns_are_times_too() -> None:
    assert moments(pl.Series([1333454409]))[0].to_list() == [NOON]
    assert moments(pl.Series([NOON.date()]))[0].to_list() == [dt.datetime(2012, 4, 3)]
    zoned = pl.Series([NOON]).dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo")
    times, aware = moments(zoned)
    assert times.to_list() == [NOON]
    assert aware.all()


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "Asia/Tokyo"])
def test_times_beyond_all_years_are_null_and_shown_by_their_number(unit, zone) -> None:
    numbers = [1333454409 * {"ms": 10**3, "us": 10**6, "ns": 10**9}[unit], 2**63 - 1, -(2**63) + 1]
    raw = pl.Series([*numbers, None]).cast(pl.Datetime(unit, zone))
    times, _ = moments(raw)
    beyond = 0 if unit == "ns" else 2
    assert times[0] == NOON
    assert times.null_count() == 1 + beyond
    if beyond:
        assert display(raw, 1) == f"9223372036854775807 {unit} from 1970"
    assert display(pl.Series(["noon"]), 0) == "'noon'"


def test_a_small_number_is_no_time() -> None:
    assert moments(pl.Series([17]))[0].to_list() == [None]


def test_utc_is_shown_in_a_zone_and_naive_times_stay_as_they_are() -> None:
    times = pl.Series([NOON, NOON])
    aware = pl.Series([True, False])
    local = to_local(times, aware, zone="Asia/Tokyo")
    assert local.to_list() == [NOON + dt.timedelta(hours=9), NOON]


def test_utc_without_a_zone_follows_its_own_offset() -> None:
    local = to_local(pl.Series([NOON]), pl.Series([True]), offset_minutes=pl.Series([-240.0]))
    assert local.to_list() == [NOON - dt.timedelta(hours=4)]


def test_naive_times_of_another_zone_are_moved() -> None:
    local = to_local(pl.Series([NOON]), pl.Series([False]), zone="Asia/Shanghai", source_zone="UTC")
    assert local.to_list() == [NOON + dt.timedelta(hours=8)]


def test_a_time_that_the_clocks_show_twice_is_the_first_of_them() -> None:
    twice = pl.Series([dt.datetime(2024, 10, 27, 2, 30)])  # Zurich: at UTC+2, then at UTC+1
    local = to_local(twice, pl.Series([False]), source_zone="Europe/Zurich")
    assert local.to_list() == [dt.datetime(2024, 10, 27, 0, 30)]


def test_a_time_that_the_clocks_skip_is_null() -> None:
    skipped = pl.Series([dt.datetime(2024, 3, 31, 2, 30)])  # Zurich goes from 2:00 to 3:00
    local = to_local(skipped, pl.Series([False]), source_zone="Europe/Zurich")
    assert local.to_list() == [None]


@pytest.mark.parametrize(
    ("time", "slot"), [("00:00", 0), ("00:29", 0), ("00:30", 1), ("08:30", 17), ("23:59", 47)]
)
def test_slots_are_half_hours_from_midnight(time: str, slot: int) -> None:
    moment = dt.datetime.fromisoformat(f"1970-01-11 {time}")
    day, half_hour = day_and_slot(pl.col("m"))
    frame = pl.DataFrame({"m": [moment]}, schema={"m": pl.Datetime("us")})
    assert frame.select(day.alias("d"), half_hour.alias("t")).rows() == [(10, slot)]


@given(st.integers(0, 9999), st.integers(0, 47), st.dates(dt.date(1970, 1, 1), dt.date(2100, 1, 1)))
def test_slots_and_their_starts_are_inverse(day: int, slot: int, start: dt.date) -> None:
    frame = pl.DataFrame({"d": [day], "t": [slot]})
    moment = frame.select(slot_start(pl.col("d"), pl.col("t"), start).alias("m"))
    back_day, back_slot = day_and_slot(pl.col("m"))
    found = moment.select(back_day.alias("d"), back_slot.alias("t")).row(0)
    assert found == (day + (start - EPOCH).days, slot)


@given(st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2099, 1, 1)))
def test_iso_text_reads_back_as_what_was_written(moment: dt.datetime) -> None:
    assert moments(pl.Series([moment.isoformat()]))[0].to_list() == [moment]


def test_zones_and_dates_are_checked() -> None:
    assert check_zone("Asia/Tokyo") == "Asia/Tokyo"
    with raises(HumobError, "--timezone", "'Tokio'"):
        check_zone("Tokio")
    assert parse_date("2012-04-03") == dt.date(2012, 4, 3)
    with raises(HumobError, "--start-date", "'3.4.2012'"):
        parse_date("3.4.2012")

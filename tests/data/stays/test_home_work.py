"""Homes and works worked out by hand."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from humobctl.data.stays.home_work import find_home_work

MONDAY = dt.date(2026, 1, 5)
SIX_TO_EIGHT = (6 * 60, 8 * 60)


def visits(*rows: tuple[int, int, int, int, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["uid", "place", "d", "start_min", "end_min"], orient="row")


def test_hours_are_shared_out_minute_by_minute() -> None:
    table = visits(
        (1, 0, 0, 0, 540),  # 120 min of leisure, 360 of rest, 60 of work
        (1, 1, 0, 540, 1200),  # 600 of work, 60 of leisure
        (1, 0, 0, 1200, 1440),  # 240 of leisure
        (1, 0, 1, 480, 1140),  # 660 of work, at home
        (1, 2, 1, 1140, 1440),  # 300 of leisure
        (1, 3, 1, 480, 680),  # 200 of work
        (1, 4, 5, 0, 1440),  # a Saturday
    )
    (found,) = find_home_work(table, MONDAY).to_dicts()
    home = 0.739 * 360 + 0.358 * 360
    assert found == {
        "uid": 1,
        "home": 0,
        "home_days": 1,
        "home_confidence": pytest.approx(home / (home + 0.358 * 360)),
        "work": 1,
        "work_days": 1,
        "work_confidence": pytest.approx(600 / 800),
    }


def test_a_user_may_have_one_of_them_or_neither() -> None:
    table = visits((1, 0, 0, *SIX_TO_EIGHT), (2, 0, 0, 600, 700), (3, 0, 6, 0, 1440))
    found = find_home_work(table, MONDAY)
    assert found.select("uid", "home", "work").rows() == [(1, 0, None), (2, None, 0)]


def test_of_equal_scores_the_first_location_counts() -> None:
    table = visits((1, 1, 0, *SIX_TO_EIGHT), (1, 0, 1, *SIX_TO_EIGHT), (1, 0, 6, 0, 1440))
    assert find_home_work(table, MONDAY)["home"].to_list() == [0]


def test_weekdays_count_from_the_date_of_day_0() -> None:
    saturday = dt.date(2026, 1, 3)
    table = visits((1, 0, 0, *SIX_TO_EIGHT), (1, 1, 2, *SIX_TO_EIGHT))
    assert find_home_work(table, saturday)["home"].to_list() == [1]

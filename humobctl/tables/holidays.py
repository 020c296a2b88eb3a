"""Holidays of Japan, where the cities of the HuMob challenges lie."""

from __future__ import annotations

import datetime as dt
from functools import cache

_MARCH, _SEPTEMBER = 20.8431, 23.2488  # equinoxes of 1980, as days of the month
_FIXED = ((1, 1), (2, 11), (2, 23), (4, 29), (5, 3), (5, 4), (5, 5), (8, 11), (11, 3), (11, 23))
_MONDAYS = ((1, 2), (7, 3), (9, 3), (10, 2))  # month, which Monday


@cache
def japanese_holidays(year: int) -> frozenset[dt.date]:
    """National holidays of Japan under the law as it stands since 2020, substitutes included.

    Equinoxes are computed (good from 1980 to 2099); the moved holidays of 2020 and 2021 are not in
    it.
    """
    days = {dt.date(year, month, day) for month, day in _FIXED}
    for month, which in _MONDAYS:
        first = dt.date(year, month, 1)
        days.add(first + dt.timedelta(days=-first.weekday() % 7 + 7 * (which - 1)))
    since = year - 1980
    for month, base in ((3, _MARCH), (9, _SEPTEMBER)):
        days.add(dt.date(year, month, int(base + 0.242194 * since) - since // 4))
    one = dt.timedelta(days=1)
    between = {day + one for day in days if day + 2 * one in days and (day + one).weekday() != 6}
    for sunday in [day for day in days if day.weekday() == 6]:
        while sunday in days:
            sunday += one  # noqa: PLW2901 - the next day that is none yet
        days.add(sunday)
    return frozenset(days | between)


def is_holiday(day: dt.date) -> bool:
    """Whether it is a national holiday of Japan or its substitute."""
    return day in japanese_holidays(day.year)


def is_homecoming(day: dt.date) -> bool:
    """Whether it lies in Obon (13 to 16 August) or around New Year (29 December to 3 January)."""
    if day.month == 8:
        return 13 <= day.day <= 16
    return (day.month, day.day) >= (12, 29) or (day.month, day.day) <= (1, 3)

"""The calendar and the frequent cells that all users show together."""

from __future__ import annotations

import numpy as np

from humobctl.predict.city_profile import CityCounter
from tests.predict.helpers import city, frame, user

HOME, WORK, PARK = (10, 10), (30, 30), (50, 50)


def commuters(users=20, days=28, holiday=None):
    """People at home at night, at work from 10 to 18 on working days, else in the park."""
    rows = []
    for uid in range(users):
        for d in range(days):
            off = d % 7 in (0, 6) or d == holiday
            rows += [(uid, d, 2, *HOME), (uid, d, 44, *HOME)]
            rows += [(uid, d, t, *(PARK if off else WORK)) for t in (22, 26, 30)]
    return rows


def test_weekends_are_days_off_and_a_quiet_wednesday_too():
    found = city(commuters(holiday=10), days=35)
    assert np.flatnonzero(found.holiday).tolist() == [10]
    assert np.flatnonzero(found.off[:14]).tolist() == [0, 6, 7, 10, 13]
    # Days without data follow the week.
    assert np.flatnonzero(found.off[28:]).tolist() == [0, 6]


def test_no_holiday_is_made_up():
    assert not city(commuters()).holiday.any()
    assert not city().holiday.any()


def test_the_first_weekday_can_be_given():
    counter = CityCounter(14, first_weekday=3)  # day 0 is a Wednesday
    counter.add(frame(commuters(days=14)))
    assert np.flatnonzero(counter.city().off).tolist()[:2] == [3, 4]


def test_groups_add_up():
    rows = commuters()
    whole = city(rows)
    counter = CityCounter(75)
    half = [row for row in rows if row[0] < 7]
    counter.add(frame(half))
    counter.add(frame([row for row in rows if row[0] >= 7]))
    parts = counter.city()
    assert np.array_equal(whole.slot_p, parts.slot_p)
    assert np.array_equal(whole.off, parts.off)


def test_a_user_without_history_gets_the_most_frequent_cell_of_the_slot():
    dist = city(commuters()).distribution(user([], [(60, 2), (60, 26)]))
    best = dist.cells[dist.p.argmax(axis=1)].tolist()
    assert best == [list(HOME), list(WORK)]
    assert np.allclose(dist.p.sum(axis=1), 1.0)

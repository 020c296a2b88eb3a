"""Calendars of training windows: what a window sees of its days is what the days before it show."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from humobctl.predict.city_profile import past_cities, past_days_off
from tests.predict.helpers import frame

HOME, WORK, HOLIDAY = (50, 50), (60, 50), 50
"""Day 50 is a Monday."""


def city(*, holiday: bool):
    """12 people who commute on working days: at home at 1:00, at work at 10:00, 13:00, 15:00."""
    rows = []
    for uid in range(12):
        for d in range(60):
            off = d % 7 in (0, 6) or (holiday and d == HOLIDAY)
            there = HOME if off else WORK
            rows += [(uid, d, 2, *HOME), *((uid, d, t, *there) for t in (20, 26, 30))]
    return frame(rows)


@pytest.fixture
def paths(tmp_path):
    """The same city without and with a holiday."""
    found = [tmp_path / "plain.csv", tmp_path / "holiday.csv"]
    for path, holiday in zip(found, (False, True), strict=True):
        city(holiday=holiday).write_csv(path)
    return [str(path) for path in found]


def test_a_holiday_is_one_from_the_next_day_on():
    found = past_cities([city(holiday=True)], [45, 50, 51, 55], 60)
    assert {begin: np.flatnonzero(one.holiday).tolist() for begin, one in found.items()} == {
        45: [],
        50: [],
        51: [50],
        55: [50],
    }
    off = past_days_off([city(holiday=True)], 60)
    assert not off[: HOLIDAY + 1, HOLIDAY].any()
    assert off[HOLIDAY + 3 :, HOLIDAY].all()  # what is known of some days before has to do
    weekend = np.isin(np.arange(60) % 7, (0, 6))
    assert (off[0] == weekend).all()


def test_bert_moe_sees_no_later_holiday(paths):
    pytest.importorskip("torch")
    from humobctl.predict.bert_moe.config import tiny
    from humobctl.predict.bert_moe.train import BertMoeRecipe

    settings = dataclasses.replace(tiny(), validation_days=2, relabel=0.0, stride=1)
    seen = []
    for path in paths:
        with BertMoeRecipe(settings, [path], last_day=59).prepare() as data:
            first = data.rows.d[data.windows.index.past_end]
            batch = data.windows.batch(np.arange(len(data.windows)))
            seen.append((first, batch["weekday"].numpy(), data.cities[0].off))
    (first, plain, _), (same, holiday, validation) = seen
    assert (first == same).all()
    assert len(first[first <= HOLIDAY]) > 100
    assert (plain == holiday)[first <= HOLIDAY].all()
    assert not (plain == holiday)[first > HOLIDAY + 2].all()
    assert validation[HOLIDAY]  # the days that validate are after it


def test_prompts_see_no_later_holiday(paths):
    pytest.importorskip("peft")
    from humobctl.predict.llama.config import LlamaSettings
    from humobctl.predict.llama.users import Source, read_people

    settings = dataclasses.replace(LlamaSettings(), horizon=5, records=3)
    found = [read_people(path, Source(last_day=59), settings)[0] for path in paths]
    first_days = set()
    for plain, holiday in zip(*found, strict=True):
        first = int(plain.user.target_d[0])
        first_days.add(first)
        assert (plain.city.off == holiday.city.off).all() == (first <= HOLIDAY)
    assert first_days == {45, 50, 55}

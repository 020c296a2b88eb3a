"""Stays laid out over steps and read back, against answers worked out by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from humobctl.generate.diffusion.data import (
    NEAR,
    Layout,
    Scale,
    known_days,
    series_of,
    unwarp,
    warp,
)
from humobctl.generate.diffusion.decode import decode, read_layout
from humobctl.tables.plane import Plane
from humobctl.tables.schemas import INTENTS

PLANE = Plane(39.9, 116.4)
FAR = hnp.arrays(float, (5, 2), elements=st.floats(-3e5, 3e5))


def table(*rows: tuple) -> pl.DataFrame:
    """Stays of (uid, d, start, end, place, intent, east, north)."""
    frame = pl.DataFrame(
        rows,
        schema=["uid", "d", "start", "end", "place", "intent", "east", "north"],
        orient="row",
    )
    lat, lon = PLANE.degrees(*(frame[name].cast(float).to_numpy() for name in ("east", "north")))
    return frame.with_columns(
        pl.col("uid", "place").cast(pl.Int64),
        pl.col("d", "start", "end").cast(pl.Int32),
        pl.col("intent").cast(pl.Int8),
        lat=pl.Series(lat),
        lon=pl.Series(lon),
    )


TWO_DAYS = table(
    (0, 0, 0, 480, 1, -1, 0, 0),
    (0, 0, 540, 1020, 2, -1, 3000, 4000),
    (0, 0, 1050, 1080, 3, -1, 1000, 0),
    (0, 0, 1100, 1440, 1, -1, 0, 0),
    (0, 3, 0, 600, 1, -1, 0, 0),
    (0, 3, 700, 705, 4, -1, 0, 9000),
)


def layout(*days: tuple[tuple[int, int], ...]) -> Layout:
    flat = [event for day in days for event in day]
    first = np.cumsum([0, *(len(day) for day in days)])
    return Layout(first, np.array([a for a, _ in flat]), np.array([b for _, b in flat]))


@given(FAR)
def test_warp_comes_back_and_keeps_directions(metres) -> None:
    np.testing.assert_allclose(unwarp(warp(metres)), metres, rtol=1e-6, atol=1e-4)
    assert (np.sign(warp(metres)) * np.sign(metres) >= 0).all()


def test_warp_of_a_kilometre() -> None:
    # |(3, 4)| km = 5 km, log(1 + 5) = 1.7918 in the same direction
    np.testing.assert_allclose(warp(np.array([3000.0, 4000.0])), [1.07506, 1.43341], rtol=1e-5)
    assert NEAR == 1000.0


def test_steps_belong_to_the_event_they_lie_in_or_the_nearest() -> None:
    days = layout(((0, 480), (540, 1440)), ((0, 100), (100, 103), (104, 1440)))
    event = days.event_of_step()
    # The border between the first two is 510: the step centred on 505 is the last before it.
    assert (event[0, :51] == 0).all()
    assert (event[0, 51:] == 1).all()
    # 95 before 100, 105 after 103.5; the event of three minutes has no step.
    assert event[1, 9:11].tolist() == [2, 4]
    assert days.step_of_event()[3] == 144 + 10
    assert days.number().tolist() == [0, 1, 0, 1, 2]


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 1440), st.integers(0, 1440)), min_size=1, max_size=8),
        min_size=1,
        max_size=4,
    )
)
def test_every_step_has_an_event_of_its_day_in_order(days) -> None:
    one = layout(*(sorted((min(e), max(e)) for e in day) for day in days))
    event = one.event_of_step()
    assert event.shape == (len(days), 144)
    assert (one.day[event] == np.arange(len(days))[:, None]).all()
    assert (np.diff(event, axis=1) >= 0).all()


def test_home_and_work_are_inferred() -> None:
    known = known_days(TWO_DAYS, PLANE)
    assert known.place_class.tolist() == [0, 1, 2, 0, 0, 2]
    np.testing.assert_allclose(known.home, 0, atol=1e-6)
    np.testing.assert_allclose(known.relative[1], [3000, 4000], atol=1e-3)
    assert known.person.tolist() == [0, 0]


def test_intents_say_where_home_and_work_are() -> None:
    home, work, eat = (INTENTS.index(name) for name in ("go to sleep", "go to work", "eat"))
    # Nights at place 1, but the person says to sleep at place 2 and work at place 3, briefly.
    known = known_days(
        table(
            (5, 0, 0, 700, 1, eat, 9000, 0),
            (5, 0, 700, 760, 3, work, 500, 0),
            (5, 0, 800, 900, 2, home, 0, 0),
        ),
        PLANE,
    )
    assert known.place_class.tolist() == [2, 1, 0]
    np.testing.assert_allclose(known.home, 0, atol=1e-6)


@pytest.mark.parametrize("condition", ["home-work", "none"])
def test_days_come_back_from_their_channels(condition) -> None:
    known = known_days(TWO_DAYS, PLANE)
    scale = Scale.of(known, PLANE)
    series = series_of(known, condition, scale)
    assert series.channels.shape == (2, 4 if condition == "home-work" else 8, 144)
    assert series.shorter == 0
    given_times = condition == "home-work"
    drawn = decode(
        series.channels,
        scale,
        known.layout if given_times else None,
        known.place_class if given_times else None,
    )
    assert drawn.place_class.tolist() == known.place_class.tolist()
    np.testing.assert_allclose(drawn.relative, known.relative, atol=0.1)
    np.testing.assert_allclose(drawn.home, known.home, atol=0.1)
    if not given_times:
        near = [abs(a - b) for a, b in zip(drawn.layout.start, known.layout.start, strict=True)]
        assert max(near) <= 5


def test_bits_are_read_as_runs() -> None:
    bits = np.full((2, 4, 144), -0.4)
    bits[0, 0, 10:30] = 0.2  # stays from 1:40 to 5:00
    bits[0, 1, 20:30] = 0.9  # ... the second half elsewhere
    bits[0, 2, 10:20] = 1.0  # ... the first half at home
    found, kind = read_layout(bits)
    assert found.first.tolist() == [0, 2, 3]
    assert found.start.tolist() == [100, 200, 0]
    assert found.end.tolist() == [200, 300, 1440]  # a day without any stay is one
    assert kind.tolist() == [0, 2, 2]


def test_all_of_a_day_at_work_is_one_point() -> None:
    scale = Scale(39.9, 116.4)
    channels = np.zeros((1, 4, 144), np.float32)
    channels[0, 0, :72], channels[0, 0, 72:] = 0.5, 1.5
    drawn = decode(channels, scale, layout(((0, 720), (720, 1440))), np.array([1, 1], np.int8))
    np.testing.assert_allclose(drawn.relative, [[1000 * np.expm1(1.0), 0]] * 2, rtol=1e-6)

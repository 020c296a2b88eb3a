"""Stays and locations of tracks worked out by hand, and against plain loops over any track.

Points lie on the equator, so many metres east of longitude 0, or of another.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humobctl.data.stays.config import METHODS, StayMethod
from humobctl.data.stays.detect import (
    find_slow,
    find_stays,
    join_stays,
    locations_of,
    tracks_of,
)
from humobctl.tables.grid import EARTH_RADIUS

DEGREE = EARTH_RADIUS * math.pi / 180
MINUTE = 60_000_000
SLIDING, SCIKIT = METHODS["sliding-window"], METHODS["scikit-mobility"]
LAST = replace(SLIDING, last=1)


def track(*points: tuple[float, float], uid: int = 1, east_of: float = 0.0) -> pl.DataFrame:
    """Points (minute, metres east)."""
    lon = [(east_of + metres / DEGREE + 180) % 360 - 180 for _, metres in points]
    return pl.DataFrame(
        {"uid": uid, "at": [int(m * MINUTE) for m, _ in points], "lat": 0.0, "lon": lon},
        schema_overrides={"uid": pl.UInt32},
    )


def found(points: pl.DataFrame, method: StayMethod) -> list[tuple[float, float, float]]:
    """First and last minute of each stay, and its metres east."""
    stays = find_stays(points, method)
    return [
        (at / MINUTE, until / MINUTE, round(lon * DEGREE, 6))
        for at, until, lon in stays.select("at", "until", "lon").iter_rows()
    ]


@pytest.mark.parametrize(
    ("method", "points", "stays"),
    [
        # Lasts until the first point outside, which is not a part of it.
        (SLIDING, [(0, 0), (2, 30), (5, 60), (6, 500)], [(0, 6, 30)]),
        # Distance is that from the first point, not from the one before.
        (SLIDING, [(0, 0), (3, 60), (6, 120), (9, 180), (12, 240)], [(0, 6, 30), (6, 12, 150)]),
        # Exactly the minimum is enough, less is not.
        (SLIDING, [(0, 0), (5, 500)], [(0, 5, 0)]),
        (SLIDING, [(0, 0), (4.99, 500)], []),
        # A gap ends the window without a stay; one of exactly the limit does not.
        (SLIDING, [(0, 0), (10, 0), (26, 0), (30, 0), (32, 500)], [(26, 32, 0)]),
        (SLIDING, [(0, 0), (15, 10), (16, 500)], [(0, 16, 5)]),
        # What a track ends in is open.
        (SLIDING, [(0, 0), (3, 30), (9, 60)], []),
        (LAST, [(0, 0), (3, 30), (9, 60)], [(0, 9, 30)]),
        (LAST, [(0, 0), (6, 500)], [(0, 6, 0)]),
        (LAST, [(0, 0)], []),
        # scikit-mobility: longer than the minimum, at the median, ended by the last point.
        (SCIKIT, [(0, 0), (10, 20), (15, 190), (21, 300), (22, 900)], [(0, 21, 20)]),
        (SCIKIT, [(0, 0), (20, 300), (22, 900)], []),
        (SCIKIT, [(0, 0), (10, 50), (15, 100), (25, 150)], [(0, 25, 50)]),
        (SCIKIT, [(0, 0), (5000, 10), (5001, 900)], [(0, 5001, 5)]),
        (replace(SCIKIT, gap=60), [(0, 0), (61, 0), (82, 900), (83, 900)], [(61, 82, 0)]),
    ],
)
def test_stays_by_hand(method, points, stays) -> None:
    assert found(track(*points), method) == stays


def test_users_are_apart() -> None:
    points = pl.concat([track((0, 0), (4, 0), uid=1), track((5, 0), (6, 900), uid=2)])
    assert found(points, SLIDING) == []
    assert found(points, LAST) == []


def test_stays_across_the_date_line() -> None:
    points = track((0, 0), (2, 20), (4, 40), (6, 500), east_of=180 - 10 / DEGREE)
    (lon,) = find_stays(points, SLIDING)["lon"]
    assert (lon + 180) * DEGREE == pytest.approx(10, abs=1e-6)
    joined = locations_of(join_stays(find_stays(pl.concat([points, points]), SLIDING), 100.0))
    assert (joined["lon"][0] + 180) * DEGREE == pytest.approx(10, abs=1e-6)


def plain_stays(points: pl.DataFrame, method: StayMethod) -> list[tuple[int, int, float, float]]:
    """The definition in plain words, for one user."""
    at, lat, lon = (points[name].to_list() for name in ("at", "lat", "lon"))
    middle = np.median if method.median else np.mean
    least, stays, start = method.minutes * MINUTE, [], 0

    def add(stop: int, until: int) -> None:
        lasts = at[until] - at[start]
        if lasts > least or (lasts == least and not method.strict):
            rows = slice(start, stop)
            stays.append((at[start], at[until], middle(lat[rows]), middle(lon[rows])))

    for i in range(1, len(at)):
        if at[i] - at[i - 1] > method.gap * MINUTE:
            start = i
            continue
        a, b = np.radians([lat[start], lat[i]])
        east = np.radians(lon[i] - lon[start])
        cosine = math.sin(a) * math.sin(b) + math.cos(a) * math.cos(b) * math.cos(east)
        metres = EARTH_RADIUS * math.acos(min(1.0, cosine))
        if metres > method.metres or (method.last == 2 and i == len(at) - 1):
            add(i, i)
            start = i
    if method.last == 1 and start < len(at) - 1:
        add(len(at), len(at) - 1)
    return stays


@given(
    steps=st.lists(
        st.tuples(st.integers(1, 17), st.integers(-3, 3), st.integers(-3, 3)), max_size=30
    ),
    method=st.sampled_from([SLIDING, LAST, SCIKIT, replace(SCIKIT, gap=10)]),
)
def test_stays_of_any_track(steps, method) -> None:
    minutes, north, east = (
        np.cumsum([0, *column]) for column in zip(*steps, (0, 0, 0), strict=True)
    )
    points = pl.DataFrame(
        {"uid": 7, "at": minutes * MINUTE, "lat": 40 + north * 4e-4, "lon": 116 + east * 6e-4},
        schema_overrides={"uid": pl.UInt32},
    )
    rows = find_stays(points, method).select("at", "until", "lat", "lon").rows()
    assert rows == [pytest.approx(stay) for stay in plain_stays(points, method)]


def test_fast_points_by_hand() -> None:
    points = track((0, 0), (1, 10_000), (2, 100), (2, 150), (3, 8_400), (4, 8_500))
    # 600 km/h; 3 km/h; two places at once; 498 km/h; 6 km/h.
    kept = [True, False, True, False, True, True]
    assert find_slow(tracks_of(points), 500.0).tolist() == kept


def stays_at(*metres: float, uid: int = 1) -> pl.DataFrame:
    points = track(*[(10 * n, m) for n, m in enumerate(metres)], uid=uid)
    return points.with_columns(until=pl.col("at") + 3 * MINUTE)


def test_locations_by_hand() -> None:
    mine, theirs = stays_at(0, 400, 80, 160, 401), stays_at(0, 400, uid=2)
    joined = join_stays(pl.concat([mine, theirs]), 100.0)
    # 0, 80 and 160 m are of one location, though 0 and 160 m are more than 100 m apart.
    assert joined["place"].to_list() == [0, 1, 0, 0, 1, 0, 1]
    assert join_stays(stays_at(0, 100.001, 200), 100.0)["place"].to_list() == [0, 1, 1]
    assert join_stays(stays_at(0, 1, 0), 0.0)["place"].to_list() == [0, 1, 0]
    places = locations_of(joined).filter(uid=1)
    assert (places["lon"] * DEGREE).to_list() == pytest.approx([80, 400.5])
    assert places.select("stays", "minutes").rows() == [(3, 9.0), (2, 6.0)]


def test_nothing_in_nothing() -> None:
    none = find_stays(track((0, 0)), SLIDING)
    assert join_stays(none, 100.0).columns == [*none.columns, "place"]
    assert not locations_of(join_stays(none, 100.0)).height

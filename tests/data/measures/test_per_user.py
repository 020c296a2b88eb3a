"""Measures of single users, against values worked out by hand and those of the field's tools."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humobctl.data.measures.formulas import predictability, real_entropy
from humobctl.data.measures.per_user import measure_users
from humobctl.data.measures.records import DAY, HOUR, MINUTE, Records, number_places, records_of
from humobctl.tables.schemas import USER_MEASURES

# The track of scikit-mobility 1.3.1, skmob/measures/tests/test_individual.py.
LUCCA, LIVORNO, PISA, FLORENCE = (
    (43.8430139, 10.5079940),
    (43.5442700, 10.3261500),
    (43.7085300, 10.4036000),
    (43.7792500, 11.2462600),
)
TRACKS = {
    1: [(3, 8, LUCCA), (3, 9, LIVORNO), (3, 10, PISA), (4, 10, FLORENCE)],
    2: [(3, 8, LUCCA), (3, 9, PISA), (4, 10, LUCCA), (4, 11, LIVORNO)],
    3: [(3, 8, LIVORNO), (3, 9, PISA), (4, 10, LUCCA), (4, 11, FLORENCE)],
    4: [(4, 10, PISA), (4, 11, LIVORNO), (4, 12, FLORENCE)],
    5: [(4, 10, PISA), (4, 11, FLORENCE), (5, 12, LUCCA)],
    6: [(4, 10, LUCCA), (4, 11, LIVORNO)],
}
# What its tests expect of users 1 to 6.
EXPECTED = {
    "radius_of_gyration_km": [
        *(31.964885737, 14.988909726, 31.964885737),
        *(35.241089869, 30.727237693, 18.146860183),
    ],
    "k2_radius_of_gyration_km": [
        *(18.14686018, 8.0811433, 9.64969996),
        *(9.64969996, 34.07360735, 18.14686018),
    ],
    "entropy_random_bits": [2, 1.5849625, 2, 1.5849625, 1.5849625, 1],
    "entropy_uncorrelated_bits": [2, 1.5, 2, 1.5849625, 1.5849625, 1],
    "entropy_real_bits": [1.6, 1.14285714285, 1.6, 1.1887218755, 1.1887218755, 0.6666666666],
    "maximum_distance_km": [
        *(68.14698568, 36.29370121, 59.66188292),
        *(78.4910639, 68.14698568, 36.29370121),
    ],
    "distance_straight_line_km": [
        *(123.74008488, 70.57908362, 96.10397212),
        *(97.79046189, 127.8088686, 36.29370121),
    ],
    "locations": [4, 3, 4, 3, 3, 2],
    "distance_from_home_max_km": [
        *(78.4910639, 36.29370121, 78.4910639),
        *(78.4910639, 68.14698568, 36.29370121),
    ],
    "records": [4, 4, 4, 3, 3, 2],
}
MEAN_SQUARE_DISPLACEMENT = 1386.2137565731
"""Of its test_collective.py, after one hour."""


def skmob_records() -> Records:
    """The track of scikit-mobility's tests."""
    rows = [
        (uid - 1, dt.datetime(2011, 2, day, hour, 34, 4), *place)
        for uid, track in TRACKS.items()
        for day, hour, place in track
    ]
    frame = pl.DataFrame(rows, schema=["uid", "at", "lat", "lon"], orient="row")
    return records_of(located(frame), pl.Series([str(uid) for uid in TRACKS]))


def located(frame: pl.DataFrame) -> pl.DataFrame:
    """With microseconds for times, and numbers of locations."""
    return frame.with_columns(
        pl.col("at").dt.epoch("us"), place_id=pl.lit(None, pl.String)
    ).with_columns(number_places())


@pytest.mark.parametrize("name", EXPECTED)
def test_values_of_scikit_mobility(name: str) -> None:
    found = measure_users(skmob_records()).table[name].to_list()
    assert found == pytest.approx(EXPECTED[name], rel=1e-8)


def test_mean_square_displacement_of_scikit_mobility() -> None:
    found = measure_users(skmob_records()).table["square_displacement_1h_km2"].mean()
    assert found == pytest.approx(MEAN_SQUARE_DISPLACEMENT, rel=1e-9)


def test_jumps_waits_and_home_by_hand() -> None:
    found = measure_users(skmob_records())
    # User 1: 36.293..., 19.299... and 68.146... km, after 1, 1 and 24 hours.
    assert found.waits[:3].tolist() == [60, 60, 1440]
    first = found.table.row(0, named=True)
    assert found.jumps[:3].sum() == pytest.approx(123.74008488)
    assert first["jump_length_mean_km"] == pytest.approx(123.74008488 / 3)
    assert first["jump_length_median_km"] == pytest.approx(36.29370121)
    assert (first["waiting_time_mean_min"], first["waiting_time_median_min"]) == (520, 60)
    assert (first["days"], first["longest_gap_hours"], first["top_location_share"]) == (2, 24, 0.25)
    assert first["coverage"] == pytest.approx(4 / 27)  # hours 8, 9, 10 and 10 of 27
    assert first["radius_of_gyration_duration_km"] is None


def test_the_table_has_its_schema() -> None:
    table = measure_users(skmob_records()).table
    assert table.columns == USER_MEASURES.columns
    numbered = table.with_columns(pl.col("uid").cast(pl.UInt32))
    USER_MEASURES.schema.validate(numbered)


def trackintel_records(*, planar: bool) -> Records:
    """The staypoints of trackintel 1.4.2, tests/analysis/test_metrics.py."""
    p1, p2, p3 = (0.0, 9.0), (3.0, 12.0), (6.0, 15.0)
    rows = [
        *((0, 0, 1, *p1), (0, 1, 3, *p2), (0, 3, 4, *p3)),
        *((1, 0, 1, *p1), (1, 1, 2, *p1), (1, 2, 2, *p3)),
    ]
    uid, start, end, east, north = (np.array(column) for column in zip(*rows, strict=True))
    return Records(
        uid=pl.Series([0, 1], dtype=pl.UInt32),
        first=np.array([0, 3, 6]),
        at=start * HOUR,
        until=end * HOUR,
        north=north,
        east=east,
        place=(east * 100 + north).astype(np.int64) + uid * 0,
        planar=planar,
    )


def test_values_of_trackintel_on_a_plane() -> None:
    found = measure_users(trackintel_records(planar=True))
    count = [math.sqrt(4 * 3**2 / 3), math.sqrt(2 * (2**3 + 4**2) / 3)]
    assert found.table["radius_of_gyration_km"].to_list() == pytest.approx(count)
    lasting = found.table["radius_of_gyration_duration_km"].to_list()
    assert lasting == pytest.approx([math.sqrt(4 * 3**2 / 4), 0])
    jumps = [math.sqrt(18), math.sqrt(18), 0, math.sqrt(72)]
    assert found.jumps.tolist() == pytest.approx(jumps)


def test_values_of_trackintel_on_the_globe() -> None:
    found = measure_users(trackintel_records(planar=False))
    apart = [_haversine(9, 0, 12, 3), _haversine(12, 3, 15, 6), 0, _haversine(9, 0, 15, 6)]
    assert found.jumps.tolist() == pytest.approx(apart)
    squares = [_haversine(lat, lon, 12, 3) ** 2 for lat, lon in ((9, 0), (12, 3), (15, 6))]
    radius = found.table["radius_of_gyration_km"][0]
    assert radius == pytest.approx(math.sqrt(sum(squares) / 3))


def _haversine(lat: float, lon: float, lat0: float, lon0: float) -> float:
    """As both tools have it, km."""
    lat, lon, lat0, lon0 = map(math.radians, (lat, lon, lat0, lon0))
    chord = math.sin((lat - lat0) / 2) ** 2
    chord += math.cos(lat) * math.cos(lat0) * math.sin((lon - lon0) / 2) ** 2
    return 6371.0 * 2 * math.asin(math.sqrt(chord))


def test_coverage_of_visits_is_trackintels_tracking_quality() -> None:
    """Visits of 1, 2 and 1 of 4 hours; of two hours of which a gap of one and an overlap."""
    assert measure_users(trackintel_records(planar=True)).table["coverage"].to_list() == [1, 1]
    rows = [(0, 0, 4), (0, 1, 2), (0, 6, 8)]
    uid, start, end = (np.array(column) for column in zip(*rows, strict=True))
    one = Records(
        pl.Series([7]), np.array([0, 3]), start * HOUR, *np.zeros((2, 3)), uid, until=end * HOUR
    )
    row = measure_users(one).table.row(0, named=True)
    assert row["coverage"] == pytest.approx((4 + 1 + 2) / 8)
    assert row["longest_gap_hours"] == 2  # from the end of the longer one


def test_one_record() -> None:
    one = Records(pl.Series(["a"]), np.array([0, 1]), *np.zeros((3, 1)), np.array([5]))
    row = measure_users(one)
    found = row.table.row(0, named=True)
    nothing = {"jump_length_mean_km", "maximum_distance_km", "waiting_time_median_min"}
    assert {found[name] for name in nothing} == {None}
    assert (found["predictability"], found["entropy_real_bits"]) == (1, 0)
    assert (found["distance_straight_line_km"], found["longest_gap_hours"]) == (0, 0)


def test_home_is_the_place_of_the_night_or_the_one_that_is_known() -> None:
    """Two records at noon in the east, one at 7:00 in the west; home is west, or as known."""
    at = np.array([7 * HOUR, 12 * HOUR, 13 * HOUR, 7 * HOUR + DAY + MINUTE])
    east, place = np.array([0.0, 3, 3, 3]), np.array([1, 2, 2, 2])
    track = Records(pl.Series([1]), np.array([0, 4]), at, np.zeros(4), east, place, planar=True)
    row = measure_users(track).table.row(0, named=True)
    assert (row["distance_from_home_max_km"], row["distance_from_home_mean_km"]) == (3, 2.25)
    known = np.array([False, True, False, False])
    told = Records(
        *(track.uid, track.first, track.at, track.north, track.east, track.place),
        planar=True,
        at_home=known,
    )
    assert measure_users(told).table["distance_from_home_mean_km"][0] == 0.75


def test_a_track_over_the_date_line() -> None:
    """Two points a degree apart on the equator: half a degree from their middle."""
    track = Records(
        *(pl.Series([1]), np.array([0, 2]), np.array([0, HOUR])),
        *(np.zeros(2), np.array([179.5, -179.5]), np.array([1, 2])),
    )
    row = measure_users(track).table.row(0, named=True)
    degree = math.pi * 6371 / 180
    assert row["jump_length_mean_km"] == pytest.approx(degree)
    assert row["radius_of_gyration_km"] == pytest.approx(degree / 2)
    assert row["k2_radius_of_gyration_km"] == pytest.approx(degree / 2)


# -- entropy and predictability ----------------------------------------------------------------


def entropy_of(*sequences: list[int]) -> list[float]:
    """The real entropy of sequences of locations."""
    first = np.cumsum([0, *map(len, sequences)])
    symbols = np.concatenate([np.array(one, np.int64) for one in sequences])
    return real_entropy(first, symbols).tolist()


def test_real_entropy_of_scikit_mobilitys_sequences() -> None:
    """The sums of its test_real_entropy: 23 of ten symbols, 4 of three, of one nothing."""
    found = entropy_of([0, 1, 2, 0, 1, 3, 0, 1, 2, 0], [1, 2, 1], [1])
    assert found == pytest.approx([10 * math.log2(10) / 23, 3 * math.log2(3) / 4, 0])


def naive_sum(sequence: list[int]) -> int:
    """Sum of the lengths of the shortest pieces that were not seen before, by the definition."""
    n, total = len(sequence), 1
    for i in range(1, n):
        seen = sequence[:i]
        length = 1
        while i + length < n and any(
            seen[k : k + length] == sequence[i : i + length] for k in range(i - length + 1)
        ):
            length += 1
        total += length + (i + length == n)
    return total


@given(st.lists(st.lists(st.integers(-2, 2), min_size=1, max_size=40), min_size=1, max_size=4))
def test_real_entropy_is_that_of_the_definition(sequences: list[list[int]]) -> None:
    expected = [len(one) * math.log2(len(one)) / naive_sum(one) for one in sequences]
    assert entropy_of(*sequences) == pytest.approx(expected)


def test_predictability_by_hand() -> None:
    """Of two locations H(P) = 1 bit at P = 1/2; H(.75) = .811278 bits; of one it is sure."""
    entropy = np.array([1.0, 0.8112781244591328, 0.0, 0.0, 1.2])
    found = predictability(entropy, np.array([2, 2, 2, 1, 2]))
    assert found[:4].tolist() == pytest.approx([0.5, 0.75, 1, 1])
    assert np.isnan(found[4])  # more than two locations can have
    # Of 5 at P = 0.7: H(.7) + .3 * 2 bits.
    assert predictability(np.array([0.8812908992306927 + 0.6]), np.array([5]))[0] == (
        pytest.approx(0.7)
    )

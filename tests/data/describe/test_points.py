"""Describing points and check-ins, against values worked out by hand."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

import humobctl as hm
from humobctl.data.describe.points import PointsDescription
from humobctl.data.measures import summary
from humobctl.io import by_user as users_module
from tests.data.describe.test_grid import alike
from tests.data.measures.test_per_user import TRACKS
from tests.messages import raises

DEGREE = 111.19492664455873
"""Kilometres of a degree on a globe of 6371 km."""
# ann: an hour apart a degree north, the same again, elsewhere at that moment, two days later;
# bob once, and where nobody knows.
TEXT = """uid,datetime,lat,lon
ann,2026-01-05 10:00:00,0.0,10.0
ann,2026-01-05 11:00:00,1.0,10.0
ann,2026-01-05 11:00:00,1.0,10.0
ann,2026-01-05 11:00:00,2.0,10.0
ann,2026-01-07 11:00:00,2.0,10.0
bob,2026-01-05 10:30:00,5.0,12.0
bob,2026-01-05 10:40:00,0.0,0.0
"""


@pytest.fixture
def found(save) -> PointsDescription:
    """What is in ``TEXT``."""
    return hm.describe(save(TEXT))


def test_coverage_and_quality(found: PointsDescription) -> None:
    assert (found.kind, found.users, found.records, found.zero_records) == ("points", 2, 6, 1)
    assert (found.first, found.last) == (dt.datetime(2026, 1, 5, 10), dt.datetime(2026, 1, 7, 11))
    assert (found.days, found.user_days) == (2, 3)
    assert (found.repeated, found.same_moment, found.with_place) == (1, 1, 0)
    # Hours 10, 11 and 59 of 50 of ann, 1 of 1 of bob.
    assert found.hours_covered == pytest.approx(4 / 51)
    assert (found.gaps_over_1h, found.gaps_over_1d) == (1, 1)
    # Steps of an hour, of nothing twice, of two days.
    assert (found.interval_s.count, found.interval_s.min, found.interval_s.max) == (4, 0, 172800)
    assert found.interval_s.median == 1800
    assert found.speed_kmh.max == pytest.approx(DEGREE)
    assert (found.fast_steps, found.fast_share) == (1, 0.25)  # elsewhere at one moment
    assert (found.records_per_user.max, found.records_per_user_day.max) == (5, 4)
    assert found.by_day[0] == {"date": "2026-01-05", "records": 5, "users": 2}
    assert {hour: n for hour, n in enumerate(found.by_hour) if n} == {10: 2, 11: 4}
    assert found.bounding_box == {"south": 0, "north": 5, "west": 10, "east": 12}


def test_measures_over_users_and_locations(found: PointsDescription) -> None:
    measures = found.measures
    assert measures.jump_length_km.mean == pytest.approx(2 * DEGREE / 4)
    assert measures.locations == 4
    assert measures.locations == measures.records_per_location.count
    # ann at rank 1: 2 of 5 records; bob 1 of 1. At rank 2 ann alone.
    assert measures.share_by_rank == pytest.approx([0.7, 0.4, 0.2])
    assert measures.entropy_random_bits.max == pytest.approx(1.58496250)
    assert measures.waiting_time_median_min.count == 1
    assert measures.mean_square_displacement_km2["1h"] == pytest.approx((2 * DEGREE) ** 2 / 2)
    with pytest.raises(AttributeError):
        measures.nothing  # noqa: B018
    assert found.to_frame()["uid"].to_list() == ["ann", "bob"]


def test_location_entropy_is_that_of_scikit_mobility() -> None:
    """Its test_collective.py gives nats: 1.6094379124, 1.6094379124, 1.3862943611, 1.5607104090."""
    rows = [
        (str(uid), dt.datetime(2011, 2, day, hour, 34, 4), *place)
        for uid, track in TRACKS.items()
        for day, hour, place in track
    ]
    frame = pl.DataFrame(rows, schema=["uid", "datetime", "lat", "lon"], orient="row")
    measures = hm.describe(frame).measures
    assert measures.location_entropy_random_bits.mean == pytest.approx((3 * 2.321928094 + 2) / 4)
    bits = [nats / 0.6931471805599453 for nats in (1.6094379124, 1.3862943611, 1.5607104090)]
    spread = measures.location_entropy_uncorrelated_bits
    assert (spread.max, spread.min) == pytest.approx((bits[0], bits[1]))
    assert spread.mean == pytest.approx((2 * bits[0] + bits[1] + bits[2]) / 4)


def test_check_ins_are_at_their_places(save) -> None:
    """One place at two positions is one location; categories are counted."""
    text = "uid,datetime,lat,lon,place_id,category\n1,2026-01-05 10:00:00,1,2,p,Bar\n"
    found = hm.describe(save(text + "1,2026-01-05 11:00:00,1.001,2,p,Bar\n"))
    assert (found.kind, found.measures.locations) == ("check-ins", 1)
    assert found.top_categories == {"Bar": 2}
    assert "Bar" in str(found)


def test_order_and_memory_change_nothing(save, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = hm.describe(save(TEXT)).to_dict()
    header, *lines = TEXT.splitlines()
    mixed = save("\n".join([header, *sorted(lines, reverse=True)]) + "\n")
    monkeypatch.setattr(users_module, "IN_MEMORY_ROWS", 1)
    monkeypatch.setattr(users_module, "GROUP_ROWS", 1)
    assert alike(hm.describe(mixed).to_dict(), expected)


def test_columns_of_any_names(save) -> None:
    path = save("who,when,north,east\n1,2026-01-05 10:00:00,1,2\n")
    names = ("who=uid", "when=datetime", "north=lat", "east=lon")
    assert hm.describe(path, columns=names).records == 1
    with raises(hm.HumobError, "a.csv", "north", "--columns"):
        hm.describe(path)


def test_nothing_but_zero_is_an_error(cli) -> None:
    done = cli("data", "describe", input="uid,datetime,lat,lon\n1,2020-01-01 00:00,0,0\n")
    assert done.code == 1
    assert "latitude 0" in done.err


def test_of_how_many_users_a_measure_is(found: PointsDescription) -> None:
    """bob has one record, and no jump."""
    assert "jump length: mean, km (1 user)" in str(found)
    assert found.to_dict().popitem()[0] == "measures"


def test_locations_beyond_the_limit_are_left_out(save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "MOST_LOCATIONS", 2)
    measures = hm.describe(save(TEXT)).measures
    assert measures.locations is None
    assert measures.location_entropy_random_bits.count == 0
    assert "locations" in str(hm.describe(save(TEXT)))

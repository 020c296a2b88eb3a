"""Describing visits and day plans, against values worked out by hand."""

from __future__ import annotations

import polars as pl
import pytest

import humobctl as hm
from humobctl.tables.schemas import INTENTIONS, VISITS

HOME, WORK, CAFE = ("h", 0.0, 10.0), ("w", 1.0, 10.0), ("c", 0.0, 11.0)
DEGREE = 111.19492664455873
# User 1 sleeps at home over midnight, goes to work, and eats while the work still lasts.
ROWS = [
    (1, 0, 0, "go home", 1200, 1440, *HOME),
    (1, 1, 0, "go home", 0, 480, *HOME),
    (1, 1, 1, "go to work", 540, 1020, *WORK),
    (1, 1, 2, "eat", 1000, 1080, *CAFE),
    (2, 1, 0, None, 600, 600, *CAFE),
]


def visits(rows: list[tuple]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=VISITS.dtypes, orient="row")


def test_visits_by_hand() -> None:
    found = hm.describe(visits(ROWS))
    assert (found.kind, found.rows, found.visits, found.users) == ("visits", 5, 4, 2)
    assert (found.first_day, found.last_day, found.days, found.user_days) == (0, 1, 2, 3)
    assert (found.without_intent, found.without_place, found.without_duration) == (1, 0, 1)
    assert (found.overlaps, found.gaps, found.gap_min.mean) == (1, 1, 60)
    home = found.intents["go home"]
    assert (home.count, home.share, home.duration_min.mean) == (1, 0.25, 720)
    assert home.time_share == pytest.approx(720 / (720 + 480 + 80))
    assert list(found.intents) == ["go to work", "go home", "eat", "no intent"]
    assert found.duration_min.count == 3
    assert (found.trips, found.trip_min.mean, found.trip_min.min) == (2, 30, 0)
    assert found.trip_km.min == pytest.approx(DEGREE, rel=0.005)
    assert found.trips_per_user_day.mean == pytest.approx(2 / 3)
    assert found.visits_per_user_day.max == 3
    assert found.by_day[1] == {"d": 1, "rows": 4, "users": 2}
    assert (found.by_hour[20], found.by_hour[9], found.by_hour[16], found.by_hour[10]) == (1,) * 4


def test_measures_of_visits() -> None:
    """Home is where the visits to go home are; time there counts by duration."""
    table = hm.describe(visits(ROWS)).to_frame()
    one = table.row(0, named=True)
    assert (one["uid"], one["records"], one["days"], one["locations"]) == (1, 3, 2, 3)
    assert one["distance_from_home_max_km"] == pytest.approx(DEGREE, rel=1e-6)
    # 1280 minutes of visits from 20:00 to 18:00.
    assert one["coverage"] == pytest.approx(1280 / 1320)
    assert one["longest_gap_hours"] == 1
    # Weights 720, 480, 80 at (0, 0), (1, 0), (0, 1) degrees: variances of both axes.
    share = (480 / 1280, 80 / 1280)
    expected = DEGREE * sum(p * (1 - p) for p in share) ** 0.5
    assert one["radius_of_gyration_duration_km"] == pytest.approx(expected, rel=1e-3)
    assert table["radius_of_gyration_duration_km"][1] is None  # no duration at all


def test_a_visit_at_the_end_of_a_day_is_of_that_day() -> None:
    found = hm.describe(visits([(1, 3, 0, "eat", 1440, 1440, *CAFE)]))
    assert (found.first_day, found.last_day, found.measures.days.max) == (3, 3, 1)


def test_stays_of_trackintel_are_visits(cli) -> None:
    text = (
        "id,user_id,started_at,finished_at,geom\n"
        "0,ann,2026-01-05T10:00:00,2026-01-05T11:00:00,POINT (10 0)\n"
        "1,ann,2026-01-05T12:00:00,2026-01-06T11:00:00,POINT (10 1)\n"
    )
    done = cli("data", "describe", "-f", "table", input=text)
    assert done.code == 0, done.err
    assert "2 (3 rows)" in done.out


def test_plans_by_hand() -> None:
    rows = [
        *((1, 0, 0, "go to sleep", 0, 480, "tired"), (1, 0, 1, "eat", 480, 1440, None)),
        *((1, 1, 0, "eat", 60, 120, None), (1, 1, 1, "eat", 100, 130, None)),
    ]
    found = hm.describe(pl.DataFrame(rows, schema=INTENTIONS.dtypes, orient="row"))
    assert (found.kind, found.activities, found.users, found.user_days) == ("day plans", 4, 1, 2)
    assert (found.whole_days, found.with_reason, found.overlaps, found.gaps) == (1, 1, 1, 1)
    assert found.intents["eat"].duration_min.max == 960
    assert found.activities_per_user_day.mean == 2
    assert "user-days filled without gap or overlap" in str(found)


def test_flows_by_hand(save) -> None:
    """a to b 6, back 2; a to c 1; within a 11: symmetric are 4 of 9, and 2 of 3 pairs."""
    path = save("origin,destination,flow\na,b,6\nb,a,2\na,c,1\na,a,11\nc,c,0\n")
    areas = save("area_id,lat,lon,population\na,0,0,1\nb,1,0,1\nc,3,0,1\n", "areas.csv")
    found = hm.describe(path, areas=areas)
    assert (found.kind, found.pairs, found.zero_pairs, found.areas) == ("flows", 4, 1, 3)
    assert (found.origins, found.destinations) == (2, 3)
    assert (found.total, found.self_flow, found.self_share) == (20, 11, 0.55)
    assert found.density == pytest.approx(4 / 9)
    assert (found.outflow.max, found.outflow.min, found.inflow.max) == (7, 0, 6)
    assert found.symmetric_pairs == pytest.approx(2 / 3)
    assert found.symmetric_flow == pytest.approx(4 / 9)
    assert list(found.top[0].values()) == ["a", "b", 6, pytest.approx(0.3)]
    assert found.mean_km == pytest.approx((8 * 1 + 3) / 9 * 111.195, rel=1e-4)
    assert found.distance_km["95 %"] == pytest.approx(3 * 111.195, rel=1e-4)
    assert found.without_area == 0
    assert hm.describe(path).mean_km is None
    assert "a to b" in str(found)


def test_areas_of_another_country_are_one_line(save) -> None:
    path = save("origin,destination,flow\na,b,6\n")
    areas = save("area_id,lat,lon,population\nA,0,0,1\n", "areas.csv")
    with pytest.raises(hm.HumobError, match="none of the areas"):
        hm.describe(path, areas=areas)


def test_trips_by_hand(save) -> None:
    """10 km in half an hour, 5 km back in an hour on the next day, one of no time in a gap."""
    header = "uid,trip,started_at,finished_at,origin,destination,origin_lat,origin_lon,"
    header += "destination_lat,destination_lon,distance_m,duration_min,points"
    rows = [
        "1,0,2026-01-05 08:00:00,2026-01-05 08:30:00,h,w,0,0,0,1,10000,30,9",
        "1,1,2026-01-06 09:00:00,2026-01-06 10:00:00,w,w,0,1,0,0,5000,60,9",
        "2,0,2026-01-06 09:00:00,2026-01-06 09:00:00,,h,0,1,0,0,0,0,1",
    ]
    found = hm.describe(save("\n".join([header, *rows]) + "\n"))
    assert (found.kind, found.trips, found.users, found.user_days) == ("trips", 3, 2, 3)
    assert (found.days, found.from_gap, found.to_gap, found.within) == (2, 1, 0, 1)
    assert (found.without_duration, found.speed_kmh.max, found.speed_kmh.min) == (1, 20, 5)
    assert (found.distance_km.mean, found.duration_min.max, found.per_user.max) == (5, 60, 2)
    assert (found.by_hour[8], found.by_hour[9]) == (1, 2)
    assert "from a gap" in str(found)

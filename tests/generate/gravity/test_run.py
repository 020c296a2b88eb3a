"""Days of people: where and when, homes and works, the same result in any parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from humobctl import native
from humobctl.errors import HumobError
from humobctl.generate.gravity import run as run_module
from humobctl.generate.gravity.config import Law, Travel
from humobctl.generate.gravity.distance_weights import BUILT_IN, load_weights
from humobctl.generate.gravity.homes import HomesAndWorks
from humobctl.generate.gravity.run import GravityJob
from humobctl.intend.day_plan import DAY_MINUTES
from humobctl.tables.schemas import INTENTS, VISITS
from tests.generate.gravity.cities import CENTRE, at_home, city, places, plans, visits
from tests.messages import raises, says

SLEEP, WORK, EAT, HOME = "go to sleep", "go to work", "eat", "go home"
DAY = [(SLEEP, 0, 480), (WORK, 540, 1020), (EAT, 1050, 1110), (HOME, 1140, 1440)]


def times(table: pl.DataFrame) -> list[tuple[int, int]]:
    return table.select("start_min", "end_min").rows()


def scattered(count=300, intents="eat", seed=0):
    return city(np.random.default_rng(seed).normal(0, 4000, (count, 2)), intents)


def test_home_and_work_are_where_the_pair_says() -> None:
    pairs = at_home(1000, 0, work=(5000, 0))
    table = visits(plans(DAY), city([(2000, 0)]), pairs)
    assert dict(table.schema) == VISITS.dtypes
    assert table["place_id"].to_list() == ["home-0", "work-0", "p0", "home-0"]
    home, work = pairs.row(0)[1:3], pairs.row(0)[3:]
    assert table.select("lat", "lon").rows() == [home, work, table.row(2)[-2:], home]
    assert table["intent"].to_list() == [SLEEP, WORK, EAT, HOME]


def test_home_is_snapped_to_a_place_that_serves_it() -> None:
    pairs = at_home(0, 0, work=(5000, 0))
    where = city([(300, 0), (5200, 0), (2000, 0), (0, 10)], [HOME, WORK, EAT, "do sports"])
    table = visits(plans(DAY), where, pairs, snap=500.0)
    assert table["place_id"].to_list() == ["p0", "p1", "p2", "p0"]
    table = visits(plans(DAY), where, pairs, snap=250.0)
    assert table["place_id"].to_list() == ["home-0", "p1", "p2", "home-0"]


def test_people_have_their_own_homes_and_the_others_draw_one() -> None:
    people = pl.DataFrame(
        {
            **{"uid": [3, 5], "home_lat": [39.91, None], "home_lon": [116.41, None]},
            **{"work_lat": [None, 39.95], "work_lon": [None, 116.45]},
        },
        schema_overrides={"uid": pl.UInt32},
    )
    where = scattered()
    dwellings = HomesAndWorks(where, people=people, source="people.csv")
    job = GravityJob(where, dwellings)
    table = pl.concat(list(job.run([plans(DAY, DAY, uids=[3, 5])])))
    three, five = table.partition_by("uid")
    assert three["place_id"][0] == "home-3"
    assert (three["lat"][0], three["lon"][0]) == (39.91, 116.41)
    assert three["place_id"][1] in where.place_id  # drawn among the places
    assert five["place_id"][0] in where.place_id
    assert (five["place_id"][1], five["lat"][1]) == ("work-5", 39.95)
    with raises(HumobError, "people.csv", "user 4"):
        list(GravityJob(where, dwellings).run([plans(DAY, uids=[4])]))


def test_homes_are_drawn_by_the_density_of_places_and_work_by_radiation() -> None:
    # Half the places that serve work lie within 1 km of home, where m = 5 of 10 are.
    points = [(0, 0), *[(10 * i, 500) for i in range(5)], *[(10 * i, 3500) for i in range(5)]]
    where = city(points, [HOME, *[WORK] * 10])
    days = [[(SLEEP, 0, 480), (WORK, 600, 1440)]] * 4000
    table = visits(plans(*days), where)
    assert set(table.filter(intent=SLEEP)["place_id"]) == {"p0"}
    works = table.filter(intent=WORK)["place_id"].str.slice(1).cast(pl.Int32)
    # P(s >= 5) = (m / (m + 5) - m / (m + 10)) / (1 - m / (m + 10)) with m = 5.
    far = (works > 5).mean()
    assert far == pytest.approx((5 / 10 - 5 / 15) / (1 - 5 / 15), abs=0.03)
    homes = visits(plans(*[[(HOME, 0, 1440)]] * 4000), scattered(4, None))["place_id"]
    assert homes.value_counts()["count"].to_list() == pytest.approx([1000] * 4, abs=130)


def test_homes_are_drawn_by_population() -> None:
    lat, lon = CENTRE.degrees(np.array([0.0, 3000.0]), np.array([0.0, 0.0]))
    density = pl.DataFrame({"lat": lat, "lon": lon, "population": [300.0, 100.0]})
    where = city([(3100, 0), (9000, 0)], [HOME, EAT])
    job = GravityJob(where, HomesAndWorks(where, density=density))
    table = pl.concat(list(job.run([plans(*[[(HOME, 0, 1440)]] * 4000)])))
    at_place = table["place_id"] == "p0"  # the second point lies 100 m from a place to live
    assert at_place.mean() == pytest.approx(1 / 4, abs=0.03)
    assert table.filter(~at_place)["lat"].unique().to_list() == [lat[0]]


def test_homes_in_zones_at_places_to_live_or_anywhere(capsys) -> None:
    """Three quarters in the first zone, at its one place to live; the others anywhere."""
    edges = np.array([[0.0, 1000.0, 5000.0, 6000.0], [0.0, 1000.0, 0.0, 1000.0]])
    lat, lon = CENTRE.degrees(*edges)
    boxes = [shapely.box(lon[k], lat[k], lon[k + 1], lat[k + 1]) for k in (0, 2)]
    zones = pl.DataFrame({"population": [300.0, 100.0], "geometry": shapely.to_wkb(boxes)})
    where = city([(400, 400), (5500, 500), (9000, 0)], [HOME, EAT, HOME])
    job = GravityJob(where, HomesAndWorks(where, zones=zones))
    table = pl.concat(list(job.run([plans(*[[(HOME, 0, 1440)]] * 4000)])))
    at_place = table["place_id"] == "p0"
    assert at_place.mean() == pytest.approx(3 / 4, abs=0.03)
    beside = table.filter(~at_place)
    assert beside["place_id"].str.starts_with("home-").all()
    assert shapely.intersects_xy(boxes[1], *beside.select("lon", "lat").to_numpy().T).all()
    spread = beside.select(pl.col("lat", "lon").std()).row(0)
    assert spread == pytest.approx((np.diff(lat)[2] / 12**0.5, np.diff(lon)[2] / 12**0.5), rel=0.05)
    # Two of four people, drawn alike, share the only place with the probability (3/4)^2.
    says(capsys.readouterr().err, "4,000 people", "2 places", "--zones")


def test_who_works_stays_at_the_same_work_on_all_days() -> None:
    table = plans(DAY, DAY)
    table = pl.concat([table, table.with_columns(d=pl.lit(3, pl.Int16))]).sort("uid", "d")
    found = visits(table, scattered())
    spots = (
        found.filter(pl.col("intent") != EAT).group_by("uid", "intent").agg(pl.n_unique("place_id"))
    )
    assert spots["place_id"].to_list() == [1] * 6


# -- time ------------------------------------------------------------------------------------------


def moved(day, points, **travel):
    """Times after travel: home at the centre, eat and sports at places of their own."""
    names = [EAT, "do sports", "excursion"][: len(points)]
    return times(visits(plans(day), city(points, names), at_home(), travel=Travel(**travel)))


def test_an_event_waits_for_the_person_to_arrive() -> None:
    # 6 km at 20 km/h are 18 minutes; 10 were planned.
    day = [(HOME, 0, 480), (EAT, 490, 600), (HOME, 700, 1440)]
    assert moved(day, [(6000, 0)], speed=20.0) == [(0, 480), (498, 600), (700, 1440)]
    assert moved(day, [(6000, 0)], speed=40.0) == [(0, 480), (490, 600), (700, 1440)]


def test_an_event_that_would_be_too_short_ends_later() -> None:
    day = [(HOME, 0, 480), (EAT, 490, 500), (HOME, 505, 1440)]
    # Arrival at 498; 5 minutes at least; 18 minutes back home.
    assert moved(day, [(6000, 0)]) == [(0, 480), (498, 503), (521, 1440)]
    assert moved(day, [(6000, 0)], least=30) == [(0, 480), (498, 508), (526, 1440)]


def test_what_would_run_past_midnight_is_pulled_back() -> None:
    day = [(HOME, 0, 1400), (EAT, 1401, 1430), (HOME, 1431, 1440)]
    # Home 5 minutes before midnight, 18 minutes of travel, 5 minutes of eating, 18 minutes.
    assert moved(day, [(6000, 0)]) == [(0, 1394), (1412, 1417), (1435, 1440)]


def test_days_with_more_travel_than_time_are_hurried(capsys) -> None:
    day = [(HOME, 0, 700), (EAT, 701, 1400), (HOME, 1401, 1440)]
    found = moved(day, [(50_000, 0)], speed=2.0)  # 1,500 minutes there, 1,500 back
    # 5 minutes for each event leave 1,425, of which each way takes half, rounded down.
    assert found == [(0, 6), (6 + 712, 723), (723 + 712, 1440)]
    says(capsys.readouterr().err, "1 day", "too little time")


@st.composite
def days(draw):
    cuts = sorted(draw(st.sets(st.integers(1, 1439), max_size=30)))
    bounds = [0, *cuts, 1440]
    intents = draw(
        st.lists(
            st.sampled_from([HOME, WORK, EAT, SLEEP]), min_size=len(bounds), max_size=len(bounds)
        )
    )
    gaps = draw(st.lists(st.booleans(), min_size=len(bounds), max_size=len(bounds)))
    events = [
        (intent, first, last)
        for intent, first, last, gap in zip(intents, bounds, bounds[1:], gaps, strict=False)
        if not gap
    ]
    return events or [(HOME, 0, 1440)]


@given(st.lists(days(), min_size=1, max_size=3), st.floats(0.5, 100), st.integers(0, 60))
def test_days_stay_days(many, speed, least) -> None:
    where = scattered(30)
    table = plans(*many)
    found = visits(table, where, at_home(2000, 0, (-3000, 0)), travel=Travel(speed, least))
    assert found.select("uid", "d", "seq", "intent").equals(
        table.select("uid", "d", "seq", "intent")
    )
    for planned, day in zip(table.partition_by("uid"), found.partition_by("uid"), strict=True):
        start, end = day["start_min"].to_numpy(), day["end_min"].to_numpy()
        length = np.minimum((planned["end_min"] - planned["start_min"]).to_numpy(), least)
        assert start[0] >= 0
        assert end[-1] <= DAY_MINUTES
        assert (start[1:] >= end[:-1]).all()
        assert (end - start >= (length if length.sum() <= DAY_MINUTES else 0)).all()
        assert (end >= start).all()


# -- exploration and preferential return -----------------------------------------------------------


def meals(count, uids=2000):
    """Home and eat in turns, so that nobody eats twice at a stretch."""
    day = []
    for k in range(count):
        day += [(HOME, 100 * k, 100 * k + 50), (EAT, 100 * k + 51, 100 * k + 90)]
    return plans(*[day] * uids)


def eaten(law, count=2, uids=2000) -> np.ndarray:
    """Rows of places where each person ate, (uids, count)."""
    where = scattered(3000)
    table = visits(meals(count, uids), where, at_home(), law=law, travel=Travel(speed=1000))
    rows = table.filter(intent=EAT)["place_id"].str.slice(1).cast(pl.Int32)
    return rows.to_numpy().reshape(uids, count)


def test_exploration_falls_with_the_number_of_known_places() -> None:
    # Before the second meal, home and one place are known: explores with 0.6 * 2**-0.21.
    found = eaten(Law("epr", exponent=0.0))
    assert (found[:, 0] == found[:, 1]).mean() == pytest.approx(1 - 0.6 * 2**-0.21, abs=0.03)


def test_nobody_explores_without_rho_and_everybody_does_with_rho_1_and_gamma_0() -> None:
    stay = eaten(Law("epr", exponent=0.0, rho=0.0), 4)
    assert (stay == stay[:, :1]).all()
    go = eaten(Law("epr", exponent=0.0, rho=1.0, gamma=0.0), 2)
    assert (go[:, 0] == go[:, 1]).mean() < 0.01


def test_people_return_in_proportion_to_their_visits() -> None:
    """Two meals at A, one at B: the fourth is at A with 2/3, among those who return."""
    found = eaten(Law("epr", exponent=0.0, rho=0.5, gamma=0.0), 4, uids=20_000)
    a, b, c, d = found.T
    known = (a == b) & (c != a) & ((d == a) | (d == c))
    assert known.sum() > 1000
    assert (d[known] == a[known]).mean() == pytest.approx(2 / 3, abs=0.04)


def test_known_places_last_over_days_and_serve_their_intent_only() -> None:
    day = [
        (HOME, 0, 100),
        (EAT, 200, 300),
        (HOME, 400, 500),
        ("do sports", 600, 700),
        (HOME, 800, 1440),
    ]
    table = plans(day)
    week = pl.concat([table.with_columns(d=pl.lit(d, pl.Int16)) for d in range(7)])
    where = scattered(400, [EAT, "do sports"] * 200)
    found = visits(week, where, at_home(), law=Law("epr", rho=0.0))
    assert found.filter(intent=EAT)["place_id"].n_unique() == 1
    assert found.filter(intent="do sports")["place_id"].n_unique() == 1
    assert found["place_id"].n_unique() == 3


def observed(**given: float) -> Law:
    return Law("empirical", weights=replace(load_weights(BUILT_IN), back=0.0, **given))


def test_returns_over_days_by_the_law_of_beijing() -> None:
    """The first day is the same under any chance; then none or all are new, by intent."""
    day = [(HOME, 0, 100), (EAT, 200, 300), ("do sports", 600, 700), (HOME, 800, 1440)]
    table = plans(*[day] * 60)
    week = pl.concat([table.with_columns(d=pl.lit(d, pl.Int16)) for d in range(6)])
    week = week.sort("uid", "d", maintain_order=True)
    where = scattered(400, [EAT, "do sports"] * 200)
    stay, go = (
        visits(week, where, at_home(), law=observed(rho=rho, gamma=0.0)) for rho in (0.0, 1.0)
    )
    first = stay.filter(d=0)
    assert first.equals(go.filter(d=0))
    assert first.equals(visits(table, where, at_home(), law=observed()))
    of_intent = pl.col("place_id").n_unique().over("uid", "intent").max()
    assert stay.select(of_intent).item() == 1
    # Explored is what was not known: at most one in a hundred of eight tries finds no such place.
    free = go.filter(~pl.col("intent").is_in([HOME]))
    assert free.select(of_intent).item() == 6
    assert free.select(pl.struct("uid", "place_id").is_first_distinct().mean()).item() > 0.98


def test_people_return_on_later_days_by_visits_and_distance() -> None:
    """Two places as near: twice as often where they were twice; none nearer than the other."""
    where = city([(3000, 0), (0, 3000), (-3000, 0)])
    table = plans(*[[(HOME, 0, 100), (EAT, 200, 300), (HOME, 400, 1440)]] * 6000)
    days = pl.concat([table.with_columns(d=pl.lit(d, pl.Int16)) for d in range(4)])
    days = days.sort("uid", "d", maintain_order=True)
    found = visits(days, where, at_home(), law=observed(rho=0.6, gamma=0.0)).filter(intent=EAT)
    a, b, c, d = found["place_id"].to_physical().rank("dense").to_numpy().reshape(6000, 4).T
    known = (a == b) & (c != a) & ((d == a) | (d == c))
    assert (d[known] == a[known]).mean() == pytest.approx(2 / 3, abs=0.05)


def test_home_and_work_only() -> None:
    day = [
        (HOME, 0, 100),
        (EAT, 200, 300),
        ("do sports", 400, 500),
        (WORK, 600, 700),
        (EAT, 800, 1440),
    ]
    found = visits(plans(day), city([(0, 0)]), at_home(0, 0, (3000, 0)), law=Law("home-work"))
    assert found["place_id"].to_list() == ["home-0", "work-0", "home-0", "work-0", "home-0"]


@pytest.mark.parametrize(
    ("intents", "nights"),
    [([HOME, HOME, EAT], {"p0", "p1"}), ([EAT] * 3, {"p0", "p1", "p2"})],
)
def test_nights_away_are_spent_where_people_live_or_anywhere(intents, nights) -> None:
    """Days of three events or more only, and not where the person was last."""
    law = Law("empirical", weights=replace(load_weights(BUILT_IN), away=1.0, back=0.0))
    where = city([(500, 0), (0, 700), (0, 900)], intents)
    many = plans(*[[(SLEEP, 0, 100), (EAT, 200, 300), (HOME, 400, 1440)]] * 400)
    found = visits(many, where, at_home(), law=law).filter(pl.col("seq") > 0)
    assert set(found.filter(seq=2)["place_id"]) == nights
    assert not found.filter(pl.col("place_id") == pl.col("place_id").shift(1).over("uid")).height
    short = visits(plans([(EAT, 200, 300), (HOME, 400, 1440)]), where, at_home(), law=law)
    assert short["place_id"][1] == "home-0"


# -- the same result in any parts ------------------------------------------------------------------


def crowd(count=150) -> pl.DataFrame:
    rng = np.random.default_rng(5)
    other = [i for i in INTENTS if i not in (HOME, SLEEP)]
    days = [
        [
            (SLEEP, 0, 400),
            *((other[rng.integers(10)], 450 + 90 * k, 500 + 90 * k) for k in range(6)),
            (HOME, 1000, 1440),
        ]
        for _ in range(count)
    ]
    return plans(*days, uids=rng.permutation(10 * count)[:count].tolist())


@pytest.mark.parametrize("law", ["gravity", "radiation", "opportunity", "epr"])
def test_threads_and_batches_change_nothing(monkeypatch, law) -> None:
    where, table = scattered(2000, None), crowd()
    whole = visits(table, where, law=Law(law), seed=4)
    monkeypatch.setattr(native, "threads", lambda: 7)
    monkeypatch.setattr(run_module, "ROWS_AT_ONCE", 13)
    dwellings = HomesAndWorks(where, 4, snap=0.0)
    job = GravityJob(where, dwellings, Law(law), seed=4)
    parts = list(job.run(table.iter_slices(29)))
    assert len(parts) > 30
    assert pl.concat(parts).equals(whole)
    uids = table["uid"].unique().to_list()[::3]
    some = visits(table.filter(pl.col("uid").is_in(uids)), where, law=Law(law), seed=4)
    assert some.equals(whole.filter(pl.col("uid").is_in(uids)))
    assert not visits(table, where, law=Law(law), seed=5).equals(whole)


def test_rows_out_of_order_within_a_person_are_sorted() -> None:
    where, table = scattered(), plans(DAY, DAY)
    shuffled = pl.concat([table.filter(uid=uid).reverse() for uid in (0, 1)])
    assert visits(shuffled, where).equals(visits(table, where))


def test_rows_of_a_person_apart_are_refused() -> None:
    table = plans(DAY, DAY)
    apart = pl.concat([table, table.filter(uid=0)])
    with raises(HumobError, "user 0", "separated"):
        visits(apart, scattered())
    frames = [table.filter(uid=1), table.filter(uid=0), table.filter(uid=1)]
    with raises(HumobError, "user 1", "separated"):
        list(GravityJob(scattered(), HomesAndWorks(scattered())).run(frames))


# -- places that are missing or far ----------------------------------------------------------------


def test_an_intent_that_no_place_serves_is_an_error() -> None:
    with raises(HumobError, "places", "'eat'", "user 0", "day 0"):
        visits(plans(DAY), city([(0, 0)], "do sports"))
    found = visits(plans(DAY), city([(0, 0)], "do sports"), law=Law("home-work"))
    assert found.height == 4


def test_no_place_in_reach_is_told_and_the_person_stays(capsys) -> None:
    where = city([(200_000, 0), (0, 15_000)], [EAT, "do sports"])
    day = [(HOME, 0, 100), (EAT, 200, 300), ("do sports", 400, 500), (HOME, 600, 1440)]
    found = visits(plans(day), where, at_home())
    assert found["place_id"].to_list() == ["home-0", None, "p1", "home-0"]
    assert found.row(1)[-2:] == found.row(0)[-2:]
    told = capsys.readouterr().err
    says(told, "10 km", "do sports 1")
    says(told, "no place within 80 km", "eat 1", "user 0", "day 0")


def test_the_only_place_is_where_one_is() -> None:
    day = [(HOME, 0, 100), (EAT, 200, 300), (EAT, 400, 500)]
    found = visits(plans(day), city([(500, 0)]), at_home())
    assert found["place_id"].to_list() == ["home-0", "p0", None]
    assert found.row(2)[-2:] == found.row(1)[-2:]


def test_places_of_a_table_keep_their_coordinates() -> None:
    table = places(np.random.default_rng(1).normal(0, 3000, (50, 2)))
    where = scattered(1)
    found = visits(plans(*[DAY] * 50), city(np.random.default_rng(1).normal(0, 3000, (50, 2))))
    known = {row[0]: row[-2:] for row in table.rows()}
    assert all(known[row[-3]] == row[-2:] for row in found.rows())
    assert len(where) == 1

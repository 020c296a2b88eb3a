"""The synthetic city: the same for a seed, and like HuMob data in what is measured here."""

import hashlib

import numpy as np
import polars as pl
import pytest

from humobctl.data.synth.city import CATEGORIES, cells_at, degrees, make_city, places
from humobctl.data.synth.days import make_calendar
from humobctl.data.synth.people import choose
from humobctl.data.synth.run import SyntheticCity, write_city
from humobctl.errors import UsageError
from humobctl.io.read import read_table
from humobctl.tables.schemas import GRID, INTENTS, PLACES, PROFILES
from tests.messages import raises


def whole(city: SyntheticCity, batch: int | None = None) -> pl.DataFrame:
    return pl.concat(list(city.trajectories(batch)))


@pytest.fixture(scope="module")
def city() -> pl.DataFrame:
    return whole(SyntheticCity(users=300, days=75, seed=0))


def test_rows_are_a_grid_trajectory_in_order(city: pl.DataFrame) -> None:
    assert dict(city.schema) == GRID.dtypes
    GRID.schema.validate(city)
    keys = city.select("uid", "d", "t")
    assert keys.equals(keys.sort("uid", "d", "t"))
    assert keys.is_unique().all()
    assert city["uid"].n_unique() == 300
    assert (city["d"].min(), city["d"].max()) == (0, 74)
    assert city["x"].max() <= 200
    assert city["y"].max() <= 200


def test_people_do_not_depend_on_batches_nor_on_how_many_there_are(city: pl.DataFrame) -> None:
    first = city.filter(pl.col("uid") < 40)
    assert whole(SyntheticCity(40, 75, 0), batch=1).equals(first)
    assert whole(SyntheticCity(40, 75, 0), batch=7).equals(first)


def test_first_days_do_not_depend_on_how_many_there_are(city: pl.DataFrame) -> None:
    short = whole(SyntheticCity(40, 30, 0))
    assert short.equals(city.filter((pl.col("uid") < 40) & (pl.col("d") < 30)))


def test_another_seed_is_another_city() -> None:
    one, two = (whole(SyntheticCity(5, 20, seed)) for seed in (1, 2))
    assert not one.equals(two)
    assert whole(SyntheticCity(5, 20, 2**70)).height > 0


def test_one_user_and_one_day() -> None:
    frame = whole(SyntheticCity(users=30, days=1, seed=3))
    assert frame["d"].unique().to_list() == [0]


def test_a_user_day_looks_like_humob(city: pl.DataFrame) -> None:
    """Cities B and C: 12.9 rows a day that is seen, the middle 80 % from 4 or 5 to 22 or 23."""
    per_day = city.group_by("uid", "d").len()["len"]
    assert 11.5 < per_day.mean() < 14.5
    assert 3 <= per_day.quantile(0.1) <= 6
    assert 20 <= per_day.quantile(0.9) <= 25
    days = city.group_by("uid").agg(pl.col("d").n_unique())["d"]
    assert 66 < days.mean() < 72  # 70.2 and 68.3


def test_cells_look_like_humob(city: pl.DataFrame) -> None:
    """B and C: 124 and 143 cells a user, 27 % and 24 % of rows in the first of them."""
    visits = city.group_by("uid", "x", "y").len()
    cells = visits.group_by("uid").len()["len"]
    assert 105 < cells.median() < 160
    top = visits.group_by("uid").agg((pl.col("len").max() / pl.col("len").sum()).alias("top"))
    assert 0.20 < top["top"].mean() < 0.33
    gyration = city.group_by("uid").agg(
        ((pl.col("x").var(ddof=0) + pl.col("y").var(ddof=0)).sqrt() / 2).alias("km")
    )
    assert 5.0 < gyration["km"].median() < 9.0  # 7.6 and 6.6


def test_bursts_and_moves_look_like_humob(city: pl.DataFrame) -> None:
    """B and C: of rows in neighbouring slots, 23 % and 21 % are in the same cell."""
    after = city.with_columns(
        pl.col("t", "x", "y").cast(pl.Int32).shift(-1).over("uid", "d").name.suffix("_next")
    ).drop_nulls()
    beside = after.filter(pl.col("t_next") == pl.col("t") + 1)
    assert 0.55 < beside.height / after.height < 0.75  # 0.69 and 0.70
    same = (beside["x"] == beside["x_next"]) & (beside["y"] == beside["y_next"])
    assert 0.17 < same.mean() < 0.33


def test_nights_are_quiet_and_at_home(city: pl.DataFrame) -> None:
    by_slot = dict(city.group_by("t").len().iter_rows())
    assert 2.5 < by_slot[16] / by_slot[4] < 6  # 4.6 in city B
    top = (
        city.group_by("uid", "x", "y")
        .len()
        .sort("len", descending=True)
        .unique("uid", keep="first", maintain_order=True)
        .select("uid", home_x="x", home_y="y")
    )
    there = city.join(top, on="uid").with_columns(
        home=(pl.col("x") == pl.col("home_x")) & (pl.col("y") == pl.col("home_y"))
    )
    night = there.filter(pl.col("t") < 10)["home"].mean()
    noon = there.filter(pl.col("t").is_between(20, 32))["home"].mean()
    assert night > 0.42  # 0.53 and 0.49
    assert noon < 0.5 * night


def test_weekends_and_holidays_differ_from_working_days(city: pl.DataFrame) -> None:
    calendar = make_calendar(0, 75)
    assert calendar.holiday.any()
    people = pl.concat(list(SyntheticCity(300, 75, 0).profiles()))
    work = _cells_of(people, "work")
    noon = city.filter(pl.col("t").is_between(20, 32)).join(work, on="uid")
    at_work = noon.with_columns(
        near=((pl.col("x") - pl.col("cx")).abs() <= 1) & ((pl.col("y") - pl.col("cy")).abs() <= 1)
    )
    share = dict(at_work.group_by("d").agg(pl.col("near").mean()).iter_rows())
    free = (calendar.weekday == 0) | calendar.holiday
    working = ~free & (calendar.weekday != 6)
    on_free = np.mean([share[day] for day in np.flatnonzero(free)])
    assert np.mean([share[day] for day in np.flatnonzero(working)]) > 1.5 * on_free
    assert calendar.holiday[[day for day in range(75) if day % 7 in (0, 6)]].sum() == 0


def _cells_of(people: pl.DataFrame, what: str) -> pl.DataFrame:
    """Cells of home or work, back from degrees by the published grid."""
    lat, lon = people[f"{what}_lat"].to_numpy(), people[f"{what}_lon"].to_numpy()
    per_degree = 6371.0088 * np.pi / 180
    return pl.DataFrame(
        {
            "uid": people["uid"],
            "cx": np.floor((lon + 30) * per_degree * np.cos(np.radians(40)) / 0.5) + 1,
            "cy": np.floor((lat - 40) * per_degree / 0.5) + 1,
        }
    ).filter(pl.col("cx").is_not_nan())


def test_homes_of_profiles_are_where_the_nights_are(city: pl.DataFrame) -> None:
    people = pl.concat(list(SyntheticCity(300, 75, 0).profiles(batch=128)))
    assert people.equals(pl.concat(list(SyntheticCity(300, 75, 0).profiles())))
    nights = city.filter(pl.col("t") < 10).join(_cells_of(people, "home"), on="uid")
    away = ((pl.col("x") - pl.col("cx")) ** 2 + (pl.col("y") - pl.col("cy")) ** 2).sqrt()
    assert nights.select((away < 1.5).mean()).item() > 0.75


def test_returns_are_zipf_like(city: pl.DataFrame) -> None:
    """Shares of the second to fifth cell in B: .132 .073 .050 .036."""
    ranked = (
        city.group_by("uid", "x", "y")
        .len()
        .with_columns(rank=pl.col("len").rank("ordinal", descending=True).over("uid"))
        .with_columns(share=pl.col("len") / pl.col("len").sum().over("uid"))
    )
    share = dict(ranked.group_by("rank").agg(pl.col("share").mean()).iter_rows())
    for rank, real in ((2, 0.132), (3, 0.073), (4, 0.050), (5, 0.036)):
        assert share[rank] == pytest.approx(real, rel=0.35)


def test_profiles_are_checked_and_differ() -> None:
    people = pl.concat(list(SyntheticCity(500, 1, 0).profiles()))
    PROFILES.schema.validate(people.cast(PROFILES.dtypes))
    assert people.columns == PROFILES.columns
    assert people["uid"].to_list() == list(range(500))
    for column in ("education", "gender", "consumption", "occupation"):
        assert people[column].n_unique() >= 3
    assert people["home_lat"].null_count() == 0
    assert 20 < people["work_lat"].null_count() < 120  # about one in eight does not work


def test_places_cover_the_twelve_intents() -> None:
    frame = places(seed=0)
    PLACES.schema.validate(frame)
    assert frame.columns == PLACES.columns
    assert frame.height == 6000
    assert set(frame["intent"]) == set(INTENTS)
    assert set(frame["category"]) == set(CATEGORIES)
    assert frame["place_id"].is_unique().all()
    assert frame["name"].is_unique().all()
    of_category = frame.group_by("category").agg(pl.col("intent").n_unique())
    assert (of_category["intent"] == 1).all()
    assert frame["lat"].is_between(40, 41).all()
    assert frame["lon"].is_between(-30, -28).all()


def test_degrees_by_hand() -> None:
    """200 cells are 100 km: 100 / 111.195 degrees north, that over cos 40 degrees east."""
    lat, lon = degrees(np.array([0.0, 200.0]), np.array([0.0, 200.0]))
    assert lat.tolist() == pytest.approx([40.0, 40.899319], abs=1e-5)
    assert lon.tolist() == pytest.approx([-30.0, -28.826022], abs=1e-5)


def test_nobody_lives_in_the_sea() -> None:
    city = make_city(0)
    assert city.density.sum() == pytest.approx(1)
    assert 0.02 < (city.density == 0).mean() < 0.5
    cells = cells_at(city.homes, np.linspace(0, 0.999999, 5001))
    assert (city.density[cells] > 0).all()


def test_cells_at_by_hand() -> None:
    total = np.cumsum([0.25, 0.0, 0.5, 0.25])
    assert cells_at(total, np.array([0.0, 0.2, 0.25, 0.7, 0.75, 0.99])).tolist() == [
        *(0, 0, 2, 2, 3, 3)
    ]


def test_choose_takes_only_what_lies_inside_and_pulls() -> None:
    pull = np.zeros(40_000)
    pull[3 * 200 + 4] = 1.0
    spots = np.array([[[-5, 4.5], [3.5, 4.5], [9, 9]], [[-5, 4.5], [9, 9], [9, 9]]], np.float32)
    other = np.array([[1, 1], [2, 2]], np.float32)
    chosen = choose(pull, spots, np.array([0.999, 0.5], np.float32), other)
    assert chosen.tolist() == [[3.5, 4.5], [2.0, 2.0]]


def test_write_city_refuses_one_file_for_two_tables(tmp_path) -> None:
    same = str(tmp_path / "a.csv")
    with raises(UsageError, "--output and --places", "a.csv"):
        write_city(SyntheticCity(2, 2, 0), same, places=same)
    with raises(UsageError, "--output and --profiles", "standard output"):
        write_city(SyntheticCity(2, 2, 0), None, profiles="-")


def test_write_city_writes_what_the_readers_read(tmp_path) -> None:
    paths = [str(tmp_path / name) for name in ("t.parquet", "places.csv", "profiles.csv")]
    write_city(SyntheticCity(4, 10, 0), paths[0], places=paths[1], profiles=paths[2])
    assert read_table(paths[0]).equals(whole(SyntheticCity(4, 10, 0)))
    assert read_table(paths[1], PLACES).equals(places(0))
    assert read_table(paths[2], PROFILES).height == 4
    digest = hashlib.sha256(read_table(paths[0]).write_csv().encode()).hexdigest()
    write_city(SyntheticCity(4, 10, 0), paths[0])
    assert hashlib.sha256(read_table(paths[0]).write_csv().encode()).hexdigest() == digest

"""``data twin``: other people in the same city."""

import io

import numpy as np
import polars as pl
import pytest

import humobctl as hm
from humobctl.data.twin import fit, private, run
from humobctl.data.twin.logit import Choices, fit_weights
from humobctl.data.twin.private import noise_for
from humobctl.data.twin.rhythm import Presence, fit_rhythm
from humobctl.data.twin.run import turn_map
from humobctl.data.twin.space import noisy_density, ring, smooth
from humobctl.tables.cells import encode_cells
from humobctl.tables.schemas import GRID, VISITS
from tests.messages import fails, raises, says

USERS, DAYS = 20, 8


def make_city(users: int = USERS) -> pl.DataFrame:
    """Homes around (100, 100), works 10 cells east of them; a cafe of each user on odd days."""
    rows = []
    for uid in range(users):
        home = (100 + uid % 4, 100 + uid // 4)
        for d in range(DAYS):
            out = (home[0] + 10, home[1]) if d % 7 not in (0, 6) else home
            rows += [(uid, d, t, *home) for t in (2, 14, 44)]
            rows += [(uid, d, t, *out) for t in (20, 26, 30)]
            if d % 2:
                rows.append((uid, d, 38, home[0] + d, home[1] + 2))
    return pl.DataFrame(rows, schema=GRID.dtypes, orient="row")


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    """Nothing below is about the calibration but for its own test."""
    monkeypatch.setattr(fit, "ROUNDS", 0)


@pytest.fixture(scope="module")
def city(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("twin") / "city.csv"
    make_city().write_csv(path)
    return str(path)


def test_other_people_in_the_same_city_the_same_for_a_seed(cli, city) -> None:
    runs = [cli("data", "twin", city, "--users", "15", "--seed", seed) for seed in "334"]
    assert [(run.code, run.err) for run in runs] == [(0, "")] * 3
    assert runs[0].out == runs[1].out != runs[2].out
    made = pl.read_csv(io.StringIO(runs[0].out)).cast(dict(GRID.dtypes))
    GRID.schema.validate(made)
    assert made["uid"].unique().sort().to_list() == list(range(15))
    assert made["d"].max() == DAYS - 1
    # Six or seven records a day, and the night at one place.
    assert made.height == pytest.approx(15 * DAYS * 6.5, rel=0.25)
    assert made.filter(t=2)["x"].mean() == pytest.approx(101.5, abs=3)
    # Records are in the slots of the users', or beside.
    slots = {slot + near for slot in (2, 14, 20, 26, 30, 38, 44) for near in (-1, 0, 1)}
    assert made["t"].is_in(slots).mean() > 0.95


def test_calibration_lets_people_choose_as_users_did(city, monkeypatch) -> None:
    """A tally of weights that users chose more often than people raises those weights alone."""
    real, made = np.zeros(4), np.zeros(4)
    real[1:], made[1:] = (200, 100, 0), (100, 200, 0)
    ratio = fit._log_ratio(real, made)
    assert ratio[[0, 3]].tolist() == [0, 0]
    assert ratio[1] == pytest.approx(np.log(210 / 110))
    assert ratio[2] == -ratio[1]
    monkeypatch.setattr(fit, "ROUNDS", 1)
    assert hm.twin(city)["uid"].n_unique() == USERS  # as many as users by default


def test_masked_rows_are_left_out_and_many_users_sampled_and_both_said(
    cli, city, monkeypatch
) -> None:
    monkeypatch.setattr(run, "MOST_USERS", 19)
    masked = cli("data", "mask", city, "--from-day", "7").out
    done = cli("data", "twin", "--users", "1", input=masked)
    assert done.code == 0
    says(done.err, "stdin", make_city().filter(d=7).height)
    says(done.err, 19, USERS)


def test_fewer_users_than_hide_one_another_are_refused(cli, tmp_path) -> None:
    make_city(users=19).write_csv(tmp_path / "few.csv")
    fails(cli("data", "twin", tmp_path / "few.csv", "-o", tmp_path / "t.csv"), "few.csv", 19, 20)
    assert not (tmp_path / "t.csv").exists()


def test_another_table_is_refused(cli) -> None:
    done = cli("data", "twin", input="uid,d,seq,intent,start_min,end_min\n1,0,0,eat,0,30\n")
    fails(done, "stdin", "plan", "grid")


def test_visits_become_visits_around_the_same_place() -> None:
    rows = make_city()
    visits = pl.DataFrame(
        {
            "uid": rows["uid"],
            "d": rows["d"],
            "seq": pl.int_range(rows.height, eager=True) % 100,
            "start_min": rows["t"].cast(pl.Int64) * 30,
            "end_min": rows["t"].cast(pl.Int64) * 30 + 60,
            "lat": 39.0 + rows["y"] * 0.0045,
            "lon": 116.0 + rows["x"] * 0.006,
        }
    )
    made = hm.twin(visits, users=6)
    assert dict(made.schema) == VISITS.dtypes
    VISITS.schema.validate(made)
    assert made["uid"].n_unique() == 6
    assert made["lat"].mean() == pytest.approx(visits["lat"].mean(), abs=0.02)
    assert {"go home", "go to work"} <= set(made["intent"].drop_nulls().to_list())
    assert made.group_by("uid", "d").agg(pl.col("seq").max() + 1 - pl.len())["seq"].sum() == 0


def test_shift_turns_or_mirrors_the_map_and_keeps_distances(city) -> None:
    plain, shifted = (hm.twin(city, users=4, shift=shift) for shift in (False, True))
    cells = [encode_cells(*(table[axis].to_numpy() for axis in "xy")) for table in (plain, shifted)]
    assert (cells[0] != cells[1]).any()
    assert (ring(cells[0], cells[0][:1]) == ring(cells[1], cells[1][:1])).all()


def test_turns_of_the_map() -> None:
    corner = pl.DataFrame({"x": [1], "y": [2]})
    turned = [turn_map(corner, turn).row(0) for turn in range(1, 8)]
    expected = [(200, 2), (1, 199), (200, 199), (2, 1), (2, 200), (199, 1), (199, 200)]
    assert turned == expected


def test_noise_is_that_of_an_accountant() -> None:
    """Values of dp-accounting 0.6.0: three Gaussian mechanisms, PLDAccountant, delta 1e-5."""
    assert noise_for(1) == pytest.approx(6.461643537, rel=1e-6)
    assert noise_for(4) == pytest.approx(1.872627458, rel=1e-6)


def test_differential_privacy_takes_habits_of_the_synthetic_city(city, monkeypatch) -> None:
    monkeypatch.setattr(private, "_PUBLIC_USERS", 20)
    made = hm.twin(city, users=10, epsilon=1000.0)
    assert made["x"].median() == pytest.approx(104, abs=8)
    with raises(hm.UsageError, "--epsilon", -1):
        hm.twin(city, epsilon=-1.0)


def test_a_density_is_shared_by_several_people() -> None:
    """Four neighbours and one 10 cells away, where five are to share a square."""
    cells = encode_cells(np.array([50, 51, 50, 51, 60]), np.array([50, 50, 51, 51, 50]))
    density = smooth(np.arange(5), cells, np.ones(5), shared=5)
    assert density.sum() == pytest.approx(1)
    # The far one's cell is no likelier than others as far from the four.
    assert density[cells[4]] < density[encode_cells(np.array([55]), np.array([50]))[0]] * 1.01


def test_more_users_share_a_density(city) -> None:
    """Where all do, no cell stands out as much as where five do."""
    users = fit.read_users(pl.read_csv(city))
    few, all_ = (fit.fit_densities(users, shared)[1] for shared in (5, users.count))
    assert few.max() > 1.2 * all_.max()
    made = hm.twin(city, users=2, shared=5)
    assert made["uid"].n_unique() == 2
    assert not made.equals(hm.twin(city, users=2))
    with raises(hm.UsageError, "--shared", "--epsilon"):
        hm.twin(city, shared=30, epsilon=1.0)


def test_noise_is_averaged_until_a_density_stands_out() -> None:
    table = np.random.default_rng(0).normal(0, 1, 40_000)
    table[encode_cells(np.array([30]), np.array([30]))] += 100
    density = noisy_density(table, 1.0)
    assert density.sum() == pytest.approx(1)
    assert density.argmax() == encode_cells(np.array([30]), np.array([30]))[0]


def test_weights_give_the_fractions_that_were_chosen() -> None:
    """Of 400 events between two alternatives 300 take the first: log 3 apart, but for the ridge."""
    bins = np.tile([[1], [2]], (400, 1))
    event = np.repeat(np.arange(400), 2)
    chosen = np.arange(400) * 2 + (np.arange(400) >= 300)
    owner = np.zeros(400, np.int64)
    found = fit_weights(Choices(bins, event, chosen, owner, np.zeros(800), 3))
    assert found[1] - found[2] == pytest.approx(np.log(3), abs=0.05)
    assert found[0] == 0


def test_a_rhythm_has_as_many_records_in_the_same_slots() -> None:
    rng = np.random.default_rng(0)
    chance = np.where(np.arange(48) < 12, 0.02, 0.3) * rng.uniform(0.3, 1.7, (30, 1, 1))
    seen = rng.random((30, 40, 48)) < chance
    off = np.arange(40) % 7 == 0
    rhythm, more, none = fit_rhythm(Presence(seen, off))
    assert np.corrcoef(more, seen.sum(axis=(1, 2)))[0, 1] > 0.9
    made = rhythm.draw_slots(off, rhythm.draw_levels(off, more, none, rng), rng)
    assert made.mean() == pytest.approx(seen.mean(), rel=0.1)
    assert made[..., :12].mean() == pytest.approx(seen[..., :12].mean(), abs=0.01)

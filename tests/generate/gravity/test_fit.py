"""Parameters found again in visits that were made by them."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from humobctl.errors import HumobError, UsageError
from humobctl.generate.gravity.config import Law
from humobctl.generate.gravity.distance_weights import (
    BINS,
    FIRST,
    LAST,
    DistanceWeights,
    bin_of,
    load_weights,
)
from humobctl.generate.gravity.fit import fit_law, jumps_of
from humobctl.generate.gravity.fit_returns import fit_returns
from humobctl.generate.gravity.fit_weights import trips_of
from tests.generate.gravity.cities import at_home, city, plans, visits
from tests.messages import raises, says

HOME, EAT = "go home", "eat"
DAY = [(HOME, 0, 100), (EAT, 200, 300), (HOME, 400, 500), (EAT, 600, 700), (EAT, 800, 1440)]


@pytest.fixture(scope="module")
def town():
    rng = np.random.default_rng(2)
    return city(np.concatenate([rng.normal(0, 3000, (700, 2)), rng.uniform(-9000, 9000, (300, 2))]))


def made(law: Law, town, people=700) -> pl.DataFrame:
    return visits(plans(*[DAY] * people), town, at_home(), law=law)


@pytest.mark.parametrize("name", ["gravity", "power", "epr"])
@pytest.mark.parametrize("exponent", [0.7, 2.4])
def test_the_exponent_is_found_again(town, name, exponent, capsys) -> None:
    law = Law(name, exponent=exponent, rho=1.0, gamma=0.0)
    found = fit_law(Law(name), made(law, town), town)
    assert found.exponent == pytest.approx(exponent, abs=0.12)
    says(capsys.readouterr().err, "displacements", "exponent")


def test_the_scale_is_found_again(town) -> None:
    found = fit_law(Law("exponential"), made(Law("exponential", scale=1.4), town), town)
    assert found.scale == pytest.approx(1.4, rel=0.08)


def test_the_tendencies_are_found_again(town) -> None:
    law = Law("opportunity", alpha=0.6, beta=0.1)
    found = fit_law(Law("opportunity"), made(law, town, 3000), town)
    assert (found.alpha, found.beta) == pytest.approx((0.6, 0.1), abs=0.15)


MIDDLES = np.geomspace(FIRST, LAST, BINS - 1)
FROM_HOME, ELSEWHERE = (tuple(np.minimum(1, 2 / np.append(MIDDLES, LAST)) ** k) for k in (1, 2))


def test_weights_and_returns_are_found_again(town, tmp_path, capsys) -> None:
    weights = DistanceWeights(FROM_HOME, FROM_HOME, ELSEWHERE, back=0.4, away=0.3)
    day = [*DAY[:3], ("go to work", 520, 560), (EAT, 600, 700), (EAT, 800, 900)]
    day += [(EAT, 1000, 1200), (HOME, 1300, 1440)]
    law = Law("empirical", 3.0, weights=weights)
    homes = at_home(work=(2000.0, 0.0))
    made_by_it = visits(plans(*[day] * 3000), town, homes, law=law)
    # Each commutes from home, as on the way from lunch above nobody does.
    commutes = visits(
        plans(*[[(HOME, 0, 100), ("go to work", 200, 300)]] * 40),
        town,
        homes,
        law=law,
    ).with_columns(uid=pl.col("uid") + 10_000)
    found = fit_law(Law("empirical"), pl.concat([made_by_it, commutes]), town).weights
    assert found is not None
    says(capsys.readouterr().err, "trips", "to work from home", "return")
    assert (found.back, found.away) == pytest.approx((0.4, 0.3), abs=0.03)
    bins = bin_of(np.array([1.0, 3.0, 5.0, 8.0]))
    for one, true in ((found.home, FROM_HOME), (found.elsewhere, ELSEWHERE)):
        ratio = np.array(one)[bins] / np.array(true)[bins]
        assert ratio / ratio[0] == pytest.approx(np.ones(4), rel=0.25)
    found.save(str(tmp_path / "law.json"))
    assert load_weights(tmp_path / "law.json") == found


def weeks(count: int, uids: int) -> pl.DataFrame:
    """People who eat out once a day."""
    days = plans(*[[(HOME, 0, 100), (EAT, 200, 300), (HOME, 400, 1440)]] * uids)
    parts = [days.with_columns(d=pl.lit(d, pl.Int16)) for d in range(count)]
    return pl.concat(parts).sort("uid", "d", maintain_order=True)


def law_of(rho: float, gamma: float) -> Law:
    flat = (1.0,) * BINS
    weights = DistanceWeights(flat, flat, flat, back=0.0, rho=rho, gamma=gamma)
    return Law("empirical", 3.0, weights=weights)


def test_exploration_on_later_days_is_found_again(town) -> None:
    made_by_it = visits(weeks(8, 1000), town, at_home(), law=law_of(0.9, 0.4))
    returns = trips_of(made_by_it, town).over_days
    assert len(returns.known) == 7000
    assert fit_returns(returns) == pytest.approx((0.9, 0.4), abs=0.1)


def test_days_of_one_day_leave_exploration_as_published(tmp_path) -> None:
    """A law of a file without it, too; and a chance above 1 is none."""
    town = city(np.random.default_rng(1).normal(0, 3000, (300, 2)))
    found = fit_law(Law("empirical"), made(law_of(1.0, 0.0), town, 30), town).weights
    assert found is not None
    assert (found.rho, found.gamma) == (0.6, 0.21)
    found.save(str(tmp_path / "law.json"))
    record = json.loads((tmp_path / "law.json").read_text())
    older = {name: value for name, value in record.items() if name not in ("rho", "gamma")}
    (tmp_path / "law.json").write_text(json.dumps(older))
    assert load_weights(tmp_path / "law.json") == found
    (tmp_path / "law.json").write_text(json.dumps({**record, "rho": -1}))
    with raises(HumobError, "law.json", "rho", -1, "0 to 10"):
        load_weights(tmp_path / "law.json")


def test_homes_and_works_of_stays_without_intents() -> None:
    """Home is where the day begins; work the longest stay more than a kilometre away."""
    where = city([(0, 0), (400, 0), (5000, 0), (6000, 0)], None)
    day = [(HOME, 0, 100), (EAT, 100, 500), (EAT, 510, 800), (EAT, 810, 900), (EAT, 910, 1440)]
    table = visits(plans(day), where, at_home(), law=Law("random"))
    at = [0, 1, 2, 3, 2]
    table = table.with_columns(
        intent=pl.lit(None, pl.String),
        lat=pl.Series(where.lat[at]),
        lon=pl.Series(where.lon[at]),
    )
    trips = trips_of(table, where)
    # 400 m away is free though it is longest, 5 km is work (not from home: left out), as the way
    # back to it is; 6 km is free.
    assert trips.kind.tolist() == [1, 2]
    assert trips.away == pytest.approx([0.4, 1.0], abs=0.01)
    assert (trips.returned, trips.could) == (0, 1)
    assert (trips.nights_away, trips.nights) == (1, 1)
    assert len(trips.over_days.known) == 0  # of a single day
    # Of a user with known homes, stays without an intent are at neither home nor work.
    known = table.with_columns(intent=pl.when(pl.col("seq") == 0).then(pl.lit(HOME)))
    assert trips_of(known, where).kind.tolist() == [1, 2, 2]


def test_returns_over_days_by_hand() -> None:
    """Home on all days; 1 on the first, 1 and 2 on the second, 1 and 3 on the third."""
    where = city([(0, 0), (400, 0), (5000, 0), (6000, 0)], None)
    at = [[0, 1], [0, 1, 2, 1], [0, 3, 1]]
    rows = [
        (0, d, k, HOME if p == 0 else EAT, p) for d, day in enumerate(at) for k, p in enumerate(day)
    ]
    names = ["uid", "d", "seq", "intent", "place"]
    table = pl.DataFrame(rows, schema=names, orient="row").with_columns(
        start_min=pl.col("seq") * 60,
        end_min=pl.col("seq") * 60 + 30,
        lat=pl.Series(where.lat).gather(pl.Series([row[-1] for row in rows])),
        lon=pl.Series(where.lon).gather(pl.Series([row[-1] for row in rows])),
    )
    found = trips_of(table, where).over_days
    # On the second day home and 1 are known: 1, then 2; the second 1 is of the same day. On the
    # third home, 1 and 2: 3, then 1.
    assert found.known.tolist() == [2, 2, 3, 3]
    assert found.returned.tolist() == [True, False, False, True]


def test_ways_home_are_no_choices(town) -> None:
    table = made(Law(), town, 100)
    with_intents = jumps_of(table, town, 10.0)
    assert len(with_intents.away) == 300
    # Without intents, ways back to the first place of the day are left out: the same jumps here.
    without = jumps_of(table.with_columns(intent=pl.lit(None, pl.String)), town, 10.0)
    assert sorted(without.away) == pytest.approx(sorted(with_intents.away))


def test_candidates_by_distance() -> None:
    where = city([(500, 0), (0, 1500), (0, -1500), (9500, 0), (0, 12_000)])
    table = visits(plans(*[DAY[:2]] * 30), where, at_home())
    jumps = jumps_of(table, where, 10.0)
    assert jumps.by_ring().tolist() == [[1, 2, 0, 0, 0, 0, 0, 0, 0, 1]] * 30
    assert jumps.area()[:2] == pytest.approx([np.pi, 3 * np.pi])


def test_too_few_jumps_and_laws_without_parameters(town) -> None:
    with raises(HumobError, "--fit", 18, "10 km"):
        fit_law(Law(), made(Law(), town, 6), town)
    with raises(UsageError, "law radiation", "--fit"):
        fit_law(Law("radiation"), made(Law(), town, 6), town)
    with raises(HumobError, "--fit", "trips", 20):
        fit_law(Law("empirical"), made(Law(), town, 6), town)

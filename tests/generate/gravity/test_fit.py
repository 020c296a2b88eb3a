"""Parameters found again in visits that were made by them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from humobctl.errors import HumobError, UsageError
from humobctl.generate.gravity.config import Law
from humobctl.generate.gravity.fit import fit_law, jumps_of
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

"""Works with jobs, and places with visits: shares that are worked out by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from humobctl.errors import HumobError
from humobctl.generate.gravity.config import Law
from humobctl.generate.gravity.distance_weights import BINS, DistanceWeights, bin_of
from humobctl.generate.gravity.homes import HomesAndWorks
from humobctl.generate.gravity.jobs import balance
from humobctl.generate.gravity.places import city_of, copies_of
from humobctl.generate.gravity.run import GravityJob
from tests.generate.gravity.cities import places, plans
from tests.messages import raises, says

HOME, WORK, EAT = "go home", "go to work", "eat"
WEIGHTS = np.where(np.arange(BINS) < bin_of(np.array([2.0]))[0], 4.0, 1.0) / 4
"""Works at home's side weigh four times as much as those 3 km away."""
LAW = Law("empirical", weights=DistanceWeights(*[tuple(WEIGHTS)] * 3, back=0.0))
SPOTS = np.array([[0.0, 0.0], [3.0, 0.0]])
NEAR_IN_ONE = (35 - 73**0.5) / 30
"""Of as many people in two homes, those of the first who work beside it, if there are 60 % of the
jobs: shares x, 1 - x and 1.2 - x, x - .2 whose odds ratio is 4 * 4, so 15 x^2 - 35 x + 19.2 = 0."""


def test_shares_of_two_homes_and_two_works() -> None:
    jobs = np.array([60.0, 40.0])
    factor, off = balance(SPOTS, people=np.ones(2), works=SPOTS, jobs=jobs, weights=WEIGHTS)
    pull = np.array([[4, 1], [1, 4]]) * jobs * factor
    assert off < 0.01
    assert pull[0, 0] / pull[0].sum() == pytest.approx(NEAR_IN_ONE, abs=0.005)


def town(**columns) -> pl.DataFrame:
    """Two homes 3 km apart, and a work 10 m beside each."""
    points = [(0, 0), (3000, 0), (0, 10), (3000, 10)]
    return places(points, [HOME, HOME, WORK, WORK]).with_columns(
        pl.Series(name, values) for name, values in columns.items()
    )


@pytest.mark.parametrize(
    ("jobs", "near", "second"),
    [([None, None, 60.0, 40.0], NEAR_IN_ONE, 0.4), ([None, None, 5.0, 0.0], 1, 0)],
)
def test_works_fill_in_proportion_to_their_jobs(capsys, jobs, near, second) -> None:
    where = city_of(town(jobs=jobs))
    days = plans(*[[(HOME, 0, 100), (WORK, 200, 1440)]] * 6000)
    job = GravityJob(where, HomesAndWorks(where, commute=LAW), LAW)
    rows = pl.concat(list(job.run([days])))["place_id"].to_numpy().reshape(-1, 2)
    says(capsys.readouterr().err, "in proportion to their jobs")
    assert (rows[:, 1] == "p3").mean() == pytest.approx(second, abs=0.02)
    first = rows[rows[:, 0] == "p0"]
    assert (first[:, 1] == "p2").mean() == pytest.approx(near, abs=0.02)


def test_jobs_that_are_0_everywhere_are_refused() -> None:
    where = city_of(town(jobs=[0.0] * 4))
    with raises(HumobError, "jobs", "0 everywhere"):
        HomesAndWorks(where, commute=LAW)


def test_places_attract_by_their_visits_and_one() -> None:
    table = places([(500, 0), (0, 500), (-500, 0)], EAT)
    where = city_of(table.with_columns(visits=pl.Series([0.0, 4.0, None])))
    days = plans(*[[(HOME, 0, 100), (EAT, 200, 1440)]] * 7000)
    pairs = pl.DataFrame(
        {
            f"{what}_{axis}": [at]
            for what in ("home", "work")
            for axis, at in (("lat", 39.9), ("lon", 116.4))
        }
    )
    job = GravityJob(where, HomesAndWorks(where, snap=0.0, pairs=pairs), LAW)
    eaten = pl.concat(list(job.run([days]))).filter(intent=EAT)["place_id"]
    share = [(eaten == name).mean() for name in ("p0", "p1", "p2")]
    assert share == pytest.approx([1 / 7, 5 / 7, 1 / 7], abs=0.02)


def test_copies_keep_proportions() -> None:
    assert copies_of(np.array([1.0, 5.0, 0.0])).tolist() == [1, 5, 0]
    assert copies_of(np.array([0.5, 1.5, 0.0])).tolist() == [12, 36, 0]
    assert copies_of(np.array([1e-9, 1.0])).tolist() == [1, 32]

"""Laws of flows: towns worked out by hand, what is kept, likelihoods, files."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from humobctl.errors import HumobError, UsageError
from humobctl.evaluate.flows.metrics import Flows
from humobctl.generate.flows import areas as region_module
from humobctl.generate.flows.areas import LEAST_KM, Pairs, between, region_of
from humobctl.generate.flows.config import FLOW_LAWS, FlowLaw, load_law
from humobctl.generate.flows.fit import fit
from humobctl.generate.flows.model import draw_trips, flows
from humobctl.generate.flows.opportunities import OPPORTUNITY_LAWS, extended_radiation, radiation
from humobctl.tables.schemas import AREAS
from tests.conftest import Cli
from tests.messages import raises, says

KM = 111.19508
"""A degree of the equator."""


def line(east: list[float], people: list[float]):
    """Areas on the equator, at kilometres east of a point."""
    count = len(east)
    return region_of(
        pl.DataFrame(
            {
                "area_id": [chr(ord("a") + n) for n in range(count)],
                "lat": [0.0] * count,
                "lon": [km / KM for km in east],
                "population": people,
                "outflow": [None] * count,
            },
            schema=AREAS.dtypes,
        )
    )


TOWNS = line([0, 10, 20, 40], [10, 20, 30, 40])


def made(law: FlowLaw, region, outflow, origins=None) -> np.ndarray:
    return np.concatenate(
        [part for _, part in flows(law, region, np.array(outflow, float), origins)]
    )


def test_distances_and_the_nearest_of_them() -> None:
    (block,) = Pairs(TOWNS, np.array([0, 2]))
    assert block.km.tolist()[0] == pytest.approx([LEAST_KM, 10, 20, 40], abs=1e-4)
    assert block.other.tolist() == [[False, True, True, True], [True, True, False, True]]


def test_intervening_opportunities_by_hand() -> None:
    (block,) = Pairs(TOWNS, np.arange(4))
    nearer, together = between(block.km, TOWNS.population, block.rows)
    assert nearer[0].tolist() == [0, 0, 20, 50]
    # From b, a and c are equally far, up to rounding: one destination of 40 people.
    assert nearer[1].tolist() == [0, 0, 0, 40]
    assert together[1].tolist() == [40, 20, 40, 40]
    assert nearer[3].tolist() == [50, 30, 0, 0]
    assert together[3].tolist() == [10, 20, 30, 40]


def test_radiation_shares_between_equally_far_towns_by_hand() -> None:
    # From b: a and c as one of 40, 20*40 / (20*60) = 2/3, by 10 to 30; d 20*40 / (60*100) = 2/15.
    # They sum to 1 - 20/100.
    found = made(FlowLaw("radiation"), TOWNS, [0, 24, 0, 0])
    assert found[1].tolist() == pytest.approx([5, 0, 15, 4])


LAWS_OF_FLOWS = {
    **{
        name: FlowLaw(name).with_default_parameters()
        for name in ("radiation", "extended-radiation")
    },
    "opportunities": FlowLaw("opportunities", parameters={"gamma": 3e-4}),
    "gravity": FlowLaw().with_default_parameters(),
}


def grid_of(order: list[int], mass: list[float], centre: tuple[float, float] = (0.0, 0.0)):
    """Nine areas, a hundredth of a degree apart, in some order of the file."""
    number = np.array(order)
    columns = {
        "area_id": [str(n) for n in order],
        "lat": centre[0] + 0.01 * (number // 3 - 1),
        "lon": centre[1] + 0.01 * (number % 3 - 1),
        "population": np.array(mass, float)[number],
        "outflow": np.full(9, 900.0),
    }
    return region_of(pl.DataFrame(columns, schema=AREAS.dtypes))


@pytest.mark.parametrize("name", LAWS_OF_FLOWS)
@given(st.permutations(range(9)), st.lists(st.integers(1, 5000), min_size=9, max_size=9))
def test_the_order_of_the_file_makes_no_difference(
    name: str, order: list[int], mass: list[int]
) -> None:
    law = LAWS_OF_FLOWS[name]
    plain, other = (grid_of(each, mass, (40.1, 116.3)) for each in (list(range(9)), order))
    expected = made(law, plain, plain.outflow)[np.ix_(order, order)]
    assert made(law, other, other.outflow) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", LAWS_OF_FLOWS)
def test_equal_neighbours_equally_far_get_equal_flows(name: str) -> None:
    law = LAWS_OF_FLOWS[name]
    region = grid_of(list(range(9)), [1000.0] * 9)
    found = made(law, region, region.outflow)[4]
    assert found[[1, 3, 5, 7]] == pytest.approx(np.full(4, found[1]))
    assert found[[0, 2, 6, 8]] == pytest.approx(np.full(4, found[0]))
    if name == "radiation":  # 1000*4000 / (1000*5000), over 1 - 1/9, in four
        assert found[1] == pytest.approx(900 * 0.8 / (8 / 9) / 4)


def test_radiation_of_four_towns_by_hand() -> None:
    found = made(FlowLaw("radiation"), TOWNS, [27, 0, 0, 60])
    # 2/3, 1/6 and 1/15, which sum to 1 - 10/100: divided by 0.9.
    assert found[0].tolist() == pytest.approx([0, 20, 5, 2])
    assert found[1].tolist() == [0, 0, 0, 0]
    # From d, c is nearest: 40*30 / (40*70) = 3/7, 40*20 / (70*90), 40*10 / (90*100); over 0.6.
    shares = np.array([2 / 45, 8 / 63, 3 / 7]) / 0.6
    assert found[3, :3].tolist() == pytest.approx((60 * shares).tolist())


def test_extended_radiation_with_alpha_one_is_radiation_of_large_masses() -> None:
    mass, nearer = np.array([1e6, 2e6, 3e6]), np.array([[0.0, 0.0, 2e6]])
    plain = radiation(mass[:1], mass, nearer)[0, 1:]
    extended = extended_radiation(mass[:1], mass, nearer, 1.0)[0, 1:]
    assert (plain / plain.sum()).tolist() == pytest.approx((extended / extended.sum()).tolist())


def test_opportunities_by_hand() -> None:
    law = FlowLaw("opportunities", parameters={"gamma": np.log(2) / 10})
    # Each ten people halve those who go on: from a, 1 - 1/4, then 1/4 - 1/32, then 1/32 - 1/512.
    weights = np.array([3 / 4, 1 / 4 - 1 / 32, 1 / 32 - 1 / 512])
    found = made(law, TOWNS, [1, 0, 0, 0])
    assert found[0, 1:].tolist() == pytest.approx((weights / weights.sum()).tolist())


def test_gravity_by_hand() -> None:
    law = FlowLaw().with_default_parameters()
    # From a: 20/100, 30/400, 40/1600.
    assert made(law, TOWNS, [12, 0, 0, 0])[0].tolist() == pytest.approx([0, 8, 3, 1], abs=1e-3)
    steep = FlowLaw(
        "gravity",
        "exponential",
        "origin",
        parameters={"destination_exponent": 0.0, "decay_per_km": 0.1},
    )
    weights = np.exp([-1.0, -2.0, -4.0])
    found = made(steep, TOWNS, [1, 0, 0, 0])[0, 1:]
    assert found.tolist() == pytest.approx((weights / weights.sum()).tolist(), rel=1e-4)


def test_gravity_with_the_total_kept() -> None:
    law = FlowLaw("gravity", "power", "total").with_default_parameters()
    found = made(law, TOWNS, [5, 5, 5, 5])
    assert found.sum() == pytest.approx(20)
    # m_i m_j / d^2: a to b 200/100, c to d 1200/400.
    assert found[2, 3] / found[0, 1] == pytest.approx(1.5, rel=1e-4)


def test_far_away_areas_do_not_vanish() -> None:
    far = line([0, 9000, 18000], [5, 5, 5])
    law = FlowLaw(
        "gravity", "exponential", parameters={"destination_exponent": 1.0, "decay_per_km": 1.0}
    )
    assert made(law, far, [3, 0, 0])[0].tolist() == pytest.approx([0, 3, 0])


def test_areas_without_people() -> None:
    region = line([0, 10, 20], [0, 10, 0])
    for law in (FlowLaw().with_default_parameters(), FlowLaw("radiation")):
        assert made(law, region, [4, 4, 4]).tolist() == [[0, 4, 0], [0, 0, 0], [0, 4, 0]]


people = st.lists(st.integers(0, 10**6), min_size=3, max_size=8).filter(lambda m: sum(m) > 0)


@given(people, st.data())
def test_outflows_are_conserved(mass: list[int], data: st.DataObject) -> None:
    count = len(mass)
    east = data.draw(st.lists(st.floats(0, 1000), min_size=count, max_size=count))
    outflow = data.draw(st.lists(st.integers(0, 1000), min_size=count, max_size=count))
    region = line(east, [float(m) for m in mass])
    laws = [
        FlowLaw(name, parameters={key: value or 1e-6 for key, value in law.parameters.items()})
        for name, law in OPPORTUNITY_LAWS.items()
    ]
    for law in (FlowLaw().with_default_parameters(), *laws):
        found = made(law, region, outflow)
        assert not np.diag(found).any()
        assert (found >= 0).all()
        for row in range(count):
            reachable = sum(mass) - mass[row] > 0
            expected = outflow[row] if reachable else 0
            assert found[row].sum() == pytest.approx(expected)


def test_blocks_make_no_difference(monkeypatch) -> None:
    law = FlowLaw("gravity", "power", "total").with_default_parameters()
    whole = made(law, TOWNS, [1, 2, 3, 4])
    monkeypatch.setattr(region_module, "BLOCK_PAIRS", 4)
    monkeypatch.setattr(region_module, "KEPT_PAIRS", 0)
    assert made(law, TOWNS, [1, 2, 3, 4]) == pytest.approx(whole)


def test_draws_are_whole_and_each_origin_has_its_own() -> None:
    mean = np.array([[0, 30.4, 20.0], [5.0, 0, 7.5]])
    both = draw_trips(np.array([0, 1]), mean, "origin", 3)
    assert both.sum(axis=1).tolist() == [50, 12]
    assert np.array_equal(both, np.rint(both))
    assert draw_trips(np.array([1]), mean[1:], "origin", 3).tolist() == both[1:].tolist()
    assert draw_trips(np.array([0, 1]), mean, "none", 3)[0, 0] == 0


# -- fitting ------------------------------------------------------------------------------------


def city(seed: int = 0, count: int = 12):
    rng = np.random.default_rng(seed)
    return region_of(
        pl.DataFrame(
            {
                "area_id": [str(n) for n in range(count)],
                "lat": rng.uniform(40, 41, count),
                "lon": rng.uniform(-75, -74, count),
                "population": rng.uniform(1e3, 1e5, count),
                "outflow": np.full(count, 1000.0),
            },
            schema=AREAS.dtypes,
        )
    )


def as_flows(matrix: np.ndarray) -> Flows:
    origin, destination = np.nonzero(matrix)
    return Flows(origin, destination, matrix[origin, destination], len(matrix))


@pytest.mark.parametrize(
    "law",
    [
        FlowLaw(
            "gravity", "power", parameters={"destination_exponent": 0.7, "distance_exponent": 1.6}
        ),
        FlowLaw(
            "gravity", "exponential", parameters={"destination_exponent": 1.1, "decay_per_km": 0.03}
        ),
        FlowLaw(
            "gravity",
            "combined",
            parameters={
                "destination_exponent": 1.0,
                "distance_exponent": 0.5,
                "decay_per_km": 0.02,
            },
        ),
        FlowLaw(
            "gravity",
            "power",
            "none",
            parameters={
                "log_scale": -3.0,
                "origin_exponent": 0.8,
                "destination_exponent": 0.6,
                "distance_exponent": 2.0,
            },
        ),
        FlowLaw("extended-radiation", parameters={"alpha": 0.6}),
        FlowLaw("opportunities", parameters={"gamma": 5e-6}),
    ],
    ids=lambda law: f"{law.name}-{law.deterrence}-{law.constraint}",
)
def test_a_law_is_found_again_in_its_mean_flows(law: FlowLaw) -> None:
    region = city()
    found = fit(replace(law, parameters={}), region, as_flows(made(law, region, region.outflow)))
    assert found.law.parameters == pytest.approx(law.parameters, rel=2e-3)


def test_the_fit_is_the_maximum_of_the_poisson_likelihood() -> None:
    """Against the likelihood written out, with a parameter for each origin."""
    region = city(count=5)
    trips = np.random.default_rng(1).poisson(40, (5, 5)).astype(float)
    np.fill_diagonal(trips, 0)
    (block,) = Pairs(region, np.arange(5))

    def deviance(point: np.ndarray) -> float:
        logs = point[:5, None] + point[5] * np.log(region.population) - point[6] * np.log(block.km)
        mean = np.where(block.other, np.exp(logs), 0)
        return float(mean.sum() - (trips * np.where(block.other, logs, 0)).sum())

    start = np.array([*[3.0] * 5, 0.0, 0.0])
    best = minimize(deviance, start, method="BFGS", options={"gtol": 1e-6}).x
    found = fit(FlowLaw(), region, as_flows(trips)).law.parameters
    assert [*found.values()] == pytest.approx(best[5:].tolist(), abs=1e-3)


def test_attractions_are_found_and_help_on_other_origins() -> None:
    region = city(count=14)
    truth = {str(n): float(f) for n, f in enumerate(np.geomspace(0.1, 10, 14))}
    law = FlowLaw(
        "gravity",
        "power",
        mass="attraction",
        parameters={"destination_exponent": 1.0, "distance_exponent": 1.5},
        masses=truth,
    )
    every = made(law, region, region.outflow)
    known = every.copy()
    known[10:] = 0
    found = fit(replace(law, parameters={}, masses={}), region, as_flows(known)).law
    plain = fit(FlowLaw(), region, as_flows(known)).law
    apart = [
        np.abs(made(one, region, region.outflow)[10:] - every[10:]).sum() for one in (found, plain)
    ]
    assert apart[0] < apart[1] / 10
    assert found.masses["13"] > 5 * found.masses["1"]


def test_trips_within_areas_and_to_empty_ones_are_told_of() -> None:
    region = line([0, 10, 20], [10, 20, 0])
    trips = np.array([[5.0, 3.0, 1.0], [2.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
    found = fit(FlowLaw(), region, as_flows(trips))
    assert (found.within, found.lost, found.trips, found.origins) == (5, 1, 9, 3)


def test_nothing_to_fit_to() -> None:
    with raises(HumobError, "no trips", "two areas"):
        fit(FlowLaw(), TOWNS, as_flows(np.diag([1.0, 2, 3, 4])))


# -- law files ----------------------------------------------------------------------------------


def test_a_law_file_holds_the_law(tmp_path) -> None:
    values = {"destination_exponent": 0.5, "decay_per_km": 0.1}
    law = FlowLaw("gravity", "exponential", "origin", "inflow", values, {"a": 2.0})
    law.save(str(tmp_path / "law.json"))
    assert load_law(str(tmp_path / "law.json")) == law


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"name": "gravitation"}, ("name", "'gravitation'", "gravity")),
        ({"parameters": {"alpha": "1"}}, ("parameters", "finite numbers")),
        ({"parameters": {"alpha": float("nan")}}, ("parameters", "finite numbers")),
        ({"parameters": {}}, ("parameters", "alpha")),
        ({"more": 1}, ("name",)),
    ],
)
def test_law_files_with_faults(tmp_path, change, names) -> None:
    path = tmp_path / "law.json"
    FlowLaw("extended-radiation", parameters={"alpha": 1.0}).save(str(path))
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with raises(HumobError, "law.json", *names):
        load_law(str(path))


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "radiation", "deterrence": "exponential"},
        {"name": "radiation", "constraint": "total"},
        {"name": "opportunities", "mass": "attraction"},
    ],
)
def test_what_does_not_go_together(wrong) -> None:
    with raises(UsageError, "--law gravity"):
        FlowLaw(**wrong)


@pytest.mark.parametrize(
    "law", [FlowLaw("opportunities"), FlowLaw(deterrence="exponential"), FlowLaw(mass="inflow")]
)
def test_what_only_flows_can_tell(law) -> None:
    with raises(UsageError, "--fit FLOWS"):
        law.with_default_parameters()


def test_each_law_is_named_in_the_help(cli: Cli) -> None:
    says(" ".join(cli("generate", "flows", "--help").out.split()), *FLOW_LAWS)

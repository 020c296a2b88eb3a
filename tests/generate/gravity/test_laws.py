"""Each law against its formula: frequencies of many draws against probabilities by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from humobctl.generate.gravity import kernels
from humobctl.generate.gravity.choose_place import choose
from humobctl.generate.gravity.config import LAWS, Law
from humobctl.generate.gravity.distance_weights import BINS, DistanceWeights, bin_of
from humobctl.generate.gravity.places import EVERYTHING
from humobctl.tables.plane import Plane
from tests.generate.gravity.cities import EAT, city

DRAWS = 20_000


def drawn(where, law, *, here=-1, at=(0.0, 0.0), intent=EAT, count=DRAWS, exhaustive=False, seed=1):
    """Rows drawn from a spot of the city's centre, and whether the radius was widened.

    The plane of a city touches it in its median; spots are moved along.
    """
    east, north = where.plane.metres(
        *Plane(39.9, 116.4).degrees(np.array([at[0]]), np.array([at[1]]))
    )
    if here >= 0:
        east, north = where.east[[here]], where.north[[here]]
    start = tuple(
        np.repeat(part, count).astype(kind)
        for part, kind in ((east, np.float32), (north, np.float32), ([here], np.int32))
    )
    return choose(where, law, intent, start, np.arange(count), seed=seed, exhaustive=exhaustive)


def agree(rows, probability) -> None:
    expected = np.asarray(probability, float) / np.sum(probability)
    counts = np.bincount(rows, minlength=len(expected))
    assert counts[expected == 0].sum() == 0
    there = expected > 0
    if there.sum() == 1:
        return
    assert chisquare(counts[there], DRAWS * expected[there]).pvalue > 1e-3


# Rings: 500 m; 1.5 km twice; 2.5 km; 9.5 km; beyond 10 km one.
POINTS = [(500, 0), (0, 1500), (-1500, 0), (0, -2500), (9500, 0), (0, 10_500)]
AREA = np.pi * np.array([1, 3, 3, 5, 19])  # square km of the ring of each
AWAY = np.array([0.5, 1.5, 1.5, 2.5, 9.5])
FALLING = 1 / (1.0 + np.arange(BINS))
OBSERVED = DistanceWeights(tuple(FALLING), tuple(FALLING**2), tuple(FALLING**3), back=0.0)
DENSITY = np.array([1, 2, 2, 1, 1]) / AREA


@pytest.mark.parametrize("exhaustive", [False, True])
@pytest.mark.parametrize(
    ("law", "weights"),
    [
        (Law("gravity"), DENSITY / AWAY**2),
        (Law("gravity", exponent=1.0), DENSITY / AWAY),
        (Law("power"), AWAY**-2),
        (Law("power", exponent=0.0), np.ones(5)),
        (Law("power", exponent=3.5), AWAY**-3.5),
        (Law("epr", exponent=1.0), 1 / AWAY),
        (Law("exponential", scale=1.0), np.exp(-AWAY)),
        (Law("exponential", scale=0.05), [1, 0, 0, 0, 0]),
        # One place within 1 km: m = 1, and P(s) = 1 / ((1 + s) * (2 + s)). Two are equally far.
        (
            Law("radiation"),
            [1 / 2, 1 / 2 * (1 / 6 + 1 / 12), 1 / 2 * (1 / 6 + 1 / 12), 1 / 20, 1 / 30],
        ),
        (Law("random"), np.ones(6)),
        (Law("empirical", 3.0, weights=OBSERVED), FALLING[bin_of(np.array([*AWAY, 10.5]))]),
    ],
)
def test_probabilities_by_hand(law, weights, exhaustive) -> None:
    rows, widened = drawn(city(POINTS), law, exhaustive=exhaustive)
    agree(rows, weights)
    assert not widened.any()


def test_copb_weighs_fifty_candidates_that_were_drawn(crowd) -> None:
    """Against the same experiment by numpy: 50 draws by d**-1/2, one of them by the ring's law."""
    where, away = crowd
    inside = np.flatnonzero(away < 10)
    ring = away[inside].astype(int)
    density = (np.bincount(ring) / (2 * np.arange(ring.max() + 1) + 1))[ring]
    weight = density / np.maximum(away[inside], 1e-3) ** 2
    near = np.maximum(away[inside], 1e-3) ** -0.5
    times = np.random.default_rng(0).multinomial(50, near / near.sum(), size=20_000) * weight
    expected = np.zeros(len(away))
    expected[inside] = (times / times.sum(axis=1, keepdims=True)).mean(axis=0)
    rows, widened = drawn(where, Law("copb"))
    found = np.bincount(rows, minlength=len(away)) / DRAWS
    assert not widened.any()
    # Far above the noise of both, and far below what the 50 make of the law.
    assert np.abs(found - expected).sum() / 2 < 0.03
    gravity = np.bincount(drawn(where, Law("gravity"))[0], minlength=len(away)) / DRAWS
    assert np.abs(gravity - expected).sum() / 2 > 0.06


ALIKE = [(1000, 0), (0, 1000), (-1000, 0), (0, -1000)]
"""Equally far, on the edge of a ring: rounding must not put some inside of it, some outside."""


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 3, 1, 4, 2, 0]])
@pytest.mark.parametrize("name", ["gravity", "power", "exponential", "radiation", "opportunity"])
def test_equal_neighbours_are_alike_in_any_order(name: str, order: list[int]) -> None:
    points = [*ALIKE, (3000, 0), (0, 10_000)]  # the last lies on the radius: not within it
    where = city([points[number] for number in order])
    rows, widened = drawn(where, Law(name))
    counts = np.bincount(np.array(order)[rows], minlength=6)
    assert chisquare(counts[:4]).pvalue > 1e-3
    assert counts[4] > 0
    assert counts[5] == widened.sum() == 0
    if name == "radiation":  # m = 1: four of ranks 0 to 3, the fifth's P = 1 / (5 * 6), over 5 / 6
        assert counts[4] == pytest.approx(DRAWS / 25, rel=0.2)


def test_opportunities_by_hand() -> None:
    # Rings of CoPB: counts 1, 2, 1, then 1 in the tenth; S counts the ring itself, too.
    alpha, beta = 0.2, 0.5
    counts, within = np.array([1, 2, 1, 1]), np.array([1, 3, 4, 5])
    more = (alpha + beta) * within
    ring = (1 + alpha * within) * counts / ((1 + more) * (1 + counts + more))
    rows, _ = drawn(city(POINTS), Law("opportunity", alpha=alpha, beta=beta))
    agree(rows, [ring[0], ring[1] / 2, ring[1] / 2, ring[2], ring[3]])


def test_opportunities_without_alpha_are_radiation_by_rings() -> None:
    """The universal opportunity model with alpha 0 and beta 1 is m n / ((m + s) (m + n + s))."""
    counts, within = np.array([1, 2, 1, 1]), np.array([1, 3, 4, 5])
    ring = counts / ((1 + within) * (1 + counts + within))
    rows, _ = drawn(city(POINTS), Law("opportunity", alpha=0.0, beta=1.0))
    agree(rows, [ring[0], ring[1] / 2, ring[1] / 2, ring[2], ring[3]])


@pytest.fixture(scope="module")
def crowd():
    """A lopsided city: a dense centre, sparse surroundings, some places on one spot."""
    rng = np.random.default_rng(3)
    points = np.concatenate(
        [
            rng.normal((300, -200), 900, (150, 2)),
            rng.uniform(-12_000, 12_000, (150, 2)),
            [(40, 40)] * 4,
        ]
    )
    return city(points), np.hypot(*points.T) / 1000


@pytest.mark.parametrize("exhaustive", [False, True])
@pytest.mark.parametrize("name", ["gravity", "power", "exponential"])
def test_a_whole_city(crowd, name, exhaustive) -> None:
    where, away = crowd
    weight = np.exp(-away / 2) if name == "exponential" else away**-2.0
    near, ring = away < 10, np.minimum(away.astype(int), 9)
    if name == "gravity":
        weight = weight * np.bincount(ring[near], minlength=10)[ring] / (2 * ring + 1)
    rows, _ = drawn(where, Law(name), exhaustive=exhaustive)
    agree_in_groups(rows, weight * near)


@pytest.mark.parametrize("exhaustive", [False, True])
def test_a_whole_city_without_a_bound(crowd, exhaustive) -> None:
    where, away = crowd
    rows, _ = drawn(where, Law("empirical", 3.0, weights=OBSERVED), exhaustive=exhaustive)
    agree_in_groups(rows, FALLING[bin_of(away)])


def agree_in_groups(rows, weight) -> None:
    """Places of like weight together, so that each group is expected often enough."""
    group = np.empty(len(weight), int)
    order = np.argsort(weight)
    group[order] = (np.cumsum(weight[order]) / weight.sum() * 40).astype(int).clip(0, 39)
    expected = np.bincount(group, weights=weight)
    kept = expected > 0
    counts = np.bincount(group[rows], minlength=len(expected))[kept]
    assert chisquare(counts, DRAWS * expected[kept] / expected.sum()).pvalue > 1e-3
    assert weight[rows].min() > 0


def test_radiation_in_a_whole_city(crowd) -> None:
    where, away = crowd
    rank = np.argsort(np.argsort(away))
    origin = (away < 1).sum()
    rows, _ = drawn(where, Law("radiation"))
    agree_in_groups(rows, (away < 10) / ((origin + rank) * (origin + rank + 1)))


def test_the_place_where_one_is_is_no_candidate() -> None:
    where = city([(0, 0), (0, 0), (700, 0)])
    for name in LAWS:
        if name == "home-work":
            continue
        rows, _ = drawn(where, Law(name), here=0, count=500)
        assert 0 not in rows
        assert 1 in rows  # it lies where one is
        around = city([(0, 0), (700, 0), (0, 700)])
        assert set(drawn(around, Law(name), here=0, count=500)[0]) == {1, 2}


def test_a_place_at_hand_counts_as_one_metre_away() -> None:
    rows, _ = drawn(city([(0, 0), (2, 0)]), Law("power", exponent=1.0))
    agree(rows, [1, 1 / 2])


def test_the_radius_is_doubled_up_to_the_bound() -> None:
    where = city([(15_000, 0), (0, 35_000)])
    rows, widened = drawn(where, Law("power"), count=500)
    assert set(rows) == {0}
    assert widened.all()
    rows, widened = drawn(where, Law("power", most=12.0), count=5)
    assert set(rows) == {kernels.NOWHERE}
    # 10 km, then 20, then 36: both places are candidates once the first is not at hand.
    rows, _ = drawn(where, Law("power", most=40.0), here=0, count=5)
    assert set(rows) == {1}


def test_radii_that_are_no_whole_rings() -> None:
    where = city([(100, 0), (400, 0), (600, 0)])
    rows, widened = drawn(where, Law("power", radius=0.5, exponent=1.0))
    agree(rows, [4, 1])
    assert not widened.any()


def test_intents_and_places_that_serve_all() -> None:
    where = city([(500, 0), (700, 0), (900, 0)], ["eat", "do sports", None])
    assert [where.count(i) for i in (EAT, 4, 5, EVERYTHING)] == [2, 2, 1, 3]
    rows, _ = drawn(where, Law("random"))
    agree(rows, [1, 0, 1])
    rows, _ = drawn(where, Law("random"), intent=5)
    assert set(rows) == {2}


@pytest.mark.parametrize("centre", [Plane(69.6, 18.9), Plane(-17.8, 180.0), Plane(0.0, -180.0)])
def test_far_north_and_on_the_date_line(centre) -> None:
    points = [*POINTS[:5], (-9_000, -9_000)]
    where = city(points, centre=centre)
    east, north = where.plane.metres(np.array([centre.lat]), np.array([centre.lon]))
    start = tuple(np.repeat(part, DRAWS).astype(np.float32) for part in (east, north))
    rows, _ = choose(
        where, Law("power"), EAT, (*start, np.full(DRAWS, -1, np.int32)), np.arange(DRAWS)
    )
    agree(rows, [*AWAY**-2, 0])


def test_draws_are_named() -> None:
    where = city(POINTS)
    every, _ = drawn(where, Law(), count=100)
    origin = where.plane.metres(np.array([39.9]), np.array([116.4]))
    start = tuple(np.repeat(axis, 50).astype(np.float32) for axis in origin)
    some, _ = choose(
        where, Law(), EAT, (*start, np.full(50, -1, np.int32)), np.arange(50, 100), seed=1
    )
    assert (every[50:] == some).all()
    other, _ = drawn(where, Law(), count=100, seed=2)
    assert (every != other).any()

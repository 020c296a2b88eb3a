"""Distances of generated people to real ones, and copies: hand-worked, then by properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humobctl.evaluate.generated import privacy as module
from humobctl.evaluate.generated.privacy import nearest, person_days, privacy
from tests.evaluate.flows.test_metrics import stays


def at(uid: int, km: float, *, work: float | None = None, day: int = 0) -> list[tuple]:
    """A day at home; or from 12:00 on at work. Both on a line."""
    if work is None:
        return [(uid, day, 0, 1440, uid, km, 0.0)]
    return [(uid, day, 0, 700, uid, km, 0.0), (uid, day, 720, 1440, 100 + uid, work, 0.0)]


def values(generated, real, **options) -> dict[str, float]:
    return {score.name: score.value for score in privacy(stays(generated), stays(real), **options)}


REAL = at(1, 0.0) + at(2, 1.0) + at(3, 3.0) + at(4, 7.0)


def test_positions_are_those_of_the_last_stay_begun() -> None:
    days = person_days(stays(at(1, 0.0, work=4.8) + at(1, 2.0, day=1)))
    east = days.position[:, :48] * np.sqrt(48)
    assert east[0].tolist() == pytest.approx([0.0] * 24 + [4.8] * 24)
    assert east[1].tolist() == pytest.approx([2.0] * 48)
    assert days.first.tolist() == [0, 2, 3]


def test_before_the_first_stay_a_person_is_there_already() -> None:
    days = person_days(stays([(1, 0, 600, 1440, 1, 5.0, 0.0)]))
    assert days.position[0, 0] * np.sqrt(48) == pytest.approx(5.0)


def test_distances_by_hand() -> None:
    found = values(at(8, 0.4) + at(9, 0.0, work=1.0), REAL)
    # 0.4 km from 1 all day; and half of the day 1 km from either 1 or 2: 1 / sqrt(2).
    assert found["nearest_median"] == pytest.approx((0.4 + np.sqrt(0.5)) / 2)
    # Real to real: 1, 1, 2, 4.
    assert found["nearest_median_real"] == pytest.approx(1.5)
    assert found["nearest_p5"] == pytest.approx(0.4 + 0.05 * (np.sqrt(0.5) - 0.4))
    assert found["nearest_p5_real"] == pytest.approx(1.0)
    assert found["nearest_p5_ratio"] == pytest.approx(found["nearest_p5"])
    # Both are nearer to 1 than 2 is, 1 km away.
    assert found["closer_share"] == 1.0
    # 1 and 2 have each other, the rest are further from them. 3 is 2 km from 2, whose nearest other
    # is 1; 4 is 4 km from 3, whose nearest other is 2.
    assert found["closer_share_real"] == 0.5


def test_other_days_of_the_same_person_do_not_count() -> None:
    real = [*at(1, 0.0), *at(1, 0.0, day=1), *at(2, 1.0), *at(3, 3.0)]
    found = values(at(9, 0.0), real)
    assert found["nearest_p5_real"] == pytest.approx(1.0)
    assert found["copies_real"] == 0.0


def test_copies_are_found_with_and_without_times() -> None:
    real = at(1, 0.0, work=5.0) + at(2, 1.0) + at(3, 2.0)
    later = [(8, 0, 0, 650, 1, 0.0, 0.0), (8, 0, 700, 1440, 2, 5.0, 0.0)]
    found = values(later + at(9, 1.0) + at(10, 1.01), real)
    assert found["copies"] == pytest.approx(1 / 3)
    assert found["place_copies"] == pytest.approx(2 / 3)
    assert (found["copies_real"], found["place_copies_real"]) == (0.0, 0.0)


def test_too_few_real_people_have_no_distances() -> None:
    found = values(at(9, 0.0), at(1, 0.0) + at(2, 1.0))
    assert np.isnan(found["nearest_p5"])
    assert found["copies"] == 1.0


def test_people_against_themselves_are_copies() -> None:
    found = values(REAL, REAL)
    assert (found["nearest_median"], found["copies"], found["closer_share"]) == (0.0, 1.0, 1.0)
    assert found["nearest_median_real"] > 0


def test_many_are_drawn_from_by_the_seed(monkeypatch) -> None:
    monkeypatch.setattr(module, "MOST_GENERATED", 2)
    generated = [row for uid in range(9) for row in at(uid, uid / 10)]
    scores = privacy(stays(generated), stays(REAL), seed=3)
    assert "generated-days:2/9|real-days:4/4|seed:3" in scores[0].signature
    again = privacy(stays(generated), stays(REAL), seed=3)
    assert [s.value for s in scores] == [s.value for s in again]


points = st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=1, max_size=30)


@given(points, points)
def test_neighbours_are_the_nearest(first, second) -> None:
    a, b = np.array(first, float), np.array(second, float)
    index, apart = nearest(a, b)
    every = np.hypot(*(a[:, None] - b[None]).T).T
    assert apart[:, 0].tolist() == pytest.approx(every.min(axis=1).tolist())
    assert every[np.arange(len(a)), index[:, 0]].tolist() == pytest.approx(apart[:, 0].tolist())


@given(points)
def test_the_two_nearest_but_oneself(found) -> None:
    a = np.array(found, float)
    own = np.arange(len(a)), np.arange(len(a)) + 1
    _, apart = nearest(a, a, own=own, count=2)
    every = np.hypot(*(a[:, None] - a[None]).T)
    np.fill_diagonal(every, np.inf)
    padded = np.concatenate([np.sort(every, axis=1), np.full((len(a), 2), np.inf)], axis=1)
    assert apart.ravel().tolist() == pytest.approx(padded[:, :2].ravel().tolist())


def test_memory_does_not_grow_with_the_product(monkeypatch) -> None:
    monkeypatch.setattr(module, "_BLOCK_CELLS", 64)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(50, 6)), rng.normal(size=(40, 6))
    small = nearest(a, b)
    monkeypatch.undo()
    assert np.array_equal(small[0], nearest(a, b)[0])

"""Divergences against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from humobctl.evaluate.divergence import jsd, rows_apart, wasserstein

counts = arrays.arrays(
    np.float64, 6, elements=st.integers(0, 1000).map(float), fill=st.nothing()
).filter(lambda a: a.sum() > 0)


def test_by_hand() -> None:
    # p = (1, 0), q = (1/2, 1/2), m = (3/4, 1/4):
    # (ln 4/3 + (ln 2/3 + ln 2) / 2) / 2
    expected = (math.log(4 / 3) + (math.log(2 / 3) + math.log(2)) / 2) / 2
    assert jsd([1, 0], [1, 1]) == pytest.approx(expected, rel=1e-12)
    assert expected == pytest.approx(0.2157615543, abs=1e-9)


def test_equal_and_disjoint() -> None:
    assert jsd([3, 1, 0], [6, 2, 0]) == 0.0
    assert jsd([3, 0], [0, 5]) == pytest.approx(math.log(2), rel=1e-12)


def test_nothing_to_compare() -> None:
    assert math.isnan(jsd([0, 0], [1, 1]))
    assert math.isnan(jsd([1, 1], [0, 0]))


@given(counts, counts)
def test_symmetric_bounded_and_free_of_scale(p, q) -> None:
    found = jsd(p, q)
    assert 0 <= found <= math.log(2) + 1e-12
    assert jsd(q, p) == pytest.approx(found, abs=1e-12)
    assert jsd(7 * p, q) == pytest.approx(found, abs=1e-12)
    assert jsd(p, p) == pytest.approx(0, abs=1e-12)


def test_rows_by_hand() -> None:
    reference = np.array([[0, 3, 1], [2, 0, 2], [0, 0, 0]], dtype=float)
    other = np.array([[0, 1, 1], [4, 0, 0], [1, 1, 0]], dtype=float)
    # Row 0: |1/2 - 3/4| + |1/2 - 1/4| over 2 = 1/4; row 1: 1/2; 4 transitions each.
    assert rows_apart(other, reference) == pytest.approx((4 * 0.25 + 4 * 0.5) / 8)
    assert rows_apart(reference, reference) == 0.0


def test_a_row_that_only_the_reference_has_is_all_apart() -> None:
    reference = np.array([[0, 1], [3, 0]], dtype=float)
    assert rows_apart(np.array([[0, 5], [0, 0]], dtype=float), reference) == pytest.approx(3 / 4)


def test_rows_of_nothing() -> None:
    assert math.isnan(rows_apart(np.ones((2, 2)), np.zeros((2, 2))))


@given(
    arrays.arrays(np.float64, (3, 3), elements=st.integers(0, 50).map(float)),
    arrays.arrays(np.float64, (3, 3), elements=st.integers(0, 50).map(float)),
)
def test_rows_are_within_0_and_1(first, second) -> None:
    found = rows_apart(first, second)
    assert math.isnan(found) == (second.sum() == 0)
    assert math.isnan(found) or 0 <= found <= 1 + 1e-12


_VALUES = st.lists(st.integers(-20, 20), min_size=1, max_size=12)


def test_wasserstein_by_hand() -> None:
    # Moving 1 to 2 and 3 to 7: (1 + 4) / 2.
    assert wasserstein([1, 3], [7, 2]) == pytest.approx(2.5)
    # Half of the weight moves from 0 to 10, a quarter of it from 0 to 2.
    assert wasserstein([0], [0, 2, 10], None, [1, 1, 2]) == pytest.approx(5.5)
    assert math.isnan(wasserstein([], [1]))
    assert math.isnan(wasserstein([1], [1], [0], None))


@given(_VALUES, _VALUES)
def test_wasserstein_is_that_of_scipy(first: list[int], second: list[int]) -> None:
    stats = pytest.importorskip("scipy.stats")
    expected = stats.wasserstein_distance(first, second)
    assert wasserstein(first, second) == pytest.approx(expected, abs=1e-9)
    weights = [abs(value) + 1 for value in first]
    expected = stats.wasserstein_distance(first, second, weights)
    assert wasserstein(first, second, weights) == pytest.approx(expected, abs=1e-9)

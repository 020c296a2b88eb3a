"""How values spread, of few in memory and of many in little."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humobctl.data.measures.spread import Spread, ValueTally, round_digits, show_number, spread


def test_quantiles_by_hand() -> None:
    found = spread(np.append(np.arange(101.0), np.nan))
    assert (found.count, found.mean, found.min, found.max) == (101, 50, 0, 100)
    assert (found.p5, found.p25, found.median, found.p95) == (5, 25, 50, 95)
    assert spread(np.zeros(0)) == Spread(0)


@given(st.lists(st.lists(st.integers(0, 999), max_size=20), min_size=1, max_size=5))
def test_a_tally_of_small_whole_numbers_is_exact(parts: list[list[int]]) -> None:
    tally = ValueTally()
    for part in parts:
        tally.add(np.array(part, dtype=float))
    expected = spread(np.array([value for part in parts for value in part], dtype=float))
    assert list(vars(tally.spread()).values()) == pytest.approx(list(vars(expected).values()))


def test_three_digits() -> None:
    values = np.array([0.0, 0.00123456, 5.0, 12.345, 1234.0, 999.6])
    assert round_digits(values).tolist() == [0, 0.00123, 5, 12.3, 1230, 1000]
    tally = ValueTally()
    tally.add(np.array([1234.0, 1236.0]))
    found = tally.spread()
    assert (found.mean, found.min, found.max, found.median) == (1235, 1234, 1236, 1235)


def test_numbers_for_people() -> None:
    shown = [show_number(value) for value in (None, 3.0, 1291.9999, 0.00123, 12.345, 1e6)]
    assert shown == ["-", "3", "1,292", "0.00123", "12.35", "1,000,000"]

"""DTW against published values, hand-worked answers and the plain definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import reference
from humobctl.errors import HumobError
from humobctl.evaluate.cells.dtw import dtw, fast_dtw_days
from tests.evaluate.cells.examples import GENERATED, REFERENCE, by_day
from tests.messages import raises

days = st.lists(st.tuples(st.integers(1, 200), st.integers(1, 200)), min_size=1, max_size=14)


@pytest.mark.parametrize("open_start", [True, False])
def test_the_official_readme_example(open_start):
    pairs = zip(by_day(GENERATED), by_day(REFERENCE), strict=True)
    values = [dtw(g, r, open_start=open_start) for g, r in pairs]
    assert np.mean(values) == pytest.approx(5.889002930255253, abs=1e-14)


def test_a_far_first_reference_point_tells_the_dialects_apart():
    # Reference starts 100 cells (50 km) away: the closed form pays for it, the open one skips it.
    generated = [(1, 1), (1, 1)]
    truth = [(101, 1), (1, 1)]
    assert dtw(generated, truth) == 50.0
    assert dtw(generated, truth, open_start=True) == 0.0


def test_warping_by_hand():
    # 1 waits for 1, 1; 3 stands against 2 (1 cell) and 4 (1 cell): 1 cell + 1 cell = 1 km.
    assert dtw([(1, 1), (3, 1)], [(1, 1), (1, 1), (2, 1), (4, 1)]) == 1.0


@pytest.mark.parametrize("open_start", [True, False])
@given(generated=days, truth=days)
def test_equals_the_definition(open_start, generated, truth):
    plain = reference.dtw(generated, truth, open_start=open_start)
    assert dtw(generated, truth, open_start=open_start) == plain


@given(generated=days, truth=days)
def test_the_open_form_never_costs_more_and_fast_never_less(generated, truth):
    closed = dtw(generated, truth)
    assert dtw(generated, truth, open_start=True) <= closed
    assert dtw(truth, generated) == pytest.approx(closed, rel=1e-12)
    sides = []
    for day in (generated, truth):
        x, y = np.array(day, dtype=np.int32).T
        sides.append((x, y, np.array([0, len(day)], dtype=np.int64)))
    assert fast_dtw_days(*sides)[0] >= closed - 1e-9


@given(day=days)
def test_identity_scores_zero(day):
    assert dtw(day, day) == 0.0
    assert dtw(day, day, open_start=True) == 0.0


def test_an_empty_day_is_refused():
    with raises(HumobError, "empty"):
        dtw([(1, 1)], [])

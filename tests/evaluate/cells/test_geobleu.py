"""GEO-BLEU against published values, hand-worked answers and the plain definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import reference
from humobctl.errors import HumobError
from humobctl.evaluate.cells.geobleu import RULES, geobleu
from tests.evaluate.cells.examples import GENERATED, REFERENCE, by_day
from tests.messages import raises

cells = st.lists(st.tuples(st.integers(1, 200), st.integers(1, 200)), min_size=1, max_size=12)
crowded = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=12)


def in_dialect(generated, truth, dialect):
    rule = RULES[dialect]
    return geobleu(generated, truth, max_n=rule.max_n, divide_by_matches=rule.divide_by_matches)


@pytest.mark.parametrize(
    ("dialect", "published"),
    [("humob24", 0.21733678721880598), ("humob25", 0.07556369896234784)],
)
def test_the_official_readme_example(dialect, published):
    days = zip(by_day(GENERATED), by_day(REFERENCE), strict=True)
    assert np.mean([in_dialect(g, r, dialect) for g, r in days]) == published


def test_the_official_example_of_different_lengths():
    value = geobleu([(1, 1), (2, 2), (3, 3)], [(1, 1), (1, 1), (1, 2), (2, 2), (2, 2)])
    assert value == 0.2644414706605502


def test_one_step_beside_by_hand():
    # One point, one cell beside: q_1 = exp(-0.5), N = 1, no brevity penalty.
    assert geobleu([(1, 1)], [(1, 2)]) == pytest.approx(math.exp(-0.5), abs=1e-15)


def test_a_short_day_is_punished_by_hand():
    # One of two points: p_1 = 1, BP = exp(1 - 2/1).
    assert geobleu([(5, 5)], [(5, 5), (5, 5)]) == pytest.approx(math.exp(-1.0), abs=1e-15)


def test_greedy_matching_by_hand():
    # Generated A, B; reference B, C on a line at 1, 2 and 2, 4. Pairs: B-B 1, then A-C exp(-1.5).
    # Bigrams AB-BC: |1-2| and |2-4|: exp(-0.5) * exp(-1). BP = exp(1 - 2/2) = 1.
    expected = math.sqrt((1 + math.exp(-1.5)) / 2 * math.exp(-1.5))
    assert geobleu([(1, 1), (2, 1)], [(2, 1), (4, 1)]) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("dialect", ["humob24", "humob25"])
@given(generated=crowded, truth=crowded)
def test_equals_the_definition_where_ties_abound(dialect, generated, truth):
    rule = RULES[dialect]
    plain = reference.geobleu(generated, truth, max_n=rule.max_n, by_matches=rule.divide_by_matches)
    assert in_dialect(generated, truth, dialect) == pytest.approx(plain, rel=1e-12)


@settings(max_examples=50)
@given(generated=cells, truth=cells)
def test_equals_the_definition_anywhere(generated, truth):
    plain = reference.geobleu(generated, truth, max_n=5, by_matches=False)
    assert in_dialect(generated, truth, "humob25") == pytest.approx(plain, rel=1e-12)


@given(day=cells)
def test_identity_scores_one(day):
    for dialect in RULES:
        assert in_dialect(day, day, dialect) == pytest.approx(1.0, abs=1e-12)


@given(generated=crowded, dx=st.integers(0, 150), dy=st.integers(0, 150))
def test_moving_both_changes_nothing(generated, dx, dy):
    truth = generated[::-1]
    moved = [[(x + dx, y + dy) for x, y in day] for day in (generated, truth)]
    assert in_dialect(*moved, "humob25") == in_dialect(generated, truth, "humob25")


def test_cells_beyond_the_tables_are_computed():
    far = [(1, 1), (5000, 1)]
    near = [(1, 1), (4999, 1)]
    plain = reference.geobleu(far, near, max_n=3, by_matches=True)
    assert in_dialect(far, near, "humob24") == pytest.approx(plain, rel=1e-12)


def test_an_empty_day_is_refused():
    with raises(HumobError, "empty"):
        geobleu([], [(1, 1)])

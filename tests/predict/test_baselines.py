"""Every model: proper distributions, sensible answers at the edges, no look at the targets."""

from __future__ import annotations

import numpy as np
import pytest

from humobctl.errors import UsageError
from humobctl.predict.base import PredictOptions
from humobctl.predict.decode_slots import decode
from humobctl.predict.registry import MODELS, build
from tests.messages import raises
from tests.predict.helpers import city, user

HOME, WORK = (10, 10), (30, 31)
WEEK = [
    (d, t, *(WORK if t == 24 and d % 7 not in (0, 6) else HOME))
    for d in range(28)
    for t in (4, 24, 40)
]
TARGETS = [(29, 4), (29, 24), (29, 40), (34, 24)]


def distribution(name, known, targets=TARGETS, **options):
    return build(name, city(), PredictOptions(**options)).distribution(user(known, targets))


def cells(name, known, targets=TARGETS, how="argmax"):
    return [tuple(cell) for cell in decode(distribution(name, known, targets), how).tolist()]


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize(
    "known",
    [WEEK, WEEK[:1], [(0, 3, 7, 7), (5, 30, 7, 7)], []],
    ids=["weeks", "one row", "one cell", "nothing"],
)
def test_rows_are_distributions_whatever_is_known(name, known):
    dist = distribution(name, known)
    assert dist.p.shape == (len(TARGETS), len(dist.cells))
    assert (dist.p >= 0).all()
    assert np.allclose(dist.p.sum(axis=1), 1.0)


@pytest.mark.parametrize("name", list(MODELS))
def test_one_known_cell_is_the_answer(name):
    assert cells(name, [(0, 3, 7, 8)]) == [(7, 8)] * 4


@pytest.mark.parametrize("name", ["slot-mode", "weekday-mode", "markov", "history"])
def test_home_in_the_morning_and_work_at_noon(name):
    assert cells(name, WEEK)[:3] == [HOME, WORK, HOME]


@pytest.mark.parametrize("name", ["weekday-mode", "history"])
def test_saturday_noon_is_at_home(name):
    assert cells(name, WEEK)[3] == HOME
    assert cells("slot-mode", WEEK)[3] == WORK


def test_mode_is_one_cell():
    assert cells("mode", WEEK) == [HOME] * 4


def test_a_slot_never_seen_takes_its_neighbours():
    known = [(0, 10, 1, 1), (0, 20, 2, 2), (1, 20, 2, 2), (1, 12, 3, 3), (2, 12, 3, 3)]
    assert cells("slot-mode", known, [(9, 17), (9, 11)]) == [(2, 2), (3, 3)]


def test_weekday_mode_by_hand():
    # Slot 24 on two Mondays: park and park; on three other days: work.
    known = [(1, 24, 5, 5), (2, 24, 6, 6), (3, 24, 6, 6), (4, 24, 6, 6), (8, 24, 5, 5)]
    dist = distribution("weekday-mode", known, [(15, 24)])
    # Monday's counts 2 for the park, plus a thousandth of the slot's frequencies .4 and .6.
    assert dist.p[0] == pytest.approx([2.0004 / 2.001, 0.0006 / 2.001], rel=1e-3)


def test_markov_marginals_by_hand():
    # Transitions at slot 10 of the second row: A -> B once, B -> A once; last known cell is A.
    known = [(0, 0, 1, 1), (0, 10, 2, 2), (0, 20, 1, 1)]
    dist = distribution("markov", known, [(1, 10)])
    # Slot frequencies at 10: B only (tiny rest). From A: A->B weight 1, B's transition is e^-10
    # away; leaving weight 1 + .1. So B gets (1 + .1) / 1.1 = 1, up to the back-off's crumbs.
    assert dist.cells[dist.p[0].argmax()].tolist() == [2, 2]
    assert dist.p[0].max() > 0.999


def test_markov_starts_from_the_known_cell_before_each_gap():
    known = [(1, t, 1, 1) for t in (10, 11, 12)] + [(3, t, 2, 2) for t in (10, 11, 12)]
    # At slot 11, A stays A at slots 11 and 12, and leaves for B at slot 10; B only stays B.
    gaps = [(0, 11), (2, 11), (2, 12), (4, 11)]
    assert cells("markov", known, gaps) == [(1, 1)] * 3 + [(2, 2)]
    dist = distribution("markov", known, gaps, top_p=0.1)  # each step to the likeliest cell
    assert [tuple(dist.cells[cell]) for cell in dist.path] == [(1, 1)] * 3 + [(2, 2)]
    alone = distribution("markov", known, gaps[-1:])
    assert np.array_equal(alone.p[0], dist.p[-1])


def test_markov_walks_depend_on_seed_and_user_only():
    first = distribution("markov", WEEK, seed=1).path
    again = distribution("markov", WEEK, seed=1).path
    assert np.array_equal(first, again)
    walks = {tuple(distribution("markov", WEEK * 1, seed=s, top_p=1.0).path) for s in range(40)}
    assert len(walks) > 1


def test_recent_records_count_more_in_history():
    # Two cells equally often in the same slot: the later one is likelier.
    known = [(d, 20, 1, 1) for d in range(5)] + [(d, 20, 9, 9) for d in range(35, 40)]
    assert cells("history", known, [(43, 20)]) == [(9, 9)]


def test_history_prefers_rows_with_like_gaps():
    # At slot 20, a short stop between two rows close by is the shop; a lone row is home.
    known = []
    for d in range(0, 20, 2):
        known += [(d, 19, 3, 3), (d, 20, 4, 4), (d, 21, 3, 3)]
        known += [(d + 1, 20, 8, 8)]
    assert cells("history", known, [(30, 19), (30, 20), (30, 21), (31, 20)])[1] == (4, 4)
    assert cells("history", known, [(30, 20)]) == [(8, 8)]


def test_an_unknown_model_is_wrong_usage():
    with raises(UsageError, "oracle", "history", "mode"):
        build("oracle", city(), PredictOptions())

"""Decoders on distributions whose answers are worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humobctl.predict.base import SlotDistributions
from humobctl.predict.decode_slots import decode, keep_top

# Three cells on a line: 0, 1 and 10 cells along x.
LINE = np.array([[1, 1], [2, 1], [11, 1]], dtype=np.int32)


def one(p, how, cells=LINE):
    return decode(SlotDistributions(cells, np.array([p])), how)[0].tolist()


def test_argmax_takes_the_likeliest():
    assert one([0.3, 0.3, 0.4], "argmax") == [11, 1]


def test_geobleu_takes_the_best_neighbourhood():
    # Cell 0: .3 + .3 e^-.5 = .48; cell 10: .4 + about .006. The far likeliest cell loses.
    assert one([0.31, 0.29, 0.4], "geobleu") == [1, 1]


def test_dtw_takes_the_lowest_expected_distance():
    # Expected distance of cell 0: .2 + 4 = 4.2; of cell 1: .4 + 3.6 = 4.0; of cell 10: 5.8.
    assert one([0.4, 0.2, 0.4], "dtw") == [2, 1]


def test_sample_draws_from_the_top_and_repeats_with_its_seed():
    dist = SlotDistributions(LINE, np.tile([0.6, 0.3, 0.1], (500, 1)))
    drawn = decode(dist, "sample", top_p=0.85, seed=(1, 2))
    assert set(drawn[:, 0].tolist()) == {1, 2}
    assert abs((drawn[:, 0] == 1).mean() - 2 / 3) < 0.07
    assert np.array_equal(drawn, decode(dist, "sample", top_p=0.85, seed=(1, 2)))
    assert not np.array_equal(drawn, decode(dist, "sample", top_p=0.85, seed=(1, 3)))


def test_a_models_own_walk_is_the_sample():
    dist = SlotDistributions(LINE, np.array([[1.0, 0, 0]] * 2), np.array([2, 1]))
    assert decode(dist, "sample").tolist() == [[11, 1], [2, 1]]


@pytest.mark.parametrize(
    ("top_p", "expected"),
    [(0.0, [1, 0, 0]), (0.5, [1, 0, 0]), (0.7, [2 / 3, 1 / 3, 0]), (1.0, [0.6, 0.3, 0.1])],
)
def test_keep_top_by_hand(top_p, expected):
    assert keep_top(np.array([0.6, 0.3, 0.1]), top_p) == pytest.approx(expected)


weights = st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3)


@given(weights=weights, how=st.sampled_from(["argmax", "geobleu", "dtw", "sample"]))
def test_a_decoded_cell_is_always_a_candidate(weights, how):
    p = np.array(weights) / sum(weights)
    assert one(p, how) in LINE.tolist()

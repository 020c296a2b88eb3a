"""The counted part of a vector, by places that were written by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from humobctl.embed.anchors import ANCHORS, CELLS, LEARNT, count_spans, join
from humobctl.embed.config import tiny
from humobctl.embed.data import EmbedderColumns
from humobctl.embed.model import Encoder


def counted(rows):
    """Counted numbers and targets of one user's (d, t, x, y)."""
    columns = zip(*rows, strict=True)
    named = dict(zip("dtxy", columns, strict=True))
    frame = pl.DataFrame({"uid": [1] * len(rows), **named})
    with EmbedderColumns() as columns:
        columns.add(frame, 1)
        columns.close_columns()
        return count_spans(columns.spans([np.arange(len(rows))], np.array([1])))


# Day 1 is a Monday: home (101, 121) by night, work (121, 101) by day, once (101, 101) by day.
DAYS = [(d, t, 101, 121) for d in (1, 2) for t in (2, 46)]
DAYS = sorted([*DAYS, (1, 24, 121, 101), (2, 24, 121, 101), (2, 30, 101, 101)])


def test_targets_by_hand() -> None:
    _, targets = counted(DAYS)
    home, work, usual, (radius, new) = targets[0].split([2, 2, 2, 2])
    # Cell 101 lies half a cell from the middle of the grid; a unit is 20 cells.
    assert home.tolist() == pytest.approx([0.025, 1.025])
    assert work.tolist() == pytest.approx([1.025, 0.025])
    # A day is twice at home and once at work, the other once elsewhere, too: thirds and quarters.
    assert usual.tolist() == pytest.approx([0.025 + 7 / 24, 0.025 + 7 / 12])
    assert float(radius) == pytest.approx((2 / 7 * 5 / 7 + 4 / 7 * 3 / 7) ** 0.5)
    assert float(new) == pytest.approx(3 / 7)


def test_a_user_without_nights_or_work_has_anchors() -> None:
    _, targets = counted([(0, 24, 101, 101)])
    assert targets[0, :4].tolist() == pytest.approx([0.025] * 4)


def test_anchors_are_read_back_by_a_line() -> None:
    random = np.random.default_rng(0)
    places = random.integers(1, 201, (200, 2))
    found = [counted([(1, 2, x, y)])[0][0, :ANCHORS].numpy() for x, y in places.tolist()]
    told = np.linalg.lstsq(np.c_[found, np.ones(200)], places, rcond=1e-5)[0]
    wrong = np.abs(np.c_[found, np.ones(200)] @ told - places)
    assert np.median(wrong) < 1  # of 200 cells


def test_vectors_have_length_1_and_near_cells_near_numbers() -> None:
    vectors = torch.cat([counted([(1, 2, x, 50)])[0] for x in (50, 51, 150)])
    learnt = torch.nn.functional.normalize(torch.ones(3, LEARNT), dim=1)
    joined = join(vectors, learnt)
    torch.testing.assert_close(joined.norm(dim=1), torch.ones(3))
    assert joined.shape[1] == ANCHORS + CELLS + LEARNT
    assert float(joined[0] @ joined[1]) > float(joined[0] @ joined[2]) + 0.3


def test_models_that_learn_all_numbers_stay_as_they_were() -> None:
    torch.manual_seed(0)
    frame = pl.DataFrame({"uid": [1, 1], "d": [0, 1], "t": [3, 4], "x": [9, 8], "y": [7, 7]})
    with EmbedderColumns() as columns:
        columns.add(frame, 1)
        columns.close_columns()
        spans = columns.spans([np.arange(2)], np.array([1]))
    encoder = Encoder(tiny(), 1, 512).eval()
    with torch.no_grad():
        found = encoder(spans)
        other = encoder(replace(spans, counted=torch.ones(1, ANCHORS + CELLS)))
    assert found.shape == (1, 512)
    assert torch.equal(found, other)

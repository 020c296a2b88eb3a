"""Cells as numbers, and back."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from humobctl.tables.cells import CELLS, decode_cells, encode_cells, encode_columns
from humobctl.tables.schemas import GRID_SIDE

CELL = st.tuples(st.integers(1, GRID_SIDE), st.integers(1, GRID_SIDE))


def test_numbers_by_hand():
    x, y = np.array([1, 1, 2, 200], np.uint8), np.array([1, 2, 1, 200], np.uint8)
    assert encode_cells(x, y).tolist() == [0, 1, 200, 39_999]
    assert decode_cells(np.array([0, 1, 200, 39_999], np.uint16)).tolist() == [
        [1, 1],
        [1, 2],
        [2, 1],
        [200, 200],
    ]


def test_every_number_is_one_cell():
    numbers = np.arange(CELLS)
    cells = decode_cells(numbers)
    assert cells.min() == 1
    assert cells.max() == GRID_SIDE
    assert (encode_cells(cells[:, 0], cells[:, 1]) == numbers).all()


@given(st.lists(CELL, min_size=1))
def test_there_and_back_in_order_and_alike_in_arrays_and_columns(cells):
    x, y = np.array(cells, np.int16).T
    numbers = encode_cells(x, y)
    assert [tuple(cell) for cell in decode_cells(numbers).tolist()] == cells
    assert numbers[np.argsort(numbers)].tolist() == [
        encode_cells(np.array(x), np.array(y)).item() for x, y in sorted(cells)
    ]
    assert pl.DataFrame({"x": x, "y": y}).select(encode_columns()).to_series().to_list() == (
        numbers.tolist()
    )


def test_one_more_axis():
    assert decode_cells(np.array([[0, 201]])).shape == (1, 2, 2)
    assert decode_cells(np.int64(201)).tolist() == [2, 2]

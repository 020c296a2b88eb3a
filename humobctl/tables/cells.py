"""Cells of the grid as numbers: the one formula.

Cell (1, 1) is number 0, (1, 2) number 1, (2, 1) number 200: numbers order cells by x, then by y.
Arrays of bert-moe's model dirs and the page of ``explore`` hold these numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.native import Int32s, Int64s
from humobctl.tables.schemas import GRID_SIDE

CELLS = GRID_SIDE * GRID_SIDE
"""Cells of the grid; their numbers are below."""


def encode_cells(x: NDArray[Any], y: NDArray[Any]) -> Int64s:
    """Numbers of cells, in the shape of ``x`` and ``y``, which count from 1."""
    numbers: Int64s = _number(x.astype(np.int64), y)
    return numbers


def encode_columns() -> pl.Expr:
    """Number of each row's cell, int32, by the columns x and y."""
    number: pl.Expr = _number(pl.col("x").cast(pl.Int32), pl.col("y"))
    return number


def decode_cells(numbers: NDArray[Any]) -> Int32s:
    """Cells (x, y) of numbers, counted from 1, in one more axis of length 2."""
    return np.stack([numbers // GRID_SIDE + 1, numbers % GRID_SIDE + 1], axis=-1).astype(np.int32)


def _number(x: Any, y: Any) -> Any:
    return (x - 1) * GRID_SIDE + (y - 1)

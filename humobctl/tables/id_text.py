"""Ids as text: what means the same id is the same text."""

from __future__ import annotations

import polars as pl

PADDING = ' \t"\u00a0\u1680\u2007\u202f\u205f\u3000\ufeff\u200b'
"""What may stand around a value in a text file and is none of it: spaces of all kinds, quotes."""


def is_id_type(dtype: pl.DataType) -> bool:
    """Whether a column of this type can hold ids."""
    return not dtype.is_nested() and dtype != pl.Object


def id_text(column: pl.Series) -> pl.Series:
    """Ids without spaces around them; whole numbers without a fraction (``4.0`` is ``4``).

    Args:
        column: of a type that ``is_id_type`` allows.

    Returns:
        Text; null for nothing at all and for what is not a number in a column of numbers.
    """
    if column.dtype.is_float():
        whole = column.cast(pl.Int64, strict=False)
        text = column.cast(pl.String).zip_with(
            column.is_finite(), pl.Series([None], dtype=pl.String)
        )
        return whole.cast(pl.String).zip_with((whole == column).fill_null(False), text)
    if column.dtype.is_integer():
        return column.cast(pl.String)
    text = column.cast(pl.String, strict=False)
    if not text.str.contains(r"^\s|\s$|\.|^$").any():
        return text
    text = text.str.strip_chars().str.replace(r"^(-?\d+)\.0+$", "$1")
    return text.zip_with(text != "", pl.Series([None], dtype=pl.String))

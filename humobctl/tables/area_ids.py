"""Ids of areas: why two tables may write the same ones in two ways."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

_SAME_IDS: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "with and without leading zeros: a program has read them as numbers": (
        lambda area: area.str.strip_chars_start("0")
    ),
    "with and without a decimal point: a program has read them as numbers": (
        lambda area: area.str.replace(r"\.0+$", "").str.strip_chars_start("0")
    ),
    "in capital and small letters": lambda area: area.str.to_lowercase(),
    "with and without what stands before their digits": (
        lambda area: area.str.replace(r"^.*?0*(\d+)$", "$1")
    ),
}
"""What two tables may have written otherwise -> how to write it alike."""


def likely_reason(made: pl.Series, real: pl.Series) -> str:
    """Why two tables may have no area in common, as the end of a message; empty if nothing shows.

    Args:
        made: ids of one table, as text.
        real: ids of the other.
    """
    for reason, alike in _SAME_IDS.items():
        first, second = (
            ids.to_frame("area").select(alike(pl.col("area")))["area"] for ids in (made, real)
        )
        if first.is_in(second.implode()).any():
            return f"; their ids are the same {reason}; write them alike, as text"
    return ""

"""Days counted from 0 on one side and from 1 on the other: moved, and found out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl

from humobctl.errors import HumobError
from humobctl.io.by_user import keys
from humobctl.tables.schemas import MAX_DAY

_DAY = 1 << 8
"""What a day adds to a key of ``keys``."""


def add_days(batches: Iterable[pl.DataFrame], days: int, name: str) -> Iterator[pl.DataFrame]:
    """Batches of a grid trajectory with ``days`` added to each day.

    Raises:
        HumobError: a day would lie outside of the table's range.
    """
    for batch in batches:
        if not days:
            yield batch
            continue
        moved = batch["d"].cast(pl.Int64) + days
        outside = moved.filter(~moved.is_between(0, MAX_DAY))
        if len(outside):
            raise HumobError(
                f"{name}: found day {outside[0]} after --shift-days {days}, expected 0 to {MAX_DAY}"
            )
        yield batch.with_columns(d=moved.cast(batch.schema["d"]))


def likely_shift(have: pl.DataFrame, want: pl.DataFrame) -> str:
    """The end of a message on rows that do not match, where days may be shifted by one; or "".

    Args:
        have: rows to check, sorted by (uid, d, t).
        want: the rows among which they should be, likewise.
    """
    ours, theirs = keys(have).to_numpy(), keys(want).to_numpy()
    if not len(ours) or np.isin(ours, theirs).all():
        return ""
    for days in (1, -1):
        if have["d"].min() + days >= 0 and np.isin(ours + days * _DAY, theirs).all():  # type: ignore[operator]
            return f"; its days look shifted by one: --shift-days {days}"
    return ""

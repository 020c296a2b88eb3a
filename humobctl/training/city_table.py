"""A city's file in a training: the rows that are learnt from, in groups of whole users."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.errors import HumobError
from humobctl.io.by_user import UserStore, paired_groups
from humobctl.io.read import iter_table
from humobctl.io.row_errors import OnError
from humobctl.tables.schemas import MASKED
from humobctl.training.model_dir import Fingerprint


@dataclass(frozen=True)
class CityTable:
    """The known rows of a grid trajectory up to a day.

    Attributes:
        name: of the file, for people.
        days: that the file has, those with masked rows alone included.
        last_day: last day to learn from.
        about: what ``run.json`` says of the file.
        store: all its known rows.
    """

    name: str
    days: int
    last_day: int
    about: dict[str, str]
    store: UserStore

    def groups(self, users: NDArray[np.integer] | None = None) -> Iterator[pl.DataFrame]:
        """Rows of all users, or of some, in user order."""
        for (group,) in paired_groups([self.store]):
            rows = group.filter(pl.col("d") <= self.last_day)
            if users is not None:
                wanted = pl.Series("uid", users, dtype=pl.UInt32).to_frame()
                rows = rows.join(wanted, on="uid", how="semi", maintain_order="left")
            yield rows

    @property
    def later_rows(self) -> int:
        """Known rows after the last day."""
        return sum(
            group.filter(pl.col("d") > self.last_day).height
            for (group,) in paired_groups([self.store])
        )


@contextmanager
def open_city(
    path: str, last_day: int | None, *, hold_out: int = 0, on_error: OnError = "fail"
) -> Iterator[CityTable]:
    """Read a grid trajectory; ``-`` for standard input.

    Args:
        path: the file.
        last_day: last day to learn from; None for the last of the file less ``hold_out``.
        hold_out: last days of the file, masked ones included.
        on_error: stop at the first bad row, or drop bad rows.

    Raises:
        HumobError: the file cannot be read, or is empty.
    """
    name = "stdin" if path == "-" else path
    mark, days = Fingerprint(), 0

    def known_rows(batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        nonlocal days
        for batch in batches:
            days = max(days, 1 + int(batch["d"].to_numpy().max(initial=-1)))
            yield batch.filter(pl.col("x") != MASKED)

    with UserStore() as store:
        store.collect(known_rows(mark.watch(iter_table(path, on_error=on_error))))
        if not days:
            raise HumobError(f"{name}: found no row, expected some to learn from")
        last = last_day if last_day is not None else days - 1 - hold_out
        about = {"file": Path(name).name, "fingerprint": mark.text()}
        yield CityTable(name, days, last, about, store)

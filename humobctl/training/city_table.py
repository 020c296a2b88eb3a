"""A city's file in a training: the rows that are learnt from, in groups of whole users."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.console import report
from humobctl.errors import HumobError
from humobctl.io.by_user import UserStore, paired_groups
from humobctl.io.read import iter_table
from humobctl.io.row_errors import OnError
from humobctl.tables.schemas import MASKED
from humobctl.training.model_dir import Fingerprint

HELD_OUT = 15
"""Final days that trainings leave out: those of HuMob's test period."""


@dataclass(frozen=True)
class CityTable:
    """The known rows of a grid trajectory up to a day.

    Attributes:
        name: of the file, for people.
        days: that the file has, those with masked rows alone included.
        last_day: last day to learn from.
        ended_by: the option that decides on it.
        about: what ``run.json`` says of the file.
        store: all its known rows.
    """

    name: str
    days: int
    last_day: int
    ended_by: str
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

    def tell_held_out(self) -> None:
        """Say which days are held out, where rows of them are known."""
        later = pl.col("d") > self.last_day
        count = sum(group.filter(later).height for (group,) in paired_groups([self.store]))
        if count:
            report.info(
                f"{self.name}: days after {self.last_day} are held out: {count:,} known rows are "
                f"not trained on ({self.ended_by})"
            )


@contextmanager
def open_city(
    path: str, last_day: int | None, *, hold_out: int | None = 0, on_error: OnError = "fail"
) -> Iterator[CityTable]:
    """Read a grid trajectory; ``-`` for standard input.

    Args:
        path: the file.
        last_day: last day to learn from; None for the last of the file less ``hold_out``.
        hold_out: last days of the file, masked ones included; None for ``HELD_OUT`` of a file
            without masked rows, whose truth to predict is known, and none of another.
        on_error: stop at the first bad row, or drop bad rows.

    Raises:
        HumobError: the file cannot be read, or is empty.
    """
    name = "stdin" if path == "-" else path
    mark, days, masked = Fingerprint(), 0, False

    def known_rows(batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        nonlocal days, masked
        for batch in batches:
            days = max(days, 1 + int(batch["d"].to_numpy().max(initial=-1)))
            known = batch.filter(pl.col("x") != MASKED)
            masked |= known.height < batch.height
            yield known

    with UserStore() as store:
        store.collect(known_rows(mark.watch(iter_table(path, on_error=on_error))))
        if not days:
            raise HumobError(f"{name}: found no row, expected some to learn from")
        if hold_out is None:
            hold_out = 0 if masked else HELD_OUT
        last = days - 1 - hold_out if last_day is None else last_day
        ended_by = "--hold-out" if last_day is None else "--to-day"
        about = {"file": Path(name).name, "fingerprint": mark.text()}
        yield CityTable(name, days, last, ended_by, about, store)

"""Samples of tables that are too long to be drawn: whole users where there are users.

A user's draw is a hash of seed and user id, so that it depends neither on the order of the rows nor
on who else is there: a table and its truth keep the same users.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from humobctl.tables.keyed_random import uniforms

_USER, _ROW, _STEP = "_user_draw", "_row_draw", 2.0**-64


@dataclass
class Sampler:
    """Reads batches and keeps at most so many rows.

    Attributes:
        most: rows to keep.
        seed: of the draws.
        by: the column whose values stay together; None to draw single rows.
        rows: how many there were, once all is read.
        user_fraction: what part of the users is kept.
        row_fraction: what part of the rows of these: less than 1 where one user has too many.
    """

    most: int
    seed: int = 0
    by: str | None = None
    rows: int = 0
    user_fraction: float = 1.0
    row_fraction: float = 1.0
    _draws: dict[Any, float] = field(default_factory=dict)

    @property
    def users(self) -> int:
        """Number of users read."""
        return len(self._draws)

    def collect(self, batches: Iterable[pl.DataFrame]) -> pl.DataFrame:
        """The rows that are kept, in their order."""
        kept: list[pl.DataFrame] = []
        held = 0
        for batch in batches:
            some = self._below(self._with_draws(batch))
            kept.append(some)
            held += some.height
            while held > self.most:
                self._halve()
                kept = [self._below(one) for one in kept]
                held = sum(one.height for one in kept)
        return pl.concat(kept).drop(_USER, _ROW) if kept else pl.DataFrame()

    def _halve(self) -> None:
        """Halve the users, or the rows where no user would be left."""
        half = self.user_fraction / 2
        if self.by is not None and any(draw < half for draw in self._draws.values()):
            self.user_fraction = half
        else:
            self.row_fraction /= 2

    def _with_draws(self, batch: pl.DataFrame) -> pl.DataFrame:
        first, self.rows = self.rows, self.rows + batch.height
        numbers = pl.int_range(first, first + batch.height, eager=True).to_numpy()
        batch = batch.with_columns(pl.Series(_ROW, uniforms(1, self.seed, numbers)[:, 0]))
        if self.by is None:
            return batch.with_columns(pl.lit(0.0).alias(_USER))
        names = batch[self.by].unique()
        for name in names.to_list():
            if name not in self._draws:
                self._draws[name] = self._draw(str(name))
        draws = pl.DataFrame({self.by: names, _USER: map(self._draws.__getitem__, names)})
        return batch.join(draws, on=self.by, how="left", maintain_order="left")

    def _draw(self, name: str) -> float:
        digest = hashlib.blake2b(f"{self.seed}:{name}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) * _STEP

    def _below(self, frame: pl.DataFrame) -> pl.DataFrame:
        if self.user_fraction == self.row_fraction == 1.0:
            return frame
        few = (pl.col(_USER) < self.user_fraction) & (pl.col(_ROW) < self.row_fraction)
        return frame.filter(few)

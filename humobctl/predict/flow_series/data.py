"""A flow series as arrays: flows within cells at once, flows between cells part after part."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import polars as pl

from humobctl.errors import HumobError
from humobctl.io.by_user import UserStore, paired_parts
from humobctl.native import Bools, Float32s, Floats, Int32s, Int64s
from humobctl.predict.flow_series.base import Dates, SeriesDays
from humobctl.predict.flow_series.day_types import types_of
from humobctl.tables.flow_series import AreaNumbers, FlowDay

MAX_DAYS = 1_500
"""Four years: models hold squares of days by days."""
PART_ROWS = 20_000_000
"""Rows of a part of the pairs; a few hundred MB."""
PART_PAIRS = 100_000
"""Pairs of an array of (days, pairs)."""
SAMPLE_PAIRS, SAMPLE_ROWS = 4_000, 4_000_000
"""Pairs that models learn from, and rows that they are looked for in."""


class PairStore(UserStore):
    """Collects flows between areas by origin (``uid``); d counts days from 1970."""

    dtypes: ClassVar = {
        "uid": pl.UInt32(),
        "d": pl.Int32(),
        "destination": pl.Int32(),
        "flow": pl.Float32(),
    }

    def in_order(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The flows by origin; days stand in the order in which they came."""
        return frame.sort("uid", maintain_order=True)


@dataclass(frozen=True)
class PairBlock:
    """Flows of some pairs.

    Attributes:
        origin, destination: numbers of the areas, (pairs,).
        flows: (days, pairs), 0 where a day is not given.
    """

    origin: Int32s
    destination: Int32s
    flows: Float32s


@dataclass
class SeriesData:
    """A flow series that was read.

    Attributes:
        name: of the table.
        areas: their numbers.
        store: flows between areas; to be closed.
        known, hidden: days by their number since 1970.
    """

    name: str
    areas: AreaNumbers
    store: PairStore
    known: set[int] = field(default_factory=set)
    hidden: set[int] = field(default_factory=set)
    _within: list[tuple[int, Int32s, Floats]] = field(default_factory=list)

    def collect(self, days: Iterable[FlowDay]) -> None:
        """Take in all days.

        Raises:
            HumobError: there is nothing to predict, or nothing to predict from.
        """
        self.store.collect(map(self._take, days))
        if not self.hidden:
            raise HumobError(
                f"{self.name}: found no day to predict, expected hidden days (rows with only a "
                "date); 'humobctl data mask' hides some"
            )
        if not self.known:
            raise HumobError(f"{self.name}: found no given day, expected some to predict from")
        span = max(self.known | self.hidden) - min(self.known | self.hidden) + 1
        if span > MAX_DAYS:
            raise HumobError(
                f"{self.name}: found {span:,} days from the first to the last, expected "
                f"{MAX_DAYS:,} at most"
            )

    def _take(self, day: FlowDay) -> pl.DataFrame:
        """The day's flows between areas."""
        number = (day.date - dt.date(1970, 1, 1)).days
        if day.hidden:
            self.hidden.add(number)
            return pl.DataFrame(schema=self.store.dtypes)
        self.known.add(number)
        rows = day.pairs & (day.flow > 0)
        within = rows & (day.origin == day.destination)
        self._within.append((number, day.origin[within], day.flow[within]))
        rows &= ~within
        columns = {
            "uid": day.origin[rows].astype(np.uint32),
            "d": np.full(int(rows.sum()), number, np.int32),
            "destination": day.destination[rows],
            "flow": day.flow[rows].astype(np.float32),
        }
        return pl.DataFrame(columns, schema=self.store.dtypes)

    @property
    def first(self) -> int:
        """The first day, since 1970."""
        return min(self.known | self.hidden)

    def days(self, off: Bools | None = None) -> SeriesDays:
        """The days from the first to the last; ``off`` as in ``types_of``."""
        first, last = self.first, max(self.known | self.hidden)
        numbers = np.arange(first, last + 1)
        dates: Dates = numbers.astype("datetime64[D]")
        return SeriesDays(
            dates,
            given=np.isin(numbers, list(self.known)),
            hidden=np.isin(numbers, list(self.hidden)),
            types=types_of(dates, off),
        )

    def cells(self) -> tuple[Int32s, Floats]:
        """Areas that have flows within them, and these flows (days, cells)."""
        numbers = np.unique(np.concatenate([cells for _, cells, _ in self._within]))
        size = max(self.known | self.hidden) - self.first + 1
        flows = np.zeros((size, len(numbers)))
        for day, cells, values in self._within:
            flows[day - self.first, np.searchsorted(numbers, cells)] = values
        return numbers.astype(np.int32), flows

    def blocks(self) -> Iterator[PairBlock]:
        """The flows between areas, in order of origin and destination."""
        for _, _, (rows,) in paired_parts([self.store], PART_ROWS):
            yield from self._blocks_of(rows)

    def _blocks_of(self, rows: pl.DataFrame) -> Iterator[PairBlock]:
        size = max(self.known | self.hidden) - self.first + 1
        key = rows["uid"].to_numpy().astype(np.int64) << 32 | rows["destination"].to_numpy()
        pairs, column = np.unique(key, return_inverse=True)
        day, flow = rows["d"].to_numpy() - self.first, rows["flow"].to_numpy()
        order = np.argsort(column, kind="stable") if len(pairs) > PART_PAIRS else None
        if order is not None:
            column, day, flow = column[order], day[order], flow[order]
        for start in range(0, len(pairs), PART_PAIRS):
            some = pairs[start : start + PART_PAIRS]
            low, high = 0, len(column)
            if order is not None:
                low, high = np.searchsorted(column, [start, start + PART_PAIRS]).tolist()
            flows = np.zeros((size, len(some)), np.float32)
            flows[day[low:high], column[low:high] - start] = flow[low:high]
            yield PairBlock(
                (some >> 32).astype(np.int32), (some & 0xFFFFFFFF).astype(np.int32), flows
            )

    def sample(self, seed: int) -> Floats:
        """Flows of pairs to learn from, (days, pairs): the largest ones and others at random.

        Of a large series, those of some origins at random.
        """
        rng = np.random.default_rng(seed)
        blocks = (block for rows in self._some_rows(rng) for block in self._blocks_of(rows))
        found = [block.flows[:, self._choose(block.flows, rng)] for block in blocks]
        if not found:
            return np.zeros((max(self.known | self.hidden) - self.first + 1, 0))
        flows = np.concatenate(found, axis=1)
        return flows[:, self._choose(flows, rng)].astype(float)

    def _some_rows(self, rng: np.random.Generator) -> Iterator[pl.DataFrame]:
        if not self.store.rows:
            return
        if self.store.rows <= SAMPLE_ROWS:
            yield self.store.group(0, 1 << 32)
            return
        origins, counts = self.store.counts()
        origins, inverse = np.unique(origins, return_inverse=True)
        rows: Int64s = np.bincount(inverse, weights=counts).astype(np.int64)
        taken = 0
        for at in rng.permutation(len(origins)).tolist():
            if taken and taken + rows[at] > SAMPLE_ROWS:
                break
            taken += int(rows[at])
            yield self.store.group(int(origins[at]), int(origins[at]) + 1)

    @staticmethod
    def _choose(flows: Float32s, rng: np.random.Generator) -> Int64s:
        """Columns: the half with the largest flows, the others at random."""
        many = flows.shape[1]
        if many <= SAMPLE_PAIRS:
            return np.arange(many)
        order = np.argsort(-flows.sum(axis=0), kind="stable")
        rest = rng.choice(order[SAMPLE_PAIRS // 2 :], SAMPLE_PAIRS // 2, replace=False)
        return np.sort(np.concatenate([order[: SAMPLE_PAIRS // 2], rest]))

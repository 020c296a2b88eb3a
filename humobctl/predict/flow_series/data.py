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
PART_ROWS, BLOCK_ROWS = 20_000_000, 2_000_000
"""Rows that are read at once (280 MB), and those of whole origins that become arrays."""
BLOCK_PAIRS = 100_000
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
            origin = rows["uid"].to_numpy()
            begins = np.flatnonzero(np.append(True, origin[1:] != origin[:-1]))
            cuts = begins[np.append(True, np.diff(begins // BLOCK_ROWS) > 0)].tolist()
            for begin, end in zip(cuts, [*cuts[1:], rows.height], strict=True):
                yield from self._blocks_of(rows[begin:end])

    def _blocks_of(self, rows: pl.DataFrame) -> Iterator[PairBlock]:
        """The pairs of some origins."""
        size = max(self.known | self.hidden) - self.first + 1
        many = len(self.areas)
        pairs, column = _number(rows["uid"].to_numpy(), rows["destination"].to_numpy(), many)
        day, flow = rows["d"].to_numpy() - self.first, rows["flow"].to_numpy()
        for start in range(0, len(pairs), BLOCK_PAIRS):
            some = pairs[start : start + BLOCK_PAIRS]
            here = (column >= start) & (column < start + BLOCK_PAIRS)
            flows = np.zeros((size, len(some)), np.float32)
            flows[day[here], column[here] - start] = flow[here]
            yield PairBlock((some // many).astype(np.int32), (some % many).astype(np.int32), flows)

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


def _number(origin: Int64s, destination: Int32s, many: int) -> tuple[Int64s, Int64s]:
    """The pairs that there are, ascending (origin times ``many`` plus destination), and each row's.

    A table of all pairs of these origins is quicker than a sort, where it is not too large.
    """
    key = origin.astype(np.int64) * many + destination
    lowest = int(key.min()) if len(key) else 0
    space = int(key.max()) - lowest + 1 if len(key) else 0
    if space > 4 * BLOCK_ROWS:
        pairs, column = np.unique(key, return_inverse=True)
        return pairs, column
    there = np.zeros(space, dtype=bool)
    there[key - lowest] = True
    return np.flatnonzero(there) + lowest, (np.cumsum(there) - 1)[key - lowest]

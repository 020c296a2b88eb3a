"""Daily flows in memory: one day at a time, areas as numbers.

A flow series has a row for each pair of areas and day (``FLOW_SERIES`` of ``schemas.py``). Pairs
that are not listed have no flow. Three rows stand for what has no pair: a hidden day is one row
with only a date; a known day without any flow is one row with flow 0 and no areas; an origin listed
without destinations is a row with flow 0 and no destination. So a day that is not in the table at
all is neither hidden nor empty.

All rows of a day stand together. Readers give a ``FlowDay`` for each, whose areas are numbers that
an ``AreaNumbers`` gives out: the same for all days, and for all files read with it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from humobctl.errors import HumobError
from humobctl.native import Bools, Floats, Int32s
from humobctl.tables.schemas import FLOW_SERIES

NO_AREA = -1
"""Stands for the area where a row of a flow series has none."""
NO_CELL = -(2**31)
"""Stands for x and y of an area that is not a cell."""
OUTSIDE = "-1_-1"
"""The area outside the grid (HuMob 2026)."""
GRID_2026 = (100, 70)
"""Cells of 2 km along x and y (HuMob 2026)."""
BOX_2026 = (30, 70, 35, 70)
"""First and last x, first and last y of the cells that HuMob 2026 scores: 41 by 36, 1,476."""
LOST_DAYS_2026 = (dt.date(2024, 2, 2), dt.date(2024, 3, 5))
"""Days of the hidden period that are not scored, because the data lack them (HuMob 2026)."""
_CELL = re.compile(r"(-?\d{1,9})_(-?\d{1,9})", re.ASCII)


def hidden_days_2026() -> list[dt.date]:
    """The 58 days to predict: 1 February to 31 March 2024 without the lost days (HuMob 2026)."""
    first = dt.date(2024, 2, 1)
    days = (first + dt.timedelta(days=number) for number in range(60))
    return [day for day in days if day not in LOST_DAYS_2026]


@dataclass
class AreaNumbers:
    """Gives each area a number from 0, in the order in which they come.

    Attributes:
        ids: the areas by number, as text.
    """

    ids: list[str] = field(default_factory=list)
    _known: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={"id": pl.String, "number": pl.Int32})
    )

    def __len__(self) -> int:
        return len(self.ids)

    def number(self, ids: pl.Series) -> Int32s:
        """Numbers of areas, new ones for those that have none; ``NO_AREA`` where there is none."""
        asked = ids.cast(pl.String).alias("id").to_frame()
        fresh = (
            asked.unique(maintain_order=True)
            .drop_nulls()
            .join(self._known, on="id", how="anti", maintain_order="left")
        )
        if fresh.height:
            start = len(self.ids)
            self.ids += fresh["id"].to_list()
            numbers = pl.int_range(start, len(self.ids), dtype=pl.Int32, eager=True)
            self._known = self._known.vstack(fresh.with_columns(number=numbers))
        found = asked.join(self._known, on="id", how="left", maintain_order="left")["number"]
        return found.fill_null(NO_AREA).to_numpy()

    def texts(self, numbers: Int32s) -> pl.Series:
        """Areas of numbers, null for ``NO_AREA``."""
        known = pl.Series(self.ids, dtype=pl.String)
        return known.gather(pl.Series(numbers).replace(NO_AREA, None))

    def cells(self) -> tuple[Int32s, Int32s]:
        """The x and y of each area that is a cell ``y_x``, ``NO_CELL`` for the others."""
        found = [_CELL.fullmatch(one) for one in self.ids]
        y, x = (
            np.array([int(one[side]) if one else NO_CELL for one in found], dtype=np.int32)
            for side in (1, 2)
        )
        return x, y


@dataclass(frozen=True)
class FlowDay:
    """The flows of one day; every column has the shape (rows,), in the order of the file.

    Attributes:
        date: the day.
        origin: numbers of the areas that flows leave, ``NO_AREA`` in the one row of a day without
            any flow.
        destination: those that they go to, ``NO_AREA`` for an origin without destinations.
        flow: at least 0.
        hidden: the day is to be predicted, and has no rows.
    """

    date: dt.date
    origin: Int32s
    destination: Int32s
    flow: Floats
    hidden: bool = False

    @classmethod
    def hide(cls, date: dt.date) -> FlowDay:
        """A hidden day."""
        none = np.empty(0, np.int32)
        return cls(date, none, none, np.empty(0), hidden=True)

    @property
    def pairs(self) -> Bools:
        """Which rows are of a pair of areas."""
        found: Bools = self.destination != NO_AREA
        return found

    def to_frame(self, areas: AreaNumbers) -> pl.DataFrame:
        """The day's rows of a flow series."""
        if self.hidden:
            return pl.DataFrame([{"date": self.date}], schema=FLOW_SERIES.dtypes)
        date = pl.lit(self.date, pl.Date).alias("date")
        frame = pl.DataFrame(
            {
                "origin": areas.texts(self.origin),
                "destination": areas.texts(self.destination),
                "flow": self.flow,
            }
        )
        return frame.select(date, "origin", "destination", "flow")


def split_days(batches: Iterable[pl.DataFrame], areas: AreaNumbers, name: str) -> Iterator[FlowDay]:
    """The days of a flow series, one at a time.

    Args:
        batches: its rows, those of a day together.
        areas: gives the areas their numbers.
        name: of the table, for messages.

    Raises:
        HumobError: a day comes back after another one, is both hidden and known, or has a pair
            twice.
    """
    seen: set[dt.date] = set()
    held: list[pl.DataFrame] = []
    for batch in batches:
        numbered = batch.select(
            "date",
            "flow",
            origin=pl.Series(areas.number(batch["origin"])),
            destination=pl.Series(areas.number(batch["destination"])),
        )
        for part in numbered.partition_by("date", maintain_order=True):
            if held and part["date"][0] != held[0]["date"][0]:
                yield _join_day(held, seen, areas, name)
                held = []
            held.append(part)
    if held:
        yield _join_day(held, seen, areas, name)


def _join_day(
    parts: list[pl.DataFrame], seen: set[dt.date], areas: AreaNumbers, name: str
) -> FlowDay:
    rows = pl.concat(parts)
    date: dt.date = rows["date"][0]
    if date in seen:
        raise HumobError(
            f"{name}: found {date} again after another day, expected the rows of a day together; "
            "'humobctl data import' sorts them"
        )
    seen.add(date)
    if not rows["flow"].null_count():
        origin, destination, flow = (
            rows[column].to_numpy() for column in ("origin", "destination", "flow")
        )
        pair = pl.Series(origin.astype(np.int64) << 32 | destination)
        again = ~pair.is_first_distinct()
        if again.any():
            row = again.arg_max() or 0
            texts = [areas.ids[side[row]] for side in (origin, destination) if side[row] >= 0]
            raise HumobError(
                f"{name}: found {' to '.join(texts) or 'no areas'} a second time on {date}, "
                "expected each origin and destination once a day"
            )
        return FlowDay(date, origin, destination, flow)
    if rows.height > 1:
        raise HumobError(
            f"{name}: found {rows.height} rows of {date}, one of them without a flow, expected one "
            "row for a hidden day"
        )
    return FlowDay.hide(date)

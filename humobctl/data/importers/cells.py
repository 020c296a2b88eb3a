"""Points to cells and half hours, and cells back to points."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import polars as pl

from humobctl.data.calendar import EPOCH, day_and_slot, slot_start
from humobctl.data.grid import Grid
from humobctl.data.importers.numbers import UserNumbers
from humobctl.data.importers.options import Options
from humobctl.data.reading import BATCH_ROWS, Dropped
from humobctl.data.schemas import GRID, GRID_SIDE, MASKED, MAX_DAY, POINTS
from humobctl.errors import HumobError, TableError

_HOLD_ROWS = 4 << 20
_SLOT = ["code", "day", "t"]
_CELL = [*_SLOT, "x", "y"]


@dataclass
class ToGrid:
    """Turns points into a grid trajectory.

    A half hour that holds points of several cells gets the most frequent one (ties: the one that
    was there first). What is held in memory grows with the cells that users were in, half hour by
    half hour, not with the points.

    Attributes:
        source: the file's name.
        grid: the grid, of at most 200 x 200 cells.
        options: the date of day 0 and what to do with points outside the grid.
        notes: filled when all is read.
        dropped: counts of points outside the grid.
    """

    source: str
    grid: Grid
    options: Options
    notes: list[str] = field(default_factory=list)
    dropped: Dropped = field(default_factory=Dropped)
    numbers: UserNumbers = field(default_factory=UserNumbers)

    def batches(self, points: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """Grid trajectory by user, day and slot.

        Raises:
            HumobError: a grid larger than a table can hold, a point outside (outside="fail"), or
                a day before the start date.
        """
        if max(self.grid.nx, self.grid.ny) > GRID_SIDE:
            raise HumobError(
                f"--grid: found {self.grid.nx} x {self.grid.ny} cells, expected at most "
                f"{GRID_SIDE} x {GRID_SIDE}: a grid trajectory has no more"
            )
        held: list[pl.DataFrame] = []
        for batch in points:
            held.append(self._counts(batch))
            if sum(part.height for part in held) > _HOLD_ROWS and len(held) > 1:
                held = [_merged(held)]
        if not held:
            return
        table = self._table(_merged(held))
        self.dropped.tell()
        yield from table.iter_slices(BATCH_ROWS)

    def _counts(self, points: pl.DataFrame) -> pl.DataFrame:
        """How many points each user has in each day, slot and cell, and when the first was."""
        x, y = self.grid.cell(pl.col("lat"), pl.col("lon"))
        day, slot = day_and_slot(pl.col("datetime"))
        placed = points.select("uid", "datetime", "lat", "lon", day=day, t=slot, x=x, y=y)
        outside = placed.select(~self.grid.inside(pl.col("x"), pl.col("y"))).to_series()
        if outside.any():
            self._refuse(placed.filter(outside))
            placed = placed.filter(~outside)
        codes = (
            self.numbers.codes(placed["uid"]) if placed.height else placed["uid"].cast(pl.UInt32)
        )
        return (
            placed.with_columns(
                codes.alias("code"), pl.col("x").cast(pl.Int16), pl.col("y").cast(pl.Int16)
            )
            .group_by(_CELL)
            .agg(n=pl.len().cast(pl.UInt32), first=pl.col("datetime").min())
        )

    def _refuse(self, outside: pl.DataFrame) -> None:
        first = outside.row(0, named=True)
        error = TableError(
            self.source,
            f"the point {first['lat']}, {first['lon']} of user {first['uid']} at "
            f"{first['datetime']} outside the grid",
            f"points within {self.grid} (or --outside drop)",
        )
        if self.options.outside == "fail":
            raise error
        self.dropped.add("outside the grid", error, outside.height)

    def _table(self, counts: pl.DataFrame) -> pl.DataFrame:
        if counts.is_empty():
            raise HumobError(f"{self.source}: found no point within the grid ({self.grid})")
        # The most frequent cell first; among equals the earliest, then the lowest.
        order = counts.sort(
            [*_SLOT, "n", "first", "x", "y"], descending=[False] * 3 + [True] + [False] * 3
        )
        best = order.unique(_SLOT, keep="first", maintain_order=True)
        self._tell(counts, best)
        earliest = int(counts["day"].min())  # type: ignore[arg-type]
        start = self.options.start_date or EPOCH + dt.timedelta(days=earliest)
        base = (start - EPOCH).days
        latest = int(counts["day"].max())  # type: ignore[arg-type]
        if earliest < base or latest - base > MAX_DAY:
            odd = EPOCH + dt.timedelta(days=earliest if earliest < base else latest)
            raise HumobError(
                f"{self.source}: found a point on {odd}, expected dates from {start} (day 0) to "
                f"{start + dt.timedelta(days=MAX_DAY)} (day {MAX_DAY})"
            )
        self.notes.append(f"day 0 is {start} ({start:%A})")
        numbers = pl.Series([number for number, _ in self.numbers.users()], dtype=pl.UInt32)
        return best.select(
            numbers.gather(best["code"]).alias("uid"),
            d=(pl.col("day") - base).cast(GRID.dtypes["d"]),
            t="t",
            x="x",
            y="y",
        ).sort("uid", "d", "t")

    def _tell(self, counts: pl.DataFrame, best: pl.DataFrame) -> None:
        self.notes.append(f"grid of {self.grid}")
        merged = int(counts["n"].sum()) - best.height
        mixed = counts.height - best.height
        if merged:
            split = counts.group_by(_SLOT).len().filter(pl.col("len") > 1).height if mixed else 0
            self.notes.append(
                f"merged {merged:,} points into half hours that had one already; {split:,} half "
                "hours held several cells and got the most frequent (ties: the earliest)"
            )
        names = self.numbers.users()
        if any(not name.isdigit() or int(name) != number for number, name in names):
            how = "" if self.options.uid_map else " (--uid-map FILE writes which is which)"
            self.notes.append(f"numbered {len(names):,} users by their first appearance{how}")


def _merged(parts: list[pl.DataFrame]) -> pl.DataFrame:
    if len(parts) == 1:
        return parts[0]
    return (
        pl.concat(parts)
        .group_by(_CELL)
        .agg(n=pl.col("n").sum().cast(pl.UInt32), first=pl.col("first").min())
    )


def to_points(
    batches: Iterable[pl.DataFrame], grid: Grid, start: dt.date, source: str, notes: list[str]
) -> Iterator[pl.DataFrame]:
    """Centres of cells at the starts of half hours, as a point trajectory.

    Args:
        batches: grid trajectory; masked rows are left out, and counted in ``notes``.
        grid: where the cells lie.
        start: the date of day 0.
        source: the file's name.
        notes: what to say when all is read.

    Raises:
        HumobError: a cell outside the grid.
    """
    masked = 0
    lat, lon = grid.centre(pl.col("x"), pl.col("y"))
    for batch in batches:
        seen = batch.filter(pl.col("x") != MASKED)
        masked += batch.height - seen.height
        odd = seen.filter(~grid.inside(pl.col("x"), pl.col("y")))
        if not odd.is_empty():
            row = odd.row(0, named=True)
            raise TableError(
                source,
                f"the cell ({row['x']}, {row['y']}) of user {row['uid']} on day {row['d']}",
                f"cells of the grid ({grid})",
            )
        yield seen.select(
            pl.col("uid").cast(pl.String),
            slot_start(pl.col("d"), pl.col("t"), start).alias("datetime"),
            lat.alias("lat"),
            lon.alias("lon"),
            pl.lit(None, pl.String).alias("place_id"),
            pl.lit(None, pl.String).alias("category"),
        ).select(POINTS.columns)
    if masked:
        notes.append(f"left out {masked:,} masked rows: they have no place")
    notes.append(f"grid of {grid}")

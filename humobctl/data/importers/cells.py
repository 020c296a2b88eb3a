"""Points to cells and half hours, and cells back to points."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import polars as pl

from humobctl.console.words import pluralize
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.user_ids import UserNumbers
from humobctl.errors import HumobError, TableError, UsageError
from humobctl.io.by_user import UserStore, keys, paired_groups, sort_by_key
from humobctl.io.row_errors import Dropped
from humobctl.tables.calendar import EPOCH, day_and_slot, slot_start
from humobctl.tables.grid import Grid
from humobctl.tables.schemas import GRID, GRID_SIDE, MASKED, MAX_DAY, POINTS

SWAPPED = "; with lat and lon swapped they lie inside (--columns LAT=lon,LON=lat)"
_DAYS = 1 << 16
_SLOT = ["uid", "d", "t"]
_CELL = [*_SLOT, "x", "y"]
_ORDER = [*_SLOT, "n", "first", "x", "y"]


@dataclass
class ToGrid:
    """Turns points into a grid trajectory.

    A half hour that holds points of several cells gets the most frequent one (ties: the one that
    was there first). Users come in the order of their first appearance. Large inputs are sorted
    on disk, so that memory does not grow with them.

    Attributes:
        source: the file's name.
        grid: the grid, of at most 200 x 200 cells.
        options: the date of day 0 and what to do with points outside the grid.
        notes: filled when all is read.
        dropped: counts of points outside the grid.
        numbers: the numbers of users.
        seen: points within the grid so far.
        slots: half hours with a cell so far.
        mixed: those of them with several.
        mirrored: all points outside would be inside with latitude and longitude swapped.
    """

    source: str
    grid: Grid
    options: ImportOptions
    notes: list[str] = field(default_factory=list)
    dropped: Dropped = field(default_factory=Dropped)
    numbers: UserNumbers = field(default_factory=UserNumbers)
    seen: int = 0
    slots: int = 0
    mixed: int = 0
    mirrored: bool = True

    def batches(self, points: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """Grid trajectory, each user by day and slot.

        Raises:
            UsageError: a grid larger than a table can hold.
            HumobError: a point outside (outside="fail"), or a day before the start date.
        """
        if max(self.grid.nx, self.grid.ny) > GRID_SIDE:
            raise UsageError(
                f"--grid: found {self.grid.nx} x {self.grid.ny} cells, expected at most "
                f"{GRID_SIDE} x {GRID_SIDE}: a grid trajectory has no more"
            )
        with UserStore() as store:
            store.collect(self._counts(batch) for batch in points)
            self.dropped.tell()
            if not store.rows:
                hint = SWAPPED if self.mirrored else ""
                raise HumobError(
                    f"{self.source}: found no point within the grid ({self.grid}){hint}"
                )
            base = self._day_zero(store)
            numbers = pl.Series([number for number, _ in self.numbers.users()], dtype=pl.UInt32)
            for (counts,) in paired_groups([store]):
                best = self._best(counts)
                yield best.select(
                    numbers.gather(best["uid"]).alias("uid"),
                    (pl.col("d") - base).cast(GRID.dtypes["d"]),
                    "t",
                    "x",
                    "y",
                )
        self._tell()

    def _counts(self, points: pl.DataFrame) -> pl.DataFrame:
        """How many points each user has in each day, slot and cell, and when the first was."""
        x, y = self.grid.cell(pl.col("lat"), pl.col("lon"))
        day, slot = day_and_slot(pl.col("datetime"))
        placed = points.select("uid", "datetime", "lat", "lon", d=day, t=slot, x=x, y=y)
        outside = placed.select(~self.grid.inside(pl.col("x"), pl.col("y"))).to_series()
        if outside.any():
            self._refuse(placed.filter(outside))
            placed = placed.filter(~outside)
        self.seen += placed.height
        codes = self.numbers.codes(placed["uid"])
        return (
            placed.with_columns(codes.alias("uid"), pl.col("x", "y").cast(pl.Int16))
            .group_by(_CELL, maintain_order=True)  # sorted data stay sorted
            .agg(n=pl.len().cast(pl.UInt32), first=pl.col("datetime").min())
        )

    def _refuse(self, outside: pl.DataFrame) -> None:
        first = outside.row(0, named=True)
        swapped = self.grid.inside(*self.grid.cell(pl.col("lon"), pl.col("lat")))
        self.mirrored &= bool(outside.select(swapped.all()).item())
        hint = SWAPPED if self.mirrored else ""
        point = f"{first['lat']}, {first['lon']} of user {first['uid']} at {first['datetime']}"
        if self.options.outside == "fail":
            raise TableError(
                self.source,
                f"the point {point} outside the grid",
                f"points within {self.grid} (or --outside drop){hint}",
            )
        error = TableError(self.source, point, f"a point within the grid{hint}")
        self.dropped.add("outside the grid", error, outside.height)

    def _day_zero(self, store: UserStore) -> int:
        """Day 0, in days since 1970."""
        earliest, latest = store.first_day or 0, store.last_day or 0
        if not 0 <= earliest <= latest < _DAYS:  # else rows could not be ordered by one integer
            raise HumobError(
                f"{self.source}: found points from {EPOCH + dt.timedelta(days=earliest)} to "
                f"{EPOCH + dt.timedelta(days=latest)}, expected dates from 1970 to 2149"
            )
        start = self.options.start_date or EPOCH + dt.timedelta(days=earliest)
        base = (start - EPOCH).days
        if earliest < base or latest - base > MAX_DAY:
            odd = EPOCH + dt.timedelta(days=earliest if earliest < base else latest)
            raise HumobError(
                f"{self.source}: found a point on {odd}, expected dates from {start} (day 0) to "
                f"{start + dt.timedelta(days=MAX_DAY)} (day {MAX_DAY})"
            )
        weekday = f"{start:%A}"
        hint = "" if weekday == "Sunday" else f"; predict with --first-weekday {weekday.lower()}"
        self.notes.append(f"day 0 is {start} ({weekday}){hint}")
        return base

    def _best(self, counts: pl.DataFrame) -> pl.DataFrame:
        """One cell for each half hour: the most frequent, then the earliest, then the lowest.

        Args:
            counts: rows of ``_counts``, sorted by user, day and slot.
        """
        key = keys(counts)
        shared = ((key == key.shift(1)) | (key == key.shift(-1))).fill_null(value=False)
        if not shared.any():
            self.slots += counts.height
            return counts
        # Few half hours hold two rows: only those are worth counting and sorting.
        whole = counts.filter(shared).group_by(_CELL).agg(pl.col("n").sum(), pl.col("first").min())
        down = [name == "n" for name in _ORDER]
        first = whole.sort(_ORDER, descending=down).unique(_SLOT, keep="first", maintain_order=True)
        self.mixed += whole.group_by(_SLOT).len().filter(pl.col("len") > 1).height
        best = sort_by_key(pl.concat([counts.filter(~shared), first]))
        self.slots += best.height
        return best

    def _tell(self) -> None:
        self.notes.append(f"grid of {self.grid}")
        merged = self.seen - self.slots
        if merged:
            self.notes.append(
                f"merged {pluralize(merged, 'point')} into half hours that already had one; "
                f"{pluralize(self.mixed, 'half hour')} with several cells: kept the most frequent "
                "(ties: the earliest)"
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
    lat, lon = grid.centre(pl.col("x"), pl.col("y"))
    for batch in known_cells(batches, grid, source, notes):
        yield batch.select(
            pl.col("uid").cast(pl.String),
            slot_start(pl.col("d"), pl.col("t"), start).alias("datetime"),
            lat.alias("lat"),
            lon.alias("lon"),
            pl.lit(None, pl.String).alias("place_id"),
            pl.lit(None, pl.String).alias("category"),
        ).select(POINTS.columns)


def known_cells(
    batches: Iterable[pl.DataFrame], grid: Grid, source: str, notes: list[str]
) -> Iterator[pl.DataFrame]:
    """The rows of a grid trajectory that have a cell; masked ones are counted in ``notes``.

    Raises:
        HumobError: a cell outside the grid.
    """
    masked = 0
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
        yield seen
    if masked:
        notes.append(f"left out {pluralize(masked, 'masked row')}: their cells are unknown")
    notes.append(f"grid of {grid}")

"""From points to visits: whole users at a time, so that memory does not grow with the table."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

import polars as pl

from humobctl.console import report
from humobctl.data.importers.cells import SWAPPED
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.run import import_data
from humobctl.data.importers.timed_stays import day_zero
from humobctl.data.importers.user_ids import UserNumbers, numbering_notes, write_users
from humobctl.data.stays.task import OF_TRIPS, VISITS, StayTally, StayTask
from humobctl.errors import HumobError, UsageError
from humobctl.execution.run import LongRun
from humobctl.execution.side_table import SideTable, unpack
from humobctl.execution.task import TaskPart, user_parts
from humobctl.io.by_user import PointStore, RecordStore
from humobctl.tables.schemas import POINTS, SLOTS_PER_DAY, TOURS

ONE_FOR_MANY = 1_000_000
"""Points of one user that give a warning: two weeks at one a second."""
SLOT_MINUTES = 24 * 60 / SLOTS_PER_DAY


@dataclass
class StayJob:
    """Finds stays; the tables beside them are complete once all visits are made.

    Attributes:
        task: what to do with the points of some users; the kind of the records and, where it is
            not given, the date of day 0 are found out.
        options: how points are read.
        check_in_minutes: how long a check-in lasts, at most until the next.
        start_date: date of day 0; None for that of the earliest point.
        uid_map: file for the numbers of users.
        beside: the tables beside the visits that are wanted, by name; filled as the run goes on.
        tally: what was found; filled in as the run goes on.
    """

    task: StayTask
    options: ImportOptions = field(default_factory=ImportOptions)
    check_in_minutes: float = 0.0
    start_date: dt.date | None = None
    uid_map: str | None = None
    beside: dict[str, SideTable] = field(default_factory=dict)
    tally: StayTally = field(default_factory=StayTally)

    def run(self, path: str, long: LongRun | None = None) -> Iterator[pl.DataFrame]:
        """Visits (``TIMED_VISITS``), users in the order in which they first appear.

        Args:
            path: of the points.
            long: how it is carried out; None for one part after another, in this process.

        Raises:
            HumobError: the input is not a table of points, holds a fault, or no point that counts.
        """
        name = "stdin" if path == "-" else path
        numbers = UserNumbers()
        imported = import_data(path, self.options, expected=POINTS)
        first_batch = next(imported.batches, None)
        self._recognise(first_batch)
        with self._store() as store:
            batches = chain([] if first_batch is None else [first_batch], imported.batches)
            store.collect(self._slim(batch, numbers) for batch in batches)
            if store.first_day is None or store.last_day is None:
                hint = SWAPPED if self.tally.mirrored == self.tally.points else ""
                raise HumobError(
                    f"{name}: found no point within --box and --accuracy, expected one at "
                    f"least{hint}"
                )
            first, last = (_to_date(at) for at in (store.first_day, store.last_day))
            start = day_zero(name, first, last, self.start_date)
            self.task = dataclasses.replace(self.task, start=start)
            users = numbers.users()
            _warn_of_one_for_many(store, users)
            yield from self._visits(store, users, long or LongRun())
        report.info("; ".join([f"day 0 is {start} ({start:%A})", *self._number(users)]))
        self.tally.tell(self.task.filters)
        if TOURS.name in self.beside and self.tally.stays and not self.tally.tours:
            report.warn(
                "found no tours: no trips in a row end where they began within --tour-hours"
            )

    def _visits(
        self, store: PointStore, users: list[tuple[int, str]], long: LongRun
    ) -> Iterator[pl.DataFrame]:
        """The visits of all users; the tables beside them are kept."""
        uids = pl.Series([number for number, _ in users], dtype=pl.UInt32)
        with report.progress("finding stays", store.rows, "points") as ticker:
            parts = (_of_users(part, uids) for part in user_parts([store]))
            for done in long.results(self.task, parts, self.task.about, ticker.advance):
                tables = unpack(done.frame)
                for name, beside in self.beside.items():
                    beside.add(tables[name])
                self.tally.add(done.tally)
                yield tables[VISITS]

    def _store(self) -> PointStore:
        return PointStore() if self.task.lasts is None else RecordStore()

    def _recognise(self, batch: pl.DataFrame | None) -> None:
        """Cells and check-ins are not points of a track: each says where its user is."""
        if self.options.cells_to_points:
            self.task = dataclasses.replace(self.task, lasts=SLOT_MINUTES)
        elif batch is not None and batch["place_id"].null_count() < batch.height:
            self.task = dataclasses.replace(self.task, lasts=self.check_in_minutes)
            report.info("check-ins: each becomes a stay (points without place_id are GPS fixes)")
        for option, table in OF_TRIPS.items():
            if self.task.lasts is not None and table.name in self.beside:
                raise UsageError(
                    f"{option} needs GPS fixes between stays, found check-ins or cells"
                )

    def _number(self, users: list[tuple[int, str]]) -> list[str]:
        """Write the users' numbers if requested; returns notes on them."""
        if self.uid_map is not None:
            write_users(users, self.uid_map)
        return numbering_notes(users, written=self.uid_map is not None)

    def _slim(self, batch: pl.DataFrame, numbers: UserNumbers) -> pl.DataFrame:
        """The points of a batch that pass the filters, as the store has them."""
        self.tally.points += batch.height
        limit, box = self.task.filters.accuracy, self.task.filters.box
        if box is not None:
            south, west, north, east = box

            def inside(lat: str, lon: str) -> pl.Expr:
                east_of, west_of = pl.col(lon) >= west, pl.col(lon) <= east
                across = east_of & west_of if west <= east else east_of | west_of
                return pl.col(lat).is_between(south, north) & across

            kept = batch.filter(inside("lat", "lon"))
            self.tally.outside += batch.height - kept.height
            self.tally.mirrored += int(batch.select(inside("lon", "lat").sum()).item())
            batch = kept
        if limit is not None:
            if "accuracy" not in batch.columns:
                raise HumobError("--accuracy: found no column accuracy, expected one in the points")
            kept = batch.filter(pl.col("accuracy").fill_null(0.0) <= limit)
            self.tally.inaccurate += batch.height - kept.height
            batch = kept
        return batch.select(
            numbers.codes(batch["uid"]).alias("uid"),
            pl.col("datetime").dt.epoch("us").alias("at"),
            "lat",
            "lon",
            *([] if self.task.lasts is None else ["place_id", "category"]),
        )


def _warn_of_one_for_many(store: PointStore, users: list[tuple[int, str]]) -> None:
    """Warn of an id with most of a large table: it rarely identifies one user."""
    codes, counts = store.counts()
    most = int(counts.argmax())
    if counts[most] >= ONE_FOR_MANY and counts[most] > counts.sum() / 2:
        name = users[int(codes[most])][1]
        report.warn(
            f"user {name} has {counts[most]:,} of {counts.sum():,} points: check that column uid "
            "identifies users; --columns NAME=uid names another column"
        )


def _of_users(part: TaskPart, uids: pl.Series) -> TaskPart:
    """The part with its users' numbers in the visits."""
    points: pl.DataFrame = part.payload
    low, high = int(points["uid"][0]), int(points["uid"][-1])
    counted = points.with_columns(pl.col("uid") - low)
    return dataclasses.replace(part, payload=(counted, uids.slice(low, high - low + 1)))


def _to_date(at: int) -> dt.date:
    return (dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=at)).date()

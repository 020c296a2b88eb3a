"""Sessions: a user's records in the order of time, cut where a new outing begins.

Records are check-ins, visits or cells. A session of ``span`` lasts at most so many hours from its
first record (24 hours: the trajectories of GETNext, Yang et al., SIGIR 2022); one of ``gap`` ends
where no record follows within so many hours.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.run import import_data
from humobctl.data.importers.table_kind import columns_of, kind_of
from humobctl.errors import HumobError
from humobctl.io.read import read_table
from humobctl.io.row_errors import OnError
from humobctl.native import Floats, Int64s
from humobctl.tables.schemas import (
    GRID,
    MASKED,
    POINTS,
    SESSION_CELLS,
    SESSION_RECORDS,
    SLOTS_PER_DAY,
    VISITS,
    Table,
)

SessionRule = Literal["span", "gap"]
SUNDAY = dt.datetime(1970, 1, 4)
"""Day 0 of tables that number their days."""
HOUR = 3_600_000_000
"""Microseconds."""


@dataclass(frozen=True)
class SessionOptions:
    """How records become sessions.

    Attributes:
        rule: see above.
        hours: length of a span, or of the longest gap.
        start_date: date of day 0 of visits; None for a Sunday.
        on_error: stop at the first bad row, or drop bad rows.
    """

    rule: SessionRule = "span"
    hours: float = 24.0
    start_date: dt.date | None = None
    on_error: OnError = "fail"


@dataclass(frozen=True)
class SessionTable:
    """Records in sessions, sorted by user, time and their order in the file.

    Attributes:
        name: of the file.
        table: ``SESSION_RECORDS`` or ``SESSION_CELLS``.
        frame: its columns.
    """

    name: str
    table: Table
    frame: pl.DataFrame

    @property
    def about(self) -> dict[str, Any]:
        """What ``run.json`` says of it."""
        users = self.frame["uid"].n_unique()
        return {"file": self.name, "records": self.frame.height, "users": users}

    @property
    def of_cells(self) -> bool:
        """Whether places are cells."""
        return self.table is SESSION_CELLS

    @property
    def moment(self) -> pl.Expr:
        """Time of a record in microseconds; of cells, day 0 is a Sunday."""
        return moment_of(of_cells=self.of_cells)

    @property
    def place(self) -> list[str]:
        """Columns that say which place it is."""
        return ["x", "y"] if self.of_cells else ["place_id"]

    def replace_rows(self, frame: pl.DataFrame) -> SessionTable:
        """A table of this name and kind with other rows."""
        return SessionTable(self.name, self.table, frame)


def moment_of(*, of_cells: bool) -> pl.Expr:
    """Time of a record in microseconds; of cells, day 0 is a Sunday."""
    if not of_cells:
        return pl.col("datetime").dt.epoch("us")
    slots = pl.col("d").cast(pl.Int64) * SLOTS_PER_DAY + pl.col("t")
    start = round((SUNDAY - dt.datetime(1970, 1, 1)).total_seconds() * 1e6)
    return slots * (HOUR // 2) + start


def read_sessions(path: str | None, options: SessionOptions | None = None) -> SessionTable:
    """Records of any table of check-ins, visits, cells or sessions; others get sessions here.

    Args:
        path: a file or folder, or None or ``-`` for standard input.
        options: how records become sessions; those of a table that has sessions stay.

    Raises:
        HumobError: the table cannot be read, or its records have no places.
    """
    options = options or SessionOptions()
    name = "stdin" if path in (None, "-") else str(path)
    columns = columns_of(path)
    if {"session", "step"} <= columns:
        table = SESSION_CELLS if "t" in columns else SESSION_RECORDS
        frame = read_table(path, table, on_error=options.on_error)
        found = SessionTable(name, table, frame)
        return found.replace_rows(
            frame.sort("uid", found.moment, "session", "step", maintain_order=True)
        )
    kind = kind_of(path)
    if kind is GRID:
        frame = read_table(path, GRID, on_error=options.on_error).filter(pl.col("x") != MASKED)
        return _number(SessionTable(name, SESSION_CELLS, frame), options)
    if kind not in (POINTS, VISITS):
        raise HumobError(f"{name}: found a {kind.name} table, expected check-ins, visits or cells")
    imported = import_data(path, ImportOptions(on_error=options.on_error), expected=kind)
    frame = pl.concat(list(imported.batches), how="diagonal")
    if kind is VISITS:
        frame = _moments(frame, options.start_date)
    return _number(SessionTable(name, SESSION_RECORDS, _with_places(frame, name)), options)


def _moments(visits: pl.DataFrame, start_date: dt.date | None) -> pl.DataFrame:
    """Visits with the moment at which they begin."""
    start = pl.lit(start_date or SUNDAY.date()).cast(pl.Datetime("us"))
    begin = pl.duration(days=pl.col("d"), minutes=pl.col("start_min"))
    return visits.with_columns(uid=pl.col("uid").cast(pl.String), datetime=start + begin)


def _with_places(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """The columns of sessions but their numbers; records without a place are counted and left.

    Raises:
        HumobError: no record has a place.
    """
    if "category" not in frame.columns:
        frame = frame.with_columns(category=pl.lit(None, pl.String))
    known = frame.filter(pl.col("place_id").is_not_null())
    if not known.height:
        raise HumobError(
            f"{name}: found no place_id, expected the place of each record; 'humobctl data stays' "
            "finds places in points, 'data import --grid' puts points into cells"
        )
    if known.height < frame.height:
        missing = pluralize(frame.height - known.height, "record")
        report.warn(f"{name}: left out {missing} without a place_id")
    return known.select("uid", "datetime", "lat", "lon", "place_id", "category")


def _number(records: SessionTable, options: SessionOptions) -> SessionTable:
    """The records with the numbers of their sessions and in them."""
    frame = records.frame.sort("uid", records.moment, maintain_order=True)
    hours = frame.select(records.moment / HOUR).to_series().to_numpy()
    user = frame["uid"].rle_id().to_numpy().astype(np.int64)
    return records.replace_rows(
        number_sessions(frame, user, hours, options).select(records.table.columns)
    )


def number_sessions(
    frame: pl.DataFrame, user: Int64s, hours: Floats, options: SessionOptions
) -> pl.DataFrame:
    """The frame with ``session``, counted from 0 for each user, and ``step`` in it.

    Args:
        frame: records sorted by user and time.
        user: equal numbers are one user, shape (records,).
        hours: times, shape (records,).
        options: when a session ends.
    """
    fresh = np.diff(user, prepend=-1) != 0
    if options.rule == "gap":
        begins = fresh | (np.diff(hours, prepend=0.0) > options.hours)
    else:
        begins = _span_starts(fresh, hours, options.hours)
    numbers = np.cumsum(begins) - 1
    first = np.maximum.accumulate(np.where(fresh, numbers, 0))
    step = np.arange(len(user)) - np.maximum.accumulate(np.where(begins, np.arange(len(user)), 0))
    return frame.with_columns(
        session=pl.Series(numbers - first, dtype=pl.UInt32), step=pl.Series(step, dtype=pl.UInt32)
    )


def _span_starts(fresh: np.ndarray, hours: Floats, span: float) -> np.ndarray:
    """Where sessions begin that last ``span`` hours from their first record."""
    begins, start = fresh.copy(), 0.0
    for at, (is_first, hour) in enumerate(zip(fresh.tolist(), hours.tolist(), strict=True)):
        if is_first or hour - start > span:
            begins[at], start = True, hour
    return begins

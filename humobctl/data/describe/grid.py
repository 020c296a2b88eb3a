"""What is in a grid trajectory: who, when, where, with which gaps, and the field's measures.

Rows of one user are looked at together; a large input goes through sorted files on disk, so that
memory grows by a few numbers a user.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.data.describe.description import (
    Section,
    UserDescription,
    measure_sections,
    spread_section,
    square_displacement,
)
from humobctl.data.measures.formulas import find_starts
from humobctl.data.measures.per_user import measure_users
from humobctl.data.measures.records import DAY, Records
from humobctl.data.measures.spread import Spread, spread, weighted_spread
from humobctl.data.measures.summary import MeasureTally
from humobctl.errors import HumobError
from humobctl.io.by_user import UserStore, paired_groups
from humobctl.io.read import iter_table
from humobctl.io.row_errors import OnError
from humobctl.native import Floats
from humobctl.tables.cells import encode_cells
from humobctl.tables.schemas import GRID_SIDE, MASKED, MAX_DAY, SLOTS_PER_DAY

CELL_KM = 0.5
"""Side of a HuMob cell."""
_SLOT = DAY // SLOTS_PER_DAY
_PERIODS = 26
"""Lines of the table of days, at most."""

Counts = NDArray[np.int64]


@dataclass(repr=False)
class GridDescription(UserDescription):
    """What ``describe`` found; masked rows (999) count as rows, and have no place.

    Attributes:
        cell_km: side of a cell that lengths were reckoned with.
        rows, masked_rows, users: how many; ``users_without_place`` have masked rows only.
        first_day, last_day, days: first and last day, and days with at least one row.
        coverage: share of the slots of all users and calendar days that have a row.
        cells: distinct cells; ``bounding_box`` is their range.
        rows_per_user, rows_per_user_day, days_per_user, cells_per_user: over users, or over
            user-days with at least one row.
        top_cell_share: share of a user's rows in the user's most visited cell.
        radius_of_gyration_km, entropy_random_bits, entropy_uncorrelated_bits: as in ``measures``.
        longest_gap_slots: longest run of half hours without a row between a user's first and last.
        longest_gap_days: longest run of whole days without a row between a user's first and last.
        by_day: for each calendar day, its rows, masked rows and users.
        by_slot: rows of each of the 48 slots.
        heat: (200, 200) rows by cell, index (x - 1, y - 1).
    """

    hidden: ClassVar[frozenset[str]] = frozenset({"heat"})

    cell_km: float
    rows: int
    masked_rows: int
    users: int
    users_without_place: int
    first_day: int
    last_day: int
    days: int
    coverage: float
    cells: int
    bounding_box: dict[str, int] | None
    rows_per_user: Spread
    rows_per_user_day: Spread
    days_per_user: Spread
    cells_per_user: Spread
    top_cell_share: Spread
    radius_of_gyration_km: Spread
    entropy_random_bits: Spread
    entropy_uncorrelated_bits: Spread
    longest_gap_slots: Spread
    longest_gap_days: Spread
    by_day: list[dict[str, int]]
    by_slot: list[int]
    heat: Counts = field(repr=False)

    def sections(self) -> list[Section]:
        """Totals, distributions over users, days, then the measures."""
        by_day = ("days", "rows", "masked", "users: least", "mean", "most")
        return [
            self.totals(totals(self)),
            spread_section(
                "over users", {label: getattr(self, name) for name, label in _LABELS.items()}
            ),
            Section("", by_day, periods(self)),
            *measure_sections(self.measures),
        ]


def describe(
    path: str | None, *, cell_km: float = CELL_KM, on_error: OnError = "fail"
) -> GridDescription:
    """Describe a grid trajectory.

    Args:
        path: a file, or None or ``-`` for standard input.
        cell_km: side of a cell in km.
        on_error: stop at the first bad row, or drop bad rows with a warning.

    Raises:
        HumobError: the input cannot be read, or no row of it is good.
    """
    source = "stdin" if path in (None, "-") else str(path)
    return describe_batches(iter_table(path, on_error=on_error), source=source, cell_km=cell_km)


def describe_batches(
    batches: Iterable[pl.DataFrame], *, source: str = "", cell_km: float = CELL_KM
) -> GridDescription:
    """Describe checked batches of a grid trajectory, in any order of rows."""
    tally = _UserSums(cell_km)
    with UserStore() as store:
        store.collect(batches)
        if not store.rows:
            raise HumobError(f"{source}: found no good row, expected at least one")
        for (group,) in paired_groups([store]):
            tally.add(group)
    return tally.description(source)


class _UserSums:
    """Sums over groups of whole users."""

    def __init__(self, cell_km: float) -> None:
        self._cell_km = cell_km
        self._by_day = np.zeros((3, MAX_DAY + 1), dtype=np.int64)  # rows, masked, users
        self._by_slot = np.zeros(SLOTS_PER_DAY, dtype=np.int64)
        self._day_lengths = np.zeros(SLOTS_PER_DAY + 1, dtype=np.int64)
        self._heat = np.zeros((GRID_SIDE, GRID_SIDE), dtype=np.int64)
        self._all: dict[str, list[Floats]] = {}
        self._measures = MeasureTally()

    def add(self, group: pl.DataFrame) -> None:
        """Take in all rows of some users, sorted by uid, d and t."""
        if not group.height:
            return
        masked = pl.col("x") == MASKED
        per_day = group.group_by("uid", "d").agg(pl.len(), masked=masked.sum())
        day = per_day["d"].to_numpy().astype(np.int64)
        for line, weights in enumerate((per_day["len"], per_day["masked"], None)):
            self._by_day[line] += np.bincount(
                day, weights=None if weights is None else weights.to_numpy(), minlength=MAX_DAY + 1
            ).astype(np.int64)
        self._day_lengths += np.bincount(per_day["len"].to_numpy(), minlength=SLOTS_PER_DAY + 1)
        self._by_slot += np.bincount(group["t"].to_numpy(), minlength=SLOTS_PER_DAY)
        self._keep(_over_time(group))
        placed = group.filter(~masked)
        if placed.height:
            cells = placed.group_by("uid", "x", "y").len()
            at = (cells["x"].to_numpy() - 1, cells["y"].to_numpy() - 1)
            np.add.at(self._heat, at, cells["len"].to_numpy())
            self._measures.add(measure_users(_records(placed, self._cell_km)))

    def _keep(self, values: pl.DataFrame) -> None:
        for column in values.get_columns():
            self._all.setdefault(column.name, []).append(column.cast(pl.Float64).to_numpy())

    def description(self, source: str) -> GridDescription:
        """The description of all rows."""
        rows, masked, users = self._by_day
        seen = np.flatnonzero(rows)
        first, last = int(seen[0]), int(seen[-1])
        calendar = range(first, last + 1)
        over = {name: np.concatenate(parts) for name, parts in self._all.items()}
        people = len(over["rows_per_user"])
        measures = self._measures.measures()
        placed = measures.users.height
        visited = np.argwhere(self._heat)
        box = None
        if len(visited):
            (x_min, y_min), (x_max, y_max) = visited.min(axis=0) + 1, visited.max(axis=0) + 1
            box = {"x_min": int(x_min), "x_max": int(x_max)}
            box |= {"y_min": int(y_min), "y_max": int(y_max)}
        lengths = np.arange(SLOTS_PER_DAY + 1)
        return GridDescription(
            source=source,
            kind="grid trajectory",
            measures=measures,
            cell_km=self._cell_km,
            rows=int(rows.sum()),
            masked_rows=int(masked.sum()),
            users=people,
            users_without_place=people - placed,
            first_day=first,
            last_day=last,
            days=len(seen),
            coverage=float(rows.sum() / (people * len(calendar) * SLOTS_PER_DAY)),
            cells=len(visited),
            bounding_box=box,
            rows_per_user_day=weighted_spread(lengths, self._day_lengths),
            **{name: spread(over.get(name, np.empty(0))) for name in _OVER_USERS},
            **{name: measures.over_users[of] for name, of in _MEASURED.items()},
            by_day=[
                {"d": d, "rows": int(rows[d]), "masked": int(masked[d]), "users": int(users[d])}
                for d in calendar
            ],
            by_slot=self._by_slot.tolist(),
            heat=self._heat,
        )


_OVER_USERS = ("rows_per_user", "days_per_user", "longest_gap_slots", "longest_gap_days")
_MEASURED = {
    "cells_per_user": "locations",
    "top_cell_share": "top_location_share",
    "radius_of_gyration_km": "radius_of_gyration_km",
    "entropy_random_bits": "entropy_random_bits",
    "entropy_uncorrelated_bits": "entropy_uncorrelated_bits",
}
"""Attributes kept beside the measures, for compatibility."""


def _records(placed: pl.DataFrame, cell_km: float) -> Records:
    """Rows sorted by user and time as records at the centres of their cells, half an hour apart."""
    x, y, d, t = (placed[name].to_numpy().astype(np.int64) for name in ("x", "y", "d", "t"))
    uid = placed["uid"].to_numpy()
    first = find_starts(uid)
    return Records(
        uid=placed["uid"].gather(first[:-1]),
        first=first,
        at=d * DAY + t * _SLOT,
        north=y.astype(np.float64) * cell_km,
        east=x.astype(np.float64) * cell_km,
        place=encode_cells(x, y),
        planar=True,
        slot=_SLOT,
    )


def _over_time(group: pl.DataFrame) -> pl.DataFrame:
    """Per user: rows, days with rows, and the longest gaps in slots and in days."""
    moment = pl.col("d").cast(pl.Int64) * SLOTS_PER_DAY + pl.col("t")
    steps = group.select("uid", d=pl.col("d").cast(pl.Int64), moment=moment)
    # Sorted by user and time: a step to the row before, void on the first row of a user.
    same = pl.col("uid") == pl.col("uid").shift(1)
    steps = steps.select(
        "uid",
        slots=pl.when(same).then(pl.col("moment").diff() - 1),
        days=pl.when(same).then(pl.col("d").diff()),
    )
    return (
        steps.group_by("uid")
        .agg(
            rows_per_user=pl.len(),
            days_per_user=(pl.col("days") > 0).sum() + 1,
            longest_gap_slots=pl.col("slots").max().fill_null(0),
            longest_gap_days=(pl.col("days").max().fill_null(0) - 1).clip(lower_bound=0),
        )
        .drop("uid")
    )


# -- for people --------------------------------------------------------------------------------

_LABELS = {
    "rows_per_user": "rows per user",
    "rows_per_user_day": "rows per observed user-day",
    "days_per_user": "observed days per user",
    "cells_per_user": "cells per user",
    "top_cell_share": "fraction in the top cell",
    "longest_gap_slots": "longest gap, slots",
    "longest_gap_days": "longest gap, days",
}


def totals(found: GridDescription) -> list[tuple[str, str]]:
    """Names and values of the totals."""
    box = found.bounding_box
    masked = f"{found.masked_rows:,} ({found.masked_rows / found.rows:.1%})"
    return [
        ("users", f"{found.users:,}"),
        ("rows", f"{found.rows:,}"),
        ("masked rows", masked),
        ("users with masked rows only", f"{found.users_without_place:,}"),
        ("days", f"{found.days:,} (first {found.first_day}, last {found.last_day})"),
        ("slots with a row", f"{found.coverage:.1%}"),
        ("cells", f"{found.cells:,}"),
        (
            "bounding box",
            f"x {box['x_min']}-{box['x_max']}, y {box['y_min']}-{box['y_max']}" if box else "-",
        ),
        ("mean square displacement, km2", square_displacement(found.measures)),
    ]


def periods(found: GridDescription) -> list[tuple[str, ...]]:
    """Coverage by day in at most 26 lines: weeks, or several weeks in one."""
    weeks = -(-len(found.by_day) // 7)
    step = 7 * -(-weeks // _PERIODS)
    lines: list[tuple[str, ...]] = []
    for first in range(0, len(found.by_day), step):
        days = found.by_day[first : first + step]
        users = [day["users"] for day in days]
        lines.append(
            (
                f"{days[0]['d']}-{days[-1]['d']}",
                f"{sum(day['rows'] for day in days):,}",
                f"{sum(day['masked'] for day in days):,}",
                f"{min(users):,}",
                f"{sum(users) / len(users):,.1f}",
                f"{max(users):,}",
            )
        )
    return lines

"""What is in a grid trajectory: how much, which users, when, where, and with which gaps.

Rows of one user are looked at together; a large input goes through sorted files on disk, so that
memory grows by a few numbers a user.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TextIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.console import report
from humobctl.console.shown import Shown
from humobctl.errors import HumobError
from humobctl.io.by_user import UserStore, paired_groups
from humobctl.io.read import iter_table
from humobctl.io.row_errors import OnError
from humobctl.native import Floats
from humobctl.tables.schemas import GRID_SIDE, MASKED, MAX_DAY, SLOTS_PER_DAY

CELL_KM = 0.5
"""Side of a HuMob cell."""
_PERIODS = 26
"""Lines of the table of days, at most."""

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Spread:
    """How a value spreads over users (or user-days); all None where there is nothing."""

    mean: float | None
    median: float | None
    p10: float | None
    p90: float | None
    min: float | None
    max: float | None


@dataclass(repr=False)
class Description(Shown):
    """What ``describe`` found; masked rows (999) count as rows, and have no place.

    Attributes:
        source: name of the input.
        cell_km: side of a cell that lengths were reckoned with.
        rows, masked_rows, users: how many; ``users_without_place`` have masked rows only.
        first_day, last_day, days: first and last day, and days with at least one row.
        coverage: share of the slots of all users and calendar days that have a row.
        cells: distinct cells; ``bounding_box`` is their range.
        rows_per_user, rows_per_user_day, days_per_user, cells_per_user: over users, or over
            user-days with at least one row.
        top_cell_share: share of a user's rows in the user's most visited cell.
        radius_of_gyration_km: root mean square distance of a user's rows from their mean
            position (Gonzalez, Hidalgo, Barabasi, Nature 2008).
        entropy_random_bits: log2 of a user's distinct cells (Song, Qu, Blumm, Barabasi,
            "Limits of predictability in human mobility", Science 2010).
        entropy_uncorrelated_bits: ``-sum(p log2 p)`` over the shares of a user's rows by cell
            (temporal-uncorrelated entropy, same source).
        longest_gap_slots: longest run of half hours without a row between a user's first and last.
        longest_gap_days: longest run of whole days without a row between a user's first and last.
        by_day: for each calendar day, its rows, masked rows and users.
        by_slot: rows of each of the 48 slots.
        heat: (200, 200) rows by cell, index (x - 1, y - 1).
    """

    source: str
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

    def show(self, stream: TextIO | None = None) -> None:
        """Print what was found for people."""
        stream = stream or sys.stdout
        over = ("over users", "mean", "median", "10 %", "90 %", "least", "most")
        by_day = ("days", "rows", "masked", "users: least", "mean", "most")
        report.table(self.source, ("in all", ""), totals(self), stream=stream)
        report.table("", over, spreads(self), stream=stream)
        report.table("", by_day, periods(self), stream=stream)

    def to_dict(self) -> dict[str, Any]:
        """All but the heat map, ready for ``json.dumps``."""
        return {
            name: dataclasses.asdict(value) if isinstance(value, Spread) else value
            for name, value in vars(self).items()
            if name != "heat"
        }


def describe(
    path: str | None, *, cell_km: float = CELL_KM, on_error: OnError = "fail"
) -> Description:
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
) -> Description:
    """Describe checked batches of a grid trajectory, in any order of rows."""
    tally = _UserSums(cell_km)
    with UserStore() as store:
        store.collect(batches)
        if not store.rows:
            raise HumobError(f"{source}: found no good row, expected a table")
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
            self._keep(_over_cells(cells, self._cell_km))

    def _keep(self, values: pl.DataFrame) -> None:
        for column in values.get_columns():
            self._all.setdefault(column.name, []).append(column.cast(pl.Float64).to_numpy())

    def description(self, source: str) -> Description:
        """What was found in all."""
        rows, masked, users = self._by_day
        seen = np.flatnonzero(rows)
        first, last = int(seen[0]), int(seen[-1])
        calendar = range(first, last + 1)
        over = {name: np.concatenate(parts) for name, parts in self._all.items()}
        people = len(over["rows_per_user"])
        placed = len(over.get("cells_per_user", ()))
        visited = np.argwhere(self._heat)
        box = None
        if len(visited):
            (x_min, y_min), (x_max, y_max) = visited.min(axis=0) + 1, visited.max(axis=0) + 1
            box = {"x_min": int(x_min), "x_max": int(x_max)}
            box |= {"y_min": int(y_min), "y_max": int(y_max)}
        lengths = np.arange(SLOTS_PER_DAY + 1)
        return Description(
            source=source,
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
            by_day=[
                {"d": d, "rows": int(rows[d]), "masked": int(masked[d]), "users": int(users[d])}
                for d in calendar
            ],
            by_slot=self._by_slot.tolist(),
            heat=self._heat,
        )


_OVER_USERS = (
    "rows_per_user",
    "days_per_user",
    "cells_per_user",
    "top_cell_share",
    "radius_of_gyration_km",
    "entropy_random_bits",
    "entropy_uncorrelated_bits",
    "longest_gap_slots",
    "longest_gap_days",
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


def _over_cells(cells: pl.DataFrame, cell_km: float) -> pl.DataFrame:
    """Per user, from the rows in each of the user's cells: gyration, entropies, cells.

    Args:
        cells: columns uid, x, y and len.
        cell_km: side of a cell.
    """
    n = pl.col("len").cast(pl.Float64)
    x, y = pl.col("x").cast(pl.Float64), pl.col("y").cast(pl.Float64)
    sums = cells.group_by("uid").agg(
        cells_per_user=pl.len(),
        top=n.max(),
        n=n.sum(),
        log=(n * n.log(2)).sum(),
        x=(n * x).sum(),
        y=(n * y).sum(),
        square=(n * (x * x + y * y)).sum(),
    )
    total = pl.col("n")
    # Sums of whole numbers below 2**53 are exact, so the difference of squares is safe.
    square = (pl.col("square") * total - pl.col("x") ** 2 - pl.col("y") ** 2) / total**2
    return sums.select(
        "cells_per_user",
        top_cell_share=pl.col("top") / total,
        radius_of_gyration_km=square.clip(lower_bound=0).sqrt() * cell_km,
        entropy_random_bits=pl.col("cells_per_user").log(2),
        # -sum(n/N log(n/N)) = log N - sum(n log n) / N; rounding may leave it below 0 by a hair.
        entropy_uncorrelated_bits=(total.log(2) - pl.col("log") / total).clip(lower_bound=0),
    )


def spread(values: NDArray[np.float64]) -> Spread:
    """Mean, median, tenth and ninetieth percentile, range; of nothing, None."""
    if not len(values):
        return Spread(None, None, None, None, None, None)
    p10, median, p90 = np.quantile(values, [0.1, 0.5, 0.9]).tolist()
    return Spread(float(values.mean()), median, p10, p90, float(values.min()), float(values.max()))


def weighted_spread(values: NDArray[np.int64], counts: Counts) -> Spread:
    """Statistics of values that occur ``counts`` times; percentiles interpolate between ranks."""
    total = int(counts.sum())
    if not total:
        return spread(np.empty(0))
    ends = np.cumsum(counts)

    def at(share: float) -> float:
        rank = share * (total - 1)
        low, high = (
            values[np.searchsorted(ends, r, side="right")] for r in (int(rank), -(-rank // 1))
        )
        return float(low + (high - low) * (rank - int(rank)))

    there = values[counts > 0]
    mean = float((values * counts).sum() / total)
    return Spread(mean, at(0.5), at(0.1), at(0.9), float(there[0]), float(there[-1]))


# -- for people --------------------------------------------------------------------------------

_LABELS = {
    "rows_per_user": "rows a user",
    "rows_per_user_day": "rows a user-day seen",
    "days_per_user": "days a user is seen",
    "cells_per_user": "cells a user",
    "top_cell_share": "share of the top cell",
    "radius_of_gyration_km": "radius of gyration, km",
    "entropy_random_bits": "random entropy, bits",
    "entropy_uncorrelated_bits": "uncorrelated entropy, bits",
    "longest_gap_slots": "longest gap, slots",
    "longest_gap_days": "longest gap, days",
}


def totals(found: Description) -> list[tuple[str, str]]:
    """Name and value of what is counted once."""
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
    ]


def spreads(found: Description) -> list[tuple[str, ...]]:
    """Name, mean, median, percentiles and range of what differs between users."""
    return [
        (label, *(_short(value) for value in vars(getattr(found, name)).values()))
        for name, label in _LABELS.items()
    ]


def periods(found: Description) -> list[tuple[str, ...]]:
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


def _short(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"

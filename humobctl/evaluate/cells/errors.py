"""Where predictions err: hits and kilometres by time, by user's regularity, by cell."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from humobctl.evaluate.cells.align import AlignedDays
from humobctl.evaluate.cells.points import POINT_METRICS
from humobctl.execution.task import Tally
from humobctl.native import Floats, Int64s
from humobctl.tables.cells import CELLS, encode_cells, encode_columns
from humobctl.tables.schemas import MASKED, SLOTS_PER_DAY

DISTANCES = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""Kilometres up to which errors are counted."""
REGULARITIES = 10
"""Bins of regularity, from 0 to 1."""
_METRICS = ("accuracy", "distance")


def _zeros(*shape: int) -> Floats:
    return np.zeros(shape)


@dataclass
class ErrorTally(Tally):
    """Errors of predicted rows, in groups of shape (groups, 3): rows, hits, sum of kilometres.

    Attributes:
        by_slot: by half hour.
        by_day: by day, from the first that is scored.
        by_novelty: in cells where the user was on earlier days, and in others.
        by_cell: by true cell.
        by_regularity: by the user's regularity on earlier days: users, and sums of their accuracy
            and of their mean kilometres. Regularity is the share of a user's records in the most
            frequent cell of their half hour (after Song et al., Science 327, 2010).
        within: rows with an error of at most each of ``DISTANCES``.
    """

    by_slot: Floats = field(default_factory=lambda: _zeros(SLOTS_PER_DAY, 3))
    by_day: Floats = field(default_factory=lambda: _zeros(1, 3))
    by_novelty: Floats = field(default_factory=lambda: _zeros(2, 3))
    by_cell: Floats = field(default_factory=lambda: _zeros(CELLS, 3))
    by_regularity: Floats = field(default_factory=lambda: _zeros(REGULARITIES, 3))
    within: Floats = field(default_factory=lambda: _zeros(len(DISTANCES)))

    @property
    def rows(self) -> float:
        """Rows in all."""
        return float(self.by_slot[:, 0].sum())

    def by_weekday(self, first_day: int, first_weekday: int) -> Floats:
        """Errors by day of the week, Monday first, shape (7, 3).

        Args:
            first_day: the first day that is scored.
            first_weekday: weekday of day 0, from 0 for Sunday.
        """
        days = first_day + np.arange(len(self.by_day)) + first_weekday - 1
        found = _zeros(7, 3)
        np.add.at(found, days % 7, self.by_day)
        return found


def tally_errors(
    days: AlignedDays, past: pl.DataFrame, scored: tuple[int, int], cell_km: float
) -> ErrorTally:
    """The errors of some users' days.

    Args:
        days: both sides.
        past: records of the same users (uid, d, t, x, y) before the days that are scored.
        scored: first and last day that is scored.
        cell_km: side of a cell.
    """
    km = days.apart() * cell_km
    values = [POINT_METRICS[name].scores(km) for name in _METRICS]
    day = np.repeat(np.arange(len(days.uid)), np.diff(days.starts))
    uid, cells = days.uid[day], encode_cells(*days.reference)
    past = past.filter(pl.col("x") != MASKED).select(
        pl.col("uid").cast(pl.Int64), "t", cell=encode_columns().cast(pl.Int64)
    )
    found = ErrorTally(
        by_slot=_sums(days.slot, values, SLOTS_PER_DAY),
        by_day=_sums(days.d[day] - scored[0], values, scored[1] - scored[0] + 1),
        by_cell=_sums(cells, values, CELLS),
        within=np.array([(km <= limit).sum() for limit in DISTANCES], np.float64),
    )
    if past.height:
        rows = pl.DataFrame({"uid": uid, "cell": cells, **dict(zip(_METRICS, values, strict=True))})
        been = rows.join(
            past.select("uid", "cell", known=True).unique(), on=["uid", "cell"], how="left"
        )["known"]
        novel = been.is_null().cast(pl.Int64).to_numpy()
        with_past = rows["uid"].is_in(past["uid"].unique().implode()).to_numpy()
        kept = [value[with_past] for value in values]
        found.by_novelty = _sums(novel[with_past], kept, 2)
        found.by_regularity = _by_regularity(rows, past)
    return found


def _sums(group: Int64s, values: list[Floats], groups: int) -> Floats:
    """Rows and sums of values by group, shape (groups, 1 + values)."""
    weights = [None, *values]
    sums: Floats = np.stack(
        [np.bincount(group, w, minlength=groups).astype(np.float64) for w in weights], axis=1
    )
    return sums


def _by_regularity(rows: pl.DataFrame, past: pl.DataFrame) -> Floats:
    often = past.group_by("uid", "t", "cell").len().group_by("uid", "t").agg(pl.col("len").max())
    regular = often.group_by("uid").agg(pl.col("len").sum())
    regular = regular.join(past.group_by("uid").agg(rows=pl.len()), on="uid")
    users = rows.group_by("uid").agg(pl.col(_METRICS).mean()).join(regular, on="uid").sort("uid")
    share = (users["len"] / users["rows"]).to_numpy()
    group = np.minimum((share * REGULARITIES).astype(np.int64), REGULARITIES - 1)
    return _sums(group, [users[name].to_numpy() for name in _METRICS], REGULARITIES)

"""Predictions and truth, row against row: the same users, days and slots, or a clear error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from humobctl.errors import HumobError
from humobctl.execution.task import Tally
from humobctl.io.by_user import keys
from humobctl.native import Floats, Int32s, Int64s
from humobctl.tables.schemas import MASKED


@dataclass(frozen=True)
class AlignedDays:
    """User-days of equal rows on both sides, ordered by user, day and slot.

    Attributes:
        uid: user of each day, shape (days,).
        d: day index, shape (days,).
        starts: offsets of the days in the points, shape (days + 1,).
        slot: half hour of the points, shape (points,).
        generated: x and y of the predicted points, each of shape (points,).
        reference: the same of the true points.
    """

    uid: Int64s
    d: Int64s
    starts: Int64s
    slot: Int64s
    generated: tuple[Int32s, Int32s]
    reference: tuple[Int32s, Int32s]

    def apart(self) -> Floats:
        """Distance of the two sides' points in cells, shape (points,)."""
        steps = [g - r for g, r in zip(self.generated, self.reference, strict=True)]
        cells: Floats = np.hypot(*steps)
        return cells

    def day_means(self, values: Floats) -> Floats:
        """Mean over the points of each day, shape (days,)."""
        lengths = np.diff(self.starts)
        means: Floats = np.add.reduceat(values, self.starts[:-1]) / lengths
        return means


@dataclass
class Coverage(Tally):
    """How much of the truth was predicted: rows and users, found and expected."""

    rows: int = 0
    expected_rows: int = 0
    users: int = 0
    expected_users: int = 0


class Mismatch:
    """Rows that only one side has, counted over all groups; the first one is kept."""

    def __init__(self) -> None:
        self.count = 0
        self.first: tuple[int, int, int] | None = None

    def add(self, only_here: Int64s) -> None:
        """Count more rows, given by their keys (sorted)."""
        if len(only_here):
            self.join(len(only_here), _unpack(int(only_here[0])))

    def join(self, count: int, first: tuple[int, int, int] | None) -> None:
        """Count more rows, of which the first is known; None where there are none."""
        self.count += count
        if first is not None:
            self.first = first if self.first is None else min(first, self.first)


def _unpack(key: int) -> tuple[int, int, int]:
    return key >> 24, key >> 8 & 0xFFFF, key & 0xFF


def align(
    predicted: pl.DataFrame, truth: pl.DataFrame, extra: Mismatch, missing: Mismatch
) -> tuple[AlignedDays, Coverage]:
    """Bring both sides to the same rows.

    Args:
        predicted: grid trajectory sorted by (uid, d, t), of the days to score.
        truth: the same of the true rows.
        extra: takes the predicted rows that the truth lacks.
        missing: takes the true rows that were not predicted.
    """
    p_keys, t_keys = keys(predicted).to_numpy(), keys(truth).to_numpy()
    coverage = Coverage(expected_rows=len(t_keys), expected_users=truth["uid"].n_unique())
    if not np.array_equal(p_keys, t_keys):
        in_truth = np.isin(p_keys, t_keys, assume_unique=True)
        in_predicted = np.isin(t_keys, p_keys, assume_unique=True)
        extra.add(p_keys[~in_truth])
        missing.add(t_keys[~in_predicted])
        predicted, truth = predicted.filter(in_truth), truth.filter(in_predicted)
        t_keys = t_keys[in_predicted]
    coverage.rows, coverage.users = len(t_keys), truth["uid"].n_unique()
    day_keys = t_keys >> 8
    begins = np.flatnonzero(np.diff(day_keys, prepend=-1))
    first = day_keys[begins]
    aligned = AlignedDays(
        uid=first >> 16,
        d=first & 0xFFFF,
        starts=np.append(begins, len(t_keys)).astype(np.int64),
        slot=t_keys & 0xFF,
        generated=_cells(predicted),
        reference=_cells(truth),
    )
    return aligned, coverage


def _cells(frame: pl.DataFrame) -> tuple[Int32s, Int32s]:
    x, y = (frame[name].to_numpy().astype(np.int32) for name in ("x", "y"))
    return x, y


def refuse_masked(frame: pl.DataFrame, name: str, remedy: str) -> None:
    """Refuse cells that are still masked.

    Raises:
        HumobError: names the first masked row and how many there are.
    """
    masked = frame.filter(pl.col("x") == MASKED)
    if masked.height:
        raise HumobError(
            f"{name}: found {masked.height} masked rows ({MASKED}), the first at (uid, d, t) = "
            f"{masked.row(0)[:3]}, expected cells; {remedy}"
        )

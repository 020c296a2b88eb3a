"""Groups of records that scores are broken down by: time, and what is known of the user's past."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from humobctl.data.sessions import HOUR
from humobctl.errors import UsageError
from humobctl.native import Bools, Int64s
from humobctl.tables.schemas import SLOTS_PER_DAY

OF_DAYS = ("weekday", "days-ahead", "activity", "regularity")
"""Breakdowns of which all records of a user-day are in one group."""
OF_THE_PAST = ("novelty", "activity", "regularity")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NOVELTIES = ("known place", "new place")
_ACTIVITY = (
    *((10, "1-10"), (50, "11-50"), (200, "51-200"), (1000, "201-1000")),
    (1 << 60, "1001 or more"),
)
"""Records of a user in the past: upper bounds and names of groups."""
_REGULARITIES = 5
"""Equal bins of regularity, from 0 to 1."""


@dataclass(frozen=True)
class Grouping:
    """What groups follow from, besides the records.

    Attributes:
        place: columns that name a place.
        past: uid, place and ``at`` (microseconds) of what was known before; None where it is not.
        first_day: the first day of masked rows that is scored; None of next places.
        first_weekday: weekday of day 0, from 0 for Sunday; 0 where ``at`` is of real dates.
    """

    place: tuple[str, ...]
    past: pl.DataFrame | None
    first_day: int | None
    first_weekday: int = 0

    def numbers(self, by: str, rows: pl.DataFrame) -> Int64s:
        """The group of each row, by its number.

        Args:
            by: hour, novelty, or one of ``OF_DAYS``.
            rows: uid, place and ``at`` of records; ``d`` too of masked rows.

        Raises:
            UsageError: a breakdown that needs to know the past, or days that were predicted at
                once.
        """
        hour = rows["at"].to_numpy() / HOUR
        if by == "hour":
            return np.asarray(hour % 24).astype(np.int64)
        if by == "weekday":
            return np.asarray(hour // 24 + 3 + self.first_weekday).astype(np.int64) % 7
        if by == "days-ahead":
            if self.first_day is None:
                raise UsageError(
                    "--by days-ahead: found next places, expected predicted masked rows"
                )
            return rows["d"].to_numpy().astype(np.int64) - self.first_day
        if self.past is None:
            raise UsageError(
                f"--by {by}: found no records before the predicted ones in --truth, expected what "
                "was known before (of ranked candidates: --history)"
            )
        if by == "novelty":
            known = self.past.select("uid", *self.place).unique().with_columns(new=0)
            return _beside(rows, known, ["uid", *self.place], 1).to_numpy().astype(np.int64)
        if by == "activity":
            many = _beside(rows, self.past.group_by("uid").len(), ["uid"], 0).to_numpy()
            return np.asarray(np.searchsorted([bound for bound, _ in _ACTIVITY], many))
        shares = _beside(rows, _regularity(self.past, self.place), ["uid"], 0.0).to_numpy()
        return np.asarray(np.minimum((shares * _REGULARITIES).astype(np.int64), _REGULARITIES - 1))

    def masks(self, by: str, rows: pl.DataFrame) -> dict[str, Bools]:
        """Groups that have a row, by name and in order, and which rows are in each."""
        numbers = self.numbers(by, rows)
        return {name_group(by, int(one)): numbers == one for one in np.unique(numbers)}


def check_past(by: Sequence[str], first_day: int, known_from: int | None, truth: str) -> None:
    """Refuse breakdowns by a past that is not known.

    Args:
        by: breakdowns.
        first_day: the first day that is scored.
        known_from: the first day of the true rows; None where that is not known.
        truth: name of their file.

    Raises:
        UsageError: one needs days before the first one.
    """
    wanting = [one for one in by if one in OF_THE_PAST]
    if wanting and known_from is not None and known_from >= first_day:
        raise UsageError(
            f"--by {wanting[0]}: {truth} begins on day {known_from}, expected days before day "
            f"{first_day}, too"
        )


def name_group(by: str, number: int) -> str:
    """The name of a group."""
    if by == "regularity":
        return f"{number / _REGULARITIES:g} to {(number + 1) / _REGULARITIES:g}"
    if by == "activity":
        return _ACTIVITY[number][1]
    names = {"weekday": _DAYS, "novelty": _NOVELTIES}
    if by in names:
        return names[by][number]
    return f"{number:02d}" if by == "hour" else str(number + 1)


def _beside(rows: pl.DataFrame, known: pl.DataFrame, on: list[str], other: float) -> pl.Series:
    """The last column of ``known`` for each row; ``other`` where it has none."""
    found = rows.select(on).join(known, on=on, how="left", maintain_order="left")
    return found.to_series(-1).fill_null(other)


def _regularity(past: pl.DataFrame, place: tuple[str, ...]) -> pl.DataFrame:
    """The share of each user's known records at their half hour's most visited place."""
    rows = past.with_columns(slot=pl.col("at") // (HOUR // 2) % SLOTS_PER_DAY)
    often = rows.group_by("uid", "slot", *place).len("often").group_by("uid", "slot").max()
    most = often.group_by("uid").agg(pl.col("often").sum())
    shares = rows.group_by("uid").len("all").join(most, on="uid")
    return shares.select("uid", regularity=pl.col("often") / pl.col("all"))

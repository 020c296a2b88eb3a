"""What all users of a file say together: the calendar, and the cells that most people are in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.native import Bools, Floats, Int32s, Int64s
from humobctl.predict.base import SlotDistributions, UserHistory
from humobctl.tables.calendar import NIGHT
from humobctl.tables.cells import CELLS, decode_cells, encode_columns
from humobctl.tables.schemas import SLOTS_PER_DAY

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_DAYTIME = (20, 36)  # 10:00 to 18:00, where working days and days off differ most
_COMMUTER_ROWS = 10  # daytime rows of working days that show a workplace
_EVIDENCE = 30  # daytime rows of commuters that make a day's share worth believing
_KEPT_CELLS = 100
_CALENDARS = 25
"""Calendars that are inferred for the windows of one table."""


@dataclass(frozen=True)
class CityProfile:
    """A summary of all known rows.

    Attributes:
        weekday: 0 (Sunday) to 6 for each day, shape (days,).
        off: days on which few people are at work, shape (days,).
        holiday: those of them from Monday to Friday, shape (days,).
        cells: the most frequent cells, shape (k, 2).
        slot_p: their frequencies by slot, shape (48, k); each row sums to 1.
        new_cells: weights of the chance of a cell new to a user beside the history baseline; None
            for the usual ones.
    """

    weekday: Int64s
    off: Bools
    holiday: Bools
    cells: Int32s
    slot_p: Floats
    new_cells: Floats | None = None

    def with_calendar(self, calendar: pl.DataFrame) -> CityProfile:
        """The same city with the days off of a calendar table; other days follow the week.

        Args:
            calendar: columns d and off (1 for a day off).
        """
        weekend = (self.weekday == 0) | (self.weekday == 6)
        off = weekend.copy()
        inside = calendar.filter(pl.col("d") < len(off))
        off[inside["d"].to_numpy()] = inside["off"].to_numpy() == 1
        return replace(self, off=off, holiday=off & ~weekend)

    def alike(self, some: Int64s, others: Int64s) -> tuple[Bools, Bools]:
        """Whether days have the same weekday, and are both free or both working, (some, others).

        A holiday has the weekday of no other day.
        """
        weekday = np.where(self.holiday, -1, self.weekday)
        ordinary = ~self.holiday[some][:, None]
        same_weekday = ordinary & (weekday[some][:, None] == weekday[others][None, :])
        return same_weekday, self.off[some][:, None] == self.off[others][None, :]

    def distribution(self, user: UserHistory) -> SlotDistributions:
        """The answer for a user without a known row: where most people are in that slot."""
        return SlotDistributions(self.cells, self.slot_p[user.target_t])


class BatchPredictor(ABC):
    """A predictor of many users at once; the city answers for those without a known row.

    Attributes:
        city: where people are.
        batch_users: users that are worth predicting together.
    """

    city: CityProfile
    batch_users: int

    def distribution(self, user: UserHistory) -> SlotDistributions:
        """One user's distributions."""
        return self.distributions([user])[0]

    def distributions(self, users: Sequence[UserHistory]) -> list[SlotDistributions]:
        """Distributions of several users, in their order."""
        found = iter(self.of_known([user for user in users if len(user.d)]))
        return [next(found) if len(user.d) else self.city.distribution(user) for user in users]

    @abstractmethod
    def of_known(self, users: list[UserHistory]) -> Sequence[SlotDistributions]:
        """Distributions of users with known rows."""


class CityCounter:
    """Adds up groups of whole users; its memory does not grow with them."""

    def __init__(self, days: int, first_weekday: int = 0, *, cells: bool = True) -> None:
        """Start from nothing.

        Args:
            days: number of days, the targets' included.
            first_weekday: of day 0; 0 is Sunday, as in HuMob 2023 and 2024.
            cells: whether to count cells, too, and not the calendar alone.
        """
        self.weekday = (np.arange(days, dtype=np.int64) + first_weekday) % 7
        self._make_seen = np.zeros(SLOTS_PER_DAY * CELLS * cells)
        self._at_work = np.zeros(days)
        self._daytime = np.zeros(days)

    def add(self, known: pl.DataFrame) -> None:
        """Count the known rows of a group of whole users."""
        if not known.height:
            return
        rows = known.select(
            "uid",
            "d",
            "t",
            cell=encode_columns(),
            working=~(pl.col("d").cast(pl.Int64) + int(self.weekday[0])).mod(7).is_in([0, 6]),
            daytime=pl.col("t").is_between(*_DAYTIME, closed="left"),
            night=(pl.col("t") < NIGHT[0]) | (pl.col("t") >= NIGHT[1]),
        )
        if len(self._make_seen):
            key = rows["t"].to_numpy().astype(np.int64) * CELLS + rows["cell"].to_numpy()
            self._make_seen += np.bincount(key, minlength=len(self._make_seen))
        commutes = rows.join(_workplaces(rows), on="uid").filter("daytime")
        days = len(self.weekday)
        self._daytime += np.bincount(commutes["d"], minlength=days)
        at_work = commutes.filter(pl.col("cell") == pl.col("work"))
        self._at_work += np.bincount(at_work["d"], minlength=days)

    def city(self, calendar: pl.DataFrame | None = None) -> CityProfile:
        """The summary; with the days off of a calendar table, where there is one."""
        off, holiday = self._days_off()
        seen = self._make_seen.reshape(SLOTS_PER_DAY, -1)
        total = seen.sum(axis=0)
        top = np.argsort(-total, kind="stable")[:_KEPT_CELLS]
        top = top[total[top] > 0]
        # A slot that nobody was seen in takes the frequencies over all slots.
        counts = seen[:, top] + (total[top] + 1.0) * 1e-3
        slot_p = counts / counts.sum(axis=1, keepdims=True)
        city = CityProfile(self.weekday, off, holiday, decode_cells(top), slot_p)
        return city if calendar is None else city.with_calendar(calendar)

    def _days_off(self) -> tuple[Bools, Bools]:
        """Weekends, and working days on which the fraction of people at work is a weekend's."""
        weekend = (self.weekday == 0) | (self.weekday == 6)
        share = self._at_work / np.maximum(self._daytime, 1.0)
        known = self._daytime >= _EVIDENCE
        holiday = np.zeros(len(weekend), dtype=np.bool_)
        if (known & weekend).any() and (known & ~weekend).any():
            low, high = np.median(share[known & weekend]), np.median(share[known & ~weekend])
            # Without a clear difference there is nothing to tell a holiday by.
            if high > 1.2 * low:
                holiday = known & ~weekend & (share < (low + high) / 2)
        return weekend | holiday, holiday


def unique_users(groups: Iterable[pl.DataFrame]) -> NDArray[np.uint32]:
    """The users of all groups, ascending."""
    users = [known["uid"].unique().to_numpy() for known in groups]
    return np.unique(np.concatenate([np.empty(0, np.uint32), *users]))


def past_cities(
    groups: Iterable[pl.DataFrame],
    begins: Iterable[int],
    days: int,
    *,
    first_weekday: int = 0,
    calendar: pl.DataFrame | None = None,
) -> dict[int, CityProfile]:
    """For the first day of each training window, the calendar that the days before it show.

    Args:
        groups: known rows of whole users.
        begins: the first days.
        days: number of days of the calendars.
        first_weekday: of day 0; 0 is Sunday.
        calendar: days off; None to infer them.
    """
    counters = {begin: CityCounter(days, first_weekday, cells=False) for begin in begins}
    for known in groups:
        for begin, counter in counters.items():
            counter.add(known.filter(pl.col("d") < begin))
    return {begin: counter.city(calendar) for begin, counter in counters.items()}


def past_days_off(
    groups: Iterable[pl.DataFrame],
    days: int,
    *,
    first_weekday: int = 0,
    calendar: pl.DataFrame | None = None,
) -> Bools:
    """Whether each day is off, as the days before each day show; shape (days before, days).

    For a long table, not all days are looked at anew: what is known of the day before has to do.
    """
    step = -(-days // _CALENDARS)
    begins = range(0, days, step)
    cities = past_cities(groups, begins, days, first_weekday=first_weekday, calendar=calendar)
    off: Bools = np.stack([cities[begin].off for begin in begins]).repeat(step, axis=0)[:days]
    return off


def _workplaces(rows: pl.DataFrame) -> pl.DataFrame:
    """Users and their most frequent daytime cell of working days, where it is not the home."""
    by_day = rows.filter(pl.col("working") & pl.col("daytime"))
    work = _most_frequent(by_day).filter(pl.col("rows") >= _COMMUTER_ROWS)
    home = _most_frequent(rows.filter("night")).select("uid", home="cell")
    pairs = work.join(home, on="uid", how="left")
    away = pairs.filter(pl.col("home").is_null() | (pl.col("home") != pl.col("cell")))
    return away.select("uid", work="cell")


def _most_frequent(rows: pl.DataFrame) -> pl.DataFrame:
    """Each user's most frequent cell (ties: the lowest), with the number of all their rows."""
    counts = rows.group_by("uid", "cell").len()
    return (
        counts.sort("uid", "len", "cell", descending=[False, True, False])
        .group_by("uid", maintain_order=True)
        .agg(pl.col("cell").first(), pl.col("len").sum().alias("rows"))
    )

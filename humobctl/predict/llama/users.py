"""Users with something to predict, from trajectory files: the source of records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from humobctl.data.split import shuffle_users
from humobctl.errors import HumobError
from humobctl.io.row_errors import OnError
from humobctl.native import Int32s
from humobctl.predict.base import UserHistory
from humobctl.predict.city_profile import CityProfile, past_cities, unique_users
from humobctl.predict.llama.config import LlamaSettings
from humobctl.training.city_table import open_city
from humobctl.training.record_sketch import RecordSketch


@dataclass(frozen=True)
class Source:
    """What of a file is used.

    Attributes:
        most_users: users of each city, at most; None for all.
        last_day: last day to learn from; None for the last of the file less ``hold_out``.
        hold_out: last days of the file, masked ones included, that are never seen.
        calendar: days off; None to infer them.
        first_weekday: of day 0; 0 is Sunday.
    """

    most_users: int | None = None
    last_day: int | None = None
    hold_out: int = 15
    calendar: pl.DataFrame | None = None
    first_weekday: int = 0
    on_error: OnError = "fail"


@dataclass(frozen=True)
class PromptedUser:
    """A user with a past, and the truth of the days that are asked for.

    Attributes:
        city: the calendar, as the days before those that are asked about show it.
        user: what is known, and what is asked.
        truth: the true cells, shape (r, 2).
        validates: whether the user is not trained on.
    """

    city: CityProfile
    user: UserHistory
    truth: Int32s
    validates: bool


def read_people(
    path: str, source: Source, settings: LlamaSettings
) -> tuple[list[PromptedUser], dict[str, Any]]:
    """The users of a grid trajectory, each several times, and what ``run.json`` says of the file.

    A user who is trained on is asked about ``settings.records`` spans of days, one before the
    other; a user who validates, about the last one only.

    Raises:
        HumobError: the file cannot be read, or has no user with a past.
    """
    with open_city(
        path, source.last_day, hold_out=source.hold_out, on_error=source.on_error
    ) as table:
        last = table.last_day
        table.tell_held_out()
        uids = unique_users(table.groups())
        drawn = shuffle_users(uids, settings.seed)[: source.most_users]
        held = round(settings.validation_fraction * len(drawn))
        validating = set(drawn[:held].tolist())
        cities = past_cities(
            table.groups(),
            [_first_day(last, number, settings) for number in range(settings.records)],
            table.days,
            first_weekday=source.first_weekday,
            calendar=source.calendar,
        )
        found: list[PromptedUser] = []
        sketch = RecordSketch()
        for rows in sketch.watch(table.groups(np.sort(drawn))):
            for (uid,), part in rows.group_by("uid", maintain_order=True):
                validates = uid in validating
                found += _spans(part, cities, last, settings, validates=validates)
    if not any(not one.validates for one in found):
        raise HumobError(
            f"{table.name}: found no user with known rows both before and within "
            f"{settings.horizon} days up to day {last}, expected some to learn from"
        )
    counts = {"users": len(drawn), "of_users": len(uids), "validating": held, "last_day": last}
    return found, {**table.about, **counts, "sketch": sketch.text()}


def _first_day(last: int, number: int, settings: LlamaSettings) -> int:
    """The first day of a span of days that is asked about; the last span has number 0."""
    return last + 1 - settings.horizon * (number + 1)


def _spans(
    rows: pl.DataFrame,
    cities: Mapping[int, CityProfile],
    last: int,
    settings: LlamaSettings,
    *,
    validates: bool,
) -> Iterator[PromptedUser]:
    uid, d, t, x, y = (rows[name].to_numpy().astype(np.int64) for name in rows.columns[:5])
    for number in range(1 if validates else settings.records):
        first = _first_day(last, number, settings)
        past, ahead = d < first, (d >= first) & (d < first + settings.horizon)
        if not past.any() or not ahead.any():
            return
        user = UserHistory(int(uid[0]), d[past], t[past], x[past], y[past], d[ahead], t[ahead])
        truth = np.column_stack([x[ahead], y[ahead]]).astype(np.int32)
        yield PromptedUser(cities[first], user, truth, validates)

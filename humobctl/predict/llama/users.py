"""Trajectory files as people with something to predict: what records are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from humobctl.data.split import shuffled
from humobctl.errors import HumobError
from humobctl.io.by_user import UserStore, paired_groups
from humobctl.io.read import iter_table
from humobctl.io.row_errors import OnError
from humobctl.native import Int32s
from humobctl.predict.base import UserHistory
from humobctl.predict.city_profile import CityCounter, CityProfile
from humobctl.predict.llama.config import LlamaSettings
from humobctl.tables.schemas import MASKED
from humobctl.training.model_dir import Fingerprint


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
        city: the calendar.
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
        HumobError: the file cannot be read, or has nobody with a past.
    """
    name = "stdin" if path == "-" else path
    mark = Fingerprint()
    with UserStore() as store:
        store.collect(mark.watch(iter_table(path, on_error=source.on_error)))
        if store.last_day is None:
            raise HumobError(f"{name}: found no row, expected some to learn from")
        last = source.last_day if source.last_day is not None else store.last_day - source.hold_out
        known = (pl.col("x") != MASKED) & (pl.col("d") <= last)
        counter = CityCounter(store.last_day + 1, source.first_weekday)
        everyone = []
        for (group,) in paired_groups([store]):
            kept = group.filter(known)
            counter.add(kept)
            everyone.append(kept["uid"].unique().to_numpy())
        uids = np.unique(np.concatenate(everyone)).astype(np.uint32)
        city = counter.city()
        city = city if source.calendar is None else city.with_calendar(source.calendar)
        drawn = shuffled(uids, settings.seed)[: source.most_users]
        held = round(settings.validation_share * len(drawn))
        validating = set(drawn[:held].tolist())
        wanted = pl.Series("uid", np.sort(drawn), dtype=pl.UInt32).to_frame()
        found: list[PromptedUser] = []
        for (group,) in paired_groups([store]):
            rows = group.filter(known).join(wanted, on="uid", how="semi", maintain_order="left")
            for (uid,), part in rows.group_by("uid", maintain_order=True):
                validates = uid in validating
                found += _spans(part, city, last, settings, validates=validates)
    if not any(not one.validates for one in found):
        raise HumobError(
            f"{name}: found nobody with known rows both before and within {settings.horizon} days "
            f"up to day {last}, expected some to learn from"
        )
    return found, {
        "file": Path(name).name,
        "fingerprint": mark.text(),
        "users": len(drawn),
        "of_users": len(uids),
        "validating": held,
        "last_day": last,
    }


def _spans(
    rows: pl.DataFrame, city: CityProfile, last: int, settings: LlamaSettings, *, validates: bool
) -> Iterator[PromptedUser]:
    uid, d, t, x, y = (rows[name].to_numpy().astype(np.int64) for name in rows.columns[:5])
    for number in range(1 if validates else settings.records):
        first = last + 1 - settings.horizon * (number + 1)
        past, ahead = d < first, (d >= first) & (d < first + settings.horizon)
        if not past.any() or not ahead.any():
            return
        user = UserHistory(int(uid[0]), d[past], t[past], x[past], y[past], d[ahead], t[ahead])
        truth = np.column_stack([x[ahead], y[ahead]]).astype(np.int32)
        yield PromptedUser(city, user, truth, validates)

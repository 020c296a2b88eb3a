"""What visits say of day plans: counts that the planner is calibrated on (``calibrate.py``)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from humobctl.data.importers.stays import iter_visits
from humobctl.errors import HumobError
from humobctl.intend.planner import config
from humobctl.intend.planner.config import SLOT_MINUTES, SLOTS
from humobctl.intend.planner.model import MOST_EVENTS, I, published_attitude, published_length
from humobctl.io.row_errors import OnError
from humobctl.native import Bools, Floats, Int64s
from humobctl.tables.copb_reference import DURATION_BIN, DURATION_BINS
from humobctl.tables.intents import CODES, HOME, SLEEP, WORK
from humobctl.tables.schemas import INTENTS

_CODES = pl.Enum(INTENTS)
BEGINS_BY, ENDS_FROM = 60, 1380
"""Minutes: a day whose first stay begins later, or whose last one ends earlier, has gaps there."""
_RARE = 1e-4
"""Weight of a duration that was never published."""


@dataclass(frozen=True)
class ObservedStays:
    """Counts of stays and days; a stay of unknown intent counts as a part of each that it may be.

    Attributes:
        days: days with n stays at index n; longer ones count as the longest, (MOST_EVENTS + 1,).
        intents: stays, (I,).
        length: stays whose end is known by half hour of duration, (I, 48).
        first: first stays of days, (I,).
        starts: later stays by half hour of their start, (I, 48).
        after: stays of one intent followed by one of another, (I, I).
        gap: travel by quarters of an hour, within the planner's limits, (T + 1,).
        seen: stays in the table.
        long: days with more than MOST_EVENTS stays.
    """

    days: Floats
    intents: Floats
    length: Floats
    first: Floats
    starts: Floats
    after: Floats
    gap: Floats
    seen: int
    long: int


def read_observed(path: str, on_error: OnError = "fail") -> ObservedStays:
    """The counts of a table of visits.

    Raises:
        HumobError: it cannot be read, is something else, or has no stay.
    """
    columns = ("uid", "d", pl.col("intent").cast(_CODES, strict=False), "start_min", "end_min")
    batches = [batch.select(*columns) for batch in iter_visits(path, on_error)]
    if not sum(batch.height for batch in batches):
        raise HumobError(f"{path}: found no stay, expected visits of a day or more")
    return observe(pl.concat(batches).sort("uid", "d", "start_min", "end_min", maintain_order=True))


def observe(visits: pl.DataFrame) -> ObservedStays:
    """The counts of visits.

    A day that was not seen from its beginning, or to its end, has a stay at home there, as plans go
    from 0:00 to 24:00: what check-ins and positions of a phone leave out.

    Args:
        visits: uid, d, intent (codes, or null), start_min, end_min, sorted by uid, d, start_min.
    """
    whole = _add_homes(visits)
    start, end = (whole[name].to_numpy().astype(np.int64) for name in ("start_min", "end_min"))
    day = whole.select(day=pl.struct("uid", "d").rle_id())["day"].to_numpy().astype(np.int64)
    seen = whole["seen"].to_numpy()
    length = np.minimum((end - start) // DURATION_BIN, DURATION_BINS - 1)
    lasting = end > start
    share = _shares(whole["intent"], whole["unseen"], length, lasting)
    begins = np.diff(day, prepend=-1) > 0
    half_hour = np.minimum(start // DURATION_BIN, DURATION_BINS - 1)
    per_day = np.bincount(day)
    follows = ~begins[1:]
    slots = np.clip((start[1:] - end[:-1]) // SLOT_MINUTES + 1, *config.GAP_SLOTS)
    later, travels = seen & ~begins, follows & lasting[:-1] & seen[1:]
    return ObservedStays(
        days=np.bincount(np.minimum(per_day, MOST_EVENTS), minlength=MOST_EVENTS + 1).astype(float),
        intents=share.sum(axis=0),
        length=_by_bin(length[lasting], share[lasting]),
        first=share[begins].sum(axis=0),
        starts=_by_bin(half_hour[later], share[later]),
        after=share[:-1][follows].T @ share[1:][follows],
        gap=np.bincount(slots[travels], minlength=SLOTS + 1).astype(float),
        seen=visits.height,
        long=int((per_day > MOST_EVENTS).sum()),
    )


def _add_homes(visits: pl.DataFrame) -> pl.DataFrame:
    """Visits, with ``seen``, and stays at home at ends of days that were not seen.

    ``unseen`` says at which end; their times are both that end, so that their length is not known.
    """
    at_home = pl.col("intent").last().is_in(["go home", "go to sleep"]).fill_null(value=False)
    days = visits.group_by("uid", "d", maintain_order=True).agg(
        begins=pl.col("start_min").first(), ends=pl.col("end_min").last(), home=at_home
    )
    first = days.filter(pl.col("begins") > BEGINS_BY).with_columns(at=0, unseen=0)
    last = days.filter(pl.col("ends") < ENDS_FROM, ~pl.col("home")).with_columns(at=1440, unseen=1)
    added = [
        part.select(
            "uid",
            "d",
            intent=pl.lit(None, _CODES),
            start_min=pl.col("at").cast(visits["start_min"].dtype),
            end_min=pl.col("at").cast(visits["end_min"].dtype),
            seen=pl.lit(value=False),
            unseen="unseen",
        )
        for part in (first, last)
    ]
    here = visits.with_columns(seen=pl.lit(value=True), unseen=pl.lit(None, pl.Int32))
    return pl.concat([here, *added]).sort("uid", "d", "start_min", "end_min", maintain_order=True)


def _shares(intent: pl.Series, unseen: pl.Series, length: Int64s, lasting: Bools) -> Floats:
    """Which part of each stay is of each intent, (stays, I).

    Unknown ones are shared out among the intents that they may be, by how often each is published
    to last so long. Where a table names stays at home or at work, others are elsewhere.
    """
    code = intent.to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
    at_end = unseen.fill_null(-1).to_numpy()
    share = np.zeros((len(code), I))
    known, guessed = code >= 0, (code < 0) & (at_end < 0)
    share[known, code[known]] = 1.0
    prior = published_attitude().copy()
    named = set(code[known].tolist())
    for anchor in ({CODES[HOME], CODES[SLEEP]}, {CODES[WORK]}):
        if anchor & named:
            prior[list(anchor)] = 0.0
    fits = np.where(lasting[:, None], (published_length() + _RARE).T[length], 1.0)[guessed]
    share[guessed] = prior * fits / (prior * fits).sum(axis=1, keepdims=True)
    for end, usual in enumerate((config.AT_MIDNIGHT, config.AT_DAYS_END)):
        for name in ("go to sleep", "go home"):
            share[at_end == end, CODES[name]] = usual[name]
    total: Floats = share.sum(axis=1, keepdims=True)
    return share / total


def _by_bin(bins: Int64s, share: Floats) -> Floats:
    """Stays by intent and bin, (I, 48)."""
    counts = [np.bincount(bins, share[:, intent], minlength=DURATION_BINS) for intent in range(I)]
    return np.array(counts)

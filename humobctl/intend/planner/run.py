"""The planner as a backend: draws day plans of many people at once.

Every draw is named by the seed, the person, the day and the event, so that a plan does not depend
on who else is planned beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.intend.backends.base import BackendSettings
from humobctl.intend.planner import config
from humobctl.intend.planner.config import SLOT_MINUTES, SLOTS
from humobctl.intend.planner.habits import HabitDraws
from humobctl.intend.planner.model import (
    MOST_EVENTS,
    START,
    IntentChain,
    Weights,
    build,
    calibrated_weights,
    class_of,
)
from humobctl.intend.planner.reasons import Grounds, Reasons
from humobctl.intend.planner.traits import Traits, normal, normal_share, traits
from humobctl.native import Floats, Int64s
from humobctl.tables.copb_reference import events_per_day
from humobctl.tables.schemas import INTENTIONS, INTENTS

Ints = NDArray[np.intp]

DAY_MINUTES = 1440
_DAY, _EVENT = 0x646179, 0x6576656E74
"""Keep the draws of days and of events apart."""
_SHORTEST = 5
"""Least minutes of an event."""
_DRAWS, _MINUTES = 5, 2
"""Draws of an event, and how many of them, the last ones, are minutes: no habit knows those."""
_ROWS_AT_ONCE = 8192
"""Person-days drawn together: their tables stay in the processor's cache."""


@dataclass
class DrawnActivities:
    """Events of some person-days, in the order in which they were drawn; arrays run over events.

    Attributes:
        row: index of the person-day.
        seq: number within the day.
        intent: code.
        start, end: minutes.
        grounds: what spoke for them.
    """

    row: Ints
    seq: Ints
    intent: Ints
    start: Int64s
    end: Int64s
    grounds: Grounds


class Planner:
    """Day plans by the calibrated chain (``model.py``)."""

    def __init__(self, settings: BackendSettings, weights: Weights | None = None) -> None:
        self.settings = settings
        self.weights = weights
        weights = weights or calibrated_weights()
        self.chain = build(weights, settings.without)
        self.reasons = Reasons(settings.without)
        days = events_per_day() if weights.habits is None else weights.habits.days
        self._days = np.cumsum(days) / days.sum()

    def __reduce__(self) -> tuple[type[Planner], tuple[BackendSettings, Weights | None]]:
        """Another process builds its own tables, which is quicker than to send them."""
        return Planner, (self.settings, self.weights)

    def tables(self, people: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Intentions of these people on all days, sorted by uid, d and seq."""
        days = self.settings.days
        step = max(1, _ROWS_AT_ONCE // days)
        for first in range(0, people.height, step):
            some = people[first : first + step]
            found = traits(some, self.settings.seed)
            person = np.repeat(np.arange(some.height), days)
            day = np.tile(np.arange(days), some.height)
            uid = some["uid"].to_numpy()
            drawn = self._draw(found, person, uid[person], day)
            yield self._table(drawn, found, person, uid[person], day)

    def summary(self) -> dict[str, Any]:
        """What the report says of the run."""
        found = {"backend": "planner", "without": sorted(self.settings.without)}
        if self.weights is not None:
            found["calibration"] = self.weights.mark()
        return found

    def _draw(
        self, found: Traits, person: Ints, uid: NDArray[np.uint32], day: Int64s
    ) -> DrawnActivities:
        weekday = (self.settings.weekday + day) % 7
        number = class_of(
            found.schedule[person], found.chronotype[person], found.off[person, weekday]
        )
        draws = HabitDraws(self.settings, uid, day, found.off[person])
        u = draws.take(2, _DAY, np.arange(len(day)), own=0)
        within = config.ACTIVITY
        z = np.sqrt(within) * found.liveliness[person]
        z += np.sqrt(1 - within) * normal(u[:, 0], u[:, 1])
        events = np.searchsorted(self._days, normal_share(z), side="right")
        liking = np.exp(found.liking[person])
        if "attitude" in self.settings.without:
            liking = np.ones_like(liking)
        walk = Walk(self.chain, number, np.clip(events, 1, MOST_EVENTS), liking)
        if "control" in self.settings.without:
            walk.left[:] = MOST_EVENTS  # no plan of how many: the day stops when it is full
        steps: list[DrawnActivities] = []
        while len(walk.rows):
            steps.append(walk.step(draws.take(_DRAWS, _EVENT, walk.rows, walk.seq, own=_MINUTES)))
        return _join(steps)

    def _table(
        self,
        drawn: DrawnActivities,
        found: Traits,
        person: Ints,
        uid: NDArray[np.uint32],
        day: Int64s,
    ) -> pl.DataFrame:
        who = person[drawn.row]
        frame = pl.DataFrame(
            {
                "uid": uid[drawn.row],
                "d": day[drawn.row].astype(np.int16),
                "seq": drawn.seq.astype(np.int16),
                "intent": pl.Series(INTENTS).gather(drawn.intent),
                "start_min": drawn.start.astype(np.int16),
                "end_min": drawn.end.astype(np.int16),
                "reason": self.reasons.texts(drawn.grounds, drawn.intent, found, who),
            }
        )
        return frame.select(INTENTIONS.columns)


class Walk:
    """Person-days on their way from 0:00 to 24:00, one event a step.

    Attributes:
        rows: indices of the person-days that go on, (n,).
        left: events left for each, the next one included, (n,).
        seq: number of the next event, the same for all.
    """

    def __init__(self, chain: IntentChain, number: Ints, left: Ints, liking: Floats) -> None:
        self.chain = chain
        self.rows = np.arange(len(number))
        self.left = left.astype(np.intp)
        self.seq = 0
        self._number, self._liking = number, liking
        self._slot = np.zeros(len(number), dtype=np.intp)
        self._minute = np.zeros(len(number), dtype=np.int64)
        self._before = np.full(len(number), START)

    def step(self, u: Floats) -> DrawnActivities:
        """Draw one event of each person-day that goes on, and leave out those that are done.

        Args:
            u: draws of intention, duration, travel and of the minutes of both, (n, 5).
        """
        rows, number, left, slot = self.rows, self._number, self.left, self._slot
        attitude = self.chain.attitude * self._liking
        norm, control = self._norm(), self.chain.control[number, left, :, slot]
        intent = _choose(attitude * norm * control, u[:, 0])
        grounds = Grounds.of(
            intent,
            liking=self._liking,
            norm=norm,
            control=control,
            number=number,
            left=left,
            hour=self._minute // 60,
            first=self.seq == 0,
        )
        lasts = self._lasting(intent, u[:, 1])
        more = u[:, 4] * (SLOT_MINUTES - _SHORTEST * (lasts == 0)) + _SHORTEST * (lasts == 0)
        end = self._minute + lasts * SLOT_MINUTES + more.astype(np.int64)
        ends = slot + lasts
        travel = self._travelling(intent, np.minimum(ends, SLOTS), u[:, 2])
        done = (left == 1) | (ends + travel >= SLOTS)
        end = np.where(done, DAY_MINUTES, end)
        drawn = DrawnActivities(
            row=rows,
            seq=np.full(len(rows), self.seq),
            intent=intent,
            start=self._minute,
            end=end,
            grounds=grounds,
        )
        slot = ends + travel
        # Whole quarters apart, so that travel takes a minute at least.
        minute = slot * SLOT_MINUTES + 1 + (u[:, 3] * (SLOT_MINUTES - 1)).astype(np.int64)
        self._keep(~done, slot, minute, intent)
        return drawn

    def _keep(self, on: NDArray[np.bool_], slot: Ints, minute: Int64s, intent: Ints) -> None:
        self.rows, self._slot, self._minute = self.rows[on], slot[on], minute[on]
        self._before, self.left = intent[on], self.left[on] - 1
        self._number, self._liking = self._number[on], self._liking[on]
        self.seq += 1

    def _norm(self) -> Floats:
        """(n, I): of the hour, and of what comes after what; of midnight for a first event."""
        chain = self.chain
        if self.seq == 0:
            return chain.first[self._number]
        norm: Floats = chain.start[self._number, :, self._slot] * chain.after[self._before]
        return norm

    def _lasting(self, intent: Ints, u: Floats) -> Ints:
        """Slots that an event lasts; without meaning for a last one."""
        windows = np.lib.stride_tricks.sliding_window_view(self.chain.outlook, SLOTS, axis=-1)
        ahead = windows[self._number, self.left, intent, self._slot]
        return _choose(self.chain.length[intent, :SLOTS] * ahead, u)

    def _travelling(self, intent: Ints, ends: Ints, u: Floats) -> Ints:
        """Slots from the end of an event to the start of the next."""
        least, most = config.GAP_SLOTS
        windows = np.lib.stride_tricks.sliding_window_view(self.chain.value, most + 1, axis=-1)
        later = windows[self._number, self.left - 1, intent, np.minimum(ends, SLOTS - 1)]
        gaps = self.chain.gap[least : most + 1]
        return least + _choose(gaps * later[:, least:], u)


def _choose(weights: NDArray[np.floating], u: Floats) -> Ints:
    """One column of each row, in proportion to its weights; the last one where all are 0."""
    total = np.cumsum(weights, axis=1, dtype=np.float64)
    found: Ints = (total <= (u * total[:, -1])[:, None]).sum(axis=1)
    within: Ints = np.minimum(found, weights.shape[1] - 1)
    return within


def _join(steps: list[DrawnActivities]) -> DrawnActivities:
    """All steps, sorted by person-day and number."""
    row = np.concatenate([step.row for step in steps])
    order = np.argsort(row, kind="stable")

    def whole(name: str) -> NDArray[Any]:
        joined: NDArray[Any] = np.concatenate([getattr(step, name) for step in steps])[order]
        return joined

    grounds = Grounds.join([step.grounds for step in steps], order)
    return DrawnActivities(
        row=row[order],
        seq=whole("seq"),
        intent=whole("intent"),
        start=whole("start"),
        end=whole("end"),
        grounds=grounds,
    )


def make(settings: BackendSettings, options: dict[str, Any]) -> Planner:
    """The planner; of its own it has ``weights``, those of a calibration to visits."""
    return Planner(settings, **options)

"""A day plan: what a person intends to do from 0:00 to 24:00, and how plans are put right.

A valid day starts at 0:00 and ends at 24:00, its events are in order and do not overlap, each
lasts at least a minute, and what lies between two events is travel time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from humobctl.tables.intents import AT_HOME, intent_of

DAY_MINUTES = 1440
LONGEST_GAP = 240
"""Minutes that can pass for travel between two events."""
LONGEST_STRETCH = 120
"""Minutes by which an event out of home is stretched to 0:00 or 24:00; one at home, by any."""


class PlanError(ValueError):
    """Why events make no day; one line, without the person's name."""


@dataclass(frozen=True)
class Event:
    """One intention carried out.

    Attributes:
        intent: one of the twelve.
        start_min: minutes since 0:00, from 0.
        end_min: minutes since 0:00, up to 1440.
        reason: why, in words.
    """

    intent: str
    start_min: int
    end_min: int
    reason: str = ""

    @property
    def minutes(self) -> int:
        """How long it lasts."""
        return self.end_min - self.start_min

    @property
    def words(self) -> str:
        """The event as messages say it."""
        return f"{self.intent!r} {clock(self.start_min)}-{clock(self.end_min)}"


@dataclass(frozen=True)
class DayPlan:
    """A person's valid day.

    Attributes:
        uid: the person.
        d: day index.
        events: in order, as ``settle`` leaves them.
    """

    uid: int
    d: int
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Settled:
    """A valid day, and what was changed to make it one."""

    events: tuple[Event, ...]
    repairs: tuple[str, ...] = ()


def clock(minute: int) -> str:
    """Minutes since 0:00 as ``H:MM``; 1440 is ``24:00``."""
    return f"{minute // 60}:{minute % 60:02d}"


def settle(events: Sequence[Event]) -> Settled:
    """The valid day that these events mean.

    Repaired, and told of: an intent in another spelling, events out of order, an overlap (the
    later event starts when the earlier one ends), 23:59 for 24:00, a first or last event that
    does not reach 0:00 or 24:00 (it is stretched), one intention written as two without a gap.

    Raises:
        PlanError: no event, an unknown intent, a time outside the day, an event without
            duration or wholly inside another, or a gap too long to be travel.
    """
    if not events:
        raise PlanError("found no event, expected at least one")
    repairs: list[str] = []
    day = _in_order([_check(event, repairs) for event in events], repairs)
    day = _apart(day, repairs)
    day = _whole(day, repairs)
    day = _join(day, repairs)
    _refuse_long_gaps(day)
    return Settled(tuple(day), tuple(repairs))


def _check(event: Event, repairs: list[str]) -> Event:
    intent = intent_of(event.intent)
    if intent is None:
        raise PlanError(f"found the intent {event.intent[:60]!r}, expected one of the twelve")
    if intent != event.intent:
        repairs.append(f"{event.intent!r} is {intent!r}")
    for minute in (event.start_min, event.end_min):
        if not 0 <= minute <= DAY_MINUTES:
            raise PlanError(f"found minute {minute} in {intent!r}, expected 0 to {DAY_MINUTES}")
    checked = replace(event, intent=intent)
    if event.end_min <= event.start_min:
        raise PlanError(f"found {checked.words}, expected an end after the start")
    return checked


def _in_order(day: list[Event], repairs: list[str]) -> list[Event]:
    ordered = sorted(day, key=lambda event: (event.start_min, event.end_min))
    if ordered != day:
        repairs.append("events were out of order")
    return ordered


def _apart(day: list[Event], repairs: list[str]) -> list[Event]:
    apart = day[:1]
    for event in day[1:]:
        before = apart[-1]
        if event.start_min >= before.end_min:
            apart.append(event)
            continue
        if event.end_min <= before.end_min:
            raise PlanError(f"found {event.words} inside {before.words}, expected one at a time")
        repairs.append(f"{event.words} overlapped {before.words}")
        apart.append(replace(event, start_min=before.end_min))
    return apart


def _whole(day: list[Event], repairs: list[str]) -> list[Event]:
    first, last = day[0], day[-1]
    if first.start_min > 0:
        _refuse_stretch(first, first.start_min, "0:00")
        repairs.append(f"the day began at {clock(first.start_min)}")
        day = [replace(first, start_min=0), *day[1:]]
    if last.end_min < DAY_MINUTES:
        missing = DAY_MINUTES - last.end_min
        _refuse_stretch(last, missing, "24:00")
        if missing > 1:  # many write 23:59 for the end of a day
            repairs.append(f"the day ended at {clock(last.end_min)}")
        day = [*day[:-1], replace(day[-1], end_min=DAY_MINUTES)]
    return day


def _refuse_stretch(event: Event, minutes: int, limit: str) -> None:
    if event.intent not in AT_HOME and minutes > LONGEST_STRETCH:
        raise PlanError(f"found {event.words} at an end of the day, expected it to reach {limit}")


def _join(day: list[Event], repairs: list[str]) -> list[Event]:
    joined = day[:1]
    for event in day[1:]:
        before = joined[-1]
        if event.intent == before.intent and event.start_min == before.end_min:
            repairs.append(f"{before.words} went on as {event.words}")
            joined[-1] = replace(before, end_min=event.end_min)
        else:
            joined.append(event)
    return joined


def _refuse_long_gaps(day: list[Event]) -> None:
    for before, after in pairwise(day):
        gap = after.start_min - before.end_min
        if gap > LONGEST_GAP:
            raise PlanError(
                f"found {gap} minutes between {before.words} and {after.words}, expected travel "
                f"time of at most {LONGEST_GAP}"
            )

"""Events become a valid day, or a clear reason why they cannot."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humobctl.intend.day_plan import DAY_MINUTES, Event, PlanError, clock, settle
from humobctl.tables.intents import AT_HOME, CODES, intent_of
from humobctl.tables.schemas import INTENTS
from tests.messages import raises

SLEEP, WORK, HOME = "go to sleep", "go to work", "go home"


def day(*events: tuple[str, int, int]) -> list[Event]:
    return [Event(*event) for event in events]


def spans(events: tuple[Event, ...]) -> list[tuple[str, int, int]]:
    return [(e.intent, e.start_min, e.end_min) for e in events]


GOOD = day((SLEEP, 0, 450), (WORK, 500, 1080), (HOME, 1110, 1440))


def test_a_valid_day_stays_as_it_is() -> None:
    settled = settle(GOOD)
    assert settled.events == tuple(GOOD)
    assert settled.repairs == ()


@pytest.mark.parametrize(
    ("events", "expected", "repair"),
    [
        (day(("Go to SLEEP.", 0, 1440)), [(SLEEP, 0, 1440)], "'Go to SLEEP.' is 'go to sleep'"),
        (day((WORK, 500, 1440), (SLEEP, 0, 450)), [(SLEEP, 0, 450), (WORK, 500, 1440)], "order"),
        (day((SLEEP, 0, 450), (HOME, 400, 1440)), [(SLEEP, 0, 450), (HOME, 450, 1440)], "overlap"),
        (day((SLEEP, 300, 1440)), [(SLEEP, 0, 1440)], "the day began at 5:00"),
        (day((SLEEP, 0, 1200)), [(SLEEP, 0, 1440)], "the day ended at 20:00"),
        (day(("eat", 120, 1440)), [("eat", 0, 1440)], "the day began at 2:00"),
        (day((SLEEP, 0, 300), (SLEEP, 300, 1440)), [(SLEEP, 0, 1440)], "went on as"),
    ],
)
def test_what_is_repaired(events, expected, repair) -> None:
    settled = settle(events)
    assert spans(settled.events) == expected
    assert len(settled.repairs) == 1
    assert repair in settled.repairs[0]


def test_one_minute_before_midnight_is_midnight_and_no_repair() -> None:
    settled = settle(day((SLEEP, 0, 1439)))
    assert spans(settled.events) == [(SLEEP, 0, 1440)]
    assert settled.repairs == ()


def test_two_of_a_kind_with_travel_between_them_stay_two() -> None:
    errands = "handle the trivialities of life"
    events = day((SLEEP, 0, 600), (errands, 620, 700), (errands, 720, 800), (HOME, 820, 1440))
    assert len(settle(events).events) == 4


@pytest.mark.parametrize(
    ("events", "names"),
    [
        ([], ("no event",)),
        (day(("fly to the moon", 0, 1440)), ("intent", "'fly to the moon'")),
        (day((SLEEP, -1, 1440)), ("minute", -1)),
        (day((SLEEP, 0, 1441)), ("minute", 1441)),
        (day((SLEEP, 0, 0)), ("'go to sleep'", "0:00-0:00", "end")),
        (day((SLEEP, 600, 500)), ("'go to sleep'", "end")),
        (day((SLEEP, 0, 1440), ("eat", 100, 200)), ("'eat'", "1:40-3:20", "'go to sleep'")),
        (day((WORK, 121, 1440)), ("'go to work'", "2:01-24:00")),
        (day((SLEEP, 0, 600), (WORK, 650, 1319)), ("'go to work'", "24:00")),
        (day((SLEEP, 0, 600), (HOME, 841, 1440)), ("241 minutes",)),
    ],
)
def test_what_makes_no_day(events, names) -> None:
    with raises(PlanError, *names):
        settle(events)


anything = st.lists(
    st.builds(
        Event,
        st.sampled_from([*INTENTS, "Eat", "GO HOME!", "nap"]),
        st.integers(-5, 1445),
        st.integers(-5, 1445),
        st.text(max_size=5),
    ),
    max_size=8,
)


@given(anything)
def test_any_events_become_a_valid_day_or_an_error(events) -> None:
    try:
        settled = settle(events)
    except PlanError:
        return
    found = settled.events
    assert found[0].start_min == 0
    assert found[-1].end_min == DAY_MINUTES
    for event in found:
        assert event.intent in CODES
        assert event.minutes >= 1
    for before, after in pairwise(found):
        assert 0 <= after.start_min - before.end_min <= 240
    assert settle(found).events == found
    assert settle(found).repairs == ()


@given(st.lists(st.tuples(st.sampled_from(INTENTS), st.integers(1, 240), st.integers(1, 60))))
def test_a_valid_day_is_never_changed(parts) -> None:
    events, now = [], 0
    for intent, lasts, travel in parts:
        if now + lasts + travel >= DAY_MINUTES:
            break
        events.append(Event(intent, now, now + lasts))
        now += lasts + travel
    events.append(Event(HOME, now, DAY_MINUTES))
    assert settle(events).events == tuple(events)


def test_clock() -> None:
    assert [clock(m) for m in (0, 61, 1439, 1440)] == ["0:00", "1:01", "23:59", "24:00"]


@pytest.mark.parametrize("intent", INTENTS)
def test_spellings(intent) -> None:
    assert intent_of(intent) == intent
    assert intent_of(f'  "{intent.upper()}". ') == intent
    assert intent_of(intent.replace(" ", "_")) == intent
    assert intent_of(f"{intent} now") is None


def test_home_intents_are_of_the_twelve() -> None:
    assert set(INTENTS) > AT_HOME

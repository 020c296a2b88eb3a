"""The planner's model: a semi-Markov chain over a day, with foresight.

A day of N events is planned event by event. With k events left, at time t after the event i':

    intention i  ~  attitude[i] * norm[c, i', i, t] * control[c, k, i, t]
    duration  u  ~  length[i, u] * anchor[c, i, t + u] * outlook[c, k, i, t + u]
    travel    g  ~  gap[g] * value[c, k - 1, i, t + u + g]

where c is the class of the person and the day (schedule, chronotype, working day or day off).
``control`` is how well the intention, and what has to follow, fits into the rest of the day: the
sum over all ways to go on, computed backwards from 24:00 (the backward messages of a semi-Markov
chain; Rabiner, "A tutorial on hidden Markov models", 1989). So every day ends at 24:00 after N
events without any trial and error, and expected counts are exact (``expectations``).

Shapes: C classes, I = 12 intents, T = 96 quarters of an hour, K events left.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from humobctl.intend.backends.base import Part
from humobctl.intend.planner import config
from humobctl.intend.planner.config import SCHEDULES, SLOT_MINUTES, SLOTS
from humobctl.native import Float32s, Floats
from humobctl.tables.copb_reference import DURATION_BINS, durations, events_per_day
from humobctl.tables.intents import CODES, HOME, SLEEP, WORK
from humobctl.tables.schemas import INTENTS

I = len(INTENTS)  # noqa: E741 - the shape legend's name
START = I
"""Stands for the previous intent of a day's first event."""
MOST_EVENTS = len(events_per_day()) - 1
SLOTS_PER_BIN = SLOTS // DURATION_BINS
CLASSES = len(SCHEDULES) * len(config.CHRONOTYPES) * 2
_SHORTEST_WEIGHT = 0.5  # of the first quarter of an hour, of which the first minutes are left out


def class_of(schedule: object, chronotype: object, off: object) -> NDArray[np.intp]:
    """Number of a class from arrays of schedules, chronotypes and days off (0 or 1)."""
    parts = (np.asarray(part, dtype=np.intp) for part in (schedule, chronotype, off))
    first, second, third = parts
    number: NDArray[np.intp] = (first * len(config.CHRONOTYPES) + second) * 2 + third
    return number


@dataclass(frozen=True)
class Habits:
    """What is different in a city whose visits were given.

    Attributes:
        days: fraction of days with n events at index n, (MOST_EVENTS + 1,).
        first: factor of the norm of a first event, (I,).
        start: factor of the norm of starting an intent, by half hour, (I, 48).
        after: norm of one intent after another, (I, I).
        gap: weight of travel times in slots, (T + 1,).
    """

    days: Floats
    first: Floats
    start: Floats
    after: Floats
    gap: Floats


@dataclass(frozen=True)
class Weights:
    """What calibration finds.

    Attributes:
        attitude: how much each intent is liked by all, shape (I,).
        length: weight of each half hour of duration, shape (I, 48).
        habits: of a city whose visits were given; None for the assumptions of ``config.py``.
    """

    attitude: Floats
    length: Floats
    habits: Habits | None = None

    def mark(self) -> str:
        """A digest of all of them."""
        tables = (self.attitude, self.length, *(vars(self.habits).values() if self.habits else ()))
        return sha256(b"".join(table.tobytes() for table in tables)).hexdigest()[:16]

    def as_json(self) -> str:
        """As ``calibrated.json`` holds attitude and length: logarithms in thousandths."""
        tables = {"attitude": self.attitude, "length": self.length}
        rounded = {name: np.rint(1000 * np.log(t)).astype(int) for name, t in tables.items()}
        attitude = json.dumps(dict(zip(INTENTS, rounded["attitude"].tolist(), strict=True)))
        rows = (
            f"  {json.dumps(name)}: {json.dumps(row)}"
            for name, row in zip(INTENTS, rounded["length"].tolist(), strict=True)
        )
        return f'{{"attitude": {attitude},\n"length": {{\n' + ",\n".join(rows) + "\n}}\n"


@cache
def calibrated_weights() -> Weights:
    """The weights that come with the program."""
    text = files("humobctl.intend.planner").joinpath("calibrated.json").read_text()
    stored = json.loads(text)
    attitude = np.array([stored["attitude"][name] for name in INTENTS], dtype=float)
    length = np.array([stored["length"][name] for name in INTENTS], dtype=float)
    return Weights(np.exp(attitude / 1000), np.exp(length / 1000))


def published_attitude() -> Floats:
    """Share of each intent among the published labelled stays, shape (I,)."""
    counts = durations().sum(axis=1)
    counts[counts == 0] = config.LABELLED_SHARE_OF_RARE
    share: Floats = counts / counts.sum()
    return share


def published_length() -> Floats:
    """Share of each half hour among an intent's published durations, shape (I, 48)."""
    counts = durations(stand_ins=True)
    share: Floats = counts / counts.sum(axis=1, keepdims=True)
    return share


@dataclass(frozen=True)
class Terms:
    """What a chain is made of: weights, which need not sum to 1.

    Attributes:
        attitude: (I,).
        first: norm of the first event, (C, I).
        start: norm of starting an intent, (C, I, T).
        after: norm of one intent after another, (I, I).
        last: norm of the last event, (I,).
        length: of durations in slots, (I, T + 1).
        anchor: norm of ending an intent, (C, I, T + 1).
        gap: of travel times in slots, (T + 1,).
    """

    attitude: Floats
    first: Floats
    start: Floats
    after: Floats
    last: Floats
    length: Floats
    anchor: Floats
    gap: Floats


@dataclass(frozen=True)
class IntentChain(Terms):
    """The terms, and what is foreseen from every state.

    Attributes:
        control: (C, K + 1, I, T); row k for k events left, the next one included.
        outlook: anchor times the value of what follows, (C, K + 1, I, 2 T); zero from T on.
        value: of an event with k - 1 to follow, starting at a slot, (C, K + 1, I, 2 T).
        scale: what ``control`` was divided by for each k, so that it stays in range, (K + 1,).
    """

    control: Float32s
    outlook: Float32s
    value: Float32s
    scale: Floats


def build(
    weights: Weights, without: frozenset[Part] = frozenset(), most: int = MOST_EVENTS
) -> IntentChain:
    """The chain, with parts of it left out.

    Args:
        weights: from calibration.
        without: attitude: all intents are liked the same; norm: no hour, anchor or order matters;
            control: no foresight, so a day simply stops at 24:00.
        most: events of the longest day.
    """
    attitude = np.full(I, 1 / I) if "attitude" in without else weights.attitude
    if "norm" in without:
        first, last = np.ones((CLASSES, I)), np.ones(I)
        start, anchor = np.ones((CLASSES, I, SLOTS)), np.ones((CLASSES, I, SLOTS + 1))
    else:
        first, last = _first(), _ends(config.AT_DAYS_END, config.RARE_AT_DAYS_END)
        start, anchor = _start(), _anchor()
    after, gap, habits = usual_after(), usual_gap(), weights.habits
    if habits is not None:
        after, gap = habits.after, habits.gap
        if "norm" not in without:
            first = first * habits.first
            start = start * np.repeat(habits.start, SLOTS_PER_BIN, axis=1)
    terms = Terms(
        attitude=attitude,
        first=first,
        start=start,
        after=after,
        last=last,
        length=_length(weights.length),
        anchor=anchor,
        gap=gap,
    )
    if "control" in without:
        flat = np.ones((CLASSES, most + 1, I, SLOTS), dtype=np.float32)
        ahead = np.zeros((CLASSES, most + 1, I, 2 * SLOTS), dtype=np.float32)
        ahead[..., : SLOTS + 1] = anchor[:, None]
        ahead[..., SLOTS + 1 :] = 1.0
        return _chain(terms, flat, ahead, np.ones_like(ahead), np.ones(most + 1))
    return _foresight(terms, most)


# -- norms: hours, anchors, order ---------------------------------------------------------------


def _bell(hours: Floats, centre: float, width: float) -> Floats:
    away = (hours - centre + 12) % 24 - 12
    bell: Floats = np.exp(-0.5 * (away / width) ** 2)
    return bell


def _classes() -> list[tuple[int, float, bool]]:
    """Schedule, shift in hours and day off of each class, in the order of their numbers."""
    return [
        (schedule, shift, off)
        for schedule in range(len(SCHEDULES))
        for shift in config.CHRONOTYPES
        for off in (False, True)
    ]


@cache
def _start() -> Floats:
    start = np.full((CLASSES, I, SLOTS), config.UNUSUAL)
    hours = (np.arange(SLOTS) + 0.5) * 24 / SLOTS
    for number, (schedule, shift, off) in enumerate(_classes()):
        routine = SCHEDULES[schedule]
        # Late people are later all day, but shops and meals shift less than bedtimes.
        for intent, bumps in config.ROUTINES.items():
            own = shift if intent in (SLEEP, HOME, WORK) else shift / 2
            for centre, width, height in bumps:
                start[number, CODES[intent]] += height * _bell(hours, centre + own, width)
        at = routine.start + shift
        start[number, CODES[WORK]] += _bell(hours, at, routine.spread)
        home = routine.end + 0.6 + shift
        start[number, CODES[HOME]] += _bell(hours, home, 1.3 * routine.spread + 0.9)
        if off:
            for intent, factor in config.DAY_OFF.items():
                start[number, CODES[intent]] *= factor
    return start


@cache
def _anchor() -> Floats:
    """Sleep ends before work starts, and work ends when it usually does."""
    anchor = np.ones((CLASSES, I, SLOTS + 1))
    hours = np.arange(SLOTS + 1) * 24 / SLOTS
    for number, (schedule, shift, off) in enumerate(_classes()):
        routine = SCHEDULES[schedule]
        wake = routine.start - 0.9 + shift + (config.SLEEPS_IN if off else 0)
        for intent in (SLEEP, HOME):
            height = 1.0 if intent == SLEEP else 0.5
            anchor[number, CODES[intent]] += height * _bell(hours, wake, routine.spread + 0.3)
        if not off:
            anchor[number, CODES[WORK]] += _bell(hours, routine.end + shift, routine.spread + 0.3)
            anchor[number, CODES[WORK]] += 0.3 * _bell(hours, 12.0, 0.5)
    return anchor


def _ends(usual: dict[str, float], rare: float) -> Floats:
    return np.array([usual.get(intent, rare) for intent in INTENTS])


def _first() -> Floats:
    return np.tile(_ends(config.AT_MIDNIGHT, config.RARE_AT_MIDNIGHT), (CLASSES, 1))


def usual_after() -> Floats:
    """One event is one stay: what follows is something else, somewhere else."""
    after = np.ones((I, I))
    np.fill_diagonal(after, 0.0)
    errands = CODES["handle the trivialities of life"]
    after[errands, errands] = 0.15
    after[CODES[HOME], CODES[SLEEP]] = after[CODES[SLEEP], CODES[HOME]] = 0.0
    return after


def _length(by_bin: Floats) -> Floats:
    length = np.zeros((I, SLOTS + 1))
    length[:, :SLOTS] = np.repeat(by_bin, SLOTS_PER_BIN, axis=1)
    length[:, SLOTS] = by_bin[:, -1]
    length[:, 0] *= _SHORTEST_WEIGHT
    return length


def usual_gap() -> Floats:
    """Weight of travel times in slots, (T + 1,)."""
    gap = np.zeros(SLOTS + 1)
    least, most = config.GAP_SLOTS
    slots = np.arange(least, most + 1)
    minutes = slots * SLOT_MINUTES - SLOT_MINUTES / 2
    away = np.log(minutes / config.GAP_MEDIAN) / config.GAP_SIGMA
    gap[slots] = np.exp(-0.5 * away**2) / minutes
    share: Floats = gap / gap.sum()
    return share


# -- foresight ----------------------------------------------------------------------------------


def _chain(
    terms: Terms, control: Float32s, outlook: Float32s, value: Float32s, scale: Floats
) -> IntentChain:
    return IntentChain(**vars(terms), control=control, outlook=outlook, value=value, scale=scale)


def _foresight(terms: Terms, most: int) -> IntentChain:
    length, liked = terms.length, terms.attitude[:, None] * terms.start
    control = np.zeros((CLASSES, most + 1, I, SLOTS), dtype=np.float32)
    outlook = np.zeros((CLASSES, most + 1, I, 2 * SLOTS), dtype=np.float32)
    value = np.zeros((CLASSES, most + 1, I, 2 * SLOTS), dtype=np.float32)
    scale = np.ones(most + 1)
    lasts, travels = _durations_between(length), _gaps_between(terms.gap)
    # A last event runs to 24:00, which the first minutes of its slot cut short.
    final = length[:, SLOTS - 1 - np.arange(SLOTS)] * terms.last[:, None]
    ways: Floats = np.broadcast_to(final, liked.shape)
    for k in range(1, most + 1):
        if k > 1:
            ahead = np.einsum("es,cis->cie", travels, value[:, k - 1, :, :SLOTS])
            ahead = ahead * terms.anchor
            ways = np.einsum("ite,cie->cit", lasts, ahead, optimize=True)
            outlook[:, k, :, : SLOTS + 1] = ahead
        scale[k] = ways.max()
        ways = ways / scale[k]
        control[:, k] = ways
        value[:, k, :, :SLOTS] = np.einsum("pi,cit->cpt", terms.after, liked * ways)
    return _chain(terms, control, outlook, value, scale)


def _durations_between(length: Floats) -> Floats:
    """Weight of lasting from slot t to slot e, shape (I, T, T + 1)."""
    lasts = np.zeros((I, SLOTS, SLOTS + 1))
    for t in range(SLOTS):
        lasts[:, t, t:] = length[:, : SLOTS + 1 - t]
    return lasts


def _gaps_between(gap: Floats) -> Floats:
    """Weight of travelling from slot e to slot t, shape (T + 1, T)."""
    travels = np.zeros((SLOTS + 1, SLOTS))
    for e in range(SLOTS + 1):
        travels[e, e:] = gap[: SLOTS - e]
    return travels


# -- what the chain does on average -------------------------------------------------------------


@dataclass(frozen=True)
class Expected:
    """Expected numbers a day, by class.

    Attributes:
        intents: events, (C, I).
        length: events by half hour of duration, (C, I, 48).
        starts: events by the slot of their start, (C, I, T).
        first: first events of a day, (C, I).
        after: events of one intent followed by one of another, (C, I, I).
    """

    intents: Floats
    length: Floats
    starts: Floats
    first: Floats
    after: Floats


def expectations(chain: IntentChain, days: Floats) -> Expected:
    """Exact expectations, by the forward pass of the chain.

    Args:
        chain: with foresight.
        days: fraction of days with n events at index n.
    """
    lasts, travels = _durations_between(chain.length), _gaps_between(chain.gap)
    length, starts = np.zeros((CLASSES, I, DURATION_BINS)), np.zeros((CLASSES, I, SLOTS))
    begun, first = np.zeros((CLASSES, I, SLOTS)), np.zeros((CLASSES, I))
    after = np.zeros((CLASSES, I, I))
    for k in range(len(days) - 1, 0, -1):
        now = begun.copy()
        opening = chain.attitude * chain.first * chain.control[:, k, :, 0]
        opens = days[k] * opening / opening.sum(axis=1, keepdims=True)
        first += opens
        now[:, :, 0] += opens
        starts += now
        if k == 1:
            for t in range(SLOTS):
                length[:, :, (SLOTS - 1 - t) // SLOTS_PER_BIN] += now[:, :, t]
            break
        control = chain.control[:, k].astype(float)
        per_way = np.divide(now, control, out=np.zeros_like(now), where=control > 0)
        outlook = chain.outlook[:, k, :, : SLOTS + 1].astype(float)
        # Weight of each duration: what begins in slot t and ends in slot t + u, over all t.
        ahead = np.pad(outlook[:, :, :SLOTS], ((0, 0), (0, 0), (0, SLOTS - 1)))
        ahead = sliding_window_view(ahead, SLOTS, axis=2)
        lasted = np.einsum("ciut,cit->ciu", ahead, per_way)
        lasted *= chain.length[:, :SLOTS] / chain.scale[k]
        length += lasted.reshape(*length.shape, SLOTS_PER_BIN).sum(axis=3)
        ended = np.einsum("ite,cit->cie", lasts, per_way, optimize=True) / chain.scale[k]
        arrive = (ended * chain.anchor) @ travels
        weight = chain.attitude[:, None] * chain.start * chain.control[:, k - 1]
        follows = np.einsum("cps,cis->cpi", arrive, weight, optimize=True) * chain.after
        after += follows
        begun = (chain.after.T @ arrive) * weight
    return Expected(starts.sum(axis=2), length, starts, first, after)

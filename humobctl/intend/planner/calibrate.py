"""Calibration: weights for which the chain does on average what was published.

Each weight is moved by the logarithm of what was published over what is expected, damped, and
held near the published share itself: not all of it can be reached at once, since days have 24
hours and people have to travel. The reference population is CoPB's, on an average day of a week.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.data.synth.people import OCCUPATION
from humobctl.intend.planner.config import CHRONOTYPES
from humobctl.intend.planner.model import (
    CLASSES,
    Habits,
    I,
    Weights,
    build,
    calibrated_weights,
    class_of,
    expectations,
    published_attitude,
    published_length,
    usual_after,
    usual_gap,
)
from humobctl.intend.planner.observed import ObservedStays
from humobctl.intend.planner.traits import traits
from humobctl.native import Floats
from humobctl.tables.copb_reference import DURATION_BINS, events_per_day

ROUNDS = 30
STEP = 0.3
PULL = 2.0
"""How far a weight is moved for each unit of the logarithm of what is missing."""
FLOOR = 1e-3
"""Share below which a bin counts as about empty; 30-minute bins hold 0.02 on average."""
PRIOR = 20.0
"""Observations of the shipped planner's share that are added to those of a city."""
FOLLOWS_ITSELF = 0.02
"""Least weight of any intent after any other, where visits are given."""
_PEOPLE = 7000
_TINY = 1e-12


def calibrate(rounds: int = ROUNDS) -> Weights:
    """The weights, from the published distributions alone."""
    share, days = class_shares(), events_per_day()
    days = days / days.sum()
    liked, lasted = published_attitude(), published_length()
    attitude, length = np.zeros_like(liked), np.zeros_like(lasted)
    for _ in range(rounds):
        found = expectations(build(_weights(attitude, length)), days)
        intents = share @ found.intents
        lengths = np.tensordot(share, found.length, 1)
        missing = _log_ratio(liked, intents / intents.sum())
        attitude += STEP * (PULL * missing - attitude)
        missing = _log_ratio(lasted, lengths / lengths.sum(axis=1, keepdims=True))
        length += STEP * (PULL * missing - length)
    return _weights(attitude, length)


def calibrate_to(observed: ObservedStays, people: pl.DataFrame, rounds: int = ROUNDS) -> Weights:
    """The weights for which plans of these people do on average what was observed.

    Shares of few observations are drawn towards those of the shipped planner, as if ``PRIOR`` stays
    had been seen of it.

    Args:
        observed: counts of visits.
        people: uid, education, gender, consumption, occupation.
        rounds: of moving all weights by the logarithm of what is missing.
    """
    share, days = class_shares(people), observed.days / observed.days.sum()
    shipped = calibrated_weights()
    usual = _expect(shipped, days, share)
    wanted = _Shares(*map(_join, _counts(observed), usual))
    gap = observed.gap + PRIOR * usual_gap()
    weights = replace(shipped, habits=Habits(days, *_no_habits(), gap / gap.sum()))
    with report.progress("calibrating the planner", rounds, "rounds") as ticker:
        for _ in range(rounds):
            found = _expect(weights, days, share)
            missing = [_log_ratio(*pair) for pair in zip(wanted, found, strict=True)]
            weights = _move(weights, missing)
            ticker.advance()
    return weights


class _Shares(NamedTuple):
    """Intents (I,), durations (I, 48), first events (I,), starts (I, 48), what follows (I, I)."""

    intents: Floats
    length: Floats
    first: Floats
    starts: Floats
    after: Floats


def _counts(found: ObservedStays) -> tuple[Floats, ...]:
    return found.intents, found.length, found.first, found.starts, found.after


def _expect(weights: Weights, days: Floats, share: Floats) -> _Shares:
    """What the planner does on average, as shares; of durations and what follows by intent."""
    most = int(np.flatnonzero(days)[-1])
    found = expectations(build(weights, most=most), days[: most + 1])
    starts = np.tensordot(share, found.starts, 1)
    first = share @ found.first
    starts[:, 0] -= first
    parts = (
        share @ found.intents,
        np.tensordot(share, found.length, 1),
        first,
        starts.reshape(I, DURATION_BINS, -1).sum(axis=2),
        np.tensordot(share, found.after, 1),
    )
    return _Shares(*(part / np.maximum(part.sum(axis=-1, keepdims=True), _TINY) for part in parts))


def _join(counts: Floats, usual: Floats) -> Floats:
    """ObservedStays shares, with PRIOR observations of the usual ones."""
    total = counts.sum(axis=-1, keepdims=True) + PRIOR
    joined: Floats = (counts + PRIOR * usual) / total
    return joined


def _no_habits() -> tuple[Floats, Floats, Floats]:
    """Factors of first events and starts, and the norm of what follows, before any round.

    What was observed may follow itself, in another place.
    """
    return np.ones(I), np.ones((I, DURATION_BINS)), np.maximum(usual_after(), FOLLOWS_ITSELF)


def _move(weights: Weights, missing: list[Floats]) -> Weights:
    """All weights moved towards what is missing."""
    assert weights.habits is not None
    intents, length, first, starts, after = (np.exp(STEP * one) for one in missing)
    attitude, lasting = weights.attitude * intents, weights.length * length
    habits = replace(
        weights.habits,
        first=weights.habits.first * first,
        start=weights.habits.start * starts,
        after=weights.habits.after * after,
    )
    return Weights(attitude / attitude.sum(), lasting / lasting.sum(axis=1, keepdims=True), habits)


def _weights(attitude: Floats, length: Floats) -> Weights:
    liked = published_attitude() * np.exp(attitude)
    lasted = (published_length() + FLOOR / 10) * np.exp(length)
    return Weights(liked / liked.sum(), lasted / lasted.sum(axis=1, keepdims=True))


def _log_ratio(wanted: Floats, found: Floats) -> Floats:
    ratio: Floats = np.log((wanted + FLOOR) / (found + FLOOR))
    return ratio


def class_shares(people: pl.DataFrame | None = None) -> Floats:
    """Share of each class in a population (CoPB's where None) over a week, shape (C,)."""
    found = traits(_reference_people() if people is None else people, seed=0)
    total = np.zeros(CLASSES)
    for chronotype in range(len(CHRONOTYPES)):
        for weekday in range(7):
            number = class_of(found.schedule, chronotype, found.off[:, weekday])
            total += np.bincount(number, minlength=CLASSES)
    share: Floats = total / total.sum()
    return share


def _reference_people() -> pl.DataFrame:
    shares = np.array(list(OCCUPATION.values()))
    counts = np.round(_PEOPLE * shares / shares.sum()).astype(int)
    names = np.repeat(list(OCCUPATION), counts).tolist()
    unknown = ["uncertain"] * len(names)
    return pl.DataFrame(
        {
            "uid": range(len(names)),
            "education": unknown,
            "gender": unknown,
            "consumption": unknown,
            "occupation": names,
        }
    )

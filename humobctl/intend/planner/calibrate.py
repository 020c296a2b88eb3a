"""Calibration: weights for which the chain does on average what was published.

Each weight is moved by the logarithm of what was published over what is expected, damped, and
held near the published share itself: not all of it can be reached at once, since days have 24
hours and people have to travel. The reference population is CoPB's, on an average day of a week.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from humobctl.data.synth.people import OCCUPATION
from humobctl.intend.planner.config import CHRONOTYPES
from humobctl.intend.planner.model import (
    CLASSES,
    Weights,
    build,
    class_of,
    expectations,
    published_attitude,
    published_length,
)
from humobctl.intend.planner.traits import traits
from humobctl.native import Floats
from humobctl.tables.copb_reference import events_per_day

ROUNDS = 30
STEP = 0.3
PULL = 2.0
"""How far a weight is moved for each unit of the logarithm of what is missing."""
FLOOR = 1e-3
"""Share below which a bin counts as about empty; 30-minute bins hold 0.02 on average."""
_PEOPLE = 7000


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


def _weights(attitude: Floats, length: Floats) -> Weights:
    liked = published_attitude() * np.exp(attitude)
    lasted = (published_length() + FLOOR / 10) * np.exp(length)
    return Weights(liked / liked.sum(), lasted / lasted.sum(axis=1, keepdims=True))


def _log_ratio(wanted: Floats, found: Floats) -> Floats:
    ratio: Floats = np.log((wanted + FLOOR) / (found + FLOOR))
    return ratio


def class_shares() -> Floats:
    """Share of each class in the reference population over a week, shape (C,)."""
    shares = np.array(list(OCCUPATION.values()))
    counts = np.round(_PEOPLE * shares / shares.sum()).astype(int)
    names = np.repeat(list(OCCUPATION), counts).tolist()
    unknown = ["uncertain"] * len(names)
    people = pl.DataFrame(
        {
            "uid": range(len(names)),
            "education": unknown,
            "gender": unknown,
            "consumption": unknown,
            "occupation": names,
        }
    )
    found = traits(people, seed=0)
    total = np.zeros(CLASSES)
    for chronotype in range(len(CHRONOTYPES)):
        for weekday in range(7):
            number = class_of(found.schedule, chronotype, found.off[:, weekday])
            total += np.bincount(number, minlength=CLASSES)
    share: Floats = total / total.sum()
    return share

"""Distributions that others have published and that plans are compared with.

CoPB (Shao et al., "Chain-of-Planned-Behaviour Workflow Elicits Few-Shot Mobility Generation in
LLMs", 2024, arXiv 2402.09836) published how many events a day has (``getEventNum`` in its
repository PLUTO-SCY/CoPB) and how long each intent lasts (its ``timeDistribution_Event``), both
from mobile-phone stays in Beijing. The probabilities are fractions with a common denominator, so
they are given here as the counts that they stem from.

An event of these tables is one stay at one place, labelled with the intent that it served: two
events next to each other are at different places. Days with a single stay are left out.
"""

from __future__ import annotations

import numpy as np

from humobctl.native import Floats
from humobctl.tables.schemas import INTENTS

DURATION_BIN = 30
"""Minutes of a bin of durations."""
DURATION_BINS = 48

EVENTS_PER_DAY = {
    2: 3480,
    3: 6481,
    4: 2222,
    5: 1666,
    6: 707,
    7: 383,
    8: 181,
    9: 105,
    10: 70,
    11: 27,
    12: 17,
    13: 5,
    14: 2,
    15: 4,
    16: 3,
}
"""Events of a day -> days with so many."""

_DURATIONS = {
    "go to work": (
        "103 93 60 64 65 49 53 34 30 29 31 22 33 24 29 25 24 39 25 26 21 12 10 12 12 6 4 "
        "3 1 1 2 0 0 2 3 2 1 1 1 1 1 0 0 0 0 0 0 1"
    ),
    "go home": (
        "164 127 108 76 66 62 76 60 70 56 53 31 31 28 25 26 41 37 17 22 16 18 15 6 7 6 9 "
        "11 7 13 6 1 4 4 5 2 10 5 1 8 5 5 4 7 4 4 4 14"
    ),
    "eat": (
        "151 61 29 25 10 3 6 2 0 1 0 0 1 3 3 0 0 0 4 0 1 2 1 0 0 0 0 0 0 1 0 0 0 0 0 0 0 0 0 1 1 1"
    ),
    "do shopping": (
        "111 55 34 18 12 11 4 2 5 1 2 3 3 1 0 0 0 1 4 0 0 0 0 0 0 1 0 0 0 0 0 1 0 0 0 0 0 0 1"
    ),
    "do sports": "25 8 7 8 11 7 2 1 4 1 1 1 5 0 1 1 1 1 1",
    "excursion": "8 2 4 1 3 0 0 0 0 0 0 0 1 0 0 1",
    "leisure or entertainment": (
        "74 39 15 15 9 9 8 0 1 2 1 0 1 2 3 4 7 1 7 1 0 0 0 0 0 0 0 1 0 0 0 0 0 0 2 1 0 0 "
        "0 0 0 0 0 0 0 1"
    ),
    "go to sleep": (
        "41 58 61 67 61 53 26 16 18 30 29 28 38 68 74 98 96 75 74 41 38 18 23 17 15 14 9 "
        "11 7 6 5 1 5 6 6 7 6 2 4 0 4 2 3 1 0 2 3 7"
    ),
    "medical treatment": "6 3 0 0 0 0 2 1 0 1 0 0 0 0 0 0 0 0 0 0 0 1",
    "handle the trivialities of life": (
        "450 188 107 78 52 35 28 25 16 15 11 14 5 10 8 7 13 6 16 11 3 8 4 6 2 4 3 1 3 1 3 "
        "2 1 2 3 3 4 4 2 0 1 1 1 0 2 0 1 1"
    ),
}
# Not among the labelled stays; CoPB lets them last as long as the trivialities of life.
_STAND_INS = ("banking and financial services", "cultural institutions and events")
_STAND_IN = "handle the trivialities of life"


def events_per_day() -> Floats:
    """Number of days with n events at index n, shape (17,); 15,353 days in all."""
    counts = np.zeros(max(EVENTS_PER_DAY) + 1)
    counts[list(EVENTS_PER_DAY)] = list(EVENTS_PER_DAY.values())
    return counts


def durations(*, stand_ins: bool = False) -> Floats:
    """Number of labelled stays by intent and half hour of duration, shape (12, 48).

    Args:
        stand_ins: fill the rows of the two intents without stays as CoPB does, not with zeros.
    """
    counts = np.zeros((len(INTENTS), DURATION_BINS))
    for code, intent in enumerate(INTENTS):
        usual = _STAND_IN if stand_ins and intent in _STAND_INS else intent
        found = [int(count) for count in _DURATIONS.get(usual, "").split()]
        counts[code, : len(found)] = found
    return counts

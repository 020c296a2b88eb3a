"""What the ranker knows of each candidate place of each record to predict.

Everything is relative to the user or to all users (shares, ranks, distances), so that a ranker
learnt on some users and cities serves others.

Shapes: r records to predict, k the user's own places, N new candidates, K = k + N, F features.
"""

from __future__ import annotations

import numpy as np

from humobctl.native import Float32s, Floats, Int64s
from humobctl.predict.next.city import NextCity
from humobctl.predict.next.config import FLOOR
from humobctl.predict.next.evidence import KERNELS, VISITS, Evidence

_NEVER = 6.0
"""Feature of a place that the user was never at: log(1 + days) of more than a year."""
_PAIR_PRIOR = 0.3
"""Weight of no pair at all beside those of a user's past."""
CANDIDATE_NAMES = (
    *KERNELS,
    "last_visit",
    "in_session",
    "at_origin",
    "own",
    "visit_count",
    "visitors",
    "hour_of_place",
    "ways_of_all",
    "distance_origin",
    "distance_home",
)
RECORD_NAMES = ("step", "length", "records", "clock_sine", "clock_cosine", "off")
NAMES = (*CANDIDATE_NAMES, *RECORD_NAMES)


def encode(found: Evidence, city: NextCity) -> Float32s:
    """Features of all candidates, those that are not there too, shape (r, K, F)."""
    candidates = found.candidates
    r, many = candidates.shape
    k = len(found.own)
    z = np.zeros((r, many, len(NAMES)), dtype=np.float32)
    for number, name in enumerate(KERNELS):
        z[:, :k, number] = _shares(found.weights[number], name.startswith("follows"))
        z[:, :, number] = np.log(z[:, :, number] + FLOOR)
    at = len(KERNELS)
    place, origin = np.maximum(candidates, 0), np.maximum(found.origin, 0)[:, None]
    with np.errstate(invalid="ignore"):
        since = np.log1p(np.maximum(found.last_visit, 0.0) / 24.0)
    z[:, :, at] = _NEVER
    z[:, :k, at] = np.minimum(np.where(np.isfinite(since), since, _NEVER), _NEVER)
    z[:, :k, at + 1] = found.in_session
    z[:, :, at + 2] = candidates == found.origin[:, None]
    z[:, :k, at + 3] = 1.0
    z[:, :k, at + 4] = np.log1p(found.weights[VISITS])
    z[:, :, at + 5] = np.log1p(city.visitors[place])
    clock = (found.now % 24.0).astype(np.int64)
    z[:, :, at + 6] = city.hours[place, clock[:, None]]
    z[:, :, at + 7] = np.log(city.shares(origin, place) + FLOOR)
    z[:, :, at + 8] = np.log1p(_km(city, place, origin))
    z[:, :, at + 9] = np.log1p(_km(city, place, _home(found)[:, None]))
    turn = found.now * (np.pi / 12.0)
    rows = (
        np.log1p(found.step),
        np.log1p(found.length),
        np.log1p(found.records),
        np.sin(turn),
        np.cos(turn),
        found.now % 168.0 >= 120.0,
    )
    for number, values in enumerate(rows):
        z[:, :, at + 10 + number] = values[:, None]
    return z


def first_scores(z: Float32s) -> Floats:
    """A score of each candidate by a few features, to choose those that are worth more."""
    names = ("visits", "recent_month", "follows", "hour_after", "ways_of_all", "last_visit")
    weights = (1.0, 1.0, 1.0, 1.0, 0.5, -0.3)
    columns = [NAMES.index(name) for name in names]
    scores: Floats = z[:, :, columns].astype(np.float64) @ np.array(weights)
    return scores


def _shares(weights: Floats, of_pairs: bool) -> Floats:
    prior = _PAIR_PRIOR if of_pairs else 1e-9
    shares: Floats = weights / (weights.sum(axis=1, keepdims=True) + prior)
    return shares


def _home(found: Evidence) -> Int64s:
    """The most visited place of each record's user, shape (r,)."""
    home: Int64s = found.own[found.weights[VISITS].argmax(axis=1)]
    return home


def _km(city: NextCity, place: Int64s, other: Int64s) -> Floats:
    east, north = city.places.east, city.places.north
    km: Floats = np.hypot(east[place] - east[other], north[place] - north[other])
    return km

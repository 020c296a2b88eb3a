"""What all users of a history show together: popular places, their hours, ways between them.

Shapes: m places, t pairs of places, N candidates that may be new to a user.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from humobctl.native import Bools, Floats, Int64s
from humobctl.predict.next.config import CONTINUED, NEAR_KM, NEW
from humobctl.predict.next.data import NextRecords, PlaceTable

_SMOOTH = 1.5
"""Decay of a place's hours to the hours beside them."""
_NEIGHBOURS = 64


@dataclass(frozen=True)
class NextCity:
    """Statistics of the records of a history.

    Attributes:
        places: numbered places.
        visitors: users of each place, shape (m,).
        hours: log ratio of a place's share of an hour to that of all places, shape (m, 24).
        pairs: sorted keys ``from * m + to`` of places in a row, shape (t,).
        counts: how often each pair was, shape (t,).
        leaving: pairs from each place, shape (m,).
        fresh: visited places that follow each place or lie near it, -1 for none, shape (m, N).
        popular: the most visited places, -1 for none, shape (N,).
    """

    places: PlaceTable
    visitors: Floats
    hours: Floats
    pairs: Int64s
    counts: Floats
    leaving: Floats
    fresh: Int64s
    popular: Int64s

    def shares(self, origin: Int64s, place: Int64s) -> Floats:
        """Shares of the ways from places that lead to others; any shapes that go together."""
        keys = origin * len(self.places) + place
        at = np.minimum(np.searchsorted(self.pairs, keys), max(len(self.pairs) - 1, 0))
        found = np.zeros(np.shape(keys))
        if len(self.pairs):
            found = np.where(self.pairs[at] == keys, self.counts[at], 0.0)
        ways: Floats = found / (self.leaving[origin] + 5.0)
        return ways


def survey_city(records: NextRecords, known: Bools) -> NextCity:
    """Statistics of some of the records.

    Args:
        records: of all users.
        known: which of them count, shape (records,).
    """
    places = records.places
    m = len(places)
    place, hour = (records.columns[name][known] for name in ("place", "hour"))
    user = records.user[known]
    visitors = np.bincount(np.unique(user * m + place) % m, minlength=m).astype(np.float64)
    pairs, counts = _pairs(place, hour, user, m)
    leaving = np.bincount(pairs // m, counts, minlength=m).astype(np.float64)
    popular = np.full(2 * NEW, -1, dtype=np.int64)
    popular[: min(m, 2 * NEW)] = np.argsort(-visitors, kind="stable")[: 2 * NEW]
    popular[visitors[popular] == 0] = -1
    fresh = np.concatenate([_followers(pairs, counts, m), _near(places, visitors)], axis=1)
    return NextCity(
        places, visitors, _hours(place, hour, m), pairs, counts, leaving, fresh, popular
    )


def _pairs(place: Int64s, hour: Floats, user: Int64s, m: int) -> tuple[Int64s, Floats]:
    """Keys of places in a row and how often each is."""
    follows = (user[1:] == user[:-1]) & (hour[1:] - hour[:-1] < CONTINUED)
    keys, counts = np.unique((place[:-1] * m + place[1:])[follows], return_counts=True)
    return keys, counts.astype(np.float64)


def _hours(place: Int64s, hour: Floats, m: int) -> Floats:
    """Log ratios of places' hours to those of all, smoothed over the clock, shape (m, 24)."""
    clock = (hour % 24).astype(np.int64)
    counts = np.bincount(place * 24 + clock, minlength=m * 24).reshape(m, 24).astype(np.float64)
    apart = np.abs(np.arange(24)[:, None] - np.arange(24))
    smooth = counts @ np.exp(-np.minimum(apart, 24 - apart) / _SMOOTH)
    whole = smooth.sum(axis=0)
    share = smooth / (smooth.sum(axis=1, keepdims=True) + 1e-9)
    ratios: Floats = np.log(share / (whole / max(whole.sum(), 1e-9) + 1e-9) + 0.05)
    return ratios


def _followers(pairs: Int64s, counts: Floats, m: int) -> Int64s:
    """The places that most often follow each place, shape (m, NEW)."""
    order = np.lexsort((-counts, pairs // m))
    origin = pairs[order] // m
    rank = np.arange(len(order)) - np.searchsorted(origin, origin)
    found = np.full((m, NEW), -1, dtype=np.int64)
    few = rank < NEW
    found[origin[few], rank[few]] = pairs[order][few] % m
    return found


def _near(places: PlaceTable, visitors: Floats) -> Int64s:
    """The places near each place that most users visit, shape (m, NEW)."""
    m = len(places)
    points = np.stack([places.east, places.north], axis=1)
    far, index = KDTree(points).query(points, k=min(_NEIGHBOURS, m))
    far, index = far.reshape(m, -1), index.reshape(m, -1)
    best = np.argsort(-visitors[index] * np.exp(-far / NEAR_KM), axis=1, kind="stable")[:, :NEW]
    found = np.full((m, NEW), -1, dtype=np.int64)
    found[:, : best.shape[1]] = np.take_along_axis(index, best, axis=1)
    found[visitors[found] == 0] = -1
    return found

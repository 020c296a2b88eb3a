"""What a user's past says of each candidate place of each record to predict.

Shapes: n records of a user, r records to predict, k the user's own places, N new candidates,
        Q kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humobctl.native import Bools, Float32s, Floats, Int64s
from humobctl.predict.next.city import NextCity
from humobctl.predict.next.config import CONTINUED
from humobctl.predict.next.data import UserRecords

KERNELS = (
    "visits",
    "recent_month",
    "recent_week",
    "hour_after",
    "hour_after_daytype",
    "follows",
    "follows_recently",
    "follows_two",
    "follows_hour",
    "follows_place_and_hour",
)
"""Ways of weighing a user's records; those that begin with follows weigh pairs of records."""
VISITS, FOLLOWS, FOLLOWS_TWO = (KERNELS.index(n) for n in ("visits", "follows", "follows_two"))


@dataclass(frozen=True)
class Evidence:
    """A user's records to predict, and their candidates.

    Attributes:
        wanted: their indices among the user's records, shape (r,).
        origin: place of the last known record; -1 for none, shape (r,).
        now: hour of it, shape (r,).
        own: the user's places, shape (k,).
        fresh: places that may be new to the user, -1 for none and for own ones, shape (r, N).
        weights: of the user's places by each kernel, shape (Q, r, k).
        last_visit: hours since each place's last visit, infinite for none, shape (r, k).
        in_session: whether the session has been there, shape (r, k).
        records: known records, shape (r,).
        length: records of the session so far, shape (r,).
        step: hours between the last two records of the session; 0 for fewer, shape (r,).
        rolling: whether earlier sessions of the table that is predicted are known, too.
    """

    wanted: Int64s
    origin: Int64s
    now: Floats
    own: Int64s
    fresh: Int64s
    weights: Float32s
    last_visit: Floats
    in_session: Bools
    records: Int64s
    length: Int64s
    step: Floats
    rolling: bool = False

    @property
    def candidates(self) -> Int64s:
        """Places of each record, own ones first; -1 where there is none, shape (r, k + N)."""
        own = np.where(self.weights[VISITS] > 0, self.own, -1)
        return np.concatenate([own, self.fresh], axis=1)


def weigh(user: UserRecords, wanted: Int64s, city: NextCity, *, rolling: bool = False) -> Evidence:
    """Evidence on some records of a user.

    Args:
        user: all records.
        wanted: indices of those to predict, shape (r,).
        city: of the history.
        rolling: whether earlier sessions of the table that is predicted are known, too.
    """
    known = user.find_known(wanted, rolling=rolling)
    n = len(user.place)
    order = np.arange(n)
    last = np.where(known, order, -1).max(axis=1, initial=-1)
    some = last >= 0
    at = np.maximum(last, 0)
    origin = np.where(some, user.place[at], -1)
    now = np.where(some, user.hour[at], 0.0)
    here = known & (user.session == user.session[wanted][:, None])
    before = np.where(here & (order < last[:, None]), order, -1).max(axis=1, initial=-1)
    own, index = np.unique(user.place, return_inverse=True)
    kernels = _kernels(user, known, at, before, now)
    weights = np.stack([_by_place(one, index, len(own)) for one in kernels])
    hours = np.where(known, user.hour, -np.inf)
    latest = _by_place(hours, index, len(own), highest=True)
    seen = _by_place(here, index, len(own)) > 0
    return Evidence(
        wanted=wanted,
        origin=origin,
        now=now,
        own=own,
        fresh=_fresh(origin, own, weights[VISITS] > 0, city),
        weights=weights.astype(np.float32),
        last_visit=now[:, None] - latest,
        in_session=seen,
        records=known.sum(axis=1),
        length=here.sum(axis=1),
        step=np.where(before >= 0, now - user.hour[np.maximum(before, 0)], 0.0),
        rolling=rolling,
    )


def _kernels(
    user: UserRecords, known: Bools, at: Int64s, before: Int64s, now: Floats
) -> list[Floats]:
    """The weights of a user's records by each kernel, each of shape (r, n)."""
    hour, place = user.hour, user.place
    age = np.maximum(now[:, None] - hour, 0.0) / 24.0
    clock, moment = hour % 24.0, (now % 24.0)[:, None]
    off, off_now = hour % 168.0 >= 120.0, (now % 168.0 >= 120.0)[:, None]
    month, week, slow = np.exp(-age / 30.0), np.exp(-age / 7.0), np.exp(-age / 60.0)
    soon = np.exp(-np.abs((clock - moment) % 24.0 - 2.0) / 3.0) * slow
    follows = np.zeros(len(hour), np.bool_)
    follows[1:] = hour[1:] - hour[:-1] < CONTINUED
    pair = known & follows
    pair[:, 1:] &= known[:, :-1]
    earlier, earliest = _shift(place, 1), _shift(place, 2)
    from_here = pair & (earlier == place[at][:, None])
    two = from_here & np.roll(pair, 1, axis=1) & (before >= 0)[:, None]
    two &= earliest == place[np.maximum(before, 0)][:, None]
    apart = np.abs(np.roll(clock, 1) - moment)
    same = np.where(np.roll(off, 1) == off_now, 1.0, 0.3)
    like = np.exp(-np.minimum(apart, 24.0 - apart)) * same * slow * pair
    return [
        known.astype(np.float64),
        known * month,
        known * week,
        known * soon,
        known * soon * np.where(off == off_now, 1.0, 0.1),
        from_here.astype(np.float64),
        from_here * month,
        two.astype(np.float64),
        like,
        like * from_here,
    ]


def _shift(place: Int64s, steps: int) -> Int64s:
    """The place so many records before; -2 where there is none."""
    found = np.full(len(place), -2, np.int64)
    found[steps:] = place[:-steps] if len(place) > steps else place[:0]
    return found


def _by_place(values: np.ndarray, index: Int64s, k: int, *, highest: bool = False) -> Floats:
    """Sums of the columns of each place, or the highest of them, shape (r, k)."""
    order = np.argsort(index, kind="stable")
    starts = np.searchsorted(index[order], np.arange(k))
    add = np.maximum if highest else np.add
    result: Floats = add.reduceat(values[:, order].astype(np.float64), starts, axis=1)
    return result


def _fresh(origin: Int64s, own: Int64s, visited: Bools, city: NextCity) -> Int64s:
    """Candidates of each record that may be new to the user, shape (r, N)."""
    found = np.where((origin >= 0)[:, None], city.fresh[np.maximum(origin, 0)], city.popular)
    at = np.minimum(np.searchsorted(own, found), len(own) - 1)
    taken = (own[at] == found) & np.take_along_axis(visited, at, axis=1)
    found = np.where(taken, -1, found)
    # The second of two equal ones goes.
    order = np.argsort(found, axis=1, kind="stable")
    ordered = np.take_along_axis(found, order, axis=1)
    ordered[:, 1:][ordered[:, 1:] == ordered[:, :-1]] = -1
    np.put_along_axis(found, order, ordered, axis=1)
    return found

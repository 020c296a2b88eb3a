"""Whether generated people are copies of real ones: distances to the nearest real person, copies.

A person-day is the sequence of 48 positions at the half hours 0:00 to 23:30: where the person is,
or between two stays where the last one was. Two person-days are as far apart as their positions in
the root mean square over the day, in km; so nearest neighbours are Euclidean in 96 dimensions. They
are exact, and found by matrix products: in so many dimensions a tree visits most of its leaves, and
a tree cannot leave out the other days of the same person.

The distance to the closest record and its comparison with that among real records is the usual
screening of synthetic data (Platzer and Reutterer, Frontiers in Big Data 4, 2021, 679939). It finds
copies and near copies. It is no proof of privacy, which a membership attack or differential privacy
would be about.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from humobctl.evaluate.scores import TableScore
from humobctl.native import Floats, Int64s, share_out
from humobctl.tables.stays import Stays

STEPS = 48
"""Positions a day, every half hour from 0:00."""
MOST_GENERATED, MOST_REAL = 100_000, 20_000
"""Person-days among which neighbours are looked for; from more, so many are drawn."""
LOW_QUANTILE = 0.05
_BLOCK_CELLS = 1 << 22
_LONGEST_DAY = 1 << 11  # minutes, more than a day has


@dataclass(frozen=True)
class PersonDays:
    """Where people are over the day.

    Attributes:
        uid: number of the person, not falling, shape (days,).
        first: row of the first stay of each person-day, and the number of stays, shape (days + 1,).
        position: km east at each step, then km north, over the root of STEPS, so that Euclidean
            distances are root mean squares over the day; shape (days, 2 * STEPS).
    """

    uid: Int64s
    first: Int64s
    position: Floats


def person_days(stays: Stays) -> PersonDays:
    """The person-days of stays that are sorted by person, day and start."""
    begins = np.ones(len(stays), dtype=bool)
    begins[1:] = (stays.uid[1:] != stays.uid[:-1]) | (stays.day[1:] != stays.day[:-1])
    first = np.flatnonzero(begins)
    day = np.cumsum(begins) - 1
    times = np.arange(len(first))[:, None] * _LONGEST_DAY + np.arange(STEPS) * (1440 // STEPS)
    last = np.searchsorted(day * _LONGEST_DAY + stays.start, times.ravel(), side="right") - 1
    row = np.maximum(last.reshape(times.shape), first[:, None])
    position = np.concatenate([stays.east[row], stays.north[row]], axis=1)
    position /= 1000.0 * np.sqrt(STEPS)
    return PersonDays(stays.uid[first], np.append(first, len(stays)), position)


# -- nearest neighbours -------------------------------------------------------------------------


def nearest(
    points: Floats, others: Floats, *, own: tuple[Int64s, Int64s] | None = None, count: int = 1
) -> tuple[Int64s, Floats]:
    """The nearest of ``others`` to each point, exactly; memory does not grow with the product.

    Args:
        points: shape (points, dimensions).
        others: shape (others, dimensions), at least ``count``.
        own: for each point the range of ``others`` that is left out, as two arrays (points,).
        count: how many neighbours, 1 or 2.

    Returns:
        Numbers and distances, nearest first, both of shape (points, count); the distance is
        infinite where too few others are left.
    """
    # Around the middle, squares are small and their differences lose less.
    centre = others.mean(axis=0)
    there, here = others - centre, points - centre
    half = (there**2).sum(axis=1) / 2
    index = np.empty((len(points), count), np.int64)
    apart = np.empty((len(points), count))
    step = max(1, _BLOCK_CELLS // len(others))

    def work(start: int, stop: int) -> None:
        for low in range(start, stop, step):
            rows = slice(low, min(low + step, stop))
            gap = half - here[rows] @ there.T
            if own is not None:
                for row, (a, b) in enumerate(zip(own[0][rows], own[1][rows], strict=True)):
                    gap[row, a:b] = np.inf
            for rank in range(count):
                best = gap.argmin(axis=1)
                left_out = np.isinf(gap[np.arange(len(best)), best])
                # From the coordinates again: equal points are exactly 0 apart.
                squares = ((points[rows] - others[best]) ** 2).sum(axis=1)
                index[rows, rank] = best
                apart[rows, rank] = np.where(left_out, np.inf, np.sqrt(squares))
                gap[np.arange(len(best)), best] = np.inf

    share_out(len(points), work)
    return index, apart


def _own_days(uid: Int64s) -> tuple[Int64s, Int64s]:
    """For each person-day the range of those of the same person."""
    return np.searchsorted(uid, uid, side="left"), np.searchsorted(uid, uid, side="right")


# -- copies -------------------------------------------------------------------------------------


def _tokens(stays: Stays, days: PersonDays, *, times: bool) -> list[bytes]:
    """One text of bytes for each person-day: its places to the metre, with or without the times."""
    columns = [np.rint(stays.east).astype(np.int64), np.rint(stays.north).astype(np.int64)]
    if times:
        columns += [stays.start.astype(np.int64), stays.end.astype(np.int64)]
    rows: Int64s = np.ascontiguousarray(np.stack(columns, axis=1))
    bounds = days.first.tolist()
    return [rows[a:b].tobytes() for a, b in pairwise(bounds)]


def _shares_copied(generated: list[bytes], real: list[bytes], uid: Int64s) -> tuple[float, float]:
    """Shares of generated and of real person-days that a(nother) real person has as well."""
    people: dict[bytes, set[int]] = {}
    for token, person in zip(real, uid.tolist(), strict=True):
        people.setdefault(token, set()).add(person)
    return (
        _share([token in people for token in generated]),
        _share([len(people[token]) > 1 for token in real]),
    )


def _share(verdicts: list[bool]) -> float:
    return sum(verdicts) / len(verdicts) if verdicts else float("nan")


# -- scores -------------------------------------------------------------------------------------


def privacy(generated: Stays, real: Stays, *, seed: int = 0) -> list[TableScore]:
    """How near generated people come to real ones, each score with the same of real people.

    Args:
        generated: stays of generated people.
        real: stays of real people, on the same plane.
        seed: of the draw of person-days where a table has too many (``MOST_GENERATED``,
            ``MOST_REAL``); copies are looked for among all.

    Returns:
        Each with its yardstick (``_real``), the same of real person-days against other people's:
        ``nearest_p5`` and ``nearest_median``, 5th percentile and median of the distance to the
        nearest real person-day (km); ``closer_share``, the share nearer to that one than any other
        real person is to it; ``copies``, the share with the same places (to 1 m) at the same
        minutes; ``place_copies``, the share with the same sequence of places. Then
        ``nearest_p5_ratio``, below 1 where generated people come nearer to real ones than real
        people do. NaN where there are too few: distances need 3 real people.
    """
    made, true = person_days(generated), person_days(real)
    rng = np.random.default_rng(seed)
    some, reference = _draw(made, MOST_GENERATED, rng), _draw(true, MOST_REAL, rng)
    settings = (
        ("generated-days", f"{len(some.uid)}/{len(made.uid)}"),
        ("real-days", f"{len(reference.uid)}/{len(true.uid)}"),
        *((("seed", str(seed)),) if len(some.uid) + len(reference.uid) < _days(made, true) else ()),
    )
    distance = (("distance", f"rms{STEPS}"), *settings)
    (made_km, true_km), closer = _neighbours(some, reference)
    low, middle = (
        (_quantile(made_km, share), _quantile(true_km, share)) for share in (LOW_QUANTILE, 0.5)
    )
    ratio = low[0] / low[1] if low[1] else float("nan")
    return [
        *_pair("nearest_p5", low, "km", True, distance),
        TableScore("nearest_p5_ratio", ratio, "", True, distance),
        *_pair("nearest_median", middle, "km", True, distance),
        *_pair("closer_share", closer, "share", False, distance),
        *_copies("copies", (generated, made), (real, true), times=True),
        *_copies("place_copies", (generated, made), (real, true), times=False),
    ]


def _days(*tables: PersonDays) -> int:
    return sum(len(table.uid) for table in tables)


def _draw(days: PersonDays, most: int, rng: np.random.Generator) -> PersonDays:
    """At most ``most`` person-days, in their order."""
    if len(days.uid) <= most:
        return days
    rows = np.sort(rng.choice(len(days.uid), most, replace=False))
    return PersonDays(days.uid[rows], days.first[rows], days.position[rows])


def _neighbours(
    made: PersonDays, true: PersonDays
) -> tuple[tuple[Floats, Floats], tuple[float, float]]:
    """Distances to the nearest real person-day, and shares that are nearer than real ones.

    Both for generated and for real person-days. The real person whom a generated one is nearest to
    is compared with its own nearest other person; for a real one, with the nearest but that one.
    """
    if len(np.unique(true.uid)) < 3 or not len(made.uid):
        nothing = np.empty(0)
        return (nothing, nothing), (float("nan"), float("nan"))
    own = _own_days(true.uid)
    neighbour, real_km = nearest(true.position, true.position, own=own, count=2)
    index, made_km = nearest(made.position, true.position)
    closer = made_km[:, 0] < real_km[index[:, 0], 0]
    mutual = neighbour[neighbour[:, 0], 0] == np.arange(len(neighbour))
    rival = np.where(mutual, real_km[neighbour[:, 0], 1], real_km[neighbour[:, 0], 0])
    shares = float(closer.mean()), float((real_km[:, 0] < rival).mean())
    return (made_km[:, 0], real_km[:, 0]), shares


def _quantile(values: Floats, share: float) -> float:
    return float(np.quantile(values, share)) if len(values) else float("nan")


def _pair(
    name: str,
    values: tuple[float, float],
    unit: str,
    higher: bool,
    settings: tuple[tuple[str, str], ...],
) -> list[TableScore]:
    """A score and its yardstick."""
    return [
        TableScore(name, values[0], unit, higher, settings),
        TableScore(f"{name}_real", values[1], unit, None, settings),
    ]


def _copies(
    name: str, made: tuple[Stays, PersonDays], true: tuple[Stays, PersonDays], *, times: bool
) -> list[TableScore]:
    found, real = (_tokens(*table, times=times) for table in (made, true))
    counts = (("generated-days", str(len(found))), ("real-days", str(len(real))))
    settings = (("places", "1m"), *counts)
    return _pair(name, _shares_copied(found, real, true[1].uid), "share", False, settings)

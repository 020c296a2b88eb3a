"""Works with capacities: draws from home by which works fill in proportion to their jobs.

A doubly constrained model (Wilson, *A family of spatial interaction models*, 1971): each work has a
factor by which, over all homes, it gets its part of the people. The factors are found by iterative
proportional fitting (Furness, *Time function iteration*, 1965) between groups of homes and works.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.errors import HumobError
from humobctl.generate.gravity.distance_weights import bin_of
from humobctl.generate.gravity.places import PlaceIndex
from humobctl.native import Floats, Int32s, Int64s

SAMPLE = 50_000
"""Homes of people that are looked at."""
MOST_GROUPS = 3000
"""Groups of homes, and of works; with fewer spots, each is a group of its own."""
ROUNDS = 500
CLOSE = 0.01
"""Relative difference from its part of the people at which a work is full."""
_SMALLEST = 0.125
"""Km: width of the smallest squares whose spots are put together."""


@dataclass(frozen=True)
class Works:
    """Works that have jobs.

    Attributes:
        index: the works alone, each weighing its jobs times its factor.
        rows: of the works among all places, (works,).
        own: row among the works of each place, -1 for others, (places,).
    """

    index: PlaceIndex
    rows: Int64s
    own: Int32s


def balance_works(city: PlaceIndex, rows: Int64s, homes: Floats, weights: Floats) -> Works:
    """Works that fill in proportion to their jobs.

    Args:
        city: the places.
        rows: of places where people may work, (n,).
        homes: km east and north, (people, 2).
        weights: of works by bin of distance from home, (BINS,).

    Raises:
        HumobError: no place has a job.
    """
    assert city.jobs is not None
    rows = rows[city.jobs[rows] > 0]
    if not len(rows):
        raise HumobError(f"{city.name}: column jobs: found 0 everywhere, expected at least one job")
    jobs = city.jobs[rows]
    spots = np.column_stack([city.east[rows], city.north[rows]]).astype(np.float64) / 1000
    home, lives = _group(homes, np.ones(len(homes)))
    work, works = _group(spots, jobs)
    factor, off = balance(
        lives,
        people=np.bincount(home).astype(np.float64),
        works=works,
        jobs=np.bincount(work, jobs).astype(np.float64),
        weights=weights,
    )
    report.info(
        f"works fill in proportion to their jobs ({jobs.sum():,.0f} at "
        f"{pluralize(len(rows), 'place')}), within {max(off, CLOSE):.0%}"
    )
    own = np.full(len(city), -1, np.int32)
    own[rows] = np.arange(len(rows))
    index = PlaceIndex(
        city.name,
        city.plane,
        city.place_id[rows],
        city.lat[rows],
        city.lon[rows],
        np.full(len(rows), -1, np.int8),
        jobs * factor[work],
    )
    return Works(index, rows, own)


def balance(
    homes: Floats, *, people: Floats, works: Floats, jobs: Floats, weights: Floats
) -> tuple[Floats, float]:
    """Factors by which works get people in proportion to their jobs.

    Args:
        homes: km east and north, (n, 2).
        people: at each, (n,).
        works: km east and north, (m, 2).
        jobs: at each, (m,).
        weights: of works by bin of distance from home, (BINS,).

    Returns:
        Factors, (m,), and the largest relative difference from a share that is left.
    """
    away = np.hypot(*(homes[:, None] - works[None]).transpose(2, 0, 1))
    pull = weights[bin_of(away)]
    lives, wanted = people / people.sum(), jobs / jobs.sum()
    mass = wanted.copy()
    for _ in range(ROUNDS):
        filled = mass * ((lives / (pull @ mass)) @ pull)
        off = float(np.abs(filled / wanted - 1).max())
        if off < CLOSE:
            break
        mass *= wanted / filled
    return mass / wanted, off


def _group(points: Floats, mass: Floats) -> tuple[Int64s, Floats]:
    """Number of the group of each point, and the middle of each group, (groups, 2)."""
    found, number = np.unique(points, axis=0, return_inverse=True)
    side = _SMALLEST
    while len(found) > MOST_GROUPS:
        found, number = np.unique(np.floor(points / side), axis=0, return_inverse=True)
        side *= 2
    number = number.reshape(-1)
    total = np.bincount(number, mass)
    middle = [np.bincount(number, mass * axis) / total for axis in points.T]
    return number.astype(np.int64), np.column_stack(middle)

"""Formulas over values of whole users (or user-days) that stand one after another.

``first`` holds where each user's values begin, and the end of the last, shape (users + 1,); no user
is without a value. docs/measures.md has every formula with its source.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from humobctl.errors import HumobError
from humobctl.native import Bools, Floats, Int64s, library, share_out
from humobctl.tables.plane import kilometres_apart

RADIUS = 6_371_000.0
"""Metres from the earth's centre, as in scikit-mobility and trackintel."""
_HALVINGS = 60

Distance = Callable[[Floats, Floats, Floats, Floats], Floats]


def great_circle_km(north: Floats, east: Floats, north0: Floats, east0: Floats) -> Floats:
    """Great-circle distances in km of points in degrees."""
    return kilometres_apart(north, east, north0, east0, radius=RADIUS)


def straight_line(north: Floats, east: Floats, north0: Floats, east0: Floats) -> Floats:
    """Distances on a plane, in the unit of the coordinates."""
    apart: Floats = np.hypot(east - east0, north - north0)
    return apart


def find_starts(*keys: Int64s) -> Int64s:
    """Offsets of runs of equal keys, shape (runs + 1,); keys have the shape (rows,)."""
    rows = len(keys[0])
    new = np.zeros(rows, bool)
    new[:1] = True
    for key in keys:
        new[1:] |= key[1:] != key[:-1]
    return np.append(np.flatnonzero(new), rows).astype(np.int64)


def sum_runs(values: Floats | Int64s | Bools, first: Int64s) -> Floats:
    """Sum of each user's values."""
    if len(first) < 2:
        return np.zeros(0)
    sums: Floats = np.add.reduceat(np.asarray(values, np.float64), first[:-1])
    return sums


def find_follows(first: Int64s) -> Bools:
    """Which values follow another one of their user."""
    follows = np.ones(int(first[-1]), bool)
    follows[first[:-1]] = False
    return follows


def jump_lengths(north: Floats, east: Floats, apart: Distance) -> Floats:
    """Distance of each point from the one before; of the first one 0."""
    before = (np.concatenate([axis[:1], axis[:-1]]) for axis in (north, east))
    return apart(north, east, *before)


def radius_of_gyration(
    first: Int64s, north: Floats, east: Floats, apart: Distance, weights: Floats | None = None
) -> Floats:
    """``sqrt(sum(w |r - c|^2) / sum(w))`` with ``c = sum(w r) / sum(w)``, per user.

    Gonzalez, Hidalgo and Barabasi, Nature 453, 2008. NaN where the weights sum to 0.
    """
    lengths = np.diff(first)
    weights = np.ones(len(north)) if weights is None else weights
    total = sum_runs(weights, first)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = [
            np.repeat(sum_runs(weights * axis, first) / total, lengths) for axis in (north, east)
        ]
        squares = weights * apart(north, east, *centre) ** 2
        radius: Floats = np.sqrt(sum_runs(squares, first) / total)
    return radius


def rank_locations(rows: pl.DataFrame, *kept: str) -> pl.DataFrame:
    """Each user's locations from the most visited on; of equals, the first visited is first.

    Args:
        rows: user and place, in the order of users and time.
        kept: columns of which the location's first row is kept.

    Returns:
        user, place, visits, rank from 0, and ``kept``.
    """
    number = pl.int_range(pl.len(), dtype=pl.Int64)
    return (
        rows.with_columns(at=number)
        .group_by("user", "place")
        .agg(*(pl.col(name).first() for name in (*kept, "at")), visits=pl.len())
        .sort("user", "visits", "at", descending=[False, True, False])
        .with_columns(rank=number.over("user"))
        .drop("at")
    )


def add_shares(ranked: pl.DataFrame) -> pl.DataFrame:
    """Ranked locations with ``share``, that of the user's visits."""
    return ranked.with_columns(share=pl.col("visits") / pl.col("visits").sum().over("user"))


def shannon_entropy(count: pl.Expr) -> pl.Expr:
    """``-sum(p log2 p)`` of counts, as an aggregation of a group; bits."""
    n = count.cast(pl.Float64)
    # log N - sum(n log n) / N; rounding may leave it below 0 by a hair.
    return (n.sum().log(2) - (n * n.log(2)).sum() / n.sum()).clip(lower_bound=0)


def real_entropy(first: Int64s, places: Int64s) -> Floats:
    """``n log2(n) / sum(Lambda_i)`` of each user's sequence of locations; bits.

    The estimator of Kontoyiannis et al., IEEE Trans. Inf. Theory 44, 1998, as Song et al. (2010)
    use it: Lambda_i is the length of the shortest piece from i on that does not occur before i.
    Ends are counted as in scikit-mobility.

    Raises:
        HumobError: memory is not enough for the sequence of a user.
    """
    sums = np.ones(len(first) - 1)
    places = np.ascontiguousarray(places, np.int64)

    def work(start: int, stop: int) -> None:
        begins = np.ascontiguousarray(first[start : stop + 1])
        if library().humob_match_lengths(stop - start, begins, places, sums[start:stop]):
            raise HumobError(
                f"found a user of {int(np.diff(begins).max()):,} records, for whose real entropy "
                "memory is not enough; find stays first by 'humobctl data stays'"
            )

    share_out(len(sums), work, least=8)
    n = np.diff(first).astype(np.float64)
    entropy: Floats = n * np.log2(n) / sums
    return entropy


def predictability(entropy: Floats, locations: Int64s) -> Floats:
    """The largest P with ``entropy = H(P) + (1 - P) log2(locations - 1)`` (Fano's bound).

    ``H(P) = -P log2 P - (1 - P) log2(1 - P)``; Song, Qu, Blumm and Barabasi, Science 327, 2010.
    NaN where the entropy is above log2(locations), which no P reaches: an estimate of few records.
    """
    n = locations.astype(np.float64)
    low, high = 1 / n, np.ones(len(n))
    rest = np.log2(np.maximum(n - 1, 1))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            other = 1 - middle
            uncertain = -middle * np.log2(middle) - np.where(other > 0, other * np.log2(other), 0)
        more = uncertain + other * rest > entropy
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    found = np.where(n == 1, 1.0, (low + high) / 2)
    # A hair above is rounding: all locations once have an entropy of log2(n).
    known: Floats = np.where(entropy <= np.log2(n) + 1e-12, found, np.nan)
    return known


def displace_after(records_at: Int64s, first: Int64s, lag: int) -> Int64s:
    """Row of each user's last record at most ``lag`` after the user's first one."""
    since = records_at - np.repeat(records_at[first[:-1]], np.diff(first))
    return first[:-1] + sum_runs(since <= lag, first).astype(np.int64) - 1


def median_runs(values: Floats, owners: Int64s, users: int) -> Floats:
    """Median of the values of each of ``users`` owners, NaN for one without a value."""
    found = pl.DataFrame({"owner": owners, "value": values}).group_by("owner").median()
    medians = np.full(users, np.nan)
    medians[found["owner"].to_numpy()] = found["value"].to_numpy()
    return medians

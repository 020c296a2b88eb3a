"""The law `empirical`: how much a place weighs at each distance, from where people really went.

The next stay is a choice among all places of the city that serve its intent (conditional logit,
McFadden 1974). A place weighs what its bin of distance weighs, so the likelihood of a trip into bin
``b`` is ``w[b] / sum_c n[c] w[c]`` with ``n[c]`` places in bin ``c`` around its origin. The weights
that make all trips most likely are the fixed point of that likelihood (minorisation-maximisation;
Hunter, *MM algorithms for generalized Bradley-Terry models*, 2004). Neighbouring bins are joined
until they hold enough trips, and no place weighs more for lying farther away (isotonic regression,
weighted by trips). Trips from home have weights of their own, by which works are chosen, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.errors import HumobError
from humobctl.generate.gravity.distance_weights import BINS, SONG, DistanceWeights, bin_of
from humobctl.generate.gravity.fit_returns import Returns, find_returns, fit_returns
from humobctl.generate.gravity.places import EVERYTHING, PlaceIndex
from humobctl.generate.homes_and_works import degrees
from humobctl.generate.other_city import refuse_another_city
from humobctl.native import Floats, Int64s
from humobctl.tables.intents import CODES, HOME_CODES, WORK
from humobctl.tables.schemas import INTENTS

SAME = 0.001
"""Km within which two stays are at one place."""
NEAREST_WORK = 1.0
"""Km from home within which no stay is taken for work; published pairs (CoPB) have none nearer."""
MOST_TRIPS = 40_000
MOST_PAIRS = 800_000_000
"""Trips times places that are looked at: a dozen seconds."""
LEAST_TRIPS = 20
LEAST_PER_BIN = 20
"""Trips below which a bin is joined to the next one."""
ROUNDS = 300
KINDS = ("to work from home", "to other places from home", "to other places from elsewhere")

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Trips:
    """Choices among places.

    Attributes:
        start: km east and north, (n, 2).
        away: km to the chosen place, (n,).
        intent: number of the intent that it serves, (n,).
        kind: 0 to work from home, 1 to others from home, 2 to others from elsewhere, (n,).
        returned, could: of free activities, how many were at a place of the same day, and how many
            could have been.
        nights_away, nights: how many days of three stays or more ended away from home, and how
            many with the intent to be there, or with none known.
        over_days: choices between places of days before and others.
    """

    start: Floats
    away: Floats
    intent: Int64s
    kind: Int64s
    returned: int
    could: int
    nights_away: int
    nights: int
    over_days: Returns


def trips_of(visits: pl.DataFrame, city: PlaceIndex) -> Trips:
    """The choices of visits or stays.

    Home is where people go home or sleep, work where they go to work. Of users without any, home is
    where the day begins, and work where the longest stay is that lies more than NEAREST_WORK away.
    Works chosen from home count; trips home, other trips to work, and returns to a place of the
    same day do not.
    """
    table = visits.sort("uid", "d", "start_min", "seq")
    point, day, intent = read_days(table, city)
    minutes = (table["end_min"] - table["start_min"]).to_numpy()
    user = table["uid"].rle_id().to_numpy().astype(np.int64)
    unknown = ~table.select(pl.col("intent").is_not_null().any().over("uid"))["intent"].to_numpy()
    at_home, at_work = _find_anchors(point, day, unknown, intent, minutes)
    back, could = _find_returns(point, np.searchsorted(day, day), at_home | at_work)
    moved = np.zeros(len(day), bool)
    moved[1:] = (day[1:] == day[:-1]) & (np.linalg.norm(np.diff(point, axis=0), axis=1) > SAME)
    from_home = np.roll(at_home, 1)
    free = moved & ~at_home & ~at_work
    chosen = np.flatnonzero((free & ~back) | (moved & at_work & from_home))
    start = point[chosen - 1]
    working = CODES[WORK] if city.count(CODES[WORK]) else EVERYTHING
    return Trips(
        start,
        np.linalg.norm(point[chosen] - start, axis=1),
        np.where(intent[chosen] == CODES[WORK], working, intent[chosen]),
        np.where(at_work, 0, np.where(from_home, 1, 2))[chosen],
        int((free & back).sum()),
        int((free & could).sum()),
        *_count_nights(point, day, intent),
        find_returns(user, day, point, intent, at_home | at_work),
    )


def read_days(table: pl.DataFrame, city: PlaceIndex) -> tuple[Floats, Int64s, Int64s]:
    """Points in km (n, 2), number of the day (n,) and of the intent (n,) of visits in order."""
    east, north = city.plane.metres(table["lat"].to_numpy(), table["lon"].to_numpy())
    day = table.select(pl.struct("uid", "d").rle_id())["uid"].to_numpy().astype(np.int64)
    code = table["intent"].cast(pl.Enum(INTENTS)).to_physical().cast(pl.Int64).fill_null(EVERYTHING)
    return np.column_stack([east, north]) / 1000, day, code.to_numpy()


def _find_anchors(
    point: Floats, day: Int64s, unknown: Flags, intent: Int64s, minutes: NDArray[np.int_]
) -> tuple[Flags, Flags]:
    """Whether each stay is at home, and at work; of users whose intents are unknown a guess."""
    begins = np.searchsorted(day, day)
    at_home = np.linalg.norm(point - point[begins], axis=1) <= SAME
    far = np.linalg.norm(point - point[begins], axis=1) > NEAREST_WORK
    away = np.where(far, minutes, -1)
    longest = np.lexsort((-away, day))[begins]  # of the same day: days stand in order
    at_work = (away[longest] >= 0) & (np.linalg.norm(point - point[longest], axis=1) <= SAME)
    home = np.isin(intent, HOME_CODES)
    return (
        np.where(unknown, at_home, home).astype(bool),
        np.where(unknown, at_work, intent == CODES[WORK]).astype(bool),
    )


def _find_returns(point: Floats, begins: Int64s, fixed: Flags) -> tuple[Flags, Flags]:
    """Whether each stay is at a free place of earlier the same day, and whether it could be.

    Args:
        point: km, (n, 2).
        begins: first stay of the day of each, (n,).
        fixed: whether each is at home or at work, (n,).
    """
    back, could = np.zeros(len(point), bool), np.zeros(len(point), bool)
    for lag in range(2, int((np.arange(len(point)) - begins).max(initial=0)) + 1):
        rows = np.flatnonzero(np.arange(len(point)) - begins >= lag)
        earlier = rows - lag
        other = ~fixed[earlier] & (np.linalg.norm(point[earlier] - point[rows - 1], axis=1) > SAME)
        could[rows] |= other
        back[rows] |= other & (np.linalg.norm(point[earlier] - point[rows], axis=1) <= SAME)
    return back, could


def _count_nights(point: Floats, day: Int64s, intent: Int64s) -> tuple[int, int]:
    """Days of three stays or more that end away from home, and all that end as days do at home."""
    night = (intent == EVERYTHING) | np.isin(intent, HOME_CODES)
    _, begins = np.unique(day, return_index=True)
    last = np.append(begins[1:], len(day)) - 1
    home = np.minimum.reduceat(np.where(night, np.arange(len(day)), len(day)), begins)
    chosen = (last - begins >= 2) & night[last] & (home < last)
    far = np.linalg.norm(point[last[chosen]] - point[home[chosen]], axis=1) > SAME
    return int(far.sum()), int(chosen.sum())


# -- fit -----------------------------------------------------------------------------------------


def fit_weights(
    visits: pl.DataFrame, city: PlaceIndex, seed: int = 0, anchored: pl.DataFrame | None = None
) -> DistanceWeights:
    """The weights that make the trips of visits most likely.

    Args:
        visits: visits or stays.
        city: the places that people chose from.
        seed: of the trips that are used where there are more than enough.
        anchored: the same visits with the intents of homes and works that are known otherwise, of
            which returns and nights away are counted; None for those of ``visits``.

    Returns:
        The weights; those of all trips for a kind that has fewer than LEAST_TRIPS.

    Raises:
        HumobError: fewer than LEAST_TRIPS in all, or visits of another city.
    """
    refuse_another_city(
        "visits of --fit",
        degrees(visits, ("lat", "lon")),
        f"the places of {city.name}",
        (city.lat, city.lon),
    )
    trips = trips_of(visits, city)
    rows = np.sort(_sample(len(trips.away), city, seed))
    counts = _count_candidates(city, trips.start[rows], trips.intent[rows])
    served = counts.sum(axis=1) > 0
    rows, counts = rows[served], counts[served]
    if len(rows) < LEAST_TRIPS:
        raise HumobError(
            f"--fit: found {pluralize(len(rows), 'trip')} to work and to other places, expected at "
            f"least {LEAST_TRIPS}"
        )
    chosen, kind = bin_of(trips.away[rows]), trips.kind[rows]
    found, told = [], []
    for number, name in enumerate(KINDS):
        mine = kind == number
        enough = mine.sum() >= LEAST_TRIPS
        used = mine if enough else np.ones(len(rows), bool)
        found.append(tuple(fit_bins(counts[used], chosen[used]).tolist()))
        told.append(f"{mine.sum():,} {name}{'' if enough else ' (too few: as all)'}")
    habits = trips if anchored is None else trips_of(anchored, city)
    back = habits.returned / habits.could if habits.could else 0.0
    away = habits.nights_away / habits.nights if habits.nights else 0.0
    report.info(
        f"fitted on trips: {', '.join(told)}; {back:.0%} return to a place of the same day where "
        f"they can, and {away:.0%} of days of three stays or more end away from home"
    )
    rho, gamma = _tell_returns(habits.over_days)
    return DistanceWeights(found[0], found[1], found[2], back, away, rho, gamma)


def _tell_returns(returns: Returns) -> tuple[float, float]:
    """Rho and gamma of exploration on later days, fitted or published."""
    fitted = fit_returns(returns)
    rho, gamma = fitted or SONG
    told = f"returns to places of days before: rho {rho:.2f}, gamma {gamma:.2f}"
    if fitted is None:
        report.detail(f"{told} (Song et al. 2010: too few stays of several days to fit them)")
    else:
        report.info(f"{told}; {returns.returned.mean():.0%} of {len(returns.known):,} stays are")
    return rho, gamma


def _sample(count: int, city: PlaceIndex, seed: int) -> Int64s:
    """Rows of the trips that are used: all, or as many as take seconds."""
    most = min(MOST_TRIPS, max(LEAST_TRIPS, MOST_PAIRS // max(len(city), 1)))
    if count <= most:
        return np.arange(count)
    return np.random.default_rng(seed).choice(count, most, replace=False)


def _count_candidates(city: PlaceIndex, start: Floats, intent: Int64s) -> Floats:
    """Places by bin of distance around each start, by their weight, (n, BINS)."""
    counts = np.zeros((len(start), BINS))
    for one in np.unique(intent):
        rows = city.serving(int(one))
        points = np.column_stack([city.east[rows], city.north[rows]]).astype(np.float64) / 1000
        for row in np.flatnonzero(intent == one):
            away = np.hypot(*(points - start[row]).T)
            other = away > SAME
            mass = None if city.weight is None else city.weight[rows][other]
            counts[row] = np.bincount(bin_of(away[other]), mass, minlength=BINS)
    return counts


def fit_bins(counts: Floats, chosen: Int64s) -> Floats:
    """Weights by bin, never rising, the highest 1.

    Args:
        counts: candidates of each trip by bin, (n, BINS).
        chosen: bin of the chosen place of each, (n,).

    Returns:
        (BINS,).
    """
    trips = np.bincount(chosen, minlength=BINS).astype(np.float64)
    group = _join_bins(trips)
    joined = np.zeros((len(counts), group[-1] + 1))
    np.add.at(joined.T, group, counts.T)
    taken = np.bincount(group, trips)
    weight = np.ones(group[-1] + 1)
    for _ in range(ROUNDS):
        share = (joined / (joined @ weight)[:, None]).sum(axis=0)
        weight = np.where(share > 0, taken / np.maximum(share, 1e-300), weight)
        weight /= weight.max()
    held = joined.sum(axis=0) > 0
    log = np.log(np.maximum(weight[held], 1e-12))
    fallen = isotonic_regression(log, weights=taken[held] + 1e-6, increasing=False).x
    # Bins without a place anywhere weigh what the nearest one inside weighs.
    full = np.full(group[-1] + 1, fallen[0])
    full[held] = fallen
    for at in np.flatnonzero(~held):
        full[at] = full[at - 1] if at else fallen[0]
    found: Floats = np.exp(full - full[0])[group]
    return found


def _join_bins(trips: Floats) -> Int64s:
    """Number of the group of each bin: neighbours are joined until they hold enough trips."""
    group, held, number = np.zeros(BINS, np.int64), 0.0, 0
    for at in range(BINS):
        group[at] = number
        held += trips[at]
        if held >= LEAST_PER_BIN and trips[at + 1 :].sum() >= LEAST_PER_BIN:
            number, held = number + 1, 0.0
    return group

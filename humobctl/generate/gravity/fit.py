"""Parameters of a law from where people really went: maximum likelihood.

A jump from a place to the next one of the same day is a choice among the places that serve its
intent within the radius. Its likelihood is the weight of the distance jumped over the sum of the
weights of all candidates (a conditional logit model, McFadden 1974); the parameters maximise the
product over jumps. Ways home and to work are not choices and are left out; without intents, ways
back to where the day began.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy.optimize import minimize, minimize_scalar

from humobctl.console import report
from humobctl.data.importers.stays import iter_visits
from humobctl.errors import HumobError, UsageError
from humobctl.generate.gravity.config import DETERRED, Law
from humobctl.generate.gravity.fit_weights import fit_weights, read_days
from humobctl.generate.gravity.places import EVERYTHING, PlaceIndex
from humobctl.generate.homes_and_works import degrees
from humobctl.generate.other_city import refuse_another_city
from humobctl.io.row_errors import OnError
from humobctl.native import Floats, Int64s
from humobctl.tables.intents import ANCHORED

MOST_JUMPS = 4000
"""Displacements that are used; more would move the third digit."""
LEAST_JUMPS = 20
RING = 1.0
"""Width of a ring in km, as in the kernel."""
NEAREST = 0.001
"""km; a nearer place counts as so far away, as in the kernel."""
_BINS = 400


@dataclass(frozen=True)
class Displacements:
    """Choices that were made, and what there was to choose from.

    Attributes:
        away: km jumped, (jumps,).
        edges: of the bins of distance, km; edges of rings are among them, (bins + 1,).
        candidates: places by distance from the start of each jump, (jumps, bins).
    """

    away: Floats
    edges: Floats
    candidates: Floats

    @property
    def middle(self) -> Floats:
        """Distance that stands for each bin, (bins,)."""
        middle: Floats = np.sqrt(self.edges[:-1] * self.edges[1:])
        return middle

    @property
    def ring(self) -> Int64s:
        """Number of the ring of each bin, (bins,)."""
        return np.floor(self.middle / RING).astype(np.int64)

    def area(self) -> Floats:
        """Area of each ring in square km, (rings,)."""
        edges = np.append(np.arange(self.ring[-1] + 1) * RING, self.edges[-1])
        area: Floats = np.pi * np.diff(edges**2)
        return area

    def by_ring(self) -> Floats:
        """Candidates by ring, (jumps, rings)."""
        starts = np.searchsorted(self.ring, np.arange(self.ring[-1] + 1))
        counts: Floats = np.add.reduceat(self.candidates, starts, axis=1)
        return counts


def read_visits(path: str, *, on_error: OnError = "fail") -> pl.DataFrame:
    """Visits, or stays without a day, which are all of day 0.

    Raises:
        HumobError: the file cannot be read or holds a fault.
    """
    return pl.concat(list(iter_visits(path, on_error)))


def fit_law(law: Law, visits: pl.DataFrame, city: PlaceIndex, seed: int = 0) -> Law:
    """The law with the parameters that make the visits most likely.

    Raises:
        UsageError: the law has none.
        HumobError: too few jumps within the radius.
    """
    if law.name == "empirical":
        return replace(law, weights=fit_weights(visits, city, seed))
    if law.name not in (*DETERRED, "exponential", "opportunity"):
        raise UsageError(f"--fit: the law {law.name} has no parameters to fit")
    jumps = jumps_of(visits, city, law.radius, seed)
    if law.name == "opportunity":
        found = _tendencies(jumps)
        best = replace(law, alpha=found[0], beta=found[1])
        text = f"alpha {found[0]:.2f}, beta {found[1]:.2f}"
    elif law.name == "exponential":
        value, error = _best(_likelihood(jumps, lambda scale: -jumps.middle / scale), 0.05, 100)
        best, text = replace(law, scale=value), f"scale {value:.2f} km (s.e. {error:.2f})"
    else:
        log_away = np.log(jumps.middle)
        curve = _likelihood(jumps, lambda power: -power * log_away, dense=law.name == "gravity")
        value, error = _best(curve, 0.0, 10.0)
        best, text = replace(law, exponent=value), f"exponent {value:.2f} (s.e. {error:.2f})"
    report.info(f"fitted to {len(jumps.away):,} displacements: {text}")
    return best


def jumps_of(visits: pl.DataFrame, city: PlaceIndex, radius: float, seed: int = 0) -> Displacements:
    """The choices in visits, at most MOST_JUMPS of them.

    Raises:
        HumobError: fewer than LEAST_JUMPS, or visits of another city.
    """
    points = degrees(visits, ("lat", "lon"))
    refuse_another_city(
        "visits of --fit", points, f"the places of {city.name}", (city.lat, city.lon)
    )
    starts, away, intent = _choices(visits, city)
    near = (away > NEAREST) & (away < radius)
    chosen = np.flatnonzero(near)
    if len(chosen) > MOST_JUMPS:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, MOST_JUMPS, replace=False))
    edges = np.unique(
        np.concatenate([np.geomspace(NEAREST, radius, _BINS), np.arange(RING, radius, RING)])
    )
    counts = np.array([_around(city, starts[j], int(intent[j]), edges) for j in chosen])
    # A jump to where no place is known is not a choice among places.
    served = counts.sum(axis=1) > 0 if len(chosen) else np.zeros(0, bool)
    if served.sum() < LEAST_JUMPS:
        raise HumobError(
            f"--fit: found {int(served.sum())} displacements of up to {radius:g} km to other "
            f"places than home and work, expected at least {LEAST_JUMPS}"
        )
    if not near.all():
        report.detail(
            f"left out {int((~near).sum()):,} displacements of 0 km or beyond {radius:g} km"
        )
    return Displacements(away[chosen][served], edges, counts[served])


def _choices(visits: pl.DataFrame, city: PlaceIndex) -> tuple[Floats, Floats, Int64s]:
    """Starts (km, (jumps, 2)), distances and intents of the jumps that are choices."""
    point, day, intent = read_days(visits.sort("uid", "d", "start_min", "seq"), city)
    begins = np.searchsorted(day, day)
    back = np.linalg.norm(point - point[begins], axis=1) <= NEAREST
    fixed = np.isin(intent, list(ANCHORED))
    chosen = (day[1:] == day[:-1]) & ~np.where(intent == EVERYTHING, back, fixed)[1:]
    starts, ends = point[:-1][chosen], point[1:][chosen]
    return starts, np.linalg.norm(ends - starts, axis=1), intent[1:][chosen]


def _around(city: PlaceIndex, start: Floats, intent: int, edges: Floats) -> Floats:
    """Places by distance from a start, (bins,)."""
    found = city.within(intent, 1000 * start, 1000 * float(edges[-1])) / 1000
    counts, _ = np.histogram(found[found > NEAREST], edges)
    return counts.astype(np.float64)


def _likelihood(
    jumps: Displacements, log_weight: Callable[[float], Floats], *, dense: bool = False
) -> Callable[[float], float]:
    """Log likelihood of the jumps by a parameter.

    Args:
        jumps: the jumps.
        log_weight: of a place in each bin, by the parameter, (bins,).
        dense: whether the density of its ring is a factor of a place's weight, too.
    """
    counts = jumps.candidates
    if dense:
        counts = counts * (jumps.by_ring() / jumps.area())[:, jumps.ring]
    at = np.searchsorted(jumps.edges, jumps.away, side="right") - 1

    def curve(parameter: float) -> float:
        weight = log_weight(parameter)
        weight -= weight.max()
        return float((weight[at] - np.log(counts @ np.exp(weight))).sum())

    return curve


def _best(likelihood: Callable[[float], float], low: float, high: float) -> tuple[float, float]:
    """Where the likelihood is highest, and its standard error from the curvature there."""
    best = float(
        minimize_scalar(
            lambda x: -likelihood(x), bounds=(low, high), method="bounded", options={"xatol": 1e-4}
        ).x
    )
    step = 1e-2 * max(best, 0.1)
    bend = (likelihood(best + step) - 2 * likelihood(best) + likelihood(best - step)) / step**2
    return best, float(1 / np.sqrt(-bend)) if bend < 0 else float("inf")


def _tendencies(jumps: Displacements) -> tuple[float, float]:
    """Alpha and beta of the universal opportunity model: from 0, and together up to 1."""
    counts = jumps.by_ring()
    within = np.cumsum(counts, axis=1)
    origin = np.maximum(counts[:, :1], 1)
    ring = np.minimum((jumps.away / RING).astype(np.int64), counts.shape[1] - 1)[:, None]

    def shares(free: Floats) -> Floats:
        # Three shares that sum to 1: no bound is ever crossed.
        odds = np.exp(np.clip(np.append(free, 0.0), -20, 20))
        total: Floats = odds / odds.sum()
        return total

    def loss(free: Floats) -> float:
        alpha, beta, _ = shares(free)
        more = (alpha + beta) * within
        weight = (origin + alpha * within) * counts / ((origin + more) * (origin + counts + more))
        own = np.take_along_axis(weight / np.maximum(counts, 1), ring, axis=1)[:, 0]
        return -float(np.log(np.maximum(own / weight.sum(axis=1), 1e-12)).sum())

    found = shares(minimize(loss, np.zeros(2), method="Nelder-Mead").x)
    return float(found[0]), float(found[1])

"""The parameters of a law, and attractions of areas, by maximum likelihood from flows.

Trips are Poisson, with the mean that the law gives. Given the outflows (constraint "origin") or the
total (the others) they are multinomial, which has the same maximum (Baker, The Statistician 43,
1994) and no scale to look for. All pairs of the fitted origins count, those without trips too.

**Attractions.** With mass "attraction" an area draws ``u_j p_j^b``: how much more it draws than its
population lets expect. The factors have a gamma prior of mean 1 that weighs as much as ``k`` trips;
at the maximum::

    u_j = (D_j + k) / (E_j + k)      D_j inflow,  E_j = sum_i T_ij / u_j with the fitted T

Without the prior these are the balancing factors of the doubly constrained gravity law (Wilson,
1971), here of the fitted origins alone. ``k`` is the best of ``STRENGTHS`` on left-out origins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from humobctl.errors import HumobError
from humobctl.evaluate.flows.metrics import Flows
from humobctl.generate.flows import gravity
from humobctl.generate.flows.areas import KEPT_PAIRS, Pairs, Region
from humobctl.generate.flows.config import FlowLaw
from humobctl.generate.flows.model import masses
from humobctl.generate.flows.opportunities import OPPORTUNITY_LAWS, opportunity_weights
from humobctl.native import Floats, Int64s

STRENGTHS = (0.003, 0.03, 0.3, 3.0)
"""Weights of the prior of attractions that are tried, in mean inflows of an area."""
FOLDS = 4
_GRID = 25
_SMALLEST, _LARGEST, _LEAST_SPREAD = 1e-300, 700.0, 1e-9
_MOST_STEPS = 500


@dataclass(frozen=True)
class Fitted:
    """A fitted law, and what it was fitted to.

    Attributes:
        law: with its parameters.
        origins: areas whose outflows were fitted.
        trips: their trips to other areas.
        within: trips within areas, which count nowhere.
        lost: trips to areas without mass, which no law explains.
        nats: mean negative log likelihood of a trip's destination (of its pair, where outflows
            are not kept).
    """

    law: FlowLaw
    origins: int
    trips: float
    within: float
    lost: float
    nats: float


def fit(law: FlowLaw, region: Region, real: Flows) -> Fitted:
    """The law with the most likely parameters.

    Args:
        law: name, deterrence, constraint and mass.
        region: all areas, also those that no trip leaves or enters.
        real: flows between areas of the region; origins without any count as not observed.

    Raises:
        HumobError: no trip between two areas.
    """
    flows = real.between_areas()
    if law.mass == "inflow":
        law = replace(law, masses=_by_id(region, _sums(flows.destination, flows.flow, len(region))))
    kept = masses(law, region)[1][flows.destination] > 0
    used = Flows(flows.origin[kept], flows.destination[kept], flows.flow[kept], flows.areas)
    if not used.total:
        raise HumobError("found no trips between two areas, expected some to fit a law to")
    origins = np.unique(used.origin)
    find = _fit_gravity if law.name == "gravity" else _fit_opportunities
    found, likelihood = find(law, region, used, origins)
    return Fitted(
        found,
        len(origins),
        used.total,
        real.total - flows.total,
        flows.total - used.total,
        -likelihood / used.total,
    )


def _by_id(region: Region, values: Floats) -> dict[str, float]:
    return dict(zip(region.ids, values.tolist(), strict=True))


def _sums(area: Int64s, flow: Floats, areas: int) -> Floats:
    """Trips by area, shape (areas,)."""
    return np.bincount(area, flow, minlength=areas).astype(np.float64)


class _Trips:
    """Trips of some origins, as rows of a matrix of which only blocks are held."""

    def __init__(self, flows: Flows, origins: Int64s) -> None:
        mine = np.isin(flows.origin, origins)
        self.origin, self.destination = flows.origin[mine], flows.destination[mine]
        self.flow, self.areas = flows.flow[mine], flows.areas
        self.outflow = _sums(self.origin, self.flow, flows.areas)
        self.inflow = _sums(self.destination, self.flow, flows.areas)
        self.total = float(self.flow.sum())

    def rows(self, origins: Int64s) -> Floats:
        """The rows of some origins, in rising order; shape (b, n)."""
        here = np.isin(self.origin, origins)
        matrix = np.zeros((len(origins), self.areas))
        line = np.searchsorted(origins, self.origin[here])
        matrix[line, self.destination[here]] = self.flow[here]
        return matrix


# -- gravity ------------------------------------------------------------------------------------


class _Likelihood:
    """The likelihood of trips under a gravity law, and its slope; all scales cancel.

    With the origins' outflows kept, trips choose among the pairs of their origin, otherwise among
    all. Features are taken from their mean over the pairs in units of their spread, so that the
    steps of a search are as long in all directions; ``parameters`` undoes it.
    """

    def __init__(self, law: FlowLaw, region: Region, flows: Flows, origins: Int64s) -> None:
        self.law, self.trips = law, _Trips(flows, origins)
        self.origin, self.destination = masses(law, region)
        self.pairs = Pairs(region, origins)
        self.names = [name for name in law.wanted if name != "log_scale"]
        self._kept: list[tuple[Int64s, Floats, NDArray[np.bool_]]] = []
        self.mean, self.spread = np.zeros(len(self.names)), np.ones(len(self.names))
        self.mean, self.spread = self._standard()
        self._kept.clear()
        self.moments = np.zeros(len(self.names))
        for rows, x, _ in self._blocks():
            self.moments += np.tensordot(x, self.trips.rows(rows), axes=((1, 2), (0, 1)))

    def _blocks(self) -> Iterator[tuple[Int64s, Floats, NDArray[np.bool_]]]:
        """Origins (b,), features (parameters, b, n), and which pairs may have trips (b, n)."""
        if self._kept:
            yield from self._kept
            return
        keep = len(self.pairs.origins) * len(self.destination) * len(self.names) <= KEPT_PAIRS
        first = len(self.law.wanted) - len(self.names)
        for block in self.pairs:
            x = gravity.features(self.law, block, self.origin[block.rows], self.destination)[first:]
            x = (x - self.mean[:, None, None]) / self.spread[:, None, None]
            item = block.rows, x, block.other & (self.destination > 0)
            if keep:
                self._kept.append(item)
            yield item

    def _standard(self) -> tuple[Floats, Floats]:
        """Mean and spread of each feature over the pairs, shape (parameters,) each."""
        count, sums, squares = 0, np.zeros(len(self.names)), np.zeros(len(self.names))
        for _, x, possible in self._blocks():
            count += int(possible.sum())
            sums += (x * possible).sum(axis=(1, 2))
            squares += (x**2 * possible).sum(axis=(1, 2))
        mean = sums / max(count, 1)
        spread = np.sqrt(np.maximum(squares / max(count, 1) - mean**2, 0.0))
        return mean, np.where(spread > _LEAST_SPREAD, spread, 1.0)

    def __call__(self, theta: Floats, appeal: Floats) -> tuple[float, Floats, Floats]:
        """Log likelihood, its slope in the parameters, and in the logarithms of attractions."""
        value = float(self.moments @ theta + self.trips.inflow @ appeal)
        slope, pull = self.moments.copy(), self.trips.inflow.copy()
        if self.law.constraint == "origin":
            for rows, logs, x in self._logs(theta, appeal):
                top = logs.max(axis=1, keepdims=True)
                share = np.exp(logs - top)
                sums = share.sum(axis=1, keepdims=True)
                out = self.trips.outflow[rows]
                share *= out[:, None] / sums
                value -= float(out @ (top + np.log(sums))[:, 0])
                slope -= np.tensordot(x, share, axes=((1, 2), (0, 1)))
                pull -= share.sum(axis=0)
            return value, slope, pull
        scale, means, drawn = self._over_all(theta, appeal)
        total = self.trips.total
        return value - total * scale, slope - total * means, pull - total * drawn

    def _over_all(self, theta: Floats, appeal: Floats) -> tuple[float, Floats, Floats]:
        """Log of the sum of all weights; mean features, and shares of destinations, under them."""
        top, weight = -np.inf, 0.0
        means, drawn = np.zeros(len(theta)), np.zeros(len(appeal))
        for _, logs, x in self._logs(theta, appeal):
            higher = max(top, float(logs.max()))
            shrink = np.exp(top - higher)
            part = np.exp(logs - higher)
            weight = weight * shrink + float(part.sum())
            means = means * shrink + np.tensordot(x, part, axes=((1, 2), (0, 1)))
            drawn = drawn * shrink + part.sum(axis=0)
            top = higher
        return top + float(np.log(weight)), means / weight, drawn / weight

    def _logs(self, theta: Floats, appeal: Floats) -> Iterator[tuple[Int64s, Floats, Floats]]:
        for rows, x, possible in self._blocks():
            logs = np.tensordot(theta, x, axes=1) + appeal
            logs[~possible] = -np.inf
            yield rows, logs, x

    def parameters(self, theta: Floats, appeal: Floats) -> dict[str, float]:
        """The law's parameters; its scale is that with which mean flows sum to the trips."""
        values = theta / self.spread
        found = dict(zip(self.names, values.tolist(), strict=True))
        if "log_scale" not in self.law.wanted:
            return found
        weight = self._over_all(theta, appeal)[0] + float(values @ self.mean)
        return {"log_scale": float(np.log(self.trips.total)) - weight, **found}


_Point = tuple[Floats, Floats]


def _fit_gravity(
    law: FlowLaw, region: Region, flows: Flows, origins: Int64s
) -> tuple[FlowLaw, float]:
    likelihood = _Likelihood(law, region, flows, origins)
    theta, appeal = _climb(likelihood, np.inf)
    if law.mass == "attraction":
        strength = _strength(law, region, flows, origins, (theta, appeal))
        theta, appeal = _climb(likelihood, strength, (theta, appeal))
        law = replace(law, masses=_by_id(region, np.exp(appeal)))
    found = replace(law, parameters=likelihood.parameters(theta, appeal))
    return found, likelihood(theta, appeal)[0]


def _climb(likelihood: _Likelihood, strength: float, start: _Point | None = None) -> _Point:
    """The most likely parameters and logarithms of attractions.

    Args:
        likelihood: of the trips.
        strength: of the prior of attractions in trips; infinite: there are none.
        start: where to begin.
    """
    count, areas = len(likelihood.names), likelihood.trips.areas
    total = likelihood.trips.total
    begin = start or (np.zeros(count), np.zeros(areas))
    if not np.isfinite(strength):
        none = np.zeros(areas)

        def plain(theta: Floats) -> tuple[float, Floats]:
            value, slope, _ = likelihood(theta, none)
            return -value / total, -slope / total

        return _lowest(plain, begin[0]), none
    # About the root of the curvature along each attraction: a search then steps alike along all.
    unit = np.concatenate([np.ones(count), np.sqrt((likelihood.trips.inflow + strength) / total)])

    def descent(point: Floats) -> tuple[float, Floats]:
        theta, appeal = np.split(point / unit, [count])
        value, slope, pull = likelihood(theta, appeal)
        factor = np.exp(np.minimum(appeal, _LARGEST))
        value += strength * float((appeal - factor).sum())
        pull += strength * (1.0 - factor)
        return -value / total, -np.concatenate([slope, pull]) / unit / total

    theta, appeal = np.split(_lowest(descent, np.concatenate(begin) * unit) / unit, [count])
    return theta, appeal


def _lowest(function: Callable[[Floats], tuple[float, Floats]], start: Floats) -> Floats:
    """Where a function, given with its slope, is lowest."""
    options = {"maxiter": _MOST_STEPS, "ftol": 1e-11, "gtol": 1e-7}
    found: Floats = minimize(function, start, jac=True, method="L-BFGS-B", options=options).x
    return found


def _strength(law: FlowLaw, region: Region, flows: Flows, origins: Int64s, start: _Point) -> float:
    """The weight of the prior, in trips, under which left-out origins are the most likely."""
    tried = [share * flows.total / len(region) for share in STRENGTHS]
    folds = min(FOLDS, len(origins))
    if folds < 2:
        return tried[-1]
    part = np.random.default_rng(0).permutation(len(origins)) % folds
    values = np.zeros(len(tried))
    for fold in range(folds):
        known, left_out = (
            _Likelihood(law, region, flows, origins[mine]) for mine in (part != fold, part == fold)
        )
        point = start
        for index in reversed(range(len(tried))):  # from the smoothest on, each from the one before
            point = _climb(known, tried[index], point)
            values[index] += left_out(*point)[0]
    return tried[int(values.argmax())]


# -- laws of opportunities ----------------------------------------------------------------------


def _fit_opportunities(
    law: FlowLaw, region: Region, flows: Flows, origins: Int64s
) -> tuple[FlowLaw, float]:
    trips, pairs = _Trips(flows, origins), Pairs(region, origins)
    origin, destination = masses(law, region)
    kind = OPPORTUNITY_LAWS[law.name]

    def value(parameters: dict[str, float]) -> float:
        result = 0.0
        for block in pairs:
            p = opportunity_weights(kind, origin, destination, block, parameters)
            p[~block.other] = 0.0
            p /= np.maximum(p.sum(axis=1, keepdims=True), _SMALLEST)
            result += float((trips.rows(block.rows) * np.log(np.maximum(p, _SMALLEST))).sum())
        return result

    if not kind.parameters:
        return replace(law, parameters={}), value({})
    (name,) = kind.parameters
    low, high = np.array(kind.bounds) / (destination.sum() if kind.by_mass else 1.0)
    grid = np.geomspace(low, high, _GRID)
    best = int(np.argmax([value({name: at}) for at in grid.tolist()]))
    around = np.log(grid[[max(best - 1, 0), min(best + 1, _GRID - 1)]])
    found = minimize_scalar(
        lambda at: -value({name: float(np.exp(at))}), bounds=around, method="bounded"
    )
    parameters = {name: float(np.exp(found.x))}
    return replace(law, parameters=parameters), value(parameters)

"""Rank-reduced state space: a few smoothed factors of all series, and each series' own level.

    y_{t,c} = f_{type(t),c} (b_c' F_t + level_{t,c} + e_{t,c})

The factors F are the main components of the flows within cells, each smoothed by itself; levels
return to a constant and start again at a break. Series of about one size share the parameters of
their levels and the prior of their loadings b, which have the highest marginal likelihood on a
grid. All of it is linear in y / f: a prediction is a matrix for each class of series.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humobctl.native import Floats
from humobctl.predict.flow_series.base import FlowSample, SeriesDays
from humobctl.predict.flow_series.day_types import TypeFactors, estimate_factors
from humobctl.predict.flow_series.smoother import Level, SmootherWeights, weights_of

FACTORS = 3
PERSISTENCE = (0.8, 0.9, 0.95, 0.98, 0.995)
NOISE = (1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0)
LOADINGS = (1e-3, 1e-2, 1e-1, 1.0)
"""Prior variances of loadings on factors of unit variance, in units of the observation variance;
0 (no factors) is tried as well."""
CLASSES, CLASS_SERIES = 6, 100
"""Classes of series by the logarithm of their mean, and series of a class that are looked at."""
EFFECT_ROUNDS = 4
"""Rounds in which the effect of a covariate and the factors of types of days take turns."""
BREAK_DAYS, BREAK_RATIO = 7, 6.0
"""Days on either side that a break is looked for in, and how many times the median change of all
days (squared) it is."""


@dataclass(frozen=True)
class _Grid:
    """SmootherWeights of all levels on the grid, which depend on the days only."""

    days: SeriesDays
    weights: list[SmootherWeights]

    def best(self, series: Floats) -> SmootherWeights:
        """The weights with the highest likelihood of series (days given, series)."""

        def fit(weights: SmootherWeights) -> float:
            squares = ((weights.innovate @ series) ** 2).sum(axis=0)
            return _log_likelihood(squares, len(series), weights.log_scale)

        return max(self.weights, key=fit)


@dataclass(frozen=True)
class SmoothedClasses:
    """Predictions of series by their class.

    Attributes:
        edges: means of series between classes.
        matrices: what a class predicts of its given days, (hidden days, days given).
    """

    edges: Floats
    matrices: list[Floats]

    def predict(self, series: Floats) -> Floats:
        """Hidden days of series (days given, series)."""
        kind = np.searchsorted(self.edges, series.mean(axis=0))
        result = np.empty((len(self.matrices[0]), series.shape[1]), series.dtype)
        for number, matrix in enumerate(self.matrices):
            here = np.flatnonzero(kind == number)
            result[:, here] = matrix.astype(series.dtype) @ series[:, here]
        return result


@dataclass(frozen=True)
class RankReduced:
    """The fitted model."""

    days: SeriesDays
    diagonal_factors: TypeFactors
    pair_factors: TypeFactors
    diagonal_classes: SmoothedClasses
    pair_classes: SmoothedClasses
    effect: Floats | None = None
    """What the covariate adds to each cell and day, in units of flow by factor, (days, cells)."""

    def diagonal(self, flows: Floats) -> Floats:
        """Flows within cells."""
        factors, known = self.diagonal_factors.own[self.days.types], self.days.known
        series = flows[known] / factors[known]
        if self.effect is not None:
            series = series - self.effect[known]
        predicted = self.diagonal_classes.predict(series)
        if self.effect is not None:
            predicted = predicted + self.effect[self.days.wanted]
        result: Floats = np.maximum(predicted * factors[self.days.wanted], 0.0)
        return result

    def pairs(self, flows: Floats) -> Floats:
        """Flows between cells."""
        factors = self.pair_factors.pooled[self.days.types].astype(flows.dtype)
        known = self.days.known
        predicted = self.pair_classes.predict(flows[known] / factors[known])
        result: Floats = np.maximum(predicted * factors[self.days.wanted], 0.0)
        return result


def state_space(days: SeriesDays, sample: FlowSample) -> RankReduced:
    """The model, fitted to the given days."""
    known = days.known
    pair_factors = estimate_factors(days, sample.pairs)
    pairs = sample.pairs[known] / pair_factors.pooled[days.types[known]]
    diagonal_factors = estimate_factors(days, sample.diagonal)
    diagonal = sample.diagonal[known] / diagonal_factors.own[days.types[known]]
    breaks = find_breaks(days, _scale(diagonal))
    grid = _Grid(days, _all_weights(days, breaks))
    effect = None
    for _ in range(EFFECT_ROUNDS if sample.covariate is not None else 0):
        assert sample.covariate is not None
        effect = _effect(grid, diagonal, sample.covariate)
        rest = sample.diagonal - effect * diagonal_factors.own[days.types]
        diagonal_factors = estimate_factors(days, rest * days.given[:, None])
        diagonal = sample.diagonal[known] / diagonal_factors.own[days.types[known]]
    if effect is not None:
        diagonal = diagonal - effect[known]
    courses = smooth_courses(grid, _scale(diagonal))
    return RankReduced(
        days,
        diagonal_factors,
        pair_factors,
        diagonal_classes=_fit_classes(grid, courses, diagonal),
        pair_classes=_fit_classes(grid, courses, pairs),
        effect=effect,
    )


def find_breaks(days: SeriesDays, series: Floats) -> tuple[int, ...]:
    """The day on which the flows of all cells change most, if it stands out; none otherwise."""
    known = days.known
    changes = np.zeros(len(days.dates))
    for day in range(len(days.dates)):
        cut = int(np.searchsorted(known, day))
        if cut < BREAK_DAYS or cut + BREAK_DAYS > len(known) or not days.given[day]:
            continue
        if known[cut + BREAK_DAYS - 1] - known[cut - BREAK_DAYS] > 3 * BREAK_DAYS:
            continue
        before, after = series[cut - BREAK_DAYS : cut], series[cut : cut + BREAK_DAYS]
        changes[day] = ((after.mean(axis=0) - before.mean(axis=0)) ** 2).sum()
    found = changes[changes > 0]
    if not len(found) or changes.max() < BREAK_RATIO * np.median(found):
        return ()
    return (int(changes.argmax()),)


def smooth_courses(grid: _Grid, series: Floats) -> Floats:
    """Main components of series (days given, series), smoothed: (days, factors), unit variance."""
    centred = series - series.mean(axis=0)
    rank = min(FACTORS, *centred.shape)
    if not rank:
        return np.zeros((len(grid.days.dates), 0))
    gram = centred @ centred.T
    vectors = np.linalg.eigh(gram)[1][:, ::-1][:, :rank]
    courses = np.column_stack([grid.best(one[:, None]).smooth @ one for one in vectors.T])
    courses = courses - courses[grid.days.known].mean(axis=0)
    spread = courses[grid.days.known].std(axis=0)
    result: Floats = courses[:, spread > 1e-9] / spread[spread > 1e-9]
    return result


def _scale(series: Floats) -> Floats:
    """Series by the square root of their means, so that counts have about one variance."""
    mean = series.mean(axis=0)
    result: Floats = series[:, mean > 0] / np.sqrt(mean[mean > 0])
    return result


def _all_weights(days: SeriesDays, breaks: tuple[int, ...]) -> list[SmootherWeights]:
    return [
        weights_of(Level(persistence, noise, breaks), days.given)
        for persistence in PERSISTENCE
        for noise in NOISE
    ]


def _log_likelihood(squares: Floats, days: int, log_scale: float) -> float:
    """Log likelihood of series by their squared innovations, each with its best variance."""
    variances = np.maximum(squares, 1e-12) / days
    return float(-(days * np.log(variances).sum() + len(squares) * log_scale) / 2)


def _fit_classes(grid: _Grid, courses: Floats, series: Floats) -> SmoothedClasses:
    """The best level and loadings prior of each class of series."""
    mean = series.mean(axis=0)
    active = mean > 0
    low, high = (mean[active].min(), mean[active].max()) if active.any() else (1.0, 1.0)
    edges = np.geomspace(low, high * (1 + 1e-9), CLASSES + 1)[1:-1]
    kind = np.searchsorted(edges, mean)
    matrices: list[Floats] = []
    for number in range(CLASSES):
        here = np.flatnonzero(active & (kind == number))
        here = here if len(here) else np.flatnonzero(active)
        step = -(-len(here) // CLASS_SERIES) or 1
        matrices.append(_fit_class(grid, courses, series[:, here[::step]]))
    return SmoothedClasses(edges, matrices)


def _fit_class(grid: _Grid, courses: Floats, series: Floats) -> Floats:
    """The matrix (hidden days, days given) with the highest marginal likelihood."""
    best, chosen = -np.inf, (grid.weights[0], 0.0)
    for weights in grid.weights:
        innovations = weights.innovate @ series
        loaded = weights.innovate @ courses[grid.days.known]
        moments, crossed = loaded.T @ loaded, loaded.T @ innovations
        plain = (innovations**2).sum(axis=0)
        for prior in (0.0, *LOADINGS):
            inverse = _posterior(moments, prior)
            squares = plain - (crossed * (inverse @ crossed)).sum(axis=0)
            widen = np.linalg.slogdet(np.eye(len(moments)) + prior * moments)[1]
            value = _log_likelihood(squares, len(innovations), weights.log_scale + widen)
            if value > best:
                best, chosen = value, (weights, prior)
    return _class_matrix(grid.days, courses, *chosen)


def _posterior(moments: Floats, prior: float) -> Floats:
    """Variance of loadings given the innovations, in units of the observation variance."""
    if not prior:
        return np.zeros(moments.shape)
    inverse: Floats = np.linalg.inv(moments + np.eye(len(moments)) / prior).astype(np.float64)
    return inverse


def _class_matrix(
    days: SeriesDays, courses: Floats, weights: SmootherWeights, prior: float
) -> Floats:
    """Loaded factors and the smoothed level of the rest, (hidden days, days given)."""
    known, wanted = days.known, days.wanted
    loaded = weights.innovate @ courses[known]
    load = _posterior(loaded.T @ loaded, prior) @ loaded.T @ weights.innovate
    smooth = weights.smooth[wanted]
    result: Floats = smooth + (courses[wanted] - smooth @ courses[known]) @ load
    return result


def _effect(grid: _Grid, series: Floats, covariate: Floats) -> Floats:
    """What a covariate adds: one coefficient for all cells, relative to each cell's mean flow.

    Generalised least squares: series and covariate go through the same filter (Durbin and Koopman,
    6.2.3).
    """
    known = grid.days.known
    mean = series.mean(axis=0)
    weights = grid.best(series[:, mean > 0])
    innovations = weights.innovate @ series
    shaped = covariate * mean
    regressor = weights.innovate @ shaped[known]
    variance = np.maximum((innovations**2).mean(axis=0), 1e-12)
    top = ((regressor * innovations).sum(axis=0) / variance).sum()
    bottom = ((regressor**2).sum(axis=0) / variance).sum()
    result: Floats = shaped * (top / bottom if bottom > 0 else 0.0)
    return result

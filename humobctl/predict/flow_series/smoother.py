"""Kalman filter and fixed-interval (Rauch-Tung-Striebel) smoother for series that share parameters.

Gains depend on which days are given and on the parameters only, so one pass over the days serves
all series, and what the smoother does to a series is a matrix: its weights.

Sources: R. E. Kalman, J. Basic Eng. 82 (1960) 35; H. E. Rauch, F. Tung and C. T. Striebel, AIAA J. 3
(1965) 1445; J. Durbin and S. J. Koopman, Time Series Analysis by State Space Methods, 2nd ed. (2012).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from humobctl.native import Bools, Floats, Int64s

DIFFUSE = 1e7
"""Variance of a state of which nothing is known, in units of the observation variance."""


@dataclass(frozen=True)
class StateSpace:
    """y_t = z a_t + e_t, a_{t+1} = T a_t + n_t, with variances H of e and Q of n.

    Attributes:
        transition: T, (states, states).
        observe: z, (states,).
        noise: Q, (states, states).
        start: variance of the first state, (states, states); its mean is 0.
        variance: H.
        breaks: days before which the state starts anew with variance ``start``.
    """

    transition: Floats
    observe: Floats
    noise: Floats
    start: Floats
    variance: float = 1.0
    breaks: tuple[int, ...] = ()


@dataclass(frozen=True)
class Smoothed:
    """What filter and smoother give, for n days and k series.

    Attributes:
        innovations: y_t minus its prediction from the days before, (n, k); 0 where not given.
        scales: their variance F_t, (n,); 1 where not given.
        states: smoothed means, (n, states, k).
        variances: smoothed variances, (n, states, states).
        signal: z times the smoothed means, (n, k).
    """

    innovations: Floats
    scales: Floats
    states: Floats
    variances: Floats
    signal: Floats


@dataclass
class _Pass:
    """What the forward pass keeps for the backward one."""

    predicted: list[Floats] = field(default_factory=list)
    predicted_variance: list[Floats] = field(default_factory=list)
    filtered: list[Floats] = field(default_factory=list)
    filtered_variance: list[Floats] = field(default_factory=list)


def smooth(model: StateSpace, series: Floats, given: Bools) -> Smoothed:
    """Smooth series of (days, series) of which some days are given."""
    kept = _Pass()
    innovations, scales = np.zeros_like(series), np.ones(len(series))
    mean, variance = np.zeros((len(model.observe), series.shape[1])), model.start
    for day in range(len(series)):
        if day:
            mean = model.transition @ mean
            variance = model.transition @ variance @ model.transition.T + model.noise
        if day in model.breaks:
            mean, variance = np.zeros_like(mean), model.start
        kept.predicted.append(mean)
        kept.predicted_variance.append(variance)
        if given[day]:
            innovations[day] = series[day] - model.observe @ mean
            seen = variance @ model.observe
            scales[day] = model.observe @ seen + model.variance
            gain = seen / scales[day]
            mean = mean + gain[:, None] * innovations[day]
            variance = _symmetric(variance - np.outer(gain, seen))
        kept.filtered.append(mean)
        kept.filtered_variance.append(variance)
    states, variances = _back(model, kept)
    return Smoothed(innovations, scales, states, variances, model.observe @ states)


def _back(model: StateSpace, kept: _Pass) -> tuple[Floats, Floats]:
    """Smoothed means and variances, from the last day to the first."""
    mean, variance = kept.filtered[-1], kept.filtered_variance[-1]
    means, variances = [mean], [variance]
    for day in range(len(kept.filtered) - 2, -1, -1):
        ahead = kept.predicted_variance[day + 1]
        if day + 1 in model.breaks:  # nothing of the days after tells of those before
            mean, variance = kept.filtered[day], kept.filtered_variance[day]
        else:
            crossed = model.transition @ kept.filtered_variance[day]
            gain = np.linalg.solve(ahead, crossed).T
            mean = kept.filtered[day] + gain @ (mean - kept.predicted[day + 1])
            variance = _symmetric(kept.filtered_variance[day] + gain @ (variance - ahead) @ gain.T)
        means.append(mean)
        variances.append(variance)
    return np.array(means[::-1]), np.array(variances[::-1])


def _symmetric(matrix: Floats) -> Floats:
    result: Floats = (matrix + matrix.T) / 2
    return result


def level_model(persistence: float, noise: float, breaks: tuple[int, ...] = ()) -> StateSpace:
    """A level that returns to a constant: x_{t+1} = persistence x_t + n_t around it.

    Args:
        persistence: 0 to below 1; the part of a deviation that is there a day later.
        noise: variance of n_t, in units of the observation variance.
        breaks: days from which constant and deviation are new.
    """
    return StateSpace(
        transition=np.diag([persistence, 1.0]),
        observe=np.ones(2),
        noise=np.diag([noise, 0.0]),
        start=np.diag([noise / (1 - persistence**2), DIFFUSE]),
        breaks=breaks,
    )


@dataclass(frozen=True)
class Weights:
    """Filter and smoother of one parameter pair as matrices, over the given days.

    Attributes:
        innovate: standardised innovations of given days, (days given, days given).
        log_scale: sum of log F_t.
        smooth: smoothed signal of all days, (days, days given).
    """

    innovate: Floats
    log_scale: float
    smooth: Floats


def weights_of(model: StateSpace, given: Bools) -> Weights:
    """The matrices: what filter and smoother do to each day's unit series."""
    at: Int64s = np.flatnonzero(given)
    unit = np.eye(len(given))[:, at]
    done = smooth(model, unit, given)
    scales = done.scales[at]
    return Weights(
        innovate=done.innovations[at] / np.sqrt(scales)[:, None],
        log_scale=float(np.log(scales).sum()),
        smooth=done.signal,
    )

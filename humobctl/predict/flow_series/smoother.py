"""Kalman filter and fixed-interval (Rauch-Tung-Striebel) smoother for series that share parameters.

Gains depend on which days are given and on the parameters only, so one pass over the days serves
all series, and what the smoother does to a series is a matrix: its weights.

Sources: R. E. Kalman, J. Basic Eng. 82 (1960) 35; H. E. Rauch, F. Tung and C. T. Striebel,
AIAA J. 3 (1965) 1445; J. Durbin and S. J. Koopman, Time Series Analysis by State Space Methods,
2nd ed. (2012).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from humobctl.native import Bools, Floats

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
        breaks: days before which the state starts again with variance ``start``.
    """

    transition: Floats
    observe: Floats
    noise: Floats
    start: Floats
    variance: float = 1.0
    breaks: tuple[int, ...] = ()


@dataclass(frozen=True)
class Filtered:
    """The forward pass over n days and k series.

    Attributes:
        innovations: y_t minus its prediction from the days before, (n, k); 0 where not given.
        scales: their variance F_t, (n,); 1 where not given.
        predicted, updated: means of the state before and after y_t, (states, k) a day.
        predicted_variance, updated_variance: their variances, (states, states) a day.
    """

    innovations: Floats
    scales: Floats
    predicted: list[Floats] = field(default_factory=list)
    predicted_variance: list[Floats] = field(default_factory=list)
    updated: list[Floats] = field(default_factory=list)
    updated_variance: list[Floats] = field(default_factory=list)


@dataclass(frozen=True)
class Smoothed:
    """The backward pass.

    Attributes:
        states: means of the state given all days, (n, states, k).
        variances: their variances, (n, states, states).
        signal: z times the means, (n, k).
    """

    states: Floats
    variances: Floats
    signal: Floats


def smooth(model: StateSpace, series: Floats, given: Bools) -> Smoothed:
    """Smooth series of (days, series) of which some days are given."""
    return smooth_back(model, run_filter(model, series, given))


def run_filter(model: StateSpace, series: Floats, given: Bools) -> Filtered:
    """The forward pass: Kalman's filter."""
    done = Filtered(np.zeros_like(series), np.ones(len(series)))
    mean, variance = np.zeros((len(model.observe), series.shape[1])), model.start
    for day in range(len(series)):
        if day in model.breaks:
            mean, variance = np.zeros_like(mean), model.start
        elif day:
            mean = model.transition @ mean
            variance = model.transition @ variance @ model.transition.T + model.noise
        done.predicted.append(mean)
        done.predicted_variance.append(variance)
        if given[day]:
            seen = variance @ model.observe
            done.innovations[day] = series[day] - model.observe @ mean
            done.scales[day] = model.observe @ seen + model.variance
            gain = seen / done.scales[day]
            mean = mean + gain[:, None] * done.innovations[day]
            variance = _symmetric(variance - np.outer(gain, seen))
        done.updated.append(mean)
        done.updated_variance.append(variance)
    return done


def smooth_back(model: StateSpace, done: Filtered) -> Smoothed:
    """The backward pass: the smoother of Rauch, Tung and Striebel."""
    mean, variance = done.updated[-1], done.updated_variance[-1]
    means, variances = [mean], [variance]
    for day in range(len(done.updated) - 2, -1, -1):
        later, ahead = mean, variance
        mean, variance = done.updated[day], done.updated_variance[day]
        if day + 1 not in model.breaks:  # days after a break tell nothing of those before
            predicted = done.predicted_variance[day + 1]
            gain = np.linalg.solve(predicted, model.transition @ variance).T
            mean = mean + gain @ (later - done.predicted[day + 1])
            variance = _symmetric(variance + gain @ (ahead - predicted) @ gain.T)
        means.append(mean)
        variances.append(variance)
    states = np.array(means[::-1])
    return Smoothed(states, np.array(variances[::-1]), model.observe @ states)


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
class SmootherWeights:
    """Filter and smoother of one model as matrices: what they do to each given day's unit series.

    Attributes:
        model: the model.
        given: which days are.
        innovate: standardised innovations of given days, (days given, days given).
        log_scale: sum of the logarithms of the variances of innovations.
    """

    model: StateSpace
    given: Bools
    innovate: Floats
    log_scale: float

    @cached_property
    def smooth(self) -> Floats:
        """Smoothed signal of all days, (days, days given)."""
        return smooth(self.model, np.eye(len(self.given))[:, self.given], self.given).signal


def weights_of(model: StateSpace, given: Bools) -> SmootherWeights:
    """The matrices of a model on the given days."""
    forward = run_filter(model, np.eye(len(given))[:, given], given)
    scales = forward.scales[given]
    innovate = forward.innovations[given] / np.sqrt(scales)[:, None]
    return SmootherWeights(model, given, innovate, log_scale=float(np.log(scales).sum()))

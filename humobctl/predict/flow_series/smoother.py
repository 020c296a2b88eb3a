"""Levels that return to a constant, and what they make of the given days of a series.

y_t = constant + x_t + e_t, x_{t+1} = persistence x_t + n_t, with a constant of which nothing is
known, and e of variance 1. Series that share these parameters share the covariance of their days:
its Cholesky factor whitens them to the standardised innovations of Kalman's filter, and the
regression on the given days is the fixed-interval smoother. What both do to a series is a matrix.

Sources: R. E. Kalman, J. Basic Eng. 82 (1960) 35; J. Durbin and S. J. Koopman, Time Series Analysis
by State Space Methods, 2nd ed. (2012), 4.13 (innovations by the Cholesky factor); C. E. Rasmussen
and C. K. I. Williams, Gaussian Processes for Machine Learning (2006), 2.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cholesky, solve_triangular, toeplitz

from humobctl.native import Bools, Floats

DIFFUSE = 1e7
"""Variance of a constant of which nothing is known, in units of the observation variance."""


@dataclass(frozen=True)
class Level:
    """A level that returns to a constant.

    Attributes:
        persistence: 0 to below 1; the part of a deviation that is there a day later.
        noise: variance of n_t, in units of the observation variance.
        breaks: days from which constant and deviation are new.
        diffuse: variance of the constant, in the same units.
    """

    persistence: float
    noise: float
    breaks: tuple[int, ...] = ()
    diffuse: float = DIFFUSE

    def covariance(self, days: int) -> Floats:
        """Covariance of the level on all days, (days, days); its variance is stationary."""
        spread = self.noise / (1 - self.persistence**2)
        covariance: Floats = toeplitz(self.diffuse + spread * self.persistence ** np.arange(days))
        period = np.searchsorted(self.breaks, np.arange(days), side="right")
        covariance[period[:, None] != period] = 0.0
        return covariance


@dataclass(frozen=True)
class SmootherWeights:
    """Filter and smoother of one level as matrices: what they do to the given days of a series.

    Attributes:
        level: the level.
        given: which days are.
        innovate: standardised innovations of given days, (days given, days given).
        log_scale: sum of the logarithms of the variances of innovations.
    """

    level: Level
    given: Bools
    innovate: Floats
    log_scale: float

    @cached_property
    def smooth(self) -> Floats:
        """Smoothed signal of all days, (days, days given)."""
        signal = self.level.covariance(len(self.given))[:, self.given]
        smooth: Floats = signal @ self.innovate.T @ self.innovate
        return smooth


def weights_of(level: Level, given: Bools) -> SmootherWeights:
    """The matrices of a level on the given days."""
    seen = level.covariance(len(given))[np.ix_(given, given)]
    lower = cholesky(seen + np.eye(len(seen)), lower=True)
    innovate = solve_triangular(lower, np.eye(len(lower)), lower=True)
    return SmootherWeights(
        level, given, innovate, log_scale=2 * float(np.log(lower.diagonal()).sum())
    )

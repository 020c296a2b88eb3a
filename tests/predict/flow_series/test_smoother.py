"""Levels, and the filter and smoother that their covariance is."""

from __future__ import annotations

import numpy as np
import pytest

from humobctl.predict.flow_series.smoother import Level, weights_of

SERIES = np.array([3.0, 4.0, 2.5, 0.0, 0.0, 5.0, 4.5, 0.0, 6.0, 5.5])
GIVEN = np.array([True, True, True, False, False, True, True, False, True, True])
RETURNING = Level(persistence=0.9, noise=0.2, diffuse=100.0)


def test_two_days_by_hand():
    """Variances 1 + 1/(1 - 1/4) + 1 = 10/3 and covariance 1 + 4/3 / 2 = 5/3 of two given days."""
    weights = weights_of(Level(persistence=0.5, noise=1.0, diffuse=1.0), np.array([True, True]))
    # innovation: y_2 - y_1 / 2, of variance 10/3 - 5/6 = 5/2; signal of day 1: (7/3, 5/3) V^-1 y
    assert weights.innovate @ [3.0, 4.0] == pytest.approx([3 / (10 / 3) ** 0.5, 2.5 / 2.5**0.5])
    assert weights.log_scale == pytest.approx(np.log(10 / 3 * 5 / 2))
    assert weights.smooth[0] == pytest.approx([0.6, 0.2])


def test_values_of_statsmodels():
    # statsmodels 0.15.0, KalmanSmoother with the same matrices, initialize_known
    weights = weights_of(RETURNING, GIVEN)
    scales = [102.05263158, 2.19855596, 1.74502463, 1.9477892, 1.65993021, 1.7304026, 1.59056054]
    errors = [3.0, 1.03249097, -1.02216749, 1.90983462, 0.51409951, 1.88339291, 0.65808997]
    assert weights.innovate @ SERIES[GIVEN] == pytest.approx(errors / np.sqrt(scales))
    assert weights.log_scale == pytest.approx(np.log(scales).sum())
    assert weights.smooth @ SERIES[GIVEN] == pytest.approx(
        [
            *(3.65381673, 3.72346409, 3.72486835, 3.99169053, 4.25470233),
            *(4.51682611, 4.67360239, 4.8727234, 5.07782329, 5.0862528),
        ]
    )


def test_days_before_a_break_tell_nothing_of_those_after():
    weights = weights_of(Level(0.9, 0.1, breaks=(5,)), GIVEN).smooth
    late = np.flatnonzero(GIVEN) >= 5
    assert not weights[:5, late].any()
    assert not weights[5:, ~late].any()
    assert weights.sum(axis=1) == pytest.approx(np.ones(10), abs=1e-5)

"""The Kalman filter and the fixed-interval smoother."""

from __future__ import annotations

import numpy as np
import pytest

from humobctl.predict.flow_series.smoother import (
    StateSpace,
    level_model,
    run_filter,
    smooth,
    weights_of,
)

WALK = StateSpace(np.eye(1), np.ones(1), np.eye(1), np.eye(1))
"""A random walk with unit variances, from a mean of 0."""
SERIES = np.array([3.0, 4.0, 2.5, 0.0, 0.0, 5.0, 4.5, 0.0, 6.0, 5.5])
GIVEN = np.array([True, True, True, False, False, True, True, False, True, True])
RETURNING = StateSpace(
    transition=np.diag([0.9, 1.0]),
    observe=np.ones(2),
    noise=np.diag([0.2, 0.0]),
    start=np.diag([0.2 / (1 - 0.81), 100.0]),
)


def test_three_days_by_hand():
    # forward: 1/2; 1/2; 1/2 + 5/7 (3 - 1/2) = 16/7; backward gains 3/5 and 1/3
    done = smooth(WALK, np.array([[1.0], [0.0], [3.0]]), np.array([True, False, True]))
    assert done.signal[:, 0] == pytest.approx([6 / 7, 11 / 7, 16 / 7])
    assert done.variances[:, 0, 0] == pytest.approx([3 / 7, 6 / 7, 5 / 7])


def test_values_of_statsmodels():
    # statsmodels 0.15.0, KalmanSmoother with the same matrices, initialize_known
    forward = run_filter(RETURNING, SERIES[:, None], GIVEN)
    scales = [102.05263158, 2.19855596, 1.74502463, 1.9477892, 1.65993021, 1.7304026, 1.59056054]
    assert forward.scales[GIVEN] == pytest.approx(scales)
    errors = [3.0, 1.03249097, -1.02216749, 1.90983462, 0.51409951, 1.88339291, 0.65808997]
    assert forward.innovations[GIVEN, 0] == pytest.approx(errors)
    done = smooth(RETURNING, SERIES[:, None], GIVEN)
    assert done.signal[:, 0] == pytest.approx(
        [
            *(3.65381673, 3.72346409, 3.72486835, 3.99169053, 4.25470233),
            *(4.51682611, 4.67360239, 4.8727234, 5.07782329, 5.0862528),
        ]
    )
    assert done.variances[:, 0, 0] == pytest.approx(
        [
            *(0.87853936, 0.89639037, 0.92821082, 0.98348101, 0.99092856),
            *(0.95088538, 0.93882665, 0.94761718, 0.9015989, 0.87974728),
        ]
    )


def test_the_matrices_do_what_the_smoother_does():
    weights = weights_of(RETURNING, GIVEN)
    assert weights.smooth @ SERIES[GIVEN] == pytest.approx(
        smooth(RETURNING, SERIES[:, None], GIVEN).signal[:, 0]
    )
    forward = run_filter(RETURNING, SERIES[:, None], GIVEN)
    scaled = (forward.innovations[:, 0] / np.sqrt(forward.scales))[GIVEN]
    assert weights.innovate @ SERIES[GIVEN] == pytest.approx(scaled)
    assert weights.log_scale == pytest.approx(np.log(forward.scales).sum())


def test_days_before_a_break_tell_nothing_of_those_after():
    weights = weights_of(level_model(0.9, 0.1, breaks=(5,)), GIVEN).smooth
    late = np.flatnonzero(GIVEN) >= 5
    assert not weights[:5, late].any()
    assert not weights[5:, ~late].any()
    assert weights.sum(axis=1) == pytest.approx(np.ones(10), abs=1e-5)

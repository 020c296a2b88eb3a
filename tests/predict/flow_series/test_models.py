"""Models of hidden days on arrays."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from humobctl.predict.flow_series import state_space
from humobctl.predict.flow_series.base import FlowSample, SeriesDays
from humobctl.predict.flow_series.day_types import (
    HOLIDAY,
    HOMECOMING,
    estimate_factors,
    types_of,
)
from humobctl.predict.flow_series.ensemble import simplex_weights, windows_of
from humobctl.predict.flow_series.registry import FLOW_MODELS
from humobctl.predict.flow_series.state_space import find_breaks
from humobctl.tables.holidays import japanese_holidays


def series_days(size: int, hidden: list[int], missing: tuple[int, ...] = ()) -> SeriesDays:
    dates = np.datetime64("2024-04-08") + np.arange(size)  # a Monday
    wanted = np.isin(np.arange(size), hidden)
    given = ~wanted & ~np.isin(np.arange(size), missing)
    return SeriesDays(dates, given, wanted, types_of(dates))


def predict(name: str, days: SeriesDays, flows: np.ndarray) -> np.ndarray:
    shown = flows * days.given[:, None]
    return FLOW_MODELS[name].load()(days, FlowSample(shown, shown)).pairs(shown)


@pytest.fixture
def small_grid(monkeypatch):
    """One level model instead of 35."""
    monkeypatch.setattr(state_space, "PERSISTENCE", (0.95,))
    monkeypatch.setattr(state_space, "NOISE", (0.1,))


@pytest.mark.parametrize(
    ("model", "size", "hidden", "expected"),
    [
        ("mean-after", 16, [5, 6], [11, 11]),  # mean of 7 to 15
        ("mean-around", 16, [5, 6], [6.5, 6.5]),  # of 2 and 11
        ("linear", 16, [5, 6, 7], [5, 6, 7]),
        ("linear", 16, [0, 1, 15], [2, 2, 14]),
        ("same-weekday", 16, [7, 8], [7, 8]),
        ("same-weekday", 16, [14, 15], [7, 8]),  # the Monday and the Tuesday before
        ("same-weekday", 14, [3, 10], [3, 10]),  # no Thursday is given: as linear
    ],
)
def test_interpolations_by_hand(model, size, hidden, expected):
    predicted = predict(model, series_days(size, hidden), np.arange(float(size))[:, None])
    assert predicted[:, 0] == pytest.approx(expected)


def test_missing_days_are_not_zeros():
    days, rising = series_days(16, [6], missing=(5, 7)), np.arange(16.0)[:, None]
    assert predict("linear", days, rising)[:, 0] == pytest.approx([6])
    assert predict("mean-after", days, rising)[:, 0] == pytest.approx([11.5])  # 8 to 15


@pytest.mark.parametrize("model", FLOW_MODELS)
@pytest.mark.parametrize(
    ("size", "hidden"),
    [(2, [1]), (9, [0, 8]), (30, [0, 1, 29]), (40, list(range(15, 25))), (20, list(range(1, 20)))],
)
def test_every_model_answers_everywhere(model, size, hidden, small_grid):
    days = series_days(size, hidden)
    flows = np.zeros((size, 3))
    flows[:, 0] = 5.0
    flows[days.known[0], 1] = 0.2  # a pair that occurs once; the third one never
    predicted = predict(model, days, flows)
    assert predicted.shape == (len(hidden), 3)
    assert np.isfinite(predicted).all()
    assert predicted[:, 0] == pytest.approx(np.full(len(hidden), 5.0), rel=0.05)
    assert not predicted[:, 2].any()
    nothing = np.zeros((size, 0))
    model_of_none = FLOW_MODELS[model].load()(days, FlowSample(nothing, nothing))
    assert model_of_none.diagonal(nothing).shape == (len(hidden), 0)


def test_holidays_of_japan():
    # Cabinet Office: national holidays of 2024, with the substitutes of 12 February to 4 November
    listed = (
        *("01-01", "01-08", "02-11", "02-12", "02-23", "03-20", "04-29", "05-03", "05-04", "05-05"),
        *("05-06", "07-15", "08-11", "08-12", "09-16", "09-22", "09-23", "10-14", "11-03", "11-04"),
        "11-23",
    )
    assert japanese_holidays(2024) == {dt.date.fromisoformat(f"2024-{day}") for day in listed}
    assert dt.date(2026, 9, 22) in japanese_holidays(2026)  # between two holidays
    dates = np.array(["2023-12-29", "2024-02-12", "2024-02-11"], dtype="datetime64[D]")
    assert types_of(dates).tolist() == [HOMECOMING, HOLIDAY, 6]
    off = np.array([True, False, True])
    assert types_of(dates, off).tolist() == [HOLIDAY, 0, 6]


def test_factors_are_shrunk_by_their_noise():
    days = series_days(70, [])
    rng = np.random.default_rng(0)
    saturday = np.where(days.types == 5, 0.5, 1.0)[:, None]
    quiet = (
        np.array([[1.0, 1.5]]) ** (days.types == 5)[:, None]
    )  # two series with their own factors
    flows = np.hstack([100 * saturday * quiet, rng.poisson(2 * np.repeat(saturday, 30, axis=1))])
    factors = estimate_factors(days, flows)
    ratio = factors.own[5] / factors.own[0]
    assert ratio[:2] == pytest.approx([0.5, 0.75], rel=0.05)
    assert ratio[2:].std() < 0.1  # of counts of about 2, their own ratios differ by more
    raw = flows[days.types == 5, 2:].mean(axis=0) / flows[days.types == 0, 2:].mean(axis=0)
    assert raw.std() > 0.15


def test_the_day_of_a_shock_is_found():
    flows = np.ones((60, 5))
    flows[33:, :2] = 0.3
    flows += np.random.default_rng(0).normal(0, 0.01, flows.shape)
    assert find_breaks(series_days(60, []), flows) == (33,)
    assert find_breaks(series_days(60, []), np.ones((60, 5))) == ()


def test_weights_of_an_ensemble():
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(3, 500))
    truth = 0.3 * columns[0] + 0.7 * columns[2]
    found = simplex_weights(columns @ columns.T, columns @ truth)
    assert found == pytest.approx([0.3, 0, 0.7], abs=1e-3)
    assert simplex_weights(np.zeros((3, 3)), np.zeros(3)) == pytest.approx([1 / 3] * 3)


def test_windows_leave_the_hidden_days_alone():
    days = series_days(100, list(range(40, 60)))
    windows = list(windows_of(days))
    assert len(windows) == 4
    for window in windows:
        assert window.sum() == 13  # a sixth of 80 given days
        assert not (window & days.hidden).any()


def test_a_covariate_is_carried_to_hidden_days():
    days = series_days(60, list(range(30, 40)))
    rng = np.random.default_rng(0)
    covariate = np.repeat(rng.normal(size=(60, 1)), 4, axis=1)
    flows = 10 * (1 + 0.2 * covariate) + rng.normal(0, 0.05, (60, 4))
    shown = flows * days.given[:, None]
    fit = FLOW_MODELS["state-space"].load()
    errors = [
        np.abs(fit(days, FlowSample(shown, shown, one)).diagonal(shown) - flows[days.wanted]).max()
        for one in (None, covariate)
    ]
    assert errors[1] < 0.5 < errors[0]

"""Models on a small synthetic peninsula stand in the order that entrants of HuMob 2026 found."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

import humobctl as hm
from humobctl.predict.flow_series import state_space

WINDOWS = {
    "before": (dt.date(2023, 12, 4), dt.date(2023, 12, 17)),
    "after": (dt.date(2024, 2, 1), dt.date(2024, 2, 21)),
}


@pytest.fixture(scope="module")
def truth() -> pl.DataFrame:
    return hm.synth(flows=True, flows_grid="8x6", days=150, seed=1)


@pytest.mark.parametrize("window", WINDOWS)
def test_smoothed_days_are_nearer_than_interpolated_ones(truth, window, monkeypatch):
    monkeypatch.setattr(state_space, "PERSISTENCE", (0.95,))
    monkeypatch.setattr(state_space, "NOISE", (0.01, 0.1))
    inside = pl.col("date").is_between(*WINDOWS[window])
    hidden = truth.filter(inside).select("date").unique()
    series = pl.concat([truth.filter(~inside), hidden], how="diagonal").sort(
        "date", maintain_order=True
    )
    errors = [
        hm.evaluate_flow_series(
            hm.predict(series, model=model), truth, score_box="all", bootstrap=100
        )
        .to_frame()
        .filter(metric="combined_nrmse")["value"][0]
        for model in ("linear", "same-weekday", "boundary", "state-space")
    ]
    assert errors == sorted(errors, reverse=True)

"""Hidden days of daily flows: the models on synthetic peninsulas, before and after the shock."""

from __future__ import annotations

import datetime as dt
import os
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import polars as pl

import humobctl as hm
from benchmarks.harness import markdown
from humobctl.predict.flow_series.registry import FLOW_MODELS

SEEDS = int(os.environ.get("FLOW_SEEDS", "3"))
HIDDEN = (dt.date(2024, 2, 1), dt.date(2024, 3, 31))
"""What HuMob 2026 hides; hidden in both columns."""
WINDOWS = {
    "before the shock": (dt.date(2023, 11, 20), dt.date(2023, 12, 10)),
    "after it": HIDDEN,
}


def _hide(truth: pl.DataFrame, *windows: tuple[dt.date, dt.date]) -> pl.DataFrame:
    inside = pl.any_horizontal(pl.col("date").is_between(*window) for window in windows)
    days = truth.filter(inside).select("date").unique()
    return pl.concat([truth.filter(~inside), days], how="diagonal").sort(
        "date", maintain_order=True
    )


def _scores(seed: int, folder: Path) -> dict[tuple[str, str], float]:
    path = folder / "city.parquet"
    hm.synth(flows=True, seed=seed, output=path)
    truth = pl.read_parquet(path)
    found = {}
    for window, days in WINDOWS.items():
        series = _hide(truth, days, HIDDEN)
        for model in FLOW_MODELS:
            predicted = hm.predict(series, model=model).filter(pl.col("date").is_between(*days))
            scores = hm.evaluate_flow_series(predicted, truth, bootstrap=100).to_frame()
            value = scores.filter(metric="combined_nrmse")["value"][0]
            print(f"seed {seed}, {window}, {model}: {value:.4f}", file=sys.stderr, flush=True)
            found[model, window] = value
    return found


def table() -> str:
    """Combined NRMSE of each model, the mean over seeds and its range."""
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    for seed in range(SEEDS):
        with tempfile.TemporaryDirectory() as folder:
            for key, value in _scores(seed, Path(folder)).items():
                values[key].append(value)
    rows = [[model, *(_cell(values[model, window]) for window in WINDOWS)] for model in FLOW_MODELS]
    return markdown(["model", *WINDOWS], rows)


def _cell(values: list[float]) -> str:
    mean, low, high = (
        f"{one:.4f}"[1:] for one in (sum(values) / len(values), min(values), max(values))
    )
    return f"{mean} ({low}–{high})"

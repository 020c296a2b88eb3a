"""Where a generated population is at three times of a day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pictures.city import made, synthetic
from pictures.style import BLUE, GREEN, ORANGE, as_map, figure, save, scale_bar

PEOPLE = 3000
TIMES = (8, 13, 20)
"""Hours of the day."""
GROUPS = {
    "at home": (("go home", "go to sleep"), BLUE),
    "at work": (("go to work",), ORANGE),
    "elsewhere": ((), GREEN),
}
"""Intents and colours; elsewhere has all other intents."""
KM = 111.195


def draw() -> list[Path]:
    """Visits of a Monday at 8:00, 13:00 and 20:00."""
    files = synthetic(users=PEOPLE, seed=1)
    plans = made("plans.parquet", "intend", files["profiles"], "--weekday", "monday")
    more = ("--places", files["places"], "--people", files["profiles"])
    visits = pl.read_parquet(made("visits.parquet", "generate gravity", plans, *more))
    picture, axes = figure(3.9, 1, 3)
    for panel, hour in zip(axes[0], TIMES, strict=True):
        there = visits.filter((pl.col("start_min") <= 60 * hour) & (pl.col("end_min") > 60 * hour))
        _map(panel, there, visits)
        moving = PEOPLE - there.height
        panel.set_title(f"{hour}:00 ({moving:,} travel)")
    handles = axes[0, 0].get_legend_handles_labels()
    picture.legend(*handles, loc="outside upper right", ncols=3)
    return save(
        picture,
        "population_day",
        title="Where people are on a generated Monday",
        source=f"{PEOPLE:,} people of a synthetic city, a dot a person. Plans: intend (planner);"
        " places: generate gravity.\nSource: python -m pictures population_day.",
    )


def _map(panel: Any, there: pl.DataFrame, visits: pl.DataFrame) -> None:
    lat, lon = (visits[axis].median() for axis in ("lat", "lon"))
    east = (there["lon"] - lon).to_numpy() * KM * np.cos(np.radians(lat))
    north = (there["lat"] - lat).to_numpy() * KM
    intent = there["intent"].cast(pl.String)
    named = [word for words, _ in GROUPS.values() for word in words]
    colours, shown = np.full(there.height, "", dtype="U7"), []
    for name, (words, colour) in GROUPS.items():
        here = (intent.is_in(words) if words else ~intent.is_in(named)).to_numpy()
        colours[here] = colour
        shown.append(f"{name} {here.sum():,}")
        panel.scatter([], [], s=30, color=colour, label=name)
    mixed = np.random.default_rng(0).permutation(there.height)
    panel.scatter(
        east[mixed], north[mixed], s=4, c=colours[mixed], linewidths=0, alpha=0.8, rasterized=True
    )
    reach = 42
    panel.set_xlim(-reach, reach)
    panel.set_ylim(-reach, reach)
    panel.set_xlabel(", ".join(shown), fontsize=8)
    as_map(panel)
    scale_bar(panel, 20)

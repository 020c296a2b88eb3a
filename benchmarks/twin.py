"""A city's double: how real, how useful and how safe it is. Cities B and C, halves of the users."""

from __future__ import annotations

import numpy as np
import polars as pl

from benchmarks.harness import DATA, WORK
from humobctl.data.importers.stays import read_stays
from humobctl.data.measures import formulas
from humobctl.evaluate.generated.statistics import SAMPLES
from humobctl.native import Floats, Int64s
from humobctl.tables.cells import CELLS, encode_columns
from humobctl.tables.schemas import SLOTS_PER_DAY

FROM_STAYS = ("jump_distance", "radius", "daily_loc", "periodicity", "irank", "start")
SQUARE = 10
"""Cells along a side of the squares of 5 km in which presence is counted, too."""


def read_city(city: str) -> pl.DataFrame:
    """All true rows of a city."""
    return pl.read_csv(DATA / "humob" / f"city{city}_100users.csv.gz").sort("uid", "d", "t")


def histograms(rows: pl.DataFrame) -> dict[str, Floats]:
    """What is compared, each as counts of bins."""
    place = WORK / "twin_stays.arrow"
    rows.write_ipc(place)
    stays = read_stays(str(place)).on(None)
    found = {name: SAMPLES[name](stays).sample().counts for name in FROM_STAYS}
    return found | _of_records(rows.sort("uid", "d", "t").with_columns(cell=encode_columns()))


def _of_records(rows: pl.DataFrame) -> dict[str, Floats]:
    uid, cell = (rows[name].to_numpy().astype(np.int64) for name in ("uid", "cell"))
    first = formulas.find_starts(uid)
    users = rows.group_by("uid").agg(
        cells=pl.col("cell").n_unique(),
        entropy=formulas.shannon_entropy(pl.col("cell").value_counts().struct.field("count")),
    )
    days = rows.group_by("uid", "d").len()["len"].to_numpy()
    hour, x, y = (rows[name].to_numpy().astype(np.int64) for name in ("t", "x", "y"))
    hour = hour // 2
    square = (x - 1) // SQUARE * (200 // SQUARE) + (y - 1) // SQUARE
    return {
        "records a day": np.bincount(days, minlength=SLOTS_PER_DAY + 1).astype(float),
        "cells a user": _bins(users["cells"].to_numpy(), 25, 17),
        "entropy": _bins(users["entropy"].to_numpy(), 0.5, 18),
        "real entropy": _bins(formulas.real_entropy(first, cell), 0.5, 18),
        "presence, 5 km": np.bincount(hour * 400 + square, minlength=24 * 400).astype(float),
        "presence, cell": np.bincount(hour * CELLS + cell, minlength=24 * CELLS).astype(float),
    }


def _bins(values: Floats | Int64s, width: float, count: int) -> Floats:
    index = np.minimum((values / width).astype(np.int64), count - 1)
    return np.bincount(index, minlength=count).astype(float)

"""Small users and cities, made by hand."""

from __future__ import annotations

import numpy as np
import polars as pl

from humobctl.predict.base import UserHistory
from humobctl.predict.city_profile import CityCounter, CityProfile
from humobctl.tables.schemas import GRID


def user(known, targets, uid=1):
    """A user from rows (d, t, x, y) and slots (d, t)."""
    rows = np.array(known, dtype=np.int64).reshape(-1, 4)
    wanted = np.array(targets, dtype=np.int64).reshape(-1, 2)
    return UserHistory(uid, *rows.T.copy(), *wanted.T.copy())


def frame(rows):
    """A grid trajectory from rows (uid, d, t, x, y)."""
    return pl.DataFrame(rows, schema=GRID.dtypes, orient="row")


def city(rows=((9, 0, 20, 50, 60),), days=75) -> CityProfile:
    """The summary of a few rows."""
    counter = CityCounter(days)
    counter.add(frame(rows))
    return counter.city()

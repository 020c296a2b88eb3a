"""How often people return to places of days before, from stays of several days.

Exploration and preferential return (Song, Koren, Wang and Barabasi, *Modelling the scaling
properties of human mobility*, Nature Physics 6, 2010): who knows ``S`` places explores with
probability ``rho * S**-gamma``. A choice is a stay that is neither at home, nor at work, nor at a
place of earlier the same day, of a user who knows a place of days before that serves its intent.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import minimize

from humobctl.generate.gravity.distance_weights import MOST_RHO, SONG
from humobctl.native import Floats, Int64s

Flags = NDArray[np.bool_]
LEAST_RETURNS = 100
"""Choices below which nothing is fitted."""
_ALMOST = 1 - 1e-6


class Returns(NamedTuple):
    """Choices between a place of days before and another one.

    Attributes:
        known: places, home and work among them, of days before, at least 1, (n,).
        returned: whether the person went to one, (n,).
    """

    known: Floats
    returned: Flags


def find_returns(user: Int64s, day: Int64s, point: Floats, intent: Int64s, fixed: Flags) -> Returns:
    """The choices of stays in the order of user, day and time.

    Args:
        user: number of the user, not falling, (n,).
        day: number of the day, counted over all users, not falling, (n,).
        point: km, (n, 2); stays at one place have the same one.
        intent: number of the intent, (n,).
        fixed: whether each is at home or at work, (n,).
    """
    stays = pl.DataFrame(
        {
            **{"user": user, "day": day, "x": point[:, 0], "y": point[:, 1]},
            **{"intent": intent, "fixed": fixed},
        }
    )
    free = pl.col("day").filter(~pl.col("fixed")).min()
    place = ["user", "x", "y"]
    firsts = stays.group_by(place).agg(first=pl.col("day").min())
    ranked = firsts.sort("user", "first")
    key = ranked["user"].to_numpy() * (day.max() + 1) + ranked["first"].to_numpy()
    base = np.searchsorted(key, user * (day.max() + 1))
    known = np.searchsorted(key, user * (day.max() + 1) + day) - base
    chosen = stays.select(
        choice=~pl.col("fixed")
        & pl.struct("day", "x", "y").is_first_distinct()
        & (free.over("user", "intent") < pl.col("day")),
        returned=(free.over(*place, "intent") < pl.col("day")).fill_null(value=False),
    )
    rows = chosen["choice"].to_numpy()
    return Returns(known[rows].astype(np.float64), chosen["returned"].to_numpy()[rows])


def fit_returns(returns: Returns) -> tuple[float, float] | None:
    """Rho and gamma of the greatest likelihood; None where there are too few choices."""
    if len(returns.known) < LEAST_RETURNS:
        return None
    log = np.log(returns.known)

    def loss(values: Floats) -> float:
        explores = np.clip(values[0] * np.exp(-values[1] * log), 1 - _ALMOST, _ALMOST)
        return -float(np.log(np.where(returns.returned, 1 - explores, explores)).sum())

    bounds = [(0.0, MOST_RHO), (0.0, 5.0)]
    found = minimize(loss, np.array(SONG), method="Nelder-Mead", bounds=bounds).x
    return float(found[0]), float(found[1])

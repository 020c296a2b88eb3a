"""Differential privacy: a city's tables with noise, and habits that come from no user.

Of the real users only three tables are kept, each a sum over users of a vector of length at most 1,
with Gaussian noise: homes, cells, and records by day. One user more or
less changes all three together by so little that (epsilon, delta)-differential privacy holds
(``noise_for``). Everything else, from weights to the slots
of records, is that of the synthetic city (``data synth``), in which no data are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr

from humobctl.data.synth.run import SyntheticCity
from humobctl.data.twin.fit import fit_tables, read_users
from humobctl.data.twin.space import noisy_density
from humobctl.data.twin.tables import TwinTables, Users
from humobctl.native import Floats
from humobctl.tables.cells import CELLS

DELTA = 1e-5
_QUERIES = 3
_PUBLIC_USERS = 60


def noise_for(epsilon: float, delta: float = DELTA, queries: int = _QUERIES) -> float:
    """Standard deviation of Gaussian noise for some sums of vectors of length at most 1.

    Released together they are one vector of length at most the root of their number, for which the
    condition of Balle and Wang ("Improving the Gaussian mechanism for differential privacy", 2018,
    theorem 8) is exact: an accountant of compositions finds the same.
    """
    length = np.sqrt(queries)

    def excess(log_noise: float) -> float:
        noise = np.exp(log_noise)
        near, far = length / (2 * noise), epsilon * noise / length
        return float(ndtr(near - far) - np.exp(epsilon + log_ndtr(-near - far)) - delta)

    return float(np.exp(brentq(excess, np.log(1e-3), np.log(1e6))))


def fit_private(users: Users, epsilon: float, first_weekday: int, seed: int) -> TwinTables:
    """Tables of a city that are differentially private."""
    noise = noise_for(epsilon)
    rng = np.random.default_rng()  # what is drawn from a known seed could be taken off again
    days = int(users.day.max()) + 1
    public = pl.concat(list(SyntheticCity(_PUBLIC_USERS, days, seed=0).trajectories()))
    tables = fit_tables(read_users(public, first_weekday), first_weekday, seed)
    pairs = np.unique(users.user * CELLS + users.cell)
    owner, cell = np.divmod(pairs, CELLS)
    weight = 1 / np.sqrt(np.bincount(owner))[owner]
    visited = _release(np.bincount(cell, weight, CELLS).astype(np.float64), noise, rng)
    density = noisy_density(visited, noise)
    lived = np.bincount(users.home, minlength=CELLS).astype(np.float64)
    homes = noisy_density(_release(lived, noise, rng), noise) * density
    by_day = np.zeros((users.count, days))
    np.add.at(by_day, (users.user, users.day), 1)
    by_day /= np.linalg.norm(by_day, axis=1, keepdims=True)
    level = np.maximum(_release(by_day.sum(axis=0), noise, rng), 1e-9)
    rhythm = tables.rhythm
    pull = np.clip(np.log(level / level.mean()), -0.7, 0.7)
    return replace(
        tables,
        homes=homes / homes.sum(),
        places=replace(tables.places, density=density),
        rhythm=replace(rhythm, days=pull),
    )


def _release(table: Floats, noise: float, rng: np.random.Generator) -> Floats:
    """A sum of users' vectors of length at most 1, with noise."""
    noisy: Floats = table + rng.normal(0, noise, len(table))
    return noisy

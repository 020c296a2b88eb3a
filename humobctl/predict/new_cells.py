"""The chance that a row to predict lies in a cell that is new to its user.

Models give all probability to the user's own cells, and are then too sure of them: some 15 % of
records are in a cell that the user has not been in. A logistic regression of a few features of the
user and the row says how much of the probability is to be taken from the own cells:

    chance = 1 / (1 + exp(-weights . features))

Shapes: r target rows, n known rows.
"""

from __future__ import annotations

import numpy as np

from humobctl.native import Floats
from humobctl.predict.base import UserHistory
from humobctl.predict.city_profile import CityProfile
from humobctl.tables.cells import encode_cells

_RECENT = 14  # days

FEATURES = (
    "constant",
    "log_recent_new",
    "log_records",
    "hour_sine",
    "hour_cosine",
    "off",
    "log_best",
)
WEIGHTS = {
    "history": (0.6710, 0.4969, -0.4447, -0.0905, -0.4850, 0.3435, -0.7743),
    "ranker": (-0.1371, 0.5781, -0.2848, -0.1274, -0.5057, 0.3403, -0.8285),
}
"""By model, in the order of ``FEATURES``; learnt on days 30-44 of cities B and C by
``python -m benchmarks new-cells``."""


def new_cell_features(user: UserHistory, city: CityProfile, best: Floats) -> Floats:
    """Features of each target row, shape (r, 7).

    Args:
        user: known and target rows; at least one known.
        city: the calendar.
        best: probability of the likeliest of the user's cells in each row, shape (r,).
    """
    _, first = np.unique(encode_cells(user.x, user.y), return_index=True)
    fresh = np.zeros(len(user.d))
    fresh[first] = 1.0
    recent = user.d > user.d[-1] - _RECENT
    angle = user.target_t * (np.pi / 24)
    columns = [
        np.ones(len(best)),
        np.full(len(best), np.log((fresh[recent].sum() + 0.5) / (recent.sum() + 5.0))),
        np.full(len(best), np.log(len(user.d))),
        np.sin(angle),
        np.cos(angle),
        city.off[user.target_d].astype(np.float64),
        np.log(best),
    ]
    return np.stack(columns, axis=1)


def new_cell_chance(user: UserHistory, city: CityProfile, best: Floats, model: str) -> Floats:
    """Chance of a cell that is new to the user in each target row, shape (r,).

    Args:
        user: known and target rows; without a known row, no cell is new.
        city: the calendar.
        best: probability of the likeliest cell in each row, shape (r,).
        model: a key of ``WEIGHTS``.
    """
    if not len(user.d):
        return np.zeros(len(best))
    score = new_cell_features(user, city, best) @ np.array(WEIGHTS[model])
    chance: Floats = 1.0 / (1.0 + np.exp(-score))
    return chance

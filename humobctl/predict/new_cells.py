"""The chance that a row to predict lies in a cell that is new to its user.

Models give most probability to the user's own cells, and are too sure of them: some 15 % of
records are in a cell that the user has not been in. A logistic regression of a few features of the
user and the row says how much of the probability is to be taken from the own cells:

    chance = 1 / (1 + exp(-weights . features))

``train ranker`` learns the weights with the ranker, on its training windows. For every other model
they are learnt when it predicts, on the last known days of the users that are predicted, with the
history baseline's likeliest cell among the features, whatever the model.

Shapes: r target rows, n known rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from humobctl.native import Bools, Floats, Int64s
from humobctl.predict.base import SlotDistributions, UserHistory
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
USUAL = (0.6710, 0.4969, -0.4447, -0.0905, -0.4850, 0.3435, -0.7743)
"""Weights to begin from, in the order of ``FEATURES``: those of the history baseline on days 30-44
of cities B and C. Few rows leave them about as they are."""
_STRENGTH = 1.0  # of the pull towards them
_LEAST = 1e-9  # of the likeliest cell's probability


def row_features(user: UserHistory, city: CityProfile) -> Floats:
    """Features of each target row but for the last one, shape (r, 6).

    Args:
        user: known and target rows; at least one known.
        city: the calendar.
    """
    _, first = np.unique(encode_cells(user.x, user.y), return_index=True)
    fresh = np.zeros(len(user.d))
    fresh[first] = 1.0
    recent = user.d > user.d[-1] - _RECENT
    angle = user.target_t * (np.pi / 24)
    r = len(user.target_d)
    columns = [
        np.ones(r),
        np.full(r, np.log((fresh[recent].sum() + 0.5) / (recent.sum() + 5.0))),
        np.full(r, np.log(len(user.d))),
        np.sin(angle),
        np.cos(angle),
        city.off[user.target_d].astype(np.float64),
    ]
    return np.stack(columns, axis=1)


def with_best(features: Floats, best: Floats) -> Floats:
    """All features: those of the rows, and the probability of the likeliest own cell, (r, 7)."""
    return np.column_stack([features, np.log(np.maximum(best, _LEAST))])


def are_new(user: UserHistory, truth: Int64s) -> Bools:
    """Which of the true cells (r, 2) the user has not been in, shape (r,)."""
    cells = encode_cells(truth[:, 0], truth[:, 1])
    return ~np.isin(cells, encode_cells(user.x, user.y))


def fit_weights(features: Floats, new: Bools) -> Floats:
    """Weights by penalised likelihood, by Newton's method; ``USUAL`` where that fails.

    Args:
        features: of rows, shape (r, 7).
        new: which of them are in a cell new to their user, shape (r,).
    """
    usual = np.array(USUAL)
    w, pull = usual.copy(), _STRENGTH * np.eye(len(usual))
    for _ in range(30):
        chance = _chance(features, w)
        slope = features.T @ (chance - new) + _STRENGTH * (w - usual)
        bend = (features * (chance * (1.0 - chance))[:, None]).T @ features + pull
        w = w - np.linalg.solve(bend, slope)
    return w if np.isfinite(w).all() else usual


def _chance(features: Floats, weights: Floats) -> Floats:
    chance: Floats = 1.0 / (1.0 + np.exp(-np.clip(features @ weights, -30.0, 30.0)))
    return chance


def read_weights(config: dict[str, Any]) -> Floats | None:
    """Weights that a model dir holds by name of the feature; None where it holds none.

    Raises:
        ValueError: they are of other features, or not numbers.
    """
    found = config.get("new_cells")
    if found is None:
        return None
    if list(found) != list(FEATURES):
        raise ValueError(f"new_cells: found {', '.join(found)}, expected {', '.join(FEATURES)}")
    weights = np.array([float(value) for value in found.values()])
    if not np.isfinite(weights).all():
        raise ValueError("new_cells: found numbers that are not finite")
    return weights


def name_weights(weights: Sequence[float] | Floats) -> dict[str, float]:
    """Weights as a model dir holds them."""
    return dict(zip(FEATURES, map(float, weights), strict=True))


def spare_new_cells(
    user: UserHistory, dist: SlotDistributions, city: CityProfile, weights: Floats, best: Floats
) -> SlotDistributions:
    """The distribution with the chance of a cell new to the user taken from the user's own cells.

    Cells that are new to the user keep their probability, up to that chance.

    Args:
        user: known and target rows; without a known row, the distribution stays as it is.
        dist: of a model.
        city: the calendar.
        weights: see ``fit_weights``.
        best: probability of the likeliest own cell in each row by the model whose weights these
            are, shape (r,).
    """
    if not len(user.d):
        return dist
    chance = _chance(with_best(row_features(user, city), best), weights)
    own = ~are_new(user, dist.cells.astype(np.int64))
    mine, others = dist.p[:, own].sum(axis=1), dist.p[:, ~own].sum(axis=1)
    of_own = np.where(mine > 0, (1.0 - chance) / np.where(mine > 0, mine, 1.0), 1.0)
    of_others = np.where((mine > 0) & (others > chance), chance / np.maximum(others, _LEAST), 1.0)
    return replace(dist, p=dist.p * np.where(own, of_own[:, None], of_others[:, None]))

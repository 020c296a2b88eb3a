"""Two predictors' distributions mixed: p = (1 - w) * p_model + w * p_history.

The weight that makes validation rows likeliest has one maximum, which expectation maximisation
finds (Dempster, Laird, Rubin 1977).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from humobctl.models.city import City
from humobctl.models.distribution import SlotDistributions, UserHistory
from humobctl.models.registry import MODELS, Model, Options, distributions
from humobctl.native import Floats, Int32s, Int64s

PARTNER = "history"
_ROUNDS = 100
FLOOR = 1e-6  # of a likelihood: a cell outside of both models' candidates tells nothing


class Blended:
    """A model and the history model, mixed."""

    def __init__(self, model: Model, city: City, weight: float) -> None:
        """Mix ``model`` with the history model, which has the share ``weight``."""
        self.model, self.weight = model, weight
        self.partner: Model = MODELS[PARTNER].load()(city, Options())
        self.batch_users = getattr(model, "batch_users", 1)

    def distribution(self, user: UserHistory) -> SlotDistributions:
        """The mixed distribution of one user."""
        return self.distributions([user])[0]

    def distributions(self, users: Sequence[UserHistory]) -> list[SlotDistributions]:
        """The mixed distributions of several users."""
        found = distributions(self.model, users)
        return [
            mixed(one, self.partner.distribution(user), self.weight) if len(user.d) else one
            for one, user in zip(found, users, strict=True)
        ]


def mixed(one: SlotDistributions, other: SlotDistributions, weight: float) -> SlotDistributions:
    """(1 - weight) * one + weight * other, over the candidates of both."""
    keys = np.union1d(_keys(one.cells), _keys(other.cells))
    p = np.zeros((len(one.p), len(keys)))
    p[:, np.searchsorted(keys, _keys(one.cells))] = (1 - weight) * one.p
    p[:, np.searchsorted(keys, _keys(other.cells))] += weight * other.p
    cells = np.stack([keys >> 10, keys & 1023], axis=1).astype(np.int32)
    return SlotDistributions(cells, p)


def learn_weight(model: Model, city: City, asked: Iterable[tuple[UserHistory, Int32s]]) -> float:
    """The history model's weight under which the true cells are likeliest.

    Only rows count whose cell both models have a share for: a cell that a person has never been to
    tells which model expects the unexpected, not which one ranks the person's own cells better.

    Args:
        model: the other model.
        city: of both.
        asked: users, and the true cells of their rows to predict, shape (r, 2).
    """
    people = list(asked)
    partner: Model = MODELS[PARTNER].load()(city, Options())
    users = [user for user, _ in people]
    pairs = [
        (likelihood(one, truth), likelihood(partner.distribution(user), truth))
        for one, (user, truth) in zip(distributions(model, users), people, strict=True)
    ]
    if not pairs:
        return 0.0
    p, q = (np.concatenate(part) for part in zip(*pairs, strict=True))
    both = (p > FLOOR) & (q > FLOOR)
    if not both.any():
        return 0.0
    p, q = p[both], q[both]
    weight = 0.5
    for _ in range(_ROUNDS):
        weight = float(np.mean(weight * q / ((1 - weight) * p + weight * q)))
    return weight


def _keys(cells: Int32s) -> Int64s:
    keys: Int64s = cells[:, 0].astype(np.int64) * 1024 + cells[:, 1]
    return keys


def likelihood(dist: SlotDistributions, truth: Int32s) -> Floats:
    """Probability of the true cell of each row, shape (r,)."""
    keys = _keys(dist.cells)
    order = np.argsort(keys)
    wanted = _keys(truth)
    place = order[np.searchsorted(keys, wanted, sorter=order).clip(max=len(keys) - 1)]
    p = dist.p[np.arange(len(truth)), place]
    found: Floats = np.maximum(np.where(keys[place] == wanted, p, 0.0), FLOOR)
    return found

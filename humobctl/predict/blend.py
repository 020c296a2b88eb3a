"""Two predictors' distributions mixed: p = (1 - w) * p_model + w * p_history.

The weight is learnt on validation days by the scores that predictions are made for: likelihood
hangs on the rare rows in cells that no model could foresee, and prefers the less certain model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from humobctl.evaluate.cells.align import AlignedDays
from humobctl.evaluate.cells.run import CellEvalSettings, score
from humobctl.native import Floats, Int32s, Int64s
from humobctl.predict.base import (
    PredictOptions,
    Predictor,
    SlotDistributions,
    UserHistory,
    distributions,
)
from humobctl.predict.baselines.history import History
from humobctl.predict.city_profile import CityProfile
from humobctl.predict.decode_days.config import BLENDED, DEFAULTS
from humobctl.tables.cells import decode_cells, encode_cells

WEIGHTS = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
FLOOR = 1e-6  # of a likelihood: a cell outside of both models' candidates tells nothing


class Blended:
    """A model and the history baseline, mixed.

    Attributes:
        days: how its whole days are decoded.
    """

    def __init__(self, model: Predictor, city: CityProfile, weight: float) -> None:
        """Mix ``model`` with the history baseline, which has the weight ``weight``."""
        self.model, self.weight = model, weight
        self.partner = History(city, PredictOptions())
        self.batch_users = getattr(model, "batch_users", 1)
        self.days = BLENDED if weight < 1 else DEFAULTS

    def distribution(self, user: UserHistory) -> SlotDistributions:
        """The mixed distribution of one user."""
        return self.distributions([user])[0]

    def distributions(self, users: Sequence[UserHistory]) -> list[SlotDistributions]:
        """The mixed distributions of several users."""
        found = distributions(self.model, users)
        return [
            mix(one, self.partner.distribution(user), self.weight) if len(user.d) else one
            for one, user in zip(found, users, strict=True)
        ]


def mix(one: SlotDistributions, other: SlotDistributions, weight: float) -> SlotDistributions:
    """(1 - weight) * one + weight * other, over the candidates of both."""
    keys = np.union1d(_keys(one.cells), _keys(other.cells))
    p = np.zeros((len(one.p), len(keys)))
    p[:, np.searchsorted(keys, _keys(one.cells))] = (1 - weight) * one.p
    p[:, np.searchsorted(keys, _keys(other.cells))] += weight * other.p
    return SlotDistributions(decode_cells(keys), p)


def blend_in_words(weight: float) -> str:
    """What a weight of the history baseline means."""
    if weight >= 1:
        return (
            "blend 1: predictions are those of the history baseline alone, since mixing in the "
            "model made a score worse; --model history gives the same predictions faster"
        )
    if weight <= 0:
        return "blend 0: predictions are the model's alone, without the history baseline"
    return (
        f"blend {weight:g}: predictions mix {1 - weight:.0%} of the model's probabilities with "
        f"{weight:.0%} of the history baseline's"
    )


def best_weight(score: Callable[[float], Floats], alone: Floats) -> float:
    """The history baseline's weight at which the score that gains least gains most.

    A gain is relative to the history baseline alone, weight 1, which is the answer where at every
    other weight a score loses.

    Args:
        score: scores at a weight, the higher the better, shape (scores,).
        alone: those of the history baseline alone.
    """
    best, most = 1.0, 0.0
    for weight in WEIGHTS:
        gain = float(((score(weight) - alone) / np.maximum(np.abs(alone), FLOOR)).min())
        if gain > most:
            best, most = weight, gain
    return best


def user_scores(
    user: UserHistory, cells: Int32s, truth: Int32s, settings: CellEvalSettings
) -> dict[str, float]:
    """Scores of a user's predicted cells (r, 2) by column, each a mean over days."""
    d = user.target_d
    begins = np.flatnonzero(np.diff(d, prepend=-1))
    x, y, true_x, true_y = (
        np.ascontiguousarray(some[:, axis], np.int32) for some in (cells, truth) for axis in (0, 1)
    )
    days = AlignedDays(
        uid=np.full(len(begins), user.uid),
        d=d[begins],
        starts=np.append(begins, len(d)),
        slot=user.target_t,
        generated=(x, y),
        reference=(true_x, true_y),
    )
    return {name: float(values.mean()) for name, values in score(days, settings).items()}


def _keys(cells: Int32s) -> Int64s:
    return encode_cells(cells[:, 0], cells[:, 1])


def likelihood(dist: SlotDistributions, truth: Int32s) -> Floats:
    """Probability of the true cell of each row, shape (r,)."""
    keys = _keys(dist.cells)
    order = np.argsort(keys)
    wanted = _keys(truth)
    place = order[np.searchsorted(keys, wanted, sorter=order).clip(max=len(keys) - 1)]
    p = dist.p[np.arange(len(truth)), place]
    found: Floats = np.maximum(np.where(keys[place] == wanted, p, 0.0), FLOOR)
    return found

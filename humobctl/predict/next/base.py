"""What every model of next places takes and gives."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from humobctl.native import Floats, Int64s
from humobctl.predict.next.city import NextCity
from humobctl.predict.next.data import UserRecords
from humobctl.predict.next.evidence import Evidence


class NextModel(Protocol):
    """Anything that gives candidates probabilities."""

    def probabilities(self, user: UserRecords, found: Evidence) -> Floats:
        """Probability of each candidate, at most 1 in a row together, shape (r, k + N).

        The rest is that of places beyond the candidates.
        """
        ...


def spread_over(shares: Floats, candidates: Int64s, city: NextCity, weight: float) -> Floats:
    """The shares, with some weight for all candidates by their number of visitors.

    Args:
        shares: sum to 1 or to 0, shape (r, K).
        candidates: places, -1 for none, shape (r, K).
        city: that the candidates are in.
        weight: of the visitors; 1 where the shares are all 0.
    """
    there = candidates >= 0
    popular = np.where(there, city.visitors[np.maximum(candidates, 0)] + 0.1, 0.0)
    popular /= np.maximum(popular.sum(axis=1, keepdims=True), 1e-12)
    none = shares.sum(axis=1, keepdims=True) <= 0
    mixed: Floats = np.where(none, popular, (1 - weight) * shares + weight * popular)
    return mixed

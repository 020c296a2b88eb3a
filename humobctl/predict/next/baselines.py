"""Baselines of next places: the most frequent ones, and Markov chains with back-off.

p0 = (1 - e) * share of the user's records + e * share of visitors        e = 0.05
p1 = (c(a, b) + h * p0(b)) / (c(a) + h)     pairs of the user that begin at the last place a
p2 = (c(z, a, b) + h * p1(b)) / (c(z, a) + h)       the same after the last two places, h = 1
"""

from __future__ import annotations

import numpy as np

from humobctl.native import Floats
from humobctl.predict.next.base import spread_over
from humobctl.predict.next.city import NextCity
from humobctl.predict.next.data import UserRecords
from humobctl.predict.next.evidence import FOLLOWS, FOLLOWS_TWO, VISITS, Evidence

_POPULAR = 0.05
_BACK_OFF = 1.0


class MarkovChain:
    """Shares of the user's past after the last places; of order 0, of the whole past."""

    def __init__(self, city: NextCity, order: int) -> None:
        self.city, self.order = city, order

    def probabilities(self, user: UserRecords, found: Evidence) -> Floats:
        """Probability of each candidate, shape (r, k + N)."""
        p = spread_over(_shares(found, VISITS), found.candidates, self.city, _POPULAR)
        for kernel in (FOLLOWS, FOLLOWS_TWO)[: self.order]:
            counts = np.zeros_like(p)
            counts[:, : len(found.own)] = found.weights[kernel]
            p = (counts + _BACK_OFF * p) / (counts.sum(axis=1, keepdims=True) + _BACK_OFF)
        return p


def _shares(found: Evidence, kernel: int) -> Floats:
    """Shares of the candidates by a kernel; 0 for new ones."""
    shares = np.zeros(found.candidates.shape)
    shares[:, : len(found.own)] = found.weights[kernel]
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-12)
    return shares

"""Conditional logit: the weights by which one of several alternatives is chosen.

An alternative's score is the sum of its weights, one of each factor (McFadden, "Conditional logit
analysis of qualitative choice behavior", 1974); the chance that it is chosen is the softmax over
the alternatives of its event. At the maximum of the likelihood every bin of every factor is chosen
as often as the model expects, so a fit is a table of counts.

Shapes: A alternatives of all events, E events, F factors, W weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from humobctl.native import Floats, Int64s

RIDGE = 1.0
"""Pull of the weights to 0, in events."""


@dataclass(frozen=True)
class Choices:
    """What was chosen of what.

    Attributes:
        bins: the weight of each factor that an alternative has, (A, F); weight 0 is always 0.
        event: of each alternative, not falling, (A,).
        chosen: the alternative that each event chose, (E,).
        owner: whose each event is, (E,).
        base: a known part of each score, (A,).
        size: number of weights.
    """

    bins: Int64s
    event: Int64s
    chosen: Int64s
    owner: Int64s
    base: Floats
    size: int

    @cached_property
    def first(self) -> Int64s:
        """Where the alternatives of each event begin, (E,)."""
        return np.searchsorted(self.event, np.arange(len(self.chosen)))

    @cached_property
    def matrix(self) -> csr_matrix:
        """Which alternative has which weights, (A, W)."""
        rows, factors = self.bins.shape
        ends = np.arange(0, rows * factors + 1, factors)
        ones = np.ones(rows * factors)
        return csr_matrix((ones, self.bins.ravel(), ends), shape=(rows, self.size))

    def chances(self, weights: Floats) -> Floats:
        """Chance of each alternative, (A,)."""
        score = self.base + self.matrix @ weights
        score -= np.maximum.reduceat(score, self.first)[self.event]
        chance = np.exp(score)
        shares: Floats = chance / np.add.reduceat(chance, self.first)[self.event]
        return shares


def fit_weights(choices: Choices, start: Floats | None = None, steps: int = 40) -> Floats:
    """The weights of the greatest likelihood, with a ridge, (W,); the first is 0."""
    taken = np.zeros(len(choices.event))
    taken[choices.chosen] = 1.0
    observed = choices.matrix.T @ taken

    def loss(weights: Floats) -> tuple[float, Floats]:
        chance = choices.chances(weights)
        gradient = choices.matrix.T @ chance - observed + RIDGE * weights
        gradient[0] = 0.0
        value = -np.log(np.maximum(chance[choices.chosen], 1e-300)).sum()
        return value + RIDGE / 2 * (weights**2).sum(), gradient

    start = np.zeros(choices.size) if start is None else start
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": steps})
    weights: Floats = found.x
    return weights


def fit_both(
    choices: Choices, values: Floats, people: int, pull: float = 4.0
) -> tuple[Floats, Floats]:
    """The weights of all people, and slopes of each of them on some values of the alternatives.

    Args:
        choices: what was chosen of what.
        values: of the alternatives, (A, V).
        people: number of them.
        pull: of the slopes to 0: the inverse of the variance that is expected of them.

    Returns:
        Weights (W,) and slopes (people, V), from steps of one and of the others in turn.
    """
    owner = choices.owner[choices.event]
    taken = values[choices.chosen]
    slopes, weights = np.zeros((people, values.shape[1])), np.zeros(choices.size)
    for steps in (30, 8, 8):
        base = choices.base + (slopes[owner] * values).sum(axis=1)
        weights = fit_weights(replace_base(choices, base), weights, steps)
        for _ in range(3):
            base = choices.base + (slopes[owner] * values).sum(axis=1)
            chance = replace_base(choices, base).chances(weights)
            for number, value in enumerate(values.T):
                mean = np.bincount(choices.event, chance * value)
                spread = np.bincount(choices.event, chance * value**2) - mean**2
                miss = np.bincount(choices.owner, taken[:, number] - mean, minlength=people)
                room = np.bincount(choices.owner, spread, minlength=people)
                step = (miss - pull * slopes[:, number]) / (room + pull)
                slopes[:, number] += 0.7 * np.clip(step, -1, 1)
    return weights, slopes


def replace_base(choices: Choices, base: Floats) -> Choices:
    """The same choices with another known part; what is computed of the weights is kept."""
    other = replace(choices, base=base)
    other.__dict__.update({name: getattr(choices, name) for name in ("first", "matrix")})
    return other

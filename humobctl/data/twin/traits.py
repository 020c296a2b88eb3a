"""What people differ in: a Gaussian copula over smoothed quantiles of each trait."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from humobctl.native import Floats

_QUANTILES = np.linspace(0, 1, 9)


@dataclass(frozen=True)
class PeopleTraits:
    """How traits are distributed.

    Attributes:
        quantiles: of each trait, (TRAITS, 9).
        correlation: of their normal scores, (TRAITS, TRAITS).
    """

    quantiles: Floats
    correlation: Floats

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """PeopleTraits of new people, (count, TRAITS)."""
        scores = rng.multivariate_normal(np.zeros(len(self.quantiles)), self.correlation, count)
        return np.column_stack(
            [
                np.interp(ndtr(score), _QUANTILES, quantiles)
                for score, quantiles in zip(scores.T, self.quantiles, strict=True)
            ]
        )


def fit_traits(values: Floats) -> PeopleTraits:
    """The distribution of the traits of users, (users, TRAITS)."""
    users = len(values)
    ranks = (values.argsort(axis=0).argsort(axis=0) + 0.5) / users
    scores = ndtri(ranks)
    correlation = scores.T @ scores / max((scores[:, 0] ** 2).sum(), 1e-9)
    # Few users say little of how traits go together.
    own = users / (users + 20)
    correlation = own * correlation + (1 - own) * np.eye(values.shape[1])
    return PeopleTraits(np.quantile(values, _QUANTILES, axis=0).T, correlation)

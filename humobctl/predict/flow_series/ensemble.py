"""A weighted mean of models, with weights from windows hidden among the given days.

L. Breiman, Machine Learning 24 (1996) 49: stacked regressions, here with weights from 0 that sum
to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.optimize import nnls

from humobctl.native import Bools, Floats
from humobctl.predict.flow_series.base import FlowModel, FlowSample, SeriesDays
from humobctl.predict.flow_series.boundary import boundary
from humobctl.predict.flow_series.ridge import ridge
from humobctl.predict.flow_series.state_space import state_space

MEMBERS: tuple[Callable[[SeriesDays, FlowSample], FlowModel], ...] = (boundary, ridge, state_space)
WINDOWS = 4
"""Windows that are hidden to choose the weights."""


@dataclass(frozen=True)
class Ensemble:
    """Models and their weights, which sum to 1."""

    members: list[FlowModel]
    diagonal_weights: Floats
    pair_weights: Floats

    def diagonal(self, flows: Floats) -> Floats:
        """Flows within cells."""
        return _mix([one.diagonal(flows) for one in self.members], self.diagonal_weights)

    def pairs(self, flows: Floats) -> Floats:
        """Flows between cells."""
        return _mix([one.pairs(flows) for one in self.members], self.pair_weights)


def ensemble(days: SeriesDays, sample: FlowSample) -> Ensemble:
    """The members fitted to all given days, weighted by their errors on hidden windows."""
    diagonal, pairs = _Errors(), _Errors()
    for window in windows_of(days):
        inner = days.hide(window)
        shown = blank(sample, inner)
        models = [fit(inner, shown) for fit in MEMBERS]
        diagonal.add(
            sample.diagonal[inner.wanted], [one.diagonal(shown.diagonal) for one in models]
        )
        pairs.add(sample.pairs[inner.wanted], [one.pairs(shown.pairs) for one in models])
    return Ensemble(
        [fit(days, sample) for fit in MEMBERS],
        diagonal_weights=simplex_weights(diagonal.gram, diagonal.crossed),
        pair_weights=simplex_weights(pairs.gram, pairs.crossed),
    )


@dataclass
class _Errors:
    """Sums of products of predictions, and of predictions and true flows."""

    gram: Floats = field(default_factory=lambda: np.zeros((len(MEMBERS), len(MEMBERS))))
    crossed: Floats = field(default_factory=lambda: np.zeros(len(MEMBERS)))

    def add(self, truth: Floats, predicted: list[Floats]) -> None:
        columns = np.stack([np.maximum(one, 0).ravel() for one in predicted])
        self.gram += columns @ columns.T
        self.crossed += columns @ truth.ravel()


def windows_of(days: SeriesDays) -> Iterator[Bools]:
    """Windows of given days, as long as the hidden period, a sixth of the given days at most."""
    known = days.known
    length = max(1, min(len(days.wanted), len(known) // 6))
    starts = np.linspace(0, len(known) - length, WINDOWS + 2)[1:-1].astype(int)
    for start in sorted(set(starts.tolist())):
        window = np.zeros(len(days.dates), dtype=bool)
        window[known[start : start + length]] = True
        if window.sum() < len(known):
            yield window


def simplex_weights(gram: Floats, crossed: Floats) -> Floats:
    """Weights from 0 that sum to 1, with the least squared errors; equal without evidence."""
    size = len(crossed)
    scale = float(np.trace(gram))
    if not scale > 0:
        return np.full(size, 1 / size)
    gram, crossed = gram / scale, crossed / scale
    root = np.linalg.cholesky(gram + 1e-9 * np.eye(size)).T
    # A row of great weight holds the sum at 1 (Lawson and Hanson, 1974, chapter 22).
    rows = np.vstack([root, np.full(size, 1e3)])
    weights = nnls(rows, np.append(np.linalg.solve(root.T, crossed), 1e3))[0]
    result: Floats = weights / weights.sum()
    return result


def blank(sample: FlowSample, days: SeriesDays) -> FlowSample:
    """The sample with 0 on days that are not given."""
    given = days.given[:, None]
    return replace(sample, diagonal=sample.diagonal * given, pairs=sample.pairs * given)


def _mix(predicted: list[Floats], weights: Floats) -> Floats:
    result = np.zeros_like(predicted[0])
    for one, weight in zip(predicted, weights.tolist(), strict=True):
        if weight:
            result += (weight * np.maximum(one, 0)).astype(one.dtype)
    return result

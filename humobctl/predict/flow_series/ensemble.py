"""A weighted mean of models, with weights from windows hidden among the given days.

L. Breiman, Machine Learning 24 (1996) 49: stacked regressions, here with weights from 0 that sum
to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

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
    size = len(MEMBERS)
    sums = {name: (np.zeros((size, size)), np.zeros(size)) for name in ("diagonal", "pairs")}
    for window in windows_of(days):
        inner = days.hide(window)
        models = [fit(inner, sample) for fit in MEMBERS]
        for name, (gram, crossed) in sums.items():
            flows = getattr(sample, name)
            truth = flows[inner.wanted].ravel()
            columns = np.stack([getattr(one, name)(_blank(flows, inner)).ravel() for one in models])
            gram += columns @ columns.T
            crossed += columns @ truth
    weights = {name: simplex_weights(*sums[name]) for name in sums}
    return Ensemble([fit(days, sample) for fit in MEMBERS], weights["diagonal"], weights["pairs"])


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
    """Weights from 0 that sum to 1, with the least sum of squared errors; equal without evidence."""
    size = len(crossed)
    scale = float(np.trace(gram))
    if not scale > 0:
        return np.full(size, 1 / size)
    gram, crossed = gram / scale, crossed / scale
    root = np.linalg.cholesky(gram + 1e-9 * np.eye(size)).T
    # A row of great weight holds the sum at 1 (Lawson and Hanson, 1974, chapter 22).
    rows = np.vstack([root, np.full(size, 1e3)])
    weights: Floats = nnls(rows, np.append(np.linalg.solve(root.T, crossed), 1e3))[0]
    return weights / weights.sum()


def _blank(flows: Floats, days: SeriesDays) -> Floats:
    return flows * days.given[:, None]


def _mix(predicted: list[Floats], weights: Floats) -> Floats:
    result = np.zeros_like(predicted[0])
    for one, weight in zip(predicted, weights.tolist(), strict=True):
        if weight:
            result += (weight * np.maximum(one, 0)).astype(one.dtype)
    return result

"""What models of hidden days take and give.

A series is the flow of one pair, one value a day. Models see arrays of (days, series) over all days
from the first to the last, with 0 where a day is not given; a day is given, to be predicted, or
neither (missing data).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from humobctl.native import Bools, Floats, Int64s

Dates = NDArray[np.datetime64]


@dataclass(frozen=True)
class SeriesDays:
    """The days of a series.

    Attributes:
        dates: every day from the first to the last (datetime64[D]).
        given: days whose flows are known; a pair without a row has the flow 0 there.
        hidden: days to predict.
        types: type of each day (``day_types``), from 0.
    """

    dates: Dates
    given: Bools
    hidden: Bools
    types: Int64s

    @property
    def known(self) -> Int64s:
        """Positions of the given days."""
        return np.flatnonzero(self.given)

    @property
    def wanted(self) -> Int64s:
        """Positions of the days to predict."""
        return np.flatnonzero(self.hidden)

    def hide(self, window: Bools) -> SeriesDays:
        """Days with the given ones of a window to predict; other hidden days are missing."""
        wanted = self.given & window
        return replace(self, given=self.given & ~wanted, hidden=wanted)


@dataclass(frozen=True)
class FlowSample:
    """What models learn from, (days, series).

    Attributes:
        diagonal: flows within cells, of all cells.
        pairs: flows between cells, of a sample of the pairs.
        covariate: values of cells, centred and standardised; None without any.
    """

    diagonal: Floats
    pairs: Floats
    covariate: Floats | None = None


class FlowModel(Protocol):
    """Predicts series from their given days; pairs come in parts, in any number."""

    def diagonal(self, flows: Floats) -> Floats:
        """Flows within cells: from (days, cells) to (hidden days, cells)."""
        ...

    def pairs(self, flows: Floats) -> Floats:
        """Flows between cells: from (days, pairs) to (hidden days, pairs)."""
        ...


@dataclass(frozen=True)
class LinearModel:
    """Each hidden day is a weighted sum of given days, with the same weights for all series.

    Attributes:
        weights: (hidden days, days), 0 where a day is not given.
    """

    weights: Floats

    def diagonal(self, flows: Floats) -> Floats:
        """Flows within cells."""
        return self.pairs(flows)

    def pairs(self, flows: Floats) -> Floats:
        """Flows between cells."""
        return self.weights.astype(flows.dtype) @ flows


def neighbours(days: SeriesDays, day: int, count: int, same: Bools | None = None) -> list[Int64s]:
    """The ``count`` nearest given days before and after a day, of those in ``same``.

    Returns:
        Positions before and after; where one side has none, both are the other's.
    """
    known = days.known if same is None else np.flatnonzero(days.given & same)
    cut = int(np.searchsorted(known, day))
    before, after = known[max(cut - count, 0) : cut], known[cut : cut + count]
    if not len(before):
        before = after
    return [before, after if len(after) else before]


def progress_between(before: Int64s, after: Int64s, day: int) -> float:
    """How far a day lies between the nearest days before and after, from 0 to 1."""
    if not len(before) or before[-1] >= after[0]:
        return 0.0
    return float((day - before[-1]) / (after[0] - before[-1]))

"""How values spread: mean, quantiles and range, of values in memory and of very many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humobctl.native import Floats, Int64s

QUANTILES = {
    "p5": 0.05,
    "p10": 0.1,
    "p25": 0.25,
    "median": 0.5,
    "p75": 0.75,
    "p90": 0.9,
    "p95": 0.95,
}
SPREAD_COLUMNS = ("mean", "5 %", "25 %", "median", "75 %", "95 %", "max")
"""What ``Spread.cells`` shows."""
_DIGITS = 3
_TENS = np.array([float(f"1e{power}") for power in range(330)])


@dataclass(frozen=True)
class Spread:
    """How values spread, over users for one; all None where there is none.

    Attributes:
        count: number of values.
        mean, min, max: of all.
        p5, p10, p25, median, p75, p90, p95: quantiles, interpolated between ranks.
    """

    count: int
    mean: float | None = None
    min: float | None = None
    p5: float | None = None
    p10: float | None = None
    p25: float | None = None
    median: float | None = None
    p75: float | None = None
    p90: float | None = None
    p95: float | None = None
    max: float | None = None

    def cells(self) -> tuple[str, ...]:
        """The columns ``SPREAD_COLUMNS`` for people."""
        shown = (self.mean, self.p5, self.p25, self.median, self.p75, self.p95, self.max)
        return tuple(map(show_number, shown))


def spread(values: Floats) -> Spread:
    """The spread of values; NaN counts as no value."""
    values = np.asarray(values, np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        return Spread(0)
    found = np.quantile(values, list(QUANTILES.values())).tolist()
    return Spread(
        count=len(values),
        mean=float(values.mean()),
        min=float(values.min()),
        max=float(values.max()),
        **dict(zip(QUANTILES, found, strict=True)),
    )


def weighted_spread(values: Floats | Int64s, counts: Int64s) -> Spread:
    """The spread of ascending values that occur ``counts`` times."""
    total = int(counts.sum())
    if not total:
        return Spread(0)
    ends = np.cumsum(counts)

    def at(share: float) -> float:
        rank = share * (total - 1)
        low, high = (
            float(values[np.searchsorted(ends, r, side="right")])
            for r in (int(rank), -(-rank // 1))
        )
        return low + (high - low) * (rank - int(rank))

    there = values[counts > 0]
    return Spread(
        count=total,
        mean=float((values * counts).sum() / total),
        min=float(there[0]),
        max=float(there[-1]),
        **{name: at(share) for name, share in QUANTILES.items()},
    )


class ValueTally:
    """The spread of any number of values from 0 in little memory.

    Quantiles are those of the values rounded to three digits (whole numbers below 1,000 are exact);
    mean, smallest and largest value are exact.
    """

    def __init__(self) -> None:
        self._values, self._counts = np.zeros(0), np.zeros(0, np.int64)
        self._sum, self._min, self._max = 0.0, np.inf, -np.inf

    def add(self, values: Floats) -> None:
        """Take in values, all finite and from 0."""
        if not len(values):
            return
        self._sum += float(values.sum())
        self._min = min(self._min, float(values.min()))
        self._max = max(self._max, float(values.max()))
        found, counts = np.unique(round_digits(values), return_counts=True)
        merged, where = np.unique(np.concatenate([self._values, found]), return_inverse=True)
        weights = np.concatenate([self._counts, counts])
        self._counts = np.bincount(where, weights, minlength=len(merged)).astype(np.int64)
        self._values = merged

    def spread(self) -> Spread:
        """The summary of all values so far."""
        found = weighted_spread(self._values, self._counts)
        if not found.count:
            return found
        exact = {"mean": self._sum / found.count, "min": self._min, "max": self._max}
        return Spread(**{**vars(found), **exact})


def round_digits(values: Floats) -> Floats:
    """Values from 0, rounded to three digits."""
    with np.errstate(divide="ignore"):
        power = np.where(values > 0, np.floor(np.log10(values)), _DIGITS - 1)
    power = power.astype(np.int64) - (_DIGITS - 1)
    # Divided by a whole power of ten, a decimal is the nearest one to what it says.
    large, small = _TENS[np.maximum(power, 0)], _TENS[np.maximum(-power, 0)]
    rounded: Floats = np.round(values / large * small) * large / small
    return rounded


def show_number(value: float | None) -> str:
    """A number for people."""
    if value is None:
        return "-"
    if abs(value) < 1:
        return f"{value:.3g}"
    rounded = round(value, 2)
    return f"{rounded:,.0f}" if rounded == int(rounded) else f"{rounded:,.2f}"

"""How far two sets of origin-destination flows agree: common parts, RMSE, correlation.

Flows are sparse: only pairs with trips are held, so a grid of 200 by 200 cells, which
has 1.6 billion pairs, takes no more than its trips. Sums over all pairs, the empty ones too, follow
from those of the others in closed form.

The common part of commuters is Lenormand et al.'s (PLoS ONE 7, 2012, e45985; Journal of Transport
Geography 51, 2016), which is the Sorensen-Dice index of the flows::

    CPC = 2 sum min(A, B) / (sum A + sum B)

CPL is the same of the pairs that are travelled at all, CPD the same of the trips by distance, in
bins of 2 km (their CPC_d, written so that the totals need not be equal).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humobctl.evaluate.scores import TableScore
from humobctl.native import Floats, Int64s
from humobctl.tables.stays import Stays

DISTANCE_BIN_KM = 2.0
"""Width of the bins of CPD (Lenormand et al., 2016)."""


@dataclass(frozen=True)
class Flows:
    """Flows between numbered areas; every column has the shape (pairs,).

    Attributes:
        origin: number of the area that a flow leaves.
        destination: number of the area that it goes to; a pair stands here at most once.
        flow: trips, above 0.
        areas: how many areas there are, with those without trips.
    """

    origin: Int64s
    destination: Int64s
    flow: Floats
    areas: int

    @property
    def total(self) -> float:
        """All trips."""
        return float(self.flow.sum())

    def times(self, factor: float) -> Flows:
        """The same flows, each ``factor`` times as large."""
        return Flows(self.origin, self.destination, self.flow * factor, self.areas)

    def between_areas(self) -> Flows:
        """The flows without those from an area to itself."""
        keep = self.origin != self.destination
        return Flows(self.origin[keep], self.destination[keep], self.flow[keep], self.areas)


def count_flows(
    origin: Int64s, destination: Int64s, areas: int, flow: Floats | None = None
) -> Flows:
    """Flows from single trips, or from flows in which a pair may stand several times.

    Args:
        origin: number of the area that each trip leaves, shape (trips,).
        destination: number of the area that it goes to.
        areas: how many areas there are.
        flow: trips that each row stands for; 1 unless given.
    """
    base = _base(destination)
    keys, place = np.unique(origin * base + destination, return_inverse=True)
    sums = np.bincount(place, weights=flow, minlength=len(keys)).astype(np.float64)
    some = sums > 0
    return Flows(keys[some] // base, keys[some] % base, sums[some], areas)


def _base(*numbers: Int64s) -> np.int64:
    """What a number is multiplied with, so that a pair of numbers is one."""
    return np.int64(1 + max((int(part.max()) for part in numbers if len(part)), default=0))


def align(first: Flows, second: Flows) -> tuple[Floats, Floats]:
    """The two flows of each pair that either has, in the same order, 0 where one has none."""
    base = _base(first.destination, second.destination)
    keys = [f.origin * base + f.destination for f in (first, second)]
    union, place = np.unique(np.concatenate(keys), return_inverse=True)
    values = np.zeros((2, len(union)))
    values[0, place[: len(keys[0])]] = first.flow
    values[1, place[len(keys[0]) :]] = second.flow
    return values[0], values[1]


def common_part(a: Floats, b: Floats) -> float:
    """Twice what both have over the sum of both, from 0 to 1; NaN where both are empty.

    Args:
        a: amounts, at least 0, of any shape.
        b: the other amounts, in the same order.
    """
    total = a.sum() + b.sum()
    return float(2.0 * np.minimum(a, b).sum() / total) if total > 0 else float("nan")


def root_mean_square(a: Floats, b: Floats, pairs: int) -> float:
    """Root of the mean squared difference; of ``pairs`` pairs, those not given are 0 in both."""
    return float(np.sqrt(((a - b) ** 2).sum() / pairs)) if pairs else float("nan")


def pearson(a: Floats, b: Floats, pairs: int) -> float:
    """Pearson's correlation; of ``pairs`` pairs, those not given are 0 in both.

    Returns:
        NaN where one of the two is the same everywhere.
    """
    if not pairs:
        return float("nan")
    mean_a, mean_b, empty = a.sum() / pairs, b.sum() / pairs, pairs - len(a)
    # Around the means, not as differences of large sums: those would cancel.
    covariance = ((a - mean_a) * (b - mean_b)).sum() + empty * mean_a * mean_b
    spread_a = ((a - mean_a) ** 2).sum() + empty * mean_a**2
    spread_b = ((b - mean_b) ** 2).sum() + empty * mean_b**2
    spread = np.sqrt(spread_a) * np.sqrt(spread_b)
    return float(np.clip(covariance / spread, -1.0, 1.0)) if spread > 0 else float("nan")


def by_distance(flow: Floats, km: Floats, bins: int) -> Floats:
    """Trips by distance, in bins of ``DISTANCE_BIN_KM``, shape (bins,)."""
    number = (km / DISTANCE_BIN_KM).astype(np.int64)
    return np.bincount(number, weights=flow, minlength=bins).astype(np.float64)


def common_part_of_distances(first: tuple[Floats, Floats], second: tuple[Floats, Floats]) -> float:
    """CPD: the common part of two sets of trips by how far they go.

    Args:
        first: flows, and the km that each goes, of shape (pairs,) each.
        second: the same of the others; the pairs need not be the same.
    """
    longest = max((float(km.max()) for _, km in (first, second) if len(km)), default=0.0)
    bins = int(longest / DISTANCE_BIN_KM) + 1
    return common_part(by_distance(*first, bins), by_distance(*second, bins))


def compare_flows(
    generated: Flows,
    real: Flows,
    *,
    pairs: int,
    settings: tuple[tuple[str, str], ...] = (),
    km: tuple[Floats, Floats] | None = None,
) -> list[TableScore]:
    """Scores of flows against real ones.

    Args:
        generated: flows between the same areas as ``real``.
        real: the real flows.
        pairs: how many pairs of areas there are, the empty ones too.
        settings: what changes the values, for the signatures.
        km: how far each flow of ``generated`` and of ``real`` goes, for CPD.

    Returns:
        cpc, cpl, cpd (with ``km``), rmse and correlation over all pairs of areas, the empty ones
        too, and over the pairs that either has (``_travelled``).
    """
    a, b = align(generated, real)
    found = [
        ("cpc", common_part(a, b), "share", True),
        ("cpl", common_part(np.sign(a), np.sign(b)), "share", True),
    ]
    if km is not None:
        share = common_part_of_distances((generated.flow, km[0]), (real.flow, km[1]))
        found.append(("cpd", share, "share", True))
    for name, number in (("", pairs), ("_travelled", len(a))):
        found.append((f"rmse{name}", root_mean_square(a, b, number), "trips", False))
        found.append((f"correlation{name}", pearson(a, b, number), "", True))
    return [TableScore(*score, (*_settings(score[0], pairs), *settings)) for score in found]


def _settings(name: str, pairs: int) -> tuple[tuple[str, str], ...]:
    if name == "cpd":
        return (("bins", f"{DISTANCE_BIN_KM:g}km"),)
    return (("pairs", str(pairs) if name in ("rmse", "correlation") else "travelled"),)


# -- trips of stays -----------------------------------------------------------------------------


def cells_of(tables: list[Stays], cell_km: float) -> tuple[list[Int64s], int, Floats]:
    """The cells that stays lie in, on a square grid through the centre of their common plane.

    Args:
        tables: stays on one plane.
        cell_km: side of a cell.

    Returns:
        For each table the number of each stay's cell; how many cells the smallest rectangle around
        all stays has; and the centres of the numbered cells in km, shape (numbered cells, 2).
    """
    side = 1000.0 * cell_km
    east = np.floor(np.concatenate([t.east for t in tables]) / side).astype(np.int64)
    north = np.floor(np.concatenate([t.north for t in tables]) / side).astype(np.int64)
    if not len(east):
        return [np.empty(0, np.int64) for _ in tables], 0, np.empty((0, 2))
    high = int(np.ptp(north)) + 1
    cells, number = np.unique((east - east.min()) * high + north - north.min(), return_inverse=True)
    corner = np.stack([cells // high + east.min(), cells % high + north.min()], axis=1)
    ends = np.cumsum([len(t) for t in tables])[:-1]
    return np.split(number, ends), (int(np.ptp(east)) + 1) * high, (corner + 0.5) * cell_km


def trips(stays: Stays) -> Int64s:
    """Rows of stays that a trip leaves: the person goes to another place on the same day."""
    same = (stays.uid[1:] == stays.uid[:-1]) & (stays.day[1:] == stays.day[:-1])
    return np.flatnonzero(same & (stays.place[1:] != stays.place[:-1]))


def flows(generated: Stays, real: Stays, *, cell_km: float) -> list[TableScore]:
    """Scores of the flows between the cells of a square grid, of generated against real people.

    A trip is two stays at different places that follow each other in a person-day; trips within a
    cell count. The grid lies through the centre of the plane that both tables share. Generated
    flows are scaled to the real number of trips, so that the numbers of people need not be equal.

    Args:
        generated: stays of generated people.
        real: stays of real people, on the same plane.
        cell_km: side of a cell in km.

    Returns:
        What ``compare_flows`` returns, in real trips.
    """
    numbers, cells, centres = cells_of([generated, real], cell_km)
    made, true = (
        _flows_of(stays, cell, cells)
        for stays, cell in zip((generated, real), numbers, strict=True)
    )
    made = made.times(true.total / made.total) if made.total else made
    km = [np.hypot(*(centres[f.origin] - centres[f.destination]).T) for f in (made, true)]
    settings = (("cell", f"{cell_km:g}km"), ("scaled", "real-trips"))
    return compare_flows(made, true, pairs=cells**2, settings=settings, km=(km[0], km[1]))


def _flows_of(stays: Stays, cell: Int64s, cells: int) -> Flows:
    leave = trips(stays)
    return count_flows(cell[leave], cell[leave + 1], cells)

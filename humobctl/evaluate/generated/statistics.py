"""What generated and real data are compared by: distributions of stays, one function each.

The metrics are those of MoveSim (Feng et al., "Learning to simulate human mobility", KDD 2020) and
of CoPB (Shao et al., 2024), whose evaluation scripts were read for bins and definitions. What is
different here, and why, is in docs/generated_data.md. To add one: a line in ``BINS``, a function
in ``SAMPLES``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.data.measures import formulas
from humobctl.evaluate.divergence import wasserstein
from humobctl.native import Floats, Int32s
from humobctl.tables.copb_reference import DURATION_BIN, DURATION_BINS
from humobctl.tables.schemas import INTENTS
from humobctl.tables.stays import UNKNOWN_INTENT, Stays

TOP = 100
"""Ranks of places that G-rank and I-rank look at (MoveSim)."""
KM = 1000.0


@dataclass(frozen=True)
class Bins:
    """Equal bins from ``low``.

    Attributes:
        count: number of bins.
        width: of each, in ``unit``.
        unit: of the values.
        low: where the first bin begins.
        open_end: whether one more bin holds all values above; otherwise the last one holds its end.
        text: how signatures write them, where "COUNTxWIDTH" would not say it.
    """

    count: int
    width: float
    unit: str = ""
    low: float = 0.0
    open_end: bool = False
    text: str = ""

    def __str__(self) -> str:
        """As signatures write them, such as ``50x0.6km+open``."""
        return self.text or f"{self.count}x{self.width:g}{self.unit}" + "+open" * self.open_end

    def histogram(self, values: Floats) -> Floats:
        """Values by bin, shape (count,), or (count + 1,) with an open end."""
        size = self.count + self.open_end
        # A quotient that should be whole may lie a last bit below.
        index = np.floor((values - self.low) / self.width + 1e-9).astype(np.int64)
        counts: Floats = np.bincount(np.clip(index, 0, size - 1), minlength=size).astype(np.float64)
        return counts

    def edges(self) -> list[float | None]:
        """Ends of the bins; None for an open end."""
        ends: list[float | None] = [
            round(self.low + self.width * index, 9) for index in range(self.count + 1)
        ]
        return [*ends, None] if self.open_end else ends


_KILOMETRES = Bins(50, 0.6, "km", open_end=True)
_HALF_HOURS = Bins(DURATION_BINS, float(DURATION_BIN), "min")
_RANKS = Bins(TOP, 1.0, "rank", low=1.0, text=f"rank1-{TOP}")
BINS: dict[str, Bins] = {
    "jump_distance": _KILOMETRES,
    "radius": _KILOMETRES,
    "duration": _HALF_HOURS,
    "daily_loc": Bins(19, 1.0, "places", low=1.0, open_end=True, text="1-19+open"),
    "periodicity": Bins(48, 1 / 48, text="48x1/48"),
    "grank": _RANKS,
    "irank": _RANKS,
    "start": _HALF_HOURS,
    "intent": Bins(len(INTENTS), 1.0, text=f"{len(INTENTS)}"),
}
"""Bins of each metric. Jumps and radii have those of CoPB's scripts: 30 km in 50 bins."""


@dataclass(frozen=True)
class Sample:
    """One statistic of one side of a comparison.

    Attributes:
        counts: by bin, for the divergence; all 0 where it is not known.
        values: the values themselves, for the Wasserstein distance; None for categories.
        weights: of the values; all the same where None.
    """

    counts: Floats
    values: Floats | None = None
    weights: Floats | None = None

    @property
    def known(self) -> bool:
        """Whether there is anything to compare."""
        return bool(self.counts.sum())

    def apart(self, other: Sample) -> float | None:
        """Wasserstein-1 distance in the unit of the values; None for categories."""
        if self.values is None or other.values is None:
            return None
        return wasserstein(self.values, other.values, self.weights, other.weights)


def _bin(name: str, values: Floats) -> Sample:
    return Sample(BINS[name].histogram(values), values)


# -- of stays ------------------------------------------------------------------------------------


def jump_distance(stays: Stays) -> Sample:
    """Kilometres between one stay of a day and the next."""
    values, follows = _jumps(stays)
    return _bin("jump_distance", values[follows])


def _jumps(stays: Stays) -> tuple[Floats, NDArray[np.bool_]]:
    """Kilometres from the stay before, and whether that is of the same day; shape (stays,)."""
    lengths = formulas.jump_lengths(stays.north, stays.east, formulas.straight_line)
    return lengths / KM, formulas.find_follows(stays.day_starts())


def duration(stays: Stays) -> Sample:
    """Minutes of a stay, if known: not of one without length, such as a day's last check-in."""
    length = stays.end - stays.start
    return _whole_minutes("duration", length[length > 0])


def start(stays: Stays) -> Sample:
    """Minutes of the day at which stays begin."""
    return _whole_minutes("start", stays.start)


def _whole_minutes(name: str, minutes: Int32s) -> Sample:
    """Minutes counted, so that a million of them need not be sorted."""
    weights = np.bincount(minutes).astype(np.float64)
    values = np.arange(len(weights), dtype=np.float64)
    bins = BINS[name]
    index = np.minimum(values // bins.width, bins.count - 1).astype(np.int64)
    counts = np.bincount(index, weights, minlength=bins.count).astype(np.float64)
    return Sample(counts, values, weights)


def intent(stays: Stays) -> Sample:
    """Stays by intent."""
    known = stays.intent[stays.intent != UNKNOWN_INTENT]
    return Sample(np.bincount(known, minlength=len(INTENTS)).astype(np.float64))


# -- of person-days ------------------------------------------------------------------------------


def radius(stays: Stays) -> Sample:
    """Radius of gyration of a person-day in kilometres.

    ``sqrt(mean(|r_i - r_mean|^2))`` over its stays, which all count the same, however long
    (Gonzalez, Hidalgo and Barabasi, 2008).
    """
    found = formulas.radius_of_gyration(
        stays.day_starts(), stays.north, stays.east, formulas.straight_line
    )
    return _bin("radius", found / KM)


def daily_loc(stays: Stays) -> Sample:
    """Distinct places of a person-day."""
    return _bin("daily_loc", _places_by_day(stays)[0])


def periodicity(stays: Stays) -> Sample:
    """Distinct places of a person-day over its stays: 1 where no place comes again (CoPB)."""
    places, lengths = _places_by_day(stays)
    return _bin("periodicity", places / lengths)


def _places_by_day(stays: Stays) -> tuple[Floats, Floats]:
    """Distinct places, and stays, of each person-day."""
    lengths = np.diff(stays.day_starts())
    days = np.repeat(np.arange(len(lengths)), lengths)
    different = pl.DataFrame({"day": days, "place": stays.place}).unique()["day"].to_numpy()
    places = np.bincount(different, minlength=len(lengths))
    return places.astype(np.float64), lengths.astype(np.float64)


# -- of places and people ------------------------------------------------------------------------


def grank(stays: Stays) -> Sample:
    """Visits of the most visited places, by rank; a visit is a stay."""
    counts = np.sort(pl.Series(stays.place).value_counts()["count"].to_numpy())[::-1]
    return _rank(counts[:TOP].astype(np.float64))


def irank(stays: Stays) -> Sample:
    """Share of a person's visits that go to each one's first, second, ... place, over all days.

    The mean over people, by rank.
    """
    visits = pl.DataFrame({"user": stays.uid, "place": stays.place})
    ranked = formulas.add_shares(formulas.rank_locations(visits))
    shares = np.bincount(ranked["rank"].to_numpy(), ranked["share"].to_numpy(), minlength=TOP)
    return _rank(shares[:TOP] / max(1, stays.people()))


def _rank(by_rank: Floats) -> Sample:
    counts = np.zeros(TOP)
    counts[: len(by_rank)] = by_rank
    return Sample(counts, np.arange(1.0, TOP + 1), counts)


SAMPLES: dict[str, Callable[[Stays], Sample]] = {
    "jump_distance": jump_distance,
    "radius": radius,
    "duration": duration,
    "daily_loc": daily_loc,
    "periodicity": periodicity,
    "grank": grank,
    "irank": irank,
    "start": start,
    "intent": intent,
}
BY_INTENT = ("jump_distance", "duration", "start")


def by_intent(stays: Stays, code: int) -> dict[str, Sample]:
    """The statistics in ``BY_INTENT`` of one intent; its jumps are those that lead to its stays."""
    wanted = stays.intent == code
    values, follows = _jumps(stays)
    mine = stays.take(wanted)
    return {
        "jump_distance": _bin("jump_distance", values[follows & wanted]),
        "duration": duration(mine),
        "start": start(mine),
    }

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
from humobctl.native import Floats, Int32s, Int64s
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

    @property
    def size(self) -> int:
        """Number of bins, the open one included."""
        return self.count + self.open_end

    def index(self, values: Floats) -> Int64s:
        """The bin of each value."""
        # A quotient that should be whole may lie a last bit below.
        index = np.floor((values - self.low) / self.width + 1e-9).astype(np.int64)
        return np.clip(index, 0, self.size - 1)

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
        values: the values themselves, ascending, for the Wasserstein distance; None for categories.
        weights: of the values.
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


@dataclass(frozen=True)
class Observed:
    """What was observed of people, so that a statistic is known for any number of each of them.

    Attributes:
        owner: whose each observation is, an index of people, shape (observations,).
        level: which of ``values`` each observation has.
        values: values that there are, ascending.
        bins: bin of each value, the same shape.
        count: number of bins.
        weights: of the observations; all 1 where None.
        ordered: whether values lie on a line; otherwise they are categories.
    """

    owner: Int64s
    level: Int64s
    values: Floats
    bins: Int64s
    count: int
    weights: Floats | None = None
    ordered: bool = True

    def sample(self, people: Floats | None = None) -> Sample:
        """The statistic where person i is there ``people[i]`` times; once each where None."""
        weights = self.weights
        if people is not None:
            weights = people[self.owner] if weights is None else people[self.owner] * weights
        by_value = np.bincount(self.level, weights, minlength=len(self.values)).astype(np.float64)
        counts = np.bincount(self.bins, by_value, minlength=self.count).astype(np.float64)
        return Sample(counts, self.values, by_value) if self.ordered else Sample(counts)


@dataclass(frozen=True)
class ObservedPlaces:
    """Visits of places by people, for the popularity of places by rank.

    Attributes:
        owner: who visited, an index of people, shape (visits,).
        place: what was visited, from 0.
    """

    owner: Int64s
    place: Int64s

    def sample(self, people: Floats | None = None) -> Sample:
        """Visits by rank where person i is there ``people[i]`` times; once each where None."""
        visits = np.bincount(self.place, None if people is None else people[self.owner])
        by_rank = np.sort(visits)[::-1][:TOP].astype(np.float64)
        counts = np.zeros(TOP)
        counts[: len(by_rank)] = by_rank
        return Sample(counts, _TOP_RANKS, counts)


_TOP_RANKS = np.arange(1.0, TOP + 1)


def _observe(name: str, owner: Int64s, found: Floats) -> Observed:
    """Values in the bins of a metric."""
    values, level = np.unique(found, return_inverse=True)
    return Observed(owner, level, values, BINS[name].index(values), BINS[name].size)


# -- of stays ------------------------------------------------------------------------------------


def jump_distance(stays: Stays) -> Observed:
    """Kilometres between one stay of a day and the next."""
    values, follows = _jumps(stays)
    return _observe("jump_distance", stays.person_index()[follows], values[follows])


def _jumps(stays: Stays) -> tuple[Floats, NDArray[np.bool_]]:
    """Kilometres from the stay before, and whether that is of the same day; shape (stays,)."""
    lengths = formulas.jump_lengths(stays.north, stays.east, formulas.straight_line)
    return lengths / KM, formulas.find_follows(stays.day_starts())


def duration(stays: Stays) -> Observed:
    """Minutes of a stay, if known: not of one without length, such as a day's last check-in."""
    length = stays.end - stays.start
    known = length > 0
    return _whole_minutes("duration", stays.person_index()[known], length[known])


def start(stays: Stays) -> Observed:
    """Minutes of the day at which stays begin."""
    return _whole_minutes("start", stays.person_index(), stays.start)


def _whole_minutes(name: str, owner: Int64s, minutes: Int32s) -> Observed:
    """Minutes are their own levels, so that a million of them need not be sorted."""
    values = np.arange(minutes.max(initial=0) + 1, dtype=np.float64)
    bins = BINS[name]
    index = np.minimum(values // bins.width, bins.count - 1).astype(np.int64)
    return Observed(owner, minutes.astype(np.int64), values, index, bins.count)


def intent(stays: Stays) -> Observed:
    """Stays by intent."""
    known = stays.intent != UNKNOWN_INTENT
    kinds = np.arange(len(INTENTS))
    return Observed(
        stays.person_index()[known],
        stays.intent[known].astype(np.int64),
        kinds.astype(np.float64),
        kinds,
        len(INTENTS),
        ordered=False,
    )


# -- of person-days ------------------------------------------------------------------------------


def radius(stays: Stays) -> Observed:
    """Radius of gyration of a person-day in kilometres.

    ``sqrt(mean(|r_i - r_mean|^2))`` over its stays, which all count the same, however long
    (Gonzalez, Hidalgo and Barabasi, 2008).
    """
    starts = stays.day_starts()
    found = formulas.radius_of_gyration(starts, stays.north, stays.east, formulas.straight_line)
    return _observe("radius", stays.person_index()[starts[:-1]], found / KM)


def daily_loc(stays: Stays) -> Observed:
    """Distinct places of a person-day."""
    owner, places, _ = _places_by_day(stays)
    return _observe("daily_loc", owner, places)


def periodicity(stays: Stays) -> Observed:
    """Distinct places of a person-day over its stays: 1 where no place comes again (CoPB)."""
    owner, places, lengths = _places_by_day(stays)
    return _observe("periodicity", owner, places / lengths)


def _places_by_day(stays: Stays) -> tuple[Int64s, Floats, Floats]:
    """Person, distinct places, and stays, of each person-day."""
    starts = stays.day_starts()
    lengths = np.diff(starts)
    days = np.repeat(np.arange(len(lengths)), lengths)
    different = pl.DataFrame({"day": days, "place": stays.place}).unique()["day"].to_numpy()
    places = np.bincount(different, minlength=len(lengths))
    owner = stays.person_index()[starts[:-1]]
    return owner, places.astype(np.float64), lengths.astype(np.float64)


# -- of places and people ------------------------------------------------------------------------


def grank(stays: Stays) -> ObservedPlaces:
    """Visits of the most visited places, by rank; a visit is a stay."""
    place = np.unique(stays.place, return_inverse=True)[1].astype(np.int64)
    return ObservedPlaces(stays.person_index(), place)


def irank(stays: Stays) -> Observed:
    """Share of a person's visits that go to each one's first, second, ... place, over all days.

    The mean over people, by rank.
    """
    visits = pl.DataFrame({"user": stays.person_index(), "place": stays.place})
    ranked = formulas.add_shares(formulas.rank_locations(visits)).filter(pl.col("rank") < TOP)
    owner, rank, share = (ranked[name].to_numpy() for name in ("user", "rank", "share"))
    return Observed(owner, rank, _TOP_RANKS, np.arange(TOP), TOP, share)


SAMPLES: dict[str, Callable[[Stays], Observed | ObservedPlaces]] = {
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
    whose = stays.person_index()[follows & wanted]
    return {
        "jump_distance": _observe("jump_distance", whose, values[follows & wanted]).sample(),
        "duration": duration(mine).sample(),
        "start": start(mine).sample(),
    }

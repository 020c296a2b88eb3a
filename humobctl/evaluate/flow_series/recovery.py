"""Classes of areas by how their flow changes after a shock and later (docs/humob2026.md).

The names are those that entrants of the challenge use in public: persistent decrease, partial
recovery,
recovered, and their mirror images. Let b be the mean daily flow out of an area (its own included)
before the shock, s that of the days after it, l that of the last days of the series; r = s / b and
q = l / b. Areas whose b, s and l are all below ``INACTIVE`` are inactive, those of b alone
emergent. Changes up to ``CHANGE`` do not count; where ``PART`` of the first change is made
good, the recovery (or dissipation) is partial.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import numpy as np

from humobctl.native import Floats, Int64s
from humobctl.tables.flow_series import FlowDay

INACTIVE = 0.5
CHANGE = 0.1
PART = 0.25
SHOCK_DAYS = 30
LATE_DAYS = 60
NOTO = dt.date(2024, 1, 1)
"""The earthquake of the Noto peninsula."""
CLASSES = (
    "inactive",
    "emergent",
    "stable",
    "recovered",
    "partial recovery",
    "persistent decrease",
    "delayed decrease",
    "temporary increase",
    "partial dissipation",
    "persistent increase",
    "delayed increase",
)


@dataclass
class AreaTotals:
    """Flow out of each area by day, which grows as days are read.

    Attributes:
        days: day -> flow by number of area.
    """

    days: dict[dt.date, Floats] = field(default_factory=dict)

    def add(self, day: FlowDay) -> None:
        """Add a day; a hidden one is left out."""
        if not day.hidden:
            pairs = day.pairs
            self.days[day.date] = np.bincount(day.origin[pairs], weights=day.flow[pairs]).astype(
                np.float64
            )

    def mean(self, days: list[dt.date], areas: int) -> Floats:
        """Mean flow out of each of the areas over days."""
        total = np.zeros(areas)
        for day in days:
            found = self.days[day]
            total[: len(found)] += found
        return total / len(days)

    def periods(self, shock: dt.date) -> tuple[list[dt.date], ...]:
        """Days before the shock, the first after it, and the last of the series."""
        dates = sorted(self.days)
        end = shock + dt.timedelta(days=SHOCK_DAYS)
        after = [day for day in dates if shock <= day < end]
        later = [day for day in dates if day >= end]
        last = dates[-1] - dt.timedelta(days=LATE_DAYS) if dates else shock
        return [day for day in dates if day < shock], after, [day for day in later if day > last]


def classify(totals: AreaTotals, areas: int, shock: dt.date) -> Int64s | None:
    """The class of each area, as a place in ``CLASSES``; None where a period has no day."""
    periods = totals.periods(shock)
    if not all(periods):
        return None
    return classes_of(*(totals.mean(days, areas) for days in periods))


def classes_of(before: Floats, after: Floats, late: Floats) -> Int64s:
    """The class of areas of such mean flows, as a place in ``CLASSES``."""
    base = np.maximum(before, 1e-300)
    first, last = after / base - 1, late / base - 1
    healed = np.where(np.abs(first) > 0, (first - last) / np.where(first == 0, 1, first), 0)
    conditions = [
        ("inactive", (before < INACTIVE) & (after < INACTIVE) & (late < INACTIVE)),
        ("emergent", before < INACTIVE),
        ("recovered", (first < -CHANGE) & (last >= -CHANGE)),
        ("partial recovery", (first < -CHANGE) & (healed >= PART)),
        ("persistent decrease", first < -CHANGE),
        ("temporary increase", (first > CHANGE) & (last <= CHANGE)),
        ("partial dissipation", (first > CHANGE) & (healed >= PART)),
        ("persistent increase", first > CHANGE),
        ("delayed decrease", last < -CHANGE),
        ("delayed increase", last > CHANGE),
    ]
    return np.select(
        [found for _, found in conditions],
        [CLASSES.index(name) for name, _ in conditions],
        CLASSES.index("stable"),
    ).astype(np.int64)

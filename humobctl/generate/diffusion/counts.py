"""What a generation did: counts that add up over parts of people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from humobctl.console import report
from humobctl.console.words import counted
from humobctl.execution.task import Tally


@dataclass
class DiffusionTally(Tally):
    """What was done.

    Attributes:
        people, days, visits: how many.
        joined: visits that go on at the place of the one before.
        strange: events of a category that the model has not learnt.
        elsewhere: events of a category that no place has.
        snapped: how many points lie so many metres from their places, whole metres.
    """

    people: int = 0
    days: int = 0
    visits: int = 0
    joined: int = 0
    strange: int = 0
    elsewhere: int = 0
    snapped: Counter[int] = field(default_factory=Counter)

    def tell(self) -> None:
        """Say it."""
        report.info(f"{self.days:,} days of {self.people:,} people, {self.visits:,} visits")
        if self.joined:
            report.info(
                f"{counted(self.joined, 'visit')} joined with the one before, at the same place"
            )
        if self.strange:
            report.warn(
                f"{counted(self.strange, 'event')} with a category that the model has not learnt "
                "are drawn by home, work and other"
            )
        if self.elsewhere:
            report.warn(
                f"{counted(self.elsewhere, 'event')} with a category that no place has are at "
                "places of their intent"
            )
        if self.snapped:
            away, points = np.array(sorted(self.snapped.items())).T
            share = np.cumsum(points) / points.sum()
            middle, most = away[np.searchsorted(share, [0.5, 0.95])]
            report.info(
                f"points lie {middle:,} m from their places in the middle, "
                f"{most:,} m at the 95th percentile"
            )

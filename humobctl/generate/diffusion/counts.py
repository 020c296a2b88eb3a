"""What a generation did: counts that add up over parts of people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.execution.task import Tally

MOST_OFF = 2.0
"""Factor by which the visits a day may differ from those of the training data."""


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

    def tell(self, usual: float | None = None) -> None:
        """Say it.

        Args:
            usual: visits a day of the training data, where the model makes the visits itself.
        """
        report.info(
            f"{pluralize(self.days, 'day')} of {pluralize(self.people, 'person')}, "
            f"{pluralize(self.visits, 'visit')}"
        )
        mean = self.visits / max(self.days, 1)
        if usual and self.days and not 1 / MOST_OFF <= mean / usual <= MOST_OFF:
            report.warn(
                f"{mean:.1f} visits a day, where the training data have {usual:.1f}: the model has "
                "not learnt its days; train it for more steps, or with --preset small"
            )
        if self.joined:
            report.info(
                f"{pluralize(self.joined, 'visit')} joined with the one before, at the same place"
            )
        if self.strange:
            report.warn(
                f"{pluralize(self.strange, 'event')} with a category that the model has not learnt "
                "are drawn by home, work and other"
            )
        if self.elsewhere:
            report.warn(
                f"{pluralize(self.elsewhere, 'event')} with a category that no place has are at "
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

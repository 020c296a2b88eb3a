"""What is in day plans: who, which days, activities by intent, how whole the days are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from humobctl.data.describe.activities import (
    CODES,
    DAY_MINUTES,
    ActivityTally,
    IntentNumbers,
    intent_section,
)
from humobctl.data.describe.description import (
    Section,
    TableDescription,
    share_of,
    spread_section,
)
from humobctl.data.measures.spread import Spread, spread
from humobctl.errors import HumobError


@dataclass(repr=False)
class PlansDescription(TableDescription):
    """What ``describe_plans`` found.

    Attributes:
        activities, users: how many.
        first_day, last_day, days: first and last day, and days with an activity.
        user_days: days of users with an activity.
        whole_days: those that activities fill from 0:00 to 24:00 without gap or overlap.
        with_reason: activities with a reason.
        intents: intent -> its activities.
        duration_min: of activities that last; ``without_duration`` counts the others.
        overlaps: activities that begin before an earlier one of their user ends.
        gaps, gap_min: times between activities of a user, their number and length.
        activities_per_user_day, days_per_user: over user-days, over users.
        by_hour: beginnings of activities by hour of the clock, 24.
    """

    activities: int
    users: int
    first_day: int
    last_day: int
    days: int
    user_days: int
    whole_days: int
    with_reason: int
    intents: dict[str, IntentNumbers]
    duration_min: Spread
    without_duration: int
    overlaps: int
    gaps: int
    gap_min: Spread
    activities_per_user_day: Spread
    days_per_user: Spread
    by_hour: list[int] = field(repr=False)

    def sections(self) -> list[Section]:
        """Coverage and quality, then intents."""
        rows = [
            ("users", f"{self.users:,}"),
            ("activities", f"{self.activities:,}"),
            ("days", f"{self.days:,} (first {self.first_day}, last {self.last_day})"),
            ("user-days", f"{self.user_days:,}"),
            ("user-days filled without gap or overlap", share_of(self.whole_days, self.user_days)),
            ("activities that overlap an earlier one", share_of(self.overlaps, self.activities)),
            ("gaps between activities", f"{self.gaps:,}"),
            ("activities with a reason", share_of(self.with_reason, self.activities)),
        ]
        return [
            self.totals(rows),
            spread_section(
                "over user-days and users",
                {
                    "activities per user-day": self.activities_per_user_day,
                    "days per user": self.days_per_user,
                    "duration, min": self.duration_min,
                    "gap between activities, min": self.gap_min,
                },
            ),
            intent_section(self.intents, "activities"),
        ]


def describe_plans(batches: Iterable[pl.DataFrame], source: str) -> PlansDescription:
    """Describe checked batches of intentions, in any order of rows.

    Args:
        batches: columns of ``schemas.INTENTIONS``.
        source: name of the input.

    Raises:
        HumobError: the input cannot be read.
    """
    start = pl.col("d").cast(pl.Int32) * DAY_MINUTES
    slim = [
        batch.select(
            "uid",
            "d",
            start=start + pl.col("start_min"),
            end=start + pl.col("end_min"),
            intent=pl.col("intent").cast(CODES, strict=False),
            reason=pl.col("reason").is_not_null(),
        )
        for batch in batches
    ]
    if not slim:
        raise HumobError(f"{source}: found no good row, expected at least one")
    plans = pl.concat(slim).sort("uid", "start", "end")
    tally = ActivityTally()
    tally.add(plans)
    days = _days(plans)
    numbers: dict[str, Any] = tally.numbers()
    return PlansDescription(
        source=source,
        kind="day plans",
        activities=plans.height,
        users=plans["uid"].n_unique(),
        first_day=int(days["d"].min()),  # type: ignore[arg-type]
        last_day=int(days["d"].max()),  # type: ignore[arg-type]
        days=days["d"].n_unique(),
        user_days=days.height,
        whole_days=int(days["whole"].sum()),
        with_reason=int(plans["reason"].sum()),
        activities_per_user_day=spread(days["len"].cast(pl.Float64).to_numpy()),
        days_per_user=spread(days.group_by("uid").len()["len"].cast(pl.Float64).to_numpy()),
        **numbers,
    )


def _days(plans: pl.DataFrame) -> pl.DataFrame:
    """Activities of each user-day, and whether they fill it one after another."""
    first, last = pl.col("start").first(), pl.col("end").last()
    joined = (pl.col("start").shift(-1) == pl.col("end")).all()
    fills = (first % DAY_MINUTES == 0) & (last - first == DAY_MINUTES) & joined
    return plans.group_by("uid", "d", maintain_order=True).agg(pl.len(), whole=fills)

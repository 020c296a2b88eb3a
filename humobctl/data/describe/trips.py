"""What is in trips or trip legs: who, when, how many a day, how long, how far, how fast."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from humobctl.data.describe.description import (
    Section,
    TableDescription,
    share_of,
    spread_section,
)
from humobctl.data.measures.spread import Spread, spread
from humobctl.errors import HumobError
from humobctl.tables.schemas import TRIPS, Table


@dataclass(repr=False)
class TripsDescription(TableDescription):
    """What ``describe_trips`` found.

    Attributes:
        trips, users: how many.
        first, last: moments at which the first one begins and the last one ends.
        days, user_days: dates on which one begins, and those of each user.
        from_gap, to_gap: trips that begin or end in a gap of the points; None for legs.
        within: trips between an origin and the same destination; None for legs.
        without_duration: trips that take no time.
        distance_km: through the points; ``duration_min`` in minutes.
        speed_kmh: of trips that take time, distance over duration.
        per_user_day: over user-days on which one begins.
        per_user: over users.
        by_hour: beginnings by hour of the clock, 24.
    """

    trips: int
    users: int
    first: dt.datetime
    last: dt.datetime
    days: int
    user_days: int
    from_gap: int | None
    to_gap: int | None
    within: int | None
    without_duration: int
    distance_km: Spread
    duration_min: Spread
    speed_kmh: Spread
    per_user_day: Spread
    per_user: Spread
    by_hour: list[int] = field(repr=False)

    def sections(self) -> list[Section]:
        """Totals, then spreads."""
        rows = [
            ("users", f"{self.users:,}"),
            (self.kind, f"{self.trips:,}"),
            ("first", f"{self.first:%Y-%m-%d %H:%M:%S}"),
            ("last", f"{self.last:%Y-%m-%d %H:%M:%S}"),
            ("dates", f"{self.days:,}"),
            ("user-days", f"{self.user_days:,}"),
            ("without duration", share_of(self.without_duration, self.trips)),
            *(
                (label, share_of(count, self.trips))
                for label, count in (
                    ("from a gap", self.from_gap),
                    ("to a gap", self.to_gap),
                    ("back to their origin", self.within),
                )
                if count is not None
            ),
        ]
        return [
            self.totals(rows),
            spread_section(
                "",
                {
                    "length, km": self.distance_km,
                    "duration, min": self.duration_min,
                    "speed, km/h": self.speed_kmh,
                    f"{self.kind} per user-day": self.per_user_day,
                    f"{self.kind} per user": self.per_user,
                },
            ),
        ]


def describe_trips(batches: Iterable[pl.DataFrame], source: str, table: Table) -> TripsDescription:
    """Describe checked batches of trips or trip legs, in any order of rows.

    Args:
        batches: columns of ``table``.
        source: name of the input.
        table: ``TRIPS`` or ``TRIP_LEGS``.

    Raises:
        HumobError: the input cannot be read.
    """
    ends = ("origin", "destination") if table is TRIPS else ()
    wanted = ("uid", "started_at", "finished_at", "distance_m", *ends)
    held = [batch.select(wanted) for batch in batches]
    if not held:
        raise HumobError(f"{source}: found no good row, expected at least one")
    trips = pl.concat(held)
    start = pl.col("started_at")
    minutes = (trips["finished_at"] - trips["started_at"]).dt.total_microseconds() / 60e6
    km = trips["distance_m"] / 1000
    lasting = minutes > 0
    per_day = trips.group_by("uid", start.dt.date()).len()
    hours = trips["started_at"].dt.hour().cast(pl.Int64).to_numpy()
    same = trips.select((pl.col("origin") == pl.col("destination")).sum()).item() if ends else None
    return TripsDescription(
        source=source,
        kind=f"{table.name}s",
        trips=trips.height,
        users=trips["uid"].n_unique(),
        first=trips["started_at"].min(),  # type: ignore[arg-type]
        last=trips["finished_at"].max(),  # type: ignore[arg-type]
        days=per_day["started_at"].n_unique(),
        user_days=per_day.height,
        from_gap=trips["origin"].null_count() if ends else None,
        to_gap=trips["destination"].null_count() if ends else None,
        within=same,
        without_duration=int((~lasting).sum()),
        distance_km=spread(km.to_numpy()),
        duration_min=spread(minutes.to_numpy()),
        speed_kmh=spread((km.filter(lasting) / minutes.filter(lasting) * 60).to_numpy()),
        per_user_day=spread(per_day["len"].cast(pl.Float64).to_numpy()),
        per_user=spread(per_day.group_by("uid").agg(pl.col("len").sum())["len"].to_numpy()),
        by_hour=np.bincount(hours, minlength=24).tolist(),
    )

"""What is in visits and stays: who, when, what for, how whole, trips, and the field's measures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import polars as pl

from humobctl.data.describe.activities import (
    CODES,
    DAY_MINUTES,
    ActivityTally,
    IntentNumbers,
    intent_section,
)
from humobctl.data.describe.coverage import CoverageTally
from humobctl.data.describe.description import (
    Section,
    UserDescription,
    degrees,
    measure_sections,
    share_of,
    spread_section,
    square_displacement,
)
from humobctl.data.measures.per_user import measure_users
from humobctl.data.measures.records import MINUTE, number_places, records_of
from humobctl.data.measures.spread import Spread, ValueTally
from humobctl.data.measures.summary import MeasureTally
from humobctl.errors import HumobError
from humobctl.io.by_user import PointStore, paired_groups

_HOME = "go home"


@dataclass(repr=False)
class VisitsDescription(UserDescription):
    """What ``describe_visits`` found; a visit that midnight cuts counts once, its rows twice.

    Attributes:
        rows, visits, users: how many.
        first_day, last_day, days: first and last day, and days with a row.
        user_days: days of users with a row.
        without_place, without_intent: rows without a place id, without one of the twelve intents.
        bounding_box: smallest and largest latitude and longitude.
        intents: intent -> its visits.
        duration_min: of visits that last; ``without_duration`` counts the others.
        overlaps: visits that begin before an earlier one of their user ends.
        gaps, gap_min: times between the visits of a user, their number and length.
        visits_per_user_day: rows of each user-day.
        trips: visits at another location than the user's visit before.
        trips_per_user_day: over user-days; a trip is of the day on which it ends.
        trip_km: distance from the visit before.
        trip_min: minutes from its end.
        by_day: for each day with a row, its rows and users.
        by_hour: beginnings of visits by hour of the clock, 24.
        heat: rows by square of degrees, as ``HeatTally`` has them.
    """

    hidden: ClassVar[frozenset[str]] = frozenset({"heat"})

    rows: int
    visits: int
    users: int
    first_day: int
    last_day: int
    days: int
    user_days: int
    without_place: int
    without_intent: int
    bounding_box: dict[str, float]
    intents: dict[str, IntentNumbers]
    duration_min: Spread
    without_duration: int
    overlaps: int
    gaps: int
    gap_min: Spread
    visits_per_user_day: Spread
    trips: int
    trips_per_user_day: Spread
    trip_km: Spread
    trip_min: Spread
    by_day: list[dict[str, int]] = field(repr=False)
    by_hour: list[int] = field(repr=False)
    heat: pl.DataFrame = field(repr=False, compare=False)

    def sections(self) -> list[Section]:
        """Coverage and quality, intents, trips, then the measures."""
        over = self.measures.over_users
        rows = [
            ("users", f"{self.users:,}"),
            ("visits", f"{self.visits:,} ({self.rows:,} rows)"),
            ("days", f"{self.days:,} (first {self.first_day}, last {self.last_day})"),
            ("user-days", f"{self.user_days:,}"),
            ("rows without a place id", share_of(self.without_place, self.rows)),
            ("rows without an intent", share_of(self.without_intent, self.rows)),
            ("visits without duration", share_of(self.without_duration, self.visits)),
            ("visits that overlap an earlier one", share_of(self.overlaps, self.visits)),
            ("gaps between visits", f"{self.gaps:,}"),
            ("trips", f"{self.trips:,}"),
            *degrees(self.bounding_box),
            ("mean square displacement, km2", square_displacement(self.measures)),
        ]
        return [
            self.totals(rows),
            spread_section(
                "quality and trips",
                {
                    "visits per user": over["records"],
                    "visits per user-day": self.visits_per_user_day,
                    "days per user": over["days"],
                    "duration, min": self.duration_min,
                    "gap between visits, min": self.gap_min,
                    "trips per user-day": self.trips_per_user_day,
                    "trip length, km": self.trip_km,
                    "trip duration, min": self.trip_min,
                },
            ),
            intent_section(self.intents, "visits"),
            *measure_sections(self.measures),
        ]


class VisitStore(PointStore):
    """Visits with numbers of locations and intents; ``at`` and ``until`` in microseconds."""

    dtypes: ClassVar = {
        **PointStore.dtypes,
        "place": pl.Int64(),
        "d": pl.Int64(),
        "until": pl.Int64(),
        "intent": CODES,
    }

    def in_order(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The visits by user and time."""
        return frame.sort("uid", "at", "until", "lat", "lon")


def describe_visits(batches: Iterable[pl.DataFrame], source: str) -> VisitsDescription:
    """Describe checked batches of visits, in any order of rows.

    Args:
        batches: columns of ``schemas.VISITS``.
        source: name of the input.

    Raises:
        HumobError: the input cannot be read.
    """
    tally = _VisitTally()
    with VisitStore() as store:
        store.collect(tally.slim(batches))
        if not store.rows:
            raise HumobError(f"{source}: found no good row, expected at least one")
        for (group,) in paired_groups([store]):
            tally.add(group)
    return tally.description(source)


class _VisitTally:
    def __init__(self) -> None:
        self._rows = self._without_place = self._without_intent = 0
        self._activities, self._measures = ActivityTally(), MeasureTally()
        self._coverage = CoverageTally()
        self._trips_per_day, self._trip_km, self._trip_min = (ValueTally() for _ in range(3))

    def slim(self, batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """What the store keeps of each batch."""
        start = (pl.col("d").cast(pl.Int64) * DAY_MINUTES + pl.col("start_min")) * MINUTE
        end = (pl.col("d").cast(pl.Int64) * DAY_MINUTES + pl.col("end_min")) * MINUTE
        for batch in batches:
            slim = batch.select(
                "uid",
                start.alias("at"),
                "lat",
                "lon",
                number_places(),
                pl.col("d").cast(pl.Int64),
                end.alias("until"),
                pl.col("intent").cast(CODES, strict=False),
            )
            self._rows += batch.height
            self._without_place += batch["place_id"].null_count()
            self._without_intent += slim["intent"].null_count()
            yield slim

    def add(self, group: pl.DataFrame) -> None:
        """Take in whole users, sorted by user and time."""
        if not group.height:
            return
        self._coverage.add(group)
        self._count_trips(group)
        visits = join_at_midnight(group)
        minutes = {"start": pl.col("at") // MINUTE, "end": pl.col("until") // MINUTE}
        self._activities.add(visits.select("uid", "intent", **minutes))
        home = (visits["intent"] == _HOME).fill_null(value=False).to_numpy()
        records = records_of(visits, at_home=home)
        measured = measure_users(records)
        self._measures.add(measured)
        self._take_trips(visits, measured.jumps)

    def _take_trips(self, visits: pl.DataFrame, jumps: np.ndarray) -> None:
        """Trips between consecutive visits at different locations."""
        same = pl.col("uid") == pl.col("uid").shift(1)
        moves = visits.select(
            moved=pl.when(same).then(pl.col("place") != pl.col("place").shift(1)),
            minutes=(pl.col("at") - pl.col("until").shift(1)) / MINUTE,
        ).filter(pl.col("moved").is_not_null())
        moved = moves["moved"].to_numpy()
        self._trip_km.add(jumps[moved])
        minutes = moves["minutes"].to_numpy()[moved]
        self._trip_min.add(np.maximum(minutes, 0))

    def _count_trips(self, group: pl.DataFrame) -> None:
        same = pl.col("uid") == pl.col("uid").shift(1)
        moved = (same & (pl.col("place") != pl.col("place").shift(1))).fill_null(value=False)
        per_day = group.with_columns(trips=moved).group_by("uid", "d").agg(pl.col("trips").sum())
        self._trips_per_day.add(per_day["trips"].cast(pl.Float64).to_numpy())

    def description(self, source: str) -> VisitsDescription:
        """The description of all visits."""
        measures = self._measures.measures()
        numbers: dict[str, Any] = self._activities.numbers()
        days = self._coverage.days
        by_day, users_by_day = self._coverage.by_day, self._coverage.users_by_day
        per_day = self._coverage.per_user_day()
        return VisitsDescription(
            source=source,
            kind="visits",
            measures=measures,
            rows=self._rows,
            visits=self._activities.count,
            users=measures.users.height,
            first_day=days[0],
            last_day=days[-1],
            days=len(days),
            user_days=per_day.count,
            without_place=self._without_place,
            without_intent=self._without_intent,
            bounding_box=self._coverage.bounding_box,
            visits_per_user_day=per_day,
            trips=self._trip_km.spread().count,
            trips_per_user_day=self._trips_per_day.spread(),
            trip_km=self._trip_km.spread(),
            trip_min=self._trip_min.spread(),
            by_day=[{"d": day, "rows": by_day[day], "users": users_by_day[day]} for day in days],
            heat=self._coverage.heat(),
            **numbers,
        )


def join_at_midnight(rows: pl.DataFrame) -> pl.DataFrame:
    """Visits, with the parts that midnight cuts joined again.

    The next row of the user begins at the midnight at which the row before ends, at the same
    location, with the same intent.
    """
    before = {name: pl.col(name).shift(1) for name in ("uid", "place", "intent", "until")}
    continued = (
        (pl.col("uid") == before["uid"])
        & (pl.col("place") == before["place"])
        & pl.col("intent").eq_missing(before["intent"])
        & (pl.col("at") == before["until"])
        & (pl.col("at") % (DAY_MINUTES * MINUTE) == 0)
    ).fill_null(value=False)
    return (
        rows.group_by((~continued).cum_sum().alias("visit"), maintain_order=True)
        .agg(pl.all().exclude("until").first(), until=pl.col("until").last())
        .drop("visit")
    )

"""What is in points or check-ins: who, when, how often, how good, and the field's measures."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import polars as pl

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
from humobctl.data.importers.user_ids import UserNumbers
from humobctl.data.measures.per_user import measure_users
from humobctl.data.measures.records import DAY, HOUR, number_places, records_of
from humobctl.data.measures.spread import Spread, ValueTally
from humobctl.data.measures.summary import MeasureTally
from humobctl.errors import HumobError
from humobctl.io.by_user import PointStore, paired_groups

FAST_KMH = 200.0
"""Speed above which a step counts as an error of the position."""
_TOP = 20


@dataclass(repr=False)
class PointsDescription(UserDescription):
    """What ``describe_points`` found; records at latitude 0, longitude 0 are counted only.

    Attributes:
        records, users: how many.
        first, last: moments of the first and of the last record.
        days: dates with a record; ``user_days`` are those of each user.
        zero_records: records at latitude 0, longitude 0, which no other number counts.
        repeated: records that repeat one of their user: same moment and position.
        same_moment: records at a moment of their user's at which another position stands, too.
        with_place: records with a place id.
        categories: number of categories; ``top_categories`` are the most frequent.
        bounding_box: smallest and largest latitude and longitude.
        hours_covered: share of the clock hours between each user's first and last record that have
            one.
        gaps_over_1h, gaps_over_1d: times without a record of a user that are longer.
        interval_s: sampling interval, seconds between consecutive records of a user.
        speed_kmh: between consecutive records of a user at different moments.
        fast_steps: steps above 200 km/h, and to another position at the same moment.
        fast_share: of all steps.
        records_per_user, records_per_user_day, days_per_user: over users or user-days.
        by_day: for each date with a record, its records and users.
        by_hour: records by hour of the clock, 24.
        heat: records by square of degrees, as ``HeatTally`` has them.
    """

    hidden: ClassVar[frozenset[str]] = frozenset({"heat"})

    records: int
    users: int
    first: dt.datetime
    last: dt.datetime
    days: int
    user_days: int
    zero_records: int
    repeated: int
    same_moment: int
    with_place: int
    categories: int
    top_categories: dict[str, int]
    bounding_box: dict[str, float]
    hours_covered: float
    gaps_over_1h: int
    gaps_over_1d: int
    interval_s: Spread
    speed_kmh: Spread
    fast_steps: int
    fast_share: float | None
    records_per_user: Spread
    records_per_user_day: Spread
    days_per_user: Spread
    by_day: list[dict[str, Any]] = field(repr=False)
    by_hour: list[int] = field(repr=False)
    heat: pl.DataFrame = field(repr=False, compare=False)

    def sections(self) -> list[Section]:
        """Coverage and quality, then the measures."""
        rows = [
            ("users", f"{self.users:,}"),
            ("records", f"{self.records:,}"),
            ("first", f"{self.first:%Y-%m-%d %H:%M:%S}"),
            ("last", f"{self.last:%Y-%m-%d %H:%M:%S}"),
            ("dates with a record", f"{self.days:,}"),
            ("user-days", f"{self.user_days:,}"),
            ("hours with a record", f"{self.hours_covered:.1%}"),
            ("gaps above 1 hour, 1 day", f"{self.gaps_over_1h:,}, {self.gaps_over_1d:,}"),
            ("records at latitude 0, longitude 0", f"{self.zero_records:,} (left out)"),
            ("repeated records", share_of(self.repeated, self.records)),
            ("other position at the same moment", share_of(self.same_moment, self.records)),
            (f"steps above {FAST_KMH:g} km/h", share_of(self.fast_steps, self._steps)),
            ("records with a place id", share_of(self.with_place, self.records)),
            *degrees(self.bounding_box),
            ("mean square displacement, km2", square_displacement(self.measures)),
        ]
        sections = [
            self.totals(rows),
            spread_section(
                "quality",
                {
                    "records per user": self.records_per_user,
                    "records per user-day": self.records_per_user_day,
                    "days per user": self.days_per_user,
                    "sampling interval, s": self.interval_s,
                    "speed, km/h": self.speed_kmh,
                },
            ),
            *measure_sections(self.measures),
        ]
        if self.top_categories:
            rows = [(name, share_of(n, self.records)) for name, n in self.top_categories.items()]
            sections.append(Section("", ("category", "records"), rows))
        return sections

    @property
    def _steps(self) -> int:
        return self.records - self.users


class LocatedStore(PointStore):
    """Points with the numbers of their locations."""

    dtypes: ClassVar = {**PointStore.dtypes, "place": pl.Int64()}


def describe_points(batches: Iterable[pl.DataFrame], source: str) -> PointsDescription:
    """Describe checked batches of points, in any order of rows.

    Args:
        batches: columns of ``schemas.POINTS``; points at latitude 0, longitude 0 among them.
        source: name of the input.

    Raises:
        HumobError: the input cannot be read, or has no point but at latitude 0, longitude 0.
    """
    tally = _PointTally(source)
    with LocatedStore() as store:
        store.collect(tally.slim(batches))
        if not store.rows:
            raise HumobError(f"{source}: found no point but at latitude 0, longitude 0")
        names = pl.Series([name for _, name in tally.numbers.users()], dtype=pl.String)
        for (group,) in paired_groups([store]):
            tally.add(group, names)
        return tally.description(_moment(store.first_day), _moment(store.last_day))


def _moment(at: int | None) -> dt.datetime:
    return dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=at or 0)


class _PointTally:
    def __init__(self, source: str) -> None:
        self.numbers = UserNumbers()
        self._source = source
        self._zero = self._with_place = self._repeated = self._same_moment = self._fast = 0
        self._steps = 0
        self._slow = [0, 0]
        self._categories: Counter[str] = Counter()
        self._by_hour = np.zeros(24, np.int64)
        self._coverage = CoverageTally()
        self._intervals, self._speeds = ValueTally(), ValueTally()
        self._hours = np.zeros(2)
        self._measures = MeasureTally()

    def slim(self, batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """What the store keeps of each batch."""
        for batch in batches:
            void = (pl.col("lat") == 0) & (pl.col("lon") == 0)
            kept = batch.filter(~void)
            self._zero += batch.height - kept.height
            self._with_place += kept.height - kept["place_id"].null_count()
            counts = kept["category"].drop_nulls().value_counts()
            self._categories.update(dict(counts.iter_rows()))
            if not kept.height:
                continue
            yield kept.select(
                self.numbers.codes(kept["uid"]).alias("uid"),
                pl.col("datetime").dt.epoch("us").alias("at"),
                "lat",
                "lon",
                number_places(),
            )

    def add(self, group: pl.DataFrame, names: pl.Series) -> None:
        """Take in whole users, sorted by user and time."""
        if not group.height:
            return
        self._coverage.add(group.with_columns(d=pl.col("at") // DAY))
        self._count_hours(group)
        same = pl.all_horizontal(pl.col(c) == pl.col(c).shift(1) for c in ("uid", "at"))
        place = pl.all_horizontal(pl.col(c) == pl.col(c).shift(1) for c in ("lat", "lon"))
        found = group.select(repeated=(same & place).sum(), other=(same & ~place).sum())
        self._repeated += found["repeated"].item()
        self._same_moment += found["other"].item()
        measured = measure_users(records_of(group, names))
        self._measures.add(measured)
        self._take_steps(measured.jumps, measured.waits)

    def _take_steps(self, jumps: np.ndarray, waits: np.ndarray) -> None:
        moving = waits > 0
        speeds = jumps[moving] / waits[moving] * 60
        self._steps += len(waits)
        self._fast += int((speeds > FAST_KMH).sum() + (jumps[~moving] > 0).sum())
        self._speeds.add(speeds)
        self._intervals.add(waits * 60)
        for index, minutes in enumerate((60, 24 * 60)):
            self._slow[index] += int((waits > minutes).sum())

    def _count_hours(self, group: pl.DataFrame) -> None:
        hour = (pl.col("at") // HOUR).alias("hour")
        of_clock = group.select(hour % 24)["hour"].to_numpy()
        self._by_hour += np.bincount(of_clock, minlength=24)
        spans = group.group_by("uid").agg(seen=hour.n_unique(), span=hour.max() - hour.min() + 1)
        self._hours += spans.select(pl.col("seen", "span").sum()).row(0)

    def description(self, first: dt.datetime, last: dt.datetime) -> PointsDescription:
        """The description of all points."""
        measures = self._measures.measures()
        table = measures.users
        records, users = int(table["records"].sum()), table.height
        return PointsDescription(
            source=self._source,
            kind="check-ins" if self._with_place == records else "points",
            measures=measures,
            records=records,
            users=users,
            first=first,
            last=last,
            days=len(self._coverage.days),
            user_days=int(table["days"].sum()),
            zero_records=self._zero,
            repeated=self._repeated,
            same_moment=self._same_moment,
            with_place=self._with_place,
            categories=len(self._categories),
            top_categories=dict(self._categories.most_common(_TOP)),
            bounding_box=self._coverage.bounding_box,
            hours_covered=float(self._hours[0] / self._hours[1]),
            gaps_over_1h=self._slow[0],
            gaps_over_1d=self._slow[1],
            interval_s=self._intervals.spread(),
            speed_kmh=self._speeds.spread(),
            fast_steps=self._fast,
            fast_share=self._fast / self._steps if self._steps else None,
            records_per_user=measures.records,
            records_per_user_day=self._coverage.per_user_day(),
            days_per_user=measures.days,
            by_day=[
                {
                    "date": str(dt.date(1970, 1, 1) + dt.timedelta(days=day)),
                    "records": self._coverage.by_day[day],
                    "users": self._coverage.users_by_day[day],
                }
                for day in self._coverage.days
            ],
            by_hour=self._by_hour.tolist(),
            heat=self._coverage.heat(),
        )

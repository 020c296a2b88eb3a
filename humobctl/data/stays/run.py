"""From points to visits: whole users at a time, so that memory does not grow with the table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.run import import_data
from humobctl.data.importers.timed_stays import day_zero, split_at_midnight
from humobctl.data.importers.user_ids import UserNumbers, numbering_notes, write_users
from humobctl.data.stays.config import PointFilter, StayMethod, TripSettings
from humobctl.data.stays.detect import (
    compress,
    find_slow,
    find_stays,
    join_stays,
    locations_of,
    tracks_of,
)
from humobctl.data.stays.home_work import find_home_work
from humobctl.data.stays.purpose import NearestPlaces
from humobctl.data.stays.records import intents_of, merge_records
from humobctl.data.stays.side_table import SideTable
from humobctl.data.stays.trips import draw_lines, find_legs, find_trips, number_legs
from humobctl.errors import HumobError, UsageError
from humobctl.io.by_user import PointStore, RecordStore, paired_groups
from humobctl.tables.schemas import POINTS, SLOTS_PER_DAY, TIMED_VISITS, TRIP_LEGS, TRIPS

SLOT_MINUTES = 24 * 60 / SLOTS_PER_DAY


@dataclass
class StayTally:
    """What was read, left out and found."""

    points: int = 0
    outside: int = 0
    inaccurate: int = 0
    repeated: int = 0
    fast: int = 0
    compressed: int = 0
    users: int = 0
    stays: int = 0
    locations: int = 0
    homes: int = 0
    works: int = 0
    legs: int = 0
    trips: int = 0

    def tell(self, filters: PointFilter) -> None:
        """Say it."""
        left_out = {
            "outside the box": self.outside,
            f"known to more than {filters.accuracy or 0:g} m only": self.inaccurate,
            "repeated": self.repeated,
            f"reached at more than {filters.max_speed or 0:g} km/h": self.fast,
        }
        told = [f"{many:,} {why}" for why, many in left_out.items() if many]
        if told:
            report.info(f"left out of {pluralize(self.points, 'point')}: {', '.join(told)}")
        if self.compressed:
            report.info(f"compressed {pluralize(self.compressed, 'point')} into their neighbours")
        if not self.stays:
            report.warn(
                "found no stays: users move all the time, or their points are farther apart in "
                "time than --gap"
            )
            return
        report.info(
            f"{pluralize(self.stays, 'stay')} of {pluralize(self.users, 'user')} at "
            f"{pluralize(self.locations, 'location')}; {pluralize(self.homes, 'home')}, "
            f"{pluralize(self.works, 'work')}"
        )
        if self.legs:
            report.info(f"{pluralize(self.trips, 'trip')} of {pluralize(self.legs, 'leg')}")


@dataclass
class StayJob:
    """How stays are found; what was found beside them, once all visits are made.

    Attributes:
        method: when points are a stay.
        filters: which points count.
        metres: distance up to which stays are at one location.
        check_in_minutes: how long a check-in lasts, at most until the next.
        trips: what a trip is.
        places: what gives stays elsewhere their intents; None for nothing.
        options: how points are read.
        start_date: date of day 0; None for that of the earliest point.
        uid_map: file for the numbers of users.
        beside: the tables beside the visits that are wanted, by name; filled as the run goes on.
        lasts: minutes that a record lasts, where records are no points of a track; found out.
        tally: what was found; filled in as the run goes on.
    """

    method: StayMethod
    filters: PointFilter = field(default_factory=PointFilter)
    metres: float = 100.0
    check_in_minutes: float = 0.0
    trips: TripSettings = field(default_factory=TripSettings)
    places: NearestPlaces | None = None
    options: ImportOptions = field(default_factory=ImportOptions)
    start_date: dt.date | None = None
    uid_map: str | None = None
    beside: dict[str, SideTable] = field(default_factory=dict)
    lasts: float | None = None
    tally: StayTally = field(default_factory=StayTally)

    def run(self, path: str) -> Iterator[pl.DataFrame]:
        """Visits (``TIMED_VISITS``), users in the order in which they first appear.

        Raises:
            HumobError: the input is no table of points, holds a fault, or no point that counts.
        """
        name = "stdin" if path == "-" else path
        numbers = UserNumbers()
        imported = import_data(path, self.options, expected=POINTS)
        first_batch = next(imported.batches, None)
        self._recognise(first_batch)
        with RecordStore() if self.lasts is not None else PointStore() as store:
            batches = chain([] if first_batch is None else [first_batch], imported.batches)
            store.collect(self._slim(batch, numbers) for batch in batches)
            if store.first_day is None or store.last_day is None:
                raise HumobError(
                    f"{name}: found no point in --box and within --accuracy, expected one at least"
                )
            first, last = (_to_date(at) for at in (store.first_day, store.last_day))
            start = day_zero(name, first, last, self.start_date)
            users = numbers.users()
            uids = pl.Series([number for number, _ in users], dtype=pl.UInt32)
            for (points,) in paired_groups([store]):
                yield self._visits(points, uids, start)
        report.info("; ".join([f"day 0 is {start} ({start:%A})", *self._number(users)]))
        self.tally.tell(self.filters)

    def _recognise(self, batch: pl.DataFrame | None) -> None:
        """Cells and check-ins are no points of a track: each says where its user is."""
        if self.options.cells_to_points:
            self.lasts = SLOT_MINUTES
        elif batch is not None and batch["place_id"].null_count() < batch.height:
            self.lasts = self.check_in_minutes
            report.info("check-ins: each is a stay at its place (points without place_id are GPS)")
        for option, name in (("--trips", TRIPS.name), ("--trip-legs", TRIP_LEGS.name)):
            if self.lasts is not None and name in self.beside:
                raise UsageError(f"{option} needs points on the way, found check-ins or cells")

    def _number(self, users: list[tuple[int, str]]) -> list[str]:
        """Write the users' numbers where that was asked for; what to say of them."""
        if self.uid_map is not None:
            write_users(users, self.uid_map)
        return numbering_notes(users, written=self.uid_map is not None)

    def _slim(self, batch: pl.DataFrame, numbers: UserNumbers) -> pl.DataFrame:
        """The points of a batch that count, as the store has them."""
        self.tally.points += batch.height
        limit, box = self.filters.accuracy, self.filters.box
        if box is not None:
            south, west, north, east = box
            east_of, west_of = pl.col("lon") >= west, pl.col("lon") <= east
            across = east_of & west_of if west <= east else east_of | west_of
            kept = batch.filter(pl.col("lat").is_between(south, north) & across)
            self.tally.outside += batch.height - kept.height
            batch = kept
        if limit is not None:
            if "accuracy" not in batch.columns:
                raise HumobError("--accuracy: found no column accuracy, expected one in the points")
            kept = batch.filter(pl.col("accuracy").fill_null(0.0) <= limit)
            self.tally.inaccurate += batch.height - kept.height
            batch = kept
        return batch.select(
            numbers.codes(batch["uid"]).alias("uid"),
            pl.col("datetime").dt.epoch("us").alias("at"),
            "lat",
            "lon",
            *([] if self.lasts is None else ["place_id", "category"]),
        )

    def _visits(self, points: pl.DataFrame, uids: pl.Series, start: dt.date) -> pl.DataFrame:
        """The visits of whole users, whose running numbers become those of ``uids``."""
        points = self._filter(points)
        stays = self._stays(points).with_columns(
            datetime=pl.col("at").cast(pl.Datetime("us")),
            leave=pl.col("until").cast(pl.Datetime("us")),
        )
        timed = stays.select("uid", "place", "datetime", "leave")
        parts = split_at_midnight(timed, start)
        anchors = find_home_work(parts, start)
        locations = _name(locations_of(stays), anchors, uids)
        if self.places is not None:
            locations = self.places.fill_intents(locations)
        self._keep(locations, anchors, points["uid"].n_unique())
        if {TRIPS.name, TRIP_LEGS.name} & self.beside.keys():
            self._keep_trips(points, stays, locations, uids)
        visits = parts.join(locations, on=["uid", "place"], how="left", maintain_order="left")
        named = visits.with_columns(uid="number", started_at="datetime", finished_at="leave")
        return named.select(pl.col(name).cast(kind) for name, kind in TIMED_VISITS.dtypes.items())

    def _stays(self, points: pl.DataFrame) -> pl.DataFrame:
        """The stays of whole users, with the number of the location that each is at."""
        if self.lasts is None:
            return join_stays(find_stays(points, self.method), self.metres)
        return merge_records(points, lasts=self.lasts, gap=self.method.gap)

    def _keep(self, locations: pl.DataFrame, anchors: pl.DataFrame, users: int) -> None:
        """Keep the locations and the pairs of users with both home and work."""
        tally = self.tally
        tally.users += users
        tally.stays += int(locations["stays"].sum())
        tally.locations += locations.height
        tally.homes += anchors["home"].count()
        tally.works += anchors["work"].count()
        self._add("location", locations.with_columns(uid="number"))
        pairs = anchors.drop_nulls(["home", "work"])
        for what in ("home", "work"):
            here = locations.select(
                "uid",
                pl.col("place").alias(what),
                pl.col("number").cast(pl.String).alias("id"),
                pl.col("lat").alias(f"{what}_lat"),
                pl.col("lon").alias(f"{what}_lon"),
            )
            pairs = pairs.join(here, on=["uid", what], how="left", maintain_order="left")
        self._add("home and work", pairs)

    def _keep_trips(
        self, points: pl.DataFrame, stays: pl.DataFrame, locations: pl.DataFrame, uids: pl.Series
    ) -> None:
        """Keep the trips and the trip legs between stays."""
        legs = find_legs(points, stays, self.trips.gap)
        trips = find_trips(stays, legs, gap=self.trips.gap, activity=self.trips.activity)
        self.tally.legs += legs.height
        self.tally.trips += trips.height
        for end in ("origin", "destination"):
            there = locations.select(
                "uid",
                pl.col("place").alias(end),
                pl.col("place_id").alias(f"{end}_id"),
                pl.col("lat").alias(f"{end}_lat"),
                pl.col("lon").alias(f"{end}_lon"),
            )
            trips = trips.join(there, on=["uid", end], how="left", maintain_order="left")
            trips = trips.with_columns(pl.col(f"{end}_id").alias(end))
        moments = {"started_at": pl.col("at"), "finished_at": pl.col("until")}
        for table, spans in ((TRIPS, trips), (TRIP_LEGS, number_legs(legs, trips))):
            if table.name not in self.beside:
                continue
            drawn = draw_lines(points, spans).with_columns(
                uid=uids.gather(spans["uid"]),
                duration_min=(pl.col("until") - pl.col("at")) / 60e6,
                **{name: when.cast(pl.Datetime("us")) for name, when in moments.items()},
            )
            if table is TRIPS:
                drawn = drawn.with_columns(
                    pl.coalesce(f"{end}_{axis}", f"{fix}_{axis}").alias(f"{end}_{axis}")
                    for end, fix in (("origin", "first"), ("destination", "last"))
                    for axis in ("lat", "lon")
                )
            self._add(table.name, drawn)

    def _add(self, name: str, rows: pl.DataFrame) -> None:
        if name in self.beside:
            self.beside[name].add(rows)

    def _filter(self, points: pl.DataFrame) -> pl.DataFrame:
        """Points without repeats and outliers, and compressed; counts each."""
        repeats = points.select(
            pl.all_horizontal(pl.all() == pl.all().shift(1)).fill_null(value=False)
        ).to_series()
        points = points.filter(~repeats)
        self.tally.repeated += int(repeats.sum())
        if self.filters.max_speed is not None:
            slow = find_slow(tracks_of(points), self.filters.max_speed)
            self.tally.fast += int(np.count_nonzero(~slow))
            points = points.filter(slow)
        if self.filters.compress is None:
            return points
        fewer = compress(points, self.filters.compress)
        self.tally.compressed += points.height - fewer.height
        return fewer


def _to_date(at: int) -> dt.date:
    return (dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=at)).date()


def _name(locations: pl.DataFrame, anchors: pl.DataFrame, uids: pl.Series) -> pl.DataFrame:
    """Locations with the number of their user, an id, and the intents of homes and works."""
    is_home, is_work = (pl.col("place") == pl.col(what) for what in ("home", "work"))
    by_hours = pl.when(is_home).then(pl.lit("go home")).when(is_work).then(pl.lit("go to work"))
    named = locations.with_columns(intent=intents_of(locations["category"]))
    named = named.join(anchors, on="uid", how="left", maintain_order="left")
    return named.with_columns(number=uids.gather(named["uid"])).select(
        "uid",
        "place",
        "number",
        "lat",
        "lon",
        "stays",
        "minutes",
        place_id=pl.coalesce("place_id", pl.format("{}-{}", "number", "place")),
        intent=pl.coalesce("intent", by_hours),
    )

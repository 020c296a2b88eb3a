"""From points to visits: whole users at a time, so that memory does not grow with the table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.data.importers.cells import SWAPPED
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.run import import_data
from humobctl.data.importers.timed_stays import day_zero, split_at_midnight
from humobctl.data.importers.user_ids import UserNumbers, numbering_notes, write_users
from humobctl.data.stays.config import PointFilter, StayMethod
from humobctl.data.stays.detect import (
    find_slow,
    find_stays,
    join_stays,
    locations_of,
    tracks_of,
)
from humobctl.data.stays.home_work import find_home_work
from humobctl.errors import HumobError
from humobctl.io.by_user import PointStore, paired_groups
from humobctl.tables.schemas import HOME_WORK, LOCATIONS, POINTS, TIMED_VISITS


@dataclass
class StayTally:
    """What was read, left out and found."""

    points: int = 0
    outside: int = 0
    mirrored: int = 0
    inaccurate: int = 0
    repeated: int = 0
    fast: int = 0
    users: int = 0
    stays: int = 0
    locations: int = 0
    homes: int = 0
    works: int = 0

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


@dataclass
class StayJob:
    """How stays are found; what was found beside them, once all visits are made.

    Attributes:
        method: when points are a stay.
        filters: which points count.
        metres: distance up to which stays are at one location.
        options: how points are read.
        start_date: date of day 0; None for that of the earliest point.
        uid_map: file for the numbers of users.
        tally, pairs, locations: filled in as the run goes on.
    """

    method: StayMethod
    filters: PointFilter = field(default_factory=PointFilter)
    metres: float = 100.0
    options: ImportOptions = field(default_factory=ImportOptions)
    start_date: dt.date | None = None
    uid_map: str | None = None
    tally: StayTally = field(default_factory=StayTally)
    pairs: list[pl.DataFrame] = field(default_factory=list)
    locations: list[pl.DataFrame] = field(default_factory=list)

    def run(self, path: str) -> Iterator[pl.DataFrame]:
        """Visits (``TIMED_VISITS``), users in the order in which they first appear.

        Raises:
            HumobError: the input is no table of points, holds a fault, or no point that counts.
        """
        name = "stdin" if path == "-" else path
        numbers = UserNumbers()
        with PointStore() as store:
            imported = import_data(path, self.options, expected=POINTS)
            store.collect(self._slim(batch, numbers) for batch in imported.batches)
            if store.first_day is None or store.last_day is None:
                hint = SWAPPED if self.tally.mirrored == self.tally.points else ""
                raise HumobError(
                    f"{name}: found no point in --box and within --accuracy, expected one at "
                    f"least{hint}"
                )
            first, last = (_to_date(at) for at in (store.first_day, store.last_day))
            start = day_zero(name, first, last, self.start_date)
            users = numbers.users()
            uids = pl.Series([number for number, _ in users], dtype=pl.UInt32)
            for (points,) in paired_groups([store]):
                yield self._visits(points, uids, start)
        report.info("; ".join([f"day 0 is {start} ({start:%A})", *self._number(users)]))
        self.tally.tell(self.filters)

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

            def inside(lat: str, lon: str) -> pl.Expr:
                east_of, west_of = pl.col(lon) >= west, pl.col(lon) <= east
                across = east_of & west_of if west <= east else east_of | west_of
                return pl.col(lat).is_between(south, north) & across

            kept = batch.filter(inside("lat", "lon"))
            self.tally.outside += batch.height - kept.height
            self.tally.mirrored += int(batch.select(inside("lon", "lat").sum()).item())
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
        )

    def _visits(self, points: pl.DataFrame, uids: pl.Series, start: dt.date) -> pl.DataFrame:
        """The visits of whole users, whose running numbers become those of ``uids``."""
        found = find_stays(self._filter(points), self.method)
        stays = join_stays(found, self.metres).with_columns(
            datetime=pl.col("at").cast(pl.Datetime("us")),
            leave=pl.col("until").cast(pl.Datetime("us")),
        )
        parts = split_at_midnight(stays.drop("lat", "lon"), start)
        anchors = find_home_work(parts, start)
        locations = _name(locations_of(stays), anchors, uids)
        self._keep(locations, anchors, points["uid"].n_unique())
        visits = parts.join(locations, on=["uid", "place"], how="left", maintain_order="left")
        named = visits.with_columns(uid="number", started_at="datetime", finished_at="leave")
        return named.select(pl.col(name).cast(kind) for name, kind in TIMED_VISITS.dtypes.items())

    def _keep(self, locations: pl.DataFrame, anchors: pl.DataFrame, users: int) -> None:
        """Keep the locations and the pairs of users with both home and work."""
        tally = self.tally
        tally.users += users
        tally.stays += int(locations["stays"].sum())
        tally.locations += locations.height
        tally.homes += anchors["home"].count()
        tally.works += anchors["work"].count()
        kinds = LOCATIONS.dtypes.items()
        self.locations.append(
            locations.with_columns(uid="number").select(pl.col(n).cast(kind) for n, kind in kinds)
        )
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
        self.pairs.append(
            pairs.select(pl.col(name).cast(kind) for name, kind in HOME_WORK.dtypes.items())
        )

    def _filter(self, points: pl.DataFrame) -> pl.DataFrame:
        """Points without repeats and outliers; counts both."""
        repeats = points.select(
            pl.all_horizontal(pl.all() == pl.all().shift(1)).fill_null(value=False)
        ).to_series()
        points = points.filter(~repeats)
        self.tally.repeated += int(repeats.sum())
        if self.filters.max_speed is None:
            return points
        slow = find_slow(tracks_of(points), self.filters.max_speed)
        self.tally.fast += int(np.count_nonzero(~slow))
        return points.filter(slow)


def _to_date(at: int) -> dt.date:
    return (dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=at)).date()


def _name(locations: pl.DataFrame, anchors: pl.DataFrame, uids: pl.Series) -> pl.DataFrame:
    """Locations with the number of their user, an id, and the intents of homes and works."""
    is_home, is_work = (pl.col("place") == pl.col(what) for what in ("home", "work"))
    named = locations.join(anchors, on="uid", how="left", maintain_order="left")
    return named.with_columns(number=uids.gather(named["uid"])).select(
        "uid",
        "place",
        "number",
        "lat",
        "lon",
        "stays",
        "minutes",
        place_id=pl.format("{}-{}", "number", "place"),
        intent=pl.when(is_home).then(pl.lit("go home")).when(is_work).then(pl.lit("go to work")),
    )

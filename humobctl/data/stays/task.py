"""Processing of the points of some users: visits, and the tables beside them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.data.importers.timed_stays import split_at_midnight
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
from humobctl.data.stays.tours import find_tours
from humobctl.data.stays.trips import (
    draw_lines,
    find_legs,
    find_modes,
    find_trips,
    number_legs,
    walk_lengths,
)
from humobctl.execution.side_table import pack
from humobctl.execution.task import Done, Moved, Tally, Worker, mark_of
from humobctl.tables.schemas import (
    HOME_WORK,
    LOCATIONS,
    TIMED_VISITS,
    TOURS,
    TRIP_LEGS,
    TRIPS,
    Table,
)

OF_TRIPS = {"--trips": TRIPS, "--trip-legs": TRIP_LEGS, "--tours": TOURS}
"""Tables beside the visits that need points on the way."""


@dataclass
class StayTally(Tally):
    """Counts of what was read, left out and found."""

    points: int = 0
    outside: int = 0
    mirrored: int = 0
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
    tours: int = 0

    def tell(self, filters: PointFilter) -> None:
        """Report the counts."""
        left_out = {
            "outside the box": self.outside,
            f"less accurate than {filters.accuracy or 0:g} m": self.inaccurate,
            "repeated": self.repeated,
            f"reached faster than {filters.max_speed or 0:g} km/h": self.fast,
        }
        told = [f"{many:,} {why}" for why, many in left_out.items() if many]
        if told:
            report.info(f"left out, of {pluralize(self.points, 'point')}: {', '.join(told)}")
        if self.compressed:
            report.info(
                f"merged {pluralize(self.compressed, 'point')} with a neighbour (--compress)"
            )
        if not self.stays:
            report.warn(
                "found no stays: users never stop, or the time between their points is longer "
                "than --gap"
            )
            return
        report.info(
            f"{pluralize(self.stays, 'stay')} of {pluralize(self.users, 'user')} at "
            f"{pluralize(self.locations, 'location')}; {pluralize(self.homes, 'home')}, "
            f"{pluralize(self.works, 'work')}"
        )
        if self.legs:
            tours = f"; {pluralize(self.tours, 'tour')}" if self.tours else ""
            legs = pluralize(self.legs, "leg")
            report.info(f"{pluralize(self.trips, 'trip')} of {legs}{tours}")


@dataclass(frozen=True)
class StayTask:
    """How stays are found in the points of some users.

    Attributes:
        method: when points are a stay.
        filters: which points count.
        metres: distance up to which stays are at one location.
        start: date of day 0.
        trips: what a trip is.
        lasts: minutes that a record lasts, where records are not GPS points; None for points.
        places: what gives stays elsewhere their intents; None for nothing.
        beside: names of the tables beside the visits that are wanted.
    """

    method: StayMethod
    filters: PointFilter
    metres: float
    start: dt.date = dt.date.min
    trips: TripSettings = field(default_factory=TripSettings)
    lasts: float | None = None
    places: NearestPlaces | None = None
    beside: tuple[str, ...] = ()

    def open(self) -> Worker:
        """Nothing is loaded."""

        def work(payload: tuple[pl.DataFrame, pl.Series], moved: Moved) -> Done:
            points, uids = payload
            part = _PointsOfUsers(self)
            visits = part.find(points, uids)
            moved(points.height)
            return Done(pack({VISITS: visits, **part.beside}), part.tally.record(), points.height)

        return work

    def about(self) -> dict[str, Any]:
        """Everything besides the points that the visits depend on."""
        told = {name: str(value) for name, value in vars(self).items() if name != "places"}
        near = self.places
        marks = None if near is None else mark_of((near.tree.data, near.metres))
        return {"command": "data stays", "settings": {**told, "places": marks}}


VISITS = "visits"
"""Name of the visits in a part, which has the tables beside them, too."""
_ENDS = {"origin": "first", "destination": "last"}
"""Ends of a trip -> those of the way through its points."""
_AXES = ("lat", "lon")


@dataclass
class _PointsOfUsers:
    """The points of some users at work.

    Attributes:
        task: what to do.
        tally: what was found.
        beside: the tables beside the visits.
    """

    task: StayTask
    tally: StayTally = field(default_factory=StayTally)
    beside: dict[str, pl.DataFrame] = field(default_factory=dict)

    def find(self, points: pl.DataFrame, uids: pl.Series) -> pl.DataFrame:
        """The visits of whole users, whose running numbers become those of ``uids``."""
        points = self._filter(points)
        stays = self._stays(points).with_columns(
            datetime=pl.col("at").cast(pl.Datetime("us")),
            leave=pl.col("until").cast(pl.Datetime("us")),
        )
        timed = stays.select("uid", "place", "datetime", "leave")
        parts = split_at_midnight(timed, self.task.start)
        anchors = find_home_work(parts, self.task.start)
        locations = _name(locations_of(stays), anchors, uids)
        if self.task.places is not None:
            locations = self.task.places.fill_intents(locations)
        self._keep(locations, anchors, points["uid"].n_unique())
        if {table.name for table in OF_TRIPS.values()} & set(self.task.beside):
            self._keep_trips(points, stays, locations, uids)
        visits = parts.join(locations, on=["uid", "place"], how="left", maintain_order="left")
        named = visits.with_columns(uid="number", started_at="datetime", finished_at="leave")
        return named.select(pl.col(name).cast(kind) for name, kind in TIMED_VISITS.dtypes.items())

    def _stays(self, points: pl.DataFrame) -> pl.DataFrame:
        """The stays of whole users, with the number of the location that each is at."""
        if self.task.lasts is None:
            return join_stays(find_stays(points, self.task.method), self.task.metres)
        return merge_records(points, lasts=self.task.lasts, gap=self.task.method.gap)

    def _keep(self, locations: pl.DataFrame, anchors: pl.DataFrame, users: int) -> None:
        """Keep the locations and the pairs of users with both home and work."""
        tally = self.tally
        tally.users += users
        tally.stays += int(locations["stays"].sum())
        tally.locations += locations.height
        tally.homes += anchors["home"].count()
        tally.works += anchors["work"].count()
        self._add(LOCATIONS, locations.with_columns(uid="number"))
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
        self._add(HOME_WORK, pairs)

    def _keep_trips(
        self, points: pl.DataFrame, stays: pl.DataFrame, locations: pl.DataFrame, uids: pl.Series
    ) -> None:
        """Keep the trips and the trip legs between stays, and the tours of trips."""
        way = walk_lengths(tracks_of(points))
        legs = find_legs(points, stays, self.task.trips.gap, way)
        trips = find_trips(stays, legs, gap=self.task.trips.gap, activity=self.task.trips.activity)
        self.tally.legs += legs.height
        self.tally.trips += trips.height
        for end in ("origin", "destination"):
            there = locations.select(
                "uid",
                pl.col("place").alias(end),
                pl.col("place_id").alias(f"{end}_id"),
                pl.col("intent").alias(f"{end}_intent"),
                pl.col("lat").alias(f"{end}_lat"),
                pl.col("lon").alias(f"{end}_lon"),
            )
            trips = trips.join(there, on=["uid", end], how="left", maintain_order="left")
            trips = trips.with_columns(pl.col(f"{end}_id").alias(end))
        if TRIP_LEGS.name in self.task.beside:
            drawn = draw_lines(points, number_legs(legs, trips), way)
            modes = find_modes() if self.task.trips.modes else pl.lit(None)
            self._add(TRIP_LEGS, _with_times(drawn.with_columns(mode=modes), uids))
        if not {TRIPS.name, TOURS.name} & set(self.task.beside):
            return
        drawn = draw_lines(points, trips, way)
        if TOURS.name in self.task.beside:
            self._keep_tours(drawn, stays, uids)
        ends = _ends(*(pl.col(f"{end}_{axis}") for end in _ENDS for axis in _AXES))
        told = {"mode": pl.lit(None), "intent": pl.col("destination_intent")}
        self._add(TRIPS, _with_times(drawn.with_columns(**ends, **told), uids))

    def _keep_tours(self, trips: pl.DataFrame, stays: pl.DataFrame, uids: pl.Series) -> None:
        """Keep the tours of trips."""
        at_stays = (stays[axis].gather(trips[f"{end}_stay"]) for end in _ENDS for axis in _AXES)
        settings = self.task.trips
        placed = trips.with_columns(**_ends(*at_stays))
        tours = find_tours(placed, settings.hours, settings.metres)
        self.tally.tours += tours.height
        self._add(TOURS, _with_times(tours, uids))

    def _add(self, table: Table, rows: pl.DataFrame) -> None:
        if table.name in self.task.beside:
            kinds = table.dtypes.items()
            self.beside[table.name] = rows.select(pl.col(name).cast(kind) for name, kind in kinds)

    def _filter(self, points: pl.DataFrame) -> pl.DataFrame:
        """Points without repeats and outliers, compressed; counts what it removes."""
        repeats = points.select(
            pl.all_horizontal(pl.all() == pl.all().shift(1)).fill_null(value=False)
        ).to_series()
        points = points.filter(~repeats)
        self.tally.repeated += int(repeats.sum())
        if self.task.filters.max_speed is not None:
            slow = find_slow(tracks_of(points), self.task.filters.max_speed)
            self.tally.fast += int(np.count_nonzero(~slow))
            points = points.filter(slow)
        if self.task.filters.compress is None:
            return points
        fewer = compress(points, self.task.filters.compress)
        self.tally.compressed += points.height - fewer.height
        return fewer


def _ends(*known: pl.Expr | pl.Series) -> dict[str, pl.Expr]:
    """Latitudes and longitudes of both ends of trips; where unknown, of the way through points."""
    names = [(end, fix, axis) for end, fix in _ENDS.items() for axis in _AXES]
    return {
        f"{end}_{axis}": pl.coalesce(at, f"{fix}_{axis}")
        for (end, fix, axis), at in zip(names, known, strict=True)
    }


def _with_times(spans: pl.DataFrame, uids: pl.Series) -> pl.DataFrame:
    """Trips, legs or tours with their moments, durations and the numbers of their users."""
    moments = {"started_at": pl.col("at"), "finished_at": pl.col("until")}
    return spans.with_columns(
        uid=uids.gather(spans["uid"]),
        duration_min=(pl.col("until") - pl.col("at")) / 60e6,
        **{name: when.cast(pl.Datetime("us")) for name, when in moments.items()},
    )


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

"""Trip legs between stays, and the trips that they make up.

As in trackintel 1.4 (``generate_triplegs(method="between_staypoints")`` and ``generate_trips``;
Martin et al., Computers, Environment and Urban Systems 2023): a leg is a run of at least two points
of no stay, without a longer time between two of them than the gap. An activity is a stay longer
than a limit; a trip is all legs and shorter stays from one activity, or gap, to the next.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from humobctl.data.stays.detect import Tracks, cover_rows, tracks_of
from humobctl.native import Bools, Floats
from humobctl.tables.grid import EARTH_RADIUS

_MINUTE = 60_000_000


def find_legs(points: pl.DataFrame, stays: pl.DataFrame, gap: float, way: Floats) -> pl.DataFrame:
    """Legs of points (uid, at, lat, lon) sorted by user and time.

    Args:
        points: all points of whole users.
        stays: begin and stop, the rows of each stay's points, in the order of the points.
        gap: longest time in minutes between two points of a leg.
        way: see ``walk_lengths``.

    Returns:
        uid; leg, its number among the user's; at and until (microseconds); begin and stop, its
        rows. Legs that do not move are none.
    """
    tracks = tracks_of(points)
    free = ~cover_rows(stays["begin"].to_numpy(), stays["stop"].to_numpy(), points.height)
    breaks = _breaks(tracks, free, gap)
    starts = np.flatnonzero(free & breaks)
    edges = np.append(np.flatnonzero(breaks | ~free), points.height)
    stops = edges[np.searchsorted(edges, starts, side="right")]
    moves = (stops - starts >= 2) & (way[stops - 1] > way[starts])
    begin, stop = starts[moves], stops[moves]
    legs = pl.DataFrame(
        {
            "uid": points["uid"].gather(begin),
            "at": tracks.at[begin],
            "until": tracks.at[stop - 1],
            "begin": begin,
            "stop": stop,
        }
    )
    return legs.with_columns(leg=pl.int_range(pl.len()).over("uid"))


def find_trips(
    stays: pl.DataFrame, legs: pl.DataFrame, gap: float, activity: float
) -> pl.DataFrame:
    """Trips of whole users.

    Args:
        stays: uid, at, until (microseconds), place, a number for each location of a user.
        legs: see ``find_legs``.
        gap: longest time in minutes in which nothing is known within a trip.
        activity: duration in minutes above which a stay is an activity, which ends a trip.

    Returns:
        uid; trip, its number among the user's; at and until; begin and stop, its rows, from the
        first leg's first to the last leg's last; origin and destination, numbers of places, null
        where the trip begins or ends in a gap; origin_stay and destination_stay, rows of stays;
        first_leg and last_leg, numbers of legs.
    """
    lasts = pl.col("until") - pl.col("at")
    items = pl.concat(
        [
            stays.with_row_index("stay").select(
                "uid", "at", "until", "place", "stay", active=lasts > activity * _MINUTE
            ),
            legs.select("uid", "at", "until", "begin", "stop", "leg", active=False),
        ],
        how="diagonal",
    ).sort("uid", "at", "until")
    near = (pl.col("uid") == pl.col("uid").shift(1)) & (
        pl.col("at") - pl.col("until").shift(1) <= gap * _MINUTE
    )
    ends = {
        f"{end}{of}": pl.when(pl.col("near").shift(min(step, 0))).then(
            pl.when("active").then(name).shift(step)
        )
        for end, step in (("origin", 1), ("destination", -1))
        for name, of in (("place", ""), ("stay", "_stay"))
    }
    items = items.with_columns(near=near.fill_null(value=False)).with_columns(
        begins=~pl.col("near") | pl.col("active").shift(1, fill_value=False), **ends
    )
    trips = (
        items.with_columns(group=pl.col("begins").cum_sum())
        .filter(~pl.col("active"))
        .group_by("group", maintain_order=True)
        .agg(
            pl.col("uid").first(),
            pl.col("at").min(),
            pl.col("until").max(),
            pl.col("begin").min(),
            pl.col("stop").max(),
            pl.col("origin", "origin_stay").first(),
            pl.col("destination", "destination_stay").last(),
            first_leg=pl.col("leg").min(),
            last_leg=pl.col("leg").max(),
        )
        .filter(pl.col("first_leg").is_not_null())
        .drop("group")
    )
    return trips.with_columns(trip=pl.int_range(pl.len()).over("uid"))


def number_legs(legs: pl.DataFrame, trips: pl.DataFrame) -> pl.DataFrame:
    """The legs with ``trip``, the number of the trip that each is of."""
    spans = trips.select("uid", "trip", leg=pl.int_ranges("first_leg", pl.col("last_leg") + 1))
    return legs.join(spans.explode("leg"), on=["uid", "leg"], how="left", maintain_order="left")


def draw_lines(points: pl.DataFrame, spans: pl.DataFrame, way: Floats) -> pl.DataFrame:
    """The spans of rows (``begin`` to ``stop`` - 1) described by their points.

    Args:
        points: all points of whole users.
        spans: any with these columns.
        way: see ``walk_lengths``.

    Returns:
        The spans with points, how many; distance_m, the length of the way through them in metres;
        line, the way as WKT; the latitude and longitude of its first and last point.
    """
    begin, stop = (spans[name].to_numpy() for name in ("begin", "stop"))
    many = stop - begin
    row = np.arange(many.sum()) + np.repeat(begin - (np.cumsum(many) - many), many)
    text = (
        points.select(at=pl.format("{} {}", "lon", "lat"))[row]
        .with_columns(span=np.repeat(np.arange(len(many)), many))
        .group_by("span", maintain_order=True)
        .agg(pl.format("LINESTRING ({})", pl.col("at").str.join(", ")).first().alias("line"))
    )
    ends = {
        f"{name}_{axis}": points[axis].gather(rows)
        for name, rows in (("first", begin), ("last", stop - 1))
        for axis in ("lat", "lon")
    }
    return spans.with_columns(
        points=many, distance_m=way[stop - 1] - way[begin], line=text["line"], **ends
    )


def find_modes() -> pl.Expr:
    """Coarse modes of transport of legs (at, until, distance_m) by their mean speed.

    As in trackintel's ``predict_transport_mode`` (simple-coarse). Null for legs that take no time.
    """
    hours = (pl.col("until") - pl.col("at")) / 3600e6
    speed = pl.col("distance_m") / 1000 / hours
    slow, motorized = pl.lit("slow_mobility"), pl.lit("motorized_mobility")
    mode = pl.when(speed < 15).then(slow).when(speed < 100).then(motorized)
    return pl.when(hours > 0).then(mode.otherwise(pl.lit("fast_mobility")))


def walk_lengths(tracks: Tracks) -> Floats:
    """Cumulative metres (haversine) from the first point, over all users in sequence."""
    north, east = (np.sin(np.diff(axis) / 2) ** 2 for axis in (tracks.lat, tracks.lon))
    chord = north + np.cos(tracks.lat[1:]) * np.cos(tracks.lat[:-1]) * east
    steps = 2 * EARTH_RADIUS * np.arcsin(np.minimum(np.sqrt(chord), 1.0))
    return np.concatenate([[0.0], np.cumsum(steps)])


def _breaks(tracks: Tracks, free: Bools, gap: float) -> Bools:
    """Whether each row begins a leg: the first of a user, after a gap or after a stay."""
    breaks = np.ones(len(tracks.at), np.bool_)
    breaks[1:] = (np.diff(tracks.at) > gap * _MINUTE) | ~free[:-1]
    breaks[tracks.first[:-1]] = True
    return breaks

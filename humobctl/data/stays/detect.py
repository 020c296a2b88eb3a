"""Stays in points of whole users, and the locations that these stays are at.

Sources: Li et al., ACM SIGSPATIAL GIS 2008 (stay points by a sliding window, as in trackintel);
Hariharan and Toyama, GIScience 2004 (as in scikit-mobility); Ester et al., KDD 1996 (DBSCAN).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import polars as pl

from humobctl.data.stays.config import StayMethod
from humobctl.native import Bools, Floats, Int64s, library
from humobctl.tables.grid import EARTH_RADIUS

_MINUTE, _EVER = 60_000_000, 1 << 62


class Tracks(NamedTuple):
    """Points, or stays, of whole users in the order of time.

    Attributes:
        first: first row of each user, and the end, (users + 1,).
        at: microseconds, (rows,).
        lat, lon: radians, (rows,).
    """

    first: Int64s
    at: Int64s
    lat: Floats
    lon: Floats


def tracks_of(points: pl.DataFrame) -> Tracks:
    """The tracks of points (uid, at, lat, lon in degrees) sorted by user and time."""
    uid = points["uid"].to_numpy()
    begins = np.flatnonzero(np.append(True, uid[1:] != uid[:-1]))[: len(uid)]
    first = np.append(begins, len(uid)).astype(np.int64)
    lat, lon = (np.radians(points[name].to_numpy()) for name in ("lat", "lon"))
    return Tracks(first, np.ascontiguousarray(points["at"].to_numpy()), lat, lon)


def find_slow(tracks: Tracks, max_speed: float) -> Bools:
    """Which points to keep: those reached from the last kept one at ``max_speed`` km/h or less.

    As in scikit-mobility's ``filter``, for a user's last point too.
    """
    keep = np.empty(len(tracks.at), np.uint8)
    radians = max_speed * 1000 / 3600 / 1e6 / EARTH_RADIUS
    library().humob_filter_speed(
        len(tracks.first) - 1, tracks.first, tracks.at, tracks.lat, tracks.lon, radians, keep
    )
    return keep.view(np.bool_)


def find_stays(points: pl.DataFrame, method: StayMethod) -> pl.DataFrame:
    """Stays of points (uid, at, lat, lon) sorted by user and time.

    Returns:
        uid, at and until (microseconds), lat and lon (degrees), begin and stop (the rows of its
        points), in the order of the points.
    """
    tracks = tracks_of(points)
    begin, stop = (np.empty(len(tracks.at), np.int64) for _ in range(2))
    least, gap = (int(min(limit * _MINUTE, _EVER)) for limit in (method.minutes, method.gap))
    far, strict, last = _half_chord(method.metres), int(method.strict), method.last
    found = library().humob_find_stays(
        len(tracks.first) - 1, *tracks, far, least, gap, strict, last, begin, stop
    )
    begin, stop = begin[:found], stop[:found]
    ends = tracks.first[np.searchsorted(tracks.first, begin, side="right")] - 1
    lat, lon = _place_stays(points, begin, stop, median=method.median)
    return pl.DataFrame(
        {
            "uid": points["uid"].gather(begin),
            "at": tracks.at[begin],
            "until": tracks.at[np.minimum(stop, ends)],
            "lat": lat,
            "lon": lon,
            "begin": begin,
            "stop": stop,
        }
    )


def compress(points: pl.DataFrame, metres: float) -> pl.DataFrame:
    """Points (uid, at, lat, lon) sorted by user and time, with near neighbours merged.

    A run of points within ``metres`` of its first becomes one at its first time and at the median
    of its coordinates, as in scikit-mobility's ``compress``.
    """
    tracks = tracks_of(points)
    begin, stop = (np.empty(len(tracks.at), np.int64) for _ in range(2))
    found = library().humob_find_stays(
        len(tracks.first) - 1, *tracks, _half_chord(metres), -1, _EVER, 1, 1, begin, stop
    )
    # A user's last point alone is not a window.
    alone = np.flatnonzero(~cover_rows(begin[:found], stop[:found], points.height))
    begin = np.sort(np.concatenate([begin[:found], alone]))
    stop = np.append(begin[1:], points.height)
    lat, lon = _place_stays(points, begin, stop, median=True)
    return points[begin].with_columns(lat=pl.Series(lat), lon=pl.Series(lon))


def join_stays(stays: pl.DataFrame, metres: float) -> pl.DataFrame:
    """The stays with ``place``, a number for each location of a user in the order of first visits.

    Stays of a user at most ``metres`` apart are at one location, as are those joined through
    others: DBSCAN with haversine distances and a minimum of one stay.
    """
    tracks = tracks_of(stays)
    earliest = np.empty(stays.height, np.int64)
    users, near = len(tracks.first) - 1, _half_chord(metres)
    library().humob_join_stays(users, tracks.first, tracks.lat, tracks.lon, near, earliest)
    return stays.with_columns(place=pl.Series(earliest).rank("dense").cast(pl.Int64)).with_columns(
        place=pl.col("place") - pl.col("place").min().over("uid")
    )


def locations_of(stays: pl.DataFrame) -> pl.DataFrame:
    """The locations of stays (see ``join_stays``).

    Returns:
        uid, place; lat and lon, means over its stays; stays, how many; minutes spent there;
        place_id and category where the stays have them, null where not.
    """
    lat, lon = _measure_from_first()
    told = {
        name: pl.col(name).first() if name in stays.columns else pl.lit(None, pl.String)
        for name in ("place_id", "category")
    }
    return stays.group_by("uid", "place", maintain_order=True).agg(
        lat=pl.col("lat").first() + lat.mean(),
        lon=_wrap(pl.col("lon").first() + lon.mean()),
        stays=pl.len(),
        minutes=(pl.col("until") - pl.col("at")).sum() / _MINUTE,
        **told,
    )


def on_sphere(lat: pl.Series, lon: pl.Series) -> Floats:
    """Positions on the unit sphere of degrees, (rows, 3)."""
    north, east = (np.radians(axis.to_numpy()) for axis in (lat, lon))
    flat = np.cos(north)
    return np.stack([flat * np.cos(east), flat * np.sin(east), np.sin(north)], axis=1)


def cover_rows(begin: Int64s, stop: Int64s, rows: int) -> Bools:
    """Whether each row lies in one of the ranges from ``begin`` to ``stop`` - 1."""
    change = np.zeros(rows + 1, np.int64)
    np.add.at(change, begin, 1)
    np.add.at(change, stop, -1)
    covered: Bools = np.cumsum(change)[:-1] > 0
    return covered


def _half_chord(metres: float) -> float:
    """sin^2(d / 2R), by which the kernel compares distances."""
    return math.sin(min(metres / EARTH_RADIUS, math.pi) / 2) ** 2


def _place_stays(
    points: pl.DataFrame, begin: Int64s, stop: Int64s, *, median: bool
) -> tuple[Floats, Floats]:
    """Median or mean latitudes and longitudes of runs of points, across the date line too."""
    placed = np.empty((2, len(begin)))
    from_lat, from_lon = (np.ascontiguousarray(points[axis].to_numpy()) for axis in ("lat", "lon"))
    begin, stop = np.ascontiguousarray(begin), np.ascontiguousarray(stop)
    if library().humob_place_stays(
        len(begin), begin, stop, from_lat, from_lon, int(median), placed[0], placed[1]
    ):
        raise MemoryError
    return placed[0], placed[1]


def _measure_from_first() -> tuple[pl.Expr, pl.Expr]:
    """Degrees from the first point of a group, so that the mean of equal points is exact."""
    north, east = (pl.col(axis) - pl.col(axis).first() for axis in ("lat", "lon"))
    return north, _wrap(east)


def _wrap(lon: pl.Expr) -> pl.Expr:
    """Longitudes wrapped to -180 to 180; those within are unchanged."""
    return pl.when(lon.abs() > 180).then((lon + 180.0) % 360.0 - 180.0).otherwise(lon)

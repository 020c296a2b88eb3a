"""Where users were, as the measures take it: records of whole users in the order of time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from humobctl.data.measures.formulas import Distance, find_starts, great_circle_km, straight_line
from humobctl.native import Bools, Floats, Int64s

MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
"""Microseconds."""


@dataclass(frozen=True)
class Records:
    """Records of users, all shapes (records,) but those of ``uid`` and ``first``.

    Attributes:
        uid: of each user, (users,).
        first: where each user's records begin, and the end, (users + 1,).
        at: microseconds of the clock.
        north, east: degrees, or km on a plane.
        place: numbers of locations; equal numbers are one location.
        planar: whether positions lie on a plane.
        until: microseconds at which records end; None where they have no duration.
        at_home: records that are known to be at home; None where no record is.
        day: of each record; None for that of the clock.
        slot: microseconds of the clock's slots that coverage counts.
    """

    uid: pl.Series
    first: Int64s
    at: Int64s
    north: Floats
    east: Floats
    place: Int64s
    planar: bool = False
    until: Int64s | None = None
    at_home: Bools | None = None
    day: Int64s | None = None
    slot: int = HOUR

    @property
    def apart(self) -> Distance:
        """What measures the distance of two positions in km."""
        return straight_line if self.planar else great_circle_km

    @cached_property
    def owners(self) -> Int64s:
        """Index of each record's user."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))

    @cached_property
    def unrolled_east(self) -> Floats:
        """``east`` from each user's first record, unwrapped: the date line is not a break."""
        if self.planar:
            return self.east
        start = np.repeat(self.east[self.first[:-1]], np.diff(self.first))
        turn = self.east - start
        return start + np.where(np.abs(turn) > 180.0, turn - np.copysign(360.0, turn), turn)


def records_of(
    frame: pl.DataFrame, uids: pl.Series | None = None, *, at_home: Bools | None = None
) -> Records:
    """Records of a frame sorted by user and time.

    Args:
        frame: uid, at, place, lat and lon in degrees, and maybe until (microseconds)
            and d, the day.
        uids: the ids of the numbers in the column uid; None where they are ids themselves.
        at_home: which records are known to be at home.
    """
    first = find_starts(frame["uid"].to_numpy())
    uid = frame["uid"].gather(first[:-1])
    return Records(
        uid=uid if uids is None else uids.gather(uid),
        first=first,
        at=frame["at"].to_numpy(),
        north=frame["lat"].to_numpy(),
        east=frame["lon"].to_numpy(),
        place=frame["place"].to_numpy(),
        until=frame["until"].to_numpy() if "until" in frame.columns else None,
        at_home=at_home,
        day=frame["d"].to_numpy() if "d" in frame.columns else None,
    )


def number_places(place_id: str = "place_id") -> pl.Expr:
    """Numbers of locations: of the place id, or of exactly these coordinates where there is none.

    Hashes of 64 bits, so that nothing has to be kept over batches.
    """
    # Adding 0 makes one zero of -0.0 and 0.0.
    point = pl.struct(lat=pl.col("lat") + 0.0, lon=pl.col("lon") + 0.0).hash()
    known = pl.col(place_id).cast(pl.String)
    hashed = pl.when(known.is_not_null()).then(known.hash()).otherwise(point)
    return hashed.reinterpret(signed=True).alias("place")

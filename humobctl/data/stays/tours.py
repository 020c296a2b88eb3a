"""Tours: runs of trips that end where they began.

As in trackintel 1.4 (``generate_tours`` without spatial gaps): a trip closes the shortest tour that
it can, so tours may lie in one another, and a trip that does not begin where the last one ended
begins the search anew.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from humobctl.data.stays.detect import on_sphere
from humobctl.tables.grid import EARTH_RADIUS

_HOUR = 3_600_000_000
_ENDS = ("origin", "destination")


def find_tours(trips: pl.DataFrame, hours: float, metres: float | None) -> pl.DataFrame:
    """Tours of whole users.

    Args:
        trips: uid, trip, at, until (microseconds), distance_m, origin and destination (locations,
            null where they are not known), the latitude and longitude of these, in the order of
            users and time.
        hours: longest time that a tour takes.
        metres: distance up to which two ends of trips are at one place; None for ends at the same
            location.

    Returns:
        uid; tour, its number among the user's, by the time of its end; at and until; place_id, the
        location that it begins at; first_trip, last_trip and trips, how many; distance_m, their
        sum.
    """
    meet = _same_location(trips) if metres is None else _within(trips, metres)
    known = {end: trips[end].is_not_null().to_list() for end in _ENDS}
    uid, at, until = (trips[name].to_list() for name in ("uid", "at", "until"))
    limit, start, spans = hours * _HOUR, 0, []
    for now in range(trips.height):
        if now and uid[now] != uid[now - 1]:
            start = now
        elif now and not meet(now - 1, now):
            start = now
            continue  # as in trackintel, even if this trip itself ends where it began
        if not known["destination"][now]:
            continue
        for begin in range(now, start - 1, -1):
            if until[now] - at[begin] > limit:
                break
            if known["origin"][begin] and meet(now, begin):
                spans.append((begin, now))
                break
    first, last = np.array(spans, np.int64).reshape(-1, 2).T
    walked = np.append(0.0, np.cumsum(trips["distance_m"].to_numpy()))
    tours = pl.DataFrame(
        {
            "uid": trips["uid"].gather(first),
            "at": trips["at"].gather(first),
            "until": trips["until"].gather(last),
            "place_id": trips["origin"].gather(first),
            "first_trip": trips["trip"].gather(first),
            "last_trip": trips["trip"].gather(last),
            "trips": last - first + 1,
            "distance_m": walked[last + 1] - walked[first],
        }
    )
    return tours.with_columns(tour=pl.int_range(pl.len()).over("uid"))


def _same_location(trips: pl.DataFrame) -> Callable[[int, int], bool]:
    """Whether one trip ends at the location where another begins, both known."""
    origin, destination = (trips[end].to_list() for end in _ENDS)
    return lambda one, other: destination[one] is not None and destination[one] == origin[other]


def _within(trips: pl.DataFrame, metres: float) -> Callable[[int, int], bool]:
    """Whether one trip ends within so many metres of where another begins."""
    begins, ends = (on_sphere(trips[f"{end}_lat"], trips[f"{end}_lon"]).tolist() for end in _ENDS)
    chord = 2 * np.sin(min(metres / EARTH_RADIUS, np.pi) / 2)

    def meet(one: int, other: int) -> bool:
        gaps = (a - b for a, b in zip(ends[one], begins[other], strict=True))
        return bool(sum(gap * gap for gap in gaps) <= chord * chord)

    return meet

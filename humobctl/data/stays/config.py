"""What a stay is: methods of the field and their settings."""

from __future__ import annotations

import math
from dataclasses import dataclass

from humobctl.errors import UsageError

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class StayMethod:
    """When a window of points is a stay.

    Attributes:
        metres: distance from the window's first point at which it ends.
        minutes: shortest stay.
        gap: longest time in minutes between two points of a stay.
        strict: a window ends, and is a stay, only beyond these, not at them.
        median: a stay lies at the median of its points' coordinates, not at their mean.
        last: the window that a track ends in: 0 no stay, 1 with the last point, 2 ended by it.
    """

    metres: float
    minutes: float
    gap: float
    strict: bool = False
    median: bool = False
    last: int = 0


METHODS = {
    "sliding-window": StayMethod(metres=100.0, minutes=5.0, gap=15.0),
    "scikit-mobility": StayMethod(
        metres=200.0, minutes=20.0, gap=math.inf, strict=True, median=True, last=2
    ),
}
"""Methods by name, with the defaults of trackintel 1.4 and scikit-mobility 1.3."""


@dataclass(frozen=True)
class PointFilter:
    """Which points count.

    Attributes:
        max_speed: fastest way in km/h from the last point kept; None for any.
        accuracy: largest value in metres of the column accuracy; None where none is asked for.
        box: south, west, north and east edge in degrees; None for everywhere.
        compress: distance in metres within which neighbouring points become one; None for none.
    """

    max_speed: float | None = None
    accuracy: float | None = None
    box: Box | None = None
    compress: float | None = None


@dataclass(frozen=True)
class TripSettings:
    """What a trip and a tour are; the defaults are trackintel's.

    Attributes:
        gap: longest time in minutes between two points of a leg, and between parts of a trip.
        activity: duration in minutes above which a stay ends a trip.
        hours: longest time that a tour takes.
        metres: distance up to which trips of a tour meet; None for meeting at a location.
        modes: guess the mode of transport of legs from their speed.
    """

    gap: float = 15.0
    activity: float = 15.0
    hours: float = 24.0
    metres: float | None = None
    modes: bool = False


def parse_box(text: str) -> Box:
    """The edges of a bounding box, ``SOUTH,WEST,NORTH,EAST``.

    Raises:
        UsageError: these are not four numbers, or not in this order.
    """
    try:
        south, west, north, east = (float(part) for part in text.split(","))
    except ValueError:
        south = west = north = east = float("nan")
    if not (-90 <= south <= north <= 90 and -180 <= west <= 180 and -180 <= east <= 180):
        raise UsageError(
            f"--box: found {text!r}, expected SOUTH,WEST,NORTH,EAST in degrees, such as "
            "39.8,116.2,40.1,116.6"
        )
    return south, west, north, east

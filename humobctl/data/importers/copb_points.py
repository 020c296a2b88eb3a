"""Person-days of points as CoPB publishes them: one a line of JSON, or an array of them.

A point is an object of named values, ``[longitude, latitude]`` at equal steps of a day, or such a
pair after its time of day.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from humobctl.data.importers.copb import frames_reader
from humobctl.data.importers.options import ImportOptions, Opened
from humobctl.errors import HumobError, TableError
from humobctl.io.row_errors import quote
from humobctl.io.streams import Input

_FARTHEST_NORTH = 90


def is_points(value: Any) -> bool:
    """Whether this is a person-day of points, or several of them."""
    return bool(days := _days(value)) and _is_point(next(iter(days.values()))[0])


def open_points(source: Input, value: Any, options: ImportOptions) -> Opened:
    """The points of all person-days; each is a user.

    Raises:
        HumobError: a point of another form, or pairs in an order that cannot be seen.
    """
    days = _days(value)
    first = next(iter(days.values()))[0]
    if isinstance(first, dict):
        frames = {name: pl.DataFrame(day, infer_schema_length=None) for name, day in days.items()}
    else:
        frames = _frames_of_pairs(source.name, days)
    return frames_reader(source, frames, options).open("CoPB's person-days of points")


def _days(value: Any) -> dict[str, list[Any]]:
    """Person-days by name; none where it is something else."""
    if isinstance(value, list) and value and not _is_point(value[0]):
        value = {str(number): day for number, day in enumerate(value)}
    days = value if isinstance(value, dict) else {"0": value}
    return days if all(isinstance(day, list) and day for day in days.values()) else {}


def _is_point(value: Any) -> bool:
    if isinstance(value, dict):
        return True
    if not isinstance(value, list) or len(value) not in (2, 3):
        return False
    timed = len(value) == 3 and isinstance(value[0], str)
    return (len(value) == 2 or timed) and all(map(_is_number, value[timed:]))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _frames_of_pairs(name: str, days: dict[str, list[Any]]) -> dict[str, pl.DataFrame]:
    for line, day in days.items():
        for number, point in enumerate(day, 1):
            if not isinstance(point, list) or not _is_point(point):
                place = f"{name}, person-day {line}"
                raise TableError(place, quote(point), "[longitude, latitude]", row=number)
    ends = [point[-2:] for day in days.values() for point in day]
    far = [any(abs(pair[at]) > _FARTHEST_NORTH for pair in ends) for at in (0, 1)]
    if far[0] == far[1]:
        raise HumobError(
            f"{name}: found pairs in an unclear order (either may be latitude), expected objects "
            'such as {"lon": 24.9, "lat": 60.2}'
        )
    lon, lat = (-2, -1) if far[0] else (-1, -2)
    return {
        line: pl.DataFrame(
            {
                "lat": [float(point[lat]) for point in day],
                "lon": [float(point[lon]) for point in day],
                **({"time": [point[0] for point in day]} if len(day[0]) == 3 else {}),
            }
        )
        for line, day in days.items()
    }

"""What all descriptions share: they print as tables and go to JSON."""

from __future__ import annotations

import dataclasses
import datetime as dt
import sys
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TextIO

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.console.shown import Shown
from humobctl.console.words import pluralize
from humobctl.data.measures.spread import SPREAD_COLUMNS, Spread, show_number
from humobctl.data.measures.summary import Measures

_RANKS_SHOWN = 5
_LABELS = {
    "coverage": "fraction of time covered",
    "longest_gap_hours": "longest gap, hours",
    "locations": "locations",
    "top_location_share": "fraction at the top location",
    "radius_of_gyration_km": "radius of gyration, km",
    "radius_of_gyration_duration_km": "radius of gyration by duration, km",
    "k2_radius_of_gyration_km": "2-radius of gyration, km",
    "jump_length_mean_km": "jump length: mean, km",
    "jump_length_median_km": "jump length: median, km",
    "maximum_distance_km": "maximum distance, km",
    "distance_straight_line_km": "straight-line distance, km",
    "waiting_time_mean_min": "waiting time: mean, min",
    "waiting_time_median_min": "waiting time: median, min",
    "distance_from_home_mean_km": "distance from home: mean, km",
    "distance_from_home_max_km": "distance from home: maximum, km",
    "square_displacement_1h_km2": "square displacement, 1 h, km2",
    "square_displacement_24h_km2": "square displacement, 24 h, km2",
    "square_displacement_168h_km2": "square displacement, 168 h, km2",
    "entropy_random_bits": "random entropy, bits",
    "entropy_uncorrelated_bits": "uncorrelated entropy, bits",
    "entropy_real_bits": "real entropy, bits",
    "predictability": "predictability",
}


class Section(NamedTuple):
    """A table for people; the first column is text."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(repr=False)
class TableDescription(Shown):
    """What was found in a table.

    Attributes:
        source: name of the input.
        kind: what the table holds, such as ``visits``.
    """

    hidden: ClassVar[frozenset[str]] = frozenset()
    """Attributes that are left out of JSON."""

    source: str
    kind: str

    @abstractmethod
    def sections(self) -> list[Section]:
        """The tables that ``show`` prints."""

    def show(self, stream: TextIO | None = None) -> None:
        """Print what was found for people."""
        for title, columns, rows in self.sections():
            report.table(title, columns, rows, stream=stream or sys.stdout)

    def to_dict(self) -> dict[str, Any]:
        """All numbers, ready for ``json.dumps``."""
        last = {"measures"} & vars(self).keys()
        names = [name for name in vars(self) if name not in self.hidden | last]
        values = {name: getattr(self, name) for name in (*names, *last)}
        found: dict[str, Any] = _to_json(values)
        return found

    def totals(self, rows: Sequence[tuple[str, str]]) -> Section:
        """Totals, under the name and kind of the source."""
        return Section(f"{self.source}: {self.kind}", ("in all", ""), rows)


@dataclass(repr=False)
class UserDescription(TableDescription):
    """What was found in a table of users with positions.

    Attributes:
        measures: the field's measures, over users and over locations.
    """

    measures: Measures

    def to_frame(self) -> pl.DataFrame:
        """One row per user, every measure (``schemas.USER_MEASURES``)."""
        return self.measures.users


def _to_json(value: Any) -> Any:
    if isinstance(value, Measures):
        found = {name: _to_json(part) for name, part in vars(value).items() if name != "users"}
        return found.pop("over_users") | found
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, dict):
        return {key: _to_json(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.isoformat() if isinstance(value, dt.datetime) else value


# -- parts of tables ---------------------------------------------------------------------------


def share_of(part: int, whole: int) -> str:
    """A number and its fraction of all."""
    return f"{part:,} ({part / whole:.1%})" if whole else f"{part:,}"


def degrees(box: dict[str, float]) -> list[tuple[str, str]]:
    """The rows of a bounding box in degrees."""
    return [
        ("latitude", f"{box['south']:.5f} to {box['north']:.5f}"),
        ("longitude", f"{box['west']:.5f} to {box['east']:.5f}"),
    ]


def spread_section(over: str, spreads: dict[str, Spread]) -> Section:
    """Distributions of values, one row each."""
    rows = [(label, *found.cells()) for label, found in spreads.items()]
    return Section("", (over, *SPREAD_COLUMNS), rows)


def measure_sections(measures: Measures) -> list[Section]:
    """The measures over users, over pairs of records and over locations."""
    over = measures.over_users
    users = {
        label + _of(over[name], measures.users.height): over[name]
        for name, label in _LABELS.items()
        if over[name].count
    }
    ranks = measures.share_by_rank[:_RANKS_SHOWN]
    sections = [
        spread_section("measures over users", users),
        spread_section(
            "over consecutive records",
            {
                "jump length, km": measures.jump_length_km,
                "waiting time, min": measures.waiting_time_min,
            },
        ),
    ]
    if measures.locations is not None:
        sections.append(
            spread_section(
                f"over {measures.locations:,} locations",
                {
                    "records": measures.records_per_location,
                    "users": measures.users_per_location,
                    "random entropy, bits": measures.location_entropy_random_bits,
                    "uncorrelated entropy, bits": measures.location_entropy_uncorrelated_bits,
                },
            )
        )
    shares = [f"{share:.1%}" for share in ranks]
    numbers = [str(rank) for rank in range(1, len(ranks) + 1)]
    sections.append(
        Section("", ("location of rank", *numbers), [("mean fraction of records", *shares)])
    )
    return sections


def _of(found: Spread, users: int) -> str:
    """Number of users with a measure, where not all have it."""
    return "" if found.count == users else f" ({pluralize(found.count, 'user')})"


def square_displacement(measures: Measures) -> str:
    """Mean square displacements in words."""
    found = measures.mean_square_displacement_km2
    return ", ".join(f"{lag} {show_number(value)}" for lag, value in found.items())

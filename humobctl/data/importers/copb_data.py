"""The rest of CoPB's data folder: profiles, homes and works, day templates, points a line.

Formats, as its published scripts write and use them: ``hws.pkl`` ``[(home, work), ...]``, each
``(name, id, (lon, lat))``; ``profileWordDict.pkl`` ``{index: ("education-gender-consumption-
occupation", people)}``; ``Labeled_profile.pkl`` the same without people; ``data.pkl`` six dicts of
place categories and ``timeDistribution_Event.pkl`` ``{intent: {"0-1": share}}`` by half hours of
duration, which are not tables; ``GenResult_7.json``, the plan of profile 7, ``[[intent, "(HH:MM,
HH:MM)"], ...]``; person-days of points at equal steps, one a line, ``[[lon, lat], ...]``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from humobctl.data.importers.delimited import Batch
from humobctl.data.importers.options import ImportOptions, Opened
from humobctl.data.importers.user_ids import number_names
from humobctl.errors import HumobError, TableError
from humobctl.io.read import Reader, read_table
from humobctl.io.row_errors import LineNumbers, quote
from humobctl.io.streams import Input
from humobctl.tables.intents import intent_of
from humobctl.tables.schemas import HOME_WORK, INTENTIONS, PLACES, POPULATION, PROFILES, Table

SPAN = re.compile(
    r"\s*\(?\s*(\d{1,2}):(\d\d)(?::\d\d)?\s*[,-]\s*(\d{1,2}):(\d\d)(?::\d\d)?\s*\)?\s*"
)
_ATTRIBUTES = ("education", "gender", "consumption", "occupation")
_MEALS = ("have breakfast", "have lunch", "have dinner")
_OWN_NUMBER = re.compile(r"(\d+)\.json$")
Rows = Iterator[dict[str, Any] | TableError]


def is_template(plan: Any) -> bool:
    """Whether this is a day plan without places: ``[[intent, "(HH:MM, HH:MM)"], ...]``."""
    first = plan[0] if isinstance(plan, list) and plan else None
    return isinstance(first, list | tuple) and len(first) == 2 and _is_span(first[1])


def _is_span(value: Any) -> bool:
    return isinstance(value, str) and SPAN.fullmatch(value) is not None


def templates(source: Input, people: dict[str, Any], options: ImportOptions) -> Opened:
    """The plans of templates as intentions; a number in the name of a file is the user's.

    Args:
        source: the input.
        people: name -> plan.
        options: what to do with faults.
    """
    found = [_OWN_NUMBER.search(name) for name in people]
    numbers = [match[1] if match else name for match, name in zip(found, people, strict=True)]
    users = number_names(numbers if len(set(numbers)) == len(numbers) else list(people))

    def rows() -> Rows:
        for (uid, _), (name, plan) in zip(users, people.items(), strict=True):
            for seq, event in enumerate(plan):
                try:
                    yield {"uid": uid, "d": 0, "seq": seq, **_event(event)}
                except (ValueError, TypeError, IndexError):
                    place = name if name.endswith(".json") else source.name
                    expected = '["intent", "(HH:MM, HH:MM)"]'
                    yield TableError(place, quote(event), expected, row=seq + 1)

    return _open(source, INTENTIONS, rows, options, "CoPB day templates")


def _event(event: Any) -> dict[str, Any]:
    text = str(event[0]).strip().lower()
    span = SPAN.fullmatch(event[1])
    if span is None:
        raise ValueError(event[1])
    hour0, minute0, hour1, minute1 = map(int, span.groups())
    end = hour1 * 60 + minute1
    intent = "eat" if text in _MEALS else intent_of(text) or text
    return {"intent": intent, "start_min": hour0 * 60 + minute0, "end_min": end or 24 * 60}


# -- pickles --------------------------------------------------------------------------------------


def open_data(source: Input, value: Any, options: ImportOptions) -> Opened | None:
    """One of the pickles of the folder as a table; None for something else.

    Raises:
        HumobError: a pickle that is not a table.
    """
    if (no_table := _no_table(value)) is not None:
        raise HumobError(f"{source.name}: found CoPB's {no_table}, expected a table of people")
    if isinstance(value, dict) and value:
        first = next(iter(value.values()))
        if _is_profile(first):
            rows = lambda: _profiles(source.name, value)  # noqa: E731
            return _open(source, PROFILES, rows, options, "CoPB profiles")
        if isinstance(first, list | tuple) and len(first) == 2 and _is_profile(first[0]):
            rows = lambda: _profiles(source.name, value)  # noqa: E731
            return _open(source, POPULATION, rows, options, "CoPB profiles with their people")
    if isinstance(value, list) and value and _is_pair(value[0]):
        known = _known_places(options)
        rows = lambda: _homes_and_works(source.name, value, known)  # noqa: E731
        return _open(source, HOME_WORK, rows, options, "CoPB homes and works")
    return None


def _no_table(value: Any) -> str | None:
    if isinstance(value, list | tuple) and len(value) == 6 and all(map(_is_dict, value)):
        return "categories of places (data.pkl), which 'data import' of places contains already"
    if _is_dict(value) and value and all(map(_is_dict, value.values())):
        return (
            "durations by intent (timeDistribution_Event.pkl), which 'intend --backend planner' "
            "and 'eval' of plans have of their own"
        )
    return None


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def _is_profile(value: Any) -> bool:
    return isinstance(value, str) and value.count("-") >= len(_ATTRIBUTES) - 1


def _is_pair(value: Any) -> bool:
    """Whether this is a home and a work, rather than the first two visits of a trace."""
    both = isinstance(value, list | tuple) and len(value) == 2
    return both and all(
        isinstance(place, list | tuple) and len(place) in (2, 3) and not _is_span(place[1])
        for place in value
    )


def _profiles(name: str, value: dict[Any, Any]) -> Rows:
    numbers = number_names([str(key) for key in value])
    for (uid, key), entry in zip(numbers, value.values(), strict=True):
        text, count = entry if isinstance(entry, list | tuple) and len(entry) == 2 else (entry, 1)
        parts = str(text).split("-", len(_ATTRIBUTES) - 1)
        if len(parts) < len(_ATTRIBUTES):
            expected = "-".join(_ATTRIBUTES)
            yield TableError(name, f"{quote(entry)} of profile {key}", expected)
        else:
            yield {"uid": uid, **dict(zip(_ATTRIBUTES, parts, strict=True)), "count": count}


def _homes_and_works(name: str, value: list[Any], known: dict[str, tuple[float, float]]) -> Rows:
    for number, pair in enumerate(value):
        try:
            (home_lat, home_lon), (work_lat, work_lon) = (_lat_lon(place, known) for place in pair)
            yield {
                "id": str(number),
                "home_lat": home_lat,
                "home_lon": home_lon,
                "work_lat": work_lat,
                "work_lon": work_lon,
            }
        except KeyError as exc:
            expected = "its coordinates: give a table of place_id, lat, lon with --places"
            yield TableError(name, f"the place {exc.args[0]} by id only", expected, row=number + 1)
        except (ValueError, TypeError, IndexError):
            expected = "((name, id, (lon, lat)), (name, id, (lon, lat)))"
            yield TableError(name, quote(pair), expected, row=number + 1)


def _lat_lon(place: Any, known: dict[str, tuple[float, float]]) -> tuple[float, float]:
    if len(place) == 2:
        return known[str(place[1])]
    lon, lat = place[2]
    return float(lat), float(lon)


def _known_places(options: ImportOptions) -> dict[str, tuple[float, float]]:
    if options.places is None:
        return {}
    places = read_table(options.places, PLACES).select("place_id", "lat", "lon")
    return {place: (lat, lon) for place, lat, lon in places.iter_rows()}


# -- rows as a table ------------------------------------------------------------------------------


@dataclass
class _RowReader(Reader):
    """Checks rows that were made here.

    Attributes:
        made: the rows, and the faults among them.
    """

    made: Callable[[], Rows] = field(default=lambda: iter(()))

    def _parse(self) -> Iterator[Batch]:
        kept, numbers = [], []
        for number, row in enumerate(self.made(), start=1):
            if not isinstance(row, TableError):
                kept.append(row)
                numbers.append(number)
            elif self.on_error == "fail":
                raise row
            else:
                self.dropped.add("of another form", row)
        raw = {name: [row.get(name) for row in kept] for name in self.table.columns}
        columns = {name: pl.Series(name, column, strict=False) for name, column in raw.items()}
        yield self._cast(pl.DataFrame(columns), LineNumbers(numbers))


def _open(
    source: Input, table: Table, rows: Callable[[], Rows], options: ImportOptions, words: str
) -> Opened:
    reader = _RowReader(source, table, options.on_error, made=rows)
    return Opened(table, reader.batches(), words, [], reader.dropped)

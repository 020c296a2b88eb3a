"""Values of options as the rooms below take them."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

from humobctl.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from humobctl.api.tables import Source

OnError = Literal["fail", "drop"]
EngineName = Literal["local", "ray"]
Days = str | tuple[int, int]
"""First and last day, as ``(60, 74)`` or ``"60-74"``."""
_RANGE = re.compile(r"(\d{1,4})(?:(-)(\d{1,4})?)?")
_LAST = 9999


def check_choice(option: str, value: str, choices: Collection[str]) -> str:
    """The value, which is one of the choices.

    Raises:
        UsageError: it is not.
    """
    if value not in choices:
        raise UsageError(f"{option}: found {value!r}, expected one of {', '.join(choices)}")
    return value


def check_names(names: Collection[str] | None, known: tuple[str, ...], of: str) -> tuple[str, ...]:
    """The metrics asked for, or all.

    Raises:
        UsageError: one is not known.
    """
    for name in names or ():
        if name not in known:
            raise UsageError(f"--metric: found {name!r}, expected one of {', '.join(known)}{of}")
    return tuple(names) if names else known


def first_and_last(days: Days | None) -> tuple[int, int] | None:
    """First and last day; None for all."""
    if days is None or isinstance(days, tuple):
        return days
    return parse_range("--days", days)


def parse_range(option: str, text: str) -> tuple[int, int]:
    """First and last number of a range as people write it: ``A-B``, ``A`` or ``A-``.

    Raises:
        UsageError: anything else, or a range that runs backwards.
    """
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{option}: found {text!r}, expected a range such as 60-74")
    first = int(match[1])
    last = first if match[2] is None else int(match[3] or _LAST)
    if last < first:
        raise UsageError(f"{option}: found {text!r}, expected the first number not above the last")
    return first, last


def weekday_number(name: str) -> int:
    """0 for Sunday to 6.

    Raises:
        UsageError: no name of a weekday.
    """
    from humobctl.predict.city_profile import WEEKDAYS

    return WEEKDAYS.index(check_choice("--first-weekday", name, WEEKDAYS))


def read_calendar(choice: Source) -> pl.DataFrame | None:
    """The calendar table, or None for ``auto``."""
    from humobctl.api.tables import paths_of
    from humobctl.io.read import read_table
    from humobctl.tables.schemas import CALENDAR

    if isinstance(choice, str) and choice == "auto":
        return None
    with paths_of(choice) as (path,):
        return read_table(path, CALENDAR)

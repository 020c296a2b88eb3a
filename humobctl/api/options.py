"""Options that functions share: their types and sentences, and values as the rooms below take them.

In ``Annotated`` a ``Between`` is what a value must lie in, a text what stands for it in a help.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, TypeAlias

from humobctl.console.near_misses import match_name, meant_value
from humobctl.errors import UsageError
from humobctl.io.outputs import Format

if TYPE_CHECKING:
    import polars as pl

    from humobctl.api.tables import Source


class Between(NamedTuple):
    """The smallest and the largest value of an option; None for no bound."""

    low: float | None = None
    high: float | None = None


ANY = Between()
OnError = Literal["fail", "drop"]
EngineName = Literal["local", "ray"]
OutputFormat = Format
Precision = Literal["auto", "fp32", "bf16"]
Weekday = Literal["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
Device = Annotated[str, "auto|cpu|cuda"]
Count = Annotated[int, Between(1)]
Day = Annotated[int, Between(0)]
Seed = Annotated[int, Between(0)]
Fraction = Annotated[float, Between(0, 1)]
CellKm = Annotated[float, Between(0.001)]
Minutes = Annotated[float, Between(0.0001)]
Workers = Annotated[int, Between(1, 100_000)]
Days: TypeAlias = str | tuple[int, int]
"""First and last day, as ``(60, 74)`` or ``"60-74"``."""

EVERYWHERE = {
    "output": "file to write, or folder (``FOLDER/``) for Parquet files. Default: the table is "
    "returned.",
    "format": "format of ``output``. Default: from the file's ending, or csv.",
    "users_per_block": "number of users in each folder ``uid_block=...``; needs a folder as "
    "``output``.",
    "on_error": "stop at the first bad row (fail), or drop bad rows and report how many (drop).",
    "seed": "seed of the random numbers; the same seed gives the same result.",
    "device": "device to compute on; auto: a GPU if there is one.",
    "calendar": "days off: detected from the data (auto), or a table of d and off (1 for a day "
    "off; days it does not list follow the week).",
    "first_weekday": "day of the week of day 0 (Sunday in HuMob 2023 and 2024).",
    "engine": "execution engine: this process (local), or a Ray cluster (ray; extra ray). The "
    "result is the same.",
    "address": "address of the Ray cluster to join, or auto. Default: a cluster is started on this "
    "machine.",
    "workers": "maximum number of Ray workers (with ``engine`` ray). Default: one per core or GPU.",
    "resume": "continue an interrupted run from OUTPUT.parts.",
    "overwrite": "discard an unfinished run in OUTPUT.parts and start again.",
    "metric": "metrics to compute. Default: all.",
}
"""Sentences for options that mean the same in every function that takes them."""
TRAINING = {
    "tables": "grid trajectories, one city per file.",
    "output": "model dir to write; a dry run needs none.",
    "preset": "preset of settings to start from: tiny, small or paper. Default: small.",
    "settings": "TOML file of settings, named like the options of the command. Default: the "
    "preset alone.",
    "city": "name of each table's city, in their order. Default: the files' names.",
    "users": "maximum number of users per city, drawn at random. Default: all.",
    "to_day": "last day to train on. Default: see ``hold_out``.",
    "hold_out": "number of final days excluded from training (the test period), masked days "
    "included.",
    "plot": "draw the losses and the scores by step: a .png, .svg or .html file (extra plot).",
    "resume": "continue an interrupted training from OUTPUT.training.",
    "checkpoint_minutes": "maximum number of minutes between checkpoints in OUTPUT.training; "
    "each validation writes one, too.",
    "overwrite": "replace an existing model dir.",
    "dry_run": "print sizes, and time, memory and disk from some steps taken; write nothing.",
}
"""Sentences for options of all functions that train a model."""
_RANGE = re.compile(r"(\d{1,4})(?:(-)(\d{1,4})?)?")
_LAST = 9999


def check_choice(option: str, value: str, choices: Collection[str]) -> str:
    """The choice of that name, whatever its case and hyphens.

    Args:
        option: whose value it is.
        value: as it was given.
        choices: names that can be given.

    Raises:
        UsageError: there is none; the nearest is named.
    """
    found = match_name(value, choices)
    if found not in choices:
        meant = meant_value(value, choices)
        raise UsageError(f"{option}: found {value!r}, expected one of {', '.join(choices)}{meant}")
    return found


def check_names(names: Collection[str] | None, known: tuple[str, ...], of: str) -> tuple[str, ...]:
    """The metrics asked for, or all.

    Raises:
        UsageError: one is not known.
    """
    found = tuple(match_name(name, known) for name in names or ())
    for name in found:
        if name not in known:
            meant = meant_value(name, known)
            raise UsageError(
                f"--metric: found {name!r}, expected one of {', '.join(known)}{of}{meant}"
            )
    return found or known


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

"""Words for people."""

import re
from typing import Any

from humobctl.console.near_misses import meant_value

_PLURALS = {"person": "people"}


def pluralize(number: int, noun: str) -> str:
    """A number and a noun, in the plural where it has to be."""
    return f"{number:,} {noun if number == 1 else _PLURALS.get(noun, f'{noun}s')}"


def day_span(first: int, last: int) -> str:
    """Days from first to last, in words."""
    return f"day {first}" if first == last else f"days {first}-{last}"


def flag(name: str) -> str:
    """The option of a parameter or a setting."""
    return f"--{name.replace('_', '-')}"


def in_full(number: float) -> str:
    """A number as people would write it: a whole one with all its digits."""
    whole = isinstance(number, int) or number.is_integer()
    return str(int(number)) if whole and abs(number) < 1e15 else f"{number:g}"


def refused_value(cause: Any) -> str:
    """What was found and expected where pydantic, which typer asks, refuses a value.

    Args:
        cause: pydantic's error; of anything else nothing is said.
    """
    if not hasattr(cause, "errors"):
        return ""
    first = cause.errors()[0]
    limits = first.get("ctx", {})
    for kind, expected in (
        ("int", "a whole number"),
        ("float", "a number"),
        ("greater_than_equal", f"at least {limits.get('ge', 0):,.15g}"),
        ("less_than_equal", f"at most {limits.get('le', 0):,.15g}"),
    ):
        if first["type"].startswith(kind):
            return f"found {first['input']!r}, expected {expected}"
    text = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
    found, sign, choices = text.partition(" is not one of ")
    if not sign:
        return f"found {text}"
    meant = meant_value(str(first["input"]), re.findall("'([^']+)'", choices))
    return f"found {found}, expected one of {choices}{meant}"

"""How a preset, a TOML file and flags become the settings of a model."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, get_type_hints

from humobctl.errors import HumobError, UsageError
from humobctl.io.output_lock import note_input
from humobctl.io.streams import clear_os_errors


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


S = TypeVar("S", bound=_Dataclass)


def flag(name: str) -> str:
    """The option of a setting."""
    return f"--{name.replace('_', '-')}"


def in_full(number: float) -> str:
    """A number as people would write it: a whole one with all its digits."""
    whole = isinstance(number, int) or number.is_integer()
    return str(int(number)) if whole and abs(number) < 1e15 else f"{number:g}"


def check(
    settings: _Dataclass,
    ranges: Mapping[str, tuple[float, float]],
    choices: Mapping[str, tuple[str, ...]],
) -> None:
    """Refuse settings out of range.

    Raises:
        UsageError: with the option, what was found and what is expected.
    """
    for name, (low, high) in ranges.items():
        value = getattr(settings, name)
        if value is not None and not low <= value <= high:
            found, first, last = map(in_full, (value, low, high))
            raise UsageError(f"{flag(name)}: found {found}, expected {first} to {last}")
    for name, allowed in choices.items():
        found = getattr(settings, name)
        if found not in allowed:
            raise UsageError(f"{flag(name)}: found {found!r}, expected {' or '.join(allowed)}")


def resolve(
    presets: Mapping[str, Callable[[], S]],
    preset: str | None,
    toml: str | None,
    given: Mapping[str, Any],
    earlier: S | None = None,
) -> S:
    """A preset, changed by a TOML file, changed by flags.

    Args:
        presets: by name; ``small`` is the default.
        preset: name of the preset; None for the file's key ``preset``, else for ``earlier``, else
            for small.
        toml: a file of settings by name.
        given: flags that were given, by name of the setting.
        earlier: settings of the model that the weights start from.

    Raises:
        HumobError: the file cannot be read, or has an unknown key or a value of a wrong type.
        UsageError: settings out of range.
    """
    small = presets["small"]()
    read = _read_toml(toml, get_type_hints(type(small))) if toml is not None else {}
    listed = read.pop("preset", None)
    named = listed if preset is None else preset
    if named is not None and named not in presets:
        raise UsageError(f"--preset: found {named!r}, expected one of {', '.join(presets)}")
    base = presets[named]() if named is not None else earlier or small
    try:
        return replace(base, **{**read, **given})
    except UsageError as exc:
        wrong = [key for key in read if str(exc).startswith(f"{flag(key)}:")]
        if wrong and wrong[0] not in given:
            raise HumobError(f"{toml}: key {wrong[0]}: {str(exc).partition(': ')[2]}") from exc
        raise


def from_record(kind: type[S], record: Mapping[str, Any]) -> S:
    """Settings from their JSON; keys of other versions are left out."""
    known = {field.name for field in fields(kind)}
    return kind(**{key: value for key, value in record.items() if key in known})


def _read_toml(path: str, kinds: Mapping[str, Any]) -> dict[str, Any]:
    try:
        with clear_os_errors(path):
            note_input(path, path)
            record = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as exc:
        raise HumobError(f"{path}: found no TOML ({exc})") from exc
    for key, value in record.items():
        if key == "preset":
            continue
        if key not in kinds:
            raise HumobError(f"{path}: found the key {key!r}, expected one of {', '.join(kinds)}")
        record[key] = _typed(path, key, value, kinds[key])
    return record


def _typed(path: str, key: str, value: object, kind: object) -> object:
    numbers = kind in (float, float | None)
    if numbers and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind is bool and isinstance(value, bool):
        return value
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if not numbers and kind not in (int, bool) and isinstance(value, str):
        return value
    words = {int: "a whole number", bool: "true or false"}
    expected = "a number" if numbers else words.get(kind, "a text")  # type: ignore[call-overload]
    raise HumobError(f"{path}: key {key}: found {value!r}, expected {expected}")

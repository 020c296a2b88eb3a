"""How a preset, a TOML file and flags become the settings of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from humobctl.console.near_misses import match_name, meant_value
from humobctl.console.words import flag, in_full
from humobctl.errors import HumobError, UsageError


@dataclass(frozen=True)
class Range:
    """Bounds of a setting, both allowed; they stand beside its type."""

    low: float
    high: float


MANY = 1 << 20
MOST = (1 << 31) - 1
Count = Annotated[int, Range(1, MANY)]
CountOrNone = Annotated[int, Range(0, MOST)]
Steps = Annotated[int, Range(1, MOST)]
Fraction = Annotated[float, Range(0, 1)]
Part = Annotated[float, Range(0, 0.9)]
"""A fraction that leaves something over."""
Rate = Annotated[float, Range(0, 100)]
WeightDecay = Annotated[float, Range(0, 10)]
RENAMED = {
    "train_share": "train_fraction",
    "validation_share": "validation_fraction",
    "weekday_embedding_size": "holiday_embedding_size",
}
"""Names that settings had in earlier files."""
Precision = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True)
class ModelSettings:
    """Settings that refuse what is out of the ranges and choices of their types."""

    def __post_init__(self) -> None:
        """Refuse what cannot be built or trained.

        Raises:
            UsageError: a setting out of range, or settings that do not go together.
        """
        for name, kind in get_type_hints(type(self), include_extras=True).items():
            value = getattr(self, name)
            if get_origin(kind) is Annotated:
                low, high = astuple(kind.__metadata__[0])
                fits = value is None or low <= value <= high
                self.expect(fits, name, f"{in_full(low)} to {in_full(high)}")
            elif get_origin(kind) is Literal:
                self.expect(value in get_args(kind), name, " or ".join(get_args(kind)))
        self.check_together()

    def check_together(self) -> None:
        """Refuse settings that do not go together."""

    def expect(self, fits: bool, name: str, expected: str) -> None:
        """Refuse a setting that does not fit.

        Raises:
            UsageError: with the option, what was found and what is expected.
        """
        if not fits:
            value = getattr(self, name)
            found = repr(value) if isinstance(value, str) else in_full(value)
            raise UsageError(f"{flag(name)}: found {found}, expected {expected}")


S = TypeVar("S", bound=ModelSettings)


def resolve_settings(
    presets: Mapping[str, Callable[[], S]],
    preset: str | None,
    toml: str | None,
    given: Mapping[str, Any],
    earlier: S | None = None,
) -> S:
    """A preset, changed by a TOML file, changed by flags.

    Args:
        presets: by name; ``small`` is the default.
        preset: name of the preset; None for the file's key ``preset``, or ``earlier``, or small.
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
    named = named if named is None else match_name(named, presets)
    if named is not None and named not in presets:
        meant = meant_value(named, presets)
        raise UsageError(f"--preset: found {named!r}, expected one of {', '.join(presets)}{meant}")
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
    today = {RENAMED.get(key, key): value for key, value in record.items()}
    return kind(**{key: value for key, value in today.items() if key in known})


def read_settings(kind: type[S], name: str, folder: str) -> S:
    """The settings of a trained model.

    Raises:
        HumobError: there is no model dir of this type.
    """
    from humobctl.training.model_dir import load  # noqa: PLC0415 - settings alone are light

    return from_record(kind, load(folder, type=name, arrays=False).config.get("settings", {}))


def _read_toml(path: str, kinds: Mapping[str, Any]) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - settings alone are light

    from humobctl.io.output_lock import note_input  # noqa: PLC0415 - the same
    from humobctl.io.streams import clear_os_errors  # noqa: PLC0415 - the same

    try:
        with clear_os_errors(path):
            note_input(path, path)
            record = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as exc:
        raise HumobError(f"{path}: found invalid TOML ({exc})") from exc
    record = {RENAMED.get(key, key): value for key, value in record.items()}
    for key, value in record.items():
        if key == "preset":
            continue
        if key not in kinds:
            meant = meant_value(key, kinds)
            raise HumobError(
                f"{path}: found the key {key!r}, expected one of {', '.join(kinds)}{meant}"
            )
        record[key] = _check_type(path, key, value, kinds[key])
    return record


def _check_type(path: str, key: str, value: object, kind: object) -> object:
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

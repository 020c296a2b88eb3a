"""Options made from the settings of a model: a field's own text, and its value in each preset."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from humobctl.training.settings import flag, in_full

_ENTRY = re.compile(r"^ {8}(\w+): (.*?)(?=^ {8}\w+: |\Z)", re.MULTILINE | re.DOTALL)
Command = Callable[..., None]
Changes = dict[str, Any]
"""Settings that the command line gives, by name."""


def add_settings_options(
    presets: Mapping[str, Callable[[], Any]], aliases: Mapping[str, tuple[str, ...]] | None = None
) -> Callable[[Command], Command]:
    """A decorator that puts one option a setting in the place of the parameter ``changes``.

    An option says what the ``Attributes`` of the settings' class say, and the value in each preset.

    Args:
        presets: by name, each making the settings.
        aliases: other names of an option, by name of the setting; of a switch, its two names.
    """
    settings = {name: make() for name, make in presets.items()}
    kind = type(next(iter(settings.values())))
    hints, texts = get_type_hints(kind), describe_settings(kind)
    options = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                _plain_type(hints[name]) | None,
                typer.Option(
                    *_flags(name, hints[name], (aliases or {}).get(name, ())),
                    help=f"{texts[name]} [{_values(name, settings)}]",
                    show_default=False,
                ),
            ],
        )
        for name in kind.__dataclass_fields__
    ]

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        parameters: list[inspect.Parameter] = []
        for one in signature.parameters.values():
            named = one.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            parameters += options if one.name == "changes" else [named]

        @functools.wraps(command)
        def run(**given: Any) -> None:
            taken = {one.name: given.pop(one.name) for one in options}
            changes = {name: value for name, value in taken.items() if value is not None}
            command(**given, changes=changes)

        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return run

    return decorate


def describe_settings(kind: type) -> dict[str, str]:
    """What each setting is, by name: a sentence from the class's ``Attributes``."""
    doc = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:")[2]
    entries = _ENTRY.findall("\n".join(f"    {line}" for line in doc.splitlines()))
    names = kind.__dataclass_fields__  # type: ignore[attr-defined]

    def refer(match: re.Match[str]) -> str:
        return flag(match[1]) if match[1] in names else match[1]

    found = {}
    for name, text in entries:
        plain = re.sub(r"``([^`]+)``", refer, " ".join(text.split()))
        found[name] = plain[:1].upper() + plain[1:]
    return {name: found.get(name, "") for name in names}


def _plain_type(hint: Any) -> type:
    for kind in (bool, int, float):
        if hint is kind or (get_origin(hint) is not None and kind in get_args(hint)):
            return kind
    return str


def _flags(name: str, hint: Any, aliases: tuple[str, ...]) -> tuple[str, ...]:
    if hint is bool:
        return (f"{flag(name)}/--no-{flag(name)[2:]}",)
    return (flag(name), *aliases)


def _values(name: str, settings: Mapping[str, Any]) -> str:
    """The value in each preset, or the only one."""
    values = {preset: _say(getattr(one, name)) for preset, one in settings.items()}
    if len(set(values.values())) == 1:
        return next(iter(values.values()))
    return ", ".join(f"{preset} {value}" for preset, value in values.items())


def _say(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None:
        return "none"
    return in_full(value) if isinstance(value, int | float) else str(value)

"""Options made from functions of the library: names, types, ranges, defaults and sentences.

The tables below hold what a command line has beside these, for an option of any command.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from inspect import Parameter
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

import typer

import humobctl
from humobctl.api.signatures import Option, options_of, settings_of
from humobctl.commands.help_page import heading
from humobctl.console.words import flag

Command = Callable[..., None]
SHORT = {"format": "-f", "model": "-m", "output": "-o", "truth": "-t"}
METAVARS = {
    "address": "HOST:PORT",
    "axes": "X,Y",
    "base_url": "URL",
    "blend": "auto|WEIGHT",
    "box": "S,W,N,E",
    "calendar": "auto|FILE",
    "city": "NAME",
    "columns": "OLD=NEW",
    "covariates": "FILE",
    "crs": "CRS",
    "days": "DAYS",
    "decode": "DECODER",
    "extra_body": "JSON",
    "flows_grid": "NXxNY",
    "from_date": "DATE",
    "flows": "KM",
    "history": "FILE",
    "grid": "CELL@LAT,LON[,NXxNY]",
    "law": "LAW",
    "layer": "NAME",
    "metric": "NAME",
    "model": "MODEL",
    "base": "MODEL",
    "name": "NAME",
    "nearest": "UID|all",
    "output": "PATH",
    "paths": "PATH",
    "preset": "PRESET",
    "query": "SQL",
    "score_box": "X-X,Y-Y|all",
    "shock_date": "DATE",
    "source_timezone": "ZONE",
    "start_date": "DATE",
    "table": "INPUT",
    "tables": "INPUT",
    "target_modules": "NAMES",
    "template": "TEMPLATE",
    "timezone": "ZONE",
    "to": "FORMAT",
    "to_date": "DATE",
    "without": "PART",
}
"""What stands for a value in a help; other numbers and texts are N, FLOAT and TEXT."""
_KINDS = {int: "N", float: "FLOAT", str: "TEXT", list[str]: "TEXT"}
_LONGEST_CHOICE = 42
_NOT_TABLES = ("paths",)
"""First parameters that are not read as tables."""
OUTPUT = "File to write, or folder (FOLDER/) for Parquet files. Default: standard output."
INPUT = "A file, a folder of Parquet files, or - for standard input (the default)."


def options_from(
    *functions: Callable[..., Any],
    presets: Mapping[str, Callable[[], Any]] | None = None,
    names: Mapping[str, str] | None = None,
    helps: Mapping[str, str] | None = None,
    metavars: Mapping[str, str] | None = None,
    required: Collection[str] = (),
    before: str | None = None,
) -> Callable[[Command], Command]:
    """A decorator that gives a command the options of functions of the library.

    The command gets as ``**options`` what the command line says of them: what is not given is left
    out, but for tables to read and to write, which are standard input and output then.

    Args:
        functions: their parameters are the options, the first one an argument; each name once.
        presets: those of a model's settings, whose options follow ``settings``.
        names: other names of options, such as ``-n``, by name.
        helps: sentences instead of those of the docstrings.
        metavars: what stands for values instead of ``METAVARS``.
        required: options that only the library can do without.
        before: of which option the command's own parameters stand; by default they come last.
    """
    options = _merge(options_of(one) for one in functions)
    if presets is not None:
        at = [one.name for one in options].index("settings") + 1
        options[at:at] = settings_of(presets)
    words = _Words(
        typed={one.name: _argument(one) if one.first else flag(one.name) for one in options},
        names=names or {},
        helps=helps or {},
        metavars=metavars or {},
        required=required,
    )

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [
            one.replace(kind=Parameter.KEYWORD_ONLY)
            for one in signature.parameters.values()
            if one.kind is not Parameter.VAR_KEYWORD
        ]
        at = len(options) if before is None else [one.name for one in options].index(before)
        parameters = [_parameter(one, words) for one in options]

        @functools.wraps(command)
        def run(**given: Any) -> None:
            mine = {one.name: given.pop(one.name) for one in own}
            asked = {name: value for name, value in given.items() if value not in (None, [])}
            for one in options:
                if one.is_stream:
                    asked.setdefault(one.name, "-")
            command(**mine, **asked)

        parameters[at:at] = own
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return run

    return decorate


class _Words(NamedTuple):
    """What a command says of its options beside what functions say."""

    typed: Mapping[str, str]
    names: Mapping[str, str]
    helps: Mapping[str, str]
    metavars: Mapping[str, str]
    required: Collection[str]


def _parameter(option: Option, words: _Words) -> Parameter:
    """The parameter by which typer makes the option."""
    name, kind, default = option.name, option.kind, option.default
    text = _as_help(words.helps.get(name, option.text), words.typed)
    if name in words.required or (option.first and kind == list[str]):
        default = Parameter.empty
    elif option.first or default in (None, ()):
        kind, default = kind | None, None
    info: Any
    if option.first:
        if name not in _NOT_TABLES:
            needed = default is not None
            text = f"{text.rstrip('.')}; - for standard input." if needed else f"{text} {INPUT}"
        info = typer.Argument(metavar=_argument(option), help=text)
    else:
        flags = [_flag(option), *([SHORT[name]] if name in SHORT else [])]
        flags += words.names.get(name, "").split()
        low, high = option.limits
        metavar, choices = _metavar(option)
        metavar = words.metavars.get(name, metavar)
        text = OUTPUT if option.is_stream else text
        text += choices + (" May be repeated." if option.kind == list[str] else "")
        panel = heading(name, is_setting=option.is_setting)
        info = typer.Option(
            *flags, min=low, max=high, metavar=metavar, help=text, rich_help_panel=panel
        )
    annotation: Any = Annotated[kind, info]
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _metavar(option: Option) -> tuple[str | None, str]:
    """What stands for the value, and a sentence on its choices where they are too many for that."""
    choices = "|".join(get_args(option.kind)) if get_origin(option.kind) is Literal else ""
    if len(choices) > _LONGEST_CHOICE:
        return _name(option), f" One of: {choices.replace('|', ', ')}."
    return METAVARS.get(option.name) or option.metavar or choices or _KINDS.get(option.kind), ""


def _name(option: Option) -> str:
    return METAVARS.get(option.name, option.name.rpartition("_")[2].upper())


def _argument(option: Option) -> str:
    """What an argument is called in the usage line and in sentences."""
    return METAVARS.get(option.name, option.name.upper())


def _merge(several: Iterable[Iterable[Option]]) -> list[Option]:
    """The options of all functions, each once, in an order that keeps that of each function."""
    merged: list[Option] = []
    for options in several:
        at = len(merged)
        for option in reversed([*options]):
            names = [one.name for one in merged]
            if option.name in names:
                at = names.index(option.name)
            else:
                merged.insert(at, option)
    return merged


def _flag(option: Option) -> str:
    """The name on the command line; what may be on by default can be switched off, too."""
    name = option.name.rstrip("_")
    if len(name) == 1:
        return f"-{name}"
    if option.kind is bool and option.default is not False:
        return f"{flag(name)}/--no-{flag(name)[2:]}"
    return flag(name)


def _as_help(text: str, typed: Mapping[str, str]) -> str:
    """A sentence of a docstring with options and commands as they are typed."""

    def refer(match: re.Match[str]) -> str:
        command = match[1].replace("_", " ")
        as_typed = f"'{command}'" if match[1] in humobctl.__all__ else match[1]
        return typed.get(match[1], as_typed)

    plain = re.sub(r"``([^`]+)``", refer, text)
    return plain[:1].upper() + plain[1:]

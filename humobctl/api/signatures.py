"""What a function of the library takes, from its signature and its docstring.

Commands make their options of this, and every call is checked by it.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
import shlex
import sys
import textwrap
from collections.abc import Callable, Mapping
from inspect import Parameter
from types import NoneType, SimpleNamespace, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from humobctl.api.options import ANY, EVERYWHERE, Between
from humobctl.console.words import flag, in_full
from humobctl.errors import UsageError
from humobctl.io.frame_path import NAME
from humobctl.io.kept_inputs import inputs_kept
from humobctl.io.run_record import note_call, write_run_record

Function = TypeVar("Function", bound=Callable[..., Any])
_ENTRY = re.compile(r"^ {4}(\**\w+): (.*?)(?=^ {4}\**\w+: |\Z)", re.MULTILINE | re.DOTALL)
_TEXTS: dict[str, Any] = {
    **dict.fromkeys(("Source", "PathName"), Annotated[str, "FILE"]),
    **dict.fromkeys(("ModelSource", "ModelDir"), Annotated[str, "DIR"]),
    "Sources": list[str],
    "Days": Annotated[str, "A-B"],
}
"""What stands on a command line for types that only a program can give in full."""


class Option(NamedTuple):
    """One thing that a function takes.

    Attributes:
        name: of the parameter.
        kind: bool, int, float, str, list[str] or a ``Literal``, as on a command line.
        text: a sentence on it, in which names of options stand between double backquotes.
        default: what stands for it; ``Parameter.empty`` where it must be given.
        limits: what a number must lie in.
        metavar: what stands for a value in a help; None for its type.
        first: whether it is the table that a command takes as its argument.
        is_stream: whether a command reads or writes a standard stream where it is not given.
        is_setting: whether it is a setting of a model rather than a parameter.
    """

    name: str
    kind: Any
    text: str
    default: Any = None
    limits: Between = ANY
    metavar: str | None = None
    first: bool = False
    is_stream: bool = False
    is_setting: bool = False


def public(
    shared: Mapping[str, str] = EVERYWHERE, *, recorded: bool = False
) -> Callable[[Function], Function]:
    """A decorator for functions of the library, whose options may be described once for all.

    A parameter that the docstring leaves out gets its sentence from ``shared`` or from
    ``EVERYWHERE``, options of an ``Unpack[TypedDict]`` from the docstring of that class; numbers
    out of range are refused.

    Args:
        shared: sentences by name of the parameter.
        recorded: whether a record of the call is written beside its output.
    """

    def decorate(function: Function) -> Function:
        signature, sentences = _unpack_options(function)
        known = {**EVERYWHERE, **shared, **sentences}

        @functools.wraps(function)
        def run(*arguments: Any, **options: Any) -> Any:
            for option in options_of(run):
                _check_range(option, options.get(option.name))
            call = functools.partial(_describe_call, run, arguments, options)
            with note_call(call), inputs_kept() as noted:
                result = function(*arguments, **options)
                if recorded:
                    write_run_record(options.get("output"), noted)
                return result

        run.__doc__ = _complete(function.__doc__ or "", signature, known)
        run.__signature__ = signature  # type: ignore[attr-defined]
        return cast(Function, run)

    return decorate


_NOT_RECORDED = frozenset(
    (
        *("output", "format", "plot", "resume", "overwrite", "dry_run", "journal"),
        *("engine", "address", "workers", "concurrency"),
    )
)
"""Options that change nothing in a result."""


def _describe_call(
    function: Callable[..., Any], arguments: tuple[Any, ...], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The command of a call, and its options; tables in memory are called ``<DataFrame>``."""
    bound = inspect.signature(function).bind_partial(*arguments, **given)
    bound.apply_defaults()
    values = {name: value for name, value in bound.arguments.items() if name not in _NOT_RECORDED}
    known = {one.name: one for one in options_of(function)}
    settings: dict[str, Any] = next((values.pop(one) for one in [*values] if one not in known), {})
    options = {name: _as_json(value) for name, value in (values | settings).items()}
    options = {name: value for name, value in options.items() if value not in (None, [])}
    words = ["humobctl", *function.__name__.split("_", 1)]
    words[2:] = [word.replace("_", "-") for word in words[2:]]
    for name, value in options.items():
        option = known.get(name, Option(name, type(value), ""))
        words += _as_typed(option, value) if value != _as_json(option.default) else []
    return {"command": shlex.join(words), "options": options}


def _as_json(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_as_json(one) for one in value]
    if isinstance(value, Mapping):
        return list(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return os.fspath(value) if isinstance(value, os.PathLike) else NAME


def _as_typed(option: Option, value: Any) -> list[str]:
    """An option and its value on a command line."""
    name = flag(option.name.rstrip("_"))
    if isinstance(value, bool):
        return [name if value else f"--no-{name[2:]}"]
    texts = [str(one) for one in (value if isinstance(value, list) else [value])]
    return texts if option.first else [word for text in texts for word in (name, text)]


@functools.cache
def options_of(function: Callable[..., Any]) -> tuple[Option, ...]:
    """What a function takes, in its order."""
    texts = entries(function.__doc__ or "", "Args")
    parameters = [
        one
        for one in inspect.signature(function).parameters.values()
        if one.kind is not Parameter.VAR_KEYWORD
    ]
    hints = get_type_hints(
        SimpleNamespace(__annotations__={one.name: one.annotation for one in parameters}),
        vars(sys.modules[function.__module__]),
        _TEXTS,
        include_extras=True,
    )
    found = []
    for one in parameters:
        kind, limits, metavar = _plain(hints[one.name])
        by_name = one.kind is Parameter.KEYWORD_ONLY
        first = one is parameters[0] and not by_name
        stream = by_name and one.name == "output" and one.default is None
        stream |= first and kind is str and one.default is Parameter.empty
        text = texts.get(one.name, "")
        found.append(Option(one.name, kind, text, one.default, limits, metavar, first, stream))
    return tuple(found)


def settings_of(presets: Mapping[str, Callable[[], Any]]) -> list[Option]:
    """The settings of a model, each with its value in each preset in its sentence."""
    settings = {name: make() for name, make in presets.items()}
    kind = type(next(iter(settings.values())))
    hints, texts = get_type_hints(kind), entries(kind.__doc__ or "", "Attributes")
    return [
        Option(
            name,
            _setting_kind(hints[name]),
            f"{texts.get(name)} [{_values(name, settings)}]",
            metavar="|".join(get_args(hints[name])) if get_origin(hints[name]) is Literal else None,
            is_setting=True,
        )
        for name in kind.__dataclass_fields__
    ]


def _setting_kind(hint: Any) -> type:
    kinds = get_args(hint) or (hint,)
    return next((kind for kind in (bool, int, float) if kind in kinds), str)


def _values(name: str, settings: Mapping[str, Any]) -> str:
    """The value in each preset, or the only one."""
    values = {preset: _say(getattr(one, name)) for preset, one in settings.items()}
    if len(set(values.values())) == 1:
        return f"default: {next(iter(values.values()))}"
    return ", ".join(f"{preset} {value}" for preset, value in values.items())


def _say(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None:
        return "none"
    return in_full(value) if isinstance(value, int | float) else str(value)


def entries(docstring: str, title: str) -> dict[str, str]:
    """The sentences of a section such as ``Args``, by name."""
    section = inspect.cleandoc(docstring).partition(f"{title}:\n")[2].partition("\n\n")[0]
    return {name: " ".join(text.split()) for name, text in _ENTRY.findall(section)}


def _plain(hint: Any) -> tuple[Any, Between, str | None]:
    """Type, range and metavar of what a command line gives for a hint."""
    union = get_origin(hint) in (Union, UnionType)
    kinds, extras = [], []
    for one in get_args(hint) if union else (hint,):
        kind, *more = get_args(one) if get_origin(one) is Annotated else (one,)
        extras += more
        if kind is not NoneType:
            kinds.append(kind)
    several = any(get_origin(kind) not in (None, Literal) for kind in kinds)
    limits = next((one for one in extras if isinstance(one, Between)), ANY)
    metavar = next((one for one in extras if isinstance(one, str)), None)
    return list[str] if several else kinds[0] if len(kinds) == 1 else str, limits, metavar


def _unpack_options(function: Callable[..., Any]) -> tuple[inspect.Signature, dict[str, str]]:
    """The signature with each option of an ``Unpack[TypedDict]``, and the sentences on these."""
    signature = inspect.signature(function)
    *parameters, last = signature.parameters.values()
    match = re.fullmatch(r"Unpack\[(\w+)\]", str(last.annotation))
    if match is None:
        return signature, {}
    kind = vars(sys.modules[function.__module__])[match[1]]
    parameters += [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=hint.__forward_arg__)
        for name, hint in kind.__annotations__.items()
    ]
    return signature.replace(parameters=parameters), entries(kind.__doc__ or "", "Attributes")


def _complete(docstring: str, signature: inspect.Signature, known: Mapping[str, str]) -> str:
    """The docstring with a sentence on every parameter, in their order."""
    head, title, rest = inspect.cleandoc(docstring).partition("Args:\n")
    section, gap, tail = rest.partition("\n\n")
    told = dict(_ENTRY.findall(section))
    names = [str(one).partition(":")[0] for one in signature.parameters.values()]
    blocks = [
        f"    {name}: {told[name].rstrip()}" if name in told else _wrap(f"{name}: {known[name]}")
        for name in names
        if name in told or name in known
    ]
    return head + title + "\n".join(blocks) + gap + tail


def _wrap(text: str) -> str:
    lines = textwrap.wrap(text, width=88, break_on_hyphens=False)
    return textwrap.indent("\n".join(lines), " " * 8)[4:]


def _check_range(option: Option, value: object) -> None:
    """Refuse a number out of range.

    Raises:
        UsageError: with the option, what was found and what is expected.
    """
    low, high = option.limits
    if not isinstance(value, int | float):
        return
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = [] if low is None else [f"at least {in_full(low)}"]
        bounds += [] if high is None else [f"at most {in_full(high)}"]
        expected = " and ".join(bounds)
        raise UsageError(f"{flag(option.name)}: found {in_full(value)}, expected {expected}")


def refuse_others(function: Callable[..., Any], given: Mapping[str, object], chosen: str) -> None:
    """Refuse options of a function that do not go with a choice, unless at their defaults.

    Args:
        function: whose options they are.
        given: their values by name.
        chosen: the choice, as it is typed.

    Raises:
        UsageError: one differs from its default.
    """
    defaults = inspect.signature(function).parameters
    for name, value in given.items():
        if value != defaults[name].default:
            raise UsageError(f"{flag(name)} cannot be combined with {chosen}")

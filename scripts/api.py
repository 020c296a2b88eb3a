"""Writes the page of the library from its docstrings: ``python scripts/api.py FILE``."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

import humobctl

HEAD = """# The library

`import humobctl as hm` in a notebook or a program. Generated from the docstrings by `make docs`; a
test compares the two and runs the examples.

Tables go in as frames of polars or pandas, or as paths, and come out as frames of polars. With
`output` a function writes a file or folder in batches, as the command of its name does, and gives
back one row that says what was written. Options have the names of the command's flags, and so do
messages: `--from-day` is `from_day`. What goes wrong is a `HumobError`; wrong usage is a
`UsageError`, which is one, too.

In signatures `Count` is a whole number from 1 on, `Day` and `Seed` one from 0 on, `Fraction` a
number from 0 to 1, and `Between` gives the range of others; `Source` is a table as above.
"""


def page() -> str:
    """The whole page."""
    return "\n".join((HEAD, *(_section(name, getattr(humobctl, name)) for name in _names())))


def _names() -> list[str]:
    """Functions first, then classes."""
    return sorted(humobctl.__all__, key=lambda name: (name[0].isupper(), name))


def _section(name: str, thing: Any) -> str:
    lines = [f"## {name}", ""]
    if inspect.isfunction(thing):
        lines += ["```python", _signature(name, thing), "```", ""]
    lines += ["```text", inspect.getdoc(thing) or "", "```", ""]
    if inspect.isclass(thing):
        lines += _methods(thing)
    return "\n".join(lines)


def _methods(thing: type) -> list[str]:
    found = inspect.getmembers(thing, inspect.isfunction)
    return [
        f"- `{name}()`: {(inspect.getdoc(function) or '').splitlines()[0]}\n"
        for name, function in found
        if not name.startswith("_")
    ]


def _signature(name: str, function: Any) -> str:
    lines, kinds = [], []
    for one in inspect.signature(function).parameters.values():
        kinds.append(one.kind)
        stars = "**" if one.kind is one.VAR_KEYWORD else ""
        default = "" if one.default is one.empty else f" = {one.default!r}"
        lines.append(f"{stars}{one.name}: {one.annotation}{default}")
    if inspect.Parameter.KEYWORD_ONLY in kinds:
        lines.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "*")
    returned = inspect.signature(function).return_annotation
    return "\n".join((f"hm.{name}(", *(f"    {line}," for line in lines), f") -> {returned}"))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page())

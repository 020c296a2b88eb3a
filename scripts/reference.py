"""Writes the command reference from ``--help``: ``python scripts/reference.py FILE``."""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from humobctl.cli import build_app

HEAD = """# Command reference

Generated from `--help` by `make docs`; a test compares the two.
"""
EXAMPLE = "Example: "


@dataclass(frozen=True)
class Command:
    """One command: its words after ``humobctl`` and its help text."""

    words: tuple[str, ...]
    text: str
    is_group: bool

    @property
    def title(self) -> str:
        """As it is typed."""
        return " ".join(("humobctl", *self.words))

    @property
    def examples(self) -> list[str]:
        """The command lines of its ``Example:`` lines."""
        lines = (line.strip() for line in self.text.splitlines())
        return [line.removeprefix(EXAMPLE) for line in lines if line.startswith(EXAMPLE)]


def commands() -> list[Command]:
    """Every command and group of the app, the root first."""
    return _walk(build_app(), ())


def _walk(command: Any, words: tuple[str, ...]) -> list[Command]:
    command = getattr(command, "loaded", command)
    below = getattr(command, "commands", {})
    found = [Command(words, command.help or "", bool(below))]
    for name, child in below.items():
        found += _walk(child, (*words, name))
    return found


def printed_help(words: tuple[str, ...]) -> str:
    """What ``humobctl WORDS --help`` prints on a terminal of 80 columns."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        build_app()([*words, "--help"], prog_name="humobctl", terminal_width=78)
    return "\n".join(line.rstrip() for line in printed.getvalue().splitlines())


def reference() -> str:
    """The whole page."""
    sections = (
        f"## {command.title}\n\n```text\n{printed_help(command.words)}\n```\n"
        for command in commands()
    )
    return "\n".join((HEAD, *sections))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference())

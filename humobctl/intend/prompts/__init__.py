"""The prompts of the chain, as files: one folder a version, whose texts no longer change.

A text that is changed changes what the journal and distilled records mean, so it goes into a new
folder, and ``VERSION`` names the folder in use.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from string import Template

VERSION = "v1"


@cache
def text(name: str) -> str:
    """A file of the version in use, without its last line end."""
    return (files(__name__) / VERSION / name).read_text(encoding="utf-8").rstrip("\n")


def render(name: str, **values: str) -> str:
    """A prompt with its ``$placeholders`` filled in, once: a ``$`` in a value stays a ``$``."""
    # Empty values leave empty lines behind.
    filled = Template(text(f"{name}.md")).substitute(values)
    while "\n\n\n" in filled:
        filled = filled.replace("\n\n\n", "\n\n")
    return filled.strip("\n")

"""A table in memory under the name of a file, so that whatever reads files reads it, too."""

from __future__ import annotations

from pathlib import Path

NAME = "<DataFrame>"
"""What messages call a table in memory; no file is called so."""


class FramePath(str):
    """The name of a table that a program holds in memory, and the Arrow file that it was put into.

    Attributes:
        file: the Arrow file.
    """

    __slots__ = ("file",)
    file: Path

    def __new__(cls, file: Path, name: str = NAME) -> FramePath:
        """The name, with the file beside it."""
        self = super().__new__(cls, name)
        self.file = file
        return self

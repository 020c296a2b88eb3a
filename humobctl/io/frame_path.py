"""A table in memory under the name of a file, so that whatever reads files reads it, too."""

from __future__ import annotations

from pathlib import Path

NAME = "<DataFrame>"
"""What messages call a table in memory; no file is called so."""


class FramePath(str):
    """The name of a table that a program made, and the file that it was put into.

    The command does not count it as an input: a table in memory, or an output that is read again.

    Attributes:
        file: the Arrow file of a table in memory, or the output.
    """

    __slots__ = ("file",)
    file: Path

    def __new__(cls, file: Path, name: str = NAME) -> FramePath:
        """The name, with the file beside it."""
        self = super().__new__(cls, name)
        self.file = file
        return self

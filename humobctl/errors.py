"""Errors that end a command with one clear line."""

from __future__ import annotations

import errno
import re

from humobctl.console.safe_text import message


class HumobError(Exception):
    """Something the user can mend; its text is one printable line, and the exit code is 1."""

    def __init__(self, text: str = "") -> None:
        super().__init__(message(text))


class UsageError(HumobError):
    """Options that do not go together, or a value that means nothing; the exit code is 2."""


class ReaderGoneError(Exception):
    """Whoever read our standard output went away (``| head``); the command ends quietly."""


def reason(exc: OSError) -> str:
    """What the system refused, in words."""
    # A bad descriptor is one that the caller closed (`>&-`): see cli.
    return "closed" if exc.errno == errno.EBADF else exc.strerror or str(exc)


def system_reason(text: str) -> str:
    """What the system refused, from the words of a library that passes them on.

    polars writes ``parquet: ...: File too large (os error 27)``, safetensors much the same.
    """
    found = re.search(r"([^:]+) \(os error \d+\)", text)
    return found[1].strip() if found else text.splitlines()[0]


class TableError(HumobError):
    """A fault in a table, with its place.

    Args:
        source: the file's name, or ``stdin``.
        found: what stands there.
        expected: what should stand there.
        row: number of the data row, counted from 1 without the header.
        line: number of the line in a text file, counted from 1.
        column: name of the column.
    """

    def __init__(
        self,
        source: str,
        found: str,
        expected: str,
        *,
        row: int | None = None,
        line: int | None = None,
        column: str | None = None,
    ) -> None:
        self.source, self.found, self.expected = source, found, expected
        self.row, self.line, self.column = row, line, column
        place = []
        if row is not None:
            place.append(f"row {row}" + (f" (line {line})" if line is not None else ""))
        elif line is not None:
            place.append(f"line {line}")
        if column is not None:
            place.append(f"column {column}")
        where = "".join(f"{part}: " for part in (source, ", ".join(place)) if part)
        super().__init__(f"{where}found {found}, expected {expected}")

    def with_words(self, *, expected: str | None = None, column: str | None = None) -> TableError:
        """The same fault with other words for what was expected, or another name of the column."""
        return TableError(
            self.source,
            self.found,
            expected or self.expected,
            row=self.row,
            line=self.line,
            column=column or self.column,
        )

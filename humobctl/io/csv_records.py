"""The records of delimited text, and quotes that open a field and are never closed.

A quote opens a field only where a field begins; elsewhere it is a character like others (``32"``).
A field may hold line ends. So one stray quote would take the rows below it into its field, up to
the next quote: what is taken for a record of several lines has to look like one.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

MAX_LINE_BYTES = 64 << 20
csv.field_size_limit(MAX_LINE_BYTES)  # by default 131,072: less than the outline of a country
OPEN_QUOTE = 'a quote (") that opens a field and is never closed'
CLOSED = 'a closing quote, or "" for a quote within a field'
_NAMELESS = re.compile(r"\(column \d+\)|Unnamed: \d+|__index_level_\d+__")


def split_record(text: str, separator: str, *, quoted: bool = True) -> list[str]:
    """The fields of one record."""
    if not quoted or '"' not in text:
        return text.removesuffix("\n").split(separator)
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])


def name_columns(fields: list[str]) -> list[str]:
    """The names in a header; a column without one is called by its number."""
    return [name.strip() or f"(column {at})" for at, name in enumerate(fields, start=1)]


def nameless(names: list[str]) -> list[str]:
    """Columns without a name of their own, such as the index that pandas writes first."""
    return [name for name in names if _NAMELESS.fullmatch(name)]


def records(body: bytes, separator: str, width: int) -> Iterator[tuple[int, bytes | None]]:
    """The records of quoted text that are not blank.

    Args:
        body: whole lines.
        separator: between fields.
        width: fields of a record.

    Yields:
        How many lines stand before it, and the record; None for a line with a quote that is never
        closed, after which the next line is a record again.
    """
    lines, sign = body.split(b"\n")[:-1], separator.encode()
    at = 0
    while at < len(lines):
        end: int | None = at + 1
        if b'"' in lines[at] and _ends_within(lines[at], sign, 0):
            end = _end(lines, at, sign)
            swallowed = end is not None and all(
                line.count(sign) == width - 1 for line in lines[at:end]
            )
            if swallowed or end == len(lines) + 1:  # each line is as wide as a row, or no end
                end = None
        if end is None:
            yield at, None
        elif lines[at].strip() or end > at + 1:
            yield at, b"\n".join(lines[at:end]) + b"\n"
        at = end or at + 1


def last_row_end(block: bytes, separator: str) -> int:
    """Where the last line ends after which a new record begins; 0 where there is none.

    Args:
        block: text of which the first byte begins a record.
        separator: between fields.
    """
    cut = block.rfind(b"\n") + 1
    if b'"' not in block or block.count(b'"', 0, cut) % 2 == 0:
        return cut
    lines, sign = block[:cut].split(b"\n")[:-1], separator.encode()
    at = start = 0
    while at < len(lines):
        end: int | None = at + 1
        if b'"' in lines[at] and _ends_within(lines[at], sign, 0):
            end = _end(lines, at, sign)
            if end == len(lines) + 1:
                return start
        begin, at = at, end or at + 1
        start += sum(map(len, lines[begin:at])) + at - begin
    return cut


def _end(lines: list[bytes], at: int, sign: bytes) -> int | None:
    """The line after a record that goes on beyond its first line.

    One more than there are where it does not end; None where what closes it is not a closing quote:
    another stray one, or the opening one of a later row.
    """
    for last in range(at + 1, len(lines)):
        inside = _after_quote(lines[last], 0)
        if inside is None:
            continue
        behind = lines[last][inside:].lstrip(b" ")
        if behind and not behind.startswith(sign):
            return None
        if not _ends_within(lines[last], sign, inside):
            return last + 1
    return len(lines) + 1


def _ends_within(line: bytes, sign: bytes, at: int) -> bool:
    """Whether a line ends within quotes, if there are none around its byte ``at``."""
    while True:
        if line.startswith(b'"', at):
            inside = _after_quote(line, at + 1)
            if inside is None:
                return True
            at = inside
        at = line.find(sign, at) + len(sign)
        if at < len(sign):
            return False


def _after_quote(line: bytes, at: int) -> int | None:
    """The byte after the quote that closes a field; None where the line does not close it."""
    while (at := line.find(b'"', at)) >= 0:
        if not line.startswith(b'"', at + 1):
            return at + 1
        at += 2
    return None

"""How much an input may hold: data packed to explode are refused before they fill memory.

Without ``--max-bytes`` an input may unpack to ``FREE_BYTES``, and beyond that to ``RATIO`` times
its packed bytes. Tables of people do not come near it: a synthetic city packs 4 to 1 as CSV and
9 to 1 as NDJSON, by gzip or zstd, and people who never leave home, as visits in NDJSON, 44 to 1 by
gzip and 126 to 1 by the slowest zstd. A bomb of zeros reaches 1,032 to 1 (gzip) or
32,768 to 1 (zstd).

A Parquet file says in its footer how many bytes its pages hold, and how many rows a row group.
polars tells only the rows of all, so the footer is read here.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from humobctl.errors import HumobError, UsageError

VARIABLE = "HUMOBCTL_MAX_BYTES"
"""Where ``--max-bytes`` stands for all of a run, its worker processes too."""
FREE_BYTES = 1_000_000_000
RATIO = 200
_STEPS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE)
_TAIL = 8
_ROW_GROUPS, _TOTAL_BYTES, _ROWS = 4, 2, 3
_VALUE_BYTES = 8
"""Taken for a value in memory: an integer, a float, a reference to a text."""
_DEEPEST = 32


def parse_size(text: str, name: str = "--max-bytes") -> int:
    """A number of bytes such as ``200000000``, ``500MB`` or ``1.5 GiB``.

    Raises:
        UsageError: it is none, or less than 1.
    """
    found = _SIZE.fullmatch(text)
    if found:
        number, letter, binary = found.groups()
        step = _STEPS[letter.lower()]
        size = float(number) * (1024 ** (len(str(step)) // 3) if binary and letter else step)
        if size >= 1:
            return int(size)
    raise UsageError(f"{name}: found {text!r}, expected a number of bytes such as 500MB or 2GB")


def asked_bytes() -> int | None:
    """What ``--max-bytes`` says; None where it was not given."""
    text = os.environ.get(VARIABLE)
    return parse_size(text, VARIABLE) if text else None


def check_bytes(held: int, packed: int | None, name: str) -> None:
    """Refuse data that unpack to more than they may.

    Args:
        held: bytes unpacked.
        packed: bytes they came from; None where nothing is packed.
        name: of the input.

    Raises:
        HumobError: too many.
    """
    asked = asked_bytes()
    if asked is not None:
        if held > asked:
            raise HumobError(
                f"{name}: found more than {asked:,} bytes, expected no more by --max-bytes"
            )
    elif packed is not None and held > FREE_BYTES and held > RATIO * packed:
        raise HumobError(
            f"{name}: found {packed:,} bytes that unpack to {held:,} or more, expected at most "
            f"{RATIO} times as many; --max-bytes allows them"
        )


class Counted:
    """A stream of packed bytes that knows how many were read."""

    def __init__(self, source: BinaryIO) -> None:
        self._source, self.count = source, 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        block = self._source.read(size)
        self.count += len(block)
        return block


class Bounded(io.RawIOBase):
    """Unpacked bytes that end with an error where there are too many.

    Args:
        inner: what unpacks.
        packed: what it reads from; None where nothing is packed.
        name: of the input, for the message.
    """

    def __init__(self, inner: Any, packed: Counted | None, name: str) -> None:
        self._inner, self._packed, self._name, self._held = inner, packed, name, 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer.

        Raises:
            HumobError: see ``check_bytes``.
        """
        count = int(self._inner.readinto(buffer) or 0)
        self._held += count
        check_bytes(self._held, self._packed.count if self._packed else None, self._name)
        return count

    def close(self) -> None:
        """Close what unpacks, too."""
        self._inner.close()
        super().close()


@dataclass(frozen=True)
class Holding:
    """What a file says it holds.

    Attributes:
        rows: of all row groups.
        most_rows: of the largest row group.
        page_bytes: bytes of all pages before they were packed.
    """

    rows: int
    most_rows: int
    page_bytes: int


def check_parquet(path: Path, columns: int, name: str) -> None:
    """Refuse a Parquet file that unpacks to more than it may.

    A column in which one value comes again and again takes next to nothing in pages. So the rows of
    a row group count too, which is what is unpacked at once; with --max-bytes, all rows.

    Args:
        path: the file.
        columns: number of its columns.
        name: of the input, for messages.

    Raises:
        HumobError: it holds too much, or its footer is damaged.
    """
    holding = read_footer(path, name)
    rows = holding.most_rows if asked_bytes() is None else holding.rows
    held = max(holding.page_bytes, rows * columns * _VALUE_BYTES)
    check_bytes(held, path.stat().st_size, name)


def read_footer(path: Path, name: str) -> Holding:
    """The sums over a file's row groups.

    Raises:
        HumobError: the footer is damaged.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(size - _TAIL)
            length = int.from_bytes(file.read(_TAIL)[:4], "little")
            if length > size - _TAIL:
                raise ValueError("a footer longer than the file")
            file.seek(size - _TAIL - length)
            groups = _Compact(file.read(length)).sums()
    except (ValueError, IndexError, OSError) as exc:
        raise HumobError(
            f"{name}: found a damaged parquet file ({exc}), expected a whole one"
        ) from exc
    return groups


class _Compact:
    """A reader of Thrift's compact protocol that skips what it is not asked for.

    Of FileMetaData, the row groups are field 4; of RowGroup, the uncompressed bytes are field 2 and
    the rows field 3 (apache/parquet-format, parquet.thrift).
    """

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def sums(self) -> Holding:
        """Rows and bytes of all row groups of a FileMetaData."""
        rows = most = total = 0
        for field, kind in self._fields():
            if field != _ROW_GROUPS or kind != 9:
                self._skip(kind, 0)
                continue
            size, element = self._list_head()
            if size and element != 12:
                raise ValueError("row groups that are no structs")
            for _ in range(size):
                group = self._integers()
                rows += max(0, group.get(_ROWS, 0))
                most = max(most, group.get(_ROWS, 0))
                total += max(0, group.get(_TOTAL_BYTES, 0))
        return Holding(rows, most, total)

    def _fields(self) -> Iterator[tuple[int, int]]:
        """Field numbers and types of a struct, each to be read before the next."""
        field = 0
        while head := self._byte():
            delta, kind = head >> 4, head & 15
            field = field + delta if delta else self._zigzag()
            yield field, kind

    def _integers(self) -> dict[int, int]:
        found = {}
        for field, kind in self._fields():
            if kind in (4, 5, 6):
                found[field] = self._zigzag()
            else:
                self._skip(kind, 0)
        return found

    def _skip(self, kind: int, depth: int) -> None:
        if depth > _DEEPEST:
            raise ValueError("a footer nested too deeply")
        if kind in (4, 5, 6):
            self._varint()
        elif kind == 3:
            self._forward(1)
        elif kind == 7:
            self._forward(8)
        elif kind == 8:
            self._forward(self._varint())
        elif kind in (9, 10):
            size, element = self._list_head()
            for _ in range(size):
                self._skip(3 if element in (1, 2) else element, depth + 1)
        elif kind == 11:
            size = self._varint()
            kinds = self._byte() if size else 0
            for _ in range(size):
                self._skip(kinds >> 4, depth + 1)
                self._skip(kinds & 15, depth + 1)
        elif kind == 12:
            for _, inner in self._fields():
                self._skip(inner, depth + 1)
        elif kind not in (1, 2):  # a field that is true or false has no more than its type
            raise ValueError(f"a footer with the unknown type {kind}")

    def _list_head(self) -> tuple[int, int]:
        head = self._byte()
        size = head >> 4
        if size == 15:
            size = self._varint()
        if size > len(self._data):
            raise ValueError("a list longer than the footer")
        return size, head & 15

    def _byte(self) -> int:
        value = self._data[self._at]
        self._at += 1
        return value

    def _forward(self, count: int) -> None:
        self._at += count
        if self._at > len(self._data):
            raise ValueError("a footer that is cut off")

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number of too many bytes")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


def parse_json(text: str | bytes) -> Any:
    """JSON as Python objects.

    Raises:
        ValueError: it is broken, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError as exc:
        # Python refuses whole numbers of more than 4,300 digits, and names a way to allow them.
        if isinstance(exc, json.JSONDecodeError | UnicodeDecodeError):
            raise
        raise ValueError("a number of thousands of digits") from None

"""What a Parquet file says it holds, from its footer: enough to refuse one that is a bomb.

The footer is a struct in Thrift's compact protocol. Of FileMetaData, the row groups are field 4; of
RowGroup, the uncompressed bytes are field 2 and the rows field 3 (apache/parquet-format,
parquet.thrift).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from humobctl.errors import HumobError
from humobctl.io.size_limits import asked_bytes, check_bytes

_TAIL = 8
_ROW_GROUPS, _TOTAL_BYTES, _ROWS = 4, 2, 3
_VALUE_BYTES = 8
"""Taken for a value in memory: an integer, a float, a reference to a text."""
_DEEPEST = 32


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


def parquet_columns(path: Path) -> list[str]:
    """Names of a file's columns; a ``*`` in its name is one."""
    return pl.scan_parquet(path, glob=False, hive_partitioning=False).collect_schema().names()


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
    """A reader of Thrift's compact protocol that skips what it is not asked for."""

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

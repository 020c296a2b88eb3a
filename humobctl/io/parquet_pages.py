"""What a Parquet file says it holds: its footer, and the head of every page.

polars tells only the rows of all, and a page whose head promises other values than there are ends
the whole process. Field numbers are those of apache/parquet-format, parquet.thrift, in Thrift's
compact protocol.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from humobctl.errors import HumobError

_TAIL = 8
_DEEPEST = 32
_HEADS = (512, 1 << 16, 1 << 24)
"""Bytes that are read for the head of a page; one with long statistics takes more."""


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


def read_holding(path: Path, name: str) -> Holding:
    """The sums over a file's row groups, after a look at the head of each page.

    Raises:
        HumobError: the footer or a page is damaged.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            groups = _structs(_footer(file, size).get(4))
            rows = [max(0, _integer(group, 3)) for group in groups]
            told = sum(max(0, _integer(group, 2)) for group in groups)
            chunks = [chunk.get(3) for group in groups for chunk in _structs(group.get(1))]
            found = sum(_page_bytes(file, size, _struct(chunk)) for chunk in chunks if chunk)
    except (ValueError, IndexError, OSError) as exc:
        raise HumobError(
            f"{name}: found a damaged parquet file ({exc}), expected a whole one"
        ) from exc
    return Holding(sum(rows), max(rows, default=0), max(told, found))


def _footer(file: BinaryIO, size: int) -> dict[int, Any]:
    file.seek(size - _TAIL)
    length = int.from_bytes(file.read(_TAIL)[:4], "little")
    if length > size - _TAIL:
        raise ValueError("a footer longer than the file")
    file.seek(size - _TAIL - length)
    return _Compact(file.read(length)).struct()


def _page_bytes(file: BinaryIO, size: int, meta: dict[int, Any]) -> int:
    """Unpacked bytes of a column's pages in a row group."""
    values, at = _integer(meta, 5), min(_integer(meta, 11) or size, _integer(meta, 9))
    end, total = at + _integer(meta, 7), 0
    if not 0 <= at <= end <= size or values < 0:
        raise ValueError("pages outside of the file")
    while at < end and values > 0:
        page, length = _page(file, at)
        unpacked, packed = _integer(page, 2), _integer(page, 3)
        at += length + packed
        data = page.get(5) or page.get(8)
        held = _integer(_struct(data or page.get(7) or {}), 1)
        if not (packed >= 0 and at <= size and unpacked >= 0):
            raise ValueError("a page longer than the file")
        if not 0 <= held <= (values if data else unpacked):
            raise ValueError("a page with more values than its column")
        values -= held if data else 0
        total += unpacked
    return total


def _page(file: BinaryIO, at: int) -> tuple[dict[int, Any], int]:
    """The head of a page, and its length."""
    for most in _HEADS:
        file.seek(at)
        head = _Compact(file.read(most))
        try:
            return head.struct(), head.at
        except IndexError:
            continue
    raise ValueError("a page without a head")


def _integer(struct: dict[int, Any], field: int) -> int:
    value = struct.get(field, 0)
    if type(value) is not int:
        raise ValueError("a field of another type")
    return value


def _struct(value: Any) -> dict[int, Any]:
    if not isinstance(value, dict):
        raise ValueError("a field of another type")
    return value


def _structs(value: Any) -> list[dict[int, Any]]:
    if not isinstance(value, list | None):
        raise ValueError("a field of another type")
    return [_struct(one) for one in value or []]


class _Compact:
    """A reader of Thrift's compact protocol: integers, structs and lists; the rest is skipped.

    Attributes:
        at: bytes read so far.
    """

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Values by field number."""
        return {field: self._value(kind, depth + 1) for field, kind in self._fields()}

    def _fields(self) -> Iterator[tuple[int, int]]:
        """Field numbers and types of a struct, each to be read before the next."""
        field = 0
        while head := self._byte():
            delta, kind = head >> 4, head & 15
            field = field + delta if delta else self._zigzag()
            yield field, kind

    def _value(self, kind: int, depth: int) -> Any:
        if depth > _DEEPEST:
            raise ValueError("a footer nested too deeply")
        if kind in (4, 5, 6):
            return self._zigzag()
        if kind == 12:
            return self.struct(depth)
        if kind in (9, 10):
            size, element = self._list_head()
            return [
                self._value(3 if element in (1, 2) else element, depth + 1) for _ in range(size)
            ]
        if kind in (3, 7, 8):
            self._forward({3: 1, 7: 8}.get(kind) or self._varint())
        elif kind == 11:
            size = self._varint()
            kinds = self._byte() if size else 0
            for _ in range(size):
                self._value(kinds >> 4, depth + 1)
                self._value(kinds & 15, depth + 1)
        elif kind not in (1, 2):  # a field that is true or false has no more than its type
            raise ValueError(f"a footer with the unknown type {kind}")
        return None

    def _list_head(self) -> tuple[int, int]:
        head = self._byte()
        size = head >> 4
        if size == 15:
            size = self._varint()
        if size > len(self._data):
            raise ValueError("a list longer than the footer")
        return size, head & 15

    def _byte(self) -> int:
        value = self._data[self.at]
        self.at += 1
        return value

    def _forward(self, count: int) -> None:
        self.at += count
        if self.at > len(self._data):
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

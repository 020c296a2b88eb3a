"""The lengths that messages of an Arrow stream promise, before anything of that size is made.

Format: https://arrow.apache.org/docs/format/Columnar.html, "Encapsulated message format"; heads are
flatbuffers, whose fields are those of Message.fbs.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from humobctl.errors import HumobError

_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3
_DICTIONARY, _BATCH = 2, 3
_DATA, _BUFFERS = 1, 2
_CONTINUES = 0xFFFFFFFF


def check_arrow_stream(path: Path, name: str) -> None:
    """Refuse a stream with a message that is longer than the file.

    Args:
        path: the file.
        name: of the input, for messages.

    Raises:
        HumobError: there is one, or a head that cannot be read.
    """
    try:
        with path.open("rb") as file:
            _walk(file, path.stat().st_size)
    except (ValueError, IndexError, struct.error, OSError) as exc:
        raise HumobError(
            f"{name}: found a damaged arrow-stream file ({exc}), expected a whole one"
        ) from exc


def _walk(file: BinaryIO, size: int) -> None:
    at = 0
    while at + 8 <= size:
        file.seek(at)
        first, second = struct.unpack("<Ii", file.read(8))
        at += 8 if first == _CONTINUES else 4
        length = second if first == _CONTINUES else first
        if length == 0:
            return
        if not 0 < length <= size - at:
            raise ValueError("a message longer than the file")
        file.seek(at)
        at += length
        body = _body_length(file.read(length))
        if not 0 <= body <= size - at:
            raise ValueError("a message longer than the file")
        at += body


def _body_length(head: bytes) -> int:
    """The length of a message's body, with its buffers inside of it."""
    message = _number("<I", head, 0)
    place = _field(head, message, _BODY_LENGTH)
    body = _number("<q", head, place) if place else 0
    kind, header = (_field(head, message, field) for field in (_HEADER_TYPE, _HEADER))
    if not kind or not header or head[kind] not in (_DICTIONARY, _BATCH):
        return body
    batch = header + _number("<I", head, header)
    if head[kind] == _DICTIONARY:
        data = _field(head, batch, _DATA)
        batch = data + _number("<I", head, data)
    if place := _field(head, batch, _BUFFERS):
        buffers = place + _number("<I", head, place)
        for number in range(_number("<I", head, buffers)):
            begin, length = (_number("<q", head, buffers + 4 + 16 * number + b) for b in (0, 8))
            if begin < 0 or length < 0 or begin + length > body:
                raise ValueError("a buffer longer than its message")
    return body


def _field(head: bytes, table: int, field: int) -> int:
    """Where a table has a field; 0 where it has none."""
    fields, place = table - _number("<i", head, table), 4 + 2 * field
    offset = _number("<H", head, fields + place) if _number("<H", head, fields) > place else 0
    return table + offset if offset else 0


def _number(kind: str, head: bytes, at: int) -> int:
    if at < 0:  # which Python counts from the end
        raise ValueError("a head that points outside of itself")
    return int(struct.unpack_from(kind, head, at)[0])

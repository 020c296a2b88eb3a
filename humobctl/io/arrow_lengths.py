"""The lengths that the messages of an Arrow file or stream promise, before polars makes room.

Format: https://arrow.apache.org/docs/format/Columnar.html, "Encapsulated message format" and "IPC
File Format"; heads are flatbuffers, whose fields are those of Message.fbs and File.fbs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from humobctl.errors import HumobError
from humobctl.io.size_limits import check_bytes

_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3
_DICTIONARY, _BATCH = 2, 3
_DATA, _BUFFERS, _COMPRESSION = 1, 2, 3
_FOOTER_DICTIONARIES, _FOOTER_BATCHES = 2, 3
_BLOCK_BYTES = 24
_CONTINUES = 0xFFFFFFFF
_END = struct.Struct("<i6s")
_MAGIC = b"ARROW1"


class _Message(NamedTuple):
    """A message: its head, where its body begins, and the bytes up to the end of the file."""

    head: bytes
    body: int
    left: int


def check_arrow(path: Path, name: str) -> None:
    """Refuse a file or stream with a message that is longer than it, or that unpacks to too much.

    Args:
        path: the file.
        name: of the input, for messages.

    Raises:
        HumobError: there is one, or a head that cannot be read; or see ``check_bytes``.
    """
    size, held, in_blocks = path.stat().st_size, 0, False
    try:
        with path.open("rb") as file:
            in_blocks = file.read(len(_MAGIC)) == _MAGIC
            for message in (_messages_of_footer if in_blocks else _messages_of_stream)(file, size):
                held += _unpacked_bytes(file, message)
    except (ValueError, IndexError, struct.error, OSError) as exc:
        kind = "arrow" if in_blocks else "arrow-stream"
        raise HumobError(
            f"{name}: found a damaged {kind} file ({exc}), expected a whole one"
        ) from exc
    check_bytes(held, size, name)


def _messages_of_stream(file: BinaryIO, size: int) -> Iterator[_Message]:
    """The messages of a stream."""
    at = 0
    while at + 8 <= size:
        message = _read_message(file, at, size)
        if message is None:
            return
        yield message
        at = message.body + _body_length(message.head)


def _messages_of_footer(file: BinaryIO, size: int) -> Iterator[_Message]:
    """The messages that the footer of a file lists."""
    file.seek(max(0, size - _END.size))
    length, magic = _END.unpack(file.read(_END.size))
    if magic != _MAGIC or not 0 < length <= size - _END.size:
        raise ValueError("no footer")
    file.seek(size - _END.size - length)
    footer = file.read(length)
    table = _number("<I", footer, 0)
    for field in (_FOOTER_DICTIONARIES, _FOOTER_BATCHES):
        if not (place := _field(footer, table, field)):
            continue
        blocks = place + _number("<I", footer, place)
        for number in range(_number("<I", footer, blocks)):
            at = _number("<q", footer, blocks + 4 + _BLOCK_BYTES * number)
            if not 0 <= at <= size - 8:
                raise ValueError("a message outside of the file")
            if message := _read_message(file, at, size):
                yield message


def _read_message(file: BinaryIO, at: int, size: int) -> _Message | None:
    """The message at a place; None for the mark at the end."""
    file.seek(at)
    first, second = struct.unpack("<Ii", file.read(8))
    at += 8 if first == _CONTINUES else 4
    length = second if first == _CONTINUES else first
    if length == 0:
        return None
    if not 0 < length <= size - at:
        raise ValueError("a message longer than the file")
    file.seek(at)
    return _Message(file.read(length), at + length, size - at - length)


def _body_length(head: bytes) -> int:
    place = _field(head, _number("<I", head, 0), _BODY_LENGTH)
    return _number("<q", head, place) if place else 0


def _unpacked_bytes(file: BinaryIO, message: _Message) -> int:
    """Bytes of a message's buffers once they are unpacked.

    Raises:
        ValueError: they do not lie within the message, or it does not lie within the file.
    """
    head, body = message.head, _body_length(message.head)
    if not 0 <= body <= message.left:
        raise ValueError("a message longer than the file")
    table = _number("<I", head, 0)
    kind, header = (_field(head, table, field) for field in (_HEADER_TYPE, _HEADER))
    if not kind or not header or head[kind] not in (_DICTIONARY, _BATCH):
        return 0
    batch = header + _number("<I", head, header)
    if head[kind] == _DICTIONARY:
        data = _field(head, batch, _DATA)
        batch = data + _number("<I", head, data)
    if not (place := _field(head, batch, _BUFFERS)):
        return 0
    packed = bool(_field(head, batch, _COMPRESSION))
    buffers, held = place + _number("<I", head, place), 0
    for number in range(_number("<I", head, buffers)):
        begin, length = (_number("<q", head, buffers + 4 + 16 * number + b) for b in (0, 8))
        if begin < 0 or length < 0 or begin + length > body:
            raise ValueError("a buffer longer than its message")
        held += _unpacked_length(file, message.body + begin) if packed and length else length
    return held


def _unpacked_length(file: BinaryIO, at: int) -> int:
    """What a packed buffer begins with; -1 for one that is not packed after all counts nothing."""
    file.seek(at)
    length = int(struct.unpack("<q", file.read(8))[0])
    if length < -1:
        raise ValueError(f"a buffer of {length} bytes")
    return max(0, length)


def _field(head: bytes, table: int, field: int) -> int:
    """Where a table has a field; 0 where it has none."""
    fields, place = table - _number("<i", head, table), 4 + 2 * field
    offset = _number("<H", head, fields + place) if _number("<H", head, fields) > place else 0
    return table + offset if offset else 0


def _number(kind: str, head: bytes, at: int) -> int:
    if at < 0:  # which Python counts from the end
        raise ValueError("a head that points outside of itself")
    return int(struct.unpack_from(kind, head, at)[0])

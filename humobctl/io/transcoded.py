"""Text of two or four bytes a character, as Windows writes it, as UTF-8."""

from __future__ import annotations

import codecs
import io
from typing import Any

from humobctl.errors import HumobError

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Marks at the beginning; that of UTF-32 LE begins as that of UTF-16 LE does."""
_BLOCK = 1 << 16


def wide_encoding(head: bytes) -> str | None:
    """The encoding whose byte order mark a file begins with; None for UTF-8 and all else."""
    arrow = head.startswith(b"\xff\xff\xff\xff")
    return next((name for mark, name in _MARKS if head.startswith(mark) and not arrow), None)


class Transcoded(io.RawIOBase):
    """UTF-8 of text in another encoding.

    Args:
        inner: the bytes.
        encoding: as ``wide_encoding`` gives it.
        name: of the input, for the message.
    """

    def __init__(self, inner: Any, encoding: str, name: str) -> None:
        self._inner, self._encoding, self._name = inner, encoding, name
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._left = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer.

        Raises:
            HumobError: what follows is not of the encoding.
        """
        block = b"more"
        while not self._left and block:
            block = self._inner.read(_BLOCK)
            try:
                self._left = self._decoder.decode(block, final=not block).encode()
            except UnicodeError as exc:
                raise HumobError(
                    f"{self._name}: found damaged {self._encoding.upper()} ({exc}), expected text"
                ) from exc
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def close(self) -> None:
        """Close the bytes, too."""
        self._inner.close()
        super().close()

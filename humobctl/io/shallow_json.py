"""JSON that is read as a stream, and nested no deeper than any table is."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import numpy as np

DEEPEST = 100
_LOWER = 0x20
"""Makes ``[`` and ``]`` braces."""
_OTHERS = bytes(set(range(256)) - set(b'"[]{}'))


class ShallowJson:
    """The bytes of a JSON text, up to where it is nested too deeply.

    A streaming parser keeps the path to each value: memory grows with the square of the depth.
    """

    def __init__(self, stream: BinaryIO | io.BufferedReader[Any]) -> None:
        self._stream, self._carry = stream, b""
        self._depth, self._quoted = 0, False

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes.

        Raises:
            ValueError: there are more than ``DEEPEST`` levels.
        """
        block: bytes = self._stream.read(size)
        # Escapes go first, so that every quote that is left begins or ends a text.
        text = (self._carry + block).replace(rb"\\", b"").replace(rb"\"", b"")
        self._carry = text[-1:] if text.endswith(b"\\") else b""
        # Two quotes with nothing of interest between them change nothing.
        letters = np.frombuffer(text.translate(None, _OTHERS).replace(b'""', b""), np.uint8)
        quoted = (np.cumsum(letters == ord('"')) + self._quoted) % 2 == 1
        braces = np.where(quoted, 0, letters | _LOWER)
        steps = (braces == ord("{")).astype(np.int64) - (braces == ord("}"))
        depth = self._depth + np.cumsum(steps)
        if depth.max(initial=0) > DEEPEST:
            raise ValueError(f"nested in more than {DEEPEST} levels")
        if len(letters):
            self._depth, self._quoted = int(depth[-1]), bool(quoted[-1])
        return block

"""How much an input may hold: data packed to explode are refused before they fill memory.

Without ``--max-bytes`` an input may unpack to ``FREE_BYTES``, and beyond that to ``RATIO`` times
its packed bytes. Tables of people do not come near it: a synthetic city packs 4 to 1 as CSV and
9 to 1 as NDJSON, by gzip or zstd, and people who never leave home, as visits in NDJSON, 44 to 1 by
gzip and 126 to 1 by the slowest zstd. A bomb of zeros reaches 1,032 to 1 (gzip) or
32,768 to 1 (zstd).

``parquet_pages`` has how many bytes the pages of a Parquet file hold, and how many rows a group.
"""

from __future__ import annotations

import io
import json
import os
import re
from pathlib import Path
from typing import Any, BinaryIO

from humobctl.errors import HumobError, UsageError
from humobctl.io.parquet_pages import read_holding

VARIABLE = "HUMOBCTL_MAX_BYTES"
"""Where ``--max-bytes`` stands for all of a run, its worker processes too."""
FREE_BYTES = 1_000_000_000
RATIO = 200
_STEPS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE)
_VALUE_BYTES = 8
"""Taken for a value in memory: an integer, a float, a reference to a text."""


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
                f"{name}: found more than {asked:,} bytes, expected at most that (--max-bytes)"
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


def check_parquet(path: Path, columns: int, name: str) -> None:
    """Refuse a Parquet file that unpacks to more than it may.

    A column in which one value comes again and again takes next to nothing in pages. So the rows of
    a row group count too, which is what is unpacked at once; with --max-bytes, all rows.

    Args:
        path: the file.
        columns: number of its columns.
        name: of the input, for messages.

    Raises:
        HumobError: it holds too much, or its footer or a page is damaged.
    """
    holding = read_holding(path, name)
    rows = holding.most_rows if asked_bytes() is None else holding.rows
    held = max(holding.page_bytes, rows * columns * _VALUE_BYTES)
    check_bytes(held, path.stat().st_size, name)


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

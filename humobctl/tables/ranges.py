"""Ranges as people write them: ``60-74``, ``60``, ``60-``."""

from __future__ import annotations

import re

from humobctl.errors import UsageError

_RANGE = re.compile(r"(\d{1,4})(?:(-)(\d{1,4})?)?")
_LAST = 9999


def parse_range(option: str, text: str) -> tuple[int, int]:
    """First and last number of ``A-B``, ``A`` or ``A-``.

    Raises:
        UsageError: anything else, or a range that runs backwards.
    """
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{option}: found {text!r}, expected a range such as 60-74")
    first = int(match[1])
    last = first if match[2] is None else int(match[3] or _LAST)
    if last < first:
        raise UsageError(f"{option}: found {text!r}, expected the first number not above the last")
    return first, last

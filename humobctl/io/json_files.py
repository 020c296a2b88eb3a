"""Small files of JSON that programs keep for themselves: read whole, or named as damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from humobctl.errors import HumobError
from humobctl.io.row_errors import quote
from humobctl.io.size_limits import parse_json


def read_json(path: Path, hint: str = "") -> dict[str, Any]:
    """An object from a file of JSON.

    Args:
        path: the file.
        hint: what to do about a damaged one.

    Raises:
        HumobError: it is none.
    """
    try:
        record = parse_json(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as exc:
        raise HumobError(f"{path}: found broken JSON ({exc}), expected an object{hint}") from exc
    if not isinstance(record, dict):
        raise HumobError(f"{path}: found {quote(record)}, expected an object{hint}")
    return record


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a log; lines that a kill or a full disk left damaged are passed over."""
    records = []
    for line in path.read_bytes().splitlines():
        try:
            record = parse_json(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            records.append(record)
    return records

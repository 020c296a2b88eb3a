"""Small files of JSON that programs keep for themselves: read whole, or named as damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from humobctl.errors import HumobError
from humobctl.io.output_lock import note_input
from humobctl.io.row_errors import quote
from humobctl.io.size_limits import parse_json
from humobctl.io.streams import clear_os_errors


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


def read_json_input(path: str | Path, expected: str) -> Any:
    """What a JSON file of the user's holds; no output may take its place.

    Args:
        path: the file.
        expected: what it should be, for messages, such as "a law of --save-law".

    Raises:
        HumobError: it cannot be read, or is not JSON.
    """
    with clear_os_errors(str(path)):
        note_input(str(path), str(path))
        text = Path(path).read_text(errors="replace")
    try:
        return parse_json(text)
    except ValueError as exc:
        raise HumobError(f"{path}: found invalid JSON ({exc}), expected {expected}") from None


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

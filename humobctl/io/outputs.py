"""What is asked of outputs before any work: formats by name, and a file for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from humobctl.errors import UsageError

Format = Literal[
    "csv",
    "ndjson",
    "parquet",
    "arrow",
    "geojson",
    "geoparquet",
    "flatgeobuf",
    "geopackage",
    "gpx",
    "shapefile",
]
"""Formats of the tables that are written."""

RECORD_ENDING = ".run.json"
"""Ending of the name of the record of a run, beside its output."""


def check_distinct(outputs: Mapping[str, str | None]) -> None:
    """Refuse two outputs that would go to one place.

    Args:
        outputs: option -> its file or folder, ``-`` for standard output; None for none.

    Raises:
        UsageError: the message names both options.
    """
    taken: dict[str, str] = {}
    for option, path in outputs.items():
        if path is None:
            continue
        first = taken.setdefault(path.rstrip("/"), option)
        if first != option:
            where = "standard output" if path == "-" else path
            raise UsageError(
                f"{first} and {option}: found {where} for both, expected different files"
            )

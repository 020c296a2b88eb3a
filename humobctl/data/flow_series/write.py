"""Writing a flow series: as the file of HuMob 2026 (.tsv), or as a table in any format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from humobctl.data.flow_series.challenge_file import day_line
from humobctl.io.write import write_lines, write_table
from humobctl.tables.flow_series import AreaNumbers, FlowDay
from humobctl.tables.schemas import FLOW_SERIES

ENDINGS = (".tsv", ".tsv.gz", ".tsv.zst")
"""Endings of files that are written as those of HuMob 2026."""


def is_challenge_name(path: str | None) -> bool:
    """Whether an output is a file of HuMob 2026, by its ending."""
    return path is not None and path.lower().endswith(ENDINGS)


def write_flow_days(
    days: Iterable[FlowDay], areas: AreaNumbers, path: str | None, *, format: str | None = None
) -> int:
    """Write days in their order; the file appears when it is whole.

    Args:
        days: the days.
        areas: that numbered them.
        path: a file, or None or ``-`` for standard output.
        format: of a table; by default the ending decides.

    Returns:
        Number of rows; lines, of a file of HuMob 2026.

    Raises:
        HumobError: no such folder, no permission, a full disk, or areas that the file of HuMob 2026
            does not hold.
    """
    if path is None or format is not None or not is_challenge_name(path):
        frames = (day.to_frame(areas) for day in days)
        return write_table(frames, path, table=FLOW_SERIES, format=format)
    counted = _DayCounter(days)
    write_lines((day_line(day, areas) for day in counted), path)
    return counted.days


class _DayCounter:
    """Counts days as they pass through."""

    def __init__(self, days: Iterable[FlowDay]) -> None:
        self._days, self.days = days, 0

    def __iter__(self) -> Iterator[FlowDay]:
        for day in self._days:
            self.days += 1
            yield day

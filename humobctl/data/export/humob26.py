"""Daily flows as HuMob 2026 has them: a line a day, in the order of the table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from humobctl.data.export.tables import ExportTable
from humobctl.data.flow_series.challenge_file import day_line
from humobctl.tables.flow_series import AreaNumbers, split_days


def challenge_lines(table: ExportTable) -> Iterator[str]:
    """The lines of the file.

    Raises:
        HumobError: an area is not a cell.
    """
    areas = AreaNumbers()
    with closing(table.batches) as batches:  # an error is not to leave the input open
        for day in split_days(batches, areas, table.name):
            yield day_line(day, areas)

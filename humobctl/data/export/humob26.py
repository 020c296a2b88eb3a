"""Daily flows as HuMob 2026 has them: a line a day, in the order of the table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.data.export.tables import ExportTable
from humobctl.data.flow_series.challenge_file import day_line
from humobctl.errors import HumobError
from humobctl.tables.flow_series import AreaNumbers, hidden_days_2026, split_days


def challenge_lines(table: ExportTable) -> Iterator[str]:
    """The lines of the file, one for each day.

    Raises:
        HumobError: an area is not a cell.
    """
    for _, line in _lines(table):
        yield line


def submission_lines(table: ExportTable) -> Iterator[str]:
    """The lines of a submission: the 58 days to predict; other days are left out and counted.

    Raises:
        HumobError: a day is missing or hidden, or an area is not a cell.
    """
    wanted, others = set(hidden_days_2026()), 0
    for day, line in _lines(table):
        if day in wanted:
            wanted.remove(day)
            yield line
        else:
            others += 1
    if wanted:
        raise HumobError(
            f"{table.name}: lacks {pluralize(len(wanted), 'day')}, the first {min(wanted)}, "
            "expected the 58 days to predict of HuMob 2026"
        )
    if others:
        report.info(f"{table.name}: left out {pluralize(others, 'day')} that are not to predict")


def _lines(table: ExportTable) -> Iterator[tuple[dt.date, str]]:
    areas = AreaNumbers()
    # An error is not to leave the input open.
    with closing(table.batches) as batches:  # type: ignore[type-var]
        for day in split_days(batches, areas, table.name):
            yield day.date, day_line(day, areas)

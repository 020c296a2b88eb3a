"""Hide days of a flow series, as HuMob 2026 hides two months after the earthquake."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from humobctl.data.flow_series.read import read_flow_days
from humobctl.data.flow_series.write import write_flow_days
from humobctl.errors import HumobError, UsageError
from humobctl.io.row_errors import OnError
from humobctl.tables.flow_series import AreaNumbers, FlowDay


@dataclass
class HiddenDays:
    """What was hidden: days that were known before, and rows written."""

    days: int = 0
    rows: int = 0


def hide_days(
    path: str | None,
    output: str | None,
    first: dt.date | None,
    last: dt.date | None,
    *,
    format: str | None = None,
    on_error: OnError = "fail",
) -> HiddenDays:
    """Write a flow series with some of its days hidden.

    Args:
        path: a file, or None or ``-`` for standard input.
        output: the same for output; ``.tsv`` is written as a file of HuMob 2026.
        first: first day to hide; None for that of the table, if ``last`` is given.
        last: last day to hide; None for that of the table, if ``first`` is given.
        format: of the output; by default the file's ending decides.
        on_error: stop at the first bad row, or drop bad rows with a warning.

    Raises:
        UsageError: no day is asked for, or the last one comes before the first.
        HumobError: the input cannot be read, or has no known day of those.
    """
    if first is None and last is None:
        raise UsageError("found nothing to mask, expected --from-date or --to-date")
    if first is not None and last is not None and last < first:
        raise UsageError(f"found --to-date {last} before --from-date {first}")
    source = "stdin" if path in (None, "-") else str(path)
    areas, found = AreaNumbers(), HiddenDays()

    def days() -> Iterator[FlowDay]:
        for day in read_flow_days(path, areas, on_error=on_error):
            if (first or day.date) <= day.date <= (last or day.date):
                found.days += not day.hidden
                yield FlowDay.hide(day.date)
            else:
                yield day
        if not found.days:
            raise HumobError(
                f"{source}: found no known day from {first or 'the first'} to {last or 'the last'},"
                " expected one at least to hide"
            )

    found.rows = write_flow_days(days(), areas, output, format=format)
    return found

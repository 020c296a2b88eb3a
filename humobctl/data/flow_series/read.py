"""Any flow series day by day: the file of HuMob 2026, or a table of daily flows in any format."""

from __future__ import annotations

from collections.abc import Iterator

from humobctl.data.flow_series.challenge_file import ChallengeReader, is_challenge_file
from humobctl.data.importers.areas import NamedReader
from humobctl.io.row_errors import OnError
from humobctl.io.streams import Input, open_input
from humobctl.tables.flow_series import AreaNumbers, FlowDay, split_days
from humobctl.tables.schemas import FLOW_SERIES

HEAD_BYTES = 64
"""What of a file says whether it is one of HuMob 2026."""


def read_flow_days(
    path: str | None,
    areas: AreaNumbers,
    *,
    columns: dict[str, str] | None = None,
    on_error: OnError = "fail",
) -> Iterator[FlowDay]:
    """The days of a flow series, in the order of the file; memory holds one at a time.

    Args:
        path: a file, or None or ``-`` for standard input.
        areas: gives the areas their numbers.
        columns: names in the file -> names of the table, before the usual ones.
        on_error: stop at the first faulty row (of a file of HuMob 2026: line), or drop it with a
            warning.

    Raises:
        HumobError: it cannot be read, or (on_error="fail") holds a fault.
    """
    source = open_input(path)
    try:
        yield from open_days(source, areas, columns=columns, on_error=on_error)
    finally:
        source.close()


def open_days(
    source: Input,
    areas: AreaNumbers,
    *,
    columns: dict[str, str] | None = None,
    on_error: OnError = "fail",
) -> Iterator[FlowDay]:
    """As ``read_flow_days``, of an opened input."""
    if is_challenge_file(source.stream.peek(HEAD_BYTES)[:HEAD_BYTES]):
        return ChallengeReader(source, areas, on_error).days()
    return split_days(table_reader(source, columns, on_error).batches(), areas, source.name)


def table_reader(
    source: Input, columns: dict[str, str] | None, on_error: OnError, separator: str = ","
) -> NamedReader:
    """What reads the rows of a table of daily flows, by the usual names of columns."""
    return NamedReader(
        source, FLOW_SERIES, on_error, separator=separator, unique=False, columns=columns or {}
    )

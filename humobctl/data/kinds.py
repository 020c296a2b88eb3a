"""Which of our tables a file holds, by its columns."""

from __future__ import annotations

from contextlib import ExitStack

from humobctl.data.importers.recognise import look_at
from humobctl.data.schemas import GRID, INTENTIONS, VISITS, Table
from humobctl.data.streams import Input, open_input, put_back, seekable

_COLUMNAR = ("parquet", "arrow", "arrow-stream")


def kind_of(path: str | None) -> Table:
    """The table of visits, of intentions, or else the grid trajectory.

    It is looked at without using it up, pipes too: who opens it next gets all rows.

    Raises:
        HumobError: the file cannot be read.
    """
    columns = columns_of(path)
    if not {"start_min", "end_min"} <= columns:
        return GRID
    return VISITS if {"lat", "lon"} & columns else INTENTIONS


def columns_of(path: str | None) -> set[str]:
    """Names of the columns, none for a table without a header; nothing is used up.

    Raises:
        HumobError: the file cannot be read.
    """
    source = open_input(path)
    try:
        columns = _columns(source)
    except BaseException:
        source.close()
        raise
    put_back(source)
    return columns


def _columns(source: Input) -> set[str]:
    if source.path is None and source.kind in _COLUMNAR:
        source.spool = ExitStack()
        source.path = source.spool.enter_context(seekable(source))
    return set(look_at(source).columns or ())

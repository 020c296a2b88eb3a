"""Which of our tables a file holds or becomes, by its columns and first bytes."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from humobctl.data.importers.detect import FORMATS, with_geometry
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.probe import InputProbe, look_at
from humobctl.io.parquet_dataset import is_other_folder
from humobctl.io.streams import (
    IN_PLACE,
    STANDARD,
    open_input,
    put_back,
    refuse_misnamed,
    seekable,
)
from humobctl.tables.column_names import roles
from humobctl.tables.schemas import (
    FLOW_SERIES,
    FLOWS,
    GRID,
    INTENTIONS,
    PLACES,
    POINTS,
    TRIP_LEGS,
    TRIPS,
    VISITS,
    Table,
)

_BECOMES = {
    **dict.fromkeys(("tsmc2014", "gowalla", "massive-steps", "geolife", "gpx", "points"), POINTS),
    **dict.fromkeys(("humob26", "flow-series"), FLOW_SERIES),
    **dict.fromkeys(("tdrive", "porto", "openpflow", "libcity"), POINTS),
    **{"trips": TRIPS, "trip-legs": TRIP_LEGS},
    **dict.fromkeys(("copb-pickle", "copb-stays", "copb-traces", "timed-stays"), VISITS),
}
"""Formats of other programs -> the table that they are read as; grid trajectories else."""


def kind_of(path: str | None) -> Table:
    """The table of visits, intentions, flows (also by day) or points or the grid trajectory.

    It is looked at without using it up, pipes too: who opens it next gets all rows.

    Raises:
        HumobError: the file cannot be read.
    """
    found = find_table(path)
    return GRID if found in (PLACES, TRIPS, TRIP_LEGS) else found


def find_table(path: str | None, renames: dict[str, str] | None = None) -> Table:
    """As ``kind_of``, and trips, trip legs and places in any form that ``data import`` reads.

    Args:
        path: a file or folder, or None or ``-`` for standard input.
        renames: name in the file -> our name, or "" for a column that is left out.

    Raises:
        HumobError: the file cannot be read.
    """
    options = ImportOptions(columns=renames or {})
    if path is not None and path != STANDARD and is_other_folder(path):
        return _becomes(InputProbe(path, folder=Path(path)), options)
    look = _look(path)
    columns = set(look.columns or ())
    found = roles(columns, options.columns, look.name).keys()
    if {"origin", "destination", "flow"} <= found:
        return FLOW_SERIES if "date" in found else FLOWS
    for table in (TRIPS, TRIP_LEGS):
        if set(table.columns) - set(table.optional) <= columns:
            return table
    if {"start_min", "end_min"} <= columns:
        return VISITS if {"lat", "lon"} & columns else INTENTIONS
    return _becomes(look, options)


def columns_of(path: str | None) -> set[str]:
    """Names of the columns, none for a table without a header; nothing is used up.

    Raises:
        HumobError: the file cannot be read.
    """
    return set(_look(path).columns or ())


def refuse_misnamed_file(path: str | None) -> None:
    """Refuse a text whose name is that of a binary file; nothing is used up.

    Raises:
        HumobError: it is one, or cannot be read.
    """
    look = _look(path)
    if look.source is not None:
        refuse_misnamed(look.name, look.source.kind)


def _look(path: str | None) -> InputProbe:
    source = open_input(path)
    try:
        if source.path is None and source.kind in IN_PLACE and source.kind != "shapefile":
            source.spool = ExitStack()
            source.path = source.spool.enter_context(seekable(source))
        look = look_at(source)
    except BaseException:
        source.close()
        raise
    put_back(source)
    return look


def _becomes(look: InputProbe, options: ImportOptions) -> Table:
    options = with_geometry(look, options)
    entry = next((entry for entry in FORMATS if entry.recognise(look, options)), None)
    if entry is None:
        return GRID
    return PLACES if entry.places else _BECOMES.get(entry.name, GRID)

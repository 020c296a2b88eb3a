"""The table that is exported: which one it is, with all of its columns, and its times."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import dataframely as dy
import polars as pl

from humobctl.data.importers.areas import read_flows
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.run import import_data
from humobctl.data.importers.table_kind import columns_of
from humobctl.errors import HumobError
from humobctl.io.parquet_dataset import is_other_folder
from humobctl.io.read import iter_table
from humobctl.io.row_errors import OnError
from humobctl.io.streams import STANDARD
from humobctl.tables import schemas
from humobctl.tables.calendar import slot_start
from humobctl.tables.column_names import roles
from humobctl.tables.moments import to_local
from humobctl.tables.schemas import Table

_TIMES = ("datetime", "started_at", "finished_at")


class AnyVisit(schemas.CategorisedVisit):
    """A visit with all optional columns of visit tables."""

    started_at = dy.Datetime(time_unit="us", nullable=True)
    finished_at = dy.Datetime(time_unit="us", nullable=True)


_VISITS = Table(
    "visit",
    AnyVisit,
    rules=schemas.VISITS.rules,
    optional=(*schemas.CATEGORISED_VISITS.optional, "started_at", "finished_at"),
)
_POINTS = replace(schemas.ACCURATE_POINTS, optional=(*schemas.POINTS.optional, "accuracy"))
_INTENTIONS = replace(
    schemas.CATEGORISED_INTENTIONS,
    optional=(*schemas.CATEGORISED_INTENTIONS.optional, "category"),
)
_KNOWN = (
    *(schemas.GRID, _VISITS, schemas.TRIPS, schemas.TRIP_LEGS, schemas.TOURS),
    *(schemas.LOCATIONS, _POINTS),
    *(schemas.PLACES, schemas.AREAS, schemas.HOME_WORK, schemas.PROFILES, schemas.POPULATION),
    *(schemas.DENSITY, _INTENTIONS),
)
"""Tables with all their columns; others are read as 'data import' reads them."""


@dataclass(frozen=True)
class ExportTable:
    """A table to export.

    Attributes:
        name: of the input, for messages.
        kind: name of the table: point trajectory, visit, place, ...
        schema: columns and types.
        batches: its rows, once.
    """

    name: str
    kind: str
    schema: dict[str, pl.DataType]
    batches: Iterator[pl.DataFrame]

    def map(self, change: Callable[[pl.DataFrame], pl.DataFrame]) -> ExportTable:
        """The table with a change to each batch."""
        empty = change(pl.DataFrame(schema=self.schema))
        return replace(self, schema=dict(empty.schema), batches=map(change, self.batches))

    def has(self, *columns: str) -> bool:
        """Whether it has all of these columns."""
        return set(columns) <= self.schema.keys()


def open_table(path: str, on_error: OnError) -> ExportTable:
    """Open a table of ours, or one that ``data import`` reads, with all its columns.

    Raises:
        HumobError: it cannot be read, or is none.
    """
    name = "stdin" if path == STANDARD else path
    names = set() if path != STANDARD and is_other_folder(path) else columns_of(path)
    for table in _KNOWN:
        absent = set(table.columns) - names
        if names <= set(table.columns) and absent <= set(table.optional):
            schema = {one: kind for one, kind in table.dtypes.items() if one not in absent}
            rows = iter_table(path, table, on_error=on_error)
            return ExportTable(name, table.name, schema, (one.drop(absent) for one in rows))
    found = roles(names).keys()
    if {"origin", "destination", "flow"} <= found and "date" not in found:
        flows, rows = schemas.FLOWS, iter([read_flows(path, on_error=on_error)])
        return ExportTable(name, flows.name, flows.dtypes, rows)
    imported = import_data(path, ImportOptions(on_error=on_error))
    return ExportTable(name, imported.table.name, imported.table.dtypes, imported.batches)


def with_times(table: ExportTable, start: dt.date | None, zone: str | None) -> ExportTable:
    """Add date-times to visits and half hours, converted to a time zone.

    Args:
        table: any.
        start: the date of day 0; None for tables that are to stay without moments.
        zone: that times of the table are in; None for local times.

    Raises:
        HumobError: (while reading) a time that does not exist in the zone.
    """
    if start is not None and table.has("d", "start_min") and not table.has("started_at"):
        table = table.map(partial(_date_visits, start=start))
    if start is not None and table.has("d", "t"):
        when = slot_start(pl.col("d"), pl.col("t"), start).alias("datetime")
        table = table.map(lambda batch: batch.with_columns(when))
    if zone is not None:
        table = table.map(partial(_in_zone, zone=zone, name=table.name))
    return table


def _date_visits(batch: pl.DataFrame, start: dt.date) -> pl.DataFrame:
    midnight = slot_start(pl.col("d"), pl.lit(0), start)
    return batch.with_columns(
        (midnight + pl.duration(minutes=pl.col(minute))).alias(moment)
        for minute, moment in (("start_min", "started_at"), ("end_min", "finished_at"))
    )


def _in_zone(batch: pl.DataFrame, zone: str, name: str) -> pl.DataFrame:
    for column in _TIMES:
        if column not in batch.columns:
            continue
        local = batch[column]
        aware = pl.repeat(False, len(local), dtype=pl.Boolean, eager=True)
        utc = to_local(local, aware, zone="UTC", source_zone=zone)
        lost = (utc.is_null() & local.is_not_null()).arg_true()
        if len(lost):
            raise HumobError(
                f"{name}: found {column} {local[lost[0]]}, expected a time that exists in {zone}"
            )
        zoned = utc.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
        batch = batch.with_columns(zoned.alias(column))
    return batch

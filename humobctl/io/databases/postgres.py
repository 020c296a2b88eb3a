"""Tables in PostgreSQL, with points in PostGIS where the database has it, by ADBC."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import polars as pl

from humobctl.errors import HumobError
from humobctl.extras import require
from humobctl.io.databases.names import IfExists, display, only_table, quote, refuse_table
from humobctl.io.stream_columnar import sink

_FETCHED = 100_000
"""Rows of a batch."""
_KINDS = {
    pl.UInt8: "smallint",
    pl.Int8: "smallint",
    pl.Int16: "smallint",
    pl.UInt16: "integer",
    pl.Int32: "integer",
    pl.UInt32: "bigint",
    pl.Int64: "bigint",
    pl.Float32: "real",
    pl.Float64: "double precision",
    pl.String: "text",
    pl.Boolean: "boolean",
    pl.Datetime: "timestamp",
}
_POINTS = (
    ("lat", "lon", "geom"),
    ("origin_lat", "origin_lon", "origin_geom"),
    ("destination_lat", "destination_lon", "destination_geom"),
)
_INDEXED = ("uid", "place_id", "d")


@contextmanager
def _postgres(path: str) -> Iterator[tuple[Any, Any]]:
    """A connection and a cursor in one transaction; it is rolled back unless it was committed.

    Raises:
        HumobError: the server is not there, or refused something.
    """
    require("databases", "PostgreSQL", ("adbc-driver-postgresql",))
    import adbc_driver_postgresql.dbapi as driver  # noqa: PLC0415 - an extra

    try:
        with driver.connect(path) as connection, connection.cursor() as cursor:
            yield connection, cursor
    except driver.Error as exc:
        raise HumobError(f"{display(path)}: {_reason(exc, path)}") from None


def _reason(exc: Exception, path: str) -> str:
    """What the server said, in one line and without the password."""
    secret = urlsplit(path).password
    text = str(exc).partition("\nLINE ")[0]
    found = re.search(r"(?:ERROR|FATAL):\s*(.*)", text)
    said = " ".join((found[1] if found else text.rpartition("failed: ")[2] or text).split())
    said = said.partition(" Query was:")[0]
    return said.replace(secret, "***") if secret else said


def read(path: str, query: str | None, place: Path) -> None:
    """What a query gives, into a Parquet file; see ``databases.read_query``."""
    with _postgres(path) as (_, cursor):
        # Rows come in batches from a cursor on the server, which COPY knows nothing of.
        plain = {"adbc.postgresql.use_copy": "false"}
        cursor.adbc_statement.set_options(**plain)
        if query is None:
            cursor.execute(
                "select table_schema || '.' || table_name from information_schema.tables where "
                "table_schema not in ('pg_catalog', 'information_schema') and table_name not in "
                "('spatial_ref_sys', 'geometry_columns', 'geography_columns') order by 1"
            )
            names = pl.DataFrame(cursor.fetch_arrow()).to_series().to_list()
            # The name is quoted.
            query = f"select * from {quote(only_table(names, path))}"  # noqa: S608
        cursor.execute(f"declare humobctl no scroll cursor for {query}")

        def fetch_all() -> Iterator[pl.DataFrame]:
            while True:
                cursor.execute(f"fetch {_FETCHED} from humobctl")
                batch = _plain(pl.DataFrame(cursor.fetch_arrow()))
                yield batch
                if batch.height < _FETCHED:
                    return

        _spool(fetch_all(), place, path)


def _plain(batch: pl.DataFrame) -> pl.DataFrame:
    """Numbers of any precision as floats; types of the database's own as they are stored."""
    plain = []
    for column in batch:
        if isinstance(column.dtype, pl.Extension):
            stored = column.ext.storage()
            numeric = '"numeric"' in str(column.dtype)
            plain.append(stored.cast(pl.Float64) if numeric else stored)
        else:
            plain.append(column)
    return pl.DataFrame(plain)


def _spool(batches: Iterator[pl.DataFrame], place: Path, path: str) -> None:
    first = next(batches)

    def all_batches() -> Iterator[pl.DataFrame]:
        yield first
        yield from batches

    sink(all_batches(), "parquet", place, dict(first.schema), display(path))


def write(
    batches: Iterable[pl.DataFrame],
    path: str,
    name: str,
    columns: dict[str, pl.DataType],
    if_exists: IfExists,
) -> int:
    """Write a table in one transaction; see ``databases.write_database``."""
    schema, _, bare = name.rpartition(".")
    rows = 0
    with _postgres(path) as (connection, cursor):
        there = _has_table(cursor, name)
        refuse_table(there=there, if_exists=if_exists, path=path, name=name)
        if there and if_exists == "replace":
            cursor.execute(f"drop table {quote(name)}")
        if not there or if_exists == "replace":
            cursor.execute(_definition(columns, name, points=_has_postgis(cursor)))
        for batch in batches:
            ingested = batch.select(
                pl.col(one).cast(_wider_type(kind)) for one, kind in batch.schema.items()
            )
            rows += cursor.adbc_ingest(bare, ingested, mode="append", db_schema_name=schema or None)
        if not there or if_exists == "replace":
            for statement in _indexes(columns, name, points=_has_postgis(cursor)):
                cursor.execute(statement)
        connection.commit()
    return rows


def _has_table(cursor: Any, name: str) -> bool:
    cursor.execute(f"select to_regclass('{quote(name)}') is not null")
    return bool(cursor.fetchone()[0])


def _has_postgis(cursor: Any) -> bool:
    cursor.execute("select exists (select from pg_extension where extname = 'postgis')")
    return bool(cursor.fetchone()[0])


def _wider_type(kind: pl.DataType) -> pl.DataType:
    """The type to store, where PostgreSQL lacks the one of polars."""
    wider = {"bigint": pl.Int64(), "integer": pl.Int32(), "smallint": pl.Int16()}
    return wider.get(_KINDS.get(type(kind), ""), kind)


def _kind(kind: pl.DataType) -> str:
    """The type of PostgreSQL for one of polars."""
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        return "timestamptz"
    return _KINDS.get(type(kind), "text")


def _definition(columns: dict[str, pl.DataType], name: str, *, points: bool) -> str:
    """The statement that makes the table; points follow from their coordinates."""
    lines = [f"{quote(one)} {_kind(kind)}" for one, kind in columns.items()]
    if points:
        lines += [
            f"{geom} geometry(Point, 4326) generated always as "
            f"(ST_SetSRID(ST_MakePoint({lon}, {lat}), 4326)) stored"
            for lat, lon, geom in _POINTS
            if lat in columns
        ]
    if points and "line" in columns:
        lines.append(
            "path geometry(LineString, 4326) generated always as "
            "(ST_GeomFromText(line, 4326)) stored"
        )
    return f"create table {quote(name)} ({', '.join(lines)})"


def _indexes(columns: dict[str, pl.DataType], name: str, *, points: bool) -> Iterator[str]:
    for column in _INDEXED:
        if column in columns:
            yield f'create index on {quote(name)} ("{column}")'
    for lat, _, geom in _POINTS if points else ():
        if lat in columns:
            yield f"create index on {quote(name)} using gist ({geom})"

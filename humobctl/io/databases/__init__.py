"""Tables in databases: PostgreSQL (with PostGIS) by ADBC, and DuckDB files; extra ``databases``.

What a query gives goes through a temporary Parquet file, so that it is checked and converted like
any other file, and memory does not grow with it. Passwords come from the URL, ``PGPASSWORD`` or
``~/.pgpass`` (libpq reads both); no message has one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import polars as pl

from humobctl.io.databases import duckdb_file, postgres
from humobctl.io.databases.names import DUCKDB, POSTGRES, IfExists, display, split_table
from humobctl.io.frame_path import FramePath


def is_database(path: str | None) -> bool:
    """Whether a path names a database: a URL of PostgreSQL, or a DuckDB file."""
    if path is None or isinstance(path, FramePath):
        return False
    return path.startswith(POSTGRES) or urlsplit(path).path.endswith(DUCKDB)


def read_query(path: str, query: str | None, folder: Path) -> FramePath:
    """What a query gives, as a file that everything that reads files can read.

    Args:
        path: URL or DuckDB file.
        query: in the database's SQL; None where the database has one table only.
        folder: for the temporary file.

    Raises:
        HumobError: no such database, or the query failed.
        UsageError: no query, and several tables.
    """
    place = folder / "query.parquet"
    if path.startswith(POSTGRES):
        postgres.read(path, query, place)
    else:
        duckdb_file.read(path, query, place)
    return FramePath(place, display(path))


def write_database(
    batches: Iterable[pl.DataFrame],
    path: str,
    schema: dict[str, pl.DataType],
    *,
    if_exists: IfExists = "fail",
    folder: Path,
) -> int:
    """Write a table in one transaction: all rows are there, or none.

    In PostGIS, pairs of latitude and longitude are points (``geom``, EPSG:4326) with an index, and
    lines are lines (``path``); both follow from the other columns.

    Args:
        batches: of a table.
        path: URL or DuckDB file, with ``?table=NAME``.
        schema: their columns and types.
        if_exists: what to do if the database has the table: fail, append to it, or replace it.
        folder: for a temporary file.

    Returns:
        Number of rows.

    Raises:
        HumobError: no such database, it has the table, or the writing failed.
        UsageError: no name of a table.
    """
    plain, name = split_table(path)
    if path.startswith(POSTGRES):
        return postgres.write(batches, plain, name, schema, if_exists)
    return duckdb_file.write(batches, plain, name, schema, if_exists, folder)

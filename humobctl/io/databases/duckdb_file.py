"""Tables in DuckDB files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from humobctl.errors import HumobError
from humobctl.extras import require
from humobctl.io.databases.names import IfExists, display, only_table, quote, refuse_table
from humobctl.io.stream_columnar import sink


@contextmanager
def _duckdb(path: str, *, read_only: bool) -> Iterator[Any]:
    """A connection to a file.

    Raises:
        HumobError: there is no such database, or it refused something.
    """
    require("databases", "DuckDB", ("duckdb",))
    import duckdb  # noqa: PLC0415 - an extra

    if read_only and not Path(path).is_file():
        raise HumobError(f"{path}: found no such file, expected an existing DuckDB database")
    # Nothing is fetched from elsewhere because a query names it.
    config: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    try:
        with duckdb.connect(path, read_only=read_only, config=config) as connection:
            yield connection
    except duckdb.Error as exc:
        raise HumobError(f"{path}: {' '.join(str(exc).splitlines()[0].split())}") from None


def read(path: str, query: str | None, place: Path) -> None:
    """What a query gives, into a Parquet file; see ``databases.read_query``."""
    with _duckdb(display(path), read_only=True) as connection:
        if query is None:
            names = [row[0] for row in connection.execute("show tables").fetchall()]
            query = f"select * from {quote(only_table(names, path))}"  # noqa: S608 - quoted
        connection.execute(
            f"copy ({query.rstrip().rstrip(';')}) to {_text(place)} (format parquet)"
        )


def write(
    batches: Iterable[pl.DataFrame],
    path: str,
    name: str,
    schema: dict[str, pl.DataType],
    if_exists: IfExists,
    folder: Path,
) -> int:
    """Write a table in one transaction; see ``databases.write_database``."""
    place = folder / "table.parquet"
    sink(batches, "parquet", place, schema, display(path))
    known, source = quote(name), f"select * from read_parquet({_text(place)})"  # noqa: S608 - quoted
    with _duckdb(display(path), read_only=False) as connection:
        connection.execute("begin")
        within, _, bare = name.rpartition(".")
        there = connection.execute(
            "select count(*) from information_schema.tables where table_name = ? and "
            "table_schema = ?",
            [bare, within or "main"],
        ).fetchone()[0]
        refuse_table(there=bool(there), if_exists=if_exists, path=path, name=name)
        if there and if_exists == "append":
            connection.execute(f"insert into {known} by name {source}")
        else:
            connection.execute(f"create or replace table {known} as {source}")
        counted = f"select count(*) from ({source})"  # noqa: S608 - quoted
        rows = connection.execute(counted).fetchone()[0]
        connection.execute("commit")
    return int(rows)


def _text(place: Path) -> str:
    """A path as SQL has it."""
    return "'" + str(place).replace("'", "''") + "'"

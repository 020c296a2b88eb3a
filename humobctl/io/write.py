"""Writing tables: any format, batch by batch, to standard output or to a file that is whole."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from humobctl.console.safe_text import printable
from humobctl.errors import ReaderGoneError
from humobctl.io import parquet_folder, stream_columnar
from humobctl.io.streams import (
    STANDARD,
    Format,
    clear_os_errors,
    is_folder,
    is_special,
    open_compressed,
    output_format,
    whole_file,
)
from humobctl.tables.schemas import GRID, Table


def write_table(
    batches: Iterable[pl.DataFrame] | pl.DataFrame,
    path: str | None = None,
    *,
    table: Table | None = GRID,
    format: str | None = None,
    users_a_block: int | None = None,
) -> int:
    """Write batches of one table; the file appears under its name only when it is whole.

    Args:
        batches: frames with the table's columns, or one frame.
        path: a file, or None or ``-`` for standard output; a folder (a path that ends in ``/``, or
            an empty folder) gets Parquet files.
        table: what it holds, so that an empty result still has its columns; None for frames
            that say so themselves.
        format: csv, ndjson, parquet or arrow; by default the file's ending decides, otherwise CSV.
        users_a_block: of a folder: a folder ``uid_block=...`` for each so many users.

    Returns:
        Number of rows written.

    Raises:
        UsageError: a folder in another format than Parquet, or ``users_a_block`` without one.
        HumobError: no such folder, no permission, or a full disk.
    """
    kind = output_format(path, format)
    parquet_folder.check_folder_options(path, users_a_block)
    if isinstance(batches, pl.DataFrame):
        schema = dict(batches.schema)
        batches = [batches]
    elif table is not None:
        schema = dict(table.dtypes)
    else:
        schema, batches = _peek(batches)
    counter = _Counter(batches)
    if path is None or path == STANDARD:
        _to_stdout(counter, kind, schema)
        return counter.rows
    if is_folder(path):
        parquet_folder.write_folder(counter, path, schema, users_a_block=users_a_block)
        return counter.rows
    with whole_file(path) as place:
        if kind in ("parquet", "arrow") and not is_special(Path(path)):
            stream_columnar.sink(counter, kind, place, schema, path)
        else:
            with open_compressed(place, path) as sink:
                _to_stream(counter, kind, schema, sink)
    return counter.rows


def write_stdout_text(text: str) -> None:
    """Write text to standard output as it is."""
    with _reader_may_leave(), clear_os_errors("stdout"):
        safe = printable(text, lines=True) if sys.stdout.isatty() else text
        sys.stdout.buffer.write(safe.encode())
        sys.stdout.buffer.flush()


def _peek(
    batches: Iterable[pl.DataFrame],
) -> tuple[dict[str, pl.DataType], Iterable[pl.DataFrame]]:
    """The schema of the first batch, and all batches."""
    stream = iter(batches)
    first = next(stream, pl.DataFrame())
    return dict(first.schema), chain([first], stream)


class _Counter:
    """Passes batches through and counts their rows."""

    def __init__(self, batches: Iterable[pl.DataFrame]) -> None:
        self._batches, self.rows = batches, 0

    def __iter__(self) -> Iterator[pl.DataFrame]:
        for batch in self._batches:
            self.rows += batch.height
            yield batch


def _to_stdout(
    batches: Iterable[pl.DataFrame], kind: Format, schema: dict[str, pl.DataType]
) -> None:
    out = sys.stdout.buffer
    with _reader_may_leave(), clear_os_errors("stdout"):
        if kind == "parquet":
            # Written aside first: half a Parquet file in a pipe is worse than none.
            with tempfile.NamedTemporaryFile(prefix="humobctl-", suffix=".part") as spool:
                stream_columnar.sink(batches, kind, Path(spool.name), schema, "stdout")
                shutil.copyfileobj(spool, out, 1 << 20)
        else:
            _to_stream(batches, kind, schema, _OnTerminal() if sys.stdout.isatty() else out)
        out.flush()


class _OnTerminal(io.BytesIO):
    """Standard output where it is a terminal, on which what others wrote must not act."""

    def write(self, data: Any) -> int:
        text = bytes(data).decode(errors="backslashreplace")
        sys.stdout.buffer.write(printable(text, lines=True).encode())
        return len(data)


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as exc:
        raise ReaderGoneError from exc


def _to_stream(
    batches: Iterable[pl.DataFrame],
    kind: Format,
    schema: dict[str, pl.DataType],
    sink: BinaryIO,
) -> None:
    if kind == "csv":
        stream = iter(batches)
        # Nothing is written before the first batch is there: an early error leaves no header.
        first = next(stream, pl.DataFrame(schema=schema))
        sink.write(_text(first.write_csv))
        for batch in stream:
            sink.write(_text(batch.write_csv, include_header=False))
    elif kind == "ndjson":
        for batch in batches:
            sink.write(_text(batch.write_ndjson))
    else:
        frames = list(batches)
        whole = pl.concat(frames) if frames else pl.DataFrame(schema=schema)
        # An Arrow file needs to seek; an Arrow stream does not, and every reader takes it.
        if kind == "arrow":
            whole.write_ipc_stream(sink, compression="zstd")
        else:
            whole.write_parquet(sink)


def _text(write: Callable[..., object], **options: object) -> bytes:
    buffer = io.BytesIO()
    write(buffer, **options)
    return buffer.getvalue()

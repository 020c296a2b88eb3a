"""Writing tables: any format, batch by batch, to standard output or to a file that is whole."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from humobctl.console.safe_text import printable
from humobctl.errors import HumobError, ReaderGoneError, UsageError
from humobctl.io import geo_files, geojson, gpx, parquet_folder, stream_columnar
from humobctl.io.geometry import Shape, shape_of
from humobctl.io.outputs import Format
from humobctl.io.scratch import Scratch
from humobctl.io.streams import (
    STANDARD,
    clear_os_errors,
    is_folder,
    is_special,
    open_compressed,
    output_format,
    whole_file,
)
from humobctl.tables.schemas import GRID, Table

_TEXTS = {"geojson": geojson.write_geojson, "gpx": gpx.write_gpx}
"""Formats of geometries that are text."""
_GEOMETRIC = ("geoparquet", *geo_files.DRIVERS, *_TEXTS)
_SEEKING = ("parquet", "arrow", "geoparquet", *geo_files.DRIVERS)
"""Formats whose files are written at any place."""


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
        format: csv, ndjson, parquet, arrow, geojson, geoparquet, flatgeobuf, geopackage, gpx or
            shapefile; by default the file's ending decides, otherwise CSV.
        users_a_block: of a folder: a folder ``uid_block=...`` for each so many users.

    Returns:
        Number of rows written.

    Raises:
        UsageError: a folder in another format than Parquet, ``users_a_block`` without one, or a
            format of geometries for a table without coordinates.
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
    writer = _Writer(kind, schema, _shape(kind, schema, path), path)
    if path is None or path == STANDARD:
        with _reader_may_leave(), clear_os_errors("stdout"):
            writer.to_stdout(counter)
        return counter.rows
    if is_folder(path):
        parquet_folder.write_folder(counter, path, schema, users_a_block=users_a_block)
        return counter.rows
    with whole_file(path) as place:
        if kind in _SEEKING and not is_special(Path(path)):
            writer.to_file(counter, place)
        else:
            with open_compressed(place, path) as sink:
                writer.to_stream(counter, sink)
    return counter.rows


def check_output(path: str | None, table: Table, format: str | None = None) -> None:
    """Refuse early what ``write_table`` would refuse of a table that is written later.

    Raises:
        UsageError: see ``write_table``.
        HumobError: there is no such folder.
    """
    if path is None:
        return
    kind = output_format(path, format)
    _shape(kind, dict(table.dtypes), path)
    if path != STANDARD and not Path(path).absolute().parent.is_dir():
        raise HumobError(f"{path}: found no folder {Path(path).parent}, expected an existing one")


def write_lines(lines: Iterable[str], path: str) -> None:
    """Write pieces of text to a file, which appears when it is whole, or to standard output.

    Raises:
        HumobError: no such folder, no permission, or a full disk.
    """
    if path == STANDARD:
        for text in lines:
            write_stdout_text(text)
        return
    with whole_file(path) as place, open_compressed(place, path) as sink:
        for text in lines:
            sink.write(text.encode())


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


def _shape(kind: Format, schema: dict[str, pl.DataType], path: str | None) -> Shape | None:
    """What geometries the format takes from the columns; None for formats of plain tables."""
    if kind not in _GEOMETRIC:
        return None
    name = None if path == STANDARD else path
    if kind in _SEEKING and name is not None and name.endswith((".gz", ".zst")):
        raise UsageError(f"{name}: found a packed {kind} file, expected one without .gz or .zst")
    shape = shape_of(schema, name)
    if kind == "gpx":
        gpx.check_gpx(schema, shape, name)
    return shape


@dataclass(frozen=True)
class _Writer:
    """Writes batches in one format.

    Attributes:
        kind: the format.
        schema: columns and types of the batches.
        shape: their geometries, where the format has such.
        path: of the output, as the user wrote it; None for standard output.
    """

    kind: Format
    schema: dict[str, pl.DataType]
    shape: Shape | None
    path: str | None

    @property
    def name(self) -> str:
        """The output, for messages."""
        return "stdout" if self.path in (None, STANDARD) else str(self.path)

    def to_stdout(self, batches: Iterable[pl.DataFrame]) -> None:
        """Write to standard output."""
        out = sys.stdout.buffer
        self.to_stream(batches, _OnTerminal() if sys.stdout.isatty() else out)
        out.flush()

    def to_file(self, batches: Iterable[pl.DataFrame], place: Path) -> None:
        """Stream into a file that may be written at any place, in a format that needs that."""
        kind, schema, shape, name = self.kind, self.schema, self.shape, self.name
        if shape is None:
            stream_columnar.sink(batches, kind, place, schema, name)
        elif kind == "geoparquet":
            geo_files.write_geoparquet(batches, shape, place, schema, name)
        else:
            geo_files.write_layer(batches, kind, shape, place, schema, name)

    def to_stream(self, batches: Iterable[pl.DataFrame], sink: BinaryIO) -> None:
        """Write into a stream of bytes."""
        if self.kind == "csv":
            stream = iter(batches)
            # Nothing is written before the first batch is there: an early error leaves no header.
            first = next(stream, pl.DataFrame(schema=self.schema))
            sink.write(_text(first.write_csv))
            for batch in stream:
                sink.write(_text(batch.write_csv, include_header=False))
        elif self.kind == "ndjson":
            for batch in batches:
                sink.write(_text(batch.write_ndjson))
        elif self.kind == "arrow":
            # An Arrow file needs to seek; an Arrow stream does not, and every reader takes it.
            frames = list(batches)
            whole = pl.concat(frames) if frames else pl.DataFrame(schema=self.schema)
            whole.write_ipc_stream(sink, compression="zstd")
        elif self.kind in _TEXTS and self.shape is not None:
            _TEXTS[self.kind](batches, self.shape, sink)
        else:
            # Written aside first: half a Parquet file in a pipe is worse than none.
            with Scratch() as owner:
                spool = owner.scratch / "table"
                self.to_file(batches, spool)
                with spool.open("rb") as whole_table:
                    shutil.copyfileobj(whole_table, sink, 1 << 20)


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


def _text(write: Callable[..., object], **options: object) -> bytes:
    buffer = io.BytesIO()
    write(buffer, **options)
    return buffer.getvalue()

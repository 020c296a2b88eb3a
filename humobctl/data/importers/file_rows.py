"""Data sets of many small text files: read together, and each fault is reported with its file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl

from humobctl.data.importers.delimited import Batch
from humobctl.data.importers.options import ImportOptions, stand_in
from humobctl.data.importers.points import PointReader
from humobctl.errors import HumobError, TableError
from humobctl.io.output_lock import note_input
from humobctl.io.row_errors import Dropped, LineNumbers
from humobctl.io.streams import Input, clear_os_errors
from humobctl.io.text import BLOCK_BYTES
from humobctl.tables.schemas import POINTS


@dataclass
class FileRows:
    """Rows of many files to a batch, and which file each came from.

    Attributes:
        files: in the order in which they are read.
        source: counts the progress.
        batch: the files of the present batch.
        starts: the first row of each of them in the batch, and the one after the last.
    """

    NAMES: ClassVar[list[str]]
    """Columns of a line."""
    HEADER_LINES: ClassVar[int] = 0
    """Lines at the head of each file that are not rows."""
    UTC: ClassVar[bool] = False

    files: list[Path]
    source: Input
    batch: list[Path] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)

    def shape(self, frame: pl.DataFrame, counts: list[int]) -> pl.DataFrame:
        """Columns as a point reader knows them.

        Args:
            frame: text, of the columns ``NAMES``.
            counts: rows of each file of ``batch``.
        """
        raise NotImplementedError

    def frames(self) -> Iterator[Batch]:
        """Batches of whole files."""
        bodies: list[bytes] = []
        self.batch, size, read = [], 0, 0
        for path in self.files:
            body = self._body(path)
            bodies.append(body)
            self.batch.append(path)
            size += len(body)
            read += path.stat().st_size
            if size >= BLOCK_BYTES:
                yield self._frame(bodies)
                bodies, size = [], 0
                self.batch = []
            self.source.raw.seek(read)
        if bodies:
            yield self._frame(bodies)

    def _body(self, path: Path) -> bytes:
        with clear_os_errors(str(path)):
            note_input(path, str(path))
            content = path.read_bytes()
        lines = content.replace(b"\r\n", b"\n").split(b"\n", self.HEADER_LINES)
        if len(lines) <= self.HEADER_LINES:
            raise HumobError(
                f"{path}: found {len(lines)} lines, expected {self.HEADER_LINES} lines of header "
                "and then points"
            )
        body = lines[self.HEADER_LINES].rstrip(b"\n")
        return body + b"\n" if body else b""

    def _frame(self, bodies: list[bytes]) -> Batch:
        counts = [body.count(b"\n") for body in bodies]
        self.starts = np.cumsum([0, *counts]).tolist()
        return self.shape(self._parse(bodies), counts), LineNumbers(1)

    def _parse(self, bodies: list[bytes]) -> pl.DataFrame:
        try:
            frame = pl.read_csv(
                b"".join(bodies),
                has_header=False,
                schema=dict.fromkeys(self.NAMES, pl.String),
                missing_columns="raise",
                extra_columns="raise",
            )
            if frame.height == self.starts[-1] and not frame[self.NAMES[-1]].null_count():
                return frame
        except (pl.exceptions.PolarsError, OSError):  # or what seems packed to polars
            pass
        # Somewhere a line is broken: pad it, so that the check of its values names the file.
        rows = [line.split(b",") for body in bodies for line in body.split(b"\n")[:-1]]
        width = len(self.NAMES)
        texts = [
            [part.decode(errors="replace") or None for part in (row + [b""] * width)[:width]]
            if len(row) <= width
            else [",".join(p.decode(errors="replace") for p in row)] + [None] * (width - 1)
            for row in rows
        ]
        return pl.DataFrame(texts, schema=dict.fromkeys(self.NAMES, pl.String), orient="row")

    def locate(self, error: TableError) -> TableError:
        """The error with the name and line of its own file."""
        if error.row is None:
            return error
        index = int(np.searchsorted(self.starts, error.row, side="left")) - 1
        row = error.row - self.starts[index]
        return TableError(
            str(self.batch[index]),
            error.found,
            error.expected,
            row=row,
            line=row + self.HEADER_LINES,
            column="date, time" if error.column == "utc_time" else error.column,
        )


def read_files(
    name: str, files: list[Path], options: ImportOptions, kind: type[FileRows]
) -> PointReader:
    """The points of all files.

    Args:
        name: of the folder or the file, for messages.
        files: in the order in which they are read.
        options: zones and what to do with faults.
        kind: of rows.
    """
    source = stand_in(name, sum(path.stat().st_size for path in files))
    reader = _FilesReader(source, POINTS, options.on_error, options=options, utc=kind.UTC)
    reader.dropped = reader.counted
    rows = kind(files, source)
    reader.file_rows = reader.counted.file_rows = rows
    reader.factory = rows.frames
    return reader


@dataclass
class _Counted(Dropped):
    """Samples of dropped rows name their file."""

    file_rows: FileRows | None = None

    def add(self, reason: str, error: TableError, count: int = 1) -> None:
        super().add(reason, self.file_rows.locate(error) if self.file_rows else error, count)


@dataclass
class _FilesReader(PointReader):
    """Errors name the file that they are in."""

    file_rows: FileRows | None = None
    counted: _Counted = field(default_factory=_Counted)

    def batches(self) -> Iterator[pl.DataFrame]:
        try:
            yield from super().batches()
        except TableError as exc:
            if self.file_rows is None:
                raise
            raise self.file_rows.locate(exc) from exc.__cause__

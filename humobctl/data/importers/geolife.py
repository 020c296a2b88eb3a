"""GeoLife: folders of ``.plt`` files, one per trip.

Format (Zheng et al., GeoLife user guide 1.3): ``Data/000/Trajectory/*.plt``; six lines of header,
then latitude, longitude, 0, altitude in feet, days since 1899-12-30, date, time; times are GMT.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

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

HEADER_LINES = 6
NAMES = ["lat", "lon", "zero", "altitude", "days", "date", "time"]


def files_below(folder: Path) -> list[Path]:
    """All ``.plt`` files below a folder, users and trips in order of their names."""
    return sorted(path for path in folder.rglob("*.plt") if path.is_file())


def geolife(folder: Path, options: ImportOptions, *, single: Path | None = None) -> PointReader:
    """Points of all files of a folder, or of one file.

    Raises:
        HumobError: the folder holds no ``.plt`` file.
    """
    files = [single] if single else files_below(folder)
    if not files:
        raise HumobError(f"{folder}: found no .plt file, expected GeoLife's Data folder")
    total = sum(path.stat().st_size for path in files)
    source = stand_in(str(single or folder), total)
    reader = _TripReader(source, POINTS, options.on_error, options=options, utc=True)
    reader.dropped = reader.counted
    trips = Trips(files, source)
    reader.trips = reader.counted.trips = trips
    reader.factory = trips.frames
    return reader


def user_of(path: Path) -> str:
    """The user of a trip: the folder above ``Trajectory``, or the file's own folder."""
    folder = path.resolve().parent
    return folder.parent.name if folder.name == "Trajectory" else folder.name


@dataclass
class Trips:
    """Trips, many files to a batch, and which file each row came from."""

    files: list[Path]
    source: Input
    batch: list[Path] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)

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
        lines = content.replace(b"\r\n", b"\n").split(b"\n", HEADER_LINES)
        if len(lines) <= HEADER_LINES:
            raise HumobError(
                f"{path}: found {len(lines)} lines, expected {HEADER_LINES} lines of header and "
                "then points"
            )
        body = lines[HEADER_LINES].rstrip(b"\n")
        return body + b"\n" if body else b""

    def _frame(self, bodies: list[bytes]) -> Batch:
        counts = [body.count(b"\n") for body in bodies]
        self.starts = np.cumsum([0, *counts]).tolist()
        frame = self._parse(bodies)
        users = pl.Series("uid", [user_of(path) for path in self.batch], dtype=pl.String)
        owner = users.gather(np.repeat(np.arange(len(counts)), counts))
        stamp = pl.concat_str("date", "time", separator=" ").alias("utc_time")
        return frame.select(owner, stamp, "lat", "lon"), LineNumbers(1)

    def _parse(self, bodies: list[bytes]) -> pl.DataFrame:
        try:
            frame = _read(b"".join(bodies))
            if frame.height == self.starts[-1] and not frame["time"].null_count():
                return frame
        except (pl.exceptions.PolarsError, OSError):  # or what seems packed to polars
            pass
        # Somewhere a line is broken: pad it, so that the check of its values names the file.
        rows = [line.split(b",") for body in bodies for line in body.split(b"\n")[:-1]]
        width = len(NAMES)
        texts = [
            [part.decode(errors="replace") or None for part in (row + [b""] * width)[:width]]
            if len(row) <= width
            else [",".join(p.decode(errors="replace") for p in row)] + [None] * (width - 1)
            for row in rows
        ]
        return pl.DataFrame(texts, schema=dict.fromkeys(NAMES, pl.String), orient="row")

    def located(self, error: TableError) -> TableError:
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
            line=row + HEADER_LINES,
            column="date, time" if error.column == "utc_time" else error.column,
        )


def _read(body: bytes) -> pl.DataFrame:
    return pl.read_csv(
        body,
        has_header=False,
        schema=dict.fromkeys(NAMES, pl.String),
        missing_columns="raise",
        extra_columns="raise",
    )


@dataclass
class _Counted(Dropped):
    """Samples of dropped rows name the trip's file."""

    trips: Trips | None = None

    def add(self, reason: str, error: TableError, count: int = 1) -> None:
        super().add(reason, self.trips.located(error) if self.trips else error, count)


@dataclass
class _TripReader(PointReader):
    """Errors name the trip's file."""

    trips: Trips | None = None
    counted: _Counted = field(default_factory=_Counted)

    def batches(self) -> Iterator[pl.DataFrame]:
        try:
            yield from super().batches()
        except TableError as exc:
            if self.trips is None:
                raise
            raise self.trips.located(exc) from exc.__cause__

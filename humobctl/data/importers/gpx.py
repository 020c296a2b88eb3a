"""GPX 1.0 and 1.1 (topografix.com): the points of tracks, as a stream.

A file names no user: a user is a file, or a folder of files in a folder. Times are UTC, as the
schema says. Waypoints and routes are marked or planned, not travelled: they are left out, and
counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from xml.parsers import expat

import polars as pl

from humobctl.console.words import pluralize
from humobctl.data.importers.delimited import Batch
from humobctl.data.importers.each_file import each_file, input_of
from humobctl.data.importers.options import ImportOptions, Opened
from humobctl.data.importers.points import PointReader
from humobctl.data.importers.probe import InputProbe
from humobctl.errors import HumobError, TableError
from humobctl.io.row_errors import LineNumbers
from humobctl.io.streams import Input, clear_read_errors
from humobctl.tables.schemas import POINTS

POINT_ROWS = 100_000
"""Points of a batch."""
_BLOCK = 1 << 16
_LONGEST_TAG = 1 << 20
"""Bytes of one tag; the parser keeps it whole."""
_LONGEST_TIME = 64
_ENDINGS = (".gpx", ".gpx.gz", ".gpx.zst")
USERS = "GPX names no users: each file is one, or each folder of files in the folder"
_SCHEMA = dict.fromkeys(("uid", "time", "lat", "lon"), pl.String)
_OTHERS = {"wpt": "waypoint", "rtept": "route point"}


def is_gpx(look: InputProbe, _: ImportOptions) -> bool:
    """Whether a file is GPX, or a folder has GPX files."""
    if look.folder is not None:
        return bool(next(_files(look.folder), None))
    return look.source is not None and look.source.kind == "gpx"


def read_gpx(look: InputProbe, options: ImportOptions) -> Opened:
    """The points of one file, or of all of a folder.

    Raises:
        HumobError: the folder holds no such file.
    """
    if look.folder is None:
        source = look.file("a GPX file")
        reader = GpxReader(source, POINTS, options.on_error, options=options, utc=True)
        reader.factory = lambda: reader.points(source, _stem(Path(source.name)))
        return reader.open("GPX tracks")
    folder, files = look.folder, sorted(_files(look.folder))
    if not files:
        raise HumobError(f"{look.name}: found a directory without .gpx files, expected some")
    whole = input_of(look.name, files)
    reader = GpxReader(whole, POINTS, options.on_error, options=options, utc=True)
    reader.factory = lambda: (
        batch
        for path, source in each_file(whole, files)
        for batch in reader.points(source, user_of(path, folder))
    )
    return reader.open(f"GPX tracks of {pluralize(len(files), 'file')}")


def _files(folder: Path) -> Iterator[Path]:
    return (p for p in folder.rglob("*") if p.name.lower().endswith(_ENDINGS) and p.is_file())


def user_of(path: Path, folder: Path) -> str:
    """The user of a file: the folder in ``folder`` that it lies in, otherwise its own name."""
    inside = path.relative_to(folder).parts
    return inside[0] if len(inside) > 1 else _stem(path)


def _stem(path: Path) -> str:
    return path.name.split(".gpx")[0] or path.name


@dataclass
class GpxReader(PointReader):
    """Points of tracks.

    Attributes:
        others: waypoints and points of routes so far.
    """

    others: Counter[str] = field(default_factory=Counter)

    def batches(self) -> Iterator[pl.DataFrame]:
        """Checked batches of points.

        Raises:
            HumobError: a fault.
        """
        yield from super().batches()
        self.notes.append(USERS)
        if self.others:
            self.notes.append(f"left out {self._list_all()}")

    def _list_all(self) -> str:
        return ", ".join(pluralize(many, what) for what, many in sorted(self.others.items()))

    def _nothing(self) -> str:
        return f"no track ({self._list_all()})" if self.others else super()._nothing()

    def points(self, source: Input, uid: str) -> Iterator[Batch]:
        """The points of one file as raw frames.

        Raises:
            TableError: broken XML, or a document type, whose entities could be anything.
        """
        track = _Track(source.name, uid, self.others)
        row = 1
        with clear_read_errors(source.name):
            for rows, lines in track.read(source):
                frame = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
                yield frame, LineNumbers(list(range(row, row + len(rows))), lines)
                row += len(rows)


@dataclass
class _Track:
    """What the parser is in, and the points so far."""

    name: str
    uid: str
    others: Counter[str]
    rows: list[tuple[str | None, ...]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    point: tuple[str | None, str | None, int] | None = None
    time: str | None = None
    text: str | None = None
    parser: Any = None

    def read(self, source: Input) -> Iterator[tuple[list[tuple[str | None, ...]], list[int]]]:
        """Rows and their lines, ``POINT_ROWS`` at a time."""
        # What was UTF-16 comes as UTF-8, whatever it says of itself.
        wide = b"utf-16" in source.stream.peek(_BLOCK)[:_BLOCK].lower()
        self.parser = parser = expat.ParserCreate("UTF-8" if wide else None)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_types
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._characters
        fed = 0
        while block := source.stream.read(_BLOCK):
            fed += len(block)
            self._feed(block, final=False)
            if fed - parser.CurrentByteIndex > _LONGEST_TAG + _BLOCK:
                self._fail("a tag of more than a megabyte", "the tags of GPX")
            if len(self.rows) >= POINT_ROWS:
                yield self._take()
        self._feed(b"", final=True)
        if self.rows:
            yield self._take()

    def _feed(self, block: bytes, *, final: bool) -> None:
        try:
            self.parser.Parse(block, final)
        except expat.ExpatError as exc:
            why = expat.errors.messages.get(exc.code, "not well-formed")
            self._fail(f"broken XML ({why})", "a whole GPX file", exc.lineno)

    def _take(self) -> tuple[list[tuple[str | None, ...]], list[int]]:
        taken = self.rows, self.lines
        self.rows, self.lines = [], []
        return taken

    def _fail(self, found: str, expected: str, line: int | None = None) -> NoReturn:
        raise TableError(self.name, found, expected, line=line or self.parser.CurrentLineNumber)

    def _refuse_types(self, *_: Any) -> NoReturn:
        self._fail("a document type (DTD)", "GPX without a DTD, whose entities are never expanded")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if tag == "trkpt":
            place = attributes.get("lat"), attributes.get("lon")
            self.point, self.time = (*place, self.parser.CurrentLineNumber), None
        elif tag == "time" and self.point is not None:
            self.text = ""
        elif tag in _OTHERS:
            self.others[_OTHERS[tag]] += 1

    def _characters(self, text: str) -> None:
        if self.text is not None and len(self.text) < _LONGEST_TIME:
            self.text += text

    def _end(self, tag: str) -> None:
        tag = tag.rpartition(":")[2]
        if tag == "time" and self.text is not None:
            self.time, self.text = self.text.strip() or None, None
        elif tag == "trkpt" and self.point is not None:
            lat, lon, line = self.point
            self.rows.append((self.uid, self.time, lat, lon))
            self.lines.append(line)
            self.point = None

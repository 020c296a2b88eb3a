"""OpenStreetMap files: PBF or XML through osmium, one place for each object with a tag we know.

A node is where it stands. An area (a closed way, a multipolygon) is at a point inside of it, an
open way in its middle. Node locations are kept while ways are read: in memory for a small file, in
a temporary file for a large one, so that memory does not grow with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from humobctl.data.importers.delimited import Batch
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.places.assign import BETWEEN
from humobctl.data.importers.places.geometry import positions
from humobctl.data.importers.places.reader import NOWHERE, UNIQUE_PLACES, PlaceReader
from humobctl.errors import HumobError, TableError
from humobctl.extras import require
from humobctl.io.row_errors import LineNumbers
from humobctl.io.scratch import Scratch
from humobctl.io.streams import Input, seekable

OBJECTS = 100_000
"""Objects of a batch."""
IN_MEMORY_BYTES = 256 << 20
"""Files up to this size keep their node locations in memory, 16 bytes each."""
_FORMATS = {"osm-pbf": "pbf", "osm-xml": "osm"}
_GONE = ("disused", "abandoned")
_COLUMNS = {
    "id": pl.String,
    "name": pl.String,
    "categories": pl.String,
    "closed": pl.Boolean,
    "lat": pl.Float64,
    "lon": pl.Float64,
    "shape": pl.Binary,
}


def osm(source: Input, options: ImportOptions) -> PlaceReader:
    """The places of an OpenStreetMap file; their ids are ``node/1``, ``way/1``, ``relation/1``."""
    reader = PlaceReader(source, UNIQUE_PLACES, options.on_error, options=options, kind="osm")
    objects = OsmObjects(source, reader.assigned.mapping.tag_keys())

    def frames() -> Iterator[Batch]:
        yield from objects.frames()
        reader.assigned.left_out[NOWHERE] += objects.lost

    reader.factory = frames
    return reader


@dataclass
class OsmObjects:
    """The objects of a file that have one of some keys, as raw frames.

    Attributes:
        source: the opened input.
        keys: the keys.
        in_memory: bytes of a file up to which node locations stay in memory.
        lost: objects without a whole geometry, as at the border of an extract.
    """

    source: Input
    keys: list[str]
    in_memory: int = IN_MEMORY_BYTES
    lost: int = 0
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def frames(self) -> Iterator[Batch]:
        """Frames of id, name, tags (as ``categories``), closed, lat and lon."""
        require("places", f"{self.source.name}: OpenStreetMap data", ("osmium",))
        import osmium  # noqa: PLC0415 - of the extra "places"

        first = 1
        with ExitStack() as stack:
            path = stack.enter_context(seekable(self.source))
            try:
                shapes = osmium.geom.WKBFactory()
                for thing in self._objects(osmium, path, stack):
                    self._take(thing, shapes)
                    if len(self.rows) >= OBJECTS:
                        yield self._frame(), LineNumbers(first)
                        first += OBJECTS
            except (RuntimeError, ValueError, osmium.InvalidLocationError) as exc:
                said = str(exc).splitlines()[0]
                raise TableError(
                    self.source.name,
                    f"damaged data ({said})",
                    "a whole OpenStreetMap file, nodes before ways before relations",
                    line=_line_of(said, path) if self.source.kind == "osm-xml" else None,
                ) from exc
        if self.rows:
            yield self._frame(), LineNumbers(first)

    def _objects(self, osmium: Any, path: Path, stack: ExitStack) -> Iterator[Any]:
        """Nodes, ways, relations and the areas of the last two, all with one of the keys."""
        file = osmium.io.File(str(path), _FORMATS[self.source.kind])
        known = osmium.filter.KeyFilter(*self.keys)
        storage = "flex_mem"
        if path.stat().st_size > self.in_memory:
            storage = f"sparse_file_array,{stack.enter_context(Scratch()).scratch}/nodes"
        processor = osmium.FileProcessor(file)
        if processor.header.has_multiple_object_versions:
            raise HumobError(
                f"{self.source.name}: found a history of OpenStreetMap data, expected one state"
            )
        yield from processor.with_locations(storage).with_areas(known).with_filter(known)

    def _take(self, thing: Any, shapes: Any) -> None:
        """Keep one object; ``shapes`` makes WKB of areas and open ways."""
        if thing.is_node():
            where = thing.location
            if where.valid():
                self._add(f"node/{thing.id}", thing.tags, where.lat, where.lon)
            else:
                self.lost += 1
        elif thing.is_area():
            kind = "way" if thing.from_way() else "relation"
            if shape := _shape(shapes.create_multipolygon, thing):
                self.lost -= 1  # its way or relation was counted, or will be
                self._add(f"{kind}/{thing.orig_id()}", thing.tags, None, None, shape)
        elif thing.is_way() and (not thing.is_closed() or thing.tags.get("area") == "no"):
            whole = all(node.location.valid() for node in thing.nodes)
            if whole and (shape := _shape(shapes.create_linestring, thing)):
                self._add(f"way/{thing.id}", thing.tags, None, None, shape)
            else:
                self.lost += 1
        else:
            self.lost += 1

    def _add(
        self, name: str, tags: Any, lat: float | None, lon: float | None, shape: bytes | None = None
    ) -> None:
        get = tags.get
        texts = [f"{key}={value}" for key in self.keys if (value := get(key))]
        joined = texts[0] if len(texts) == 1 else BETWEEN.join(texts)
        if ";" in joined:  # several values of one key
            parts = (text.partition("=") for text in texts)
            joined = BETWEEN.join(
                f"{key}={value.strip()}" for key, _, values in parts for value in values.split(";")
            )
        closed = any(get(key) == "yes" for key in _GONE)
        self.rows.append((name, get("name"), joined, closed, lat, lon, shape))

    def _frame(self) -> pl.DataFrame:
        frame = pl.DataFrame(self.rows, schema=_COLUMNS, orient="row")
        self.rows = []
        if frame["shape"].null_count() < frame.height:
            lat, lon = positions(frame["shape"], self.source.name)
            frame = frame.with_columns(
                lat=pl.coalesce("lat", lat.alias("_lat")), lon=pl.coalesce("lon", lon.alias("_lon"))
            )
        return frame.drop("shape")


def _shape(make: Callable[[Any], str], thing: Any) -> bytes | None:
    """WKB of an area or a way; None of one that crosses itself, does not close or has no length."""
    try:
        return bytes.fromhex(make(thing))
    except RuntimeError:
        return None


def _line_of(said: str, path: Path) -> int | None:
    """The first line of an XML file with the value that osmium quotes, as an attribute."""
    told = re.search(r"'(.*)'$", said)
    if told is None:
        return None
    value = re.escape(told[1].encode())
    if said.startswith("characters after coordinate"):
        value = rb"[^\"']+" + value
    sought = re.compile(rb"""=\s*["']%b["']""" % value)
    with path.open("rb") as lines:
        found = (number for number, line in enumerate(lines, 1) if sought.search(line))
        return next(found, None)

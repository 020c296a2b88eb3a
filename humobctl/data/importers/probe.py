"""What can be seen of an input without reading it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from humobctl.console.words import pluralize
from humobctl.data.importers.crs import crs_name
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.places.geojson import is_geojson
from humobctl.errors import HumobError, UsageError
from humobctl.io import vector_files
from humobctl.io.arrow_lengths import check_arrow
from humobctl.io.csv_records import name_columns, split_record
from humobctl.io.geo_columns import geometry_column
from humobctl.io.parquet_dataset import key_columns, parquet_columns
from humobctl.io.read import clear_damage
from humobctl.io.streams import IN_PLACE, Input
from humobctl.io.text import is_number, sep_line
from humobctl.tables.column_names import roles

UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
PEOPLE = re.compile(rb'\s*\{\s*"[^"]*"\s*:\s*\[\s*\[')
LIST_OF_LISTS = re.compile(rb"\s*\[\s*\[")
"""How CoPB's traces begin: by people, or of one."""
_GEOJSON_CRS = re.compile(
    rb'"crs"\s*:\s*\{\s*"type"\s*:\s*"name"\s*,\s*"properties"\s*:\s*\{\s*"name"\s*:\s*"([^"]+)"'
)
"""As GeoJSON of 2008 named a reference system; RFC 7946 knows degrees only, GDAL both."""
_MOMENT = re.compile(rb"\d{4}[-/]\d\d?[-/]\d\d?[ T]+\d\d?:\d\d")
_HEAD = 1 << 16
_NAMES = re.compile(r'"([^"\\]*)"\s*:')
_SEPARATORS = (",", "\t", ";", "|")
_KINDS = {
    "csv": "CSV",
    "ndjson": "NDJSON",
    "json": "JSON",
    "parquet": "Parquet",
    "arrow": "Arrow",
    "arrow-stream": "Arrow stream",
    "pickle": "pickle",
    "osm-pbf": "PBF",
    "osm-xml": "XML",
    "gpx": "GPX",
    **vector_files.WORDS,
}


@dataclass
class InputProbe:
    """What can be seen of an input without reading it.

    Attributes:
        name: as messages say it.
        folder: the input is a folder, and this is it.
        source: the opened input, if it is none.
        head: the first bytes, decompressed.
        columns: names of a table with names; None for text without a header and for no table.
        fields: fields of the first line of text.
        separator: between them.
        label: what the container is, where that is not what the first bytes say.
        geojson: it is GeoJSON.
        timed: the first row of text holds a date with a time of day.
    """

    name: str
    folder: Path | None = None
    source: Input | None = None
    head: bytes = b""
    columns: list[str] | None = None
    fields: list[str] = field(default_factory=list)
    separator: str = ","
    label: str | None = None
    geojson: bool = False
    timed: bool = False

    @property
    def words(self) -> str:
        """Container, compression and header in words."""
        if self.source is None or self.label:
            return self.label or "folder"
        kind = self.source.kind
        words = ["tab-separated text" if self.separator == "\t" else _KINDS[kind]]
        if self.source.packing:
            words.append(self.source.packing)
        if kind == "csv":
            words.append("header" if self.columns is not None else "no header")
        return ", ".join(words)

    def has(self, options: ImportOptions, *wanted: str) -> bool:
        """Whether the columns play all of these roles."""
        if self.columns is None:
            return False
        found = roles(self.columns, options.columns, self.name)
        return all(role in found for role in wanted)

    def file(self, what: str) -> Input:
        """The opened input.

        Raises:
            HumobError: it is a folder; the message says what was expected.
        """
        if self.source is None:
            raise HumobError(f"{self.name}: found a directory, expected {what}")
        return self.source


def look_at(source: Input, layer: str | None = None) -> InputProbe:
    """Look at an opened input; nothing of it is used up.

    Args:
        source: the input.
        layer: the layer of a vector file to read; None for the only one.
    """
    look = InputProbe(source.name, source=source, head=source.stream.peek(_HEAD)[:_HEAD])
    if source.kind == "csv":
        _look_at_text(look)
    elif source.kind in ("json", "ndjson") and is_geojson(look.head):
        # Names of properties, as far as they can be seen without reading on.
        look.columns = list(dict.fromkeys(_NAMES.findall(look.head.decode(errors="replace"))))
        look.geojson, look.label = True, "GeoJSON"
        if (told := _GEOJSON_CRS.search(look.head)) is not None:
            source.crs = crs_name(told[1].decode(errors="replace"))
            look.label = f"GeoJSON, {source.crs}"
    elif source.kind == "ndjson" and not PEOPLE.match(look.head):
        first = next((line for line in look.head.split(b"\n") if line.strip()), b"")
        look.columns = _NAMES.findall(first.decode(errors="replace"))
    elif source.kind == "json" and not LIST_OF_LISTS.match(look.head):
        first = look.head.partition(b"}")[0]
        look.columns = _NAMES.findall(first.decode(errors="replace"))
    elif source.kind in vector_files.VECTOR_KINDS:
        _look_at_layer(look, source, layer)
    elif source.path is not None and source.kind in IN_PLACE:
        _look_at_columns(look, source, source.path)
    if layer is not None and source.layer is None:
        raise UsageError(f"--layer does nothing for {look.words}")
    return look


def _look_at_columns(look: InputProbe, source: Input, path: Path) -> None:
    names = _names_of(source, path)
    look.columns = names + key_columns(source.keys, names)
    if source.parts:
        look.label = f"folder of {pluralize(len(source.parts), 'Parquet file')}"
    with clear_damage(source.name, source.kind):
        shapes = geometry_column(path, source.kind)
    if shapes is not None and shapes.name in names:
        source.geometry, source.crs = shapes.name, shapes.crs
        kind = "GeoParquet" if source.kind == "parquet" else "GeoArrow"
        look.label = ", ".join([look.label or kind, _crs_words(source)])


def _look_at_layer(look: InputProbe, source: Input, asked: str | None) -> None:
    if source.path is None:
        raise HumobError(
            f"{source.name}: found a packed Shapefile, expected a plain one beside its other files"
        )
    layer = vector_files.find_layer(source.path, source.name, source.kind, asked)
    look.columns = layer.columns
    source.layer, source.geometry, source.crs = layer, vector_files.GEOMETRY, layer.crs
    look.label = f"{_KINDS[source.kind]}, layer {layer.name}, {_crs_words(source)}"


def _crs_words(source: Input) -> str:
    return "no CRS" if source.crs is None else crs_name(source.crs)


def _names_of(source: Input, path: Path) -> list[str]:
    name = source.parts[0].name if source.parts else source.name
    with clear_damage(name, source.kind):
        if source.kind == "parquet":
            return parquet_columns(path)
        check_arrow(path, name)
        if source.kind == "arrow":
            return list(pl.read_ipc_schema(path))
        return pl.read_ipc_stream(path, n_rows=0).columns


def _look_at_text(look: InputProbe) -> None:
    text = look.head.removeprefix(b"\xef\xbb\xbf")
    told = sep_line(text)
    lines = [line for line in re.split(rb"[\r\n]", text)[told is not None :] if line.strip()]
    first = lines[0].decode(errors="replace") if lines else ""
    look.separator = told or (max(_SEPARATORS, key=first.count) if first else ",")
    fields = split_record(first, look.separator)
    look.fields = [part.strip() for part in fields]
    look.timed = len(lines) > 1 and bool(_MOMENT.search(lines[1]))
    if not any(is_number(part) or UTC_TIME.match(part) for part in look.fields):
        look.columns = name_columns(fields)

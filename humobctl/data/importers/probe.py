"""What can be seen of an input without reading it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from humobctl.console.words import pluralize
from humobctl.data.importers.options import ImportOptions
from humobctl.errors import HumobError
from humobctl.io.arrow_lengths import check_arrow
from humobctl.io.csv_records import name_columns, split_record
from humobctl.io.parquet_dataset import key_columns, parquet_columns
from humobctl.io.read import clear_damage
from humobctl.io.streams import Input
from humobctl.io.text import is_number, sep_line
from humobctl.tables.column_names import roles

UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
PEOPLE = re.compile(rb'\s*\{\s*"[^"]*"\s*:\s*\[\s*\[')
LIST_OF_LISTS = re.compile(rb"\s*\[\s*\[")
"""How CoPB's traces begin: by people, or of one."""
_HEAD = 1 << 16
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
    """

    name: str
    folder: Path | None = None
    source: Input | None = None
    head: bytes = b""
    columns: list[str] | None = None
    fields: list[str] = field(default_factory=list)
    separator: str = ","
    label: str | None = None

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


def look_at(source: Input) -> InputProbe:
    """Look at an opened input; nothing of it is used up."""
    look = InputProbe(source.name, source=source, head=source.stream.peek(_HEAD)[:_HEAD])
    if source.kind == "csv":
        _look_at_text(look)
    elif source.kind == "ndjson" and not PEOPLE.match(look.head):
        first = next((line for line in look.head.split(b"\n") if line.strip()), b"")
        look.columns = re.findall(r'"([^"\\]*)"\s*:', first.decode(errors="replace"))
    elif source.kind == "json" and not LIST_OF_LISTS.match(look.head):
        first = look.head.partition(b"}")[0]
        look.columns = re.findall(r'"([^"\\]*)"\s*:', first.decode(errors="replace"))
    elif source.path is not None and source.kind in ("parquet", "arrow", "arrow-stream"):
        names = _names_of(source, source.path)
        look.columns = names + key_columns(source.keys, names)
        if source.parts:
            look.label = f"folder of {pluralize(len(source.parts), 'Parquet file')}"
    return look


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
    if not any(is_number(part) or UTC_TIME.match(part) for part in look.fields):
        look.columns = name_columns(fields)

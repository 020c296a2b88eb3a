"""What an input is: looked at once, then asked of each format in turn.

To add a format, add an entry to ``FORMATS``: a name for ``--format``, what it is in words, how to
recognise it, and what opens it.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from humobctl.console.words import counted
from humobctl.data.importers import checkins, copb, geolife, humob, pickles
from humobctl.data.importers.delimited import Delimited
from humobctl.data.importers.options import ImportOptions, Opened, stand_in
from humobctl.data.importers.places.cells import CELL_PLACES, CellReader, is_cell_places
from humobctl.data.importers.places.geojson import Features, is_geojson
from humobctl.data.importers.places.osm import osm
from humobctl.data.importers.places.reader import (
    UNIQUE_PLACES,
    Kind,
    PlaceReader,
    is_wanted,
    kind_of_places,
    place_columns,
)
from humobctl.data.importers.points import PointReader
from humobctl.errors import HumobError
from humobctl.io.parquet_dataset import key_columns, parquet_columns
from humobctl.io.streams import Input
from humobctl.tables.column_names import roles
from humobctl.tables.schemas import CATEGORISED_VISITS, GRID, PLACES, POINTS, VISITS

_HEAD = 1 << 16
_SEPARATORS = (",", "\t", ";", "|")
_TSMC_TIME = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d [+-]\d{4} \d{4}")
_UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_PEOPLE = re.compile(rb'\s*\{\s*"[^"]*"\s*:\s*\[\s*\[')
_LIST_OF_LISTS = re.compile(rb"\s*\[\s*\[")
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


def look_at(source: Input) -> InputProbe:
    """Look at an opened input; nothing of it is used up."""
    look = InputProbe(source.name, source=source, head=source.stream.peek(_HEAD)[:_HEAD])
    if source.kind == "csv":
        _look_at_text(look)
    elif source.kind == "ndjson" and not _PEOPLE.match(look.head):
        first = next((line for line in look.head.split(b"\n") if line.strip()), b"")
        look.columns = re.findall(r'"([^"\\]*)"\s*:', first.decode(errors="replace"))
    elif source.kind == "json" and not _LIST_OF_LISTS.match(look.head):
        first = look.head.partition(b"}")[0]
        look.columns = re.findall(r'"([^"\\]*)"\s*:', first.decode(errors="replace"))
    elif source.path is not None and source.kind in ("parquet", "arrow", "arrow-stream"):
        names = _names_of(source, source.path)
        look.columns = names + key_columns(source.keys, names)
        if source.parts:
            look.label = f"folder of {counted(len(source.parts), 'Parquet file')}"
    return look


def _names_of(source: Input, path: Path) -> list[str]:
    name = source.parts[0].name if source.parts else source.name
    try:
        if source.kind == "parquet":
            return parquet_columns(path)
        if source.kind == "arrow":
            return list(pl.read_ipc_schema(path))
        return pl.read_ipc_stream(path, n_rows=0).columns
    except (pl.exceptions.PolarsError, OSError) as exc:
        raise HumobError(
            f"{name}: found a damaged {source.kind} file ({str(exc).splitlines()[0]}), "
            "expected a whole one"
        ) from exc


def _look_at_text(look: InputProbe) -> None:
    text = look.head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    first = re.split(rb"[\r\n]", text, maxsplit=1)[0].decode(errors="replace")
    look.separator = max(_SEPARATORS, key=first.count) if first else ","
    look.fields = [part.strip() for part in next(csv.reader([first], delimiter=look.separator), [])]
    if not any(_numeric(part) or _UTC_TIME.match(part) for part in look.fields):
        look.columns = look.fields


def _numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Format:
    """One entry of the table of formats.

    Attributes:
        name: what ``--format`` calls it.
        words: what it is.
        recognise: whether a look shows this format.
        read: opens it.
        places: it holds places, rather than who was where.
    """

    name: str
    words: str
    recognise: Callable[[InputProbe, ImportOptions], bool]
    read: Callable[[InputProbe, ImportOptions], Opened]
    places: bool = False


def recognise(
    look: InputProbe, options: ImportOptions, name: str = "auto"
) -> tuple[Format, Opened]:
    """Open an input as the format that was asked for, or the first that knows it.

    Raises:
        HumobError: no format knows it; the message says what was seen.
    """
    for entry in FORMATS:
        if entry.name == name or (name == "auto" and entry.recognise(look, options)):
            return entry, entry.read(look, options)
    if look.columns is not None:
        seen = f"columns {', '.join(look.columns[:12])}"
    elif look.fields:
        seen = f"text without a header, {len(look.fields)} fields in the first line"
    else:
        seen = look.words
    known = ", ".join(entry.name for entry in FORMATS)
    raise HumobError(
        f"{look.name}: found {seen} ({look.words}), expected a format known here: {known}; name "
        "columns with --columns, or the format with --format"
    )


# -- what opens each ---------------------------------------------------------------------------


def _source(look: InputProbe, what: str) -> Input:
    if look.source is None:
        raise HumobError(f"{look.name}: found a directory, expected {what}")
    return look.source


def _grid(name: str | None) -> Callable[[InputProbe, ImportOptions], Opened]:
    def read(look: InputProbe, options: ImportOptions) -> Opened:
        reader = humob.humob(
            _source(look, "a grid table"),
            options,
            format=name,
            names=look.columns,
            separator=look.separator,
        )
        return Opened(GRID, reader.batches(), "grid trajectory", dropped=reader.dropped)

    return read


def _of(reader: PointReader, words: str) -> Opened:
    return Opened(POINTS, reader.batches(), words, reader.notes, reader.dropped)


def _points(look: InputProbe, options: ImportOptions) -> Opened:
    source = _source(look, "a table of points")
    reader = PointReader(source, POINTS, options.on_error, options=options)
    if source.kind == "csv":
        if look.columns is None:
            raise HumobError(
                f"{look.name}: found no header, expected names of columns in the first line"
            )
        reader.factory = Delimited(
            source, look.separator, on_error=options.on_error, dropped=reader.dropped
        ).frames
    return _of(reader, "points")


def _tsmc(look: InputProbe, options: ImportOptions) -> Opened:
    return _of(checkins.tsmc2014(_source(look, "a file"), options), "Foursquare TSMC2014 check-ins")


def _gowalla(look: InputProbe, options: ImportOptions) -> Opened:
    words = "Gowalla or Brightkite check-ins"
    return _of(checkins.gowalla(_source(look, "a file"), options), words)


def _geolife(look: InputProbe, options: ImportOptions) -> Opened:
    if look.folder is not None:
        return _of(geolife.geolife(look.folder, options), "GeoLife trips")
    source = _source(look, "a .plt file")
    if source.path is None:
        raise HumobError(f"{look.name}: found a pipe or packed file, expected a plain .plt file")
    look.label = "one .plt file"
    trips = geolife.geolife(source.path.parent, options, single=source.path)
    return _of(trips, "GeoLife trip")


def _stays(look: InputProbe, options: ImportOptions) -> Opened:
    source = _source(look, "a stay list")
    if source.kind == "pickle":
        return _pickle(look, options)
    if look.columns is None and source.kind in ("json", "ndjson"):
        return _traces(look, options)
    table = CATEGORISED_VISITS if options.categories else VISITS
    reader = copb.StayReader(
        source, table, options.on_error, separator=look.separator, options=options
    )
    return Opened(VISITS, reader.batches(), "stay list", reader.notes, reader.dropped)


def _traces(look: InputProbe, options: ImportOptions) -> Opened:
    if look.folder is not None:
        people = copb.trace_folder(look.folder)
        source = stand_in(look.name)
        return _people(source, people, options, f"CoPB traces of {len(people)} people")
    source = _source(look, "JSON traces")
    look.label = "JSON"
    value = copb.load_json(source)
    return _people(source, value, options, f"CoPB {copb.kind_of(value)}")


def _people(source: Input, value: object, options: ImportOptions, words: str) -> Opened:
    people = copb.CopbPeople(source.name, value, options)
    reader = copb.PeopleReader(source, VISITS, options.on_error, people=people)
    people.dropped = reader.dropped
    opened = Opened(VISITS, reader.batches(), words, dropped=reader.dropped)
    opened.users = lambda: people.users
    return opened


def _pickle(look: InputProbe, options: ImportOptions) -> Opened:
    source = _source(look, "a pickle")
    value = pickles.load(source.stream, source.name, source.size)
    if copb.holds_frames(value):
        words = f"pickled data frames ({'by user' if isinstance(value, dict) else 'a list'})"
        return _of(copb.frames_reader(source, value, options), words)
    if copb.is_people(value):
        return _people(source, value, options, f"CoPB {copb.kind_of(value)}")
    raise HumobError(
        f"{source.name}: found a pickled {type(value).__name__}, expected data frames "
        "or stay lists as CoPB has them"
    )


def _placed(reader: PlaceReader | CellReader, words: str) -> Opened:
    return Opened(PLACES, reader.batches(), words, reader.notes, reader.dropped)


def _cells(look: InputProbe, options: ImportOptions) -> Opened:
    reader = CellReader(
        _source(look, "a table of places by cell"),
        CELL_PLACES,
        options.on_error,
        separator=look.separator,
        options=options,
        header_names=look.columns,
    )
    return _placed(reader, "HuMob places by cell")


def _osm(look: InputProbe, options: ImportOptions) -> Opened:
    source = _source(look, "an OpenStreetMap file")
    if not source.kind.startswith("osm"):
        raise HumobError(f"{look.name}: found {look.words}, expected OpenStreetMap PBF or XML")
    return _placed(osm(source, options), "OpenStreetMap")


def _places(kind: Kind, words: str) -> Callable[[InputProbe, ImportOptions], Opened]:
    def read(look: InputProbe, options: ImportOptions) -> Opened:
        source = _source(look, "a table of places")
        columns = look.columns or []
        tagged = kind == "table" and _is_tagged(columns, options, look.name)
        # An intent that stands in the table stays: only a user's own rows are asked.
        given = kind == "table" and look.has(options, "intent")
        reader = PlaceReader(
            source,
            UNIQUE_PLACES,
            options.on_error,
            separator=look.separator,
            options=options,
            kind="osm" if tagged else kind,
            vocabularies=() if given else None,
        )
        return _placed(reader, words)

    return read


def _is_tagged(columns: list[str], options: ImportOptions, name: str) -> bool:
    """Whether a table has OSM's keys for columns, and no category."""
    found = place_columns(columns, options, name)
    return kind_of_places(columns) == "osm" and not {"category", "intent"} & found.keys()


def _geojson(look: InputProbe, options: ImportOptions) -> Opened:
    source = _source(look, "a GeoJSON file")
    # Names of properties, as far as they can be seen without reading on.
    names = list(dict.fromkeys(re.findall(r'"([^"\\]*)"\s*:', look.head.decode(errors="replace"))))
    kind = kind_of_places(names) or "table"
    given = kind == "table" and "intent" in names
    reader = PlaceReader(
        source,
        UNIQUE_PLACES,
        options.on_error,
        options=options,
        kind=kind,
        vocabularies=() if given else None,
    )
    keys = frozenset(reader.assigned.mapping.tag_keys())
    wanted = functools.cache(lambda name: is_wanted(name, options, keys))  # few names, many times
    features = Features(source, wanted, options.on_error, reader.dropped)
    reader.factory = features.frames
    look.label = "GeoJSON"
    return _placed(reader, _OF_KIND[kind])


_OF_KIND: dict[Kind, str] = {
    "overture": "Overture places",
    "foursquare": "Foursquare places",
    "osm": "OpenStreetMap places",
    "table": "places",
}


def _is_geolife(look: InputProbe, _: ImportOptions) -> bool:
    if look.folder is not None:
        return bool(next(look.folder.rglob("*.plt"), None))
    return look.head.lstrip().lower().startswith(b"geolife trajectory")


def _is_trace(look: InputProbe, _: ImportOptions) -> bool:
    if look.folder is not None:
        return bool(next(look.folder.rglob("*.json"), None))
    return bool(_LIST_OF_LISTS.match(look.head) or _PEOPLE.match(look.head))


def _is_tsmc(look: InputProbe, _: ImportOptions) -> bool:
    return len(look.fields) == 8 and bool(_TSMC_TIME.fullmatch(look.fields[7]))


def _is_gowalla(look: InputProbe, _: ImportOptions) -> bool:
    return len(look.fields) == 5 and bool(_UTC_TIME.fullmatch(look.fields[1]))


def _is_grid(look: InputProbe, options: ImportOptions) -> bool:
    if look.columns is not None:
        return look.has(options, "d", "t", "x", "y")
    dated = any(":" in part for part in look.fields)
    # One broken field in the first row is a fault of that row, not another format.
    return len(look.fields) == 5 and not dated and sum(map(_numeric, look.fields)) >= 3


def _is_points(look: InputProbe, options: ImportOptions) -> bool:
    return (
        look.has(options, "lat", "lon")
        or look.has(options, "geom")
        or look.has(options, "uid", "datetime")
    )


def _is_cells(look: InputProbe, _: ImportOptions) -> bool:
    if look.columns is not None:
        return is_cell_places(look.columns)
    return len(look.fields) == 4 and "POIcat" in Path(look.name).name


def _is_osm(look: InputProbe, _: ImportOptions) -> bool:
    return look.source is not None and look.source.kind.startswith("osm")


def _is_geojson(look: InputProbe, _: ImportOptions) -> bool:
    text = look.source is not None and look.source.kind in ("json", "ndjson")
    return text and is_geojson(look.head)


def _is_kind(kind: Kind) -> Callable[[InputProbe, ImportOptions], bool]:
    return lambda look, _: kind_of_places(look.columns or []) == kind


def _is_places(look: InputProbe, options: ImportOptions) -> bool:
    """A table of coordinates that says neither whose nor when, but what."""
    if look.columns is None or _is_people(look, options):
        return False
    found = place_columns(look.columns, options, look.name)
    if not ({"lat", "lon"} <= found.keys() or "geom" in found):
        return False
    told = {"place_id", "name", "category", "intent"} & found.keys()
    return bool(told) or _is_tagged(look.columns, options, look.name)


def _is_people(look: InputProbe, options: ImportOptions) -> bool:
    return any(look.has(options, role) for role in ("uid", "datetime", "utc", "start_min", "t"))


def _is_stay_list(look: InputProbe, options: ImportOptions) -> bool:
    return look.has(options, "start_min", "end_min")


def _is_pickle(look: InputProbe, _: ImportOptions) -> bool:
    return look.source is not None and look.source.kind == "pickle"


def _never(_look: InputProbe, _options: ImportOptions) -> bool:
    return False


FORMATS = (
    Format("humob23", "HuMob 2023 grid trajectory, days 0-74", _never, _grid("humob23")),
    Format("humob24", "HuMob 2024 grid trajectory, days 0-74", _never, _grid("humob24")),
    Format("humob25", "HuMob 2025 grid trajectory, days 1-75", _never, _grid("humob25")),
    Format("cell-poicat", "HuMob's places by cell", _is_cells, _cells, places=True),
    Format("osm", "OpenStreetMap PBF or XML", _is_osm, _osm, places=True),
    Format("geojson", "GeoJSON features", _is_geojson, _geojson, places=True),
    Format(
        "overture",
        "Overture places",
        _is_kind("overture"),
        _places("overture", "Overture places"),
        places=True,
    ),
    Format(
        "foursquare",
        "Foursquare OS Places",
        _is_kind("foursquare"),
        _places("foursquare", "Foursquare places"),
        places=True,
    ),
    Format("places", "a table of places", _is_places, _places("table", "places"), places=True),
    Format("tsmc2014", "Foursquare check-ins (TSMC2014)", _is_tsmc, _tsmc),
    Format("gowalla", "Gowalla or Brightkite check-ins", _is_gowalla, _gowalla),
    Format("humob", "HuMob grid trajectory of any year, days 0-75", _is_grid, _grid(None)),
    Format("grid", "grid trajectory of any days", _never, _grid("grid")),
    Format("geolife", "GeoLife .plt file or folder", _is_geolife, _geolife),
    Format("copb-pickle", "CoPB's pickled data sets", _is_pickle, _pickle),
    Format("copb-stays", "stay lists", _is_stay_list, _stays),
    Format("copb-traces", "CoPB's JSON traces, a file or a folder", _is_trace, _traces),
    Format("points", "points or check-ins with a header", _is_points, _points),
)
"""All formats, in the order in which ``--format auto`` asks them."""

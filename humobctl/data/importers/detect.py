"""What an input is: looked at once (``probe.py``), then asked of each format in turn.

To add a format, add an entry to ``FORMATS``: a name for ``--format``, what it is in words, how to
recognise it, and what opens it.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from humobctl.console.words import pluralize
from humobctl.data.importers import (
    checkins,
    copb,
    copb_data,
    copb_points,
    flow_series,
    geolife,
    gpx,
    humob,
    libcity,
    openpflow,
    pickles,
    surveys,
    taxis,
    trips,
)
from humobctl.data.importers.options import ImportOptions, Opened, stand_in
from humobctl.data.importers.places.cells import CELL_PLACES, CellReader, is_cell_places
from humobctl.data.importers.places.geojson import Features
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
from humobctl.data.importers.probe import (
    LIST_OF_LISTS,
    PEOPLE,
    UTC_TIME,
    InputProbe,
)
from humobctl.data.importers.timed_stays import timed_stays
from humobctl.errors import HumobError
from humobctl.io.streams import Input, refuse_misnamed
from humobctl.io.text import is_number
from humobctl.tables.column_names import roles
from humobctl.tables.schemas import (
    ACCURATE_POINTS,
    CATEGORISED_VISITS,
    GRID,
    PLACES,
    POINTS,
    TIMED_VISITS,
    VISITS,
)

_TSMC_TIME = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d [+-]\d{4} \d{4}")


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
    options = with_geometry(look, options)
    for entry in FORMATS:
        if entry.name == name or (name == "auto" and entry.recognise(look, options)):
            return entry, entry.read(look, options)
    if look.source is not None:
        refuse_misnamed(look.name, look.source.kind)
    if look.columns is not None:
        seen = f"columns {', '.join(look.columns[:12])}"
    elif look.fields:
        seen = f"text without a header, {len(look.fields)} fields in the first line"
    else:
        seen = look.words
    raise HumobError(
        f"{look.name}: found {seen} ({look.words}), expected a known format; "
        f"{_name_columns(look.columns)}or the format with --format: "
        + ", ".join(entry.name for entry in FORMATS)
    )


def _name_columns(names: Sequence[str] | None) -> str:
    """Which columns of points are to be named."""
    if names is None:
        return "name "
    missing = [role for role in ("uid", "datetime", "lat", "lon") if role not in roles(names)]
    if "utc" in roles(names):
        missing.remove("datetime")
    if not missing:
        return "name columns with --columns, "
    return f"name {', '.join(missing)} of points with --columns NAME_IN_FILE={missing[0]}, "


def with_geometry(look: InputProbe, options: ImportOptions) -> ImportOptions:
    """The options, where a file says which column holds its geometries: with that one named."""
    shapes = look.source.geometry if look.source is not None else None
    if shapes is None or shapes in options.columns or "geom" in options.columns.values():
        return options
    return dataclasses.replace(options, columns={**options.columns, shapes: "geom"})


# -- what opens each ---------------------------------------------------------------------------


def _grid(name: str | None) -> Callable[[InputProbe, ImportOptions], Opened]:
    def read(look: InputProbe, options: ImportOptions) -> Opened:
        reader = humob.humob(
            look.file("a grid table"),
            options,
            format=name,
            names=look.columns,
            separator=look.separator,
        )
        words = "grid trajectory"
        return Opened(GRID, reader.batches(), words, reader.notes, reader.dropped, reader.users)

    return read


def _points(look: InputProbe, options: ImportOptions) -> Opened:
    accurate = options.accuracy or look.has(options, "accuracy")
    table = ACCURATE_POINTS if accurate else POINTS
    reader = PointReader(look.file("a table of points"), table, options.on_error, options=options)
    reader.by_clock = True
    return reader.with_header(look).open("points")


def _tsmc(look: InputProbe, options: ImportOptions) -> Opened:
    return checkins.tsmc2014(look.file("a file"), options).open("Foursquare TSMC2014 check-ins")


def _gowalla(look: InputProbe, options: ImportOptions) -> Opened:
    words = "Gowalla or Brightkite check-ins"
    return checkins.gowalla(look.file("a file"), options).open(words)


def _geolife(look: InputProbe, options: ImportOptions) -> Opened:
    if look.folder is not None:
        return geolife.geolife(look.folder, options).open("GeoLife trips")
    source = look.file("a .plt file")
    if source.path is None:
        raise HumobError(f"{look.name}: found a pipe or packed file, expected a plain .plt file")
    look.label = "one .plt file"
    trips = geolife.geolife(source.path.parent, options, single=source.path)
    return trips.open("GeoLife trip")


def _stays(look: InputProbe, options: ImportOptions) -> Opened:
    source = look.file("a stay list")
    if source.kind == "pickle":
        return _pickle(look, options)
    if look.columns is None and source.kind in ("json", "ndjson") and not look.geojson:
        return _traces(look, options)
    timed = set(copb.MOMENTS) <= set(look.columns or ())
    table = CATEGORISED_VISITS if options.categories else TIMED_VISITS if timed else VISITS
    reader = copb.StayReader(
        source,
        table,
        options.on_error,
        separator=look.separator,
        options=options,
        features=look.geojson,
    )
    words = "stay list"
    return Opened(
        TIMED_VISITS if table is TIMED_VISITS else VISITS,
        reader.batches(),
        words,
        reader.notes,
        reader.dropped,
        reader.users,
    )


def _traces(look: InputProbe, options: ImportOptions) -> Opened:
    if look.folder is not None:
        people = copb.trace_folder(look.folder)
        source = stand_in(look.name)
        if all(map(copb_data.is_template, people.values())):
            return copb_data.templates(source, people, options)
        return _people(
            source, people, options, f"CoPB traces of {pluralize(len(people), 'person')}"
        )
    source = look.file("JSON traces")
    look.label = "JSON"
    value = copb.load_json(source)
    if copb_data.is_template(value):
        return copb_data.templates(source, {source.name: value}, options)
    if isinstance(value, dict) and all(map(copb_data.is_template, value.values())):
        return copb_data.templates(source, value, options)
    if copb_points.is_points(value):
        return copb_points.open_points(source, value, options)
    return _people(source, value, options, f"CoPB {copb.kind_of(value)}")


def _people(source: Input, value: object, options: ImportOptions, words: str) -> Opened:
    people = copb.CopbPeople(source.name, value, options)
    reader = copb.PeopleReader(source, VISITS, options.on_error, options=options, people=people)
    people.dropped = reader.dropped
    users = lambda: people.users  # noqa: E731 - they are known when all is read
    return Opened(VISITS, reader.batches(), words, reader.notes, reader.dropped, users)


def _pickle(look: InputProbe, options: ImportOptions) -> Opened:
    if look.folder is not None and (inside := sorted(look.folder.glob("*.pkl"))):
        raise HumobError(
            f"{look.name}: found a directory of pickles ({', '.join(p.name for p in inside)}), "
            "expected one of these files: each is a separate table"
        )
    source = look.file("a pickle")
    value = pickles.load(source.stream, source.name, source.size)
    if copb.holds_frames(value):
        words = f"pickled data frames ({'by user' if isinstance(value, dict) else 'a list'})"
        return copb.frames_reader(source, value, options).open(words)
    if (opened := copb_data.open_data(source, value, options)) is not None:
        return opened
    if copb.is_people(value):
        return _people(source, value, options, f"CoPB {copb.kind_of(value)}")
    raise HumobError(
        f"{source.name}: found a pickled {type(value).__name__}, expected data frames "
        "or stay lists as CoPB has them"
    )


def _open_places(reader: PlaceReader | CellReader, words: str) -> Opened:
    return Opened(PLACES, reader.batches(), words, reader.notes, reader.dropped)


def _cells(look: InputProbe, options: ImportOptions) -> Opened:
    reader = CellReader(
        look.file("a table of places by cell"),
        CELL_PLACES,
        options.on_error,
        separator=look.separator,
        options=options,
        header_names=look.columns,
    )
    return _open_places(reader, "HuMob places by cell")


def _osm(look: InputProbe, options: ImportOptions) -> Opened:
    source = look.file("an OpenStreetMap file")
    if not source.kind.startswith("osm"):
        raise HumobError(f"{look.name}: found {look.words}, expected OpenStreetMap PBF or XML")
    return _open_places(osm(source, options), "OpenStreetMap")


def _places(kind: Kind, words: str) -> Callable[[InputProbe, ImportOptions], Opened]:
    def read(look: InputProbe, options: ImportOptions) -> Opened:
        source = look.file("a table of places")
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
        return _open_places(reader, words)

    return read


def _is_tagged(columns: list[str], options: ImportOptions, name: str) -> bool:
    """Whether a table has OSM's keys for columns, and no category."""
    found = place_columns(columns, options, name)
    return kind_of_places(columns) == "osm" and not {"category", "intent"} & found.keys()


def _geojson(look: InputProbe, options: ImportOptions) -> Opened:
    source = look.file("a GeoJSON file")
    names = look.columns or []
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
    reader.factory, reader.geometry, reader.geometric = features.frames, "geometry", True
    return _open_places(reader, _OF_KIND[kind])


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
    heads = (LIST_OF_LISTS, PEOPLE, copb.BY_LINE)
    return any(form.match(look.head) for form in heads)


def _is_tsmc(look: InputProbe, _: ImportOptions) -> bool:
    return len(look.fields) == 8 and bool(_TSMC_TIME.fullmatch(look.fields[7]))


def _is_gowalla(look: InputProbe, _: ImportOptions) -> bool:
    return len(look.fields) == 5 and bool(UTC_TIME.fullmatch(look.fields[1]))


def _is_grid(look: InputProbe, options: ImportOptions) -> bool:
    if look.columns is not None:
        return look.has(options, "d", "t", "x", "y")
    dated = any(":" in part for part in look.fields)
    # One broken field in the first row is a fault of that row, not another format.
    return len(look.fields) == 5 and not dated and sum(map(is_number, look.fields)) >= 3


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


def _is_geojson(look: InputProbe, options: ImportOptions) -> bool:
    """GeoJSON of places: one that says neither whose nor when, or what else they are."""
    if not look.geojson or kind_of_places(look.columns or []) is not None:
        return look.geojson
    timed = any(look.has(options, role) for role in ("datetime", "utc", "t", "leave"))
    told = any(look.has(options, role) for role in ("name", "category", "intent", "place_id"))
    return not timed or (told and not look.has(options, "uid"))


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
    if look.timed and told == {"place_id"} and not look.has(options, "place_id"):
        return False  # an id may be anybody's, and a moment is nothing that places have
    return bool(told) or _is_tagged(look.columns, options, look.name)


def _is_people(look: InputProbe, options: ImportOptions) -> bool:
    return any(look.has(options, role) for role in ("uid", "datetime", "utc", "start_min", "t"))


def _is_stay_list(look: InputProbe, options: ImportOptions) -> bool:
    return look.has(options, "start_min", "end_min")


def _is_timed_stays(look: InputProbe, options: ImportOptions) -> bool:
    return look.has(options, "leave") and _is_points(look, options)


def _is_pickle(look: InputProbe, _: ImportOptions) -> bool:
    if look.folder is not None:
        return any(look.folder.glob("*.pkl"))
    return look.source is not None and look.source.kind == "pickle"


def _never(_look: InputProbe, _options: ImportOptions) -> bool:
    return False


FORMATS = (
    Format(
        "humob26", "HuMob 2026 daily flows", flow_series.is_challenge, flow_series.read_challenge
    ),
    Format("flow-series", "daily flows", flow_series.is_table, flow_series.read_table),
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
    Format(
        "massive-steps",
        "Massive-STEPS check-ins",
        checkins.is_massive_steps,
        checkins.massive_steps,
    ),
    Format("tdrive", "T-Drive taxis, a file or folder", taxis.is_tdrive, taxis.tdrive),
    Format("porto", "Porto taxi trips", taxis.is_porto, taxis.porto),
    Format("openpflow", "OpenPFLOW people", openpflow.is_openpflow, openpflow.read_openpflow),
    Format("gpx", "GPX tracks, a file or folder", gpx.is_gpx, gpx.read_gpx),
    Format("libcity", "LibCity's folder of trajectories", libcity.is_libcity, libcity.read_libcity),
    Format("humob", "HuMob grid trajectory of any year, days 0-75", _is_grid, _grid(None)),
    Format("grid", "grid trajectory of any days", _never, _grid("grid")),
    Format("geolife", "GeoLife .plt file or folder", _is_geolife, _geolife),
    Format("copb-pickle", "CoPB's pickled data sets", _is_pickle, _pickle),
    Format("copb-stays", "stay lists", _is_stay_list, _stays),
    Format("copb-traces", "CoPB's JSON traces, a file or a folder", _is_trace, _traces),
    Format("survey", "people of ATUS, IPUMS or ACS", surveys.is_survey, surveys.open_survey),
    Format("trips", "trips, as trackintel's", trips.is_trips, trips.read_trips),
    Format("trip-legs", "trip legs, as trackintel's triplegs", trips.is_legs, trips.read_legs),
    Format("timed-stays", "stays with arrival and leaving", _is_timed_stays, timed_stays),
    Format("points", "points or check-ins with a header", _is_points, _points),
)
"""All formats, in the order in which ``--format auto`` asks them."""

"""Tables of places as others write them: Overture, Foursquare, OSM's tags, or columns of any name.

Sources of the columns: Overture's schema reference of places (``names``, ``categories`` until
2026, ``basic_category`` and ``taxonomy`` since 2025, ``operating_status``, ``bbox``); Foursquare's
"Places OS Data Schemas" (``fsq_place_id``, ``fsq_category_labels``, ``date_closed``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import polars as pl

from humobctl.data.importers.crs import is_degrees
from humobctl.data.importers.delimited import Batch, Delimited
from humobctl.data.importers.import_reader import ImportReader
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.places.assign import BETWEEN, Assigned
from humobctl.data.importers.places.geometry import box_middle, positions
from humobctl.data.importers.places.mapping import VOCABULARIES, mapping_for
from humobctl.errors import HumobError, TableError
from humobctl.io.geo_columns import DEGREES
from humobctl.io.row_errors import LineNumbers
from humobctl.tables.column_names import ALIASES, plain, roles
from humobctl.tables.id_text import id_text, is_id_type
from humobctl.tables.schemas import PLACES

UNIQUE_PLACES = replace(PLACES, key=("place_id",))
Kind = Literal["overture", "foursquare", "osm", "table"]

_IDS = ("fsqplaceid", "@id", "fullid", "osmid", "id")
"""Names of an id, as ``plain`` has them, where there is none of the usual ones for place_id."""
_OWN = ("place_id", "name", "category", "intent")
_OVERTURE = ("names", "categories", "basic_category", "taxonomy", "operating_status", "bbox")
_FOURSQUARE = ("fsq_category_labels", "date_closed")
_CLOSED = "closed"
NOWHERE = "without coordinates (or with an empty, self-crossing or damaged shape)"
_TOPMOST = (
    "Arts and Entertainment|Business and Professional Services|Community and Government|"
    "Dining and Drinking|Event|Health and Medicine|Landmarks and Outdoors|Retail|"
    "Sports and Recreation|Travel and Transportation"
)
_NEXT_LABEL = rf"""["']?,\s*["']?({_TOPMOST})"""


def kind_of_places(names: Sequence[str]) -> Kind | None:
    """The data set whose columns these are; None for no particular one."""
    known = set(names)
    if "fsq_place_id" in known:
        return "foursquare"
    if known & {"taxonomy", "basic_category"} or {"names", "categories"} <= known:
        return "overture"
    return "osm" if known & {"amenity", "shop", "leisure", "tourism", "office"} else None


def place_columns(names: Sequence[str], options: ImportOptions, source: str) -> dict[str, str]:
    """Which column of a table of places plays which role, ``place_id`` of any id among them."""
    found = roles(names, options.columns, source)
    if "place_id" not in found:
        by_plain = {plain(name): name for name in names if name not in options.columns}
        ids = [by_plain[name] for name in _IDS if name in by_plain]
        found |= {"place_id": ids[0]} if ids else {}
    return found


def is_wanted(name: str, options: ImportOptions, keys: frozenset[str]) -> bool:
    """Whether a property of a GeoJSON feature is one that is looked at.

    Args:
        name: of the property.
        options: columns that the user names.
        keys: OSM's keys that the mapping names.
    """
    known = (*_OVERTURE, *_FOURSQUARE)
    return (
        name in options.columns
        or name in known
        or name in keys
        or plain(name) in (*_IDS, *(a for role in _OWN for a in ALIASES[role]))
    )


@dataclass
class PlaceReader(ImportReader):
    """Reads places: finds the columns, gives each place its intent, and checks every row.

    Attributes:
        kind: whose columns these are.
        vocabularies: the project's tables to ask; by default those of ``kind``.
        factory: makes raw frames where the input is not a plain table.
        geometry: the column or member that positions come from, where it is not lat and lon.
    """

    kind: Kind = "table"
    vocabularies: tuple[str, ...] | None = None
    factory: Callable[[], Iterator[Batch]] | None = None
    geometry: str | None = None
    assigned: Assigned = field(init=False)
    numbered: int = 0

    def __post_init__(self) -> None:
        """Read the mapping before anything else, so that a fault in it costs no time."""
        super().__post_init__()
        own = VOCABULARIES if self.kind == "table" else (self.kind,)
        asked = own if self.vocabularies is None else self.vocabularies
        self.assigned = Assigned(
            mapping_for(self.options.mapping, *asked),
            self.options.keep_unmapped,
            together=self.kind == "osm",
        )

    def batches(self) -> Iterator[pl.DataFrame]:
        """Checked batches of a place table.

        Raises:
            HumobError: a fault, or no place is left.
        """
        yield from super().batches()
        if self.numbered:
            self.notes.append(f"numbered the places from 1 to {self.numbered}, which have no id")
        self.notes += self.assigned.notes()

    def _first_broken_rule(
        self, frame: pl.DataFrame, failure: Any, places: LineNumbers
    ) -> TableError:
        error = super()._first_broken_rule(frame, failure, places)
        if self.geometry is None or error.column not in ("lat", "lon"):
            return error
        return self._explain(error).with_words(column=f"{self.geometry} ({error.column})")

    def _nothing(self) -> str:
        left_out = "; ".join(self.assigned.notes())
        return f"no place with an intent ({left_out})" if left_out else super()._nothing()

    # -- from the columns of a file to raw ones ------------------------------------------------

    def _parse(self) -> Iterator[Batch]:
        if self.factory is not None:
            for frame, places in self.factory():
                yield self._cast(self._rename_columns(frame), places)
        elif self.source.kind == "csv":
            text = Delimited(
                self.source, self.separator, on_error=self.on_error, dropped=self.dropped
            )
            for frame, places in text.frames():
                yield self._cast(self._rename_columns(frame), places)
        else:
            yield from super()._parse()

    def _lazy(self, path: Path) -> pl.LazyFrame:
        whole = super()._lazy(path)
        names = whole.collect_schema().names()
        found = set(place_columns(names, self.options, self.source.name).values())
        wanted = found.union(_OVERTURE, _FOURSQUARE, self.assigned.mapping.tag_keys())
        return whole.select(name for name in names if name in wanted)

    def _rename_columns(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Raw values under our names, ``categories`` and ``closed`` among them."""
        found = place_columns(frame.columns, self.options, self.source.name)
        ways = {
            "overture": self._of_overture,
            "foursquare": self._of_foursquare,
            "osm": self._of_tags,
            "table": self._of_table,
        }
        columns: dict[str, pl.Expr | pl.Series] = {**ways[self.kind](frame, found)}
        if "place_id" in found:
            columns["place_id"] = self._ids(frame[found["place_id"]])
        else:
            first = self.numbered + 1
            columns["place_id"] = pl.int_range(first, first + pl.len()).cast(pl.String)
            self.numbered += frame.height
        if "name" not in columns:
            columns["name"] = pl.col(found["name"]) if "name" in found else pl.lit(None, pl.String)
        return frame.select(**columns, **self._where(frame, found))

    def _ids(self, column: pl.Series) -> pl.Series:
        if not is_id_type(column.dtype):
            raise HumobError(
                f"{self.source.name}: found the type {column.dtype} in column {column.name}, "
                "expected text or numbers"
            )
        return id_text(column)

    def _where(self, frame: pl.DataFrame, found: dict[str, str]) -> dict[str, pl.Expr | pl.Series]:
        declared = "geom" in found and self.is_declared()
        if "lat" in found and "lon" in found and not declared:
            return {name: pl.col(found[name]) for name in ("lat", "lon")}
        if "geom" in found:
            self.geometry, self.geometric = found["geom"], True
            degrees = self.options.crs is None and is_degrees(self.own_crs() or DEGREES)
            lat, lon = positions(frame[self.geometry], self.source.name, degrees=degrees)
            return {"lat": lat, "lon": lon}
        middle = box_middle(frame, "bbox") if "bbox" in frame.columns else None
        if middle is None:
            ways = "; ".join(
                f"{name}: {', '.join(ALIASES[name])}" for name in ("lat", "lon", "geom")
            )
            raise HumobError(
                f"{self.source.name}: found columns {', '.join(frame.columns)}, expected some for "
                f"lat and lon ({ways}); name them with --columns NAME=lat,NAME=lon"
            )
        return {"lat": middle[0], "lon": middle[1]}

    def _of_overture(self, frame: pl.DataFrame, _: dict[str, str]) -> dict[str, pl.Expr]:
        parts = _Parts(frame)
        hierarchy = parts.field("taxonomy", "hierarchy", listed=True)
        primaries = [
            *parts.field("taxonomy", "primary"),
            *parts.field("categories", "primary"),
            *parts.column("basic_category"),
        ]
        others = [
            *parts.field("categories", "alternate", listed=True),
            *parts.field("taxonomy", "alternates", listed=True),
        ]
        every = [
            *(levels.list.reverse().list.join(BETWEEN) for levels in hierarchy),
            *primaries,
            *(levels.list.join(BETWEEN) for levels in others),
        ]
        columns = {
            "name": (parts.field("names", "primary") or [pl.lit(None, pl.String)])[0],
            "category": pl.coalesce(primaries) if primaries else pl.lit(None, pl.String),
            "categories": _join_texts(every),
        }
        for status in parts.column("operating_status"):
            columns["closed"] = status.is_in(["permanently_closed", "temporarily_closed"])
        return columns

    def _of_foursquare(self, frame: pl.DataFrame, _: dict[str, str]) -> dict[str, pl.Expr]:
        labels = pl.lit(None, pl.String)
        if "fsq_category_labels" in frame.columns:
            labels = pl.col("fsq_category_labels")
            if isinstance(frame.schema["fsq_category_labels"], pl.List):
                labels = labels.list.join(BETWEEN)
            else:
                # A list as text, with or without quotes; labels themselves hold commas.
                labels = labels.cast(pl.String).str.strip_chars("[]\"' ")
                labels = labels.str.replace_all(_NEXT_LABEL, f"{BETWEEN}$1")
        categories = _join_texts([labels])
        columns = {
            "category": categories.str.split(BETWEEN).list.first(),
            "categories": categories,
        }
        if "date_closed" in frame.columns:
            closed = pl.col("date_closed").cast(pl.String).fill_null("").str.strip_chars()
            columns["closed"] = closed != ""
        return columns

    def _of_tags(self, frame: pl.DataFrame, _: dict[str, str]) -> dict[str, pl.Expr]:
        if "categories" in frame.columns:  # osm.py has joined them already
            return {"categories": pl.col("categories"), "closed": pl.col("closed")}
        keys = [key for key in self.assigned.mapping.tag_keys() if key in frame.columns]
        # null + text is null: a place has only the tags that it has.
        tags = [pl.lit(f"{key}=") + pl.col(key).cast(pl.String) for key in keys]
        return {"categories": _join_texts(tags)}

    def _of_table(self, frame: pl.DataFrame, found: dict[str, str]) -> dict[str, pl.Expr]:
        columns = {"categories": pl.lit(None, pl.String)}
        if "category" in found:
            columns["categories"] = columns["category"] = _text(pl.col(found["category"]))
        if "intent" in found:
            columns["intent"] = pl.col(found["intent"])
        elif "category" not in found:
            columns["intent"] = pl.lit(None, pl.String)
        return columns

    # -- from raw columns to places -------------------------------------------------------------

    def _cast(self, frame: pl.DataFrame, places: LineNumbers) -> Batch:
        if "closed" in frame.columns:
            gone = frame["closed"].fill_null(value=False)
            frame, places = self.assigned.leave_out(frame, places, gone, _CLOSED)
        # A place without coordinates is not a fault of such data sets, nor is an empty shape.
        if self.geometry or self.kind != "table":
            nowhere = frame["lat"].is_null() | frame["lon"].is_null()
            frame, places = self.assigned.leave_out(frame, places, nowhere, NOWHERE)
        frame, places = self.assigned.intents(frame, places)
        return super()._cast(frame.select(PLACES.columns), places)


@dataclass
class _Parts:
    """The columns and fields of a frame that are there and hold text."""

    frame: pl.DataFrame

    def column(self, name: str) -> list[pl.Expr]:
        """The column as text; nothing where there is none."""
        there = isinstance(self.frame.schema.get(name), pl.String | pl.Categorical | pl.Enum)
        return [pl.col(name).cast(pl.String)] if there else []

    def field(self, column: str, name: str, *, listed: bool = False) -> list[pl.Expr]:
        """A field of a struct, a text or a list of texts; nothing where there is none."""
        dtype = self.frame.schema.get(column)
        fields = {f.name: f.dtype for f in dtype.fields} if isinstance(dtype, pl.Struct) else {}
        wanted = pl.List(pl.String) if listed else pl.String()
        return [pl.col(column).struct.field(name)] if fields.get(name) == wanted else []


def _join_texts(parts: list[pl.Expr]) -> pl.Expr:
    """Texts in one, those that are there; null where none is."""
    if not parts:
        return pl.lit(None, pl.String)
    joined = pl.concat_str(parts, separator=BETWEEN, ignore_nulls=True)
    return joined.str.strip_chars(BETWEEN).replace("", None)


def _text(column: pl.Expr) -> pl.Expr:
    return column.cast(pl.String)

"""What all tables of other programs have in common: ids, decimal commas, longitudes, void rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from humobctl.data.importers.crs import NO_CRS, Projection, find_projection
from humobctl.data.importers.delimited import Batch
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.user_ids import UserNumbers, are_names
from humobctl.data.importers.void_rows import VoidRows
from humobctl.data.importers.wkb import coordinates_apart, wkb_points, wkb_srid, wkt_srid
from humobctl.errors import HumobError, TableError
from humobctl.io.read import Reader
from humobctl.io.row_errors import LineNumbers
from humobctl.tables.id_text import id_text, is_id_type
from humobctl.tables.moments import display

_COMMA = re.compile(r"'\s*-?\d+,\d+\s*'")

_WKT = r"(?i)^\s*(?:SRID=\d+;)?\s*POINT\s*Z?\s*\(\s*([-+.\deE]+)\s+([-+.\deE]+)"
_GEOJSON = (
    r'(?s)^\s*\{.*"coordinates"\s*:\s*\[\s*([-+.\deE]+)\s*,\s*([-+.\deE]+)\s*(?:,[^\]\[]*)?\]'
)
_LON_LAT = (("lon", 1), ("lat", 2))


@dataclass
class ImportReader(Reader):
    """Reads numbers and user ids as the options say.

    Attributes:
        options: what was asked for.
        notes: things to say when all is read.
        void: rows at latitude 0, longitude 0.
        numbers: numbers of users, where the table knows users by number and the file by name.
        geometric: coordinates come from geometries, whose file may say what system they are in.
        srid: the code that the geometries themselves name.
        projection: turns coordinates into degrees, where they are none.
    """

    options: ImportOptions = field(default_factory=ImportOptions)
    notes: list[str] = field(default_factory=list)
    void: VoidRows = field(default_factory=VoidRows)
    numbers: UserNumbers | None = None
    looked: bool = False
    geometric: bool = False
    srid: int | None = None
    projection: Projection | None = None
    _projected: bool = False

    def __post_init__(self) -> None:
        """Take over what was asked for."""
        self.void.keep = self.options.keep_zero

    def users(self) -> list[tuple[int, str]]:
        """Numbers and names of users, where they were numbered; once all is read."""
        return self.numbers.users() if self.numbers else []

    def batches(self) -> Iterator[pl.DataFrame]:
        """Checked batches; a fault that an option reads names the option.

        Raises:
            HumobError: a fault.
        """
        try:
            yield from super().batches()
        except TableError as exc:
            raise self._explain(exc) from exc.__cause__
        self.notes += self.void.notes()
        if self.projection is not None:
            self.notes += self.projection.say()
        elif self.geometric and self.source.geometry and not (self.own_crs() or self.options.crs):
            self.notes.append(NO_CRS)

    def is_declared(self) -> bool:
        """Whether the file says which column holds its geometries, and no option another."""
        named = {"lat", "lon"} & set(self.options.columns.values())
        return self.source.geometry is not None and not named

    def own_crs(self) -> Any:
        """The reference system that the file names for its geometries; None for none."""
        if not self.geometric:
            return None
        return self.source.crs or (f"EPSG:{self.srid}" if self.srid else None)

    def split_geometry(self, geometry: pl.Series) -> dict[str, pl.Series]:
        """The lat and lon of points in any form, and ``geom``, where a row may hold none.

        Raises:
            HumobError: a column of another type.
        """
        self.geometric = True
        if (apart := coordinates_apart(geometry)) is not None:
            return apart
        if geometry.dtype == pl.Binary:
            self.srid = self.srid or wkb_srid(geometry)
            return {**wkb_points(geometry), "geom": geometry}
        if geometry.dtype != pl.String:
            raise self.wrong_type(geometry, "text such as POINT (116.3 39.9), or WKB")
        self.srid = self.srid or wkt_srid(geometry)
        form = _GEOJSON if geometry.str.starts_with("{").any() else _WKT
        parts = {axis: geometry.str.extract(form, group) for axis, group in _LON_LAT}
        return {**parts, "geom": geometry}

    def wrong_type(self, column: pl.Series, expected: str) -> HumobError:
        """The error of a column of a type that cannot be read."""
        return HumobError(
            f"{self.source.name}: found the type {column.dtype} in column {column.name}, expected "
            f"{expected}"
        )

    def _nothing(self) -> str:
        return "no row but void ones at 0, 0" if self.void.count else super()._nothing()

    def _explain(self, error: TableError) -> TableError:
        """The error in the names of the file, and with the option that would help."""
        hint = ""
        dtype = self.table.dtypes.get(error.column or "")
        if dtype == pl.Float64 and _COMMA.fullmatch(error.found):
            hint = "; --decimal-comma reads it"
        elif error.column in ("lat", "lon") and dtype == pl.Float64:
            hint = self._place_hint(error.column, _number(error.found))
        return error.with_words(expected=error.expected + hint)

    def _place_hint(self, column: str, value: float) -> str:
        """What a coordinate that is out of range may be, and the option that reads it."""
        if self.projection is not None:
            return ""
        if abs(value) > 360:
            return "; 'data import --crs EPSG:...' reads metres and other projected coordinates"
        if column == "lat" and 90 < abs(value) <= 180:
            return f"; if lat and lon are swapped, {self._swap_hint()} reads them"
        if column == "lon" and 180 < value <= 360:
            return "; --wrap-longitude reads 0 to 360"
        return ""

    def _swap_hint(self) -> str:
        """What reads coordinates that are swapped."""
        if self.geometric:
            return "a geometry of longitude first, such as POINT (116.3 39.9),"
        return "--columns lat=lon,lon=lat"

    def _cast(self, frame: pl.DataFrame, places: LineNumbers) -> Batch:
        frame = self._with_numbers(frame)
        dtypes = self.table.dtypes
        if self.options.decimal_comma:
            numeric = [name for name, dtype in dtypes.items() if dtype == pl.Float64]
            frame = frame.with_columns(
                pl.col(name).str.replace(",", ".", literal=True)
                for name in numeric
                if frame.schema[name] == pl.String
            )
        typed, places = super()._cast(frame, places)
        if "lon" not in dtypes:
            return typed, places
        typed, places = self._in_degrees(typed, places)
        if self.options.wrap_longitude:
            east = pl.col("lon").is_between(180, 360, closed="right")
            typed = typed.with_columns(lon=pl.when(east).then(pl.col("lon") - 360).otherwise("lon"))
        # Visits are not measurements: what made them knew where they were.
        return (typed, places) if "start_min" in dtypes else self.void.left_out(typed, places)

    def _in_degrees(self, frame: pl.DataFrame, places: LineNumbers) -> Batch:
        """Longitudes and latitudes in place of coordinates in another reference system."""
        if not self._projected:
            self._projected = True
            self.projection = find_projection(self.source, self.options.crs, self.own_crs())
        if self.projection is None:
            return frame, places
        lat, lon = self.projection.degrees(frame["lon"], frame["lat"])
        bad = frame["lat"].is_not_null() & frame["lon"].is_not_null() & lat.is_null()
        expected = f"a coordinate of {self.projection.name}"
        turned = frame.with_columns(lat, lon)
        _, places = self.refuse(bad, frame, places, "lat", expected)
        return turned.filter(~bad), places

    def refuse(
        self, bad: pl.Series, frame: pl.DataFrame, places: LineNumbers, column: str, expected: str
    ) -> Batch:
        """Stop at the first bad row, or count and drop the bad ones.

        Raises:
            TableError: a bad row (on_error="fail").
        """
        if not bad.any():
            return frame, places
        index = bad.arg_max() or 0
        error = TableError(
            self.source.name,
            display(frame[column], index),
            expected,
            column=column,
            **places.of(index),
        )
        if self.on_error == "fail":
            raise error
        self.dropped.add(f"with a bad {column}", error, int(bad.sum()))
        return frame.filter(~bad), places.keep(~bad)

    def _with_numbers(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Users by number, where the first rows show that most ids are names."""
        if self.table.dtypes.get("uid") != pl.UInt32 or frame.schema["uid"] == pl.UInt32:
            return frame
        uids = frame["uid"]
        if not self.looked and frame.height and is_id_type(uids.dtype):
            self.looked = True
            self.numbers = self.numbers or (UserNumbers() if are_names(uids) else None)
        if self.numbers is None:
            return frame
        return frame.with_columns(self.numbers.codes(id_text(uids)).alias("uid"))


def _number(text: str) -> float:
    """The number that a message shows; nan for none."""
    try:
        return float(text.strip("'"))
    except ValueError:
        return float("nan")

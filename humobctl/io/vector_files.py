"""Vector files of GIS programs, by GDAL (pyogrio): GeoPackage, FlatGeobuf, Shapefile.

Sources of the first bytes: OGC 12-128 (an SQLite file whose application id is GPKG), FlatGeobuf's
specification 3, ESRI's Shapefile technical description (the file code 9994).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from humobctl.errors import HumobError, UsageError
from humobctl.extras import require
from humobctl.io.shapefile import PARTS, inside_zip, is_zip, long_names

if TYPE_CHECKING:
    import polars as pl

VectorKind = Literal["geopackage", "flatgeobuf", "shapefile", "zip"]
VECTOR_KINDS: tuple[VectorKind, ...] = get_args(VectorKind)
WORDS: dict[str, str] = {
    "geopackage": "GeoPackage",
    "flatgeobuf": "FlatGeobuf",
    "shapefile": "Shapefile",
    "zip": "zipped Shapefile",
}
GEOMETRY = "geometry"
"""What the geometry of a layer is called here, whatever the file calls it."""
_SQLITE = b"SQLite format 3\0"
_APPLICATION = slice(68, 72)
_IDS = (b"GPKG", b"GP10", b"GP11")


@dataclass(frozen=True)
class Layer:
    """One layer of a vector file.

    Attributes:
        name: in the file.
        columns: names of its fields, and ``GEOMETRY``.
        path: what GDAL opens.
        crs: its coordinate reference system as an authority's code or WKT; None where the file
            names none.
    """

    name: str
    columns: list[str]
    crs: str | None
    path: str


def vector_kind(head: bytes) -> VectorKind | None:
    """The kind of vector file that begins with these bytes."""
    if head.startswith(_SQLITE) and head[_APPLICATION] in _IDS:
        return "geopackage"
    if head[:3] == b"fgb" and head[4:7] == b"fgb":
        return "flatgeobuf"
    if is_zip(head):
        return "zip"
    return "shapefile" if head[:4] == b"\x00\x00\x27\x0a" else None


def find_layer(path: Path, name: str, kind: str, asked: str | None = None) -> Layer:
    """The layer to read: the one that was asked for, or the only one with geometries.

    Args:
        path: of the file.
        name: of the input, for messages.
        kind: of file.
        asked: name of a layer.

    Raises:
        HumobError: the extra is missing, the file is damaged, or there are several layers.
    """
    place, asked = (inside_zip(path, name, asked), None) if kind == "zip" else (str(path), asked)
    require("geo", f"{name}: {WORDS[kind]}", ("pyogrio",))
    import pyogrio  # noqa: PLC0415 - of the extra "geo"

    if kind == "shapefile":
        _check_parts(path, name)
    with _clear_errors(name, kind):
        listed = {str(layer): shape for layer, shape in pyogrio.list_layers(place)}
        if asked is not None and asked not in listed:
            known = ", ".join(listed)
            raise UsageError(f"--layer: found {asked!r}, expected one of {name}: {known}")
        layers = [layer for layer, shape in listed.items() if shape is not None]
        if asked is None and len(layers) != 1:
            found = f"the layers {', '.join(layers)}" if layers else "no layer with geometries"
            raise HumobError(f"{name}: found {found}, expected one; 'data import --layer' names it")
        layer = asked or layers[0]
        info = pyogrio.read_info(place, layer=layer)
    names = [str(field) for field in info["fields"]]
    if kind in ("shapefile", "zip"):
        names = long_names(names)
    return Layer(layer, [*names, GEOMETRY], info["crs"], place)


def layer_frames(layer: Layer, name: str, kind: str, rows: int) -> Iterator[pl.DataFrame]:
    """The rows of a layer in batches, its geometries as WKB in the column ``GEOMETRY``.

    Args:
        layer: see ``find_layer``.
        name: of the input, for messages.
        kind: of file.
        rows: of a batch.

    Raises:
        HumobError: the file is damaged.
    """
    import polars as pl  # noqa: PLC0415 - not for the start of every command
    import pyogrio  # noqa: PLC0415

    # What goes wrong between two batches GDAL would print itself.
    pyogrio.set_gdal_config_options({"CPL_LOG": os.devnull})
    # SQLite writes beside a file that it opens unless it is told that nobody else writes to it.
    options = {"IMMUTABLE": "YES"} if kind == "geopackage" else {}
    with (
        _clear_errors(name, kind),
        pyogrio.open_arrow(
            layer.path, layer=layer.name, batch_size=min(rows, 1 << 16), **options
        ) as opened,
    ):
        told, stream = opened
        shapes = told["geometry_name"] or "wkb_geometry"
        lazy = pl.scan_arrow_c_stream(stream).rename({shapes: GEOMETRY})
        names = lazy.collect_schema().names()
        if kind in ("shapefile", "zip"):
            lazy = lazy.rename(dict(zip(names, long_names(names), strict=True)))
        yield from lazy.collect_batches(chunk_size=rows)


def _check_parts(path: Path, name: str) -> None:
    """See that the other files of a Shapefile lie beside it."""
    there = {other.name.lower() for other in path.parent.iterdir()}
    missing = [part for part in PARTS if path.with_suffix(part).name.lower() not in there]
    if missing:
        raise HumobError(
            f"{name}: found a Shapefile without its {' and '.join(missing)}, expected them beside "
            "it, as plain files"
        )


@contextmanager
def _clear_errors(name: str, kind: str) -> Iterator[None]:
    """Turn what GDAL and polars say of a damaged file into one clear line."""
    import polars as pl  # noqa: PLC0415
    import pyogrio  # noqa: PLC0415

    damaged: tuple[type[BaseException], ...] = (
        *(value for value in vars(pyogrio.errors).values() if _is_error(value)),
        *(pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, RuntimeError),
        *(ValueError, UnicodeDecodeError),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # GDAL's, of endings and of what a file leaves open
        try:
            yield
        except damaged as exc:
            why = (str(exc).splitlines() or ["no reason given"])[0]
            raise HumobError(
                f"{name}: found a damaged {WORDS[kind]} ({why}), expected a whole one"
            ) from exc


def _is_error(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)

"""GeoParquet, by polars; FlatGeobuf, GeoPackage, Shapefile by GDAL (pyogrio, extra "geo")."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from humobctl.console import report, signals
from humobctl.console.words import pluralize
from humobctl.errors import HumobError
from humobctl.extras import require
from humobctl.io import shapefile, stream_columnar
from humobctl.io.geojson import slices
from humobctl.io.geometry import GEOMETRY, Shape, with_wkb

DRIVERS = {"flatgeobuf": "FlatGeobuf", "geopackage": "GPKG", "shapefile": "ESRI Shapefile"}
"""Formats that GDAL writes, and its names for them."""
_ENDINGS = {"flatgeobuf": ".fgb", "geopackage": ".gpkg"}
_WGS84 = "EPSG:4326"


def write_geoparquet(
    batches: Iterable[pl.DataFrame],
    shape: Shape,
    place: Path,
    schema: Mapping[str, pl.DataType],
    name: str,
) -> None:
    """Stream batches into a GeoParquet file (1.1): WKB in longitude and latitude (OGC:CRS84).

    Args:
        batches: frames of ``schema``.
        shape: of their geometries.
        place: file to write.
        schema: columns and types.
        name: of the output, for messages.

    Raises:
        HumobError: the disk is full.
    """
    column = {"encoding": "WKB", "geometry_types": [shape.kind]}
    told = {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}}
    beside = {one: kind for one, kind in schema.items() if one not in shape.columns}
    stream_columnar.sink(
        (with_wkb(batch, shape) for batch in slices(batches)),
        "parquet",
        place,
        {**beside, GEOMETRY: pl.Binary()},
        name,
        metadata={"geo": json.dumps(told)},
    )


def write_layer(
    batches: Iterable[pl.DataFrame],
    format: str,
    shape: Shape,
    place: Path,
    schema: Mapping[str, pl.DataType],
    name: str,
) -> None:
    """Stream batches into a file of one layer, called like the file, in a format of GDAL.

    A Shapefile is several files, or a ZIP archive of them where the output is no ``.shp``.

    Args:
        batches: frames of ``schema``.
        format: a key of ``DRIVERS``.
        shape: of their geometries.
        place: file to write.
        schema: columns and types.
        name: of the output, for messages.

    Raises:
        HumobError: the extra "geo" is missing, or GDAL cannot write the file.
    """
    require("geo", f"{name}: {format}", ("pyogrio", "pyarrow"))
    import pyarrow  # noqa: PLC0415 - of the extra "geo"
    import pyogrio  # noqa: PLC0415 - of the extra "geo"

    raised: list[BaseException] = []
    empty = [with_wkb(pl.DataFrame(schema=dict(schema)), shape)]
    frames: Iterator[pl.DataFrame] = (with_wkb(batch, shape) for batch in slices(batches))
    layer = Path(name).name.partition(".")[0] or "table"
    if format == "shapefile":
        names = shapefile.short_names(one for one in empty[0].columns if one != GEOMETRY)
        empty = list(shapefile.plain_columns(empty, names))
        frames = shapefile.plain_columns(frames, names)
    elif format == "flatgeobuf":
        frames = _keep_geometries(frames)
    records = _records(frames, raised)
    try:
        with _make_named(place, layer, format) as named:
            pyogrio.write_arrow(
                pyarrow.RecordBatchReader.from_batches(_arrow(empty[0]).schema, records),
                named,
                layer=layer,
                driver=DRIVERS[format],
                geometry_name=GEOMETRY,
                geometry_type=shape.kind,
                crs=_WGS84,
                encoding="UTF-8",
            )
            if format == "shapefile":
                shapefile.place_parts(named, place, Path(name))
                shapefile.say_names(names, name)
            else:
                named.replace(place)
    except BaseException as exc:
        if raised:
            raise raised[0] from None
        if type(exc).__module__.startswith("pyogrio"):
            raise HumobError(f"{name}: {str(exc).splitlines()[0]}") from exc
        raise


@contextmanager
def _make_named(place: Path, layer: str, format: str) -> Iterator[Path]:
    """What GDAL writes: it takes a file of another ending for a folder."""
    if format != "shapefile":
        named = place.with_name(place.name + _ENDINGS[format])
        with signals.remove_if_ended(named):
            yield named
        return
    with signals.remove_if_ended(place.with_name(place.name + ".d")) as folder:
        folder.mkdir()
        yield folder / f"{layer}.shp"


def _keep_geometries(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Rows with a geometry: the index of FlatGeobuf takes no others, which are counted."""
    lost = 0
    for frame in frames:
        lost += frame[GEOMETRY].null_count()
        yield frame.filter(pl.col(GEOMETRY).is_not_null())
    if lost:
        report.warn(
            f"left out {pluralize(lost, 'row')} without a geometry, which FlatGeobuf cannot hold; "
            "geopackage, geoparquet and geojson can"
        )


def _records(frames: Iterable[pl.DataFrame], raised: list[BaseException]) -> Iterator[Any]:
    """Frames as record batches of Arrow; an error of theirs goes to ``raised``, too."""
    try:
        for frame in frames:
            yield from _arrow(frame).to_batches()
    except BaseException as exc:
        raised.append(exc)
        raise


def _arrow(frame: pl.DataFrame) -> Any:
    """A frame in the older types of Arrow, the only ones that GDAL knows."""
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())

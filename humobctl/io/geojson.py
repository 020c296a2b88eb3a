"""GeoJSON (RFC 7946): a feature collection, one feature a row and a line, written as a stream."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import polars as pl

from humobctl.io.geometry import Shape, split_geometries

SLICE_ROWS = 1 << 16
"""Rows whose geometries are in memory at once."""
_BEGIN = b'{"type":"FeatureCollection","features":[\n'
_END = b"\n]}\n"
_BETWEEN = ",\n"


def write_geojson(batches: Iterable[pl.DataFrame], shape: Shape, sink: BinaryIO) -> None:
    """Write batches of a table as features; times are ISO 8601, numbers have all their digits."""
    begun = False
    for batch in slices(batches):
        lines = _features(batch, shape)
        sink.write(_BETWEEN.encode() if begun else _BEGIN)
        sink.write(lines.removesuffix(_BETWEEN.encode()))
        begun = True
    sink.write(_END if begun else _BEGIN.rstrip() + _END)


def slices(batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Batches of so few rows that geometries of all of them fit in memory; none without rows."""
    for batch in batches:
        if batch.height:
            yield from batch.iter_slices(SLICE_ROWS)


def iso_times(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame with its times as text of ISO 8601, with the offset of those that have a zone."""
    return frame.with_columns(
        pl.col(name).dt.strftime(f"%Y-%m-%dT%H:%M:%S%.f{'%:z' if dtype.time_zone else ''}")
        for name, dtype in frame.schema.items()
        if isinstance(dtype, pl.Datetime)
    )


def _features(batch: pl.DataFrame, shape: Shape) -> bytes:
    import shapely  # noqa: PLC0415 - only for files of geometries

    shapes, others = split_geometries(batch, shape)
    properties = pl.Series(["{}"] * batch.height)
    if others.width:
        properties = iso_times(others).to_struct().struct.json_encode()
    columns = {"geometry": shapely.to_geojson(shapes), "properties": properties}
    features = pl.DataFrame(columns, schema_overrides={"geometry": pl.String}).select(
        pl.concat_str(
            pl.lit('{"type":"Feature","geometry":'),
            pl.col("geometry").fill_null("null"),
            pl.lit(',"properties":'),
            "properties",
            pl.lit("}"),
        )
    )
    text = io.BytesIO()
    features.write_csv(text, include_header=False, quote_style="never", line_terminator=_BETWEEN)
    return text.getvalue()

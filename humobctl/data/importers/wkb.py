"""Points in WKB, WKT or GeoArrow, as columns of numbers."""

from __future__ import annotations

import polars as pl

_SRID_WKT = r"(?i)^\s*SRID=(\d+);"
_SRID_FLAG = 0x20000000


def coordinates_apart(column: pl.Series) -> dict[str, pl.Series] | None:
    """Longitudes and latitudes of GeoArrow's points, separate or interleaved; None for others."""
    dtype = column.dtype
    if isinstance(dtype, pl.Struct) and {"x", "y"} <= {field.name for field in dtype.fields}:
        return {name: column.struct.field(axis) for name, axis in (("lon", "x"), ("lat", "y"))}
    if isinstance(dtype, pl.Array) and dtype.inner == pl.Float64 and len(dtype.shape) == 1:
        if dtype.size < 2:
            return None
        return {name: column.arr.get(axis) for name, axis in (("lon", 0), ("lat", 1))}
    return None


def wkt_srid(column: pl.Series) -> int | None:
    """The code in the first geometry that names one (EWKT)."""
    codes = column.str.extract(_SRID_WKT).drop_nulls()
    return int(codes[0]) if len(codes) else None


def wkb_srid(column: pl.Series) -> int | None:
    """The code in the first geometry that names one (EWKB)."""
    for order, endianness in ((b"\x01", "little"), (b"\x00", "big")):
        named = pl.col("raw").bin.starts_with(order)
        named &= _number(1, pl.UInt32, endianness) & _SRID_FLAG != 0
        raw = column.alias("raw").to_frame().filter(named).head(1)
        if raw.height:
            return raw.select(_number(5, pl.UInt32, endianness)).item()  # type: ignore[no-any-return]
    return None


def wkb_points(column: pl.Series) -> dict[str, pl.Series]:
    """Longitudes and latitudes of points in WKB, also with a spatial reference (EWKB).

    Returns:
        ``lon`` and ``lat``, null where there is no point.
    """
    raw = column.alias("raw").to_frame()
    found = None
    for order, endianness in ((b"\x01", "little"), (b"\x00", "big")):
        kind = _number(1, pl.UInt32, endianness)
        # PostGIS sets high bits (0x20000000: four bytes of reference follow), ISO adds thousands.
        flat = (kind & 0x0FFFFFFF) % 1000 == 1
        point = pl.col("raw").bin.starts_with(order) & flat
        moved = kind & 0x20000000 != 0
        one = raw.select(
            **{
                axis: pl.when(point).then(
                    pl.when(moved)
                    .then(_number(at + 4, pl.Float64, endianness))
                    .otherwise(_number(at, pl.Float64, endianness))
                    .fill_nan(None)
                )
                for axis, at in (("lon", 5), ("lat", 13))
            }
        )
        found = (
            one
            if found is None
            else found.select(
                pl.coalesce(pl.col(axis), one[axis]).alias(axis) for axis in ("lon", "lat")
            )
        )
    assert found is not None
    return {axis: found[axis] for axis in ("lon", "lat")}


def _number(at: int, dtype: type[pl.DataType], endianness: str) -> pl.Expr:
    size = 4 if dtype == pl.UInt32 else 8
    part = pl.col("raw").bin.slice(at, size)
    return part.bin.reinterpret(dtype=dtype, endianness=endianness)  # type: ignore[arg-type]

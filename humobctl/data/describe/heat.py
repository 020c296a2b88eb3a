"""Number of records by square of degrees, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

_MOST = 50_000
"""Maximum number of squares; beyond it, four become one."""
_DEGREES = 0.001


class HeatTally:
    """Counts positions by square; their order does not matter."""

    def __init__(self) -> None:
        self._side = _DEGREES
        self._squares = pl.DataFrame(schema={"i": pl.Int64, "j": pl.Int64, "rows": pl.Int64})

    def add(self, records: pl.DataFrame) -> None:
        """Take in records: lat and lon."""
        square = {
            name: (pl.col(axis) / _DEGREES).floor().cast(pl.Int64) // round(self._side / _DEGREES)
            for name, axis in (("i", "lat"), ("j", "lon"))
        }
        more = records.select(**square, rows=pl.lit(1, pl.Int64))
        self._squares = _sum(pl.concat([self._squares, more]), by=1)
        while self._squares.height > _MOST:
            self._squares = _sum(self._squares, by=2)
            self._side *= 2

    def heat(self) -> pl.DataFrame:
        """Middle of each square (lat, lon, degrees), its side (degrees) and its records (rows)."""
        middle = {
            axis: (pl.col(name) + 0.5) * self._side for axis, name in (("lat", "i"), ("lon", "j"))
        }
        return self._squares.sort("i", "j").select(**middle, side=pl.lit(self._side), rows="rows")


def _sum(squares: pl.DataFrame, by: int) -> pl.DataFrame:
    axes: Iterable[pl.Expr] = (pl.col(name) // by for name in ("i", "j"))
    return squares.group_by(axes).agg(pl.col("rows").sum())

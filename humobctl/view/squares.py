"""Tables that are too long to be drawn, counted in squares: what a map of densities shows.

Every record counts; nothing is drawn at random. A square is a cell; where they are too many, four
become one. Points are counted in squares of the map.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from humobctl.tables.grid import EARTH_RADIUS, Grid
from humobctl.tables.schemas import GRID, Table
from humobctl.view.rows import MINUTES_A_SLOT, ROWS

_FINEST = 8.0
"""Side of the smallest square of points, in metres of the map at the equator."""
_HOURS, _MIDDLE = 24, 1 << 22
"""Hours of a day, and what is added to the numbers of squares, so that a key of one is positive."""
_COARSEST = 22
"""Level at which the earth is a few squares."""
_MOST_NORTH = 85.05


@dataclass
class SquareTally:
    """Takes in batches of cells or points, and counts them by square and hour of the day.

    Attributes:
        kind: GRID or POINTS.
        most: squares by hour to keep; with more, four squares become one.
        level: how often that was done.
        rows: how many records there were.
    """

    kind: Table
    most: int
    level: int = 0
    rows: int = 0
    _users: set[Any] = field(default_factory=set)
    _waiting: list[pl.DataFrame] = field(default_factory=list)

    @property
    def users(self) -> int:
        """How many there were."""
        return len(self._users)

    def add(self, batch: pl.DataFrame) -> None:
        """Take in records of the table."""
        self.rows += batch.height
        self._users.update(batch["uid"].unique().to_list())
        hour = (
            pl.col("t").cast(pl.Int64) * MINUTES_A_SLOT // 60
            if self.kind is GRID
            else pl.col("datetime").dt.hour().cast(pl.Int64)
        )
        i, j = self._places()
        key = ((i + _MIDDLE) * 2 * _MIDDLE + j + _MIDDLE) * _HOURS + hour
        self._waiting.append(batch.select(key=key).group_by("key").len("rows"))
        if sum(one.height for one in self._waiting[1:]) > self.most:
            self._fold()

    def _fold(self) -> pl.DataFrame:
        """What was counted, as one table; squares become wider until it is short enough."""
        counts = pl.concat(self._waiting).group_by("key").agg(pl.col("rows").sum())
        while counts.height > self.most and self.level < _COARSEST:
            i, j, hour = _parts()
            half = ((i // 2 + _MIDDLE) * 2 * _MIDDLE + j // 2 + _MIDDLE) * _HOURS + hour
            counts = counts.group_by(half.alias("key")).agg(pl.col("rows").sum())
            self.level += 1
        self._waiting = [counts]
        return counts

    def frame(self, grid: Grid | None) -> pl.DataFrame:
        """``ROWS`` for each square and hour, whose value is the number of records.

        Args:
            grid: where cells lie; None for a bare grid.
        """
        i, j, hour = _parts()
        counts = self._fold().select(i.alias("i"), j.alias("j"), hour.alias("hour"), "rows")
        sides = 2**self.level
        across, up = ((pl.col(name) + 0.5) * sides for name in ("i", "j"))
        if self.kind is not GRID:
            north = (up * _FINEST / EARTH_RADIUS).exp().arctan() * 2 - np.pi / 2
            lat, lon = north.degrees(), (across * _FINEST / EARTH_RADIUS).degrees()
            label = pl.format("{}, {}", lat.round(5), lon.round(5))
        else:
            x, y = across + 0.5, up + 0.5
            lat, lon = (y, x) if grid is None else grid.centre(x, y)
            first = [pl.col(name) * sides + 1 for name in ("i", "j")]
            ends = [
                one if sides == 1 else pl.format("{}-{}", one, one + sides - 1) for one in first
            ]
            label = pl.format("{}, {}", *ends)
        known = {
            **{"lat": lat, "lon": lon, "label": label, "value": pl.col("rows")},
            **{"day": pl.lit(0), "start": pl.col("hour") * 60, "end": pl.col("hour") * 60 + 60},
        }
        return counts.sort("hour", "i", "j").select(
            (known[name].cast(dtype) if name in known else pl.lit(None, dtype)).alias(name)
            for name, dtype in ROWS.items()
        )

    def side(self, cell: float | None) -> float:
        """Side of a square in metres of the map; of cells, with that of one of them."""
        return 2.0**self.level * (_FINEST if cell is None else cell)

    def _places(self) -> Iterator[pl.Expr]:
        """Numbers of the squares to east and to north (of cells: in x and in y)."""
        if self.kind is GRID:
            axes = [pl.col("x").cast(pl.Int64) - 1, pl.col("y").cast(pl.Int64) - 1]
        else:
            north = pl.col("lat").clip(-_MOST_NORTH, _MOST_NORTH).radians()
            up = (north / 2 + np.pi / 4).tan().log()
            steps = (pl.col("lon").radians(), up)
            axes = [(one * EARTH_RADIUS / _FINEST).floor().cast(pl.Int64) for one in steps]
        for axis in axes:
            yield axis // 2**self.level


def _parts() -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """Numbers of the square and the hour of a key."""
    square = pl.col("key") // _HOURS
    i, j = square // (2 * _MIDDLE), square % (2 * _MIDDLE)
    return i - _MIDDLE, j - _MIDDLE, pl.col("key") % _HOURS

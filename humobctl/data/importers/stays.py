"""Stays from whatever tells where people were: visits, cells, check-ins, CoPB's traces.

What one stay is:

- visits, stay lists and traces: a row;
- grid trajectories: a run of rows of a day in one cell, from the start of its first half hour to
  the end of its last one; half hours without a row do not end it;
- points and check-ins: a point, or a run of points of a day at one place. It lasts until the next
  stay of the day begins, the day's last one until its own last point. Raw GPS tracks are refused:
  'data stays' finds their stays.

A place is a ``place_id``; where there is none, a cell, or a point to 1e-5 degrees (about 1 m).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.data.importers.copb import StayReader
from humobctl.data.importers.detect import recognise
from humobctl.data.importers.options import ImportOptions, Opened
from humobctl.data.importers.probe import InputProbe, look_at
from humobctl.data.importers.table_kind import kind_of
from humobctl.errors import HumobError
from humobctl.io.by_user import UserStore, paired_groups
from humobctl.io.parquet_dataset import is_other_folder
from humobctl.io.read import iter_table
from humobctl.io.row_errors import OnError
from humobctl.io.streams import open_input
from humobctl.native import Floats
from humobctl.tables.plane import Plane, kilometres_apart, plane_through
from humobctl.tables.schemas import (
    GRID,
    INTENTIONS,
    INTENTS,
    MASKED,
    POINTS,
    SLOTS_PER_DAY,
    VISITS,
)
from humobctl.tables.stays import UNKNOWN_INTENT, Stays

DAY_MINUTES = 24 * 60
SLOT_MINUTES = DAY_MINUTES // SLOTS_PER_DAY
FAR_KM = 200.0
"""A table whose middle is farther from the plane's centre gets a plane of its own."""
_DEGREE_STEPS = 1e5
_RAW_GAP = 600
"""Seconds between the points of a user, up to which they are fixes and no stays."""
_CODES = pl.Enum(INTENTS)
_COLUMNS = ("uid", "d", "start", "end", "place", "intent", "lat", "lon")


@dataclass(frozen=True)
class StayTable:
    """Stays as they were read, before they lie on a plane.

    Attributes:
        name: of the file.
        frame: uid (numbers from 0), d, start, end, place, intent, lat and lon, sorted by uid, d,
            start and end. Of cells, ``lat`` and ``lon`` are metres along y and x. Where it was
            asked for, also category, null where it is not known.
        cells: whether it was a grid trajectory.
    """

    name: str
    frame: pl.DataFrame
    cells: bool

    def plane(self) -> Plane | None:
        """The plane through the middle of its points; None for cells, which lie on one."""
        if self.cells:
            return None
        return plane_through(self.frame["lat"].to_numpy(), self.frame["lon"].to_numpy())

    def on(self, plane: Plane | None) -> Stays:
        """The stays on the plane of another table or its own.

        Raises:
            HumobError: points where cells are compared, or cells where points are.
        """
        if self.cells != (plane is None):
            found, expected = ("cells", "points") if self.cells else ("points", "cells")
            raise HumobError(
                f"{self.name}: found {found}, expected {expected} as in the reference; 'humobctl "
                "data import --grid' puts points on a grid, --cells-to-points takes cells off it"
            )
        uid, day, start, end, place, intent, north, east = (
            self.frame[name].to_numpy() for name in _COLUMNS
        )
        if plane is not None:
            east, north = self._metres(plane, north, east)
        return Stays(uid, day, start, end, place, east, north, intent)

    def _metres(self, plane: Plane, lat: Floats, lon: Floats) -> tuple[Floats, Floats]:
        """Metres on the plane, or far from its centre on a plane of its own, laid beside it."""
        own = plane_through(lat, lon)
        centre = np.array([own.lat]), np.array([own.lon])
        away = float(kilometres_apart(*centre, plane.lat, plane.lon)[0])
        if away <= FAR_KM:
            return plane.metres(lat, lon)
        report.warn(
            f"{self.name} lies {away:,.0f} km from the reference (around {own.lat:.2f}, "
            f"{own.lon:.2f} and {plane.lat:.2f}, {plane.lon:.2f}): is it the right city, and are "
            "latitude and longitude not swapped? (each is measured on a plane of its own)"
        )
        (east,), (north,) = plane.metres(*centre)
        own_east, own_north = own.metres(lat, lon)
        return own_east + east, own_north + north


def read_stays(
    path: str,
    *,
    cell_km: float = 0.5,
    on_error: OnError = "fail",
    places: str | None = None,
    categories: bool = False,
) -> StayTable:
    """Read a file or folder as stays.

    Args:
        path: visits, a stay list, a grid or point trajectory, check-ins or CoPB's traces, in any
            format that ``data import`` reads; ``-`` for standard input.
        cell_km: side of a cell of a grid trajectory.
        on_error: stop at the first faulty row, or drop faulty rows and say how many.
        places: a table of place_id, lat and lon for traces that name places by id only.
        categories: keep the categories of places, too.

    Raises:
        HumobError: it cannot be read, holds a fault or no places (intentions), or has masked cells.
    """
    name = "stdin" if path == "-" else path
    kind = kind_of(path)
    if kind is INTENTIONS:
        raise HumobError(
            f"{name}: found intentions, which have no places, expected visits or trajectories"
        )
    if kind is GRID:
        frame = _sort_stays(pl.concat(list(_runs_of_cells(path, name, cell_km, on_error))))
    else:
        options = ImportOptions(on_error=on_error, places=places, categories=categories)
        frame = _read_others(path, name, options)
    if categories and "category" not in frame.columns:
        frame = frame.with_columns(category=pl.lit(None, pl.String))
    return StayTable(name, frame, kind is GRID)


def iter_visits(path: str, on_error: OnError) -> Iterator[pl.DataFrame]:
    """Batches of a visit table, or of a stay list: one without d or with parts of minutes."""
    source = open_input(path)
    try:
        options = ImportOptions(on_error=on_error)
        yield from StayReader(source, VISITS, on_error, options=options).batches()
    finally:
        source.close()


def _sort_stays(frame: pl.DataFrame) -> pl.DataFrame:
    """People numbered from 0 in the order of their uid, days and stays in their order."""
    keys = ["uid", "d", "start", "end"]
    return frame.sort(keys, maintain_order=True).with_columns(uid=pl.col("uid").rle_id().cast(int))


# -- cells --------------------------------------------------------------------------------------


def _runs_of_cells(
    path: str, name: str, cell_km: float, on_error: OnError
) -> Iterator[pl.DataFrame]:
    metres = 1000.0 * cell_km
    run = pl.struct("uid", "d", "x", "y").rle_id().alias("run")
    with UserStore() as store:
        store.collect(iter_table(path, GRID, on_error=on_error))
        for (group,) in paired_groups([store]):
            _refuse_masked(group, name)
            yield (
                group.group_by(run, maintain_order=True)
                .agg(
                    pl.col("uid", "d", "x", "y").first(),
                    start=pl.col("t").first().cast(pl.Int32) * SLOT_MINUTES,
                    end=(pl.col("t").last().cast(pl.Int32) + 1) * SLOT_MINUTES,
                )
                .select(
                    pl.col("uid").cast(pl.Int64),
                    pl.col("d").cast(pl.Int32),
                    "start",
                    "end",
                    place=pl.col("x").cast(pl.Int64) * (1 << 16) + pl.col("y"),
                    intent=pl.lit(UNKNOWN_INTENT, pl.Int8),
                    lat=pl.col("y") * metres,
                    lon=pl.col("x") * metres,
                )
            )


def _refuse_masked(frame: pl.DataFrame, name: str) -> None:
    masked = frame.filter(pl.col("x") == MASKED)
    if masked.height:
        raise HumobError(
            f"{name}: found masked cells ({MASKED}), the first at (uid, d, t) = "
            f"{masked.row(0)[:3]}, expected cells; fill them with 'humobctl predict'"
        )


# -- points and visits --------------------------------------------------------------------------


def _read_others(path: str, name: str, options: ImportOptions) -> pl.DataFrame:
    if is_other_folder(path):
        opened = recognise(InputProbe(path, folder=Path(path)), options)[1]
        return _read_opened(opened, name, options.categories)
    source = open_input(path)
    try:
        opened = recognise(look_at(source), options)[1]
        return _read_opened(opened, name, options.categories)
    finally:
        source.close()


def _read_opened(opened: Opened, name: str, categories: bool) -> pl.DataFrame:
    points = opened.table.name == POINTS.name
    if not points and opened.table.name != VISITS.name:
        raise HumobError(f"{name}: found a {opened.table.name} table, expected visits or points")
    unknown: list[pl.Series] = []
    slim = _slim_points if points else _slim_visits
    frame = pl.concat(
        [
            slim(batch if categories else batch.drop("category", strict=False), unknown)
            for batch in opened.batches
        ]
    )
    for note in opened.notes:
        report.info(f"{name}: {note} (as 'humobctl data import' reads it)")
    if unknown:
        others = pl.concat(unknown)
        report.warn(
            f"{name}: {pluralize(len(others), 'stay')} with an intent that is not one of the "
            f"twelve (such as {others[0]!r}): counted as without an intent"
        )
    return _runs_of_points(frame, name) if points else _sort_stays(frame)


def _place() -> pl.Expr:
    """Numbers of places: hashes of 64 bits, so that nothing has to be kept over the batches."""
    point = pl.struct(*((pl.col(c) * _DEGREE_STEPS).round().cast(pl.Int64) for c in ("lat", "lon")))
    known = pl.col("place_id").is_not_null()
    hashed = pl.when(known).then(pl.col("place_id").hash()).otherwise(point.hash())
    return hashed.reinterpret(signed=True).alias("place")


def _slim_visits(batch: pl.DataFrame, unknown: list[pl.Series]) -> pl.DataFrame:
    intent = batch["intent"].cast(_CODES, strict=False)
    lost = batch["intent"].filter(intent.is_null() & batch["intent"].is_not_null())
    if len(lost):
        unknown.append(lost)
    return batch.select(
        pl.col("uid").cast(pl.Int64),
        pl.col("d").cast(pl.Int32),
        pl.col("start_min").cast(pl.Int32).alias("start"),
        pl.col("end_min").cast(pl.Int32).alias("end"),
        _place(),
        intent.to_physical().cast(pl.Int8).fill_null(UNKNOWN_INTENT).alias("intent"),
        "lat",
        "lon",
        *_categories(batch),
    )


def _slim_points(batch: pl.DataFrame, _: list[pl.Series]) -> pl.DataFrame:
    named = pl.col("place_id").is_not_null().alias("named")
    return batch.select("uid", "datetime", _place(), "lat", "lon", named, *_categories(batch))


def _categories(frame: pl.DataFrame) -> list[str]:
    return [name for name in frame.columns if name == "category"]


def _refuse_raw_points(frame: pl.DataFrame, name: str) -> None:
    """Fixes every few minutes, none of which names a place, are not stays."""
    if frame["named"].any():
        return
    same = pl.col("uid") == pl.col("uid").shift(1)
    gap = pl.col("datetime").diff().dt.total_seconds().filter(same).median()
    seconds = frame.sort("uid", "datetime").select(gap).item()
    if seconds is not None and seconds <= _RAW_GAP:
        raise HumobError(
            f"{name}: found points {seconds / 60:.3g} min apart without place_id, which look like "
            "raw GPS fixes, expected stays; find them with 'humobctl data stays', or put the "
            "points on a grid ('humobctl data import --grid', then 'eval --generated')"
        )


def _runs_of_points(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Stays of points: runs at one place that last until the next one begins."""
    _refuse_raw_points(frame, name)
    date, minute = pl.col("datetime").dt.date(), pl.col("datetime").dt
    timed = frame.sort("uid", "datetime", maintain_order=True).with_columns(
        d=(date - date.min()).dt.total_days().cast(pl.Int32),
        start=minute.hour().cast(pl.Int32) * 60 + minute.minute().cast(pl.Int32),
    )
    run = pl.struct("uid", "d", "place").rle_id().alias("run")
    runs = timed.group_by(run, maintain_order=True).agg(
        pl.col("uid", "d", "start", "place", "lat", "lon", *_categories(timed)).first(),
        end=pl.col("start").last(),
    )
    same = (pl.struct("uid", "d") == pl.struct("uid", "d").shift(-1)).fill_null(False)
    lasting = runs.with_columns(
        end=pl.when(same).then(pl.col("start").shift(-1)).otherwise("end"),
        intent=pl.lit(UNKNOWN_INTENT, pl.Int8),
    )
    return _sort_stays(lasting.select(*_COLUMNS, *_categories(timed)))

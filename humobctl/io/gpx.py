"""GPX 1.1: points of users as tracks, trips as a track each, visits and places as waypoints.

Times with a zone become UTC, as GPX has them; local times are written as they are, without a Z.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, BinaryIO

import polars as pl

from humobctl.console import report
from humobctl.errors import UsageError
from humobctl.io.geojson import slices
from humobctl.io.geometry import Shape

_BEGIN = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<gpx version="1.1" creator="humobctl" xmlns="http://www.topografix.com/GPX/1/1">\n'
)
_END = "</gpx>\n"
_TRACK, _TRACK_END = "<trk><name>{}</name><trkseg>\n", "</trkseg></trk>\n"
_WAYPOINT = {
    "time": ("started_at",),
    "name": ("name", "place_id", "area_id"),
    "desc": ("uid",),
    "type": ("intent", "category"),
}
"""What stands in a waypoint, in the order of the format, and the columns that may say it."""
_NO_TEXT = r"[^\t\n\r\x20-\x{D7FF}\x{E000}-\x{FFFD}\x{10000}-\x{10FFFF}]"
"""Characters that XML does not have."""


def write_gpx(batches: Iterable[pl.DataFrame], shape: Shape, sink: BinaryIO) -> None:
    """Write points and trips as tracks, visits and places as waypoints.

    Columns that GPX has no place for are named on standard error.
    """
    writer: _UserTracks | _TripTracks | _Waypoints | None = None
    for batch in slices(batches):
        if writer is None:
            writer = _writer(batch.columns, shape)
            lost = [c for c in batch.columns if c not in {*writer.used, *shape.columns}]
            if lost:
                report.info(f"left out columns that GPX cannot hold: {', '.join(lost)}")
            if any(isinstance(k, pl.Datetime) and not k.time_zone for k in batch.schema.values()):
                report.info(
                    "wrote local times, which readers of GPX take for UTC ('humobctl data export "
                    "--timezone' converts them)"
                )
            sink.write(_BEGIN.encode())
        sink.write(writer.text(_utc(batch)).encode())
    sink.write((_BEGIN + _END if writer is None else writer.end + _END).encode())


def check_gpx(columns: Collection[str], shape: Shape, name: str | None) -> None:
    """Refuse what GPX has no place for.

    Raises:
        UsageError: polygons, or lines that no user moves along.
    """
    if shape.kind != "Point" and "started_at" not in columns:
        raise UsageError(
            f"{name or 'standard output'}: found columns {', '.join(columns)}, expected points, "
            "trips, visits or places; geojson, geoparquet, flatgeobuf and geopackage hold "
            "other geometries"
        )


def _writer(columns: list[str], shape: Shape) -> _UserTracks | _TripTracks | _Waypoints:
    if shape.kind != "Point":
        return _TripTracks(shape)
    return _UserTracks() if {"uid", "datetime"} <= set(columns) else _Waypoints(columns)


def _utc(batch: pl.DataFrame) -> pl.DataFrame:
    """Times as text, in UTC where they have a zone."""
    zoned = [
        pl.col(name).dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
        if dtype.time_zone
        else pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.f")
        for name, dtype in batch.schema.items()
        if isinstance(dtype, pl.Datetime)
    ]
    return batch.with_columns(zoned)


def _escape(text: pl.Expr) -> pl.Expr:
    safe = text.cast(pl.String).str.replace_all(_NO_TEXT, "")
    for mark, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        safe = safe.str.replace_all(mark, entity, literal=True)
    return safe


def _element(name: str, text: pl.Expr) -> pl.Expr:
    return pl.concat_str(pl.lit(f"<{name}>"), text, pl.lit(f"</{name}>")).fill_null("")


def _point(name: str) -> tuple[pl.Expr, ...]:
    return pl.lit(f'<{name} lat="'), pl.col("lat"), pl.lit('" lon="'), pl.col("lon"), pl.lit('">')


def _join(lines: pl.Series) -> str:
    return "".join(lines.to_list())


class _UserTracks:
    """Points as tracks: a new one wherever the user changes."""

    used: tuple[str, ...] = ("uid", "datetime")

    def __init__(self) -> None:
        self._last: Any = None

    @property
    def end(self) -> str:
        return "" if self._last is None else _TRACK_END

    def text(self, batch: pl.DataFrame) -> str:
        before = pl.col("uid").shift(1, fill_value=pl.lit(self._last, batch.schema["uid"]))
        head = _TRACK.split("{}")
        new = pl.concat_str(
            pl.when(before.is_null()).then(pl.lit("")).otherwise(pl.lit(_TRACK_END)),
            pl.lit(head[0]),
            _escape(pl.col("uid")),
            pl.lit(head[1]),
        )
        self._last = batch["uid"][-1]
        lines = batch.select(
            pl.concat_str(
                pl.when(before.ne_missing(pl.col("uid"))).then(new).otherwise(pl.lit("")),
                *_point("trkpt"),
                _element("time", pl.col("datetime")),
                pl.lit("</trkpt>\n"),
            )
        )
        return _join(lines.to_series())


class _Waypoints:
    """Visits, places and other points as waypoints."""

    end = ""

    def __init__(self, columns: list[str]) -> None:
        self._says = {
            name: next((one for one in may if one in columns), None)
            for name, may in _WAYPOINT.items()
        }
        self.used = tuple(one for one in self._says.values() if one is not None)

    def text(self, batch: pl.DataFrame) -> str:
        said = [
            _element(name, _escape(pl.col(column)))
            for name, column in self._says.items()
            if column is not None
        ]
        lines = batch.select(pl.concat_str(*_point("wpt"), *said, pl.lit("</wpt>\n")))
        return _join(lines.to_series())


class _TripTracks:
    """Trips as a track each, with the times of the first and the last point."""

    end = ""
    used: tuple[str, ...] = ("uid", "trip", "leg", "started_at", "finished_at")

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def text(self, batch: pl.DataFrame) -> str:
        import shapely  # noqa: PLC0415 - only for files of geometries

        names = [name for name in ("uid", "trip", "leg") if name in batch.columns]
        rows = batch.select(
            pl.concat_str(map(_escape, map(pl.col, names)), separator=" ", ignore_nulls=True),
            "started_at",
            "finished_at",
        ).rows()
        parts = []
        for (name, start, end), line in zip(rows, self._shape.make(batch), strict=True):
            points = [] if line is None else shapely.get_coordinates(line).tolist()
            times = [start, *[None] * (len(points) - 2), end]
            parts += [_TRACK.format(name), *map(_track_point, points, times), _TRACK_END]
        return "".join(parts)


def _track_point(point: list[float], time: str | None) -> str:
    stamp = "" if time is None else f"<time>{time}</time>"
    return f'<trkpt lat="{point[1]}" lon="{point[0]}">{stamp}</trkpt>\n'

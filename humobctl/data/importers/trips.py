"""Trips and trip legs: trackintel's triplegs and trips, and those of ``data stays``.

Sources of the names: trackintel's triplegs (``user_id``, ``started_at``, ``finished_at``, ``geom``,
``trip_id``, ``mode``) and trips (``origin_staypoint_id``, ``destination_staypoint_id``, ``geom`` of
both ends, ``destination_purpose``, ``primary_mode``).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from humobctl.data.importers.delimited import Batch
from humobctl.data.importers.import_reader import ImportReader
from humobctl.data.importers.options import ImportOptions, Opened
from humobctl.data.importers.places.mapping import VOCABULARIES, Mapping, mapping_for
from humobctl.data.importers.points import PointReader
from humobctl.data.importers.probe import InputProbe
from humobctl.data.importers.timed_stays import intents_of_purposes
from humobctl.errors import HumobError
from humobctl.io.geometry import Geometries
from humobctl.io.row_errors import LineNumbers
from humobctl.native import Floats, Int64s
from humobctl.tables.column_names import plain
from humobctl.tables.id_text import id_text
from humobctl.tables.plane import kilometres_apart
from humobctl.tables.schemas import TRIP_LEGS, TRIPS

_MOMENTS = {"started_at": "datetime", "finished_at": "leave"}
_WHEN = ("uid", *_MOMENTS.values())
_ENDS = tuple(f"{end}_{axis}" for end in ("origin", "destination") for axis in ("lon", "lat"))
_LINE, _POINTS = 1, 4
"""shapely's numbers of the types LineString and MultiPoint."""
STAYPOINT_TRIPS = {"originstaypointid", "destinationstaypointid"}


@dataclass
class WayReader(PointReader):
    """Reads trips or trip legs.

    Attributes:
        names: column -> its names in files, the best first.
        counts: user -> how many rows were numbered so far, where the file has no numbers.
    """

    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @functools.cached_property
    def mapping(self) -> Mapping:
        """Categories and intents, the user's own first."""
        return mapping_for(self.options.mapping, *VOCABULARIES)

    def _roles(self, frame: pl.DataFrame) -> dict[str, str]:
        found = super()._roles(frame)
        if not found.keys() >= set(_WHEN):
            raise HumobError(
                f"{self.source.name}: found columns {', '.join(frame.columns)}, expected user_id, "
                "started_at and finished_at; --columns NAME=started_at names one"
            )
        found |= {name: found[role] for name, role in _MOMENTS.items()}
        theirs = {plain(name): name for name in frame.columns}
        theirs |= {plain(new): old for old, new in self.options.columns.items() if new}
        for role, known in self.names.items():
            best = next((theirs[name] for name in known if name in theirs), None)
            found.pop(role, None)
            if best is not None:
                found[role] = best
        return found

    def _rename_columns(self, frame: pl.DataFrame) -> pl.DataFrame:
        self.found = self.found or self._find(frame)
        wanted = (*self.table.columns, "geom")
        named = {name: frame[self.found[name]] for name in wanted if name in self.found}
        for name in {"uid", "origin", "destination", "mode"} & named.keys():
            named[name] = id_text(named[name])
        if "intent" in named:
            named["intent"] = intents_of_purposes(named["intent"], self.mapping)
        return self._number_rows(pl.DataFrame(named))

    def _number_rows(self, frame: pl.DataFrame) -> pl.DataFrame:
        """With numbers of a user's trips or legs, where the file has none."""
        number = self.table.key[1]
        if number in frame.columns:
            return frame
        before = frame["uid"].replace_strict(self.counts, default=0, return_dtype=pl.Int64)
        frame = frame.with_columns((pl.int_range(pl.len()).over("uid") + before).alias(number))
        self.counts |= dict(frame.group_by("uid").agg(pl.col(number).max() + 1).iter_rows())
        return frame

    def _cast(self, frame: pl.DataFrame, places: LineNumbers) -> Batch:
        for column in _MOMENTS:
            if frame.height:
                frame, places = self._localize_times(frame, places, column)
        frame, places = self._with_ways(frame, places)
        lasts = (pl.col("finished_at") - pl.col("started_at")).dt.total_microseconds() / 60e6
        known = {"duration_min": lasts, **{name: pl.col(name) for name in frame.columns}}
        columns = [known.get(name, pl.lit(None)).alias(name) for name in self.table.columns]
        return ImportReader._cast(self, frame.select(columns), places)

    def _with_ways(self, frame: pl.DataFrame, places: LineNumbers) -> Batch:
        """With what geometries say, where the file has no columns for it."""
        raise NotImplementedError

    def _shapes(
        self, frame: pl.DataFrame, places: LineNumbers, kind: int, expected: str
    ) -> tuple[pl.DataFrame, LineNumbers, Geometries]:
        """The rows whose geometry is of a kind and in degrees, and these geometries.

        Raises:
            TableError: a geometry is not (on_error="fail").
        """
        import shapely  # noqa: PLC0415 - only for trips with geometries

        texts = frame["geom"]
        if texts.dtype not in (pl.String, pl.Binary):
            raise self.wrong_type(texts, f"text such as {expected}, or WKB")
        read = shapely.from_wkb if texts.dtype == pl.Binary else shapely.from_wkt
        shapes = np.asarray(read(texts.to_list(), on_invalid="ignore"))
        west, south, east, north = np.nan_to_num(shapely.bounds(shapes), nan=np.inf).T
        of_kind = (shapely.get_type_id(shapes) == kind) & (
            (shapely.get_num_geometries(shapes) == 2) | (kind == _LINE)
        )
        known = texts.is_not_null().to_numpy() | ("distance_m" not in frame.columns)
        bad = known & ~(of_kind & (west >= -180) & (south >= -90) & (east <= 180) & (north <= 90))
        frame, places = self.refuse(pl.Series(bad), frame, places, "geom", expected)
        return frame, places, shapes[~bad]


class LegReader(WayReader):
    """Reads trip legs."""

    def _with_ways(self, frame: pl.DataFrame, places: LineNumbers) -> Batch:
        if "geom" not in frame.columns:
            return frame, places
        expected = "LINESTRING (longitude latitude, ...) in degrees"
        frame, places, lines = self._shapes(frame, places, _LINE, expected)
        metres, points = way_lengths(lines)
        new = {
            "line": pl.Series(_wkt(lines), dtype=pl.String),
            "distance_m": pl.Series(metres),
            "points": pl.Series(points),
        }
        return _with_absent(frame, **new), places


class TripReader(WayReader):
    """Reads trips."""

    def _with_ways(self, frame: pl.DataFrame, places: LineNumbers) -> Batch:
        if not set(_ENDS) <= set(frame.columns):
            import shapely  # noqa: PLC0415 - only for trips with geometries

            expected = "MULTIPOINT (longitude latitude, longitude latitude) in degrees"
            if "geom" not in frame.columns:
                raise HumobError(
                    f"{self.source.name}: found trips without a geometry, expected {expected} in "
                    "a column geom, as trackintel's generate_trips gives it"
                )
            frame, places, ends = self._shapes(frame, places, _POINTS, expected)
            pairs = shapely.get_coordinates(ends).reshape(-1, 4)
            frame = frame.with_columns(pl.Series(n, pairs[:, at]) for at, n in enumerate(_ENDS))
        elif "geom" in frame.columns and "line" not in frame.columns:
            frame, places, lines = self._shapes(frame, places, _LINE, "a line in degrees, as WKB")
            frame = frame.with_columns(line=pl.Series(_wkt(lines), dtype=pl.String))
        if self.found.get("origin") and plain(self.found["origin"]) in STAYPOINT_TRIPS:
            self._note(
                "origin and destination are ids of staypoints, each of one stay: no trip is seen "
                "to end where it began"
            )
        if "distance_m" in frame.columns:
            return _with_absent(frame, points=pl.lit(2)), places
        self._note("distance_m is that of a straight line")
        numbers = frame.select(pl.col(_ENDS).cast(pl.Float64, strict=False))
        lon, lat, lon0, lat0 = (numbers[name].to_numpy() for name in _ENDS)
        metres = pl.Series(kilometres_apart(lat, lon, lat0, lon0) * 1000)
        return _with_absent(frame, distance_m=metres, points=pl.lit(2)), places

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _wkt(lines: Geometries) -> list[str]:
    import shapely  # noqa: PLC0415 - only for trips with geometries

    texts: list[str] = shapely.to_wkt(lines, rounding_precision=-1).tolist()
    return texts


def way_lengths(lines: Geometries) -> tuple[Floats, Int64s]:
    """Metres through the points of each line, and how many points it has."""
    import shapely  # noqa: PLC0415 - only for legs with geometries

    (lon, lat), of = (part.T for part in shapely.get_coordinates(lines, return_index=True))
    same = of[1:] == of[:-1]
    steps = kilometres_apart(lat[1:], lon[1:], lat[:-1], lon[:-1]) * 1000
    metres: Floats = np.bincount(of[1:][same], steps[same], len(lines)).astype(np.float64)
    return metres, np.bincount(of, minlength=len(lines)).astype(np.int64)


def _with_absent(frame: pl.DataFrame, **columns: pl.Series | pl.Expr) -> pl.DataFrame:
    """A frame with those of the columns that it does not have."""
    return frame.with_columns(**{n: c for n, c in columns.items() if n not in frame.columns})


# -- what they are recognised by ------------------------------------------------------------------


def is_trips(look: InputProbe, options: ImportOptions) -> bool:
    """Whether the columns are those of trips."""
    names = _plain_names(look, options)
    ends = {plain(name) for name in _ENDS}
    return look.has(options, *_WHEN) and (names >= STAYPOINT_TRIPS or names >= ends)


def is_legs(look: InputProbe, options: ImportOptions) -> bool:
    """Whether the columns are those of trip legs, or a geometry in text is a line."""
    if not look.has(options, *_WHEN):
        return False
    names = _plain_names(look, options)
    return b"LINESTRING" in look.head or names >= {"leg", "distancem"}


def _plain_names(look: InputProbe, options: ImportOptions) -> set[str]:
    return {plain(options.columns.get(name) or name) for name in look.columns or ()}


def read_trips(look: InputProbe, options: ImportOptions) -> Opened:
    """The trips of a table."""
    names = {
        **{"trip": ("trip", "id"), "mode": ("mode", "primarymode")},
        "origin": ("origin", "originstaypointid"),
        "destination": ("destination", "destinationstaypointid"),
        "intent": ("intent", "destinationpurpose"),
        **{
            name: (plain(name),)
            for name in (*_ENDS, "distance_m", "duration_min", "points", "line")
        },
    }
    return _open(
        TripReader(look.file("trips"), TRIPS, options.on_error, names=names), look, options
    )


def read_legs(look: InputProbe, options: ImportOptions) -> Opened:
    """The trip legs of a table."""
    names = {
        **{"leg": ("leg", "id"), "trip": ("trip", "tripid"), "mode": ("mode",)},
        **{name: (plain(name),) for name in ("distance_m", "points", "line")},
    }
    return _open(
        LegReader(look.file("legs"), TRIP_LEGS, options.on_error, names=names), look, options
    )


def _open(reader: WayReader, look: InputProbe, options: ImportOptions) -> Opened:
    reader.options = options
    reader.with_header(look)
    words = f"{reader.table.name}s"
    return Opened(reader.table, reader.batches(), words, reader.notes, reader.dropped, reader.users)

"""What CoPB (Chain-of-Planned-Behaviour, Shao et al. 2024) reads and writes.

Formats, as its published scripts use them: stay lists ``{user: [[start, end, ?, place, (lon,
lat)], ...]}`` with times as parts of a day; traces ``[[intent, "(HH:MM, HH:MM)", [name, place
id]], ...]``, one JSON file a person, without coordinates; pickled data sets of data frames,
``{user: [a frame a day, ...]}`` (Foursquare) or ``[frame, ...]`` (Tencent, ChinaMobile: one
person-day each, 144 rows of ten minutes where there is no time column).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sized
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from humobctl.data.importers import pickles
from humobctl.data.importers.copb_data import SPAN
from humobctl.data.importers.delimited import Batch
from humobctl.data.importers.extra_columns import SeparatedReader
from humobctl.data.importers.nights import DAY_MINUTES, VisitReader
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.places.geojson import Features
from humobctl.data.importers.points import UNDATED, PointReader
from humobctl.data.importers.user_ids import number_names
from humobctl.errors import HumobError, TableError
from humobctl.io.output_lock import note_input
from humobctl.io.read import BATCH_ROWS, read_table
from humobctl.io.row_errors import Dropped, LineNumbers
from humobctl.io.size_limits import parse_json
from humobctl.io.streams import Input, clear_os_errors, clear_read_errors
from humobctl.tables.column_names import ROLES, plain, roles
from humobctl.tables.id_text import PADDING
from humobctl.tables.schemas import PLACES, POINTS, VISITS

BY_LINE = re.compile(rb"\s*\[[^\n]*\]\s*\n\s*\[")
"""Two JSON arrays, each on its line."""
_OFFSET = r"\s*(?:Z|[+-]\d\d:?\d\d)$"


MOMENTS = ("started_at", "finished_at")
"""The columns of moments of a whole stay, in visits that have them."""

# -- stays as a table -------------------------------------------------------------------------


@dataclass
class StayReader(SeparatedReader, VisitReader):
    """Stays with their minutes as a visit table: minutes are rounded, d and seq filled in.

    Attributes:
        counted: rows so far of each user's days.
        features: the file is GeoJSON.
    """

    counted: dict[tuple[Any, Any], int] = field(default_factory=dict)
    features: bool = False

    def _parse(self) -> Iterator[Batch]:
        if not self.features:
            yield from super()._parse()
            return
        found = Features(
            self.source,
            lambda name: (
                name in self.options.columns or plain(name) in (*ROLES, *self.table.columns)
            ),
            self.on_error,
            self.dropped,
            points=True,
        )
        for frame, places in found.frames():
            yield self._cast(self._rename_columns(frame), places)

    def _rename_columns(self, frame: pl.DataFrame) -> pl.DataFrame:
        found = roles(frame.columns, self.options.columns, self.source.name)
        if "geom" in found and not {"lat", "lon"} <= found.keys():
            frame = frame.with_columns(**self.split_geometry(frame[found["geom"]]))
            found |= {"lat": "lat", "lon": "lon"}
        found |= {name: name for name in MOMENTS if name in frame.columns}
        table = self.table
        lacking = [n for n in table.columns if n not in (*found, "d", "seq", *table.optional)]
        if lacking:
            points = {"datetime", "lat", "lon"} <= found.keys()
            remedy = "; find stays in points with 'humobctl data stays'" if points else ""
            raise HumobError(
                f"{self.source.name}: found columns {', '.join(frame.columns)}, expected those of "
                f"a visit table (missing: {', '.join(lacking)}){remedy}"
            )
        fill = {"d": pl.lit(0, pl.Int16), "seq": pl.lit(0, pl.Int16)}
        named = frame.select(
            (pl.col(found[name]) if name in found else fill.get(name, pl.lit(None))).alias(name)
            for name in table.columns
        )
        named = named.with_columns(
            _whole(named.schema[name], name) for name in ("start_min", "end_min")
        )
        return named if "seq" in found else self._number_rows(named)

    def _number_rows(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The order of the rows as seq, over the batches."""
        keys = ["uid", "d"]
        before = [self.counted.get(key, 0) for key in frame.select(keys).iter_rows()]
        number = pl.int_range(pl.len()).over(keys)
        out = frame.with_columns(seq=number + pl.Series(before, dtype=pl.Int64))
        for uid, day, count in frame.group_by(keys).len().iter_rows():
            self.counted[uid, day] = self.counted.get((uid, day), 0) + count
        return out


def _whole(dtype: pl.DataType, name: str) -> pl.Expr:
    column = pl.col(name)
    if dtype != pl.String:
        return column.round() if dtype.is_float() else column
    number = column.str.strip_chars(PADDING).cast(pl.Float64, strict=False)
    minute = number.round().cast(pl.Int64, strict=False).cast(pl.String)
    return pl.coalesce(minute, column)  # what is not a number stays, and is reported


# -- stays and traces as JSON or pickled lists ------------------------------------------------


def load_json(source: Input) -> Any:
    """A whole JSON document; of one a line, a dict of them by the number of the line.

    Raises:
        HumobError: broken JSON.
    """
    with clear_read_errors(source.name):
        payload = source.stream.read()
    try:
        if BY_LINE.match(payload) is None:
            return parse_json(payload)
        lines = payload.decode(errors="replace").splitlines()
        return {str(at): parse_json(line) for at, line in enumerate(lines, 1) if line.strip()}
    except ValueError as exc:
        raise HumobError(
            f"{source.name}: found broken JSON ({exc}), expected a whole file"
        ) from exc


def trace_folder(folder: Path) -> dict[str, Any]:
    """The traces of all ``.json`` files of a folder, by file name, in natural order."""

    def natural(path: Path) -> list[tuple[int, str]]:
        parts = re.findall(r"\d+|\D+", str(path.relative_to(folder)))
        return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]

    people: dict[str, Any] = {}
    for path in sorted(folder.rglob("*.json"), key=natural):
        with clear_os_errors(str(path)):
            note_input(path, str(path))
            text = path.read_text(encoding="utf-8", errors="replace")
        try:
            people[str(path)] = parse_json(text)
        except ValueError as exc:
            raise HumobError(f"{path}: found broken JSON ({exc}), expected a whole file") from exc
    if not people:
        raise HumobError(f"{folder}: found no .json file, expected CoPB's traces")
    return people


def is_people(value: Any) -> bool:
    """Whether this is a stay list or trace, or many of them."""
    person = _first(_first(value)) if isinstance(value, dict) else _first(value)
    if _is_item(person):
        return True
    return isinstance(value, list) and _is_item(_first(person))


def kind_of(value: Any) -> str:
    """Traces or stay lists, in words; the first item tells."""
    person = _first(value)
    item = person if _is_item(person) else _first(person)
    return "traces" if isinstance(_first(item), str) else "stay lists"


def _first(value: Any) -> Any:
    if isinstance(value, dict):
        # An array has no truth of its own.
        return next((v for v in value.values() if not isinstance(v, Sized) or len(v)), None)
    return value[0] if isinstance(value, list | tuple) and value else None


def _is_item(item: Any) -> bool:
    return (
        isinstance(item, list | tuple)
        and len(item) >= 3
        and (isinstance(item[0], str) or _number(item[0]) is not None)
        and not isinstance(item[1], list | dict)
    )


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, str | bool) else float(value)
    except (TypeError, ValueError):
        return None


@dataclass
class CopbPeople:
    """Stay lists and traces of several people as visits.

    Attributes:
        source: the file's name.
        value: a person's list, a list of such lists, or a dict by name.
        options: what to do with faults, and the place table.
    """

    source: str
    value: Any
    options: ImportOptions
    dropped: Dropped = field(default_factory=Dropped)
    users: list[tuple[int, str]] = field(default_factory=list)

    def frame(self) -> pl.DataFrame:
        """Raw visits, with nulls for places that have no coordinates.

        Raises:
            HumobError: an item of another form.
        """
        by_name = self.value
        if not isinstance(by_name, dict):
            many = not _is_item(_first(self.value))
            by_name = {
                str(i): person for i, person in enumerate(self.value if many else [self.value])
            }
        self.users = number_names([str(name) for name in by_name])
        rows: list[dict[str, Any]] = []
        for (uid, name), person in zip(self.users, by_name.values(), strict=True):
            rows.extend(self._person(uid, name, person))
        schema = {name: VISITS.dtypes[name] for name in VISITS.columns}
        schema |= {"uid": pl.Int64(), "start_min": pl.Float64(), "end_min": pl.Float64()}
        frame = pl.DataFrame(rows, schema=schema, strict=False)
        stays = pl.col("intent").is_null()
        ends = frame.filter(stays)["end_min"].max()
        if ends is not None and float(ends) <= 1:  # type: ignore[arg-type]
            scale = pl.when(stays).then(DAY_MINUTES).otherwise(1)
            frame = frame.with_columns(pl.col("start_min", "end_min") * scale)
        return self._locate_stays(frame.with_columns(pl.col("start_min", "end_min").round()))

    def _person(self, uid: int, name: str, person: Any) -> Iterator[dict[str, Any]]:
        source = name if name.endswith(".json") else f"{self.source}, user {name}"
        for seq, item in enumerate(person if isinstance(person, list | tuple) else [person]):
            try:
                yield {"uid": uid, "d": 0, "seq": seq, **_visit(item)}
            except (ValueError, TypeError, IndexError, KeyError):
                error = TableError(
                    source,
                    _shorten(item),
                    "[intent, (HH:MM, HH:MM), place] or [start, end, ..., place, (lon, lat)]",
                    row=seq + 1,
                )
                if self.options.on_error == "fail":
                    raise error from None
                self.dropped.add("of another form", error)

    def _locate_stays(self, frame: pl.DataFrame) -> pl.DataFrame:
        bare = frame.filter(pl.col("lat").is_null())
        if bare.is_empty():
            return frame
        first = bare["place_id"][0]
        if self.options.places is None:
            raise HumobError(
                f"{self.source}: found places by id only (the first is {first}), expected their "
                "coordinates: give a table of place_id, lat, lon with --places"
            )
        known = read_table(self.options.places, PLACES).select(
            "place_id", known_lat="lat", known_lon="lon"
        )
        placed = frame.join(
            known.unique("place_id", keep="first", maintain_order=True),
            on="place_id",
            how="left",
            maintain_order="left",
        ).with_columns(lat=pl.coalesce("lat", "known_lat"), lon=pl.coalesce("lon", "known_lon"))
        lost = placed.filter(pl.col("lat").is_null())
        if not lost.is_empty():
            error = TableError(
                self.source,
                f"place {lost['place_id'][0]} ({lost.height} visits to unknown places in all)",
                f"a place of {self.options.places}",
            )
            if self.options.on_error == "fail":
                raise error
            self.dropped.add("to unknown places", error, lost.height)
            placed = placed.filter(pl.col("lat").is_not_null())
        return placed.select(VISITS.columns)


def _visit(item: Any) -> dict[str, Any]:
    if isinstance(item[0], str):
        span = item[1] if isinstance(item[1], str) else ",".join(item[1])
        found = SPAN.fullmatch(span)
        if found is None:
            raise ValueError(span)
        hour0, minute0, hour1, minute1 = (int(part) for part in found.groups())
        times = hour0 * 60 + minute0, hour1 * 60 + minute1
        return {
            "intent": item[0].strip().lower(),
            "start_min": times[0],
            "end_min": times[1],
            **_place(item[2]),
        }
    lon, lat = item[4][0], item[4][1]
    return {
        "start_min": float(item[0]),
        "end_min": float(item[1]),
        "place_id": str(item[3]),
        "lat": float(lat),
        "lon": float(lon),
    }


def _place(value: Any) -> dict[str, Any]:
    """A place of a trace: an id, [name, id, ...], or [lon, lat]."""
    if isinstance(value, list | tuple):
        if isinstance(value[0], str):
            return {"place_id": str(value[1])}
        return {"lon": float(value[0]), "lat": float(value[1])}
    return {"place_id": str(value)}


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


@dataclass
class PeopleReader(VisitReader):
    """Checks the visits of ``people`` as those of a table."""

    people: CopbPeople | None = None

    def _parse(self) -> Iterator[Batch]:
        if self.people is not None:
            yield self._cast(self.people.frame(), LineNumbers(1))


# -- pickled data frames ----------------------------------------------------------------------


@dataclass
class Frames:
    """Pickled data frames as the raw frames of a point reader."""

    source: str
    value: Any
    options: ImportOptions
    undated: bool = False

    def batches(self) -> Iterator[Batch]:
        """Frames of several person-days each, with uid and time."""
        held: list[pl.DataFrame] = []
        rows, first = 0, 1
        for frame in self._days():
            held.append(frame)
            rows += frame.height
            if rows >= BATCH_ROWS // 4:
                yield pl.concat(held, how="diagonal_relaxed"), LineNumbers(first)
                first += rows
                held, rows = [], 0
        if held:
            yield pl.concat(held, how="diagonal_relaxed"), LineNumbers(first)

    def _days(self) -> Iterator[pl.DataFrame]:
        if isinstance(self.value, dict):
            for user, days in self.value.items():
                for index, day in enumerate(days if isinstance(days, list | tuple) else [days]):
                    yield self._day(day, str(user), index)
            return
        people = self.value if isinstance(self.value, list | tuple) else [self.value]
        for index, day in enumerate(people):
            yield self._day(day, str(index), 0)

    def _day(self, value: Any, user: str, index: int) -> pl.DataFrame:
        if not isinstance(value, pl.DataFrame) and not pickles.is_frame(value):
            raise HumobError(
                f"{self.source}: found {_shorten(value)}, expected a data frame for user {user}"
            )
        plain_frame = isinstance(value, pl.DataFrame)
        frame = value if plain_frame else pickles.to_polars(value, self.source)
        found = roles(frame.columns, None, self.source)
        if "uid" not in found or isinstance(self.value, dict):
            frame = frame.drop(found.get("uid", [])).with_columns(uid=pl.lit(user))
        if "datetime" not in found and "utc" not in found:
            return frame.with_columns(datetime=self._steps(frame.height, index, user))
        # CoPB's local times are wall clock, whatever offset stands behind them.
        local = [
            name
            for name in frame.columns
            if plain(name) == "localtime" and frame.schema[name] == pl.String
        ]
        return frame.with_columns(pl.col(local).str.replace(_OFFSET, "")) if local else frame

    def _steps(self, rows: int, index: int, user: str) -> pl.Series:
        if rows == 0 or DAY_MINUTES % rows:
            raise HumobError(
                f"{self.source}: found {rows} rows and no time column for user {user}, expected a "
                "time column or a number of rows that divides a day (such as 144)"
            )
        self.undated = True
        start = self.options.start_date or UNDATED
        begin = dt.datetime.combine(start + dt.timedelta(days=index), dt.time())
        step = dt.timedelta(minutes=DAY_MINUTES // rows)
        return pl.Series([begin + step * i for i in range(rows)], dtype=pl.Datetime("us"))


def frames_reader(source: Input, value: Any, options: ImportOptions) -> PointReader:
    """Points of pickled data frames."""
    reader = PointReader(source, POINTS, options.on_error, options=options)
    frames = Frames(source.name, value, options)

    def produce() -> Iterator[Batch]:
        yield from frames.batches()
        if frames.undated:
            reader.notes.append(
                "frames without a time column: rows stand at equal steps over the day, from "
                f"{options.start_date or UNDATED} (--start-date)"
            )

    reader.factory = produce
    return reader


def holds_frames(value: Any) -> bool:
    """Whether ``pickles.load`` gave data frames, alone or in the containers that CoPB uses."""
    if pickles.is_frame(value):
        return True
    first = _first(value)
    return pickles.is_frame(first) or pickles.is_frame(_first(first))

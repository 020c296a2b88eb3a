"""Reading tables in batches, checked at the door: the same way for files, pipes and any format.

Text is cut into blocks at line ends and each block is parsed by polars, so that memory does not
grow with the file, and the place of a fault is known to the row. Only a block that polars refuses
is read again, slowly, to say what stands where (or, with on_error="drop", to keep its good rows).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from humobctl.console import report
from humobctl.errors import HumobError, TableError
from humobctl.io import vector_files
from humobctl.io.arrow_lengths import check_arrow
from humobctl.io.duplicates import SeenKeys, SeenRows
from humobctl.io.parquet_dataset import key_columns, parquet_columns
from humobctl.io.row_errors import Dropped, LineNumbers, OnError, display, quote
from humobctl.io.size_limits import check_parquet, parse_json
from humobctl.io.streams import (
    Input,
    clear_read_errors,
    open_input,
    refuse_misnamed,
    seekable,
)
from humobctl.io.text import (
    CsvBlocks,
    frame_of_objects,
    lenient,
    parse_ndjson,
    text_blocks,
)
from humobctl.tables.column_names import roles
from humobctl.tables.schemas import (
    EMBEDDINGS,
    FLOW_SERIES,
    FLOWS,
    GRID,
    INTENTIONS,
    PLACES,
    POINTS,
    PROFILES,
    RANKED_CELLS,
    VISITS,
    Table,
)

BATCH_ROWS = 1 << 20
_CONVERTED = {
    **dict.fromkeys(("osm-pbf", "osm-xml"), "OpenStreetMap data"),
    "gpx": "GPX",
    **vector_files.WORDS,
    "zip": "a ZIP archive",
}
"""Kinds of files that only an import reads -> what they are."""

_TAKEN_BY = (
    (RANKED_CELLS, "'eval' takes it"),
    (GRID, "'predict', 'train' and 'embed' take it"),
    (INTENTIONS, "'generate gravity' gives its activities places"),
    (VISITS, "'eval --generated' and 'view' take it"),
    (PROFILES, "'intend' plans days for it"),
    (FLOW_SERIES, "'data mask' and 'predict' take it"),
    (FLOWS, "'eval' and 'view' take it"),
    (EMBEDDINGS, "'explore' and 'eval embedding' take it"),
    (PLACES, "'generate gravity --places' takes it"),
    (
        POINTS,
        "'humobctl data stays' finds visits in it, 'humobctl data import --grid' puts it on a grid",
    ),
)
"""Kinds of tables, of which the first that fits is named, and what takes them."""


def _kind_of(names: list[str]) -> tuple[Table, str] | None:
    """The table that has these columns, and what takes it; None for that of another program."""
    for kind, taker in _TAKEN_BY:
        needed = set(kind.columns) - set(kind.optional)
        if needed <= set(names) <= set(kind.columns):
            return kind, taker
    return None


@contextmanager
def clear_damage(name: str, kind: str) -> Iterator[None]:
    """Turn what a damaged file raises, panics of polars too, into one clear line.

    Args:
        name: of the input, for messages.
        kind: of file, such as parquet.

    Raises:
        HumobError: the file is damaged.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as exc:
        why = str(exc).splitlines()[0]
        raise HumobError(
            f"{name}: found a damaged {kind} file ({why}), expected a whole one"
        ) from exc


@dataclass
class Reader:
    """Reads one input as one table.

    Attributes:
        source: the opened input.
        table: what it should hold.
        on_error: stop at the first fault, or drop faulty rows and count them.
        rename: names in the file -> names of the table.
        separator: between the fields of a text file.
        unique: whether to look for repeated keys.
        batch_rows: rows of a batch of a Parquet or Arrow file.
    """

    source: Input
    table: Table
    on_error: OnError = "fail"
    rename: dict[str, str] = field(default_factory=dict)
    separator: str = ","
    unique: bool = True
    batch_rows: int = BATCH_ROWS
    dropped: Dropped = field(default_factory=Dropped)
    header: bool | None = None
    rows: int = 0

    def batches(self) -> Iterator[pl.DataFrame]:
        """Checked batches with the table's columns and types, in the order of the file.

        Raises:
            TableError: the first fault, with its row and column (on_error="fail").
            HumobError: no row at all, or no good one (on_error="drop").
        """
        seen = self._make_seen() if self.unique else None
        with report.progress(f"reading {self.source.name}", self.source.size, "B") as ticker:
            for frame, places in self._parse():
                good, kept = self._check(frame, places)
                if seen is not None:
                    good = self._without_repeats(good, seen, kept)
                ticker.move_to(self.source.position())
                self.rows += good.height
                if good.height:  # a batch without rows would begin the output
                    yield good
        self.dropped.tell()
        if not self.rows:
            raise HumobError(f"{self.source.name}: found {self._nothing()}, expected at least one")

    def _nothing(self) -> str:
        """What an input without a row to give on holds."""
        return "no good row" if self.dropped.rows else "no rows"

    def _make_seen(self) -> SeenKeys | SeenRows | None:
        if self.table.key == GRID.key:
            return SeenKeys()
        return SeenRows(self.table.key) if self.table.key else None

    # -- parsing ------------------------------------------------------------------------------

    def _parse(self) -> Iterator[tuple[pl.DataFrame, LineNumbers]]:
        """Frames with the right columns and types, and where their rows stand."""
        kind = self.source.kind
        if kind == "csv":
            yield from CsvBlocks(self).frames()
        elif kind in ("ndjson", "json"):
            yield from self._json_frames()
        elif kind == "pickle":
            raise HumobError(
                f"{self.source.name}: found a pickle, expected a table; "
                "convert it with 'humobctl data import --format copb-pickle'"
            )
        elif kind in _CONVERTED and self.source.layer is None:
            raise HumobError(
                f"{self.source.name}: found {_CONVERTED[kind]}, expected a table; convert it with "
                "'humobctl data import'"
            )
        else:
            yield from self._columnar_frames()

    def _json_frames(self) -> Iterator[tuple[pl.DataFrame, LineNumbers]]:
        if self.source.kind == "json":
            with clear_read_errors(self.source.name):
                payload = self.source.stream.read()
            yield self._cast(self._rename_columns(self._array(payload)), LineNumbers(1))
            return
        row, line = 0, 1
        for block in text_blocks(self.source, quotes=False):
            try:
                frame = pl.read_ndjson(block, infer_schema_length=None)
            except pl.exceptions.PolarsError:
                frame = parse_ndjson(block, self.source.name, line)
            yield self._cast(self._rename_columns(frame), LineNumbers(row + 1, line))
            row += frame.height
            line += block.count(b"\n")

    def _array(self, payload: bytes) -> pl.DataFrame:
        """A whole JSON document as a frame."""
        try:
            return pl.read_json(io.BytesIO(payload))
        except pl.exceptions.PolarsError:  # broken, or values of several kinds in a column
            pass
        try:
            rows = parse_json(payload)
        except ValueError as exc:
            raise HumobError(
                f"{self.source.name}: found broken JSON ({exc}), expected an array of objects"
            ) from None
        if not isinstance(rows, list):
            raise HumobError(f"{self.source.name}: found no array, expected an array of objects")
        for number, row in enumerate(rows, start=1):
            if not isinstance(row, dict):
                raise TableError(self.source.name, quote(row), "an object", row=number)
        return frame_of_objects(rows)

    def _columnar_frames(self) -> Iterator[tuple[pl.DataFrame, LineNumbers]]:
        if not self.source.parts:
            with seekable(self.source) as path:
                yield from self._file_frames(path)
            return
        first: list[str] | None = None
        for part in self.source.parts:
            with self.source.reading(part) as path:
                with clear_damage(self.source.name, self.source.kind):
                    names = parquet_columns(path)
                names += key_columns(self.source.keys, names)
                first = first or names
                if set(names) != set(first):
                    raise HumobError(
                        f"{part.name}: found columns {', '.join(names)}, expected "
                        f"{', '.join(first)} as in {self.source.parts[0].name}"
                    )
                yield from self._file_frames(path)

    def _file_frames(self, path: Path) -> Iterator[tuple[pl.DataFrame, LineNumbers]]:
        row = 0
        for frame in self._raw_frames(path):
            yield self._cast(self._rename_columns(plain_types(frame)), LineNumbers(row + 1))
            row += frame.height

    def _raw_frames(self, path: Path) -> Iterator[pl.DataFrame]:
        if self.source.layer is not None:
            layer, name, kind = self.source.layer, self.source.name, self.source.kind
            yield from vector_files.layer_frames(layer, name, kind, self.batch_rows)
            return
        with clear_damage(self.source.name, self.source.kind):
            if self.source.kind != "parquet":
                check_arrow(path, self.source.name)
            if self.source.kind == "arrow-stream":
                # By its name: polars would read past what was looked at already.
                yield from pl.read_ipc_stream(path).iter_slices(self.batch_rows)
            else:
                yield from self._lazy(path).collect_batches(chunk_size=self.batch_rows)

    def _lazy(self, path: Path) -> pl.LazyFrame:
        """A Parquet or Arrow file, of which nothing has been read yet."""
        if self.source.kind != "parquet":
            return pl.scan_ipc(path, glob=False)
        rows = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        names = parquet_columns(path)
        check_parquet(path, len(names), self.source.name)
        if not self.source.keys:
            return rows
        columns = key_columns(self.source.keys, names)
        return rows.with_columns(
            pl.lit(self.source.keys[name], pl.String).alias(name)
            for name in columns
            if roles([name]).keys() & set(self.table.columns)
        )

    def _rename_columns(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The table's columns in their order; missing optional ones as nulls."""
        return frame.rename(self.rename, strict=False).select(
            pl.lit(None).alias(name) if name in absent else pl.col(name)
            for name in self.table.columns
            for absent in [self.absent([self.rename.get(c, c) for c in frame.columns])]
        )

    def absent(self, names: list[str]) -> list[str]:
        """Optional columns that the file does not have.

        Raises:
            HumobError: a column is missing, or there is one that the table does not have.
        """
        wanted = self.table.columns
        missing = [c for c in wanted if c not in names]
        extra = [c for c in names if c not in wanted]
        needed = [c for c in missing if c not in self.table.optional]
        if (needed or extra) and (known := _kind_of(names)):
            kind, taker = known
            if kind is VISITS and self.table.name == INTENTIONS.name:
                taker = "visits have places already; 'humobctl intend' makes day plans"
            raise HumobError(
                f"{self.source.name}: found a {kind.name} table ({', '.join(names)}), expected "
                f"a {self.table.name} table ({', '.join(wanted)}); {taker}"
            )
        if needed and len(names) == 1 and (sign := next((s for s in ";\t|" if s in names[0]), "")):
            raise HumobError(
                f"{self.source.name}: found columns separated by {sign!r} ({names[0]}), expected "
                f"{','.join(wanted)}; convert it with 'humobctl data import'"
            )
        if needed:
            refuse_misnamed(self.source.name, self.source.kind)
        if needed or extra or len(set(names)) < len(names):
            raise HumobError(
                f"{self.source.name}: found columns {', '.join(names)}, expected "
                f"{', '.join(wanted)} for a {self.table.name} table"
                + (f" (missing: {', '.join(needed)})" if needed else "")
                + (f" (not known: {', '.join(extra)})" if extra else "")
                + (self._remedy(names) if extra or needed else " (a column occurs twice)")
            )
        return missing

    def _remedy(self, names: list[str]) -> str:
        """What makes a table with these columns the one that is wanted."""
        if self.table.key == GRID.key and {"session", "step"} <= set(names):
            return "; sessions are for --task next"
        if self.table.key == GRID.key and {"start_min", "end_min"} <= set(names):
            return "; these are visits: put the points that they come from on a grid with " + (
                "'humobctl data import --grid'"
            )
        if self.table.key == GRID.key and {"lat", "lon"} <= roles(names).keys():
            return "; put points on a grid with 'humobctl data import --grid'"
        known = (GRID, POINTS, VISITS, PLACES, FLOW_SERIES)
        imported = self.table.name in {one.name for one in known}
        return "; rename or drop columns" + imported * " with 'humobctl data import --columns'"

    def _cast(self, frame: pl.DataFrame, places: LineNumbers) -> tuple[pl.DataFrame, LineNumbers]:
        """Typed columns; a value that does not fit is a fault (or a dropped row)."""
        dtypes = self.table.dtypes
        if all(frame.schema[name] == dtype for name, dtype in dtypes.items()):
            return frame, places
        exprs = [lenient(frame.schema[name], dtype, name) for name, dtype in dtypes.items()]
        typed = frame.select(exprs)
        lost = pl.any_horizontal(
            frame[name].is_not_null() & typed[name].is_null() for name in dtypes
        )
        bad = frame.select(lost.alias("bad"))["bad"]
        if not bad.any():
            return typed, places
        index = bad.arg_max() or 0
        column = next(c for c in dtypes if frame[c][index] is not None and typed[c][index] is None)
        error = TableError(
            self.source.name,
            quote(frame[column][index]),
            self.table.describe_expected(column),
            **places.of(index),
            column=column,
        )
        if self.on_error == "fail":
            raise error
        self.dropped.add("with a value that does not fit its column", error, int(bad.sum()))
        return typed.filter(~bad), places.keep(~bad)

    # -- checking -----------------------------------------------------------------------------

    def _check(self, frame: pl.DataFrame, places: LineNumbers) -> tuple[pl.DataFrame, LineNumbers]:
        good, failure = self.table.schema.filter(frame)
        if not len(failure):
            return good, places
        error = self._first_broken_rule(frame, failure, places)
        if self.on_error == "fail":
            raise error
        self.dropped.add("out of range", error, len(failure))
        names = self.table.columns
        broken = failure.invalid().unique().with_columns(broken=True)
        bad = frame.join(broken, on=names, how="left", nulls_equal=True, maintain_order="left")[
            "broken"
        ].is_not_null()
        return good, places.keep(~bad)

    def _first_broken_rule(
        self, frame: pl.DataFrame, failure: Any, places: LineNumbers
    ) -> TableError:
        details = failure.details().row(0, named=True)
        names = self.table.columns
        same = pl.all_horizontal(pl.col(c).eq_missing(pl.lit(details[c])) for c in names)
        index = frame.select(same.arg_max()).item()
        # A rule over one column says more than one over several: report that one first.
        rule = min(
            (r for r, verdict in details.items() if r not in names and verdict == "invalid"),
            key=lambda r: (r in self.table.rules, r),
        )
        if rule in self.table.rules:
            column, expected = self.table.rules[rule]
            found = ", ".join(display(details[c.strip()]) for c in column.split(","))
        else:
            column = rule.split("|")[0]
            found, expected = display(details[column]), self.table.describe_expected(column)
        return TableError(self.source.name, found, expected, column=column, **places.of(index))

    def _without_repeats(
        self, frame: pl.DataFrame, seen: SeenKeys | SeenRows, places: LineNumbers
    ) -> pl.DataFrame:
        index = seen.mark(frame)
        if index is None:
            return frame
        names = ", ".join(self.table.key)
        key = frame.select(self.table.key).row(index)
        error = TableError(
            self.source.name,
            f"{key if len(key) > 1 else key[0]} a second time",
            f"each {_group(names)} once",
            **places.of(index),
            column=names,
        )
        if self.on_error == "fail":
            raise error
        repeats = seen.repeats(frame, index)
        self.dropped.add(f"with a repeated {_group(names)}", error, int(repeats.sum()))
        return frame.filter(~repeats)


def plain_types(frame: pl.DataFrame) -> pl.DataFrame:
    """Columns of categories as text, those of extensions (GeoArrow's) as what they store."""
    return frame.with_columns(
        pl.col(name).ext.storage()
        if dtype.base_type() == pl.Extension
        else pl.col(name).cast(pl.String)
        for name, dtype in frame.schema.items()
        if isinstance(dtype, (pl.Categorical, pl.Enum)) or dtype.base_type() == pl.Extension
    )


def _group(names: str) -> str:
    return f"({names})" if "," in names else names


def read_table(
    path: str | None,
    table: Table = GRID,
    *,
    on_error: OnError = "fail",
    rename: dict[str, str] | None = None,
) -> pl.DataFrame:
    """A whole table in memory.

    Args:
        path: a file, or None or ``-`` for standard input.
        table: what it should hold.
        on_error: stop at the first fault, or drop faulty rows with a warning.
        rename: names in the file -> names of the table.

    Raises:
        HumobError: the file cannot be read, or (on_error="fail") holds a fault.
    """
    return pl.concat(list(iter_table(path, table, on_error=on_error, rename=rename)))


def iter_table(
    path: str | None,
    table: Table = GRID,
    *,
    on_error: OnError = "fail",
    rename: dict[str, str] | None = None,
    batch_rows: int = BATCH_ROWS,
) -> Iterator[pl.DataFrame]:
    """The same as ``read_table``, batch by batch: memory does not grow with the file."""
    source = open_input(path)
    try:
        yield from Reader(source, table, on_error, rename or {}, batch_rows=batch_rows).batches()
    finally:
        source.close()

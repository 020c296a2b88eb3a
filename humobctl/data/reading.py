"""Reading tables in batches, checked at the door: the same way for files, pipes and any format.

Text is cut into blocks at line ends and each block is parsed by polars, so that memory does not
grow with the file, and the place of a fault is known to the row. Only a block that polars refuses
is read again, slowly, to say what stands where (or, with on_error="drop", to keep its good rows).
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

import polars as pl

from humobctl import report
from humobctl.data.schemas import GRID, Table
from humobctl.data.seen import SeenKeys, SeenRows
from humobctl.data.streams import Input, clear_read_errors, open_input, seekable
from humobctl.errors import HumobError, TableError

OnError = Literal["fail", "drop"]
BLOCK_BYTES = 16 << 20
MAX_LINE_BYTES = 64 << 20
BATCH_ROWS = 1 << 20
_SAMPLES = 5
_LONGEST = 60


@dataclass
class Dropped:
    """What ``on_error="drop"`` left out."""

    reasons: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)

    def add(self, reason: str, error: TableError, count: int = 1) -> None:
        """Count ``count`` rows under ``reason``; keep the first few errors as samples."""
        self.reasons[reason] += count
        if len(self.samples) < _SAMPLES:
            self.samples.append(str(error))

    @property
    def rows(self) -> int:
        """Rows left out in all."""
        return sum(self.reasons.values())

    def tell(self) -> None:
        """Warn about what was left out, with a sample."""
        if not self.rows:
            return
        by_reason = ", ".join(f"{count} {reason}" for reason, count in self.reasons.most_common())
        report.warn(f"dropped {self.rows} rows ({by_reason})")
        for sample in self.samples:
            report.warn(f"  {sample}")
        if self.rows > len(self.samples):
            report.warn(f"  and {self.rows - len(self.samples)} more")


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
    """

    source: Input
    table: Table
    on_error: OnError = "fail"
    rename: dict[str, str] = field(default_factory=dict)
    separator: str = ","
    unique: bool = True
    dropped: Dropped = field(default_factory=Dropped)
    header: bool | None = None
    rows: int = 0

    def batches(self) -> Iterator[pl.DataFrame]:
        """Checked batches with the table's columns and types, in the order of the file.

        Raises:
            TableError: the first fault, with its row and column (on_error="fail").
        """
        seen = self._seen() if self.unique else None
        found_any = False
        with report.progress(f"reading {self.source.name}", self.source.size, "B") as ticker:
            for frame, places in self._parsed():
                good, kept = self._checked(frame, places)
                if seen is not None:
                    good = self._without_repeats(good, seen, kept)
                ticker.move_to(self.source.position())
                found_any = found_any or good.height > 0
                self.rows += good.height
                yield good
        if not found_any and not self.dropped.rows:
            raise HumobError(f"{self.source.name}: found no rows, expected a table")
        self.dropped.tell()

    def _seen(self) -> SeenKeys | SeenRows | None:
        if self.table.key == GRID.key:
            return SeenKeys()
        return SeenRows(self.table.key) if self.table.key else None

    # -- parsing ------------------------------------------------------------------------------

    def _parsed(self) -> Iterator[tuple[pl.DataFrame, Places]]:
        """Frames with the right columns and types, and where their rows stand."""
        kind = self.source.kind
        if kind == "csv":
            yield from _CsvBlocks(self).frames()
        elif kind in ("ndjson", "json"):
            yield from self._json_frames()
        elif kind == "pickle":
            raise HumobError(
                f"{self.source.name}: found a pickle, expected a table; "
                "convert it with 'humobctl data import --format copb-pickle'"
            )
        else:
            yield from self._columnar_frames()

    def _json_frames(self) -> Iterator[tuple[pl.DataFrame, Places]]:
        if self.source.kind == "json":
            with clear_read_errors(self.source.name):
                payload = self.source.stream.read()
            try:
                frame = pl.read_json(io.BytesIO(payload))
            except pl.exceptions.PolarsError as exc:
                raise HumobError(
                    f"{self.source.name}: found broken JSON ({exc}), expected an array of objects"
                ) from exc
            yield self._cast(self._named(frame), Places(1))
            return
        row, line = 0, 1
        for block in text_blocks(self.source, quotes=False):
            try:
                frame = pl.read_ndjson(block, infer_schema_length=None)
            except pl.exceptions.PolarsError:
                frame = _parse_ndjson(block, self.source.name, line)
            yield self._cast(self._named(frame), Places(row + 1, line))
            row += frame.height
            line += block.count(b"\n")

    def _columnar_frames(self) -> Iterator[tuple[pl.DataFrame, Places]]:
        row = 0
        try:
            with seekable(self.source) as path:
                if self.source.kind == "arrow-stream":
                    # By its name: polars would read past what was looked at already.
                    whole = self._named(pl.read_ipc_stream(path))
                    for frame in whole.iter_slices(BATCH_ROWS):
                        yield self._cast(frame, Places(row + 1))
                        row += frame.height
                    return
                scan = pl.scan_parquet if self.source.kind == "parquet" else pl.scan_ipc
                for frame in scan(path).collect_batches(chunk_size=BATCH_ROWS):
                    yield self._cast(self._named(frame), Places(row + 1))
                    row += frame.height
        except (pl.exceptions.PolarsError, OSError) as exc:
            raise HumobError(
                f"{self.source.name}: found a damaged {self.source.kind} file "
                f"({str(exc).splitlines()[0]}), expected a whole one"
            ) from exc

    def _named(self, frame: pl.DataFrame) -> pl.DataFrame:
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
        if needed or extra or len(set(names)) < len(names):
            hint = "; rename or drop columns with 'humobctl data import --columns'"
            raise HumobError(
                f"{self.source.name}: found columns {', '.join(names)}, expected "
                f"{', '.join(wanted)} for a {self.table.name} table"
                + (f" (missing: {', '.join(needed)})" if needed else "")
                + (f" (not known: {', '.join(extra)})" if extra else "")
                + (hint if extra or needed else " (one is there twice)")
            )
        return missing

    def _cast(self, frame: pl.DataFrame, places: Places) -> tuple[pl.DataFrame, Places]:
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
            _quoted(frame[column][index]),
            self.table.expected(column),
            **places.of(index),
            column=column,
        )
        if self.on_error == "fail":
            raise error
        self.dropped.add("with a value that does not fit its column", error, int(bad.sum()))
        return typed.filter(~bad), places.keep(~bad)

    # -- checking -----------------------------------------------------------------------------

    def _checked(self, frame: pl.DataFrame, places: Places) -> tuple[pl.DataFrame, Places]:
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

    def _first_broken_rule(self, frame: pl.DataFrame, failure: Any, places: Places) -> TableError:
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
            found = ", ".join(_shown(details[c.strip()]) for c in column.split(","))
        else:
            column = rule.split("|")[0]
            found, expected = _shown(details[column]), self.table.expected(column)
        return TableError(self.source.name, found, expected, column=column, **places.of(index))

    def _without_repeats(
        self, frame: pl.DataFrame, seen: SeenKeys | SeenRows, places: Places
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


def _group(names: str) -> str:
    return f"({names})" if "," in names else names


def _quoted(value: object) -> str:
    text = repr(value.to_list() if isinstance(value, pl.Series) else value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _shown(value: object) -> str:
    return "nothing" if value is None else str(value)


def lenient(have: pl.DataType, want: pl.DataType, name: str) -> pl.Expr:
    """An expression that casts what means the same (``7.0``, `` 7``) and turns the rest to null."""
    column = pl.col(name)
    if isinstance(have, (pl.Categorical, pl.Enum)):
        column, have = column.cast(pl.String), pl.String()
    if have in (want, pl.Null):
        return column.cast(want)
    if want == pl.String and (have.is_numeric() or have.is_temporal()):
        return column.cast(want)
    if isinstance(want, pl.Datetime):
        if have == pl.String:
            return column.str.strip_chars(' \t"').str.to_datetime(time_unit="us", strict=False)
        if isinstance(have, (pl.Date, pl.Datetime)):
            return column.cast(want, strict=False)
    if want.is_numeric() and (have.is_numeric() or have == pl.String):
        if have == pl.String:
            column = column.str.strip_chars(' \t"').cast(pl.Float64, strict=False)
        if want.is_integer() and not have.is_integer():
            column = pl.when(column == column.floor()).then(column)
        return column.cast(want, strict=False)
    return pl.lit(None, want).alias(name)


class Position(TypedDict):
    """Row and line of one record, as errors name them."""

    row: int
    line: int | None


@dataclass(frozen=True)
class Places:
    """Where the rows of a batch stand in their file.

    Attributes:
        rows: number of the first row, or of each row where some are missing.
        lines: the same for lines; None where the file is not text.
    """

    rows: int | list[int]
    lines: int | list[int] | None = None

    def of(self, index: int) -> Position:
        """Place of the batch's row ``index``."""
        row = self.rows + index if isinstance(self.rows, int) else self.rows[index]
        if self.lines is None:
            return {"row": row, "line": None}
        line = self.lines + index if isinstance(self.lines, int) else self.lines[index]
        return {"row": row, "line": line}

    def keep(self, mask: pl.Series) -> Places:
        """The places of the rows that ``mask`` keeps."""
        places = [self.of(index) for index in mask.arg_true().to_list()]
        lines = None if self.lines is None else [place["line"] or 0 for place in places]
        return Places([place["row"] for place in places], lines)


def text_blocks(source: Input, *, quotes: bool = True) -> Iterator[bytes]:
    """Decompressed text in blocks of whole lines, unix line ends, no byte order mark.

    Args:
        source: the opened input.
        quotes: whether a line end between double quotes belongs to a field.

    Raises:
        TableError: compressed data that are cut off, or a line that does not end.
    """
    rest, first, line = b"", True, 1
    while True:
        with clear_read_errors(source.name, line=line):
            block = source.stream.read(max(BLOCK_BYTES, 3))  # no less than a byte order mark
        if not block:
            break
        if first:
            block, first = block.removeprefix(b"\xef\xbb\xbf"), False
        block = rest + block
        if b"\r" in block:
            held = block.endswith(b"\r")
            block = block[: len(block) - held].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            block += b"\r" * held
        cut = block.rfind(b"\n") + 1
        # A line end inside quotes does not end a row: go back to before the open quote.
        while quotes and cut and block.count(b'"', 0, cut) % 2:
            cut = block.rfind(b"\n", 0, block.rfind(b'"', 0, cut)) + 1
        rest = block[cut:]
        if len(rest) > MAX_LINE_BYTES:
            raise TableError(
                source.name,
                f"more than {MAX_LINE_BYTES >> 20} MB without a line end, or an open quote",
                "lines of text",
                line=line + block.count(b"\n", 0, cut),
            )
        if cut:
            line += block.count(b"\n", 0, cut)
            yield block[:cut]
    if rest.rstrip(b"\r\n"):
        yield rest.rstrip(b"\r") + b"\n"


class _CsvBlocks:
    """The blocks of a delimited text file as typed frames."""

    def __init__(self, reader: Reader) -> None:
        self.reader, self.table, self.name = reader, reader.table, reader.source.name
        self.line, self.row = 1, 0
        self.names: list[str] = []
        self.missing: list[str] = []

    def frames(self) -> Iterator[tuple[pl.DataFrame, Places]]:
        for block in text_blocks(self.reader.source):
            body = self._after_header(block) if not self.names else block
            if not body or body.isspace():
                self.line += body.count(b"\n")
                continue
            frame, places, rows = self._parse(body)
            yield frame, places
            self.row += rows
            self.line += body.count(b"\n")

    def _after_header(self, block: bytes) -> bytes:
        while block.startswith(b"\n"):
            block, self.line = block[1:], self.line + 1
        first, _, body = block.partition(b"\n")
        if not first:
            return b""
        fields = self._split(_decode(first, self.name, self.line))
        header = self.reader.header
        if header is None:
            header = not all(_is_number(text) for text in fields)
        if header:
            self.names = [self.reader.rename.get(f.strip(), f.strip()) for f in fields]
            self.missing = self.reader.absent(self.names)
            self.line += 1
            return body
        if len(fields) != len(self.table.columns):
            raise TableError(
                self.name,
                f"{len(fields)} fields",
                f"{len(self.table.columns)} ({', '.join(self.table.columns)})",
                row=1,
                line=self.line,
            )
        self.names = list(self.table.columns)
        return block

    def _split(self, text: str) -> list[str]:
        return next(csv.reader([text], delimiter=self.reader.separator), [])

    def _parse(self, body: bytes) -> tuple[pl.DataFrame, Places, int]:
        try:
            frame = pl.read_csv(
                body,
                has_header=False,
                separator=self.reader.separator,
                schema={c: self.table.dtypes[c] for c in self.names},
                missing_columns="raise",
                extra_columns="raise",
                truncate_ragged_lines=False,
            )
        except (pl.exceptions.PolarsError, UnicodeDecodeError):
            return self._parse_slowly(body)
        # Blank lines and short lines come back as nulls: see what they are.
        required = [c for c in self.names if c not in self.table.optional]
        if sum(frame.select(pl.col(required).null_count()).row(0)):
            return self._parse_slowly(body)
        places = Places(self.row + 1, self.line)
        return self._complete(frame), places, frame.height

    def _complete(self, frame: pl.DataFrame) -> pl.DataFrame:
        dtypes = self.table.dtypes
        return frame.select(
            pl.lit(None, dtypes[c]).alias(c) if c in self.missing else pl.col(c)
            for c in self.table.columns
        )

    def _parse_slowly(self, body: bytes) -> tuple[pl.DataFrame, Places, int]:
        """Row by row with Python's csv module: finds the fault, or reads what polars would not."""
        kept: list[list[str]] = []
        numbers: list[int] = []
        order: list[int] = []
        rows = 0
        for number, fields in self._fields(body):
            rows += 1
            error = self._fault(fields, number, rows)
            if error is None:
                kept.append(fields)
                numbers.append(number)
                order.append(self.row + rows)
            elif self.reader.on_error == "fail":
                raise error
            else:
                self.reader.dropped.add(_reason(error), error)
        texts = pl.DataFrame(kept, schema=dict.fromkeys(self.names, pl.String), orient="row")
        empty = pl.col(pl.String).replace("", None)
        texts = texts.with_columns(empty)
        dtypes = self.table.dtypes
        frame = texts.select(lenient(pl.String(), dtypes[c], c) for c in self.names)
        return self._complete(frame), Places(order, numbers), rows

    def _fields(self, body: bytes) -> Iterator[tuple[int, list[str]]]:
        """Line number and fields of each row that is not blank."""
        if b'"' in body:
            text = _decode(body, self.name, self.line)
            reader = csv.reader(io.StringIO(text), delimiter=self.reader.separator)
            end = 0
            for fields in reader:
                if fields:
                    yield self.line + end, fields
                end = reader.line_num
            return
        for offset, raw in enumerate(body.split(b"\n")[:-1]):
            if not raw.strip():
                continue
            try:
                yield self.line + offset, raw.decode().split(self.reader.separator)
            except UnicodeDecodeError as exc:
                error = _not_utf8(raw, exc, self.name, self.line + offset)
                if self.reader.on_error == "fail":
                    raise error from None
                self.reader.dropped.add("not UTF-8", error)

    def _fault(self, fields: list[str], line: int, rows: int) -> TableError | None:
        place: dict[str, Any] = {"row": self.row + rows, "line": line}
        if len(fields) != len(self.names):
            return TableError(*(self.name, f"{len(fields)} fields", str(len(self.names))), **place)
        for name, text in zip(self.names, fields, strict=True):
            if not text and name in self.table.optional:
                continue
            if not _fits(text.strip(' \t"'), self.table.dtypes[name]):
                found = _quoted(text) if text else "nothing"
                expected = self.table.expected(name)
                return TableError(self.name, found, expected, column=name, **place)
        return None


_INTEGER_RANGE: dict[type[pl.DataType], tuple[int, int]] = {
    pl.UInt8: (0, 255),
    pl.Int16: (-32768, 32767),
    pl.UInt32: (0, 2**32 - 1),
}


def _fits(text: str, dtype: pl.DataType) -> bool:
    if dtype == pl.String:
        return bool(text)
    if isinstance(dtype, pl.Datetime):
        return bool(text)
    if not _is_number(text):
        return False
    if dtype.is_integer():
        number = float(text)
        low, high = _INTEGER_RANGE.get(type(dtype), (-(2**63), 2**63 - 1))
        return number == number // 1 and low <= number <= high
    return True


def _reason(error: TableError) -> str:
    return "with a wrong number of fields" if error.column is None else f"with a bad {error.column}"


def _is_number(text: str) -> bool:
    try:
        number = float(text)
    except ValueError:
        return False
    return number - number == 0.0  # neither infinite nor nan


def _decode(raw: bytes, name: str, line: int) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as exc:
        at = line + raw.count(b"\n", 0, exc.start)
        raise _not_utf8(raw, exc, name, at) from None


def _not_utf8(raw: bytes, exc: UnicodeDecodeError, name: str, line: int) -> TableError:
    return TableError(name, f"byte 0x{raw[exc.start]:02x}", "UTF-8 text", line=line)


def _parse_ndjson(block: bytes, name: str, line: int) -> pl.DataFrame:
    for offset, raw in enumerate(block.split(b"\n")[:-1]):
        if not raw.strip():
            continue
        try:
            record = json.loads(raw)
        except ValueError as exc:
            raise TableError(
                name, f"broken JSON ({exc})", "one object a line", line=line + offset
            ) from None
        if not isinstance(record, dict):
            raise TableError(name, raw.decode()[:40], "an object", line=line + offset)
    records = [json.loads(raw) for raw in block.split(b"\n") if raw.strip()]
    return pl.DataFrame(records, infer_schema_length=None, strict=False)


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
) -> Iterator[pl.DataFrame]:
    """The same as ``read_table``, batch by batch: memory does not grow with the file."""
    source = open_input(path)
    try:
        yield from Reader(source, table, on_error, rename or {}).batches()
    finally:
        source.close()

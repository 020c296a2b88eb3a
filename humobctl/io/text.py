"""Text in blocks of whole lines, and the blocks of a delimited file or NDJSON as typed frames."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Iterator
from typing import Any, Protocol

import polars as pl

from humobctl.errors import TableError
from humobctl.io.csv_records import (
    CLOSED,
    MAX_LINE_BYTES,
    OPEN_QUOTE,
    last_row_end,
    name_columns,
    records,
    split_record,
)
from humobctl.io.row_errors import Dropped, LineNumbers, OnError, quote
from humobctl.io.size_limits import parse_json
from humobctl.io.streams import Input, clear_read_errors
from humobctl.tables.id_text import PADDING
from humobctl.tables.schemas import Table

BLOCK_BYTES = 16 << 20
_SEP_LINE = re.compile(rb'"?[Ss][Ee][Pp]=(.)"?\r?(?=\n)')


def sep_line(head: bytes) -> str | None:
    """The separator that a first line such as ``sep=;`` names, as Excel writes it."""
    found = _SEP_LINE.match(head)
    return found[1].decode(errors="replace") if found else None


def text_blocks(source: Input, *, quotes: bool = True, separator: str = ",") -> Iterator[bytes]:
    """Decompressed text in blocks of whole lines, unix line ends, no byte order mark.

    A first line that names the separator is left blank.

    Args:
        source: the opened input.
        quotes: whether a line end between double quotes belongs to a field.
        separator: between fields.

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
            told = _SEP_LINE.match(block)
            block = block[told.end() if told else 0 :]
        block = rest + block
        if b"\r" in block:
            held = block.endswith(b"\r")
            block = block[: len(block) - held].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            block += b"\r" * held
        cut = last_row_end(block, separator) if quotes else block.rfind(b"\n") + 1
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


class TextOptions(Protocol):
    """How a delimited text file is read; ``io.read.Reader`` tells of each."""

    source: Input
    table: Table
    on_error: OnError
    rename: dict[str, str]
    separator: str
    header: bool | None
    dropped: Dropped

    def absent(self, names: list[str]) -> list[str]:
        """Optional columns of the table that are not among the names."""
        ...


class CsvBlocks:
    """The blocks of a delimited text file as typed frames."""

    def __init__(self, reader: TextOptions) -> None:
        self.reader, self.table, self.name = reader, reader.table, reader.source.name
        self.line, self.row = 1, 0
        self.names: list[str] = []
        self.missing: list[str] = []

    def frames(self) -> Iterator[tuple[pl.DataFrame, LineNumbers]]:
        """One frame a block, and where its rows stand."""
        for block in text_blocks(self.reader.source, separator=self.reader.separator):
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
        fields = split_record(decode(first, self.name, self.line), self.reader.separator)
        header = self.reader.header
        if header is None:
            header = not all(is_number(text) for text in fields)
        if header:
            self.names = [self.reader.rename.get(f, f) for f in name_columns(fields)]
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

    def _parse(self, body: bytes) -> tuple[pl.DataFrame, LineNumbers, int]:
        if seems_packed(body):
            return self._parse_slowly(body)
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
        if b'"' in body and body.count(b"\n") != frame.height:  # a stray quote swallows rows
            return self._parse_slowly(body)
        places = LineNumbers(self.row + 1, self.line)
        return self._complete(frame), places, frame.height

    def _complete(self, frame: pl.DataFrame) -> pl.DataFrame:
        dtypes = self.table.dtypes
        return frame.select(
            pl.lit(None, dtypes[c]).alias(c) if c in self.missing else pl.col(c)
            for c in self.table.columns
        )

    def _parse_slowly(self, body: bytes) -> tuple[pl.DataFrame, LineNumbers, int]:
        """Row by row with Python's csv module: finds the fault, or reads what polars would not."""
        kept: list[list[str]] = []
        numbers: list[int] = []
        order: list[int] = []
        rows = 0
        for offset, raw in records(body, self.reader.separator, len(self.names)):
            rows, number = rows + 1, self.line + offset
            fields, error = self._fields(raw, number, rows)
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
        return self._complete(frame), LineNumbers(order, numbers), rows

    def _fields(
        self, raw: bytes | None, line: int, rows: int
    ) -> tuple[list[str], TableError | None]:
        """The fields of a record, or what is wrong with it."""
        if raw is None:
            row = self.row + rows
            return [], TableError(self.name, OPEN_QUOTE, CLOSED, row=row, line=line)
        try:
            fields = split_record(decode(raw, self.name, line), self.reader.separator)
        except TableError as error:
            return [], error
        return fields, self._fault(fields, line, rows)

    def _fault(self, fields: list[str], line: int, rows: int) -> TableError | None:
        place: dict[str, Any] = {"row": self.row + rows, "line": line}
        if len(fields) != len(self.names):
            found, expected = f"{len(fields)} fields", str(len(self.names))
            return TableError(self.name, found, expected, **place)
        for name, text in zip(self.names, fields, strict=True):
            if not text and name in self.table.optional:
                continue
            if not _fits(text, self.table.dtypes[name]):
                found = quote(text) if text else "nothing"
                expected = self.table.describe_expected(name)
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
    if dtype == pl.Date:
        return bool(_DATE.fullmatch(text.strip(PADDING))) and _is_date(text.strip(PADDING))
    if isinstance(dtype, pl.Datetime):
        return bool(text)
    if not is_number(text):
        return False
    if dtype.is_integer():
        number = float(text.strip(PADDING))
        low, high = _INTEGER_RANGE.get(type(dtype), (-(2**63), 2**63 - 1))
        return number == number // 1 and low <= number <= high
    return True


def _is_date(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _reason(error: TableError) -> str:
    if error.column is not None:
        return f"with a bad {error.column}"
    if error.found == OPEN_QUOTE:
        return "with an open quote"
    return "not UTF-8" if error.expected == _UTF8 else "with a wrong number of fields"


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d|\d{8}", re.ASCII)
_UTF8 = "UTF-8 text"


def is_number(text: str) -> bool:
    """Whether text is a finite number, of those that polars reads."""
    bare = text.strip(PADDING)
    return bool(_NUMBER.fullmatch(bare)) and math.isfinite(float(bare))


def decode(raw: bytes, name: str, line: int) -> str:
    """Text of bytes.

    Raises:
        TableError: they are not UTF-8; it names the line, if ``line`` is that of the first byte.
    """
    try:
        return raw.decode()
    except UnicodeDecodeError as exc:
        at = line + raw.count(b"\n", 0, exc.start)
        raise TableError(name, f"byte 0x{raw[exc.start]:02x}", _UTF8, line=at) from None


_PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x78\x01", b"\x78\x9c", b"\x78\xda")


def seems_packed(block: bytes) -> bool:
    """Whether polars would unpack a block of text, and read what comes out in its place.

    It looks at the first bytes for those of gzip, zstd and zlib.
    """
    return block.startswith(_PACKED)


def parse_ndjson(block: bytes, name: str, line: int) -> pl.DataFrame:
    """What polars refused, line by line: finds the fault, or reads it all the same."""
    rows: list[dict[str, Any]] = []
    for offset, raw in enumerate(block.split(b"\n")[:-1]):
        if not raw.strip():
            continue
        try:
            record = parse_json(raw)
        except ValueError as exc:
            raise TableError(
                name, f"broken JSON ({exc})", "one object a line", line=line + offset
            ) from None
        if not isinstance(record, dict):
            found = quote(raw.decode(errors="replace"))
            raise TableError(name, found, "an object", line=line + offset)
        rows.append(record)
    return frame_of_objects(rows)


def frame_of_objects(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """JSON objects as a frame; a column of values of several kinds becomes text."""
    names = dict.fromkeys(name for row in rows for name in row)
    return pl.DataFrame([_column(name, [row.get(name) for row in rows]) for name in names])


def _column(name: str, values: list[Any]) -> pl.Series:
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) <= 1 or kinds == {int, float}:
        try:
            return pl.Series(name, values, strict=False)
        except (pl.exceptions.PolarsError, TypeError, OverflowError):
            pass  # numbers beyond all types, lists of several kinds
    texts = (v if v is None or isinstance(v, str) else json.dumps(v) for v in values)
    return pl.Series(name, list(texts), dtype=pl.String)


def lenient(have: pl.DataType, want: pl.DataType, name: str) -> pl.Expr:
    """An expression that casts what means the same (``7.0``, `` 7``) and turns the rest to null."""
    column = pl.col(name)
    if isinstance(have, (pl.Categorical, pl.Enum, pl.Binary)):
        column, have = column.cast(pl.String, strict=False), pl.String()
    if have in (want, pl.Null) or (want == pl.String and (have.is_numeric() or have.is_temporal())):
        return column.cast(want)
    if want == pl.Date:
        return _to_date(column, have).alias(name)
    if isinstance(want, pl.Datetime):
        if have == pl.String:
            return column.str.strip_chars(PADDING).str.to_datetime(time_unit="us", strict=False)
        if isinstance(have, (pl.Date, pl.Datetime)):
            return column.cast(want, strict=False)
    if want.is_numeric() and (have.is_numeric() or have == pl.String):
        if have == pl.String:
            column = column.str.strip_chars(PADDING).cast(pl.Float64, strict=False)
        if want.is_integer() and not have.is_integer():
            column = pl.when(column == column.floor()).then(column)
        return column.cast(want, strict=False)
    return pl.lit(None, want).alias(name)


def _to_date(column: pl.Expr, have: pl.DataType) -> pl.Expr:
    """Dates of dates, of midnights, and of text or numbers such as 2024-02-01 and 20240201."""
    if isinstance(have, pl.Datetime):
        return pl.when(column == column.dt.truncate("1d")).then(column.dt.date())
    if not (have == pl.String or have.is_integer()):
        return pl.lit(None, pl.Date)
    text = column.cast(pl.String).str.strip_chars(PADDING)
    forms = [text.str.to_date(form, strict=False) for form in ("%Y-%m-%d", "%Y%m%d")]
    return pl.when(text.str.contains(rf"^({_DATE.pattern})$")).then(pl.coalesce(forms))

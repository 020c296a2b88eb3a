"""Delimited text as frames of text: any separator, header or not, UTF-8 or latin-1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from humobctl.errors import HumobError, TableError
from humobctl.io.csv_records import CLOSED, OPEN_QUOTE, name_columns, records, split_record
from humobctl.io.row_errors import Dropped, LineNumbers, OnError
from humobctl.io.streams import Input
from humobctl.io.text import seems_packed, text_blocks

Batch = tuple[pl.DataFrame, LineNumbers]


@dataclass
class Delimited:
    """How to cut a text file into columns.

    Attributes:
        source: the opened input.
        separator: between fields.
        names: the columns; None: the first line names them.
        quoted: whether fields may stand in double quotes.
        latin1: whether a block that is not UTF-8 is latin-1 rather than a fault.
        on_error: what to do with rows of a wrong number of fields.
        dropped: where such rows are counted.
    """

    source: Input
    separator: str = ","
    names: list[str] | None = None
    quoted: bool = True
    latin1: bool = False
    on_error: OnError = "fail"
    dropped: Dropped | None = None

    def frames(self) -> Iterator[Batch]:
        """Frames of strings, and where their rows stand; empty fields are nulls."""
        names, row, line = self.names, 1, 1
        for block in text_blocks(self.source, quotes=self.quoted, separator=self.separator):
            body = self._utf8(block, line)
            while names is None and body:
                first, _, body = body.partition(b"\n")
                if first.strip():
                    fields = split_record(first.decode(), self.separator, quoted=self.quoted)
                    names = name_columns(fields)
                    self._once_each(names)
                line += 1
            if not body or names is None:
                continue
            lines = body.count(b"\n")
            frame, places, rows = self._frame(body, names, row, line, lines)
            yield frame, places
            row += rows
            line += lines

    def _once_each(self, names: list[str]) -> None:
        if len(set(names)) < len(names):
            raise HumobError(
                f"{self.source.name}: found columns {', '.join(names)}, expected each name once"
            )

    def _utf8(self, block: bytes, line: int) -> bytes:
        try:
            block.decode()
        except UnicodeDecodeError as exc:
            if self.latin1:
                return block.decode("latin-1").encode()
            raise TableError(
                self.source.name,
                f"byte 0x{block[exc.start]:02x}",
                "UTF-8 text",
                line=line + block.count(b"\n", 0, exc.start),
            ) from None
        return block

    def _frame(
        self, body: bytes, names: list[str], row: int, line: int, lines: int
    ) -> tuple[pl.DataFrame, LineNumbers, int]:
        if seems_packed(body):
            return self._slowly(body, names, row, line)
        try:
            frame = pl.read_csv(
                body,
                has_header=False,
                separator=self.separator,
                quote_char='"' if self.quoted else None,
                schema=dict.fromkeys(names, pl.String),
                missing_columns="raise",
                extra_columns="raise",
            )
        except pl.exceptions.PolarsError:
            return self._slowly(body, names, row, line)
        if self.quoted and b'"' in body:
            even = frame.height == 0 or frame[names[-1]].null_count() == 0
        else:
            separators = body.count(self.separator.encode())
            even = separators == frame.height * (len(names) - 1)
        # Polars fills short and blank lines with nulls: look at them one by one.
        if even and lines == frame.height:
            return frame, LineNumbers(row, line), frame.height
        return self._slowly(body, names, row, line)

    def _slowly(
        self, body: bytes, names: list[str], row: int, line: int
    ) -> tuple[pl.DataFrame, LineNumbers, int]:
        """Line by line: keeps the good rows, stops at (or counts) the others."""
        kept: list[list[str | None]] = []
        rows: list[int] = []
        lines: list[int] = []
        first = row
        for offset, record in self._records(body, len(names)):
            at = line + offset
            if record is None:
                error = TableError(self.source.name, OPEN_QUOTE, CLOSED, row=row, line=at)
                self._drop(error, "with an open quote")
            else:
                fields = split_record(record.decode(), self.separator, quoted=self.quoted)
                if len(fields) == len(names):
                    kept.append([field or None for field in fields])
                    rows.append(row)
                    lines.append(at)
                else:
                    self._drop_ragged(len(fields), names, row, at)
            row += 1
        schema = dict.fromkeys(names, pl.String)
        return (
            pl.DataFrame(kept, schema=schema, orient="row"),
            LineNumbers(rows, lines),
            row - first,
        )

    def _records(self, body: bytes, width: int) -> Iterator[tuple[int, bytes | None]]:
        if self.quoted:
            return records(body, self.separator, width)
        lines = body.split(b"\n")[:-1]
        return ((at, line) for at, line in enumerate(lines) if line.strip(b" \r"))

    def _drop_ragged(self, count: int, names: list[str], row: int, line: int) -> None:
        expected = f"{len(names)} ({', '.join(names)})"
        error = TableError(self.source.name, f"{count} fields", expected, row=row, line=line)
        self._drop(error, "with a wrong number of fields")

    def _drop(self, error: TableError, reason: str) -> None:
        """Stop at a bad row, or count it."""
        if self.on_error == "fail" or self.dropped is None:
            raise error
        self.dropped.add(reason, error)

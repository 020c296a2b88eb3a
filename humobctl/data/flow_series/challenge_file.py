"""The file of HuMob 2026: a line a day, ``YYYYMMDD``, a tab, and ``{'y_x': {'y_x': value}}``.

The second part is written as Python shows a dictionary. It is read by C as data, never evaluated:
two levels, cells, and numbers from 0. ``NA`` stands for a hidden day. What is written has the same
order, numbers as Python's ``repr`` gives them, and thus the same bytes.
"""

from __future__ import annotations

import ctypes
import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.errors import HumobError, TableError
from humobctl.io.row_errors import Dropped, OnError, quote
from humobctl.io.streams import Input, clear_read_errors
from humobctl.native import Floats, Int32s, Int64s, library
from humobctl.tables.flow_series import NO_AREA, NO_CELL, AreaNumbers, FlowDay

MAX_DAY_BYTES = 1 << 28
"""Longest line: some 8 million pairs."""
MAX_CELLS = 1 << 20
"""Most cells of a file."""
HIDDEN = b"NA"
_START = re.compile(rb"(?:\xef\xbb\xbf)?\d{8}\t[ \t]*(?:NA[ \t\r]*(?:\n|$)|\{)")
_SLOTS = 2 * MAX_CELLS
_SHOWN = 24
_LEAST_PLAIN = 1e-4
"""Smaller numbers polars writes otherwise than Python."""
_WRONG = {
    -1: ("", "{"),
    -2: ("", "a cell such as '50_40' (y_x)"),
    -3: ("", "':'"),
    -4: ("", "a finite number from 0"),
    -5: ("", "',' or '}'"),
    -6: (" after the last '}'", "the end of the line"),
    -7: (" a second time on this day", "each origin once"),
    -8: (" a second time for this origin", "each destination once"),
    -9: (f" after {MAX_CELLS:,} other cells", "at most so many"),
}
"""What the kernel returns -> what to say of what was found, and what was expected."""


def is_challenge_file(head: bytes) -> bool:
    """Whether a file that begins so is a file of HuMob 2026."""
    return bool(_START.match(head))


@dataclass
class _CellTable:
    """The cells of a file by the kernel's numbers, kept from day to day."""

    keys: np.ndarray = field(
        default_factory=lambda: np.full(_SLOTS, np.iinfo(np.int64).min, np.int64)
    )
    numbers: Int32s = field(default_factory=lambda: np.empty(_SLOTS, np.int32))
    cells: Int32s = field(default_factory=lambda: np.empty(2 * MAX_CELLS, np.int32))
    seen: np.ndarray = field(default_factory=lambda: np.zeros(2 * MAX_CELLS, np.int64))
    count: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))
    areas: Int32s = field(default_factory=lambda: np.empty(0, np.int32))

    def to_areas(self, areas: AreaNumbers, numbers: Int32s) -> Int32s:
        """The numbers that ``areas`` gives to cells with the kernel's numbers."""
        known, count = len(self.areas), int(self.count[0])
        if known < count:
            fresh = self.cells[2 * known : 2 * count].reshape(-1, 2).tolist()
            ids = pl.Series([f"{y}_{x}" for y, x in fresh], dtype=pl.String)
            self.areas = np.concatenate([self.areas, areas.number(ids)])
        # One more at the end, for -1.
        found: Int32s = np.append(self.areas, np.int32(NO_AREA))[numbers]
        return found


@dataclass
class ChallengeReader:
    """Reads a file of HuMob 2026 day by day.

    Attributes:
        source: the opened input.
        areas: gives the cells their numbers.
        on_error: stop at the first faulty line, or drop it and count.
        whole_numbers: how many values stood without a point, so far.
        dropped: what was dropped.
    """

    source: Input
    areas: AreaNumbers
    on_error: OnError = "fail"
    whole_numbers: int = 0
    dropped: Dropped = field(default_factory=Dropped)
    _cells: _CellTable = field(default_factory=_CellTable)

    def days(self) -> Iterator[FlowDay]:
        """The days in the order of the file.

        Raises:
            TableError: the first fault, with its line and the place in it.
            HumobError: there is no day.
        """
        seen: set[dt.date] = set()
        with report.progress(f"reading {self.source.name}", self.source.size, "B") as ticker:
            for number, line in self._lines():
                try:
                    day = self._day(line, number, seen)
                except TableError as error:
                    if self.on_error == "fail":
                        raise
                    self.dropped.add("that are no day of flows", error)
                    continue
                seen.add(day.date)
                yield day
                ticker.move_to(self.source.position())
        self.dropped.tell()
        if not seen:
            found = "no good line" if self.dropped.rows else "no line"
            raise HumobError(f"{self.source.name}: found {found}, expected one a day")

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        number = 0
        while True:
            number += 1
            with clear_read_errors(self.source.name, line=number):
                line = self.source.stream.readline(MAX_DAY_BYTES + 1)
            if not line:
                return
            if len(line) > MAX_DAY_BYTES:
                found = f"more than {MAX_DAY_BYTES >> 20} MB without a line end"
                raise TableError(self.source.name, found, "a line a day", line=number)
            line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if line.strip():
                yield number, line

    def _split(self, line: bytes, number: int) -> tuple[dt.date, bytes]:
        date, tab, rest = line.partition(b"\t")
        try:
            if not (tab and re.fullmatch(rb"\d{8}", date)):
                raise ValueError
            return dt.datetime.strptime(date.decode(), "%Y%m%d").date(), rest.rstrip(b"\r\n")
        except ValueError:
            shown = quote(line[:_SHOWN].decode(errors="replace").rstrip("\r\n"))
            expected = "a date such as 20240201, a tab and the flows"
            raise TableError(self.source.name, shown, expected, line=number) from None

    def _day(self, text: bytes, line: int, seen: set[dt.date]) -> FlowDay:
        date, literal = self._split(text, line)
        if date in seen:
            found = f"{date:%Y%m%d} a second time"
            raise TableError(self.source.name, found, "each date once", line=line)
        if literal.strip() == HIDDEN:
            return FlowDay.hide(date)
        most = literal.count(b":") + 1
        origin, destination = np.empty(most, np.int32), np.empty(most, np.int32)
        flow, known = np.empty(most), self._cells
        whole, stopped = np.zeros(1, np.int64), np.zeros(1, np.int64)
        rows = library().humob_read_flow_day(
            ctypes.c_char_p(literal),
            len(literal),
            line,
            known.keys,
            known.numbers,
            _SLOTS,
            known.cells,
            known.seen,
            MAX_CELLS,
            known.count,
            origin,
            destination,
            flow,
            whole,
            stopped,
        )
        if rows < 0:
            raise self._fault(literal, int(rows), int(stopped[0]), line)
        self.whole_numbers += int(whole[0])
        return FlowDay(
            date,
            known.to_areas(self.areas, origin[:rows]),
            known.to_areas(self.areas, destination[:rows]),
            flow[:rows].copy(),
        )

    def _fault(self, literal: bytes, code: int, at: int, line: int) -> TableError:
        more, expected = _WRONG[code]
        text = literal[at : at + _SHOWN].decode(errors="replace")
        shown = "the end of the line" if at >= len(literal) else quote(text) + more
        # Eight digits and a tab stand before the flows; positions count from 1.
        found = f"{shown} at position {at + 10}"
        return TableError(self.source.name, found, expected, line=line)

    def notes(self) -> list[str]:
        """What is to be said when all is read."""
        if not self.whole_numbers:
            return []
        values = pluralize(self.whole_numbers, "value")
        return [f"{values} without a decimal point, which are written with one"]


def day_line(day: FlowDay, areas: AreaNumbers) -> str:
    """The line of a day, with its line end; rows of an origin stand where its first one stands.

    Raises:
        HumobError: an area is not a cell ``y_x``.
    """
    date = f"{day.date:%Y%m%d}\t"
    if day.hidden:
        return f"{date}NA\n"
    order = _by_origin(day.origin)
    origin, destination = day.origin[order], day.destination[order]
    if origin[0] == NO_AREA:
        return f"{date}{{}}\n"
    _check_cells(day, areas)
    first = np.diff(origin, prepend=NO_AREA) != 0
    rows = pl.DataFrame(
        {
            "origin": areas.texts(origin),
            "to": areas.texts(destination),
            "flow": numbers_as_python(day.flow[order]),
            "first": first,
        }
    )
    pieces = rows.select(
        pl.concat_str(
            pl.when("first")
            .then(pl.concat_str(pl.lit("}, '"), "origin", pl.lit("': {")))
            .otherwise(pl.lit(", ")),
            pl.when(pl.col("to").is_not_null())
            .then(pl.concat_str(pl.lit("'"), "to", pl.lit("': "), "flow"))
            .otherwise(pl.lit("")),
        ).str.join("")
    ).item()
    return f"{date}{{{pieces.removeprefix('}, ')}}}}}\n"


def numbers_as_python(values: Floats) -> pl.Series:
    """Numbers as Python's ``repr`` writes them: the shortest text that reads as the same number."""
    values = values + 0.0  # no -0.0
    texts = pl.Series(values).cast(pl.String)
    small = np.flatnonzero((values != 0) & (values < _LEAST_PLAIN))
    if not len(small):
        return texts
    # polars writes 0.000015 and 1.5e-7, Python 1.5e-05 and 1.5e-07.
    changed = (
        texts.gather(small)
        .str.replace(r"^0\.0000(\d)(\d+)$", "${1}.${2}e-05")
        .str.replace(r"^0\.0000(\d)$", "${1}e-05")
        .str.replace(r"e-(\d)$", "e-0${1}")
    )
    return texts.scatter(small, changed)


def _by_origin(origin: Int32s) -> Int64s:
    """Rows so that those of each origin stand together, origins and rows in their order."""
    starts = np.flatnonzero(np.diff(origin, prepend=NO_AREA - 1))
    if len(np.unique(origin[starts])) == len(starts):  # almost always
        return np.arange(len(origin))
    _, first, place = np.unique(origin, return_index=True, return_inverse=True)
    return np.argsort(first[place], kind="stable")


def _check_cells(day: FlowDay, areas: AreaNumbers) -> None:
    x, _ = areas.cells()
    used = np.unique(np.concatenate([day.origin, day.destination[day.pairs]]))
    bad = used[x[used] == NO_CELL]
    if len(bad):
        raise HumobError(
            f"found the area {areas.ids[bad[0]]!r} on {day.date}, expected cells y_x: the file of "
            "HuMob 2026 holds no others"
        )

"""Faults in tables: where they stand, how they are shown, and what ``on_error="drop"`` left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, TypedDict

import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.errors import TableError

OnError = Literal["fail", "drop"]
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
        by_reason = ", ".join(f"{count:,} {reason}" for reason, count in self.reasons.most_common())
        report.warn(f"dropped {pluralize(self.rows, 'row')} ({by_reason})")
        for sample in self.samples:
            report.warn(f"  {sample}")
        if self.rows > len(self.samples):
            report.warn(f"  and {self.rows - len(self.samples):,} more")


class Position(TypedDict):
    """Row and line of one record, as errors name them."""

    row: int
    line: int | None


@dataclass(frozen=True)
class LineNumbers:
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

    def keep(self, mask: pl.Series) -> LineNumbers:
        """The places of the rows that ``mask`` keeps."""
        return self.take(mask.arg_true())

    def take(self, indices: pl.Series) -> LineNumbers:
        """The places of these rows."""
        rows = _at(self.rows, indices)
        return LineNumbers(rows, None if self.lines is None else _at(self.lines, indices))


def _at(numbers: int | list[int], kept: pl.Series) -> list[int]:
    """The numbers of the rows ``kept``, given those of all rows or that of the first."""
    if isinstance(numbers, int):
        return (kept.cast(pl.Int64) + numbers).to_list()
    return pl.Series(numbers, dtype=pl.Int64).gather(kept).to_list()


def quote(value: object) -> str:
    """A value as Python writes it, cut where it is long."""
    text = repr(value.to_list() if isinstance(value, pl.Series) else value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def display(value: object) -> str:
    """A value as it stands in a table."""
    return "nothing" if value is None else str(value)

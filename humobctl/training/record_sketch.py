"""A sketch of the records that a model was trained on, by which ``predict`` knows them again.

Each record has a number, made of its user, day and slot. A sketch keeps the smallest numbers, and
of each one's cell eight bits: enough, taken together, to tell the same data from others, whatever
the order and the format of the file, and too few to give a single record away.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.tables.keyed_random import mix
from humobctl.tables.schemas import MASKED

KEPT = 512
"""Records of a sketch."""
_ENTRY = np.dtype([("number", "<u8"), ("check", "u1")])
_LEAST_KNOWN = 4
"""Records in common by which data are known again."""
_SAME = 0.75
"""Fraction of the records in common that must have the same cell."""


class RecordSketch:
    """The records of smallest numbers."""

    def __init__(self, text: str = "") -> None:
        """Start from nothing, or from the text of another sketch.

        Raises:
            ValueError: the text is not that of a sketch.
        """
        try:
            data = base64.b64decode(text, validate=True)
        except binascii.Error as exc:
            raise ValueError(str(exc)) from exc
        self._entries: NDArray[Any] = np.sort(np.frombuffer(data, _ENTRY), order="number")

    def watch(self, groups: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """Take in groups of known records of a grid trajectory, and pass them through."""
        for group in groups:
            both = np.concatenate([self._entries, _entries(group)])
            self._entries = both[np.argsort(both["number"], kind="stable")[:KEPT]]
            yield group

    def text(self) -> str:
        """The sketch as a text, for ``run.json``."""
        return base64.b64encode(self._entries.tobytes()).decode()

    @property
    def numbers(self) -> NDArray[np.uint64]:
        """Numbers of the records, ascending."""
        return self._entries["number"]

    @property
    def checks(self) -> NDArray[np.uint8]:
        """Eight bits of the cell of each."""
        return self._entries["check"]


class Recognition:
    """Whether the rows of a prediction are among the records of a sketch."""

    def __init__(self, sketch: RecordSketch) -> None:
        self.sketch = sketch
        self._known = self._same = self._asked = self._found = 0

    def add(self, rows: pl.DataFrame, target: pl.Expr) -> None:
        """Look at rows of a grid trajectory, masked ones included.

        Args:
            rows: the rows.
            target: true for a row that is to be predicted.
        """
        numbers = self.sketch.numbers
        if not len(numbers) or not rows.height:
            return
        entries = _entries(rows)
        near = entries["number"] <= numbers[-1]
        entries, rows = entries[near], rows.filter(pl.Series(near))
        at = np.searchsorted(numbers, entries["number"])
        found = numbers[at] == entries["number"]
        known = found & (rows["x"] != MASKED).to_numpy()
        asked = rows.select(target).to_series().to_numpy()
        self._known += int(known.sum())
        self._same += int((known & (self.sketch.checks[at] == entries["check"])).sum())
        self._asked += int(asked.sum())
        self._found += int((asked & found).sum())

    @property
    def fraction(self) -> float:
        """Estimated fraction of the rows to predict that were trained on; 0 of other data."""
        if self._known < _LEAST_KNOWN or self._same < _SAME * self._known:
            return 0.0
        return self._found / max(self._asked, 1)


def _entries(rows: pl.DataFrame) -> NDArray[Any]:
    """Number and check of each row."""
    uid, d, t, x, y = (rows[name].to_numpy() for name in ("uid", "d", "t", "x", "y"))
    entries = np.empty(rows.height, _ENTRY)
    entries["number"] = number = mix(uid, d, t)
    entries["check"] = mix(number, x, y) & np.uint64(255)
    return entries

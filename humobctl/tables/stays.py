"""Stays of people as flat columns: what generated data and real data are compared by."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from humobctl.native import Floats, Int32s, Int64s

UNKNOWN_INTENT = -1


@dataclass(frozen=True)
class Stays:
    """Stays sorted by person, day and start; every column has the shape (stays,).

    Attributes:
        uid: number of the person, ascending; from 0 in the order of the uids as they are read.
        day: day index.
        start: minute of the day at which the stay begins, 0 to 1440.
        end: minute at which it ends, not before ``start``.
        place: number of the place; equal numbers are one place. Places of two tables have nothing
            to do with each other.
        east: metres east of the centre of a plane that all tables of one comparison share.
        north: metres north of it.
        intent: number of the intent in ``schemas.INTENTS``, or UNKNOWN_INTENT.
    """

    uid: Int64s
    day: Int32s
    start: Int32s
    end: Int32s
    place: Int64s
    east: Floats
    north: Floats
    intent: NDArray[np.int8]

    def __len__(self) -> int:
        """Number of stays."""
        return len(self.uid)

    def take(self, wanted: NDArray[np.bool_]) -> Stays:
        """The stays that ``wanted``, of shape (stays,), marks; people keep their numbers."""
        return Stays(*(getattr(self, column.name)[wanted] for column in fields(self)))

    def day_starts(self) -> Int64s:
        """Offsets of the person-days in the columns, shape (person-days + 1,)."""
        new = (np.diff(self.uid) != 0) | (np.diff(self.day) != 0)
        inner = np.flatnonzero(new) + 1
        ends = [0, *([len(self)] if len(self) else [])]
        return np.concatenate([ends[:1], inner, ends[1:]]).astype(np.int64)

    def person_index(self) -> Int64s:
        """The person of each stay, counted from 0, shape (stays,)."""
        return np.concatenate([[0], np.cumsum(np.diff(self.uid) != 0)]).astype(np.int64)[
            : len(self)
        ]

    def people(self) -> int:
        """How many people there are."""
        return int((np.diff(self.uid) != 0).sum()) + bool(len(self))


def at_least(stays: Stays, count: int) -> Stays:
    """The stays of person-days that have ``count`` of them or more."""
    starts = stays.day_starts()
    lengths = np.diff(starts)
    return stays.take(np.repeat(lengths >= count, lengths))

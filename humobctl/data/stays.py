"""Stays of people as flat columns: what generated data and real data are compared by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from humobctl.native import Floats, Int32s, Int64s

UNKNOWN_INTENT = -1


@dataclass(frozen=True)
class Stays:
    """Stays sorted by person, day and start; every column has the shape (stays,).

    Attributes:
        uid: number of the person, from 0 in the order of the input.
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

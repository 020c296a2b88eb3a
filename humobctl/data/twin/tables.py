"""What is kept of a city, and how people use it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from humobctl.data.twin.habits import HOME, KINDS, NEW_FROM, WEIGHTS, Memory
from humobctl.data.twin.rhythm import Rhythm
from humobctl.data.twin.space import GAPS, SIZE, Search, SearchLaw
from humobctl.data.twin.traits import PeopleTraits
from humobctl.native import Bools, Floats, Int64s


@dataclass(frozen=True)
class Users:
    """Users as arrays: records in the order of user, day, slot; homes and works, -1 for none."""

    user: Int64s
    day: Int64s
    slot: Int64s
    cell: Int64s
    home: Int64s
    work: Int64s

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.home)


@dataclass(frozen=True)
class TwinTables:
    """What is kept of a city; nothing of a single user.

    Attributes:
        off: days off, (D,).
        rhythm: when people are seen.
        homes: density of homes, (40000,).
        places: where people find new cells.
        weights: of what people choose next (``habits.py``).
        traits: what people differ in.
    """

    off: Bools
    rhythm: Rhythm
    homes: Floats
    places: SearchLaw
    weights: Floats
    traits: PeopleTraits


@dataclass
class ChoiceCounts:
    """How often each weight was that of what was chosen, of all records and of all finds."""

    choices: Floats = field(default_factory=lambda: np.zeros(WEIGHTS))
    finds: Floats = field(default_factory=lambda: np.zeros(SIZE))

    def add(self, chosen: NDArray[np.integer]) -> None:
        """Count what was chosen, weights of alternatives (a, FACTORS)."""
        self.choices += np.bincount(chosen.ravel(), minlength=WEIGHTS)

    def add_finds(self, chosen: Int64s) -> None:
        """Count what was found, weights of a law (a, 3)."""
        self.finds += np.bincount(chosen.ravel(), minlength=SIZE)


def trait_values(bins: NDArray[np.integer]) -> Floats:
    """What traits weigh: a new cell, the same cell, the home, the work; (..., 4)."""
    new = bins[..., 0] >= NEW_FROM
    kind = bins[..., 4]
    values = [new, bins[..., 5] > 0, *((kind >= low) & (kind < high) for low, high in KINDS)]
    return np.stack(values, axis=-1).astype(np.float64)


def gap_class(gap: Int64s) -> Int64s:
    """Class of the slots since the last record, for distances."""
    found: Int64s = np.minimum(np.searchsorted([1, 4, 47], gap), GAPS - 1)
    return found


def look_around(memory: Memory, who: Int64s, now: int) -> Search:
    """People who look for a new cell at a slot, counted from 0:00 of day 0."""
    row = who[:, None]
    return Search(
        memory.cells[who, memory.last[who]],
        memory.cells[who, HOME],
        gap_class(now - memory.last_slot[who]),
        lambda cells: memory.near[row, cells].astype(np.int64),
        lambda cells: memory.known[row, cells] >= 0,
    )

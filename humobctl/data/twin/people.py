"""Other people of the same city: drawn from its tables."""

from __future__ import annotations

import numpy as np
import polars as pl

from humobctl.data.twin.habits import Memory
from humobctl.data.twin.space import draw_cells, draw_works
from humobctl.data.twin.tables import ChoiceCounts, TwinTables, look_around, trait_values
from humobctl.native import Bools, Floats, Int64s
from humobctl.tables.cells import decode_cells
from humobctl.tables.schemas import GRID, SLOTS_PER_DAY

MOST_CELLS = 600


def make_people(
    tables: TwinTables, first: int, count: int, seed: int, tally: ChoiceCounts | None = None
) -> pl.DataFrame:
    """Trajectories of some people of a twin, and counts of what they chose."""
    rng = np.random.default_rng([seed, first])
    traits = tables.traits.draw(count, rng)
    more, none, far, commute, works = traits[:, [0, 1, 6, 7, 8]].T
    reach = np.cumsum(tables.homes)
    home = np.searchsorted(reach, rng.random(count) * reach[-1], side="right")
    work = draw_works(tables.places.density, home, commute, rng)
    work = np.where(works >= 0.5, work, -1)
    levels = tables.rhythm.draw_levels(tables.off, more, none, rng)
    seen = tables.rhythm.draw_slots(tables.off, levels, rng)
    cells = _live(
        tables,
        Memory(home, work, MOST_CELLS),
        seen,
        traits[:, 2:6],
        far,
        rng,
        tally or ChoiceCounts(),
    )
    person, day, slot = np.nonzero(seen)
    x, y = decode_cells(cells[seen]).T
    columns = {"uid": person + first, "d": day, "t": slot, "x": x, "y": y}
    return pl.DataFrame(columns).cast(pl.Schema(GRID.dtypes))


def _live(
    tables: TwinTables,
    memory: Memory,
    seen: Bools,
    habits: Floats,
    far: Floats,
    rng: np.random.Generator,
    tally: ChoiceCounts,
) -> Int64s:
    """The cell of each record, (P, D, 48)."""
    found = np.zeros(seen.shape, np.int64)
    for day in range(seen.shape[1]):
        off = int(tables.off[day])
        for slot in range(SLOTS_PER_DAY):
            who = np.flatnonzero(seen[:, day, slot])
            if not len(who):
                continue
            bins, there = memory.alternatives(who, day, slot, off)
            score = tables.weights[bins].sum(axis=-1)
            score += (trait_values(bins) @ habits[who][..., None])[..., 0]
            score[~there] = -np.inf
            place = (score + rng.gumbel(size=score.shape)).argmax(axis=1)
            tally.add(bins[np.arange(len(who)), place])
            new = place == score.shape[1] - 1
            if new.any():
                some = who[new]
                search = look_around(memory, some, day * SLOTS_PER_DAY + slot)
                cells = draw_cells(tables.places, search, far[some], rng)
                tally.add_finds(search.bins(cells[:, None]))
                place[new] = memory.discover(some, cells)
            memory.add(who, place, day, slot, off)
            found[who, day, slot] = memory.cells[who, place]
    return found

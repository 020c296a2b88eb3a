"""Tables of a city, fitted on its users."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.data.twin.habits import HABITS, WEIGHTS, Memory
from humobctl.data.twin.logit import Choices, fit_both
from humobctl.data.twin.people import make_people
from humobctl.data.twin.rhythm import Presence, fit_rhythm
from humobctl.data.twin.space import SHARED, Find, fit_law, observe_finds, reach, smooth
from humobctl.data.twin.tables import ChoiceCounts, TwinTables, Users, look_around, trait_values
from humobctl.data.twin.traits import fit_traits
from humobctl.native import Bools, Floats, Int64s
from humobctl.tables.calendar import DAYTIME, NIGHT
from humobctl.tables.cells import CELLS, encode_columns
from humobctl.tables.schemas import SLOTS_PER_DAY

_EVENTS, _FINDS = 5_000, 1_200
_WORK_RECORDS = 10
ROUNDS, _STEP, _SMALL_STEP = 3, 0.2, 0.07


def read_users(rows: pl.DataFrame, first_weekday: int = 0) -> Users:
    """Users of a grid trajectory without masked rows."""
    rows = rows.sort("uid", "d", "t").with_columns(cell=encode_columns())
    user = np.unique(rows["uid"].to_numpy(), return_inverse=True)[1].astype(np.int64)
    day, slot, cell = (rows[name].to_numpy().astype(np.int64) for name in ("d", "t", "cell"))
    count = int(user[-1]) + 1
    night = (slot < NIGHT[0]) | (slot >= NIGHT[1])
    home = _most_frequent(user, cell, night.astype(np.float64) + 0.01, count)
    weekday = (day + first_weekday) % 7
    working = (slot >= DAYTIME[0]) & (slot < DAYTIME[1]) & (weekday > 0) & (weekday < 6)
    away = working & (cell != home[user])
    work = _most_frequent(user, cell, away.astype(np.float64), count)
    work[np.bincount(user, away, minlength=count) < _WORK_RECORDS] = -1
    return Users(user, day, slot, cell, home, work)


def _most_frequent(user: Int64s, cell: Int64s, weight: Floats, users: int) -> Int64s:
    """The cell of the greatest weight of each user."""
    key, index = np.unique(user * CELLS + cell, return_inverse=True)
    sums = np.bincount(index, weight)
    order = np.lexsort((-sums, key // CELLS))
    first = np.searchsorted(key[order] // CELLS, np.arange(users))
    found: Int64s = key[order][first] % CELLS
    return found


def fit_tables(
    users: Users, first_weekday: int = 0, seed: int = 0, shared: int = SHARED
) -> TwinTables:
    """All tables of a city, whose densities are averaged over so many users."""
    days = int(users.day.max()) + 1
    off = find_off(users, days, first_weekday)
    seen = np.zeros((users.count, days, SLOTS_PER_DAY), bool)
    seen[users.user, users.day, users.slot] = True
    rhythm, more, none = fit_rhythm(Presence(seen, off))
    homes, density = fit_densities(users, shared)
    choices, finds, seen_of = replay(users, off, density, seed)
    weights, habits = fit_both(choices, trait_values(choices.bins), users.count)
    places, far = fit_law(density, finds, users.count)
    works = users.work >= 0
    commute = reach(users.work[:, None], users.home)[:, 0]
    commute = np.where(works, commute, commute[works].mean() if works.any() else 0.0)
    traits = fit_traits(np.column_stack([more, none, habits, far, commute, works]))
    tables = TwinTables(off, rhythm, homes, places, weights, traits)
    for number in range(ROUNDS):
        tables = calibrate(tables, seen_of, min(users.count, 50), seed + number)
    return tables


def calibrate(tables: TwinTables, real: ChoiceCounts, people: int, seed: int) -> TwinTables:
    """Weights with which people choose a little more as users did.

    What people know comes of what they chose before, so small faults of a fit, which knows what
    users knew, add up over a life.
    """
    made = ChoiceCounts()
    make_people(tables, 0, people, seed, made)
    places = tables.places
    step = np.where(HABITS, _SMALL_STEP, _STEP)
    return replace(
        tables,
        weights=tables.weights + step * _log_ratio(real.choices, made.choices),
        places=replace(places, weights=places.weights + _STEP * _log_ratio(real.finds, made.finds)),
    )


def _log_ratio(real: Floats, made: Floats) -> Floats:
    """By how much each weight is chosen too seldom; 0 for weight 0."""
    scaled = made * (real[1:].sum() / max(made[1:].sum(), 1))
    ratio: Floats = np.log((real + 10) / (scaled + 10))
    ratio[0] = 0
    return ratio


def fit_densities(users: Users, shared: int = SHARED) -> tuple[Floats, Floats]:
    """Densities of homes, and of the cells where people go, (40000,) each."""
    owner, cell = np.divmod(np.unique(users.user * CELLS + users.cell), CELLS)
    density = smooth(owner, cell, 1 / np.sqrt(np.bincount(owner))[owner], shared)
    homes = smooth(np.arange(users.count), users.home, np.ones(users.count), shared) * density
    return homes / homes.sum(), density


def find_off(users: Users, days: int, first_weekday: int) -> Bools:
    """Weekends, and working days on which as few people are at work as on a weekend, (D,)."""
    weekday = (np.arange(days) + first_weekday) % 7
    off: Bools = (weekday == 0) | (weekday == 6)
    mine = users.work[users.user]
    daytime = (users.slot >= DAYTIME[0]) & (users.slot < DAYTIME[1]) & (mine >= 0)
    total = np.bincount(users.day, daytime, minlength=days)
    there = np.bincount(users.day, daytime & (users.cell == mine), minlength=days)
    share = there / np.maximum(total, 1)
    known = total >= 30
    if (known & off).any() and (known & ~off).any():
        low, high = np.median(share[known & off]), np.median(share[known & ~off])
        if high > 1.2 * low:
            off = off | (known & (share < (low + high) / 2))
    return off


def replay(
    users: Users, off: Bools, density: Floats, seed: int
) -> tuple[Choices, list[Find], ChoiceCounts]:
    """What users chose of what they knew then, and what they found."""
    rng = np.random.default_rng(seed)
    pairs = np.unique(users.user * CELLS + users.cell)
    memory = Memory(users.home, users.work, int(np.bincount(pairs // CELLS).max()) + 2)
    now = users.day * SLOTS_PER_DAY + users.slot
    order = np.argsort(now, kind="stable")
    kept = rng.random(len(now)) < _EVENTS / len(now)
    looked = rng.random(len(now)) < _FINDS / len(pairs)
    parts: list[tuple[NDArray[np.int16], Int64s, Int64s, Int64s]] = []
    finds: list[Find] = []
    tally = ChoiceCounts()
    bounds = np.append(np.flatnonzero(np.diff(now[order], prepend=-1)), len(now))
    for a, b in pairwise(bounds):
        rows = order[a:b]
        who, cell = users.user[rows], users.cell[rows]
        day, slot = divmod(int(now[rows[0]]), SLOTS_PER_DAY)
        free = int(off[day])
        place = memory.known[who, cell].astype(np.int64)
        new = place < 0
        used = kept[rows]
        if used.any():
            bins, there = memory.alternatives(who[used], day, slot, free)
            wanted = np.where(new, there.shape[1] - 1, place)[used]
            chosen = np.cumsum(there, axis=1)[np.arange(len(wanted)), wanted] - 1
            tally.add(bins[np.arange(len(wanted)), wanted])
            parts.append((bins[there], there.sum(axis=1), chosen, who[used]))
        if new.any():
            some = new & looked[rows]
            if some.any():
                search = look_around(memory, who[some], int(now[rows[0]]))
                finds.append(observe_finds(density, search, cell[some], who[some], rng))
                tally.add_finds(search.bins(cell[some][:, None]))
            place[new] = memory.discover(who[new], cell[new])
        memory.add(who, place, day, slot, free)
    return _choices(parts), finds, tally


def _choices(parts: list[tuple[NDArray[np.int16], Int64s, Int64s, Int64s]]) -> Choices:
    bins, count, chosen, owner = (np.concatenate(part) for part in zip(*parts, strict=True))
    first = np.append(0, np.cumsum(count))
    event = np.repeat(np.arange(len(count)), count)
    return Choices(
        bins.astype(np.int64), event, first[:-1] + chosen, owner, np.zeros(len(event)), WEIGHTS
    )

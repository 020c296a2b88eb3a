"""Days of the people of the synthetic city: where they are in each slot, and what is seen of it.

A day is a base (home, or home and work) with outings laid over it. Outings go to new places or
back to known ones by exploration and preferential return (Song, Koren, Wang, Barabasi, "Modelling
the scaling properties of human mobility", Nature Physics 2010): to a new place with probability
``rho * S**-gamma`` where S are known, otherwise to that of an earlier outing picked at random, so
that returns go by past visits and their frequencies become Zipf-like. Phones report a place mostly
while their owner moves, with an error that reaches the neighbouring cells.

Shapes: U people, D days, 48 slots, E outings a day, V outings in a person's life so far.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.data.synth.city import SynthCity, cells_at
from humobctl.data.synth.people import Draws, Positions, Residents, choose
from humobctl.tables.cells import decode_cells, encode_cells
from humobctl.tables.schemas import GRID_SIDE, SLOTS_PER_DAY

OUTINGS = 6
PAST = 30
"""Outings that all users have behind them on day 0, so that they know places already."""
RHO, GAMMA = 0.40, 0.21
"""Song et al. 2010 have 0.6 and 0.21; fewer new places here, as errors and travel add cells."""

_SPOTS = 3
VISIT_DRAWS = 4 + 2 * _SPOTS
"""Draws of one outing: new or not, which one, which candidate, from where, the candidates."""
_BLOCKS = 8
_BLOCKS_FROM = 9
_OUTINGS_FROM = _BLOCKS_FROM + _BLOCKS
_OF_DAY = _OUTINGS_FROM + 3 * OUTINGS
DAY_DRAWS = 3 * SLOTS_PER_DAY + _OF_DAY + VISIT_DRAWS * OUTINGS
"""Draws of one day."""

_HOME, _WORK, _FIRST = 0, 1, 2
"""What a slot's code says: at home, at work, at outing ``code - 2``."""

# How likely an outing is on a working day and on a free day, and when it begins.
_OUTING_WORKING = np.array([0.62, 0.34, 0.55, 0.60, 0.28, 0.60], dtype=np.float32)
_OUTING_FREE = np.array([0.80, 0.62, 0.85, 0.68, 0.36, 0.80], dtype=np.float32)
_BEGINS = np.array([22, 15, 27, 33, 38, 12], dtype=np.float32)
_SPREAD = np.array([5, 7, 6, 5, 5, 33], dtype=np.float32)
_AFTER_WORK = 3

# Rows by slot of the day: fewest at night, most on the way to work and back.
_MORNING = (0.34, 0.32, 0.29, 0.29, 0.31, 0.40, 0.66, 1.15, 1.50, 1.36, 1.38, 1.42)
_AFTERNOON = (1.48, 1.40, 1.38, 1.42, 1.46, 1.52, 1.32, 1.05, 0.84, 0.76, 0.66, 0.54)
_CURVE = np.repeat(np.array(_MORNING + _AFTERNOON, dtype=np.float32), 2)
_SEEN = 0.245
_MOVING = 1.9


@dataclass(frozen=True)
class SynthCalendar:
    """Days of the city; day 0 is a Sunday.

    Attributes:
        weekday: (D,), 0 for Sunday.
        holiday: (D,), working days that are free like a Sunday.
    """

    weekday: NDArray[np.int_]
    holiday: NDArray[np.bool_]


def make_calendar(seed: int, days: int) -> SynthCalendar:
    """Weekdays and holidays; about one working day in 25 is a holiday."""
    weekday = np.arange(days) % 7
    rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, 2])))
    draws = rng.random(days)
    holiday = (draws < 1 / 25) & (weekday != 0) & (weekday != 6)
    if days >= 30 and not holiday[:30].any():
        holiday[15] = True  # the second Monday
    return SynthCalendar(weekday, holiday)


def rows(
    city: SynthCity, calendar: SynthCalendar, people: Residents, past: Draws, draws: Draws
) -> pl.DataFrame:
    """What is seen of some people's days.

    Args:
        city: the ground.
        calendar: of D days.
        people: U of them.
        past: (U, PAST, VISIT_DRAWS) draws of their outings before day 0.
        draws: (U, D, DAY_DRAWS) draws of their days.

    Returns:
        A grid trajectory in the order of uid, d, t.
    """
    cut = np.cumsum([SLOTS_PER_DAY, 2 * SLOTS_PER_DAY, _OF_DAY])
    see, error, day, visits = np.split(draws, cut, axis=2)
    working = _working(calendar, people, day)
    begin, end, active = _outings(people, working, day)
    code = _codes(people, working, day, begin, end, active)
    where = _positions(city, people, active, past, visits, day)
    seen, again = _draw_observed(people, calendar, code, see, day)
    return _report(city, people, code, where, seen, again, error)


def _working(calendar: SynthCalendar, people: Residents, day: Draws) -> NDArray[np.bool_]:
    """(U, D): who works on which day."""
    off = people.days_off[:, calendar.weekday] | (
        calendar.holiday[None, :] & people.days_off[:, [0]]
    )
    return people.works[:, None] & ~off & (day[..., 0] > 0.06)


def _outings(
    people: Residents, working: NDArray[np.bool_], day: Draws
) -> tuple[Draws, Draws, NDArray[np.bool_]]:
    """First slot, slot after the last, and whether they take place; each (U, D, E)."""
    u = day[..., _OUTINGS_FROM:]
    wish, when, how_long = u[..., :OUTINGS], u[..., OUTINGS : 2 * OUTINGS], u[..., 2 * OUTINGS :]
    likely = np.where(working[..., None], _OUTING_WORKING, _OUTING_FREE)
    active = wish < likely * people.outgoing[:, None, None]
    begin = np.floor(_BEGINS + _SPREAD * when)
    leave = np.floor(people.work_start + people.work_slots)[:, None]
    begin[..., _AFTER_WORK] = np.where(working, leave, begin[..., _AFTER_WORK])
    longest = np.where(working[..., None], np.float32(4.0), np.float32(11.0))
    slots = 1 + np.floor(longest * how_long**1.8)
    return begin, np.minimum(begin + slots, SLOTS_PER_DAY), active


def _codes(
    people: Residents,
    working: NDArray[np.bool_],
    day: Draws,
    begin: Draws,
    end: Draws,
    active: NDArray[np.bool_],
) -> NDArray[np.int8]:
    """(U, D, 48): at home, at work, or at which outing."""
    slot = np.arange(SLOTS_PER_DAY, dtype=np.int8)
    early = np.floor(people.work_start[:, None] + 1.6 * (day[..., 1] - 0.5))
    late = np.floor(early + people.work_slots[:, None] + 3 * day[..., 2] ** 3)
    starts = np.where(working, early, 127).astype(np.int8)[..., None]
    ends = np.minimum(late, SLOTS_PER_DAY).astype(np.int8)[..., None]
    code: NDArray[np.int8] = ((slot >= starts) & (slot < ends)).astype(
        np.int8
    )  # _HOME is 0, _WORK is 1
    first = np.where(active, begin, 127).astype(np.int8)
    last = end.astype(np.int8)
    for outing in range(OUTINGS):
        there = (slot >= first[..., outing, None]) & (slot < last[..., outing, None])
        np.copyto(code, np.int8(_FIRST + outing), where=there)
    return code


def _positions(
    city: SynthCity,
    people: Residents,
    active: NDArray[np.bool_],
    past: Draws,
    visits: Draws,
    day: Draws,
) -> Positions:
    """(U, D, 2 + E, 2): where each code of a day is."""
    users, days = active.shape[:2]
    where = np.empty((users, days, _FIRST + OUTINGS, 2), dtype=np.float32)
    where[:, :, _HOME] = people.home[:, None]
    where[:, :, _WORK] = people.work[:, None]
    flat = active.reshape(users, -1)
    lives = np.concatenate(
        [past.reshape(users, PAST, VISIT_DRAWS), visits.reshape(users, -1, VISIT_DRAWS)], axis=1
    )
    happens = np.concatenate([np.ones((users, PAST), dtype=bool), flat], axis=1)
    spots = _life(city, people, happens, lives)[:, PAST:]
    where[:, :, _FIRST:] = spots.reshape(users, days, OUTINGS, 2)
    _travel(city, people, where, day)
    return where


def _travel(city: SynthCity, people: Residents, where: Positions, day: Draws) -> None:
    """Days away from the city's usual places: everything happens around one far spot."""
    away = day[..., 3] < 0.018 * people.outgoing[:, None]
    # Some stay over night: the day after a travelling day is one, too.
    away[:, 1:] |= away[:, :-1] & (day[:, 1:, 4] < 0.35)
    user, on = np.nonzero(away)
    if user.size == 0:
        return
    cells = cells_at(city.homes, day[user, on, 5])
    centre = decode_cells(cells).astype(np.float32) - 0.5
    spread = (where[user, on] - people.home[user][:, None]) * 0.25
    where[user, on, 1:] = np.clip(centre[:, None] + spread[:, 1:], 0.0, GRID_SIDE - 0.01)


def _life(
    city: SynthCity, people: Residents, happens: NDArray[np.bool_], draws: Draws
) -> Positions:
    """(U, V, 2): the place of each outing, by exploration and preferential return."""
    users, lifetime = happens.shape
    # Outings that take place, in a row without holes: order (U, V) gives their index in a life.
    order = np.argsort(~happens, axis=1, kind="stable")
    count = happens.sum(axis=1)
    longest = int(count.max())
    order = order[:, :longest]
    everyone = np.arange(users)
    new_draw = np.take_along_axis(draws[..., 0], order, axis=1)
    back_draw = np.take_along_axis(draws[..., 1], order, axis=1)
    source = np.empty((longest, users), dtype=np.int32)
    known = np.zeros(users, dtype=np.int32)
    chance = RHO * np.arange(1, longest + 2, dtype=np.float64) ** -GAMMA
    chance = np.concatenate([[2.0], chance])  # the first outing is always to a new place
    for step in range(longest):
        explore = new_draw[:, step] < chance[known]
        earlier = (back_draw[:, step] * step).astype(np.int32)
        source[step] = np.where(explore, step, source[earlier, everyone])
        known += explore
    steps = np.arange(longest)
    first = (steps[None, :] == source.T) & (steps < count[:, None])
    person, at = np.nonzero(first)
    spots = np.zeros((users, longest, 2), dtype=np.float32)
    spots[person, at] = _new_places(city, people, person, draws[person, order[person, at]])
    visited = np.take_along_axis(spots, source.T[..., None].astype(np.intp), axis=1)
    life = np.zeros((users, lifetime, 2), dtype=np.float32)
    np.put_along_axis(life, order[..., None], visited, axis=1)
    return life


def _new_places(
    city: SynthCity, people: Residents, person: NDArray[np.intp], u: Draws
) -> Positions:
    """(N, 2) places not known before: a truncated power law around home or work, then venues.

    Jump lengths follow ``(r + r0)**-1.75`` with r0 = 5 km, cut at 60 km (Gonzalez, Hidalgo,
    Barabasi, "Understanding individual human mobility patterns", Nature 2008).
    """
    spots = np.empty((person.size, _SPOTS, 2), dtype=np.float32)
    far, r0, beta = 120.0, 10.0, 1.75  # in cells
    low, high = r0 ** (1 - beta), (far + r0) ** (1 - beta)
    near_work = u[:, 3] < 0.35
    anchor = np.where(near_work[:, None], people.work[person], people.home[person])
    for index in range(_SPOTS):
        length, angle = u[:, 4 + 2 * index], 2 * np.pi * u[:, 5 + 2 * index]
        reach = (low + length * (high - low)) ** (1 / (1 - beta)) - r0
        spots[:, index, 0] = anchor[:, 0] + reach * np.cos(angle)
        spots[:, index, 1] = anchor[:, 1] + reach * np.sin(angle)
    return choose(city.venues, spots, u[:, 2], people.home[person])


def _draw_observed(
    people: Residents, calendar: SynthCalendar, code: NDArray[np.int8], see: Draws, day: Draws
) -> tuple[NDArray[np.bool_], Draws]:
    """Which slots are seen, (U, D, 48), and a fresh draw for each seen one.

    Phones report in bursts, more by day and on the move; some days are missing.
    """
    moving = np.zeros(code.shape, dtype=bool)
    moving[..., 1:] = code[..., 1:] != code[..., :-1]
    free = (calendar.weekday == 0) | calendar.holiday
    weekend = np.where(free, 0.88, 1.0).astype(np.float32)
    level = _SEEN * people.seen[:, None] * np.exp(0.75 * (day[..., 6] + day[..., 7] - 1.0))
    level = level * weekend
    absent = day[..., 8] < people.missing[:, None] * np.where(free, 1.6, 0.9)
    absent |= np.arange(code.shape[1])[None, :] < people.first_day[:, None]
    level[absent] = 0.0
    bursts = np.where(
        day[..., _BLOCKS_FROM:_OUTINGS_FROM] < 0.42, np.float32(2.4), np.float32(0.16)
    )
    chance = (level[..., None] * bursts).astype(np.float32)
    chance = np.repeat(chance, SLOTS_PER_DAY // _BLOCKS, axis=2) * _CURVE
    chance *= np.where(moving, np.float32(_MOVING), np.float32(1.0))
    np.minimum(chance, 0.95, out=chance)
    seen = see < chance
    return seen, (see[seen] / chance[seen]).astype(np.float32)


def _report(
    city: SynthCity,
    people: Residents,
    code: NDArray[np.int8],
    where: Positions,
    seen: NDArray[np.bool_],
    again: Draws,
    error: Draws,
) -> pl.DataFrame:
    """Cells of the seen slots, with the error of positioning and what is passed on the way."""
    days = code.shape[1]
    flat = np.flatnonzero(seen)
    user_day, slot = np.divmod(flat, SLOTS_PER_DAY)
    user, day = np.divmod(user_day, days)
    here = code.ravel()[flat].astype(np.intp)
    # Slot 0 has no slot before it on its day: nobody is on the way then.
    before = code.ravel()[flat - (slot > 0)].astype(np.intp)
    table = where.reshape(-1, 2)
    base = user_day * (_FIRST + OUTINGS)
    spot, origin = table[base + here], table[base + before]
    on_the_way = (here != before) & (again < 0.6)
    share = (again / 0.6)[:, None]
    passing = (origin + share * (spot - origin)).astype(np.int32) + 1
    np.clip(passing, 1, GRID_SIDE, out=passing)
    on_road = city.route[encode_cells(passing[:, 0], passing[:, 1])]
    spot = np.where(on_the_way[:, None], on_road, spot)
    blur = people.blur[user] * np.where(here == _HOME, np.float32(1.0), np.float32(1.5))
    blur = np.where(on_the_way, blur + 0.2, blur)
    u, v = np.split(error.reshape(-1, 2 * SLOTS_PER_DAY), 2, axis=1)
    length = blur * np.sqrt(-2 * np.log1p(-u.ravel()[flat]))
    turn = v.ravel()[flat]
    # Some fixes are far off (a stroll by day, an antenna further away at night): the first of the
    # hundred turns below.
    by_day = (slot > 13) & (slot < 44)
    length = np.where(turn < np.where(by_day, 0.07, 0.02), length * 8, length)
    angle = np.float32(2 * np.pi * 100) * turn
    cell_x = np.floor(spot[:, 0] + length * np.cos(angle)) + 1
    cell_y = np.floor(spot[:, 1] + length * np.sin(angle)) + 1
    return pl.DataFrame(
        {
            "uid": people.uid[user],
            "d": day.astype(np.int16),
            "t": slot.astype(np.uint8),
            "x": np.clip(cell_x, 1, GRID_SIDE).astype(np.int16),
            "y": np.clip(cell_y, 1, GRID_SIDE).astype(np.int16),
        }
    )

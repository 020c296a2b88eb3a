"""A synthetic peninsula: daily flows between cells before and after an earthquake.

A band of land, its tip to the north-east, where the shock strikes. Each cell has a population, a
rhythm of working days and days off, and a way of recovery: at once, within weeks, within
months, never, or a rise by people who fled there. Flows between cells follow population and the
inverse square of distance, to the largest few destinations of each cell. What is observed are
counts (Poisson, with a common factor of each day), divided by one number, so that root mean
squares are those that HuMob 2026 divides by: a prediction of no flow scores about 1.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from humobctl.errors import UsageError
from humobctl.native import Bools, Floats, Int32s
from humobctl.tables.flow_series import (
    BOX_2026,
    LOST_DAYS_2026,
    OUTSIDE,
    AreaNumbers,
    FlowDay,
)
from humobctl.tables.holidays import is_holiday, is_homecoming

SHOCK = dt.date(2024, 1, 1)
_COUNTS_A_UNIT = 10.0
"""Counts that a flow of 1 stands for."""
_DIAGONAL, _OFF_DIAGONAL = 26.57, 0.0176
_DESTINATIONS = 20
_SPEEDS = (0.1, 20.0, 60.0, 200.0, np.inf)
"""Days in which a loss falls to 1/e; none of it is made good at last in cells of the last kind."""


@dataclass(frozen=True)
class Peninsula:
    """What is made.

    Attributes:
        width, height: cells of the land's box along x and y, whose first cell is that of the box
            of HuMob 2026 (30, 35).
        first: the first day.
        days: number of days.
        seed: of all random numbers.
    """

    width: int = 41
    height: int = 36
    first: dt.date = dt.date(2023, 11, 1)
    days: int = 366
    seed: int = 0


def parse_size(text: str) -> tuple[int, int]:
    """Cells along x and y from a text such as ``41x36``.

    Raises:
        UsageError: it is none, or of less than 4 or more than 100 cells.
    """
    found = re.fullmatch(r"(\d{1,3})x(\d{1,3})", text)
    if found and all(4 <= int(side) <= 100 for side in found.groups()):
        return int(found[1]), int(found[2])
    raise UsageError(f"--flows-grid: found {text!r}, expected cells such as 41x36, 4 to 100 a side")


@dataclass(frozen=True)
class _Land:
    """The cells and the pairs with flow; the last area is the outside."""

    ids: list[str]
    origin: Int32s
    destination: Int32s
    expected: Floats
    loss: Floats
    speed: Floats
    rise: Floats
    working: Floats
    final: Floats


def _is_land(x: Floats, y: Floats, one: Peninsula) -> Bools:
    """A band from the south-west to the north-east that gets narrower."""
    along, across = y / one.height, x / one.width
    found: Bools = np.abs(across - 0.15 - 0.65 * along) < 0.3 - 0.15 * along
    return found


def _make_land(one: Peninsula, draw: np.random.Generator) -> _Land:
    grid = np.meshgrid(np.arange(float(one.width)), np.arange(float(one.height)))
    x, y = (part.ravel() for part in grid)
    land = _is_land(x, y, one)
    x, y = x[land], y[land]
    count = len(x)
    people = np.exp(draw.normal(0, 1.0, count))
    tip = np.hypot(x - 0.8 * one.width, y - one.height) / np.hypot(one.width, one.height)
    loss = np.clip(0.95 * np.exp(-3 * tip) * draw.uniform(0.6, 1.1, count), 0, 0.95)
    kind = draw.choice(len(_SPEEDS), count, p=(0.25, 0.25, 0.2, 0.2, 0.1))
    final = np.where(np.isinf(np.array(_SPEEDS)[kind]), 1.0, draw.uniform(0, 0.25, count))
    rise = np.where((tip > 0.5) & (draw.random(count) < 0.15), draw.uniform(0.2, 0.6, count), 0.0)
    far = np.maximum(np.hypot(x[:, None] - x, y[:, None] - y), 0.5)
    pull = people[:, None] ** 0.8 * people / far**2
    np.fill_diagonal(pull, 0)
    wanted = min(_DESTINATIONS, count - 1)
    to = np.argsort(-pull, axis=1, kind="stable")[:, :wanted]
    to.sort(axis=1)
    origin = np.repeat(np.arange(count), wanted)
    flow = np.take_along_axis(pull, to, axis=1).ravel()
    south, west = BOX_2026[2], BOX_2026[0]
    ids = [f"{int(b) + south}_{int(a) + west}" for a, b in zip(x, y, strict=True)]
    scored = one.width * one.height
    own = people * _COUNTS_A_UNIT * _DIAGONAL * np.sqrt(scored / (people**2).sum())
    flow = flow * _scale(flow, (_OFF_DIAGONAL * _COUNTS_A_UNIT) ** 2 * scored * (scored - 1))
    edge = people * flow.sum() / people.sum() / 20
    cells, outside = np.arange(count), np.full(count, count)
    start = np.concatenate([origin, cells, cells, outside])
    end = np.concatenate([to.ravel(), cells, outside, cells])
    expected = np.concatenate([flow, own, edge, edge])
    order = np.lexsort((end, start))
    return _Land(
        [*ids, OUTSIDE],
        start[order].astype(np.int32),
        end[order].astype(np.int32),
        expected[order],
        loss=np.append(loss, 0.0),
        speed=np.append(np.array(_SPEEDS)[kind], 1.0),
        rise=np.append(rise, 0.0),
        working=np.append(draw.uniform(0.85, 1.2, count), 1.0),
        final=np.append(final, 0.0),
    )


def _scale(flow: Floats, squares: float) -> float:
    """What flows are multiplied with so that counts around them have this sum of squares."""
    # sum (a f)^2 + a f = squares
    a, b = float((flow**2).sum()), float(flow.sum())
    return float((np.sqrt(b * b + 4 * a * squares) - b) / (2 * a))


def _level(land: _Land, since: int) -> Floats:
    """What of its usual activity each area has, so many days after the shock."""
    if since < 0:
        return np.ones(len(land.loss))
    left = np.where(np.isinf(land.speed), 1.0, np.exp(-since / land.speed))
    lost = land.loss * (land.final + (1 - land.final) * left)
    level: Floats = (1 - lost) * (1 + land.rise * np.exp(-since / 90.0))
    return level


def is_day_off(date: dt.date) -> bool:
    """Whether it is a weekend or a holiday (of Japan, as far as the challenge goes)."""
    if date.weekday() >= 5 or is_holiday(date):
        return True
    return is_homecoming(date) and date.day != 16  # here Obon ends on the 15th


def make_days(one: Peninsula, areas: AreaNumbers) -> Iterator[FlowDay]:
    """The days; those that HuMob 2026 lacks are hidden.

    Args:
        one: what is made.
        areas: gives the cells their numbers.
    """
    draw = np.random.default_rng([one.seed, 2026])
    land = _make_land(one, draw)
    numbers = areas.number(pl.Series(land.ids))
    own = land.origin == land.destination
    weather = 0.0
    for at in range(one.days):
        date = one.first + dt.timedelta(days=at)
        weather = 0.6 * weather + draw.normal(0, 0.02)
        level = _level(land, (date - SHOCK).days)
        rhythm = 2 - land.working if is_day_off(date) else land.working
        stay = level * rhythm
        move = np.sqrt(level[land.origin] * level[land.destination])
        move *= 0.75 if is_day_off(date) else 1.1
        factor = np.where(own, stay[land.origin], move) * np.exp(weather)
        counts = draw.poisson(land.expected * factor)
        if date in LOST_DAYS_2026:
            yield FlowDay.hide(date)
            continue
        some = counts > 0
        flow = counts[some] / _COUNTS_A_UNIT
        yield FlowDay(date, numbers[land.origin[some]], numbers[land.destination[some]], flow)

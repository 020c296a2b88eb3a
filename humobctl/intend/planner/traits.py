"""What stays the same about a person from day to day: schedule, days off, liking, liveliness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.intend.planner import config
from humobctl.intend.planner.config import LIKING, LIVELINESS, OCCUPATIONS, OFFICE, SCHEDULES
from humobctl.native import Bools, Floats
from humobctl.tables.intents import CODES
from humobctl.tables.keyed_random import uniforms
from humobctl.tables.schemas import INTENTS, NOT_EMPLOYED

_TRAITS = 0x747261697473
"""Keeps these draws apart from those of the days."""
_DRAWS = 8
ATTRIBUTES = tuple(LIKING)
"""Attributes that liking depends on, in the order of ``Traits.shares``."""


@dataclass(frozen=True)
class Traits:
    """Some people; arrays run over them (n).

    Attributes:
        schedule: index into ``SCHEDULES``.
        chronotype: index into ``CHRONOTYPES``.
        off: days off by weekday, Sunday first, (n, 7).
        liking: log odds of liking an intent more than others do, (n, 12).
        shares: what each attribute, and the person's own taste at last, adds to it,
            (n, attributes + 1, 12).
        values: number of each attribute's value in its table of ``LIKING``, from 1; 0 for a
            value that is not there, (n, attributes).
        liveliness: how much the person undertakes, standard normal.
    """

    schedule: NDArray[np.intp]
    chronotype: NDArray[np.intp]
    off: Bools
    liking: Floats
    shares: Floats
    values: NDArray[np.intp]
    liveliness: Floats


def traits(people: pl.DataFrame, seed: int) -> Traits:
    """The traits of people: columns uid, education, gender, consumption, occupation."""
    uid = people["uid"].to_numpy()
    u = uniforms(_DRAWS, seed, _TRAITS, uid)
    schedule = _look_up(people["occupation"], OCCUPATIONS, OFFICE).astype(np.intp)
    taste = config.TASTE * (2 * uniforms(len(INTENTS), seed, _TRAITS + 1, uid) - 1)
    values = np.stack([_values(people, name) for name in ATTRIBUTES], axis=1)
    liking = [_odds(name)[values[:, index]] for index, name in enumerate(ATTRIBUTES)]
    shares = np.stack([*liking, taste], axis=1)
    lively = sum(_look_up(people[name], table, 0.0) for name, table in LIVELINESS.items())
    return Traits(
        schedule=schedule,
        chronotype=(u[:, 0] * len(config.CHRONOTYPES)).astype(np.intp),
        off=_days_off(u[:, 1:5], schedule, (people["occupation"] != NOT_EMPLOYED).to_numpy()),
        liking=shares.sum(axis=1),
        shares=shares,
        values=values,
        liveliness=normal(u[:, 5], u[:, 6]) + np.asarray(lively),
    )


def _look_up(values: pl.Series, table: dict[str, int] | dict[str, float], other: float) -> Floats:
    """The table's number for each value; by the values that differ, of which there are few."""
    names = values.unique()
    numbers = np.array([table.get(name, other) for name in names], dtype=float)
    order = np.argsort(names.to_numpy())
    place = np.searchsorted(names.to_numpy(), values.to_numpy(), sorter=order)
    found: Floats = numbers[order[place]]
    return found


def _values(people: pl.DataFrame, attribute: str) -> NDArray[np.intp]:
    number: dict[str, int] = {value: n for n, value in enumerate(LIKING[attribute], start=1)}
    return _look_up(people[attribute], number, 0).astype(np.intp)


def _odds(attribute: str) -> Floats:
    """Log odds of each value of an attribute, shape (values + 1, 12); zeros in row 0."""
    table = LIKING[attribute]
    odds = np.zeros((len(table) + 1, len(INTENTS)))
    for number, liking in enumerate(table.values(), start=1):
        for intent, amount in liking.items():
            odds[number, CODES[intent]] = amount
    return odds


def _days_off(u: Floats, schedule: NDArray[np.intp], employed: Bools) -> Bools:
    """Saturday and Sunday; two other days for some trades; all days for who does not work."""
    weekend = np.zeros(7, dtype=bool)
    weekend[[0, 6]] = True
    other = (u[:, 0] * 7).astype(int)[:, None]
    week = np.arange(7)
    shifted = (week == other) | (week == (other + 1) % 7)
    elsewhere = np.array([routine.weekend for routine in SCHEDULES])[schedule]
    off = np.where((u[:, 1] < elsewhere)[:, None], shifted, weekend)
    found: Bools = off | (~employed | (u[:, 2] >= config.EMPLOYED))[:, None]
    return found


def normal(u: Floats, v: Floats) -> Floats:
    """Standard normal values from two uniform draws (Box and Muller, 1958)."""
    drawn: Floats = np.sqrt(-2 * np.log1p(-u)) * np.cos(2 * np.pi * v)
    return drawn


def normal_share(z: Floats) -> Floats:
    """The standard normal distribution function, within 0.0003 (Page, 1977)."""
    share: Floats = 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))
    return share

"""The people of the embedded synthetic city: profiles, homes, work and habits.

Every person has a stream of random draws of their own, keyed by the seed and their number: person
``k`` is the same among 100 people and among 100,000, and in batches of any size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.data.synth.city import SynthCity, cells_at, degrees
from humobctl.tables.cells import decode_cells, encode_cells
from humobctl.tables.schemas import GRID_SIDE, PROFILES

Draws = NDArray[np.float32]
Positions = NDArray[np.float32]

TRAITS = 64
"""Draws that describe a person, before those of their days."""
_COMMUTE_KM = 12.0
_WEEKEND_TRADES = (
    "Front Desk Reception",
    "Customer Service Representative",
    "Store Manager",
    "Apparel",
    "Housekeeping",
)

# Shares as in the population profiles published with CoPB (Beijing).
EDUCATION = {
    "Bachelor's degree": 0.390,
    "High school diploma": 0.197,
    "uncertain": 0.170,
    "Master's degree": 0.065,
    "Elementary school diploma": 0.065,
    "Junior high school diploma": 0.060,
    "associate degree": 0.031,
    "Doctoral degree": 0.022,
}
GENDER = {"man": 0.44, "woman": 0.40, "uncertain": 0.16}
CONSUMPTION = {
    "medium": 0.413,
    "uncertain": 0.218,
    "slightly high": 0.161,
    "slightly low": 0.139,
    "low": 0.057,
    "high": 0.012,
}
OCCUPATION = {
    "IT Engineer": 0.20,
    "Online Sales": 0.10,
    "Investment": 0.06,
    "Training Instructor": 0.07,
    "Copywriting": 0.06,
    "Finance": 0.06,
    "Technical Worker": 0.09,
    "Front Desk Reception": 0.06,
    "Biomedical Engineering": 0.03,
    "Sales Manager": 0.04,
    "Teacher": 0.04,
    "Public Relations": 0.02,
    "Administrative Officer": 0.03,
    "Lawyer": 0.01,
    "Warehousing": 0.03,
    "Construction Engineering": 0.03,
    "Customer Service Representative": 0.02,
    "Store Manager": 0.02,
    "Quality Inspector": 0.01,
    "Apparel": 0.01,
    "Housekeeping": 0.01,
}


@dataclass(frozen=True)
class Residents:
    """What stays the same about some people; arrays run over people (U).

    Attributes:
        uid: their numbers, (U,).
        home: positions in cells, (U, 2).
        work: positions in cells, (U, 2); the home of those who do not work.
        works: who goes to work.
        days_off: (U, 7), weekdays off, Sunday first.
        work_start: usual first slot at work, (U,).
        work_slots: usual length of a working day in slots, (U,).
        seen: how often their phone tells where they are, around 1.
        missing: fraction of days on which it never does.
        first_day: the day on which it first does.
        outgoing: how much they go about, around 1.
        blur: standard deviation of a reported position in cells.
        traits: the draws behind all this, (U, TRAITS).
    """

    uid: NDArray[np.uint32]
    home: Positions
    work: Positions
    works: NDArray[np.bool_]
    days_off: NDArray[np.bool_]
    work_start: Draws
    work_slots: Draws
    seen: Draws
    missing: Draws
    first_day: NDArray[np.int16]
    outgoing: Draws
    blur: Draws
    traits: Draws


def person_rng(seed: int, uid: int) -> np.random.Generator:
    """The stream of draws of one person."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, 1, uid])))


def make_people(city: SynthCity, uid: NDArray[np.uint32], traits: Draws) -> Residents:
    """People from their draws, (U, TRAITS), uniform in [0, 1)."""
    u = traits
    home_cell = cells_at(city.homes, u[:, 0])
    home = _inside(home_cell, u[:, 1], u[:, 2])
    occupation = _pick(OCCUPATION, u[:, 6])
    works = u[:, 7] < 0.88
    at_home = u[:, 8] < 0.06
    work = np.where((works & ~at_home)[:, None], _workplaces(city, home, u[:, 9:28]), home)
    shifts = u[:, 28] < 0.12
    usual = 17.0 + 1.4 * _normal(u[:, 29], u[:, 30])
    return Residents(
        uid=uid,
        home=home,
        work=work,
        works=works,
        days_off=_days_off(u[:, 31], u[:, 32], np.isin(occupation, _WEEKEND_TRADES)),
        work_start=np.where(shifts, 8 + 30 * u[:, 33], np.clip(usual, 11, 24)).astype(np.float32),
        work_slots=np.where(u[:, 34] < 0.2, 9.0, 17.5 + 3 * u[:, 35]).astype(np.float32),
        seen=np.exp(0.40 * _normal(u[:, 36], u[:, 37])).astype(np.float32),
        missing=(0.015 + 0.26 * u[:, 38] ** 4).astype(np.float32),
        first_day=np.where(u[:, 39] < 0.10, 1 + 24 * u[:, 40] ** 2, 0).astype(np.int16),
        outgoing=np.clip(np.exp(0.45 * _normal(u[:, 41], u[:, 42])), 0.2, 2.4).astype(np.float32),
        blur=np.clip(0.24 * np.exp(0.6 * _normal(u[:, 43], u[:, 44])), 0.06, 1.2).astype(
            np.float32
        ),
        traits=traits,
    )


def profiles(people: Residents) -> pl.DataFrame:
    """Their profile table (``schemas.PROFILES``); who does not work has no work coordinates."""
    u = people.traits
    home_lat, home_lon = degrees(people.home[:, 0], people.home[:, 1])
    work_lat, work_lon = degrees(people.work[:, 0], people.work[:, 1])
    frame = pl.DataFrame(
        {
            "uid": people.uid,
            "education": _pick(EDUCATION, u[:, 3]).tolist(),
            "gender": _pick(GENDER, u[:, 4]).tolist(),
            "consumption": _pick(CONSUMPTION, u[:, 5]).tolist(),
            "occupation": _pick(OCCUPATION, u[:, 6]).tolist(),
            "home_lat": home_lat.round(6),
            "home_lon": home_lon.round(6),
            "work_lat": work_lat.round(6),
            "work_lon": work_lon.round(6),
        }
    )
    works = pl.Series("works", people.works)
    return frame.with_columns(
        pl.when(works).then(pl.col("work_lat", "work_lon")).otherwise(None)
    ).select(PROFILES.columns)


def _inside(cells: NDArray[np.intp], u: Draws, v: Draws) -> Positions:
    corners = decode_cells(cells) - 1
    return (corners + np.stack([u, v], axis=-1)).astype(np.float32)


def _pick(shares: dict[str, float], draws: Draws) -> NDArray[np.str_]:
    total = np.cumsum(list(shares.values()))
    index = np.searchsorted(total, draws * total[-1], side="right")
    names: NDArray[np.str_] = np.array(list(shares))
    picked: NDArray[np.str_] = names[np.minimum(index, len(shares) - 1)]
    return picked


def _normal(u: Draws, v: Draws) -> NDArray[np.floating]:
    """Standard normal values from two uniform draws (Box and Muller, 1958)."""
    root = np.sqrt(-2 * np.log1p(-u.astype(np.float64)))
    normal: NDArray[np.floating] = root * np.cos(2 * np.pi * v)
    return normal


def _workplaces(city: SynthCity, home: Positions, u: Draws) -> Positions:
    """Workplaces: a log-normal commuting distance, then the pull of jobs among candidates.

    Args:
        city: its jobs.
        home: (U, 2) positions.
        u: (U, 19) draws.
    """
    away = np.exp(1.0 * _normal(u[:, :6], u[:, 6:12])) * _COMMUTE_KM * 2
    angle = 2 * np.pi * u[:, 12:18]
    spots = home[:, None, :] + (away[..., None] * np.stack([np.cos(angle), np.sin(angle)], -1))
    return choose(city.jobs, spots.astype(np.float32), u[:, 18], home)


def choose(pull: NDArray[np.float64], spots: Positions, u: Draws, other: Positions) -> Positions:
    """One of several candidate positions, by the pull of their cells.

    Args:
        pull: (40000,) weight of each cell.
        spots: (N, C, 2) candidates; those outside the city or without pull are never taken.
        u: (N,) draws.
        other: (N, 2) what to take where no candidate is good.
    """
    cell = np.floor(spots).astype(np.int32) + 1
    within = ((cell >= 1) & (cell <= GRID_SIDE)).all(axis=-1)
    flat = np.where(within, encode_cells(cell[..., 0], cell[..., 1]), 0)
    weights = np.where(within, pull[flat], 0.0)
    total = np.cumsum(weights, axis=1)
    index = (total <= (u * total[:, -1])[:, None]).sum(axis=1)
    good = total[:, -1] > 0
    index = np.minimum(index, spots.shape[1] - 1)
    taken = np.take_along_axis(spots, index[:, None, None], axis=1)[:, 0]
    chosen: Positions = np.where(good[:, None], taken, other).astype(np.float32)
    return chosen


def _days_off(u: Draws, v: Draws, weekend_trade: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mostly Saturday and Sunday; two other days, or Sunday and another, for some."""
    usual = np.zeros(7, dtype=bool)
    usual[[0, 6]] = True
    other = (v * 7).astype(int)
    week = np.arange(7)
    shifted = (week == other[:, None]) | (week == (other[:, None] + 1) % 7)
    mixed = (week == 0) | (week == other[:, None])
    kind = np.where(weekend_trade, u * 1.6, u)[:, None]
    return np.where(kind < 0.78, usual, np.where(kind < 0.9, mixed, shifted))

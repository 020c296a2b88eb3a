"""An embedded synthetic city that looks like HuMob data: any number of people, always the same.

Measured against HuMob cities B and C: rows a day and their bursts, cells a person, the share of
the most visited ones, radius of gyration, days off. Nothing of those data is in here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.data.synth.city import SynthCity, make_city
from humobctl.data.synth.city import places as city_places
from humobctl.data.synth.days import (
    DAY_DRAWS,
    PAST,
    VISIT_DRAWS,
    SynthCalendar,
    make_calendar,
    rows,
)
from humobctl.data.synth.people import TRAITS, Draws, Residents, make_people, person_rng
from humobctl.data.synth.people import profiles as people_profiles
from humobctl.io.outputs import check_distinct
from humobctl.io.parquet_folder import check_folder_options
from humobctl.io.streams import STANDARD
from humobctl.io.write import check_output, write_table
from humobctl.tables.schemas import GRID, PLACES, PROFILES

USER_DAYS_PER_BATCH = 16_384


@dataclass(frozen=True)
class SyntheticCity:
    """What to make.

    Attributes:
        users: number of people; their uids count from 0.
        days: number of days from day 0, a Sunday.
        seed: of the city and of its people. Person ``k`` of a seed is the same whatever ``users``
            is, and their first days are the same whatever ``days`` is.
    """

    users: int = 100
    days: int = 75
    seed: int = 0

    def trajectories(self, batch: int | None = None) -> Iterator[pl.DataFrame]:
        """Grid trajectories in the order of uid, d, t, some people at a time.

        Args:
            batch: people in one frame; changes memory, never the rows.
        """
        city, calendar = make_city(self.seed), make_calendar(self.seed, self.days)
        step = batch or max(1, USER_DAYS_PER_BATCH // self.days)
        with report.progress("making people", self.users, "users") as ticker:
            for first in range(0, self.users, step):
                many = min(step, self.users - first)
                yield _trajectories(self.seed, city, calendar, first, many)
                ticker.advance(many)

    def profiles(self, batch: int = 4096) -> Iterator[pl.DataFrame]:
        """The profiles of these people, some at a time."""
        city = make_city(self.seed)
        for first in range(0, self.users, batch):
            many = min(batch, self.users - first)
            traits = np.empty((many, TRAITS), dtype=np.float32)
            for index in range(many):
                person_rng(self.seed, first + index).random(out=traits[index], dtype=np.float32)
            yield people_profiles(_people(city, first, traits))


def _people(city: SynthCity, first: int, traits: Draws) -> Residents:
    return make_people(city, np.arange(first, first + len(traits), dtype=np.uint32), traits)


def _trajectories(
    seed: int, city: SynthCity, calendar: SynthCalendar, first: int, many: int
) -> pl.DataFrame:
    before = TRAITS + PAST * VISIT_DRAWS
    days = len(calendar.weekday)
    draws = np.empty((many, before + days * DAY_DRAWS), dtype=np.float32)
    for index in range(many):
        person_rng(seed, first + index).random(out=draws[index], dtype=np.float32)
    return rows(
        city,
        calendar,
        _people(city, first, draws[:, :TRAITS]),
        draws[:, TRAITS:before].reshape(many, PAST, VISIT_DRAWS),
        draws[:, before:].reshape(many, days, DAY_DRAWS),
    )


def write_city(
    city: SyntheticCity,
    output: str | None,
    *,
    format: str | None = None,
    places: str | None = None,
    profiles: str | None = None,
    users_a_block: int | None = None,
) -> int:
    """Write a city's trajectories, and its places and profiles where they are asked for.

    Args:
        city: what to make.
        output: file for the trajectories; None or ``-`` for standard output.
        format: of the trajectories; by default the file's ending decides.
        places: file for the place table.
        profiles: file for the profile table.
        users_a_block: users of each folder ``uid_block=...`` of a folder.

    Returns:
        Number of rows of the trajectories.

    Raises:
        UsageError: two of them would go to the same place.
        HumobError: a file cannot be written.
    """
    check_folder_options(output, users_a_block)
    check_distinct({"--output": output or STANDARD, "--places": places, "--profiles": profiles})
    check_output(output, GRID, format)
    if places is not None:
        write_table(city_places(city.seed), places, table=PLACES)
    if profiles is not None:
        write_table(city.profiles(), profiles, table=PROFILES)
    return write_table(city.trajectories(), output, format=format, users_a_block=users_a_block)

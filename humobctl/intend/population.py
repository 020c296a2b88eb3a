"""Who plans: a table of profiles, expanded by their counts or drawn from.

Profiles are people of their own (``data synth``) or kinds of people with a ``count`` each, as in
the population profiles published with CoPB.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.data.importers.surveys import find_survey, read_survey
from humobctl.data.importers.table_kind import columns_of
from humobctl.errors import HumobError
from humobctl.intend.backends.base import Person
from humobctl.io.read import read_table
from humobctl.io.row_errors import OnError
from humobctl.native import Int64s
from humobctl.tables.keyed_random import uniforms
from humobctl.tables.schemas import POPULATION, PROFILES

ATTRIBUTES = ("education", "gender", "consumption", "occupation")
_DRAW = 0x70656F706C65
"""Keeps these draws apart from those of the days."""


@dataclass(frozen=True)
class SyntheticPopulation:
    """Profiles, and how many people are wanted of them.

    Attributes:
        profiles: a population table.
        count: people to draw; None for all.
        seed: of the draw.
    """

    profiles: pl.DataFrame
    count: int | None = None
    seed: int = 0

    @property
    def size(self) -> int:
        """Number of people."""
        return self._everybody if self.count is None else self.count

    @functools.cached_property
    def _everybody(self) -> int:
        return int(self._counts.sum())

    @functools.cached_property
    def _counts(self) -> Int64s:
        return self.profiles["count"].fill_null(1).to_numpy().astype(np.int64)

    @functools.cached_property
    def _has_counts(self) -> bool:
        return self.profiles["count"].null_count() < self.profiles.height

    @property
    def keeps_uids(self) -> bool:
        """Whether each person is a row of the table, with its uid; otherwise uids count from 0."""
        return not self._has_counts and self.size <= self.profiles.height

    def batches(self, people: int) -> Iterator[pl.DataFrame]:
        """Some people at a time: uid, profile (uid in the table), attributes, home and work."""
        for first in range(0, self.size, people):
            yield self.between(first, min(first + people, self.size))

    def between(self, first: int, end: int) -> pl.DataFrame:
        """The people numbered from ``first`` to below ``end``, as in ``batches``."""
        number = np.arange(first, end)
        if self.keeps_uids:
            rows = self.profiles[self._chosen[number]]
            uid = rows["uid"]
        else:
            rows = self.profiles[self._rows_of(number, self._ends)]
            uid = pl.Series("uid", number, dtype=pl.UInt32)
        return rows.drop("count").rename({"uid": "profile"}).insert_column(0, uid)

    @functools.cached_property
    def _ends(self) -> Int64s:
        return np.cumsum(self._counts)

    @functools.cached_property
    def _chosen(self) -> Int64s:
        return self._different_rows()

    def _rows_of(self, number: Int64s, ends: Int64s) -> Int64s:
        """Rows of numbered people: in the order of the table, or drawn by the counts."""
        if self.count is not None:
            number = (uniforms(1, self.seed, _DRAW, number)[:, 0] * ends[-1]).astype(np.int64)
        return np.searchsorted(ends, number, side="right")

    def _different_rows(self) -> Int64s:
        """As many rows as people are wanted, none twice, in the order of the table."""
        if self.size == self.profiles.height:
            return np.arange(self.size)
        rank = np.argsort(uniforms(1, self.seed, _DRAW, self.profiles["uid"])[:, 0], kind="stable")
        return np.sort(rank[: self.size])


def read_population(
    path: str | None, *, count: int | None = None, seed: int = 0, on_error: OnError = "fail"
) -> SyntheticPopulation:
    """The people of a profile table, or of a survey as ``data import`` reads it.

    The weights of a survey are for draws: where no ``count`` is wanted, each row is one person.

    Raises:
        HumobError: the file cannot be read, holds a fault, or all its counts are 0.
    """
    columns = columns_of(path)
    if find_survey(columns) is not None:
        profiles = read_survey(path, on_error)
        if count is None or "count" not in profiles.columns:
            profiles = profiles.with_columns(count=pl.lit(None, pl.UInt32))
    else:
        profiles = read_table(path, POPULATION, on_error=on_error, rename={"profile_id": "uid"})
    population = SyntheticPopulation(profiles, count, seed)
    if not population._everybody:
        name = "stdin" if path in (None, "-") else path
        raise HumobError(f"{name}: found counts of 0 only, expected at least one person")
    if count is not None and not population.keeps_uids:
        report.detail(f"{count} people drawn from {profiles.height} profiles; uids count from 0")
    return population


def persons(people: pl.DataFrame) -> Iterator[Person]:
    """The people of a batch, one by one."""
    for row in people.select("uid", "profile", *ATTRIBUTES).iter_rows():
        yield Person(*row)


def as_profiles(people: pl.DataFrame) -> pl.DataFrame:
    """The people of a batch as a profile table, each under their own uid."""
    return people.select(PROFILES.columns)

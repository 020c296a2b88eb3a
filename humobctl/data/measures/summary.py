"""Measures over all users: how those of single users spread, and those of locations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from humobctl.data.measures.per_user import LAGS, Measured
from humobctl.data.measures.spread import Spread, ValueTally, spread
from humobctl.native import Floats
from humobctl.tables.schemas import USER_MEASURES

MOST_LOCATIONS = 2_000_000
"""Locations of which the entropy is taken; of more, as in raw points, nothing is said."""
RANKS = 100
_MERGE_ROWS = 4_000_000


@dataclass(frozen=True)
class Measures:
    """The field's measures of a table; docs/measures.md has formulas and sources.

    Attributes:
        users: a row a user, every measure; columns as in ``schemas.USER_MEASURES``.
        over_users: name of a measure -> how it spreads over users who have it.
        jump_length_km: over all pairs of consecutive records.
        waiting_time_min: over the same pairs.
        mean_square_displacement_km2: by hours after a user's first record, mean over users.
        share_by_rank: mean fraction of records at a user's first, second, ... most visited
            location, over users with so many locations; 100 at most.
        locations: distinct ones of all users; None if there are more than two million.
        records_per_location, users_per_location: over locations.
        location_entropy_random_bits: log2 of a location's users, over locations.
        location_entropy_uncorrelated_bits: entropy of the users' shares of a location's records.
    """

    users: pl.DataFrame = field(repr=False)
    over_users: dict[str, Spread]
    jump_length_km: Spread
    waiting_time_min: Spread
    mean_square_displacement_km2: dict[str, float | None]
    share_by_rank: list[float]
    locations: int | None
    records_per_location: Spread
    users_per_location: Spread
    location_entropy_random_bits: Spread
    location_entropy_uncorrelated_bits: Spread

    def __getattr__(self, name: str) -> Spread:
        """The spread of a measure over users, by its name."""
        if name.startswith("_") or name not in USER_MEASURES.columns:
            raise AttributeError(name)
        return self.over_users[name]


class MeasureTally:
    """Takes in what is measured of groups of whole users."""

    def __init__(self) -> None:
        self._tables: list[pl.DataFrame] = []
        self._jumps, self._waits = ValueTally(), ValueTally()
        self._shares, self._ranked = np.zeros(RANKS), np.zeros(RANKS)
        self._locations = _LocationTally()

    def add(self, measured: Measured) -> None:
        """Take in some users."""
        self._tables.append(measured.table)
        self._jumps.add(measured.jumps)
        self._waits.add(measured.waits)
        top = measured.ranked.filter(pl.col("rank") < RANKS)
        rank = top["rank"].to_numpy()
        self._shares += np.bincount(rank, top["share"].to_numpy(), minlength=RANKS)
        self._ranked += np.bincount(rank, minlength=RANKS)
        self._locations.add(measured.ranked)

    def measures(self) -> Measures:
        """What was found in all."""
        users = (
            pl.concat(self._tables) if self._tables else pl.DataFrame(schema=USER_MEASURES.dtypes)
        )
        over = {name: _spread_of(users[name]) for name in users.columns if name != "uid"}
        ranks = int((self._ranked > 0).sum())
        return Measures(
            users=users,
            over_users=over,
            jump_length_km=self._jumps.spread(),
            waiting_time_min=self._waits.spread(),
            mean_square_displacement_km2={
                f"{hours}h": over[f"square_displacement_{hours}h_km2"].mean for hours in LAGS
            },
            share_by_rank=(self._shares[:ranks] / self._ranked[:ranks]).tolist(),
            **self._locations.spreads(),
        )


def _spread_of(column: pl.Series) -> Spread:
    return spread(column.cast(pl.Float64).drop_nulls().to_numpy())


class _LocationTally:
    """Records and users of each location, for its entropies."""

    def __init__(self) -> None:
        self._held: list[pl.DataFrame] | None = []
        self._rows = 0

    def add(self, ranked: pl.DataFrame) -> None:
        if self._held is None:
            return
        n = pl.col("visits").cast(pl.Float64)
        found = ranked.group_by("place").agg(n=n.sum(), logs=(n * n.log(2)).sum(), users=pl.len())
        self._held.append(found)
        self._rows += found.height
        if self._rows > _MERGE_ROWS:
            self._merge()

    def _merge(self) -> None:
        if not self._held:
            return
        whole = pl.concat(self._held).group_by("place").agg(pl.col("n", "logs", "users").sum())
        self._rows = whole.height
        self._held = None if whole.height > MOST_LOCATIONS else [whole]

    def spreads(self) -> dict[str, Any]:
        self._merge()
        empty = pl.DataFrame(schema={"n": pl.Float64, "logs": pl.Float64, "users": pl.UInt32})
        whole = self._held[0] if self._held else empty
        n, logs, users = (
            whole[name].cast(pl.Float64).to_numpy() for name in ("n", "logs", "users")
        )
        entropy: Floats = np.maximum(np.log2(n) - logs / n, 0)
        return {
            "locations": None if self._held is None else len(n),
            "records_per_location": spread(n),
            "users_per_location": spread(users),
            "location_entropy_random_bits": spread(np.log2(users)),
            "location_entropy_uncorrelated_bits": spread(entropy),
        }

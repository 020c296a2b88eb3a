"""A sentence of each cluster: what most of its users do, where and when.

Day 0 is a Sunday. Home is a user's most visited night cell, work the most visited cell besides it
of weekday working hours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from humobctl.console.words import pluralize
from humobctl.native import Floats, Int64s
from humobctl.tables.calendar import DAYTIME, NIGHT
from humobctl.tables.cells import decode_cells

if TYPE_CHECKING:
    from humobctl.explore.data import World

CELL_KM = 0.5
_AT_HOME, _AT_WORK, _TIMES = 0.5, 0.1, 2.0
"""Fractions of weekday records from 10:00 to 18:00: with the first at home one is so by day; with
the second at work, and that many times the fraction of weekends, a commuter."""
_EVENING = range(15, 24)
"""Hours in which users come home."""


def describe_clusters(world: World) -> list[str]:
    """A sentence of each cluster, such as "34 users: weekday commuters, 12 km, home by 19:00"."""
    user = pl.Series("user", np.repeat(np.arange(len(world)), world.rows))
    rows = pl.DataFrame({"user": user, "d": world.d, "t": world.t, "cell": world.cell})
    slot, dow = pl.col("t").cast(pl.Int64), pl.col("d").cast(pl.Int64) % 7
    by_day = (slot >= DAYTIME[0]) & (slot < DAYTIME[1])
    weekend = (dow == 0) | (dow == 6)
    night = (slot < NIGHT[0]) | (slot >= NIGHT[1])
    rows = rows.join(_most(rows.filter(night), "home"), on="user", how="left")
    away = rows.filter(by_day & ~weekend & (pl.col("cell") != pl.col("home")))
    works = _most(away, "work")
    cluster = pl.DataFrame({"user": np.arange(len(world)), "cluster": world.cluster})
    there = (
        rows.filter(pl.col("home").is_not_null())
        .join(works, on="user", how="left")
        .with_columns(
            at_home=pl.col("cell") == pl.col("home"),
            at_work=(pl.col("cell") == pl.col("work")).fill_null(value=False),
            part=pl.when(~weekend).then(pl.lit("weekday")).otherwise(pl.lit("weekend")),
            hour=slot // 2,
            by_day=by_day,
        )
    )
    homes = _medians(there.filter("by_day"), cluster, "part", "at_home")
    jobs = _medians(there.filter("by_day"), cluster, "part", "at_work")
    hours = _medians(there.filter(pl.col("part") == "weekday"), cluster, "hour", "at_home")
    pairs = rows.unique("user").join(works, on="user").drop_nulls("home").join(cluster, on="user")
    km = _km(pairs["home"].to_numpy(), pairs["work"].to_numpy())
    owner = pairs["cluster"].to_numpy()
    return [
        f"{pluralize(int(size), 'user')}: "
        + ", ".join(
            [
                _routine(homes.get(one, {}), jobs.get(one, {})),
                *([f"{np.median(km[owner == one]):.0f} km to work"] if works_here else []),
                *_home_by(hours.get(one, {})),
            ]
        )
        for one, size in enumerate(np.bincount(world.cluster))
        for works_here in [2 * int((owner == one).sum()) >= size]
    ]


def _most(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """Each user's cell of most rows, the lowest number first."""
    counts = rows.group_by("user", "cell").len().sort("len", "cell", descending=[True, False])
    return counts.unique("user", keep="first", maintain_order=True).select(
        "user", pl.col("cell").alias(name)
    )


def _medians(
    rows: pl.DataFrame, cluster: pl.DataFrame, by: str, where: str
) -> dict[int, dict[str | int, float]]:
    """Median over the users of a cluster of the fraction of rows at a place, by part or hour."""
    users = rows.group_by("user", by).agg(pl.col(where).mean()).join(cluster, on="user")
    found: dict[int, dict[str | int, float]] = {}
    for one, key, share in users.group_by("cluster", by).agg(pl.col(where).median()).rows():
        found.setdefault(one, {})[key] = share
    return found


def _km(home: Int64s, work: Int64s) -> Floats:
    apart = decode_cells(home).astype(np.float64) - decode_cells(work)
    far: Floats = CELL_KM * np.linalg.norm(apart, axis=-1)
    return far


def _routine(home: dict[str | int, float], work: dict[str | int, float]) -> str:
    """What most do by day, from fractions of records at home and at work by part of the week."""
    weekday, weekend = (work.get(part, 0.0) for part in ("weekday", "weekend"))
    if "weekday" not in home:
        return "few records by day"
    if home["weekday"] >= _AT_HOME:
        return "mostly at home by day"
    if weekday < _AT_WORK:
        return "nowhere for long by day"
    return "weekday commuters" if weekday >= _TIMES * weekend else "at work on all days"


def _home_by(hours: dict[str | int, float]) -> list[str]:
    """The evening hour in which the fraction of records at home passes half of its height."""
    evening = [hours.get(hour, 0.0) for hour in _EVENING]
    late = [hour for hour, one in zip(_EVENING, evening, strict=True) if one >= max(evening) / 2]
    return [f"home by {late[0]}:00"] if max(evening) > 0 and late[0] > _EVENING[0] else []

"""Homes and works: where users spend the hours of rest and leisure, and those of work.

The rule OSNA (Efstathiades et al., ASONAM 2015), of Mondays to Fridays::

    home score(location) = 0.739 * minutes in 2:00-8:00 + 0.358 * minutes in 19:00-2:00
    work score(location) = minutes in 8:00-19:00, of locations other than home

trackintel gives a stay wholly to the hours that its middle lies in; here each minute counts for
the hours that it lies in.
"""

from __future__ import annotations

import datetime as dt

import polars as pl

_REST, _LEISURE = 0.739, 0.358
_CONFIDENCE = pl.col("score") / pl.col("score").sum().over("uid")


def find_home_work(visits: pl.DataFrame, start: dt.date) -> pl.DataFrame:
    """Home and work of each user that has either; null where not found.

    Args:
        visits: uid, place (a number for each location of a user), d, start_min and end_min of
            stays split at midnight.
        start: date of day 0.

    Returns:
        uid; home and work, numbers of places; home_days and work_days, on which the user was there
        in these hours; home_confidence, the location's part of the score of all locations, and
        work_confidence, its part of that of all locations but home.
    """
    working_day = (pl.col("d") + start.weekday()) % 7 < 5
    rest = _minutes(2, 8) * _REST + (_minutes(19, 24) + _minutes(0, 2)) * _LEISURE
    scored = visits.filter(working_day).select("uid", "place", "d", home=rest, work=_minutes(8, 19))
    homes = _best(scored, "home")
    elsewhere = scored.join(homes, left_on=["uid", "place"], right_on=["uid", "home"], how="anti")
    return homes.join(_best(elsewhere, "work"), on="uid", how="full", coalesce=True).sort("uid")


def _minutes(begin: int, end: int) -> pl.Expr:
    """Minutes of a visit from one hour of the day to another."""
    until = pl.min_horizontal("end_min", pl.lit(end * 60))
    return (until - pl.max_horizontal("start_min", pl.lit(begin * 60))).clip(lower_bound=0)


def _best(scored: pl.DataFrame, what: str) -> pl.DataFrame:
    """The location with the highest score of each user; the first visited among equals."""
    return (
        scored.filter(pl.col(what) > 0)
        .group_by("uid", "place")
        .agg(score=pl.col(what).sum(), days=pl.col("d").n_unique())
        .with_columns(confidence=_CONFIDENCE)
        .sort("uid", "score", "place", descending=[False, True, False])
        .group_by("uid", maintain_order=True)
        .first()
        .select(
            "uid",
            pl.col("place").alias(what),
            pl.col("days").alias(f"{what}_days"),
            pl.col("confidence").alias(f"{what}_confidence"),
        )
    )

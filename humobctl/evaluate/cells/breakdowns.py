"""Scores of predictions by time and by users' past, user by user.

In a group of whole days (a weekday, the third day ahead, regular users) a user's score is the mean
over their days there, of every metric. Of an hour, and of known and new places, GEO-BLEU and DTW
have no part: accuracy and distance are means over the user's records there. A group's score is the
mean over the users that have any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from humobctl.data.sessions import moment_of
from humobctl.errors import UsageError
from humobctl.evaluate.breakdowns import OF_DAYS, Grouping, name_group
from humobctl.evaluate.cells.align import AlignedDays
from humobctl.evaluate.cells.points import POINT_METRICS
from humobctl.evaluate.registry import Metric
from humobctl.native import Floats
from humobctl.tables.schemas import MASKED

_PLACE = ("x", "y")


@dataclass(frozen=True)
class CellGroup:
    """Scores of a group.

    Attributes:
        by, name: of the breakdown and of the group.
        metrics: those that are computed.
        sums: of each user 1 and the scores, or zeros; shape (seeds, users, 1 + metrics).
    """

    by: str
    name: str
    metrics: list[Metric]
    sums: Floats


def metrics_of(by: str, metrics: Sequence[Metric]) -> list[Metric]:
    """The metrics that a breakdown can have.

    Raises:
        UsageError: none of them.
    """
    found = [one for one in metrics if by in OF_DAYS or one.name in POINT_METRICS]
    if not found:
        raise UsageError(
            f"--by {by}: GEO-BLEU and DTW are of whole days, expected --metric "
            f"{' or '.join(POINT_METRICS)} or --by {', '.join(OF_DAYS)}"
        )
    return found


def tabulate_groups(
    days: AlignedDays,
    detail: pl.DataFrame,
    past: pl.DataFrame,
    by: Sequence[str],
    metrics: Sequence[Metric],
    *,
    cell_km: float,
    first_day: int,
    first_weekday: int,
) -> dict[str, dict[str, list[Any]]]:
    """Means of some users by group: of each breakdown the columns uid, group and a metric each.

    Args:
        days: both sides.
        detail: scores of user-days.
        past: records of the same users before the days that are scored.
        by: breakdowns.
        metrics: to compute.
        cell_km: side of a cell.
        first_day: the first day that is scored.
        first_weekday: weekday of day 0, from 0 for Sunday.
    """
    at = moment_of(of_cells=True).alias("at")
    known = past.filter(pl.col("x") != MASKED).select(pl.col("uid").cast(pl.Int64), *_PLACE, at)
    day = np.repeat(np.arange(len(days.uid)), np.diff(days.starts))
    columns = {"uid": days.uid[day], "d": days.d[day], "t": days.slot}
    rows = pl.DataFrame(columns | dict(zip(_PLACE, days.reference, strict=True)))
    rows = rows.cast({name: known.schema[name] for name in _PLACE}).with_columns(at)
    km = days.apart() * cell_km
    points = {name: one.scores(km) for name, one in POINT_METRICS.items()}
    grouping = Grouping(_PLACE, known, first_day, first_weekday)
    found = {}
    for one in by:
        numbers = grouping.numbers(one, rows)
        wanted = [metric.column for metric in metrics_of(one, metrics)]
        if one in OF_DAYS:
            scored = detail.select("uid", *wanted, group=numbers[days.starts[:-1]])
        else:
            scored = pl.DataFrame({"uid": rows["uid"], **points, "group": numbers})
        means = scored.group_by("uid", "group", maintain_order=True).agg(pl.col(wanted).mean())
        found[one] = means.to_dict(as_series=False)
    return found


def gather_groups(
    parts: Sequence[dict[str, dict[str, list[Any]]]],
    metrics: Sequence[Metric],
    users: pl.Series,
) -> list[CellGroup]:
    """The groups of all users, of what ``tabulate_groups`` says of some at a time."""
    found = []
    for by in parts[0] if parts else ():
        wanted = metrics_of(by, metrics)
        frame = pl.concat(pl.DataFrame(part[by]) for part in parts if part[by]["uid"])
        for (number,), some in sorted(frame.partition_by("group", as_dict=True).items()):
            sums = np.zeros((1, len(users), 1 + len(wanted)))
            at = np.searchsorted(users.to_numpy(), some["uid"].to_numpy())
            sums[0, at, 0] = 1
            sums[0, at, 1:] = some.select(metric.column for metric in wanted).to_numpy()
            found.append(CellGroup(by, name_group(by, int(number)), wanted, sums))
    return found


def pool_groups(seeds: Sequence[Sequence[CellGroup]]) -> list[CellGroup]:
    """The groups of several seeds of one entry as one."""
    return [
        replace(same[0], sums=np.concatenate([one.sums for one in same]))
        for same in zip(*seeds, strict=True)
    ]

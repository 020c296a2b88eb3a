"""Distributions as they are written: with room for cells new to the user, as rows of a table."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

from humobctl.native import Floats
from humobctl.predict.base import PredictOptions, Predictor, SlotDistributions, UserHistory
from humobctl.predict.baselines.history import History
from humobctl.predict.city_profile import CityProfile, past_cities
from humobctl.predict.new_cells import (
    USUAL,
    are_new,
    fit_weights,
    row_features,
    spare_new_cells,
    with_best,
)
from humobctl.predict.ranker.config import RankerConfig
from humobctl.predict.ranker.data import first_days, split_users, windows
from humobctl.tables.schemas import RANKED_CELLS

_LEAST_LEFT = 1e-9
_USERS = 300
"""Users on whose past the chance of new cells is learnt."""
_WINDOWS = RankerConfig(windows=(15, 22))
"""Their last known days that stand for the days to predict."""


def learn_from_past(
    groups: Iterable[pl.DataFrame], city: CityProfile, calendar: pl.DataFrame | None
) -> Floats | None:
    """Weights of the chance of a cell new to the user, beside the history baseline.

    They are learnt on windows of the last known days, each predicted from the days before it, of
    the first users.

    Args:
        groups: known rows of whole users, in order; no more are read than are needed.
        city: its first weekday.
        calendar: days off; None to infer them from the days before each window.

    Returns:
        Weights, shape (7,); None where no user has days in a window and before it.
    """
    rows = _first_users(groups)
    last_day = int(rows["d"].to_numpy().max(initial=-1))
    cities = past_cities(
        [rows],
        first_days(last_day, _WINDOWS),
        last_day + 1,
        first_weekday=int(city.weekday[0]),
        calendar=calendar,
    )
    features, new = [], []
    for user in split_users(rows):
        for begin, task, truth in windows(user, last_day, _WINDOWS):
            dist = History(cities[begin], PredictOptions()).distribution(task)
            features.append(with_best(row_features(task, cities[begin]), dist.p.max(axis=1)))
            new.append(are_new(task, truth))
    return fit_weights(np.concatenate(features), np.concatenate(new)) if new else None


def _first_users(groups: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The rows of the first users."""
    frames, left = [], _USERS
    for group in groups:
        uids = group["uid"].unique(maintain_order=True)[:left]
        frames.append(group.filter(pl.col("uid").is_in(uids.implode())))
        left -= len(uids)
        if not left:
            break
    return pl.concat(frames)


def spare_new(
    user: UserHistory, dist: SlotDistributions, city: CityProfile, model: Predictor
) -> SlotDistributions:
    """The distribution with the chance of a cell new to the user taken from the user's own cells.

    A model that has learnt this chance says it; for others the history baseline does.
    """
    if not len(user.d):
        return dist
    weights, of = getattr(model, "new_cells", None), dist
    if weights is None:
        weights = np.array(USUAL) if city.new_cells is None else city.new_cells
        if not isinstance(model, History):
            of = History(city, PredictOptions()).distribution(user)
    return spare_new_cells(user, dist, city, weights, of.p.max(axis=1))


def rank_cells(user: UserHistory, dist: SlotDistributions, top_k: int) -> pl.DataFrame:
    """The most probable cells of a user's target rows; those without any probability are left.

    Args:
        user: whose rows.
        dist: their distributions, shape (r, k).
        top_k: cells a row, at most.
    """
    order = np.argsort(-dist.p, axis=1, kind="stable")[:, :top_k]
    r, many = order.shape
    p = np.take_along_axis(dist.p, order, axis=1)
    cells = dist.cells[order]
    frame = pl.DataFrame(
        {
            "uid": np.full(r * many, user.uid),
            "d": np.repeat(user.target_d, many),
            "t": np.repeat(user.target_t, many),
            "rank": np.tile(np.arange(1, many + 1), r),
            "x": cells[:, :, 0].ravel(),
            "y": cells[:, :, 1].ravel(),
            "p": np.minimum(p, 1.0).ravel(),
        },
        schema_overrides=RANKED_CELLS.dtypes,
    )
    return frame.filter((pl.col("p") > 0) | (pl.col("rank") == 1))


def list_cells(user: UserHistory, dist: SlotDistributions) -> pl.DataFrame:
    """All cells with a probability in a user's target rows, the most probable of a row first.

    What is left of a row's probability, that of cells new to the user, comes last, without x and y.
    """
    cells = rank_cells(user, dist, dist.p.shape[1]).drop("rank")
    rest = cells.group_by("d", "t").agg(left=1.0 - pl.col("p").sum())
    left = rest.filter(pl.col("left") > _LEAST_LEFT).select(
        "d", "t", uid=pl.lit(user.uid, pl.UInt32), x=None, y=None, p="left"
    )
    both = [cells, left.select(pl.col(name).cast(kind) for name, kind in cells.schema.items())]
    return pl.concat(both).sort("d", "t", maintain_order=True)

"""Why a cell was chosen: what a model and a user's own past say of it, row by row."""

from __future__ import annotations

import numpy as np
import polars as pl

from humobctl.errors import HumobError
from humobctl.evaluate.cells.dtw import HUMOB_CELL_KM
from humobctl.io.by_user import UserStore
from humobctl.io.read import iter_table
from humobctl.native import Floats, Int32s, Int64s
from humobctl.predict.base import SlotDistributions, UserHistory, circular_slots
from humobctl.predict.city_profile import CityProfile
from humobctl.predict.registry import build
from humobctl.predict.run import PredictJob, decoded, survey, user_of
from humobctl.tables.cells import decode_cells, encode_cells

COLUMNS = {
    "d": "d",
    "t": "t",
    "x": "x",
    "y": "y",
    "p": "p",
    "rank": "rank",
    "best_x": "best x",
    "best_y": "best y",
    "best_p": "best p",
    "visits": "visits",
    "near_slot": "near t",
    "same_weekday": "weekday",
    "last_day": "last d",
    "home_km": "km home",
}
"""Columns of the table, and their headings for people."""
LEGEND = (
    "x, y: the chosen cell; p, rank: its probability and rank; best: the likeliest cell\n"
    "visits: records in the chosen cell; near t: within an hour of the slot; weekday: on that day "
    "of the week\nlast d: last day there; km home: distance from the most frequent cell"
)
_NEAR_SLOTS = 2


def explain(path: str | None, uid: int, job: PredictJob) -> pl.DataFrame:
    """One row for each slot to predict of one user.

    Args:
        path: a grid trajectory; None or ``-`` for standard input.
        uid: the user.
        job: model, decoder and targets.

    Returns:
        The columns of ``COLUMNS``: the chosen cell, its probability and rank among the model's
        candidates, the likeliest cell, and what the user's records say of the chosen cell: how
        many there are, how many within an hour of the slot and on that day of the week, the last
        day, and the distance from the user's most frequent cell. Nulls where the chosen cell is
        no candidate or was never visited.

    Raises:
        HumobError: the user is not there, or has nothing to predict.
    """
    name = "stdin" if path in (None, "-") else str(path)
    with UserStore() as store:
        store.collect(iter_table(path, on_error=job.on_error))
        city, _ = survey(store, job, name)
        rows = store.group(uid, uid + 1)
    if not rows.height:
        raise HumobError(f"{name}: found no user {uid}, expected one of the file's")
    user = user_of(rows, job.targets)
    if not len(user.target_d):
        raise HumobError(f"{name}: found no row to predict of user {uid}, expected masked rows")
    model = build(job.model, city, job.options)
    return table(user, city, model.distribution(user), decoded(user, city, model, job))


def table(
    user: UserHistory, city: CityProfile, dist: SlotDistributions, cells: Int32s
) -> pl.DataFrame:
    """The reasons for the chosen cells (r, 2); see ``explain``."""
    best = dist.p.argmax(axis=1)
    chosen = _index(dist.cells, cells)
    p = np.where(chosen >= 0, dist.p[np.arange(len(cells)), chosen], np.nan)
    rank = (dist.p > p[:, None]).sum(axis=1) + 1
    there = (user.x[None, :] == cells[:, :1]) & (user.y[None, :] == cells[:, 1:])
    near = circular_slots()[user.target_t][:, user.t] <= _NEAR_SLOTS
    weekday = city.weekday[user.target_d][:, None] == city.weekday[user.d][None, :]
    visits = there.sum(axis=1)
    last = np.where(there, user.d[None, :], -1).max(axis=1, initial=-1)
    columns = {
        "d": user.target_d,
        "t": user.target_t,
        "x": cells[:, 0],
        "y": cells[:, 1],
        "p": p,
        "rank": rank,
        "best_x": dist.cells[best, 0],
        "best_y": dist.cells[best, 1],
        "best_p": dist.p.max(axis=1),
        "visits": visits,
        "near_slot": (there & near).sum(axis=1),
        "same_weekday": (there & weekday).sum(axis=1),
        "last_day": last,
        "home_km": _from_home(user, cells),
    }
    frame = pl.DataFrame(columns, nan_to_null=True)
    unknown = pl.col("p").is_null()
    return frame.with_columns(
        rank=pl.when(~unknown).then("rank"),
        last_day=pl.when(pl.col("last_day") >= 0).then("last_day"),
    )


def _index(among: Int32s, cells: Int32s) -> Int64s:
    """Index of each cell among the candidates, -1 where it is none."""
    same = (among[None, :, :] == cells[:, None, :]).all(axis=2)
    found: Int64s = np.where(same.any(axis=1), same.argmax(axis=1), -1)
    return found


def _from_home(user: UserHistory, cells: Int32s) -> Floats:
    """Kilometres from the user's most frequent cell; nan where nothing is known."""
    if not len(user.d):
        return np.full(len(cells), np.nan)
    keys, counts = np.unique(encode_cells(user.x, user.y), return_counts=True)
    home_x, home_y = decode_cells(keys[counts.argmax()])
    km: Floats = np.hypot(cells[:, 0] - home_x, cells[:, 1] - home_y) * HUMOB_CELL_KM
    return km

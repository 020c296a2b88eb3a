"""Why a cell was chosen: what a model and a user's own past say of it, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from humobctl.errors import HumobError
from humobctl.evaluate.cells.dtw import HUMOB_CELL_KM
from humobctl.io.by_user import UserStore
from humobctl.io.read import iter_table
from humobctl.native import Floats, Int32s, Int64s
from humobctl.predict.base import SlotDistributions, UserHistory, circular_slots, distances
from humobctl.predict.city_profile import CityProfile
from humobctl.predict.decode_days.config import DayConfig
from humobctl.predict.decode_days.run import pose_user
from humobctl.predict.decode_days.terms import TERMS, copied_days, gains_of
from humobctl.predict.decode_slots import WHOLE_DAYS, Decode
from humobctl.predict.explain_plot import write_plot
from humobctl.predict.registry import build
from humobctl.predict.run import PredictJob, choose_cells, day_config, survey, user_of
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
    "term": "term",
    "copied_day": "copied d",
    "visits": "visits",
    "near_slot": "near t",
    "same_weekday": "weekday",
    "last_day": "last d",
    "home_km": "km home",
}
"""Columns that people see, and their headings."""
LEGEND = (
    "x, y: the chosen cell; p, rank: its probability and rank; best: the most probable cell\n"
    "term: what chose x, y instead of best (probability where they are one); copied d: past day "
    "with x, y in this slot\n"
    "visits: records in the chosen cell; near t: within an hour of the slot; weekday: on that day "
    "of the week\nlast d: last day there; km home: distance from the most frequent cell"
)
_NEAR_SLOTS = 2


def explain(
    path: str | None, uid: int, job: PredictJob, *, picture: str | None = None
) -> pl.DataFrame:
    """One row for each slot to predict of one user.

    Args:
        path: a grid trajectory; None or ``-`` for standard input.
        uid: the user.
        job: model, decoder and targets.
        picture: file to draw the candidates of the first day into; None for none.

    Returns:
        The chosen cell (x, y), its probability and rank among the model's candidates, the most
        probable cell (best_x, best_y, best_p); what the decoder says (see ``decoding``); and what
        the user's records say of the chosen cell: how many there are (visits), how many within an
        hour of the slot (near_slot) and on that day of the week (same_weekday), the last day
        (last_day), and the distance from the user's most frequent cell (home_km). Nulls where the
        chosen cell is not a candidate or was never visited.

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
    dist = model.distribution(user)
    cells = choose_cells(user, dist, city, model, job)
    days = day_config(model, job) if job.decode in WHOLE_DAYS else None
    if picture is not None:
        write_plot(user, dist, cells, picture, model=job.model)
    return table(user, city, dist, cells, decoding(user, city, dist, cells, days or job.decode))


def decoding(
    user: UserHistory,
    city: CityProfile,
    dist: SlotDistributions,
    cells: Int32s,
    decoder: DayConfig | Decode,
) -> dict[str, Any]:
    """What decided for the chosen cells against the most probable ones, as columns.

    Args:
        user: known and target rows.
        city: the calendar.
        dist: what the model returned.
        cells: the chosen cells, (r, 2).
        decoder: settings of the day decoder, or the name of another.

    Returns:
        ``term``: ``probability`` where the most probable cell was chosen; otherwise the term of
        the largest gain: ``geobleu`` and ``dtw`` (expected scores of the whole day over the sample
        days), ``proximity`` (expected proximity to the true cell), ``copies`` (how often the day
        holds the cell), ``distance`` (expected distance from the true cell), or ``draw``; null
        where none gains. ``gain_geobleu`` and so on: what each term gains by the chosen cell, in
        the value of the day that the decoder maximises. ``copied_day``: the past day, heaviest
        among the sample days, that holds the chosen cell in this slot. Decoders of slots have the
        gain of their own term (an expected proximity, or km), and no copied day.
    """
    best, chosen = dist.p.argmax(axis=1), _index(dist.cells, cells)
    gains: dict[str, Floats] = {}
    copied = np.full(len(best), -1)
    if isinstance(decoder, DayConfig):
        problem = pose_user(user, city, dist, decoder)
        gains = gains_of(problem, chosen, best)
        if len(user.d):
            place = copied_days(problem, chosen)
            copied = np.where(place >= 0, np.unique(user.d)[place], -1)
    elif decoder in ("geobleu", "dtw"):
        row = np.arange(len(best))
        near = decoder == "geobleu"
        apart = distances(dist.cells)
        worth = dist.p @ (np.exp(-0.5 * apart) if near else -apart * HUMOB_CELL_KM)
        gains["proximity" if near else "distance"] = worth[row, chosen] - worth[row, best]
    names = np.array([*gains, "draw", "probability", ""], dtype=object)
    every = np.stack([*gains.values(), np.zeros(len(best))])
    term = np.where(every.max(axis=0) > 0, every.argmax(axis=0), len(gains) if not gains else -1)
    term[chosen == best] = len(gains) + 1
    nothing = np.full(len(best), np.nan)
    return {
        "term": names[term].astype(str),
        **{f"gain_{name}": gains.get(name, nothing) for name in TERMS},
        "copied_day": copied,
    }


def table(
    user: UserHistory,
    city: CityProfile,
    dist: SlotDistributions,
    cells: Int32s,
    why: dict[str, Any],
) -> pl.DataFrame:
    """The reasons for the chosen cells (r, 2), with those of ``decoding``; see ``explain``."""
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
        **why,
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
        copied_day=pl.when(pl.col("copied_day") >= 0).then("copied_day"),
        term=pl.when(pl.col("term") != "").then("term"),
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

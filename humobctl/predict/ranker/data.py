"""Training data of the ranker: past windows of many users, from trajectory files.

Each user's days before a window are the history, those of the window the rows to predict, as in
use.

Shapes: r rows to predict, K candidates a row, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.console import report
from humobctl.errors import HumobError
from humobctl.io.row_errors import OnError
from humobctl.native import Bools, Float32s, Floats, Int64s
from humobctl.predict.base import UserHistory, number_days
from humobctl.predict.city_profile import CityProfile, past_cities
from humobctl.predict.new_cells import FEATURES, are_new, row_features
from humobctl.predict.ranker.config import RankerConfig
from humobctl.predict.ranker.features import NAMES, Encoded, encode
from humobctl.predict.ranker.model import start_scores, transform
from humobctl.training.city_table import open_city
from humobctl.training.record_sketch import RecordSketch

NEVER = -1e9  # start score of a candidate that is not there


@dataclass(frozen=True)
class RankerUser:
    """All known rows of one user, sorted by (d, t); each of shape (n,)."""

    uid: int
    d: Int64s
    t: Int64s
    x: Int64s
    y: Int64s


@dataclass(frozen=True)
class RankerCity:
    """Users of a city that a ranker may learn from.

    Attributes:
        users: their rows up to ``last_day``.
        last_day: the last day known.
        cities: for the first day of each window, the city that the days before it show.
    """

    users: Sequence[RankerUser]
    last_day: int
    cities: Mapping[int, CityProfile]


@dataclass(frozen=True)
class RankerTrainingSet:
    """Rows of all windows.

    Attributes:
        z: transformed features, 0 where a row has fewer than K candidates, shape (r, K, F).
        y: share of the truth that a candidate stands for; sums to 1 in a row, shape (r, K).
        start: scores to begin from, shape (r, K).
        weight: of each row, shape (r,).
        past: features of the chance of a cell new to the user, shape (r, 6); none where a model
            does not learn it.
        new: whether each row is in such a cell, shape (r,).
    """

    z: Float32s
    y: Float32s
    start: Float32s
    weight: Float32s
    past: Floats = field(default_factory=lambda: np.zeros((0, len(FEATURES) - 1)))
    new: Bools = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))


def first_days(last_day: int, config: RankerConfig) -> list[int]:
    """The first day of each window with enough days before it."""
    days = (last_day + 1 - back for back in config.windows)
    return [begin for begin in days if begin >= config.least_history]


def windows(
    user: RankerUser, last_day: int, config: RankerConfig
) -> Iterator[tuple[int, UserHistory, Int64s]]:
    """The user's past windows: first day, task, and its true cells (r, 2).

    Args:
        user: known rows.
        last_day: the last day known of anybody.
        config: where the windows lie.
    """
    for begin in first_days(last_day, config):
        before = user.d < begin
        inside = ~before & (user.d < begin + config.horizon)
        if not before.any() or not inside.any():
            continue
        d, t, x, y = (column[before] for column in (user.d, user.t, user.x, user.y))
        task = UserHistory(user.uid, d, t, x, y, user.d[inside], user.t[inside])
        yield begin, task, np.stack([user.x[inside], user.y[inside]], axis=1)


def soft_labels(encoded: Encoded, truth: Int64s, soften: float) -> Float32s:
    """The target probability of each row's candidates, shape (r, K).

    The true cell's candidate takes all of it; where the true cell is not a candidate, the nearest
    ones do, by exp(-distance / soften).
    """
    places = encoded.cells[encoded.kept].astype(np.float64)
    apart = np.hypot(*(places - truth[:, None, :]).transpose(2, 0, 1))
    nearest = apart.min(axis=1, keepdims=True)
    shares = np.exp((nearest - apart) / soften)
    hit = nearest == 0
    shares = np.where(hit, apart == 0, shares)
    labels: Float32s = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return labels


def training_set(
    users: Sequence[RankerUser],
    last_day: int,
    cities: Mapping[int, CityProfile],
    config: RankerConfig,
    advance: Callable[[], object] = lambda: None,
) -> RankerTrainingSet:
    """All windows of the users, or a sample of their rows where that is too much.

    Args:
        users: whom to learn from.
        last_day: the last day known of anybody.
        cities: for the first day of each window, the city that the days before it show.
        config: where the windows lie, and how many rows to learn from.
        advance: called after each user.

    Raises:
        HumobError: no user has a window with days before it.
    """
    total = sum(len(truth) for user in users for *_, truth in windows(user, last_day, config))
    if not total:
        raise HumobError(
            "found no user with days both in a training window and before it, expected at least "
            f"{config.least_history} days of records before the last {min(config.windows)}"
        )
    share = config.most_rows / total
    drawn = [
        _draw_days(task, config.seed, share)
        for user in users
        for _, task, _ in windows(user, last_day, config)
    ]
    rows = _allocate(sum(int(taken.sum()) for taken in drawn), config.keep, len(NAMES))
    begin, draws = 0, iter(drawn)
    for user in users:
        for first, task, truth in windows(user, last_day, config):
            taken = next(draws)
            here = slice(begin, begin + int(taken.sum()))
            if taken.any():
                _fill_window(rows, here, task, truth, taken, cities[first], config)
            begin = here.stop
        advance()
    return rows


def _draw_days(task: UserHistory, seed: int, share: float) -> Bools:
    """Rows of the days that are taken of a window, each day with probability ``share``; (r,).

    A row's features need the other rows of its day and no other day: of days that are not taken,
    none are computed.
    """
    draws = np.random.default_rng((seed, task.uid, int(task.target_d[0])))
    days, day = number_days(task.target_d)
    taken: Bools = (draws.random(len(days)) < share)[day]
    return taken


def _allocate(r: int, keep: int, features: int) -> RankerTrainingSet:
    """Rows without a candidate."""
    return RankerTrainingSet(
        z=np.zeros((r, keep, features), dtype=np.float32),
        y=np.zeros((r, keep), dtype=np.float32),
        start=np.full((r, keep), NEVER, dtype=np.float32),
        weight=np.zeros(r, dtype=np.float32),
        past=np.zeros((r, len(FEATURES) - 1)),
        new=np.zeros(r, dtype=np.bool_),
    )


def _fill_window(
    rows: RankerTrainingSet,
    here: slice,
    task: UserHistory,
    truth: Int64s,
    taken: Bools,
    city: CityProfile,
    config: RankerConfig,
) -> None:
    """Write the days that are taken of one window of one user."""
    days = replace(task, target_d=task.target_d[taken], target_t=task.target_t[taken])
    encoded = encode(days, city, config.keep)
    r, keep, features = encoded.x.shape
    rows.z[here, :keep] = transform(encoded.x.reshape(r * keep, features)).reshape(r, keep, -1)
    rows.y[here, :keep] = soft_labels(encoded, truth[taken], config.soften)
    rows.start[here, :keep] = start_scores(encoded.start)
    rows.weight[here] = row_weights(task)[taken]
    rows.past[here] = row_features(task, city)[taken]
    rows.new[here] = are_new(task, truth)[taken]


def join(parts: list[RankerTrainingSet]) -> RankerTrainingSet:
    """The training sets of several cities as one.

    Takes them out of the list one by one, so that little more than the whole is in memory.
    """
    if len(parts) == 1:
        return parts.pop()
    whole = _allocate(sum(len(part.y) for part in parts), *parts[0].z.shape[1:])
    begin = 0
    while parts:
        part = parts.pop(0)
        here = slice(begin, begin + len(part.y))
        for name, values in vars(part).items():
            if len(values):  # not all models learn how probable new cells are
                getattr(whole, name)[here] = values
        begin = here.stop
    return whole


def row_weights(task: UserHistory) -> Floats:
    """Weight of each row to predict, shape (r,): scores are means over days, then over users."""
    _, day, count = np.unique(task.target_d, return_inverse=True, return_counts=True)
    weight: Floats = 1.0 / np.sqrt(count[day])
    weight /= weight.mean()
    return weight


@dataclass(frozen=True)
class RankerSource:
    """What of the files is used.

    Attributes:
        most_users: users drawn from each city, at most.
        last_day: last day to learn from; None for the last of the file less ``hold_out``.
        hold_out: last days of the file that are never seen; None for those of ``open_city``.
        calendar: days off; None to infer them.
        first_weekday: of day 0; 0 is Sunday.
        on_error: stop at the first bad row, or drop bad rows.
    """

    most_users: int = 1000
    last_day: int | None = None
    hold_out: int | None = None
    calendar: pl.DataFrame | None = None
    first_weekday: int = 0
    on_error: OnError = "fail"


def read_city(
    path: str, source: RankerSource, config: RankerConfig
) -> tuple[RankerCity, RankerTrainingSet, dict[str, Any]]:
    """A city's users, rows to learn from, and what ``run.json`` says of it.

    Raises:
        HumobError: the file cannot be read, or has too few days.
    """
    with open_city(
        path, source.last_day, hold_out=source.hold_out, on_error=source.on_error
    ) as table:
        table.tell_held_out()
        users, last_day = _users_and_last_day(table.groups())
        if last_day < 0:
            raise HumobError(
                f"{table.name}: found no known cell up to day {table.last_day} "
                f"({table.ended_by}), expected some to learn from"
            )
        drawn = _draw(users, source.most_users, config.seed)
        sketch = RecordSketch()
        learnt = sketch.watch(table.groups(drawn))
        records = [user for known in learnt for user in split_users(known)]
        cities = past_cities(
            table.groups(drawn),
            first_days(last_day, config),
            last_day + 1,
            first_weekday=source.first_weekday,
            calendar=source.calendar,
        )
    with report.progress(f"features of {table.about['file']}", len(records), "users") as ticker:
        try:
            part = training_set(records, last_day, cities, config, ticker.advance)
        except HumobError as exc:
            raise HumobError(f"{table.name}: {exc}") from exc
    counts = {"users": len(records), "of_users": len(users), "last_day": last_day}
    about = {**table.about, **counts, "rows": len(part.y), "sketch": sketch.text()}
    return RankerCity(records, last_day, cities), part, about


def _users_and_last_day(groups: Iterable[pl.DataFrame]) -> tuple[NDArray[np.uint32], int]:
    """The users of all groups, ascending, and their last day; -1 without a row."""
    users, last = [np.empty(0, np.uint32)], -1
    for known in groups:
        users.append(known["uid"].unique().to_numpy())
        last = max(last, int(known["d"].to_numpy().max(initial=-1)))
    return np.unique(np.concatenate(users)), last


def _draw(users: NDArray[np.uint32], most: int, seed: int) -> NDArray[np.uint32]:
    """Users to learn from, ascending."""
    if len(users) <= most:
        return users
    return np.sort(np.random.default_rng(seed).choice(users, most, replace=False))


def split_users(rows: pl.DataFrame) -> Iterator[RankerUser]:
    """The users of sorted rows."""
    for _, part in rows.group_by("uid", maintain_order=True):
        d, t, x, y = (part[name].to_numpy().astype(np.int64) for name in "dtxy")
        yield RankerUser(part.item(0, "uid"), d, t, x, y)

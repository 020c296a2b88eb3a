"""Features of each candidate cell of each row to predict.

Everything is relative to the user (shares, ranks, distances between the user's own cells), so that
a network learnt on some users and cities serves others.

Shapes:  n known rows, r target rows, k the user's cells, K kept candidates a row, Q kernels,
         D target days, J known days, F features.
Units:   days, half-hour slots 0-47, distances in cells of 500 m.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from humobctl.native import Float32s, Floats, Int32s, Int64s, library
from humobctl.predict.base import (
    FAR_GAP,
    UserHistory,
    candidates,
    circular_slots,
    distances,
    find_gaps,
    number_days,
)
from humobctl.predict.city_profile import CityProfile
from humobctl.predict.ranker.config import KERNELS, Kernel
from humobctl.predict.ranker.context import (
    DAY_NAMES,
    TRANSITION_NAMES,
    DayPairs,
    day_features,
    pair_days,
    transition_features,
)

SLOTS = 48
# Before 6:00 and from 21:00 on: part of what trained rankers have learnt, so not calendar.NIGHT.
_NIGHT = (12, 42)
_DAYTIME = (20, 36)  # 10:00 to 18:00
_RECENT = 14  # days
_EPS = np.float32(1e-9)

KERNEL_NAMES = tuple(f"kernel_{q}" for q in range(len(KERNELS)))
CANDIDATE_NAMES = (
    *KERNEL_NAMES,
    "rank",
    "ratio_to_best",
    "expected_distance",
    "excess_distance",
    "expected_proximity",
    "share_before",
    "share_after",
    "share_of_day",
    "distance_to_best",
    "distance_to_median",
    "gap_before_ratio",
    "gap_after_ratio",
    "last_visit",
    *TRANSITION_NAMES,
    *DAY_NAMES,
)
CELL_NAMES = (
    "visits",
    "visited_days",
    "first_visit",
    "recent_trend",
    "off_share",
    "night_share",
    "distance_home",
    "distance_work",
    "distance_last",
    "around",
)
ROW_NAMES = (
    "slot",
    "slot_sine",
    "slot_cosine",
    "off",
    "weekday",
    "gap_before",
    "gap_after",
    "rows_of_day",
    "place_in_day",
    "day_ahead",
    "entropy",
    "best_share",
    "least_expected_distance",
    "evidence",
    "evidence_slot",
    "evidence_pattern",
)
NAMES = (*CANDIDATE_NAMES, *CELL_NAMES, *ROW_NAMES)
SHARES = np.array(
    [
        name.startswith(("kernel_", "share_")) or name in ("visits", "around", "best_share")
        for name in NAMES
    ]
)
"""Features that are shares; a network takes their logarithms."""
LENGTHS = np.array(
    ["distance" in name or name in ("first_visit", "last_visit", "recent_trend") for name in NAMES]
)
"""Features >= 0 that may be large; a network takes log(1 + value)."""


@dataclass(frozen=True)
class Encoded:
    """A user's rows to predict, ready for the network.

    Attributes:
        cells: the user's cells (x, y), shape (k, 2).
        kept: indices of the candidates of each row, likeliest first, shape (r, K).
        start: the history kernel's shares of these, shape (r, K).
        x: features, shape (r, K, F).
        main: the history kernel's shares of all cells, shape (r, k).
    """

    cells: Int32s
    kept: Int32s
    start: Float32s
    x: Float32s
    main: Float32s


def encode(user: UserHistory, city: CityProfile, keep: int) -> Encoded:
    """Features of a user with at least one known row.

    Args:
        user: known and target rows.
        city: the calendar.
        keep: candidates a row, at most.
    """
    cells, index = candidates(user)
    known, day = number_days(user.d)
    target, target_day = number_days(user.target_d)
    gaps, target_gaps = find_gaps(user.d, user.t), find_gaps(user.target_d, user.target_t)
    keep = min(keep, len(cells))
    starts = np.searchsorted(target_day, np.arange(len(target) + 1))
    pairs = pair_days(user, city, (known, day), (target, target_day))
    by_day = _day_weights(pairs)
    kept, shares, totals, main = _kernel_sums(
        (index, user.t, day, *gaps),
        (user.target_t, target_day, *target_gaps),
        by_day,
        len(cells),
        keep,
    )
    far = distances(cells).astype(np.float32)
    home, work = _home_and_work(user, index, len(cells), city)
    by_cell = _cell_features(user, index, city, far, home, work)
    x = np.empty((*kept.shape, len(NAMES)), dtype=np.float32)
    x[:, :, : len(KERNELS)] = shares
    first = len(KERNELS)
    expected, extra = _candidate_features(
        user, index, main, kept, far, target_day, gaps, target_gaps
    )
    beside = transition_features(user, index, main, kept, starts)
    of_days = day_features(pairs, day, index, main, kept, starts)
    columns: list[Float32s | Floats] = [*extra, *beside, *of_days]
    for at, column in enumerate(columns, start=first):
        x[:, :, at] = column
    first = len(CANDIDATE_NAMES)
    x[:, :, first : first + len(CELL_NAMES)] = by_cell[kept]
    first += len(CELL_NAMES)
    by_row = _row_features(user, city, target_day, target_gaps, main, totals, expected)
    x[:, :, first:] = by_row[:, None, :]
    return Encoded(cells, kept, shares[:, :, 0], x, main)


# --- kernels ----------------------------------------------------------------------------------


@functools.cache
def _slot_tables(kernels: tuple[Kernel, ...]) -> Float32s:
    """Weights by target slot and record slot, shape (48, 48, Q)."""
    apart = circular_slots()
    tables = [np.exp(-apart / k.narrow) + k.share * np.exp(-apart / k.wide) for k in kernels]
    # Any record is better than none.
    return np.ascontiguousarray(np.stack(tables, axis=2) + 1e-9, dtype=np.float32)


@functools.cache
def _gap_tables(kernels: tuple[Kernel, ...]) -> Float32s:
    """Weights by target gap and record gap, shape (25, 25, Q)."""
    logs = np.log(np.maximum(np.arange(FAR_GAP + 1), 1))
    apart = np.abs(logs[:, None] - logs[None, :])
    tables = [np.exp(-k.gap * apart) for k in kernels]
    return np.ascontiguousarray(np.stack(tables, axis=2), dtype=np.float32)


@functools.cache
def _kernel_columns(kernels: tuple[Kernel, ...]) -> Float32s:
    """Log factors of the kernels: age, other weekday, other type, pattern; shape (4, Q)."""
    rows = [
        [-1.0 / k.recency for k in kernels],
        [np.log(k.other_weekday) for k in kernels],
        [np.log(k.other_type) for k in kernels],
        [-k.pattern for k in kernels],
    ]
    return np.array(rows, dtype=np.float32)


def _day_weights(pairs: DayPairs) -> Float32s:
    """Weight of each known day for each target day, shape (D, J, Q)."""
    columns = [pairs.ages, ~pairs.same_weekday, ~pairs.same_type, 1.0 - pairs.alike]
    parts = np.stack(columns, axis=2).astype(np.float32)
    weights: Float32s = np.exp(parts @ _kernel_columns(KERNELS))
    return weights


def _kernel_sums(
    known: tuple[Int64s, ...], target: tuple[Int64s, ...], by_day: Float32s, k: int, keep: int
) -> tuple[Int32s, Float32s, Float32s, Float32s]:
    """Candidates (r, K), their shares by kernel (r, K, Q), totals (r, Q), main shares (r, k)."""
    n, r, q = len(known[0]), len(target[0]), len(KERNELS)
    kept = np.empty((r, keep), dtype=np.int32)
    shares = np.empty((r, keep, q), dtype=np.float32)
    totals = np.empty((r, q), dtype=np.float32)
    main = np.empty((r, k), dtype=np.float32)
    pick = np.full(q, 0.5 / q, dtype=np.float32)
    pick[0] += 0.5
    code = library().humob_rank_kernels(
        n,
        r,
        k,
        q,
        keep,
        *(part.astype(np.int32) for part in (*known, *target)),
        _slot_tables(KERNELS),
        _gap_tables(KERNELS),
        np.ascontiguousarray(by_day),
        by_day.shape[1],
        pick,
        kept,
        shares,
        totals,
        main,
    )
    if code:
        raise MemoryError("no memory left for the kernels of a user")
    return kept, shares, totals, main


# --- features ---------------------------------------------------------------------------------


def _home_and_work(user: UserHistory, index: Int64s, k: int, city: CityProfile) -> tuple[int, int]:
    """The cell of most nights, and the commonest other cell of working days, otherwise the home."""
    night = (user.t < _NIGHT[0]) | (user.t >= _NIGHT[1])
    counts = np.bincount(index, minlength=k)
    nights = np.bincount(index[night], minlength=k)
    home = int((nights + 1e-3 * counts).argmax())
    working = (user.t >= _DAYTIME[0]) & (user.t < _DAYTIME[1]) & ~city.off[user.d]
    days = np.bincount(index[working], minlength=k)
    days[home] = 0
    return home, int(days.argmax()) if days.any() else home


def _candidate_features(
    user: UserHistory,
    index: Int64s,
    main: Float32s,
    kept: Int32s,
    far: Float32s,
    target_day: Int64s,
    gaps: tuple[Int64s, Int64s],
    target_gaps: tuple[Int64s, Int64s],
) -> tuple[Float32s, list[Float32s]]:
    """Least expected distance of each row (r,), and the columns after the kernels, each (r, K)."""
    rows = np.arange(len(kept))[:, None]
    k = len(far)
    share = main[rows, kept]
    best = main.argmax(axis=1)
    expected = main @ far
    median = expected.argmin(axis=1)
    least = expected[rows[:, 0], median]
    proximity = main @ np.exp(np.float32(-0.5) * far)
    visits = np.bincount(index, minlength=k)
    logs = np.log(np.maximum(np.arange(FAR_GAP + 1), 1))
    ratios = []
    for mine, theirs in zip(target_gaps, gaps, strict=True):
        usual = np.bincount(index, logs[theirs], k) / visits
        ratios.append(logs[mine][:, None] - usual[kept])
    last = np.zeros(k)
    last[index] = user.d  # rows are sorted: the last one stays
    expected_here = expected[rows, kept]
    return least, [
        _ranks(share),
        share / (share.max(axis=1, keepdims=True) + _EPS),
        expected_here,
        expected_here - least[:, None],
        proximity[rows, kept],
        *_shares_beside(main, kept, target_day),
        far[best[:, None], kept],
        far[median[:, None], kept],
        *ratios,
        user.target_d[:, None] - last[kept],
    ]


def _ranks(share: Float32s) -> Int64s:
    """How many candidates of the row have a larger share, shape (r, K)."""
    order = np.argsort(-share, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(share.shape[1])[None, :], axis=1)
    return ranks


def _shares_beside(main: Float32s, kept: Int32s, target_day: Int64s) -> list[Float32s]:
    """The candidates' shares in the rows before and after, and their mean of the day."""
    rows = np.arange(len(kept))
    same = target_day[1:] == target_day[:-1]
    before, after = rows.copy(), rows.copy()
    before[1:][same] -= 1
    after[:-1][same] += 1
    starts = np.flatnonzero(np.diff(target_day, prepend=-1))
    mean = np.add.reduceat(main, starts, axis=0)
    mean /= np.diff(np.append(starts, len(main)))[:, None]
    return [main[at[:, None], kept] for at in (before, after)] + [mean[target_day[:, None], kept]]


def _cell_features(
    user: UserHistory,
    index: Int64s,
    city: CityProfile,
    far: Float32s,
    home: int,
    work: int,
) -> Float32s:
    """Features of the user's cells, shape (k, C)."""
    k, n = len(far), len(index)
    visits = np.bincount(index, minlength=k).astype(np.float64)
    fresh = np.unique(index * 65536 + user.d) // 65536
    days = np.bincount(fresh, minlength=k) / max(len(np.unique(user.d)), 1)
    first = np.zeros(k)
    first[index[::-1]] = user.d[::-1]
    recent = user.d > user.d[-1] - _RECENT
    recent_share = np.bincount(index[recent], minlength=k) / max(int(recent.sum()), 1)
    off = city.off[user.d]
    night = (user.t < _NIGHT[0]) | (user.t >= _NIGHT[1])
    columns = [
        visits / n,
        days,
        user.d[-1] - first,
        recent_share / (visits / n + 1.0 / n),
        np.bincount(index[off], minlength=k) / visits - off.mean(),
        np.bincount(index[night], minlength=k) / visits,
        far[home],
        far[work],
        far[index[-1]],
        (np.exp(-far) @ visits.astype(np.float32)) / n,
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _row_features(
    user: UserHistory,
    city: CityProfile,
    target_day: Int64s,
    target_gaps: tuple[Int64s, Int64s],
    main: Float32s,
    totals: Float32s,
    least: Float32s,
) -> Float32s:
    """Features of the rows to predict, shape (r, R)."""
    count = np.bincount(target_day) if len(target_day) else np.zeros(0, dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(count)[:-1]]) if len(count) else count
    place = (np.arange(len(target_day)) - starts[target_day]) / count[target_day]
    columns = [
        user.target_t,
        np.sin(user.target_t * (np.pi / 24)),
        np.cos(user.target_t * (np.pi / 24)),
        city.off[user.target_d],
        city.weekday[user.target_d],
        *target_gaps,
        count[target_day],
        place,
        user.target_d - user.d[-1],
        -(main * np.log(main + _EPS)).sum(axis=1),
        main.max(axis=1),
        least,
        np.log(totals[:, 0]),
        np.log(totals[:, 1] + 0.01),
        np.log(totals[:, 8]),
    ]
    return np.stack(columns, axis=1).astype(np.float32)

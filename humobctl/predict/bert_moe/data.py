"""Training windows as an index over flat columns.

Shapes:  n rows of all users, u users, w windows, B windows of a batch, L past rows, P future rows,
         S = L + P.

All rows of all cities lie one after another in columns on disk, mapped into memory: 7 bytes a row,
and none of them copied for a window. A window is four numbers: its user, where its past ends,
where its future begins and how long that is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from humobctl.io.streams import clear_os_errors
from humobctl.native import Bools, Int64s
from humobctl.predict.bert_moe.config import BertMoeSettings
from humobctl.predict.bert_moe.model import DAYS_AHEAD, DAYS_BACK, GAPS, IGNORE
from humobctl.tables.cells import encode_cells
from humobctl.tables.schemas import SLOTS_PER_DAY
from humobctl.training.user_columns import UserColumns

Ints = NDArray[Any]
_LEAST_FUTURE = 16
"""Rows; a future with fewer is not worth a pass over its past."""
_ROUND = 32
_CHUNK_ROWS = 2_000_000


def gap_codes(d: Ints, t: Ints, first: Bools) -> tuple[Ints, Ints]:
    """Codes of the slots since the row before and until the next row of the same user.

    Args:
        d: days of rows in order.
        t: their slots.
        first: true for each user's first row.
    """
    slot = d.astype(np.int64) * SLOTS_PER_DAY + t
    apart = np.diff(slot)
    code = np.where(
        apart <= 24, apart, 25 + (apart > SLOTS_PER_DAY).astype(int) + (apart > 2 * SLOTS_PER_DAY)
    )
    code[first[1:]] = GAPS - 1
    before = np.append(GAPS - 1, code).astype(np.uint8)
    after = np.append(code, GAPS - 1).astype(np.uint8)
    return before[: len(d)], after[: len(d)]


@dataclass(frozen=True)
class CityDays:
    """What is known of a city's days.

    Attributes:
        dow: day of the week, 0 is Sunday, shape (days,).
        off: whether a day is off, as the days before a window's first day show, shape (first day,
            day).
    """

    dow: Int64s
    off: Bools


class BertMoeColumns(UserColumns):
    """The known records of users.

    Attributes:
        cell, d, t, before, after: number of the cell, day, slot, gaps, each (n,).
        days: of each city; the first belongs to city 1.
    """

    kinds = MappingProxyType(
        {"cell": np.uint16, "d": np.int16, "t": np.uint8, "before": np.uint8, "after": np.uint8}
    )
    cell: Ints
    d: Ints
    t: Ints
    before: Ints
    after: Ints

    def __init__(self) -> None:
        super().__init__()
        self.days: list[CityDays] = []

    def add(self, group: pl.DataFrame) -> None:
        """Append whole users of the newest city, sorted by uid, d and t."""
        uid, d, t, x, y = (group[name].to_numpy() for name in ("uid", "d", "t", "x", "y"))
        first = np.diff(uid.astype(np.int64), prepend=-1) != 0
        before, after = gap_codes(d, t, first)
        columns = {"cell": encode_cells(x, y), "d": d, "t": t, "before": before, "after": after}
        self.append(uid, columns, len(self.days))

    def publish(self, folder: Path) -> None:
        """Put the columns, and the days of the cities, where other processes open them."""
        super().publish(folder)
        with clear_os_errors(str(folder)):
            for number, days in enumerate(self.days):
                np.save(folder / f"city{number}.npy", np.vstack([days.dow, days.off]))

    def open_published(self, folder: Path, cities: int = 0) -> Self:
        """Take the columns that another process wrote, and the days of so many cities."""
        super().open_published(folder)
        with clear_os_errors(str(folder)):
            for number in range(cities):
                dow, *off = np.load(folder / f"city{number}.npy", allow_pickle=False)
                self.days.append(CityDays(dow, np.stack(off).astype(np.bool_)))
        return self


@dataclass(frozen=True)
class WindowIndex:
    """Training windows, each column of shape (w,).

    Attributes:
        user: number of the user.
        past_end: row after the last past row.
        begin: first future row.
        length: future rows.
    """

    user: Ints
    past_end: Int64s
    begin: Int64s
    length: Ints

    def __len__(self) -> int:
        return len(self.user)


def rows_before(rows: BertMoeColumns, first_day: list[int]) -> Int64s:
    """For each user, where the rows from the city's ``first_day`` on begin, shape (u,)."""
    ends = rows.starts[1:].copy()
    for number, (low, high) in enumerate(zip(rows.starts[:-1], rows.starts[1:], strict=True)):
        ends[number] = low + np.searchsorted(rows.d[low:high], first_day[rows.city[number] - 1])
    return ends


def build_index(
    rows: BertMoeColumns, users: Bools, settings: BertMoeSettings, ends: Int64s | None = None
) -> WindowIndex:
    """The windows of some users.

    With a horizon, a past ends at the beginning of a day, every ``stride`` rows, and all rows of
    the days up to the horizon are its future, in pieces of ``prediction_length``. Without one, a
    future of ``prediction_length`` rows follows its past at once.

    Args:
        rows: the columns.
        users: true for the users to learn from, shape (u,).
        settings: lengths, horizon and stride.
        ends: row of each user that no window reaches, shape (u,); None for all rows.
    """
    find = _days_ahead if settings.horizon else _rows_ahead
    parts = [find(rows, low, high, settings) for low, high in _chunks(rows)]
    user, past_end, begin, length = (np.concatenate(part) for part in zip(*parts, strict=True))
    keep = users[user]
    if ends is not None:
        least = np.minimum(length, _LEAST_FUTURE)
        length = np.minimum(length, ends[user] - begin)
        keep &= length >= least
    return WindowIndex(
        user[keep].astype(np.int32), past_end[keep], begin[keep], length[keep].astype(np.int32)
    )


_Windows = tuple[Int64s, Int64s, Int64s, Int64s]


def _chunks(rows: BertMoeColumns) -> Iterator[tuple[int, int]]:
    """Ranges of users of about ``_CHUNK_ROWS`` rows."""
    part = rows.starts[:-1] // _CHUNK_ROWS
    edges = np.flatnonzero(np.diff(part, prepend=-1))
    yield from zip(edges.tolist(), [*edges[1:].tolist(), len(rows.uid)], strict=True)


def _days_ahead(rows: BertMoeColumns, low: int, high: int, settings: BertMoeSettings) -> _Windows:
    starts = rows.starts[low : high + 1]
    base = int(starts[0])
    d = rows.d[base : starts[-1]].astype(np.int64)
    user = np.repeat(np.arange(high - low), np.diff(starts))
    # One ascending key for users and their days: the end of a range of days is a binary search.
    key = user * (1 << 20) + d
    place = np.arange(len(d)) - (starts[:-1] - base)[user]
    day_begin = np.maximum.accumulate(np.where(np.diff(key, prepend=-1) != 0, np.arange(len(d)), 0))
    past_end = np.unique(day_begin[place % settings.stride == 0])
    past_end = past_end[place[past_end] > 0]
    end = np.searchsorted(key, key[past_end] + settings.horizon)
    pieces = -(-(end - past_end) // settings.prediction_length)
    number = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    past_end, end = np.repeat(past_end, pieces), np.repeat(end, pieces)
    begin = past_end + number * settings.prediction_length
    length = np.minimum(end - begin, settings.prediction_length)
    keep = length >= min(_LEAST_FUTURE, settings.prediction_length)
    past_end, begin, length = past_end[keep], begin[keep], length[keep]
    return user[past_end] + low, past_end + base, begin + base, length


def _rows_ahead(rows: BertMoeColumns, low: int, high: int, settings: BertMoeSettings) -> _Windows:
    starts = rows.starts[low : high + 1]
    size = np.diff(starts)
    ahead = np.minimum(settings.prediction_length, np.maximum(size // 2, 1))
    past = np.minimum(settings.input_length, size - ahead)
    count = np.where(past > 0, (size - past - ahead) // settings.stride + 1, 0)
    user = np.repeat(np.arange(high - low), count)
    number = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    begin = starts[:-1][user] + past[user] + number * settings.stride
    return user + low, begin, begin, ahead[user]


class TrainingWindows:
    """Windows as batches of tensors; see ``BertMoe.forward`` for their shapes."""

    def __init__(
        self,
        rows: BertMoeColumns,
        index: WindowIndex,
        settings: BertMoeSettings,
        hide_city: float = 0.1,
    ) -> None:
        """Take an index; a share of the windows hides its city, so that others can be predicted."""
        self.rows, self.index, self.settings = rows, index, settings
        drawn = np.random.default_rng(settings.seed).random(len(index))
        self._city = np.where(drawn < hide_city, 0, rows.city[index.user])
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.index)

    def set_epoch(self, epoch: int) -> None:
        """The order of the windows and the numbers of their cells follow the epoch."""
        self.epoch = epoch

    def past_lengths(self) -> Int64s:
        """Past rows of each window, shape (w,)."""
        index = self.index
        available = index.past_end - self.rows.starts[index.user]
        lengths: Int64s = np.minimum(available, self.settings.input_length)
        return lengths

    def batch(self, numbers: Int64s | list[int]) -> dict[str, Tensor]:
        """Some windows, by their numbers."""
        chosen = np.asarray(numbers)
        index, rows = self.index, self.rows
        past_end, begin, length = (
            column[chosen] for column in (index.past_end, index.begin, index.length)
        )
        user = index.user[chosen]
        past_length = np.minimum(past_end - rows.starts[user], self.settings.input_length)
        past, ahead = padded_shape(past_length.max(), length.max(), self.settings)
        back = np.arange(past - 1, -1, -1)
        forth = np.arange(ahead)
        there = np.concatenate(
            [back[None, :] < past_length[:, None], forth[None, :] < length[:, None]], axis=1
        )
        row = np.concatenate(
            [past_end[:, None] - 1 - back[None, :], begin[:, None] + forth[None, :]], axis=1
        )
        row = np.where(there, row, past_end[:, None] - 1)
        columns = {name: getattr(rows, name)[row] for name in ("d", "t", "before", "after", "cell")}
        anchor = rows.d[past_end].astype(np.int64)
        days = self._days(user, anchor, columns["d"])
        batch = assemble(columns, days, anchor, there, past, self._city[chosen])
        if self.settings.relabel:
            batch["shown"] = self._permute_cells(batch["location"], chosen)
        return batch

    def _permute_cells(self, location: Tensor, chosen: Ints) -> Tensor:
        """Past cells (B, L), those of a share of the windows under other numbers.

        The numbers are drawn by seed and window, so that a training that goes on sees the same.
        """
        count, s = self.settings.location_ids, self.settings
        shown = location.numpy().copy()
        for i, number in enumerate(chosen.tolist()):
            random = np.random.default_rng((s.seed, self.epoch, number))
            if random.random() < s.relabel:
                shown[i] = random.permutation(count)[shown[i]]
        return torch.from_numpy(shown)

    def _days(self, user: Ints, anchor: Int64s, d: Ints) -> tuple[Ints, Ints]:
        """Day of the week and day off of each row, as each window's past (B,) knows it."""
        dow, off = np.empty(d.shape, np.int64), np.empty(d.shape, np.int64)
        city = self.rows.city[user]
        for number in np.unique(city):
            here, known = city == number, self.rows.days[number - 1]
            dow[here] = known.dow[d[here]]
            off[here] = known.off[anchor[here, None], d[here]]
        return dow, off


def padded_shape(past: int, ahead: int, settings: BertMoeSettings) -> tuple[int, int]:
    """Past and future rows of a batch, rounded up.

    A few shapes return instead of many: for each new one, torch's CPU kernels are made anew and
    keep memory.
    """
    return (
        min(-(-int(past) // _ROUND) * _ROUND, settings.input_length),
        min(-(-int(ahead) // _ROUND) * _ROUND, settings.prediction_length),
    )


def assemble(
    columns: dict[str, Ints],
    days: tuple[Ints, Ints],
    anchor: Int64s,
    there: Bools,
    past: int,
    city: Ints,
) -> dict[str, Tensor]:
    """Tensors of a batch.

    Args:
        columns: ``d, t, before, after, cell`` of each row, shape (B, S).
        days: day of the week and day off of each row, shape (B, S) each.
        anchor: first day to predict of each window, shape (B,).
        there: true for rows that are there, shape (B, S).
        past: past rows, L.
        city: number of each window's city, shape (B,).
    """
    day = np.clip(columns["d"].astype(np.int64) - anchor[:, None], -DAYS_BACK, DAYS_AHEAD)
    cell = columns["cell"].astype(np.int64)
    batch: dict[str, Ints] = {
        "day": day + DAYS_BACK,
        "time": columns["t"],
        "dow": days[0],
        "weekday": days[1],
        "gap_before": columns["before"],
        "gap_after": columns["after"],
        "location": np.where(there[:, :past], cell[:, :past], 0),
        "labels": np.where(there[:, past:], cell[:, past:], IGNORE),
        "city": city,
    }
    tensors = {name: torch.from_numpy(values.astype(np.int64)) for name, values in batch.items()}
    if not there.all():
        tensors["mask"] = torch.from_numpy(there)
    return tensors


def order_windows(lengths: Int64s, step: int, seed: int, epoch: int) -> Int64s:
    """Windows in random order, those of a step alike in length, (w,).

    It depends on the seed, the epoch and the windows of a whole step (over all processes), so
    that two processes see in a step what one with the doubled batch sees.

    Args:
        lengths: past lengths of the windows, (w,).
        step: windows of a whole step; one that is not full comes last.
        seed: of the training.
        epoch: which pass over the windows.
    """
    random = np.random.default_rng((seed, epoch))
    order = random.permutation(len(lengths))
    pool = step * 50
    parts = [order[i : i + pool] for i in range(0, len(order), pool)]
    alike = [part[np.argsort(lengths[part], kind="stable")] for part in parts]
    joined = np.concatenate(alike)
    whole = len(joined) // step * step
    steps = joined[:whole].reshape(-1, step)
    mixed = steps[random.permutation(len(steps))].reshape(-1)
    found: Int64s = np.append(mixed, joined[whole:])
    return found

"""Rows of all users in flat columns, the spans that a step draws from them, and batches of users.

Shapes:  n rows of all users, u users, B spans, S rows of the longest span.

All rows of all cities lie one after another in columns on disk, mapped into memory: 11 bytes a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from humobctl.embed.anchors import count_spans
from humobctl.embed.config import EmbedderSettings
from humobctl.embed.spans import Spans
from humobctl.native import Int64s
from humobctl.tables.schemas import GRID_SIDE
from humobctl.training.distributed import Share
from humobctl.training.user_columns import UserColumns

_ROUND = 16
"""Rows to which the length of a batch is rounded up: torch keeps memory for each new shape."""


class EmbedderColumns(UserColumns):
    """The known records of users.

    Attributes:
        x, y: places in cells from the grid's corner, the middle of cell (1, 1) being at 0.5, (n,).
        d, t: days and slots, (n,).
    """

    kinds = MappingProxyType({"x": np.float32, "y": np.float32, "d": np.int16, "t": np.uint8})
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    d: NDArray[np.int16]
    t: NDArray[np.uint8]

    def __init__(self, first_weekday: int = 0) -> None:
        super().__init__()
        self.first_weekday = first_weekday

    def add(self, group: pl.DataFrame, city: int) -> None:
        """Append whole users of a city, sorted by uid, d and t."""
        columns = {name: group[name].to_numpy() for name in self.kinds}
        for name in "xy":
            columns[name] = columns[name].astype(np.float32) - np.float32(0.5)
        self.append(group["uid"].to_numpy(), columns, city)

    def lengths(self) -> Int64s:
        """Rows of each user, (u,)."""
        return np.diff(self.starts)

    def spans(self, numbers: Sequence[Int64s], city: Int64s, width: int | None = None) -> Spans:
        """Rows by their numbers, one array a span, as a batch of spans.

        Args:
            numbers: of the rows of each span.
            city: number of each span's city.
            width: rows of the padded batch; None for as many as are needed.
        """
        lengths = np.array([len(one) for one in numbers])
        width = pad(numbers) if width is None else width
        there = np.arange(width)[None, :] < lengths[:, None]
        row = np.zeros(there.shape, np.int64)
        row[there] = np.concatenate(numbers)
        place = np.stack([self.x[row], self.y[row]], axis=-1)
        dow = (self.d[row].astype(np.int64) + self.first_weekday) % 7
        slot = self.t[row].astype(np.int64)
        return Spans(
            torch.from_numpy(place),
            torch.from_numpy(slot),
            torch.from_numpy(dow),
            torch.from_numpy(there),
            torch.from_numpy(city.astype(np.int64)),
        )


def pad(numbers: Sequence[Int64s]) -> int:
    """Rows of a padded batch of spans."""
    longest = max((len(one) for one in numbers), default=0)
    return -(-max(1, longest) // _ROUND) * _ROUND


@dataclass(frozen=True)
class SpanBatch:
    """The data of a training step.

    Attributes:
        spans: what the encoder sees, with noise; the first spans of all users, then the second.
        inside: rows of each span to reconstruct.
        following: rows after each span.
        before: places of the rows before those, (B, N, 2).
        targets: what is asked of the vectors, (B, T).
        users: whose spans all processes draw together.
        inside_rows, following_rows: of all those spans.
    """

    spans: Spans
    inside: Spans
    following: Spans
    before: torch.Tensor
    targets: torch.Tensor
    users: int
    inside_rows: int
    following_rows: int

    def to(self, device: torch.device) -> SpanBatch:
        """A copy on a device."""
        return replace(
            self,
            spans=self.spans.to(device),
            inside=self.inside.to(device),
            following=self.following.to(device),
            before=self.before.to(device),
            targets=self.targets.to(device),
        )


def draw_spans(
    rows: EmbedderColumns,
    users: Int64s,
    settings: EmbedderSettings,
    random: np.random.Generator,
    *,
    plain: bool,
    share: Share | None = None,
) -> SpanBatch:
    """Two spans of each of some users of a city, from disjoint days.

    Args:
        rows: the columns.
        users: numbers of users, of one city, (U,).
        settings: lengths, noise and the like.
        random: what all draws come from.
        plain: without noise, and the city as it is: to validate.
        share: of the users, whose spans are laid out: all processes draw the same for all users.
    """
    halves = [_halves(rows, user, random) for user in users.tolist()]
    spans = [_cut(half[part], settings.span_rows, random) for part in (0, 1) for half in halves]
    ends = np.tile(rows.starts[users + 1], 2)
    inside = [_cut(span, settings.next_rows, random) for span in spans]
    following = [
        np.arange(span[-1] + 1, min(span[-1] + 1 + settings.next_rows, end))
        for span, end in zip(spans, ends.tolist(), strict=True)
    ]
    longest = pad(spans)
    totals = (len(users), sum(map(len, inside)), sum(map(len, following)))
    mine = _both(share or Share(), len(users))
    spans, inside, following = ([part[i] for i in mine] for part in (spans, inside, following))
    city = np.tile(rows.city[users], 2)[mine]
    if not plain and random.random() < settings.hide_city:
        city = np.zeros_like(city)
    seen = rows.spans(spans, city)
    rebuilt, ahead = (rows.spans(part, city) for part in (inside, following))
    before = rows.spans([np.maximum(part - 1, 0) for part in following], city).place
    moved = not plain and random.random() < settings.moved
    if moved:
        move = GridAugmentation.draw(random)
        seen, rebuilt, ahead = (
            replace(part, place=move(part.place), city=torch.zeros_like(part.city))
            for part in (seen, rebuilt, ahead)
        )
        before = move(before)
    counted, targets = count_spans(seen)
    seen = replace(seen, counted=counted)
    if plain:
        return SpanBatch(seen, rebuilt, ahead, before, targets, *totals)
    noise = random.standard_normal((2 * len(users), longest, 2), np.float32)
    noise = noise[mine, : seen.place.shape[1]] * np.float32(settings.noise)
    noisy = seen.place + torch.from_numpy(noise)
    return SpanBatch(replace(seen, place=noisy), rebuilt, ahead, before, targets, *totals)


def _both(share: Share, users: int) -> Int64s:
    """Numbers of the first, then of the second spans of a fraction of the users."""
    part = np.arange(users)[share.of(users)]
    return np.concatenate([part, part + users])


@dataclass(frozen=True)
class GridAugmentation:
    """A city mirrored and shifted; cells that leave on one side enter on the other.

    Attributes:
        swap: whether x and y change places.
        flip: whether x and y run the other way.
        shift: in cells.
    """

    swap: bool
    flip: tuple[bool, bool]
    shift: tuple[float, float]

    @classmethod
    def draw(cls, random: np.random.Generator) -> GridAugmentation:
        """Any of them, evenly."""
        swap, *flip = (random.random(3) < 0.5).tolist()
        shift = random.integers(0, GRID_SIDE, 2).tolist()
        return cls(swap, (flip[0], flip[1]), (float(shift[0]), float(shift[1])))

    def __call__(self, place: torch.Tensor) -> torch.Tensor:
        """Places (..., 2) in cells."""
        if self.swap:
            place = place.flip(-1)
        sign = torch.tensor([-1.0 if one else 1.0 for one in self.flip])
        moved: torch.Tensor = (place * sign + torch.tensor(self.shift)) % GRID_SIDE
        return moved


def _halves(rows: EmbedderColumns, user: int, random: np.random.Generator) -> tuple[Int64s, Int64s]:
    """Rows of a user in two parts without a common day: days at random, or early and late ones.

    A user of one day is in both parts with all rows.
    """
    low, high = int(rows.starts[user]), int(rows.starts[user + 1])
    d = rows.d[low:high]
    day = np.cumsum(np.diff(d, prepend=d[0]) != 0)
    days = int(day[-1]) + 1
    numbers = np.arange(low, high)
    if days < 2:
        return numbers, numbers
    if random.random() < 0.5:
        first = np.zeros(days, np.bool_)
        first[random.permutation(days)[: max(1, days // 2)]] = True
    else:
        first = np.arange(days) < random.integers(max(1, days // 3), max(1, days * 2 // 3) + 1)
        if random.random() < 0.5:
            first = ~first
    chosen = first[day]
    return numbers[chosen], numbers[~chosen]


def _cut(numbers: Int64s, most: int, random: np.random.Generator) -> Int64s:
    """A stretch of at most ``most`` rows; half of them are shorter."""
    length = min(len(numbers), most)
    if random.random() < 0.5:
        length = int(random.integers(-(-length // 4), length + 1))
    begin = int(random.integers(0, len(numbers) - length + 1))
    return numbers[begin : begin + length]


class CityBatchSampler:
    """Which users each step draws: all in random order round after round, in batches of one city.

    A last batch is filled up with users of the same round, so that all have one size where a city
    has that many users. The order follows from the seed and the step alone.
    """

    def __init__(self, users: Int64s, city: Int64s, size: int, seed: int) -> None:
        """Take the users to learn from, (k,), and the city of each, (k,)."""
        self._cities = [users[city == name] for name in np.unique(city)]
        self._size, self._seed = size, seed
        self._round = (-1, [np.empty(0, np.int64)])

    def batch(self, step: int) -> Int64s:
        """Numbers of users."""
        count = sum(-(-len(here) // self._size) for here in self._cities)
        number, place = divmod(step, count)
        if self._round[0] != number:
            self._round = (number, self._batches(number))
        return self._round[1][place]

    def _batches(self, number: int) -> list[Int64s]:
        random = np.random.default_rng((self._seed, 1, number))
        batches = []
        for users in self._cities:
            here = random.permutation(users)
            for begin in range(0, len(here), self._size):
                batch = here[begin : begin + self._size]
                more = here[: min(self._size, len(here)) - len(batch)]
                batches.append(np.concatenate([batch, more]))
        return [batches[place] for place in random.permutation(len(batches)).tolist()]


TOGETHER = 4
"""Spans of a batch are a multiple of this: one alone goes another way through the LSTM."""
_SHORTEST = 33
"""Minimum rows of a batch: products of fewer are too small for several threads."""


def padded_length(lengths: Int64s) -> Int64s:
    """Rows that spans are padded to, by their own lengths: at least one more, an eighth at most.

    So a span is computed in one shape whatever else is in its batch, and attention, which adds up
    in an order that the number of rows decides, gives the same bits.
    """
    wanted = np.maximum(lengths + 1, _SHORTEST)
    step = 1 << np.maximum(np.floor(np.log2(wanted)).astype(np.int64) - 3, 3)
    padded: Int64s = -(-wanted // step) * step
    return padded


def by_length(lengths: Int64s, rows: int) -> Iterator[Int64s]:
    """Spans in batches of one padded length, of about ``rows`` rows with the padding.

    Args:
        lengths: rows of each span with the padding, (u,).
        rows: of a batch, at most, but for ``TOGETHER`` spans that have more.
    """
    order = np.argsort(lengths, kind="stable")
    for alike in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
        if len(alike):
            count = max(1, rows // int(lengths[alike[0]]) // TOGETHER) * TOGETHER
            yield from (alike[at : at + count] for at in range(0, len(alike), count))

"""Days as time series: stays over fixed steps, and the network's channels.

Points are relative to the person's home and pass through ``warp``, since people's distances span
four orders of magnitude: near home, metres count, far away, shares of the distance do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from humobctl.generate.diffusion.config import STEP_MINUTES, STEPS
from humobctl.native import Bools, Float32s, Floats, Int64s
from humobctl.tables.calendar import MINUTES_PER_SLOT, NIGHT
from humobctl.tables.intents import AT_HOME, CODES, WORK
from humobctl.tables.plane import Plane
from humobctl.tables.schemas import INTENTS
from humobctl.tables.stays import UNKNOWN_INTENT

NEAR = 1000.0
"""Metres from home up to which ``warp`` is nearly linear."""
DAY = STEPS * STEP_MINUTES
WORK_MINUTES = 180
"""Minutes by day that make a place a person's work location, at least."""
HOME_CLASS, WORK_CLASS, OTHER_CLASS = 0, 1, 2
_PLACE_CLASSES = ("home", "work", "other")
CLASSES = {
    "none": (),
    "home-work": _PLACE_CLASSES,
    "intent": (*INTENTS, "unknown"),
    "category": _PLACE_CLASSES,
}
"""Names of the classes of each condition, in their order; categories of places come after."""
MOST_CATEGORIES = 120
"""Maximum number of categories with a class of their own, so that a class fits a byte."""
UNKNOWN_CATEGORY = -1
BITS = ("staying", "odd", "home", "work")
"""Channels, -1 or 1, of days without a condition (analog bits; Chen, Zhang and Hinton, 2023)."""


def warp(metres: Floats) -> Floats:
    """Vectors with their length r replaced by log(1 + r / NEAR); shape (..., 2)."""
    length = np.linalg.norm(metres, axis=-1, keepdims=True)
    factor = np.log1p(length / NEAR) / np.maximum(length, 1e-9)
    warped: Floats = metres * factor
    return warped


def unwarp(warped: Floats) -> Floats:
    """The inverse of ``warp``, in metres; lengths beyond half the earth's circumference are cut."""
    length = np.linalg.norm(warped, axis=-1, keepdims=True)
    factor = NEAR * np.expm1(np.minimum(length, 9.9)) / np.maximum(length, 1e-9)
    metres: Floats = warped * factor
    return metres


@dataclass(frozen=True)
class Layout:
    """When the events of days take place.

    Attributes:
        first: offset of each day's first event, and the end, (days + 1,).
        start, end: minutes, (events,); sorted by day and start.
    """

    first: Int64s
    start: Int64s
    end: Int64s

    def __len__(self) -> int:
        """Number of days."""
        return len(self.first) - 1

    @property
    def day(self) -> Int64s:
        """Number of the day of each event, (events,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.first))

    def event_of_step(self) -> Int64s:
        """The event that each step belongs to: the one it lies in, or the nearest; (days, 144).

        An event shorter than a step may have none.
        """
        day = self.day
        ends = np.minimum(self.end[:-1], self.start[1:]) if len(day) else self.end
        border = np.zeros(len(day))
        border[1:] = np.clip((ends + self.start[1:]) / 2, self.start[:-1], self.start[1:])
        border[self.first[:-1]] = 0
        centres = np.arange(STEPS) * STEP_MINUTES + STEP_MINUTES / 2
        keys = np.arange(len(self))[:, None] * DAY + centres
        event = np.searchsorted(day * DAY + border, keys, side="right") - 1
        return event.astype(np.int64)

    def step_of_event(self) -> Int64s:
        """The step in the middle of each event, counted over all days; (events,)."""
        middle = (self.start + self.end) // (2 * STEP_MINUTES)
        step: Int64s = self.day * STEPS + np.minimum(middle, STEPS - 1)
        return step

    def take(self, wanted: Bools) -> Layout:
        """The days that ``wanted``, (days,), marks."""
        events, lengths = wanted[self.day], np.diff(self.first)[wanted]
        return Layout(np.append(0, np.cumsum(lengths)), self.start[events], self.end[events])

    def number(self) -> Int64s:
        """The number of each event in its day, from 0, (events,)."""
        numbers: Int64s = np.arange(len(self.start)) - self.first[self.day]
        return numbers


@dataclass(frozen=True)
class Known:
    """Real days with the inferred homes and works of their users.

    Attributes:
        layout: the events.
        person: number of the person of each day, (days,).
        place_class: home, work or other, by event, (events,).
        intent: codes, or UNKNOWN_INTENT, (events,).
        category: numbers of the model's categories, or UNKNOWN_CATEGORY, (events,).
        relative: metres east and north of the person's home, (events, 2).
        home: metres on the plane, by day, (days, 2).
    """

    layout: Layout
    person: Int64s
    place_class: NDArray[np.int8]
    intent: NDArray[np.int8]
    category: NDArray[np.int8]
    relative: Floats
    home: Floats

    def take(self, wanted: Bools) -> Known:
        """The days that ``wanted``, (days,), marks."""
        events = wanted[self.layout.day]
        return Known(
            self.layout.take(wanted),
            self.person[wanted],
            self.place_class[events],
            self.intent[events],
            self.category[events],
            self.relative[events],
            self.home[wanted],
        )

    def visits_a_day(self) -> float:
        """Mean number of stays of a day."""
        return float(np.diff(self.layout.first).mean())

    def tokens(self, condition: str) -> NDArray[np.int8] | None:
        """The class of each event, or None without a condition."""
        if condition == "none":
            return None
        if condition == "home-work":
            return self.place_class
        if condition == "category":
            return category_tokens(self.category, self.place_class)
        return np.where(self.intent == UNKNOWN_INTENT, len(INTENTS), self.intent).astype(np.int8)


def category_tokens(category: NDArray[np.int8], place_class: NDArray[np.int8]) -> NDArray[np.int8]:
    """The class of each event by its category, or where that is not known by home and work."""
    known = category != UNKNOWN_CATEGORY
    return np.where(known, len(_PLACE_CLASSES) + category, place_class).astype(np.int8)


def frequent_categories(categories: pl.Series) -> tuple[str, ...]:
    """The most frequent categories, which get classes of their own, in order of frequency."""
    counts = (
        categories.drop_nulls()
        .value_counts()
        .sort(["count", categories.name], descending=[True, False])
    )
    return tuple(counts[categories.name].head(MOST_CATEGORIES).to_list())


def category_numbers(categories: pl.Series, known: Sequence[str]) -> NDArray[np.int8]:
    """Numbers of categories among those that are known, or UNKNOWN_CATEGORY."""
    numbers = categories.replace_strict(
        list(known), list(range(len(known))), default=UNKNOWN_CATEGORY, return_dtype=pl.Int8
    )
    return numbers.fill_null(UNKNOWN_CATEGORY).to_numpy()


def classes_of(intent: NDArray[np.int8]) -> NDArray[np.int8]:
    """Home, work or other of intents."""
    home = np.isin(intent, [CODES[name] for name in AT_HOME])
    work = intent == CODES[WORK]
    return np.where(home, HOME_CLASS, np.where(work, WORK_CLASS, OTHER_CLASS)).astype(np.int8)


def known_days(frame: pl.DataFrame, plane: Plane, categories: Sequence[str] = ()) -> Known:
    """The days of a table of stays.

    Home is the place of the intents at home or where a person is longest from 22:00 to 6:00;
    work is the place of the intent to work or the place away from home where a person is
    longest from 9:00 to 18:00, if that is ``WORK_MINUTES`` or more.

    Args:
        frame: as ``StayTable`` has it, sorted.
        plane: for the metres.
        categories: that a model tells apart, of the column category.
    """
    frame = frame.with_columns(_anchors(frame))
    first = day_starts(frame["uid"].to_numpy(), frame["d"].to_numpy())
    uid = frame["uid"].to_numpy()[first[:-1]].astype(np.int64)
    layout = Layout(first, *(frame[name].to_numpy().astype(np.int64) for name in ("start", "end")))
    here, home = (
        np.column_stack(plane.metres(frame[lat].to_numpy(), frame[lon].to_numpy()))
        for lat, lon in (("lat", "lon"), ("home_lat", "home_lon"))
    )
    at_home, at_work = (frame[f"at_{name}"].to_numpy() for name in ("home", "work"))
    place_class = np.where(at_home, HOME_CLASS, np.where(at_work, WORK_CLASS, OTHER_CLASS))
    category = np.full(frame.height, UNKNOWN_CATEGORY, np.int8)
    if categories:
        category = category_numbers(frame["category"], categories)
    return Known(
        layout,
        uid,
        place_class.astype(np.int8),
        frame["intent"].to_numpy(),
        category,
        here - home,
        home[first[:-1]],
    )


def day_starts(person: NDArray[Any], d: NDArray[Any]) -> Int64s:
    """Where the days of people begin in rows that stand together, and the end, (days + 1,)."""
    inner = np.flatnonzero((np.diff(person) != 0) | (np.diff(d) != 0)) + 1
    return np.concatenate([[0], inner, [len(person)]]).astype(np.int64)


def _anchors(frame: pl.DataFrame) -> list[pl.Series]:
    """Whether each stay is at home, at work, and where home is."""

    def minutes(low: int, high: int) -> pl.Expr:
        return (pl.min_horizontal("end", high) - pl.max_horizontal("start", low)).clip(0)

    morning, evening = (slot * MINUTES_PER_SLOT for slot in NIGHT)
    intended_home = pl.col("intent").is_in([CODES[name] for name in AT_HOME])
    intended_work = pl.col("intent") == CODES[WORK]
    length = pl.col("end") - pl.col("start") + 1  # a check-in without a length counts, too
    places = frame.group_by("uid", "place").agg(
        pl.col("lat", "lon").first(),
        total=length.sum(),
        night=(minutes(0, morning) + minutes(evening, DAY)).sum(),
        by_day=minutes(540, 1080).sum(),
        home=length.filter(intended_home).sum(),
        work=length.filter(intended_work).sum(),
    )
    homes = places.sort("uid", "home", "night", "total", "place").group_by("uid").last()
    away = places.join(homes, on=["uid", "place"], how="anti").filter(
        (pl.col("work") > 0) | (pl.col("by_day") >= WORK_MINUTES)
    )
    works = away.sort("uid", "work", "by_day", "place").group_by("uid").last()
    joined = (
        frame.select("uid", "place")
        .join(
            homes.select("uid", home="place", home_lat="lat", home_lon="lon"),
            on="uid",
            how="left",
            maintain_order="left",
        )
        .join(works.select("uid", work="place"), on="uid", how="left", maintain_order="left")
    )
    return joined.select(
        at_home=pl.col("place") == pl.col("home"),
        at_work=(pl.col("place") == pl.col("work")).fill_null(False),
        home_lat="home_lat",
        home_lon="home_lon",
    ).get_columns()


@dataclass(frozen=True)
class Scale:
    """How metres become the channels of a network; saved with the model.

    Attributes:
        lat, lon: centre of the plane.
        spread: standard deviation of warped points relative to home.
        home_mean: of the homes, metres east and north.
        home_spread: their standard deviation.
    """

    lat: float
    lon: float
    spread: float = 1.0
    home_mean: tuple[float, float] = (0.0, 0.0)
    home_spread: float = 1.0

    @classmethod
    def of(cls, known: Known, plane: Plane) -> Scale:
        """The scale of training days."""
        mean = known.home.mean(axis=0)
        return cls(
            plane.lat,
            plane.lon,
            max(float(np.sqrt((warp(known.relative) ** 2).mean())), 1e-3),
            (float(mean[0]), float(mean[1])),
            max(float(np.sqrt(((known.home - mean) ** 2).mean())), 1.0),
        )

    @property
    def plane(self) -> Plane:
        """The plane of its metres."""
        return Plane(self.lat, self.lon)

    def points(self, relative: Floats) -> Floats:
        """Metres from home as channels, (..., 2)."""
        return warp(relative) / self.spread

    def metres(self, points: Floats) -> Floats:
        """Channels as metres from home, (..., 2)."""
        return unwarp(points * self.spread)

    def homes(self, metres: Floats) -> Floats:
        """Homes on the plane as channels, (..., 2)."""
        scaled: Floats = (metres - np.array(self.home_mean)) / self.home_spread
        return scaled

    def home_metres(self, channels: Floats) -> Floats:
        """Channels as homes on the plane, (..., 2)."""
        metres: Floats = channels * self.home_spread + np.array(self.home_mean)
        return metres


@dataclass(frozen=True)
class Series:
    """Days as a network takes them.

    Attributes:
        channels: point (2), home (2) and, without a condition, ``BITS``; (days, C, 144).
        token: class of each step, (days, 144); None without a condition.
        event: number of each step's event in its day, (days, 144).
        shorter: events that no step belongs to.
    """

    channels: Float32s
    token: NDArray[np.int8] | None
    event: NDArray[np.int16]
    shorter: int = field(default=0)

    def __len__(self) -> int:
        """Number of days."""
        return len(self.channels)

    def publish(self, path: Path) -> None:
        """Write the days where other processes open them with ``open``."""
        arrays: dict[str, NDArray[Any]] = {"channels": self.channels, "event": self.event}
        if self.token is not None:
            arrays["token"] = self.token
        save_file({name: np.ascontiguousarray(one) for name, one in arrays.items()}, path)

    @classmethod
    def open(cls, path: Path) -> Series:
        """The days that another process wrote; see ``publish``."""
        arrays = load_file(path)
        return cls(arrays["channels"], arrays.get("token"), arrays["event"])


def class_count(condition: str, categories: Sequence[str]) -> int:
    """Classes of a condition."""
    return len(CLASSES[condition]) + len(categories)


def channel_count(condition: str) -> int:
    """Channels of a day."""
    return 4 + (len(BITS) if condition == "none" else 0)


def series_of(known: Known, condition: str, scale: Scale) -> Series:
    """Real days as a network takes them."""
    layout = known.layout
    event = layout.event_of_step()
    points = scale.points(known.relative).astype(np.float32)[event]
    home = np.broadcast_to(scale.homes(known.home)[:, None], points.shape)
    number = layout.number()[event]
    parts = [points, home.astype(np.float32)]
    tokens = known.tokens(condition)
    if tokens is None:
        kind = known.place_class[event]
        bits = (_staying(layout, event), number % 2 == 1, kind == HOME_CLASS, kind == WORK_CLASS)
        parts.append(np.where(np.stack(bits, axis=-1), 1, -1).astype(np.float32))
    lost = len(layout.start) - len(np.unique(event))
    channels = np.ascontiguousarray(np.concatenate(parts, axis=-1).transpose(0, 2, 1))
    return Series(
        channels, None if tokens is None else tokens[event], number.astype(np.int16), lost
    )


def _staying(layout: Layout, event: Int64s) -> Bools:
    """Whether the middle of a step lies in its event, or of the event in the step."""
    centre = np.arange(STEPS) * STEP_MINUTES + STEP_MINUTES / 2
    inside = (centre >= layout.start[event]) & (centre < layout.end[event])
    step = np.arange(inside.size).reshape(inside.shape)
    found: Bools = inside | (step == layout.step_of_event()[event])
    return found

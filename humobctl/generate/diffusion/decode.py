"""From the channels that a network made back to stays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from humobctl.generate.diffusion.config import STEP_MINUTES, STEPS
from humobctl.generate.diffusion.data import (
    BITS,
    HOME_CLASS,
    OTHER_CLASS,
    WORK_CLASS,
    Known,
    Layout,
    Scale,
)
from humobctl.generate.diffusion.sample import Anchors
from humobctl.native import Bools, Float32s, Floats, Int64s
from humobctl.tables.stays import UNKNOWN_INTENT, Stays


@dataclass(frozen=True)
class GeneratedDays:
    """Generated days.

    Attributes:
        layout: when their events take place.
        place_class: home, work or other, (events,).
        relative: metres from home, (events, 2); all of a day at home or at work are one point.
        home: metres on the plane, (days, 2).
    """

    layout: Layout
    place_class: NDArray[np.int8]
    relative: Floats
    home: Floats

    @property
    def metres(self) -> Floats:
        """Metres on the plane, (events, 2)."""
        metres: Floats = self.relative + self.home[self.layout.day]
        return metres

    @property
    def work(self) -> Floats:
        """Metres from home to each day's work, (days, 2); NaN on a day without."""
        work = np.full((len(self.layout), 2), np.nan)
        at_work = self.place_class == WORK_CLASS
        work[self.layout.day[at_work]] = self.relative[at_work]
        return work

    def put(self, known: Anchors, chosen: Bools) -> None:
        """Give the chosen days their known homes and works to the last digit, unlike a network."""
        days = chosen & known.has_home
        self.home[days] = known.home[days]
        days = chosen & known.has_work
        at_work = (self.place_class == WORK_CLASS) & days[self.layout.day]
        self.relative[at_work] = known.work[self.layout.day[at_work]]


def decode(
    channels: Float32s, scale: Scale, layout: Layout | None, place_class: NDArray[np.int8] | None
) -> GeneratedDays:
    """Generated days as events.

    Args:
        channels: as ``Series`` has them, (days, C, 144).
        scale: of the model.
        layout: when the events take place; None to read that off ``BITS``.
        place_class: home, work or other, by event, where there is a layout.
    """
    days: Floats = channels.astype(np.float64)
    if layout is None or place_class is None:
        layout, place_class = read_layout(days[:, 4 : 4 + len(BITS)])
    points = _event_means(days[:, :2].transpose(0, 2, 1), layout)
    at_work = place_class == WORK_CLASS
    relative = scale.metres(_one_a_day(points, layout, at_work))
    relative[place_class == HOME_CLASS] = 0.0
    home = scale.home_metres(days[:, 2:4].mean(axis=2))
    return GeneratedDays(layout, place_class, relative, home)


def read_layout(bits: Floats) -> tuple[Layout, NDArray[np.int8]]:
    """Events of days, and their classes, from ``BITS``, (days, 4, 144).

    An event is a run of steps in which people stay and no other bit changes. A day without any is
    one event.
    """
    staying, odd, home, work = (bits[:, number] > 0 for number in range(len(BITS)))
    staying = staying | ~staying.any(axis=1, keepdims=True)
    state = np.where(staying, odd + 2 * home + 4 * (work & ~home), -1)
    begins = np.ones(state.shape, bool)
    begins[:, 1:] = state[:, 1:] != state[:, :-1]
    at = np.flatnonzero(begins)
    until = np.append(at[1:], state.size)
    kept = state.ravel()[at] >= 0
    at, until = at[kept], until[kept]
    day, step = np.divmod(at, STEPS)
    first = np.searchsorted(day, np.arange(len(bits) + 1)).astype(np.int64)
    code = state.ravel()[at]
    kind = np.where(code & 2, HOME_CLASS, np.where(code & 4, WORK_CLASS, OTHER_CLASS))
    length = until - at
    layout = Layout(first, step * STEP_MINUTES, (step + length) * STEP_MINUTES)
    return layout, kind.astype(np.int8)


def _event_means(points: Floats, layout: Layout) -> Floats:
    """Means of steps by event, (events, 2); an event without steps has its middle one."""
    event = layout.event_of_step().ravel()
    count = len(layout.start)
    flat = points.reshape(-1, 2)
    steps = np.bincount(event, minlength=count)
    sums = np.column_stack([np.bincount(event, flat[:, axis], count) for axis in (0, 1)])
    means: Floats = sums / np.maximum(steps, 1)[:, None]
    means[steps == 0] = flat[layout.step_of_event()[steps == 0]]
    return means


def _one_a_day(points: Floats, layout: Layout, which: NDArray[np.bool_]) -> Floats:
    """Points with those of some events replaced by their mean over the day, by time spent."""
    day, minutes = layout.day, np.maximum(layout.end - layout.start, 1) * which
    total: Int64s = np.bincount(day, minutes, len(layout))
    result = points.copy()
    for axis in (0, 1):
        mean = np.bincount(day, minutes * points[:, axis], len(layout)) / np.maximum(total, 1)
        result[which, axis] = mean[day[which]]
    return result


def stays_of(layout: Layout, place_class: NDArray[np.int8], metres: Floats) -> Stays:
    """Days as stays of a person each, to be scored; places are points to a metre."""
    rounded = np.rint(metres).astype(np.int64)
    return Stays(
        layout.day,
        np.zeros(len(layout.start), np.int32),
        layout.start.astype(np.int32),
        layout.end.astype(np.int32),
        rounded[:, 0] * (1 << 32) + rounded[:, 1],
        metres[:, 0],
        metres[:, 1],
        np.full(len(place_class), UNKNOWN_INTENT, np.int8),
    )


def real_stays(known: Known) -> Stays:
    """Real days as ``stays_of`` has them."""
    layout = known.layout
    return stays_of(layout, known.place_class, known.relative + known.home[layout.day])

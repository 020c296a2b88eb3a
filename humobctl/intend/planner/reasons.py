"""Why an event was planned, in words: the one or two parts of the chain that spoke most for it.

Attitude, norm and control are compared by the logarithm of how much each favours the intention
that was chosen over an average one. Texts are few (thousands), so they are made once and looked
up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.intend.backends.base import PARTS, Part
from humobctl.intend.planner.config import CHRONOTYPES, LIKING, SCHEDULES
from humobctl.intend.planner.traits import ATTRIBUTES, Traits
from humobctl.native import Floats
from humobctl.tables.schemas import INTENTS

Ints = NDArray[np.intp]

DOING = {
    "go to work": "being at work",
    "go home": "being at home",
    "eat": "eating out",
    "do shopping": "shopping",
    "do sports": "sports",
    "excursion": "an excursion",
    "leisure or entertainment": "leisure",
    "go to sleep": "sleep",
    "medical treatment": "seeing a doctor",
    "handle the trivialities of life": "running errands",
    "banking and financial services": "a visit to the bank",
    "cultural institutions and events": "culture",
}
"""An intention in the middle of a sentence."""
_HOURS = 24
_LEFT = 17
_NORMS = len(SCHEDULES) * 2 * len(INTENTS)
_NONE = 3
_TINY = 1e-9
_LEVELS = ("likes {} as much as others do", "likes {} more than most do", "likes {} a lot")
_LEVEL_LIMITS = (0.05, 0.4)
_LESS = "likes {} less than most do"
_TASTE = "own taste"


@dataclass
class Grounds:
    """What spoke for some events (n).

    Attributes:
        strength: log of how much attitude, norm and control favour the intention, (n, 3).
        number: class of the person and the day.
        left: events left, this one included.
        hour: of the start.
        rank: place of the intention in the order of control, 0 the surest.
        first: whether it is the first of the day.
    """

    strength: Floats
    number: Ints
    left: Ints
    hour: Ints
    rank: Ints
    first: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        intent: Ints,
        liking: Floats,
        norm: NDArray[np.floating],
        control: NDArray[np.floating],
        number: Ints,
        left: Ints,
        hour: Ints,
        first: bool,
    ) -> Grounds:
        """Weigh the parts; ``liking``, ``norm`` and ``control`` are of shape (n, 12)."""
        row = np.arange(len(intent))
        favours = [
            np.log((part[row, intent] + _TINY) / (part.mean(axis=1) + _TINY))
            for part in (liking, norm, control)
        ]
        rank = (control > control[row, intent][:, None]).sum(axis=1)
        begins = np.full(len(intent), first)
        return cls(np.stack(favours, axis=1), number, left, hour.astype(np.intp), rank, begins)

    @classmethod
    def join(cls, parts: list[Grounds], order: Ints) -> Grounds:
        """All of them in another order."""
        names = ("strength", "number", "left", "hour", "rank", "first")
        return cls(*(np.concatenate([getattr(p, n) for p in parts])[order] for n in names))


class Reasons:
    """Texts for the grounds of events."""

    def __init__(self, without: frozenset[Part] = frozenset()) -> None:
        self._kept = [index for index, part in enumerate(PARTS) if part not in without]
        self._values = {name: ["", *table] for name, table in LIKING.items()}
        self._attitudes = pl.Series(self._attitude_texts())
        self._norms = pl.Series(_norm_texts())
        self._controls = pl.Series(_control_texts())

    def texts(self, grounds: Grounds, intent: Ints, found: Traits, person: Ints) -> pl.Series:
        """One text for each event; ``person`` are indices into ``found``."""
        if not self._kept:
            return pl.Series(["drawn by chance: attitude, norm and control are left out"]).gather(
                np.zeros(len(intent), dtype=np.uint32)
            )
        strength = np.full_like(grounds.strength, -np.inf)
        strength[:, self._kept] = grounds.strength[:, self._kept]
        order = np.argsort(-strength, axis=1, kind="stable")
        # A second part is named only where it, too, favours the intention.
        order[np.take_along_axis(strength, order, axis=1)[:, 1] <= 0, 1] = _NONE
        said = [
            self._attitudes.gather(self._attitude_index(intent, found, person)),
            self._norms.gather(_norm_index(grounds, intent)),
            self._controls.gather(_control_index(grounds, intent)),
        ]
        frame = pl.DataFrame({"a": said[0], "n": said[1], "c": said[2]}).with_columns(
            first=pl.Series(order[:, 0]), second=pl.Series(order[:, 1])
        )
        first, second = (_by_part(name) for name in ("first", "second"))
        whole = pl.concat_str(first, second, separator=" ", ignore_nulls=True)
        return frame.select(reason=whole)["reason"]

    # -- attitude -------------------------------------------------------------------------------

    def _attitude_texts(self) -> list[str]:
        """By intent, source (each attribute's values, then the person's own taste) and level."""
        texts = []
        for intent in INTENTS:
            for source in self._sources():
                texts += [
                    f"Attitude: {level.format(DOING[intent])} ({source})."
                    for level in (*_LEVELS, _LESS)
                ]
        return texts

    def _sources(self) -> list[str]:
        return [_TASTE, *(f"{n}: {v}" for n in ATTRIBUTES for v in self._values[n][1:])]

    def _attitude_index(self, intent: Ints, found: Traits, person: Ints) -> Ints:
        shares = found.shares[person, :, intent]
        total = shares.sum(axis=1)
        source = self._source(shares, found, person)
        level = np.where(
            total < -_LEVEL_LIMITS[0],
            len(_LEVELS),
            np.searchsorted(_LEVEL_LIMITS, total, side="right"),
        )
        width = len(_LEVELS) + 1
        index: Ints = (intent * len(self._sources()) + source) * width + level
        return index

    def _source(self, shares: Floats, found: Traits, person: Ints) -> Ints:
        """Number of the attribute's value that does most for it, or against; 0 for own taste."""
        way = np.where(shares.sum(axis=1) < 0, -1, 1)
        strongest = (shares * way[:, None]).argmax(axis=1)
        offsets = np.cumsum([1, *(len(self._values[name]) - 1 for name in ATTRIBUTES)])
        source = np.zeros(len(person), dtype=np.intp)
        for index in range(len(ATTRIBUTES)):
            value = found.values[person, index]
            here = (strongest == index) & (value > 0)
            source[here] = offsets[index] + value[here] - 1
        return source


def _by_part(name: str) -> pl.Expr:
    part = pl.col(name)
    return pl.when(part == 0).then("a").when(part == 1).then("n").when(part == 2).then("c")


# -- norm -----------------------------------------------------------------------------------------


def _norm_texts() -> list[str]:
    """By schedule, day off, intent and hour (24: a day's first event); then all for the unusual."""
    texts = []
    for schedule in SCHEDULES:
        for day in ("a working day", "a day off"):
            for intent in INTENTS:
                texts += [
                    f"Norm: between {hour}:00 and {hour + 1}:00 on {day}, {DOING[intent]} is what "
                    f"{schedule.name} turn to."
                    for hour in range(_HOURS)
                ]
                texts.append(
                    f"Norm: as {day} begins, {DOING[intent]} is what {schedule.name} are in the "
                    "middle of."
                )
    unusual = [
        f"Norm: {text.removeprefix('Norm: ').removesuffix('.')}, if rarely." for text in texts
    ]
    return texts + unusual


def _norm_index(grounds: Grounds, intent: Ints) -> Ints:
    schedule, off = grounds.number // (2 * len(CHRONOTYPES)), grounds.number % 2
    hour = np.where(grounds.first, _HOURS, grounds.hour)
    kind = (schedule * 2 + off) * len(INTENTS) + intent
    unusual = grounds.strength[:, PARTS.index("norm")] <= 0
    index: Ints = (kind + unusual * _NORMS) * (_HOURS + 1) + hour
    return index


# -- control --------------------------------------------------------------------------------------


def _control_texts() -> list[str]:
    """By intent, rank and events left."""
    texts = []
    for intent in INTENTS:
        for rank in range(len(INTENTS)):
            sure = "the surest" if rank == 0 else f"number {rank + 1} in sureness"
            for left in range(_LEFT):
                rest = f"{left - 1} more can follow before 24:00"
                if left <= 1:
                    rest = "it can last until 24:00"
                texts.append(f"Control: {DOING[intent]} is {sure} of 12 to be carried out; {rest}.")
    return texts


def _control_index(grounds: Grounds, intent: Ints) -> Ints:
    index: Ints = (intent * len(INTENTS) + grounds.rank) * _LEFT + grounds.left
    return index

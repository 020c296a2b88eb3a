"""What every predictor takes and gives, and the small parts that predictors share.

Shapes:  n known rows, r target rows, k candidate cells, D target days, J known days.
Units:   d in days, t in half-hour slots 0-47, cells counted from 1, 500 m wide.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from humobctl.errors import UsageError
from humobctl.native import Floats, Int32s, Int64s
from humobctl.tables.cells import decode_cells, encode_cells
from humobctl.tables.schemas import SLOTS_PER_DAY

FAR_GAP = 24
"""Slots; a longer gap between two rows of a day, or none, counts as this."""


@dataclass(frozen=True)
class UserHistory:
    """What is known of one user, and the rows to fill; both sorted by (d, t).

    Attributes:
        uid: the user; seeds what is drawn at random.
        d, t, x, y: known rows, each of shape (n,); n may be 0.
        target_d, target_t: rows to fill, each of shape (r,).
    """

    uid: int
    d: Int64s
    t: Int64s
    x: Int64s
    y: Int64s
    target_d: Int64s
    target_t: Int64s


@dataclass(frozen=True)
class SlotDistributions:
    """A distribution over candidate cells for each target row.

    Attributes:
        cells: candidate cells (x, y), shape (k, 2).
        p: probabilities, shape (r, k); each row sums to 1.
        path: index of a cell drawn for each row, shape (r,), from a model that draws whole walks.
    """

    cells: Int32s
    p: Floats
    path: Int64s | None = None


class Predictor(Protocol):
    """Anything that gives a user's target rows a distribution over cells."""

    def distribution(self, user: UserHistory) -> SlotDistributions:
        """Probabilities over candidate cells for each target row."""
        ...


@dataclass(frozen=True)
class Prompting:
    """How a language model is asked.

    Attributes:
        template: compact or llama3-8b-mob; None for the model's own.
        base: model under an adapter; None for the one that the adapter names.
        candidates: cells that can be answered: own, near or all.
        batch: users at once; None for what the device takes.
        quantization: of the weights: none, 8bit or 4bit.
        base_url: of an OpenAI-compatible server that has the model; None for this machine.
        extra_body: JSON of fields to add to each request to a server; None for none.
        journal: file of a server's answers; None for none.
        concurrency: questions to a server at once.
    """

    template: str | None = None
    base: str | None = None
    candidates: str = "own"
    batch: int | None = None
    quantization: Literal["none", "8bit", "4bit"] = "none"
    base_url: str | None = None
    extra_body: str | None = None
    journal: str | None = None
    concurrency: int = 8


@dataclass(frozen=True)
class PredictOptions:
    """Settings of a run that some models use.

    Attributes:
        seed: of models that draw at random.
        top_p: probability mass that draws keep.
        device: of models that run on torch: auto, cpu or cuda.
        precision: of the same: auto, fp32 or bf16.
        city: name of the city, for models that were trained on several.
        blend: weight of the history baseline beside a trained one; None for the weight it learnt.
        prompting: how a language model is asked.
    """

    seed: int = 0
    top_p: float = 0.9
    device: str = "auto"
    precision: str = "fp32"
    city: str | None = None
    blend: float | None = None
    prompting: Prompting = field(default_factory=Prompting)

    def __post_init__(self) -> None:
        """Refuse a device that no machine has, for models that use none, too.

        Raises:
            UsageError: it is one.
        """
        if self.device.partition(":")[0] not in ("auto", "cpu", "cuda", "mps"):
            raise UsageError(f"--device: found {self.device!r}, expected auto, cpu or cuda")


def distributions(model: Predictor, users: Sequence[UserHistory]) -> list[SlotDistributions]:
    """Distributions of several users, together where the model can."""
    together: Any = getattr(model, "distributions", None)
    if together is not None:
        return together(users)  # type: ignore[no-any-return]
    return [model.distribution(user) for user in users]


def candidates(user: UserHistory) -> tuple[Int32s, Int64s]:
    """The user's past cells (k, 2), and for each known row the index of its cell (n,)."""
    keys, index = np.unique(encode_cells(user.x, user.y), return_inverse=True)
    return decode_cells(keys), index.astype(np.int64)


def number_days(d: Int64s) -> tuple[Int64s, Int64s]:
    """The distinct days of sorted rows, and for each row the number of its day."""
    fresh = np.ones(len(d), dtype=np.bool_)
    fresh[1:] = d[1:] != d[:-1]
    return d[fresh], np.cumsum(fresh) - 1


def find_gaps(d: Int64s, t: Int64s) -> tuple[Int64s, Int64s]:
    """Slots since the row before and until the row after, within the day, each (rows,)."""
    before, after = np.full(len(d), FAR_GAP), np.full(len(d), FAR_GAP)
    gap = np.where(d[1:] == d[:-1], np.minimum(t[1:] - t[:-1], FAR_GAP), FAR_GAP)
    before[1:], after[:-1] = gap, gap
    return before, after


def normalize(weight: Floats) -> Floats:
    """The weights divided by their sum over the last axis."""
    shares: Floats = weight / weight.sum(axis=-1, keepdims=True)
    return shares


def highest(score: Floats, most: int) -> Int64s:
    """Columns of each row's ``most`` highest scores, highest first, shape (rows, most at most)."""
    if most >= score.shape[1]:
        return np.argsort(-score, axis=1, kind="stable")
    among = np.sort(np.argpartition(-score, most, axis=1)[:, :most], axis=1)
    order = np.argsort(-np.take_along_axis(score, among, axis=1), axis=1, kind="stable")
    return np.take_along_axis(among, order, axis=1)


@functools.cache
def circular_slots() -> Int64s:
    """Slots between two slots, the short way round the clock, shape (48, 48)."""
    slots = np.arange(SLOTS_PER_DAY)
    apart = np.abs(slots[:, None] - slots[None, :])
    around: Int64s = np.minimum(apart, SLOTS_PER_DAY - apart)
    return around


def slot_counts(t: Int64s, index: Int64s, k: int) -> Floats:
    """How often each cell was seen in each slot, shape (48, k)."""
    counts = np.bincount(t * k + index, minlength=SLOTS_PER_DAY * k)
    return counts.reshape(SLOTS_PER_DAY, k).astype(np.float64)


def with_back_off(counts: Floats) -> Floats:
    """Counts by slot, shape (48, k), in which no slot is empty.

    A slot never seen takes the counts of the nearest seen slots; equal counts are told apart by
    the counts over all slots.
    """
    seen = counts.sum(axis=0)
    full = np.flatnonzero(counts.sum(axis=1) > 0)
    filled = counts.copy()
    for slot in np.flatnonzero(counts.sum(axis=1) == 0):
        apart = circular_slots()[slot, full]
        filled[slot] = counts[full[apart == apart.min()]].sum(axis=0)
    backed: Floats = filled + 1e-3 * seen / seen.sum()
    return backed


def distances(cells: Int32s) -> Floats:
    """Distances between cells, in cells, shape (k, k)."""
    x, y = cells[:, 0].astype(np.float64), cells[:, 1].astype(np.float64)
    apart: Floats = np.hypot(x[:, None] - x[None, :], y[:, None] - y[None, :])
    return apart

"""The models of `predict`, in one table: adding a model is one entry here and its folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from humobctl.checkpoint import load
from humobctl.errors import HumobError, UsageError
from humobctl.models.city import City
from humobctl.models.distribution import SlotDistributions, UserHistory


class Model(Protocol):
    """Anything that gives a user's target rows a distribution over cells."""

    def distribution(self, user: UserHistory) -> SlotDistributions:
        """Probabilities over candidate cells for each target row."""
        ...


@dataclass(frozen=True)
class Options:
    """Settings of a run that some models use.

    Attributes:
        seed: of models that draw at random.
        top_p: probability mass that draws keep.
    """

    seed: int = 0
    top_p: float = 0.9


@dataclass(frozen=True)
class Entry:
    """A model: its name, one line for people, and where its class is."""

    name: str
    summary: str
    path: str

    def load(self) -> Callable[[City, Options], Model]:
        """The class; its module is imported only now."""
        module, name = self.path.split(":")
        loaded: Any = getattr(import_module(f"humobctl.models.{module}"), name)
        return loaded  # type: ignore[no-any-return]


_ENTRIES = (
    Entry(
        "history",
        "a user's past cells, weighted by time of day, recency, weekday and type of day",
        "history.model:History",
    ),
    Entry("mode", "the user's cells by how often they were visited", "frequency.model:Mode"),
    Entry(
        "slot-mode",
        "the same by half-hour slot; a slot never seen backs off to its neighbours",
        "frequency.model:SlotMode",
    ),
    Entry(
        "weekday-mode",
        "the same by day of the week and slot; backs off to the slot",
        "frequency.model:WeekdayMode",
    ),
    Entry(
        "markov",
        "bigram: the next cell given the one before and the slot",
        "markov.model:Markov",
    ),
)
MODELS = {entry.name: entry for entry in _ENTRIES}


TRAINED = {"ranker": "ranker.model:from_checkpoint"}
"""Types of model dirs, and what makes a model of one: (checkpoint, city, folder) -> Model."""


def build(name: str, city: City, options: Options) -> Model:
    """The model of that name, or of that model dir.

    Raises:
        UsageError: there is none.
        HumobError: the model dir is damaged, or of a type that does not predict.
    """
    check_name(name)
    if name in MODELS:
        return MODELS[name].load()(city, options)
    checkpoint = load(name)
    if checkpoint.type not in TRAINED:
        raise HumobError(
            f"{name}: found a model of type {checkpoint.type}, expected one that predicts: "
            f"{', '.join(TRAINED)}"
        )
    module, maker = TRAINED[checkpoint.type].split(":")
    make: Any = getattr(import_module(f"humobctl.models.{module}"), maker)
    return make(checkpoint, city, name)  # type: ignore[no-any-return]


def check_name(name: str) -> None:
    """Refuse a name that is neither in the table nor a folder.

    Raises:
        UsageError: there is no such model.
    """
    if name not in MODELS and not Path(name).is_dir():
        names = ", ".join(MODELS)
        raise UsageError(f"--model: found {name!r}, expected one of {names}, or a model dir")

"""What makes day plans: the interface of all backends, and the table of them.

To add a backend, add an entry to ``BACKENDS``: a name for ``--backend`` and where its ``make``
function is. ``make(settings, options)`` gets what all backends share and the options of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal, Protocol, cast, runtime_checkable

import polars as pl

from humobctl.console.words import flag
from humobctl.errors import UsageError
from humobctl.intend.day_plan import DayPlan

Part = Literal["attitude", "norm", "control"]
"""A part of the Theory of Planned Behaviour (Ajzen, 1991) that can be left out."""
PARTS: tuple[Part, ...] = ("attitude", "norm", "control")
WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


@dataclass(frozen=True)
class Person:
    """Who plans: a profile with a number.

    Attributes:
        uid: the person.
        profile: number of the profile; people of the same number have the same attributes.
    """

    uid: int
    profile: int
    education: str
    gender: str
    consumption: str
    occupation: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """The attributes: the same for people who can share a template."""
        return self.education, self.gender, self.consumption, self.occupation


@dataclass(frozen=True)
class Request:
    """One day plan that is wanted.

    Attributes:
        person: whose.
        d: day index.
        weekday: of that day, 0 (Sunday) to 6.
        seed: of the run; draws are to depend on it, on the uid and on d, and on nothing else.
        without: parts of the chain to leave out.
    """

    person: Person
    d: int
    weekday: int
    seed: int = 0
    without: frozenset[Part] = frozenset()


@dataclass(frozen=True)
class Failure:
    """A day plan that could not be made, and why, in one line."""

    uid: int
    d: int
    reason: str


@dataclass(frozen=True)
class BackendSettings:
    """What all backends share.

    Attributes:
        seed: of all draws.
        days: number of days, from day 0.
        weekday: of day 0, 0 (Sunday) to 6.
        without: parts of the chain to leave out.
        habits: let habits persist from day to day (planner).
    """

    seed: int = 0
    days: int = 1
    weekday: int = 1
    without: frozenset[Part] = frozenset()
    habits: bool = True

    def weekday_of(self, d: int) -> int:
        """Weekday of day ``d``, 0 (Sunday) to 6."""
        return (self.weekday + d) % 7


def parse_parts(names: Iterable[str] | None) -> frozenset[Part]:
    """The parts of these names.

    Raises:
        UsageError: no such part.
    """
    found: set[Part] = set()
    for name in names or ():
        if name not in PARTS:
            raise UsageError(f"--without: found {name!r}, expected {', '.join(PARTS)}")
        found.add(name)
    return frozenset(found)


class Backend(Protocol):
    """Makes plans one by one, such as by asking a language model."""

    def plans(self, requests: Iterable[Request]) -> Iterator[DayPlan | Failure]:
        """One answer for each request, in their order; requests are taken as they are needed."""
        ...

    def summary(self) -> dict[str, Any]:
        """What the report says of the run (calls, tokens, cost); asked when all is done."""
        ...


@runtime_checkable
class TableBackend(Protocol):
    """Makes the plans of many people at once."""

    def tables(self, people: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Intentions of these people on all days, sorted by uid, d and seq.

        Args:
            people: columns uid, profile, education, gender, consumption, occupation.
        """
        ...

    def summary(self) -> dict[str, Any]:
        """What the report says of the run."""
        ...


@dataclass(frozen=True)
class BackendEntry:
    """A backend.

    Attributes:
        name: for ``--backend``.
        summary: one line for people.
        path: where its ``make`` is.
        options: names of the options of its own.
    """

    name: str
    summary: str
    path: str
    options: tuple[str, ...] = ()

    def make(self, settings: BackendSettings, options: dict[str, Any]) -> Backend | TableBackend:
        """The backend; its module is imported only now.

        Args:
            settings: what all backends share.
            options: those of its own that were given.

        Raises:
            UsageError: an option of another backend.
        """
        for option in options:
            if option not in self.options:
                owners = [entry.name for entry in _ENTRIES if option in entry.options]
                raise UsageError(
                    f"{flag(option)} needs --backend {' or '.join(owners)}, found {self.name}"
                )
        module, name = self.path.split(":")
        make = getattr(import_module(f"humobctl.intend.{module}"), name)
        return cast("Backend | TableBackend", make(settings, options))


@dataclass
class BackendOutcome:
    """How a run ended; filled in while it runs."""

    people: int = 0
    plans: int = 0
    events: int = 0
    failures: list[Failure] = field(default_factory=list)
    backend: dict[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """As ``--report`` writes it."""
        failures = [{"uid": f.uid, "d": f.d, "reason": f.reason} for f in self.failures]
        counts = {"people": self.people, "plans": self.plans, "events": self.events}
        return {**counts, "failed": len(failures), **self.backend, "failures": failures}


_ENTRIES = (
    BackendEntry(
        "planner",
        "a calibrated stochastic model; needs no language model",
        "planner.run:make",
        ("weights",),
    ),
    BackendEntry(
        "openai",
        "a language model on any OpenAI-compatible server",
        "backends.openai:make",
        (
            *("model", "base_url", "concurrency", "retries", "timeout", "temperature"),
            *("answer_tokens", "plans_per_template", "price_input", "price_output", "max_cost"),
            *("max_tokens_total", "extra_body", "journal", "recorder"),
        ),
    ),
    BackendEntry(
        "hf",
        "a local transformers model, with or without an adapter",
        "backends.transformers:make",
        (
            *("model", "adapter", "device", "precision", "batch_size", "temperature"),
            *("answer_tokens", "plans_per_template", "recorder"),
        ),
    ),
)
BACKENDS = {entry.name: entry for entry in _ENTRIES}

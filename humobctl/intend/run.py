"""From profiles to the intentions table: people in batches, day by day, through a backend."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import polars as pl

from humobctl.console import report
from humobctl.errors import HumobError, UsageError
from humobctl.execution.run import LongRun
from humobctl.execution.task import (
    PEOPLE_VARIABLE,
    Done,
    Moved,
    TaskPart,
    Worker,
    mark_of,
    part_size,
)
from humobctl.intend.backends.base import (
    Backend,
    BackendOutcome,
    BackendSettings,
    Failure,
    Request,
    TableBackend,
)
from humobctl.intend.day_plan import DayPlan
from humobctl.intend.population import SyntheticPopulation, as_profiles, persons
from humobctl.io.outputs import check_distinct
from humobctl.io.streams import whole_file
from humobctl.io.write import write_table
from humobctl.tables.schemas import INTENTIONS, PROFILES

PERSON_DAYS_PER_BATCH = 16_384
LONG = 256
"""Batches beyond which finished ones are kept: 4 million person-days."""
PLANS_PER_BATCH = 256
"""Plans of a backend that makes them one by one are passed on after so many."""


@dataclass(frozen=True)
class IntendTask:
    """The plans of some people, wherever they are made.

    Attributes:
        population: the people.
        backend: makes the plans.
        settings: seed, days and ablations.
    """

    population: SyntheticPopulation
    backend: TableBackend
    settings: BackendSettings

    def open(self) -> Worker:
        """Nothing is to be loaded: the backend is ready."""

        def work(numbers: tuple[int, int], moved: Moved) -> Done:
            people = self.population.between(*numbers)
            frames = [pl.DataFrame(schema=INTENTIONS.dtypes), *self.backend.tables(people)]
            table, plans = pl.concat(frames), people.height * self.settings.days
            moved(plans)
            return Done(table, {"plans": plans, "events": table.height}, plans)

        return work

    def parts(self) -> Iterator[TaskPart]:
        """Ranges of people, by their numbers."""
        usual = max(1, PERSON_DAYS_PER_BATCH // self.settings.days)
        people, size = part_size(PEOPLE_VARIABLE, usual), self.population.size
        for number, first in enumerate(range(0, size, people)):
            end = min(first + people, size)
            yield TaskPart(number, (first, end), f"people {first} to {end - 1}")

    def about(self) -> dict[str, Any]:
        """What makes these plans what they are."""
        settings = {**asdict(self.settings), "without": sorted(self.settings.without)}
        population = self.population
        return {
            "command": "intend",
            "settings": {**settings, "count": population.count, **self.backend.summary()},
            "data": mark_of((population.profiles, population.seed)),
        }


@dataclass
class IntendJob:
    """What to plan, for whom, by what.

    Attributes:
        population: the people.
        backend: makes the plans.
        settings: seed, days and ablations.
        outcome: filled in as the run goes on.
    """

    population: SyntheticPopulation
    backend: Backend | TableBackend
    settings: BackendSettings = field(default_factory=BackendSettings)
    outcome: BackendOutcome = field(default_factory=BackendOutcome)
    _ticker: report.Ticker | None = field(default=None, init=False, repr=False)

    def people(self) -> Iterator[pl.DataFrame]:
        """Batches of people, small enough for all their days to be planned at once."""
        return self.population.batches(max(1, PERSON_DAYS_PER_BATCH // self.settings.days))

    def requests(self) -> Iterator[Request]:
        """Every day plan that is wanted, by person and day."""
        settings = self.settings
        for batch in self.people():
            for person in persons(batch):
                for d in range(settings.days):
                    weekday = settings.weekday_of(d)
                    yield Request(person, d, weekday, settings.seed, settings.without)

    def run(self, long: LongRun | None = None) -> Iterator[pl.DataFrame]:
        """Batches of the intentions table; memory does not grow with the number of people.

        Args:
            long: how it is carried out; None for one batch after another, in this process.

        Raises:
            HumobError: not one plan could be made.
        """
        self.outcome.people = self.population.size
        total = self.population.size * self.settings.days
        with report.progress("planning days", total, "days") as ticker:
            self._ticker = ticker
            if isinstance(self.backend, TableBackend):
                batches = self._tables(self.backend, long or LongRun(), ticker)
            else:
                batches = self._one_by_one(self.backend)
            for batch in batches:
                self.outcome.events += batch.height
                if batch.height:
                    yield batch
        self._tell_of_failures(total)

    def _tick(self) -> None:
        if self._ticker is not None:
            self._ticker.move_to(self.outcome.plans + len(self.outcome.failures))

    def _tables(
        self, backend: TableBackend, long: LongRun, ticker: report.Ticker
    ) -> Iterator[pl.DataFrame]:
        work = IntendTask(self.population, backend, self.settings)
        for done in long.results(work, work.parts(), work.about, ticker.advance, long=LONG):
            self.outcome.plans += done.tally["plans"]
            yield done.frame

    def _one_by_one(self, backend: Backend) -> Iterator[pl.DataFrame]:
        held: list[DayPlan] = []
        answers = backend.plans(self.requests())
        for wanted, answer in zip_longest(self.requests(), answers):
            if wanted is None or answer is None:
                raise RuntimeError("a backend gave another number of plans than were asked for")
            found = (answer.uid, answer.d)
            if found != (wanted.person.uid, wanted.d):
                raise RuntimeError(f"a backend answered out of turn: (uid, d) = {found}")
            if isinstance(answer, Failure):
                self.outcome.failures.append(answer)
            else:
                self.outcome.plans += 1
                held.append(answer)
            self._tick()  # a language model may take minutes for a batch
            if len(held) == PLANS_PER_BATCH:
                yield rows(held)
                held = []
        yield rows(held)

    def _tell_of_failures(self, total: int) -> None:
        failures = self.outcome.failures
        if not failures:
            return
        first = failures[0]
        text = (
            f"{len(failures)} of {total} day plans could not be made; the first is that of user "
            f"{first.uid}, day {first.d}: {first.reason}"
        )
        if len(failures) == total:
            raise HumobError(text)
        report.warn(f"{text} (--report says which)")


def rows(plans: Iterable[DayPlan]) -> pl.DataFrame:
    """Plans as rows of the intentions table."""
    found = [
        (plan.uid, plan.d, seq, e.intent, e.start_min, e.end_min, e.reason)
        for plan in plans
        for seq, e in enumerate(plan.events)
    ]
    return pl.DataFrame(found, schema=INTENTIONS.dtypes, orient="row")


def write_plans(
    job: IntendJob,
    output: str | None,
    *,
    format: str | None = None,
    people: str | None = None,
    report_to: str | None = None,
    long: LongRun | None = None,
) -> None:
    """Run a job; write its intentions, and who the people are and how it went where asked for.

    Raises:
        UsageError: two of them would go to the same place.
        HumobError: a file cannot be written, or no plan could be made.
    """
    check_distinct({"--output": output or "-", "--people": people, "--report": report_to})
    if report_to == "-":
        raise UsageError("--report: found standard output, expected a file")
    if report_to is not None and not Path(report_to).parent.is_dir():
        raise HumobError(f"{report_to}: found no folder for it, expected an existing one")
    if people is not None:
        write_table(map(as_profiles, job.people()), people, table=PROFILES)
    try:
        with long or LongRun(output) as run:
            run.write(job.run(run), INTENTIONS, format)
    finally:
        # Also for a run that breaks off: what it has cost is told all the same.
        job.outcome.backend = job.backend.summary()
        if report_to is not None:
            with whole_file(report_to) as place:
                place.write_text(json.dumps(job.outcome.record(), indent=2) + "\n")

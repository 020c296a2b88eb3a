"""Scores of generated data: how their statistics differ from those of real data.

Generated and real people are not matched: each metric compares two distributions, by the
Jensen-Shannon divergence of fixed bins and by the Wasserstein-1 distance of the values. Beside each
stands its floor: what samples of the real people are apart (``floor.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from humobctl import __version__
from humobctl.console import report
from humobctl.data.importers.stays import StayTable, read_stays
from humobctl.errors import HumobError
from humobctl.evaluate.divergence import jsd
from humobctl.evaluate.generated.floor import Floor, draw_halves, draw_pairs
from humobctl.evaluate.generated.statistics import (
    BINS,
    BY_INTENT,
    SAMPLES,
    Bins,
    Observed,
    ObservedPlaces,
    Sample,
    by_intent,
)
from humobctl.evaluate.plans.run import ObservedPlans, Statistics
from humobctl.evaluate.plans.run import observe as observe_plans
from humobctl.evaluate.plans.run import value as plan_value
from humobctl.evaluate.registry import GENERATED_NAMES, Metric, generated_metrics
from humobctl.io.row_errors import OnError
from humobctl.native import Floats
from humobctl.tables.schemas import INTENTS
from humobctl.tables.stays import UNKNOWN_INTENT, Stays, at_least

_CODES = pl.Series(INTENTS, dtype=pl.Enum(INTENTS))


@dataclass(frozen=True)
class GeneratedScore:
    """One score of generated data; what is None does not exist for this metric.

    Attributes:
        metric: what was scored.
        value: Jensen-Shannon divergence in nats, or what the metric says.
        floor: the same of samples of the real people.
        wasserstein: Wasserstein-1 distance, in ``unit``.
        wasserstein_floor: the same of samples of the real people.
        unit: of the Wasserstein distances.
    """

    metric: Metric
    value: float
    floor: Floor | None = None
    wasserstein: float | None = None
    wasserstein_floor: Floor | None = None
    unit: str = ""

    @property
    def at_floor(self) -> bool | None:
        """Whether samples of the real people are as far apart; None where that is not known."""
        return None if self.floor is None else self.floor.includes(self.value)


Extra = Callable[[Stays, Stays], list[GeneratedScore]]
"""Further scores of generated against real stays, such as privacy or flows."""


@dataclass(frozen=True)
class GeneratedEvalSettings:
    """What to score, and how.

    Attributes:
        names: metrics to compute; those that one side cannot give are left out.
        least_events: days with fewer stays are left out on both sides.
        seed: of the samples of the real people.
        cell_km: side of a cell of grid trajectories.
        on_error: stop at the first bad row, or drop bad rows.
        places: a place table for traces that name places by id only.
        extras: further scores.
    """

    names: tuple[str, ...] = GENERATED_NAMES
    least_events: int = 1
    seed: int = 0
    cell_km: float = 0.5
    on_error: OnError = "fail"
    places: str | None = None
    extras: Sequence[Extra] = ()


@dataclass
class Side:
    """One side of a comparison: what its stays give, once the stays themselves are gone.

    Attributes:
        name: the file.
        users, user_days, stays: how many.
        timed: stays whose duration is known.
        samples: by metric.
        plans: the statistics of day plans.
        intents: stays by intent, shape (12,).
        by_intent: statistics of each intent that it has.
    """

    name: str
    users: int
    user_days: int
    stays: int
    timed: int
    samples: dict[str, Sample]
    plans: Statistics
    by_intent: dict[str, dict[str, Sample]] = field(default_factory=dict)

    @property
    def intents(self) -> dict[str, int]:
        """Stays by intent."""
        counts = self.plans.intents
        return {name: int(counts[code]) for code, name in enumerate(INTENTS)}


@dataclass(frozen=True)
class Observations:
    """What the statistics of stays are counted from.

    Attributes:
        samples: by metric.
        plans: of day plans.
        people: how many.
    """

    samples: dict[str, Observed | ObservedPlaces]
    plans: ObservedPlans
    people: int

    def distances(
        self, metric: Metric, first: Floats, second: Floats
    ) -> tuple[float, float | None] | None:
        """Divergence and Wasserstein distance of two samples of the people."""
        if metric.name in self.samples:
            observed = self.samples[metric.name]
            return _apart(observed.sample(first), observed.sample(second))
        return _plans_apart(metric, self.plans.statistics(first), self.plans.statistics(second))


def _observe(stays: Stays, names: tuple[str, ...]) -> Observations:
    return Observations(
        {metric: SAMPLES[metric](stays) for metric in SAMPLES if metric in names},
        observe_plans(_events(stays)),
        stays.people(),
    )


def _side(name: str, stays: Stays, observed: Observations) -> Side:
    """The statistics of stays."""
    there = np.unique(stays.intent[stays.intent != UNKNOWN_INTENT]).tolist()
    return Side(
        name,
        observed.people,
        len(stays.day_starts()) - 1,
        len(stays),
        int((stays.end > stays.start).sum()),
        {metric: found.sample() for metric, found in observed.samples.items()},
        observed.plans.statistics(),
        {INTENTS[code]: by_intent(stays, code) for code in there},
    )


def _events(stays: Stays) -> pl.DataFrame:
    """Stays as the events of day plans."""
    codes = pl.Series(stays.intent).cast(pl.Int64)
    return pl.DataFrame(
        {
            "uid": stays.uid,
            "d": stays.day,
            "intent": _CODES.gather(codes.replace(UNKNOWN_INTENT, None)),
            "start_min": stays.start,
            "end_min": stays.end,
        }
    )


@dataclass
class GeneratedEvaluation:
    """Scores of one file of generated data.

    Attributes:
        name: the file.
        generated, real: both sides.
        scores: what could be compared.
        observed: what the statistics of the real side are counted from.
        settings: what was asked for.
    """

    name: str
    generated: Side
    real: Side
    scores: list[GeneratedScore]
    observed: Observations
    settings: GeneratedEvalSettings

    def signature(self, metric: Metric) -> str:
        """Every setting that changes the value."""
        parts = [metric.name, *(f"{key}:{text}" for key, text in metric.settings)]
        if self.settings.least_events > 1:
            parts.append(f"min-events:{self.settings.least_events}")
        for name, one in (("", self.generated), ("real-", self.real)):
            parts += [f"{name}user-days:{one.user_days}", f"{name}stays:{one.stays}"]
        if self.real.users > 1:
            parts.append(f"floor-seed:{self.settings.seed}")
        return "|".join([*parts, f"v:{__version__}"])

    def band(self, metric: str) -> tuple[Floats, Floats] | None:
        """Lowest and highest fraction by bin of samples of the real people; None of one person."""
        users = self.real.users
        pairs = _pairs(metric, users, users, self.settings.seed)
        if not pairs:
            return None
        samples = [self.observed.samples[metric].sample(first).counts for first, _ in pairs]
        fractions = [counts / counts.sum() for counts in samples]
        return np.min(fractions, axis=0), np.max(fractions, axis=0)

    def bins(self, metric: Metric) -> Bins | None:
        """Bins of the metric's divergence, where it has any of its own."""
        return BINS.get(metric.name)

    def of_intent(self, intent: str) -> dict[str, tuple[float, float | None]]:
        """Divergence and Wasserstein distance by metric of an intent that both sides have."""
        sides = (self.generated.by_intent.get(intent), self.real.by_intent.get(intent))
        if sides[0] is None or sides[1] is None:
            return {}
        pairs = {name: (sides[0][name], sides[1][name]) for name in BY_INTENT}
        return {
            name: (jsd(ours.counts, theirs.counts), ours.apart(theirs))
            for name, (ours, theirs) in pairs.items()
            if name in self.settings.names and ours.known and theirs.known
        }


def evaluate_generated(
    paths: list[str], truth: str, settings: GeneratedEvalSettings
) -> list[GeneratedEvaluation]:
    """Score files of generated data against real data.

    Args:
        paths: visits, trajectories or traces; ``-`` for standard input.
        truth: the real ones, in any of these forms.
        settings: what to score.

    Raises:
        HumobError: files that cannot be read, of cells and points together, without a day of
            enough stays, or with nothing to compare.
    """
    table = _read(truth, settings)
    plane = table.plane()
    stays = _long_days(table.name, table.on(plane), settings.least_events)
    observed = _observe(stays, settings.names)
    real = _side(table.name, stays, observed)
    result = []
    for path in paths:
        read = _read(path, settings)
        ours = _long_days(read.name, read.on(plane), settings.least_events)
        side = _side(read.name, ours, _observe(ours, settings.names))
        scores = _scores(side, real, observed, settings)
        found = GeneratedEvaluation(read.name, side, real, scores, observed, settings)
        found.scores += [score for extra in settings.extras for score in extra(ours, stays)]
        if not found.scores:
            lacking = ", ".join(settings.names)
            raise HumobError(f"{read.name}, {real.name}: found nothing to compare {lacking} by")
        _tell(found)
        result.append(found)
    return result


def _read(path: str, settings: GeneratedEvalSettings) -> StayTable:
    return read_stays(
        path, cell_km=settings.cell_km, on_error=settings.on_error, places=settings.places
    )


def _long_days(name: str, stays: Stays, least: int) -> Stays:
    kept = at_least(stays, least) if least > 1 else stays
    if not len(kept):
        raise HumobError(f"{name}: found no day with {least} stays or more")
    return kept


def _pairs(metric: str, generated: int, real: int, seed: int) -> list[tuple[Floats, Floats]]:
    """Samples of the real people; none of a single person."""
    if real < 2:
        return []
    return list(draw_halves(real, seed) if metric == "grank" else draw_pairs(generated, real, seed))


def _scores(
    ours: Side, real: Side, observed: Observations, settings: GeneratedEvalSettings
) -> list[GeneratedScore]:
    scores = []
    for metric in generated_metrics():
        if metric.name in settings.names and (found := _distances(metric, ours, real)) is not None:
            unit = BINS[metric.name].unit if metric.name in BINS else ""
            pairs = _pairs(metric.name, ours.users, real.users, settings.seed)
            floor, apart_floor = _floors(metric, observed, pairs)
            scores.append(GeneratedScore(metric, found[0], floor, found[1], apart_floor, unit))
    return scores


def _floors(
    metric: Metric, observed: Observations, pairs: list[tuple[Floats, Floats]]
) -> tuple[Floor | None, Floor | None]:
    """Floors of the divergence and of the Wasserstein distance."""
    found = [observed.distances(metric, *pair) for pair in pairs]
    there = [one for one in found if one is not None]
    return Floor.of([one[0] for one in there]), Floor.of([one[1] for one in there])


def _distances(metric: Metric, first: Side, second: Side) -> tuple[float, float | None] | None:
    """Divergence and Wasserstein distance; None where one side cannot give the metric."""
    if metric.name in SAMPLES:
        return _apart(first.samples[metric.name], second.samples[metric.name])
    return _plans_apart(metric, first.plans, second.plans)


def _apart(first: Sample, second: Sample) -> tuple[float, float | None] | None:
    if not (first.known and second.known):
        return None
    return jsd(first.counts, second.counts), first.apart(second)


def _plans_apart(metric: Metric, ours: Statistics, real: Statistics) -> tuple[float, None] | None:
    if not (ours.has(metric) and real.has(metric)):
        return None
    return plan_value(metric, ours, real), None


def _tell(found: GeneratedEvaluation) -> None:
    """What a reader of the scores should know about the two sides."""
    scored = {score.metric.name for score in found.scores}
    lacking = [name for name in found.settings.names if name not in scored]
    if lacking:
        report.info(
            f"{found.name}: not scored, since one side does not have it: {', '.join(lacking)}"
        )
    per_person = [one.user_days / one.users for one in (found.generated, found.real)]
    if "irank" in scored and not 0.8 < per_person[0] / per_person[1] < 1.25:
        report.warn(
            f"{found.name} has {per_person[0]:.1f} days a person, {found.real.name} "
            f"{per_person[1]:.1f}: irank covers all days of a person, so it is biased"
        )
    fewest, fewest_there = (
        int(np.flatnonzero(one.plans.events_per_day)[0]) for one in (found.generated, found.real)
    )
    if fewest < fewest_there:
        short = int(found.generated.plans.events_per_day[:fewest_there].sum())
        report.warn(
            f"{found.name} has {short} of {found.generated.user_days} days with fewer than "
            f"{fewest_there} stays, {found.real.name} has none; --min-events {fewest_there} "
            "leaves them out"
        )

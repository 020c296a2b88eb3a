"""Scores of day plans: how their statistics differ from those of a reference.

Every statistic is a histogram of events or of days; plans and reference are not matched person by
person. An event is one row of an intentions or visits table.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from humobctl import __version__
from humobctl.console import report
from humobctl.data.importers.stays import iter_visits
from humobctl.data.importers.table_kind import kind_of
from humobctl.errors import HumobError
from humobctl.evaluate.divergence import jsd, rows_apart
from humobctl.evaluate.registry import INTENTION_NAMES, Metric, intention_metrics
from humobctl.io.read import iter_table
from humobctl.io.row_errors import OnError
from humobctl.native import Floats, Int64s
from humobctl.tables import copb_reference
from humobctl.tables.day_events import refuse_overlaps
from humobctl.tables.schemas import GRID, INTENTIONS, INTENTS, VISITS, Table

MOST_EVENTS = 48
"""Events a day are counted up to this; the last bin holds the days with more."""
BIN = copb_reference.DURATION_BIN
BINS = copb_reference.DURATION_BINS
PUBLISHED = "CoPB (published)"
_CODES = pl.Enum(INTENTS)


@dataclass(frozen=True)
class Statistics:
    """Counts of a table of plans; empty where they are not known.

    Attributes:
        events_per_day: days with n events, shape (MOST_EVENTS + 1,).
        lengths: events by half hour of duration, with or without an intent, shape (48,).
        intent_lengths: events by intent and half hour of duration, shape (12, 48).
        starts: events by half hour of their start, shape (48,).
        transitions: events of one intent followed by one of another, shape (12, 12).
        users, user_days, events: how many.
    """

    events_per_day: Floats = field(default_factory=lambda: np.zeros(MOST_EVENTS + 1))
    lengths: Floats = field(default_factory=lambda: np.zeros(BINS))
    intent_lengths: Floats = field(default_factory=lambda: np.zeros((len(INTENTS), BINS)))
    starts: Floats = field(default_factory=lambda: np.zeros(BINS))
    transitions: Floats = field(default_factory=lambda: np.zeros((len(INTENTS), len(INTENTS))))
    users: int = 0
    user_days: int = 0
    events: int = 0

    @property
    def intents(self) -> Floats:
        """Events by intent, shape (12,)."""
        counts: Floats = self.intent_lengths.sum(axis=1)
        return counts

    def has(self, metric: Metric) -> bool:
        """Whether it holds what the metric needs."""
        return bool(_counts(self, metric).sum())


def published_statistics(least_events: int = 1) -> Statistics:
    """CoPB's published distributions; they have no starts and no transitions."""
    days = np.zeros(MOST_EVENTS + 1)
    found = copb_reference.events_per_day()
    days[: len(found)] = found
    days[:least_events] = 0
    by_intent = copb_reference.durations()
    return Statistics(
        events_per_day=days,
        lengths=by_intent.sum(axis=0),
        intent_lengths=by_intent,
        user_days=int(days.sum()),
        events=int(by_intent.sum()),
    )


@dataclass(frozen=True)
class _Codes:
    """One histogram of a table of plans before it is counted.

    Attributes:
        owner: whose each entry is, an index of people, shape (entries,).
        code: bin of each.
        shape: of the histogram.
    """

    owner: Int64s
    code: Int64s
    shape: tuple[int, ...]

    def count(self, people: Floats | None) -> Floats:
        weights = None if people is None else people[self.owner]
        counts = np.bincount(self.code, weights, minlength=math.prod(self.shape))
        return counts.astype(np.float64).reshape(self.shape)


@dataclass(frozen=True)
class ObservedPlans:
    """Events of people, so that their statistics are known for any number of each of them.

    Attributes:
        codes: histograms by their names in ``Statistics``.
        user_days, events: of each person, shape (people,).
    """

    codes: dict[str, _Codes]
    user_days: Int64s
    events: Int64s

    def statistics(self, people: Floats | None = None) -> Statistics:
        """The statistics where person i is there ``people[i]`` times; once each where None."""
        times = np.ones(len(self.events)) if people is None else people
        return Statistics(
            **{name: codes.count(people) for name, codes in self.codes.items()},
            users=int(times[self.events > 0].sum()),
            user_days=int(self.user_days @ times),
            events=int(self.events @ times),
        )


def observe(events: pl.DataFrame, least_events: int = 1) -> ObservedPlans:
    """What the statistics of events are counted from.

    Args:
        events: columns uid, d, intent (codes, or null), start_min and end_min, sorted by uid, d
            and start_min.
        least_events: days with fewer are left out.
    """
    days = events.select(day=pl.struct("uid", "d").rle_id())["day"].to_numpy()
    per_day = np.bincount(days)
    events = events.filter(pl.Series(per_day[days] >= least_events))
    per_day = per_day[per_day >= least_events]
    owner = events.select(owner=pl.col("uid").rle_id())["owner"].to_numpy().astype(np.int64)
    first_of_day = np.cumsum(per_day) - per_day
    start, end = (events[name].to_numpy().astype(np.int64) for name in ("start_min", "end_min"))
    length, begun = (np.minimum(minutes // BIN, BINS - 1) for minutes in (end - start, start))
    code = events["intent"].to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
    known = code >= 0
    same_day = np.ones(max(0, len(code) - 1), dtype=bool)
    same_day[first_of_day[1:] - 1] = False
    followed = same_day & known[:-1] & known[1:]
    kinds = len(INTENTS)
    codes = {
        "events_per_day": _Codes(
            owner[first_of_day], np.minimum(per_day, MOST_EVENTS), (MOST_EVENTS + 1,)
        ),
        "lengths": _Codes(owner, length, (BINS,)),
        "intent_lengths": _Codes(owner[known], code[known] * BINS + length[known], (kinds, BINS)),
        "starts": _Codes(owner, begun, (BINS,)),
        "transitions": _Codes(
            owner[:-1][followed], code[:-1][followed] * kinds + code[1:][followed], (kinds, kinds)
        ),
    }
    return ObservedPlans(codes, np.bincount(owner[first_of_day]), np.bincount(owner))


def statistics(events: pl.DataFrame, least_events: int = 1) -> Statistics:
    """The statistics of events; arguments as of ``observe``."""
    return observe(events, least_events).statistics()


def read_statistics(path: str, *, least_events: int = 1, on_error: OnError = "fail") -> Statistics:
    """The statistics of a file of intentions or visits.

    Raises:
        HumobError: it holds something else or a fault, events of a day overlap, or no day is left.
    """
    name = "stdin" if path == "-" else path
    table = kind_of(path)
    if table is GRID:
        raise HumobError(
            f"{name}: found no columns start_min and end_min, expected an intention "
            "or visit table like the other files"
        )
    events = pl.concat(list(_slim(path, table, on_error))).sort(
        "uid", "d", "start_min", "end_min", maintain_order=True
    )
    if table is INTENTIONS:
        refuse_overlaps(events, name)
    found = statistics(events, least_events)
    if not found.user_days:
        raise HumobError(f"{name}: found no day with {least_events} events or more")
    return found


def _slim(path: str, table: Table, on_error: OnError) -> Iterator[pl.DataFrame]:
    """What is counted, at 10 bytes an event."""
    visits = table is VISITS
    batches = iter_visits(path, on_error) if visits else iter_table(path, table, on_error=on_error)
    for batch in batches:
        yield batch.select(
            "uid", "d", pl.col("intent").cast(_CODES, strict=False), "start_min", "end_min"
        )


# -- scores -------------------------------------------------------------------------------------


def _counts(found: Statistics, metric: Metric) -> Floats:
    names = {
        "events_per_day": "events_per_day",
        "intent": "intents",
        "duration": "lengths",
        "intent_duration": "intent_lengths",
        "start": "starts",
        "transition": "transitions",
    }
    counts: Floats = getattr(found, names[metric.name])
    return counts


def intent_durations(plans: Statistics, reference: Statistics) -> dict[str, float]:
    """JSD of the durations of each intent that the reference has; ln 2 for one never planned."""
    result = {}
    for code, intent in enumerate(INTENTS):
        if reference.intents[code]:
            found = jsd(plans.intent_lengths[code], reference.intent_lengths[code])
            result[intent] = found if plans.intents[code] else float(np.log(2))
    return result


def value(metric: Metric, plans: Statistics, reference: Statistics) -> float:
    """One score."""
    if metric.name == "intent_duration":
        by_intent = intent_durations(plans, reference)
        weights = [reference.intents[INTENTS.index(intent)] for intent in by_intent]
        return float(np.average(list(by_intent.values()), weights=weights))
    p, q = _counts(plans, metric), _counts(reference, metric)
    return rows_apart(p, q) if metric.name == "transition" else jsd(p, q)


def _warn_of_short_days(name: str, plans: Statistics, against: str, truth: Statistics) -> None:
    """Stays are often published of days with some movement only."""
    fewest, fewest_there = (int(np.flatnonzero(s.events_per_day)[0]) for s in (plans, truth))
    if fewest < fewest_there:
        short = int(plans.events_per_day[:fewest_there].sum())
        report.warn(
            f"{name} has {short} of {plans.user_days} days with fewer than {fewest_there} events, "
            f"{against} has none; --min-events {fewest_there} leaves them out"
        )


@dataclass
class IntentionEvaluation:
    """Scores of one file of plans.

    Attributes:
        name: the file.
        reference: what it was compared with.
        metrics: what could be compared.
        plans, truth: the statistics of both.
        least_events: days with fewer are left out on both sides.
    """

    name: str
    reference: str
    metrics: list[Metric]
    plans: Statistics
    truth: Statistics
    least_events: int = 1

    def value(self, metric: Metric) -> float:
        """One score."""
        return value(metric, self.plans, self.truth)

    def signature(self, metric: Metric) -> str:
        """Every setting that changes the value."""
        settings = [f"{key}:{text}" for key, text in metric.settings]
        if self.least_events > 1:
            settings.append(f"min-events:{self.least_events}")
        against = "copb-published" if self.reference == PUBLISHED else "table"
        counts = [f"user-days:{self.plans.user_days}", f"events:{self.plans.events}"]
        return "|".join(
            [metric.name, *settings, f"reference:{against}", *counts, f"v:{__version__}"]
        )


def evaluate_intentions(
    paths: list[str],
    truth: str | None,
    *,
    names: tuple[str, ...] = INTENTION_NAMES,
    least_events: int = 1,
    on_error: OnError = "fail",
) -> list[IntentionEvaluation]:
    """Score files of plans against a table, or against what was published.

    Args:
        paths: intentions or visits; ``-`` for standard input.
        truth: a table of the same kinds; None for CoPB's published distributions.
        names: metrics to compute; those that the reference lacks are left out.
        least_events: leave out days with fewer events, of plans and reference.
        on_error: stop at the first bad row, or drop bad rows.

    Raises:
        HumobError: files that cannot be read, or a reference without all of the metrics.
    """
    if truth is None:
        reference, against = published_statistics(least_events), PUBLISHED
    else:
        reference = read_statistics(truth, least_events=least_events, on_error=on_error)
        against = "stdin" if truth == "-" else truth
    wanted = [m for m in intention_metrics() if m.name in names]
    can = [m for m in wanted if reference.has(m)]
    if not can:
        lacking = ", ".join(m.name for m in wanted)
        raise HumobError(f"{against}: found nothing to compare {lacking} with")
    result = []
    for path in paths:
        plans = read_statistics(path, least_events=least_events, on_error=on_error)
        both = [m for m in can if plans.has(m)]
        name = "stdin" if path == "-" else path
        _warn_of_short_days(name, plans, against, reference)
        result.append(IntentionEvaluation(name, against, both, plans, reference, least_events))
    return result

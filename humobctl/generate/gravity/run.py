"""From intentions to visits: whole people in batches, through the kernel, to the visit table."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.errors import HumobError
from humobctl.execution.run import LongRun
from humobctl.execution.task import Done, Moved, Tally, Worker, mark_of, parts_of_people
from humobctl.generate.gravity import kernels
from humobctl.generate.gravity.config import Law, Travel
from humobctl.generate.gravity.homes import HomesAndWorks, Locations
from humobctl.generate.gravity.kernels import HURRIED, SHIFTED, SHORTENED, UNREACHED, WIDENED
from humobctl.generate.gravity.places import PlaceIndex
from humobctl.generate.gravity.walk import Days, days_of, walk_days
from humobctl.generate.person_batches import whole_people
from humobctl.native import Int64s
from humobctl.tables.intents import ANCHORED, CODES, HOME_CODES
from humobctl.tables.intents import WORK as GO_TO_WORK
from humobctl.tables.schemas import INTENTS, VISITS

ROWS_AT_ONCE = 1 << 17
"""Events that go through the kernel together, at least one person's: a part."""
LONG = 40
"""Parts beyond which finished ones are kept: 5 million events."""
_KEPT = ("uid", "d", "seq", "intent", "start_min", "end_min")
CROWDED = 20
"""People who get their home at one place, from where on there is a warning."""


@dataclass
class GravityTally(Tally):
    """What was done.

    Attributes:
        people, days, events: how many.
        shifted, shortened: events that travel made start at another time, or last less.
        hurried: days that hold more travel than time, in which people travel faster.
        nights_away: days that end away from home.
        drawn_homes: people whose home was drawn, not known.
        widened, unreached: events by intent, (12,): the place lies beyond the radius; there was
            none up to the largest radius, so that the person stayed.
        first: the first person and day of an unreached event.
    """

    people: int = 0
    days: int = 0
    events: int = 0
    shifted: int = 0
    shortened: int = 0
    hurried: int = 0
    nights_away: int = 0
    drawn_homes: int = 0
    widened: Int64s = field(default_factory=lambda: np.zeros(len(INTENTS), np.int64))
    unreached: Int64s = field(default_factory=lambda: np.zeros(len(INTENTS), np.int64))
    first: tuple[int, int] | None = None

    def tell(self, law: Law, homes: float) -> None:
        """Say it.

        Args:
            law: by which places were chosen.
            homes: equally likely homes that people would share as much as they do.
        """
        report.info(
            f"{pluralize(self.days, 'day')} of {pluralize(self.people, 'person')}, "
            f"{pluralize(self.events, 'visit')}; for travel "
            f"time {self.shifted:,} were moved and {self.shortened:,} shortened"
        )
        if self.nights_away:
            report.info(
                f"{pluralize(self.nights_away, 'day')} {'end' if self.nights_away > 1 else 'ends'} "
                "away from home, as in the people of the law (--nights-away)"
            )
        if self.hurried:
            report.warn(
                f"{pluralize(self.hurried, 'day')} with too little time for travel: people travel "
                "faster than --speed"
            )
        if self.drawn_homes > CROWDED * homes:
            report.warn(
                f"{self.drawn_homes:,} people get their homes in "
                f"{pluralize(round(homes), 'place')} ({self.drawn_homes / homes:,.0f} a place), "
                "so distances from home mean little; --people or --home-work give homes, "
                "--density and --zones draw them by population"
            )
        if self.widened.any():
            report.info(
                f"no place within {law.radius:g} km, took one farther away: "
                f"{_name_counts(self.widened)}"
            )
        if self.first is not None:
            report.warn(
                f"no place within {law.most:g} km: the person stays at the same location, with no "
                f"place_id: {_name_counts(self.unreached)}; first user {self.first[0]}, day "
                f"{self.first[1]} (--max-radius looks farther)"
            )


def _name_counts(counts: Int64s) -> str:
    order = np.argsort(-counts, kind="stable")
    return ", ".join(f"{INTENTS[i]} {counts[i]:,}" for i in order if counts[i])


@dataclass(frozen=True)
class GravityTask:
    """The visits of some people, wherever they are made.

    Attributes:
        job: what to do; its tally is left alone.
    """

    job: GravityJob

    def open(self) -> Worker:
        """Buffers for the kernel."""
        memories = kernels.Memories()

        def work(frame: pl.DataFrame, moved: Moved) -> Done:
            job = replace(self.job, tally=GravityTally())
            visits = job.visits(frame, memories)
            moved(frame.height)
            return Done(visits, job.tally.record(), frame.height)

        weakref.finalize(work, memories.close)
        return work


@dataclass
class GravityJob:
    """What to generate from, by which law.

    Attributes:
        city: the places.
        homes_and_works: homes and works.
        law, travel: how people choose and travel.
        seed: of all draws.
        exhaustive: weigh every candidate, the slow way; for tests.
        tally: filled in as the run goes on.
    """

    city: PlaceIndex
    homes_and_works: HomesAndWorks
    law: Law = field(default_factory=Law)
    travel: Travel = field(default_factory=Travel)
    seed: int = 0
    exhaustive: bool = False
    tally: GravityTally = field(default_factory=GravityTally)

    def run(
        self,
        batches: Iterable[pl.DataFrame],
        name: str = "intentions",
        long: LongRun | None = None,
    ) -> Iterator[pl.DataFrame]:
        """Batches of the visit table, in the order of the people.

        Args:
            batches: of the intentions table, each person's rows together.
            name: of the table, for messages.
            long: how it is carried out; None for one part after another, in this process.

        Raises:
            HumobError: a person's rows stand apart, or no place serves an intent.
        """
        people = whole_people(batches, name, _KEPT, ROWS_AT_ONCE)
        parts = parts_of_people(people, ROWS_AT_ONCE)
        with report.progress("generating visits", None, "events") as ticker:
            results = (long or LongRun()).results(
                GravityTask(self), parts, self.about, ticker.advance, long=LONG
            )
            for done in results:
                self.tally.add(done.tally)
                yield done.frame
        self.tally.tell(self.law, self.homes_and_works.home_spots)

    def about(self) -> dict[str, Any]:
        """What makes the visits what they are, but for the plans."""
        city, where = self.city, self.homes_and_works
        places = (city.place_id.to_frame(), city.lat, city.lon, city.intent, city.weight, city.jobs)
        law = {name: value for name, value in asdict(self.law).items() if name != "name"}
        return {
            "command": "generate gravity",
            "settings": {
                **{"law": self.law.name, **law, **asdict(self.travel)},
                **{"seed": self.seed, "snap": where.snap},
            },
            "data": mark_of(
                (places, where.people, where.pairs, where.density, where.zones),
            ),
        }

    def visits(self, frame: pl.DataFrame, memories: kernels.Memories) -> pl.DataFrame:
        """The visits of whole people."""
        days = days_of(frame)
        self._check(days)
        working = days.intent == CODES[GO_TO_WORK]
        if self.law.name == "home-work":
            working = np.ones(len(working), bool)
        workers = np.zeros(len(days.uid), bool)
        workers[days.person[working]] = True
        home, work, drawn = self.homes_and_works.of(days.uid, workers, memories)
        self.tally.drawn_homes += drawn
        start, end = (
            days.frame[name].to_numpy().astype(np.int32) for name in ("start_min", "end_min")
        )
        place, flags = walk_days(
            self.city,
            self.law,
            days,
            (home, work),
            (start, end),
            memories,
            travel=self.travel,
            seed=self.seed,
            exhaustive=self.exhaustive,
        )
        self._count(days, place, flags)
        return self._table(days, home, work, (place, flags, start, end))

    def _check(self, days: Days) -> None:
        """See that every intent can be carried out somewhere."""
        if self.law.name == "home-work":
            return
        lacking = [
            int(intent)
            for intent in np.unique(days.intent)
            if intent not in ANCHORED and not self.city.count(int(intent))
        ]
        if lacking:
            event = int(np.flatnonzero(np.isin(days.intent, lacking))[0])
            uid, d = days.frame.row(event)[:2]
            names = ", ".join(repr(INTENTS[intent]) for intent in lacking)
            raise HumobError(
                f"{self.city.name}: found no place for {names} (first for user {uid}, day {d}), "
                "expected one at least, or places without an intent, which serve all ('data import "
                "--keep-unmapped' keeps them, --mapping gives categories intents)"
            )

    def _count(self, days: Days, place: NDArray[np.int32], flags: NDArray[np.uint8]) -> None:
        tally, kinds = self.tally, len(INTENTS)
        tally.nights_away += int((np.isin(days.intent, HOME_CODES) & (place >= 0)).sum())
        tally.people += len(days.uid)
        tally.days += len(days.d)
        tally.events += len(flags)
        tally.shifted += int((flags & SHIFTED > 0).sum())
        tally.shortened += int((flags & SHORTENED > 0).sum())
        tally.hurried += int((flags[days.event_of[:-1]] & HURRIED > 0).sum())
        tally.widened += np.bincount(
            days.intent[flags & (WIDENED | UNREACHED) == WIDENED], minlength=kinds
        )
        unreached = np.flatnonzero(flags & UNREACHED)
        tally.unreached += np.bincount(days.intent[unreached], minlength=kinds)
        if tally.first is None and len(unreached):
            tally.first = days.frame.row(int(unreached[0]))[:2]

    def _table(
        self, days: Days, home: Locations, work: Locations, found: tuple[Any, ...]
    ) -> pl.DataFrame:
        """The visit table."""
        place, flags, start, end = found
        person = days.person
        at_home, at_work = place == kernels.HOME, place == kernels.WORK
        row = np.where(at_home, home.place[person], place)
        row = np.where(at_work, work.place[person], row)
        city = self.city
        point = [getattr(city, name)[np.maximum(row, 0)] for name in ("lat", "lon")]
        for spots, here in ((home, at_home), (work, at_work)):
            for axis, name in enumerate(("lat", "lon")):
                point[axis][here] = getattr(spots, name)[person[here]]
        return (
            days.frame.select("uid", "d", "seq", "intent")
            .with_columns(
                start_min=pl.Series(start.astype(np.int16)),
                end_min=pl.Series(end.astype(np.int16)),
                place_id=self._ids(days, row, at_home, flags),
                lat=pl.Series(point[0]),
                lon=pl.Series(point[1]),
            )
            .select(VISITS.columns)
        )

    def _ids(
        self,
        days: Days,
        row: NDArray[np.int32],
        at_home: NDArray[np.bool_],
        flags: NDArray[np.uint8],
    ) -> pl.Series:
        """Ids of places; a home or work that is none is named after its person."""
        named = self.city.place_id.gather(np.maximum(row, 0))
        own = row < 0
        if own.any():
            labels = pl.select(
                pl.concat_str(
                    pl.when(pl.Series(at_home)).then(pl.lit("home-")).otherwise(pl.lit("work-")),
                    days.frame["uid"].cast(pl.String),
                )
            ).to_series()
            named = labels.zip_with(pl.Series(own), named)
        if (flags & UNREACHED).any():
            named = named.set(pl.Series(flags & UNREACHED > 0), None)
        return named

"""From day plans, or from nothing, to visits drawn from a trained model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.console import report
from humobctl.errors import UsageError
from humobctl.execution.run import LongRun
from humobctl.execution.task import (
    PEOPLE_VARIABLE,
    Done,
    Moved,
    TaskPart,
    Worker,
    mark_of,
    part_size,
    parts_of_people,
)
from humobctl.generate.diffusion.config import STEPS
from humobctl.generate.diffusion.counts import DiffusionTally
from humobctl.generate.diffusion.data import (
    HOME_CLASS,
    UNKNOWN_CATEGORY,
    WORK_CLASS,
    Layout,
    category_numbers,
    category_tokens,
    channel_count,
    classes_of,
    day_starts,
)
from humobctl.generate.diffusion.decode import GeneratedDays, decode
from humobctl.generate.diffusion.law import choose_places
from humobctl.generate.diffusion.load import TrainedDiffusion
from humobctl.generate.diffusion.nearest_place import ANY, LEARNT_DAYS, Places, place_ids
from humobctl.generate.diffusion.process import Process, Sampling
from humobctl.generate.diffusion.sample import Anchors, draw, sources_of
from humobctl.generate.homes_and_works import HOME_COLUMNS, degrees, known_dwellings
from humobctl.generate.other_city import refuse_another_city
from humobctl.generate.person_batches import whole_people
from humobctl.io.run_record import fingerprint_of
from humobctl.native import Float32s, Int64s
from humobctl.tables.intents import CODES, HOME, WORK
from humobctl.tables.schemas import INTENTS, VISITS
from humobctl.training.device import set_up

KNOWN_WITHIN = 500.0
"""Metres within which a given home or work is the nearest place that serves it."""
ROWS_AT_ONCE = 1 << 13
"""Events of a part, at least one person's."""
PEOPLE_AT_ONCE = 1 << 10
"""People of a part, where there are no plans."""
_PLAN = ("uid", "d", "seq", "intent", "start_min", "end_min")
_CATEGORY = "category"
_INTENT_OF_CLASS = np.array([CODES[HOME], CODES[WORK], ANY])
_NAMES = pl.Series([*INTENTS, None], dtype=pl.String)


@dataclass
class DiffusionJob:
    """What to generate, and how.

    Attributes:
        model: the trained model.
        sampling: how to sample.
        places: to snap points to; None to leave them where they are.
        people: profiles with home and work, sorted by uid.
        pairs: home and work, one of which each person gets.
        nearest: take the place nearest to each point, even where the model has a law.
        seed: of all draws.
        batch_size: days that are sampled together.
        tally: filled in as the run goes on.
    """

    model: TrainedDiffusion
    sampling: Sampling
    places: Places | None = None
    people: pl.DataFrame | None = None
    pairs: pl.DataFrame | None = None
    nearest: bool = False
    seed: int = 0
    batch_size: int = 256
    tally: DiffusionTally = field(default_factory=DiffusionTally)

    def from_plans(
        self,
        batches: Iterable[pl.DataFrame],
        name: str = "intentions",
        long: LongRun | None = None,
    ) -> Iterator[pl.DataFrame]:
        """Batches of the visit table, in the order of the people.

        Args:
            batches: of the intentions table, each person's rows together; with the column category
                where that is the model's condition.
            name: of the table, for messages.
            long: how it is carried out; None for one part after another, in this process.

        Raises:
            UsageError: the model has no condition.
            HumobError: a person's rows stand apart, a person is not known, or no place serves an
                intent.
        """
        if self.model.condition == "none":
            raise UsageError(
                f"{self.model.name}: found an unconditional model, which takes no plans; "
                "expected --count"
            )
        columns = (*_PLAN, *([_CATEGORY] if self.model.condition == _CATEGORY else []))
        people = whole_people(batches, name, columns, ROWS_AT_ONCE)
        yield from self._draw_parts(parts_of_people(people, ROWS_AT_ONCE), None, "events", long)

    def from_nothing(self, count: int, long: LongRun | None = None) -> Iterator[pl.DataFrame]:
        """Batches of the visit table: one day each of ``count`` people, numbered from 0.

        Raises:
            UsageError: the model needs day plans.
        """
        if self.model.condition != "none":
            raise UsageError(
                f"--count: {self.model.name} needs plans (its condition is "
                f"{self.model.condition}), expected intentions"
            )
        usual = self.batch_size * max(1, PEOPLE_AT_ONCE // self.batch_size)
        size = part_size(PEOPLE_VARIABLE, usual)
        parts = (
            TaskPart(number, (low, min(count, low + size)), f"people {low} to {low + size - 1}")
            for number, low in enumerate(range(0, count, size))
        )
        yield from self._draw_parts(parts, count, "people", long)

    def _draw_parts(
        self, parts: Iterator[TaskPart], total: int | None, unit: str, long: LongRun | None
    ) -> Iterator[pl.DataFrame]:
        self._refuse_another_city()
        with report.progress("generating visits", total, unit) as ticker:
            results = (long or LongRun()).results(self, parts, self.about, ticker.advance)
            for done in results:
                self.tally.add(done.tally)
                yield done.frame
        self.tally.tell(self.model.visits_a_day if self.model.condition == "none" else None)

    def _refuse_another_city(self) -> None:
        plane = self.model.scale.plane
        centre = (np.array([plane.lat]), np.array([plane.lon]))
        for name, table in (("--people", self.people), ("--home-work", self.pairs)):
            if table is not None:
                homes = degrees(table, HOME_COLUMNS)
                refuse_another_city(f"homes of {name}", homes, LEARNT_DAYS, centre)

    def about(self) -> dict[str, Any]:
        """Everything besides the plans that the visits depend on."""
        return {
            "command": "generate diffusion",
            "settings": {
                **asdict(self.sampling),
                **{"seed": self.seed, "batch_size": self.batch_size, "nearest": self.nearest},
            },
            "model": fingerprint_of(self.model.name),
            "data": mark_of(
                (None if self.places is None else self.places.frame, self.people, self.pairs)
            ),
        }

    @property
    def device(self) -> str:
        """Where to sample."""
        return self.model.device

    def open(self) -> Worker:
        """The sampler of a part of people, with threads and seeds set."""
        set_up(self.seed)

        def work(people: pl.DataFrame | tuple[int, int], moved: Moved) -> Done:
            job = replace(self, tally=DiffusionTally())
            if isinstance(people, tuple):
                visits, units = job.draw_days(np.arange(*people)), people[1] - people[0]
            else:
                visits, units = job.place_plans(people), people.height
            moved(units)
            return Done(visits, job.tally.record(), units)

        return work

    # -- with day plans -------------------------------------------------------------------------

    def place_plans(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The visits of whole people with plans."""
        frame = frame.with_columns(person=pl.col("uid").rle_id()).sort(
            "person", "d", "start_min", "seq", maintain_order=True
        )
        person, d = (frame[name].to_numpy().astype(np.int64) for name in ("person", "d"))
        first = day_starts(person, d)
        layout = Layout(
            first,
            *(frame[name].to_numpy().astype(np.int64) for name in ("start_min", "end_min")),
        )
        intent = frame["intent"].cast(pl.Enum(INTENTS)).to_physical().to_numpy().astype(np.int8)
        uid = frame["uid"].to_numpy()[first[:-1]]
        token = self._tokens(frame, intent)
        drawn, given = self._draw_planned(
            layout, intent, token, uid, d[first[:-1]], person[first[:-1]]
        )
        self.tally.people += int(person[-1]) + 1
        table = frame.drop("person")
        return self._table(table, drawn, intent.astype(np.int64), uid, given)

    def _tokens(self, frame: pl.DataFrame, intent: NDArray[np.int8]) -> NDArray[np.int8]:
        """The class of each event under the model's condition."""
        if self.model.condition == "intent":
            return intent
        place_class = classes_of(intent)
        if self.model.condition == "home-work":
            return place_class
        numbers = category_numbers(frame[_CATEGORY], self.model.categories)
        unknown = numbers == UNKNOWN_CATEGORY
        self.tally.strange += int(unknown.sum()) - frame[_CATEGORY].null_count()
        return category_tokens(numbers, place_class)

    def _draw_planned(
        self,
        layout: Layout,
        intent: NDArray[np.int8],
        token: NDArray[np.int8],
        uid: NDArray[np.uint32],
        d: Int64s,
        person: Int64s,
    ) -> tuple[GeneratedDays, Anchors]:
        """Days of people; a person's first day with work says where home and work are.

        All other days are drawn to go with them.
        """
        place_class = classes_of(intent)
        given = self._anchors(uid)
        working = np.bincount(layout.day, place_class == WORK_CLASS, len(layout)) > 0
        order = np.lexsort((~working, person))
        leads = order[np.flatnonzero(np.diff(person[order], prepend=-1))]
        leading = np.zeros(len(layout), bool)
        leading[leads] = True
        parts = {True: (leading, given)}
        kinds = (place_class, token)
        lead = self._draw_days(layout, kinds, uid, d, leading, given)
        if not leading.all():
            parts[False] = (~leading, Anchors(lead.home[person], lead.work[person]))
        relative, homes = np.empty((len(intent), 2)), np.empty((len(layout), 2))
        for first, (chosen, anchors) in parts.items():
            drawn = lead if first else self._draw_days(layout, kinds, uid, d, chosen, anchors)
            relative[chosen[layout.day]] = drawn.relative
            homes[chosen] = drawn.home
        drawn = GeneratedDays(layout, place_class, relative, homes)
        for chosen, anchors in parts.values():
            drawn.put(anchors, chosen)
        return drawn, given

    def _draw_days(
        self,
        layout: Layout,
        kinds: tuple[NDArray[np.int8], NDArray[np.int8]],
        uid: NDArray[np.uint32],
        d: Int64s,
        chosen: NDArray[np.bool_],
        anchors: Anchors,
    ) -> GeneratedDays:
        """Some of the days; ``kinds`` are home, work or other, and the classes of the condition."""
        events, part = chosen[layout.day], layout.take(chosen)
        place_class, token = (kind[events] for kind in kinds)
        known = Anchors(anchors.home[chosen], anchors.work[chosen])
        working = place_class[part.event_of_step()] == WORK_CLASS
        channels = self._draw(uid[chosen].astype(np.int64), d[chosen], known, working, token, part)
        return decode(channels, self.model.scale, part, place_class)

    def _draw(
        self,
        uid: Int64s,
        d: Int64s,
        known: Anchors,
        working: NDArray[np.bool_],
        token: NDArray[np.int8] | None = None,
        layout: Layout | None = None,
    ) -> Float32s:
        """Channels of days, with the homes and works that are known; ``working`` by step."""
        model, fixed = self.model, None
        if known.has_home.any():
            device = next(model.network.parameters()).device
            fixed = known.as_channels(model.scale, working, device, channel_count(model.condition))
        return draw(
            model.network,
            Process(model.settings),
            self.sampling,
            sources_of(self.seed, uid, d),
            token=token,
            layout=layout,
            fixed=fixed,
            batch_size=self.batch_size,
        )

    # -- without --------------------------------------------------------------------------------

    def draw_days(self, uid: Int64s) -> pl.DataFrame:
        """The visits of people without."""
        given, nowhere = self._anchors(uid), np.zeros((len(uid), STEPS), bool)
        channels = self._draw(uid, np.zeros_like(uid), given, nowhere)
        drawn = decode(channels, self.model.scale, None, None)
        known = given.has_home
        drawn.home[known] = given.home[known]
        layout = drawn.layout
        code = _INTENT_OF_CLASS[drawn.place_class]
        table = pl.DataFrame(
            {
                "uid": uid[layout.day].astype(np.uint32),
                "d": np.zeros(len(code), np.int16),
                "seq": (np.arange(len(code)) - layout.first[layout.day]).astype(np.int16),
                "intent": _NAMES.gather(np.where(code == ANY, len(INTENTS), code)),
                "start_min": layout.start.astype(np.int16),
                "end_min": layout.end.astype(np.int16),
            }
        )
        self.tally.people += len(uid)
        visits = self._table(table, drawn, code, uid.astype(np.uint32), given)
        return self._join(visits)

    def _join(self, visits: pl.DataFrame) -> pl.DataFrame:
        """Visits, with consecutive ones at the same place joined."""
        here = pl.struct("uid", "place_id", "lat", "lon")
        goes_on = (here == here.shift(1)) & (pl.col("start_min") == pl.col("end_min").shift(1))
        run = (~goes_on.fill_null(False)).cum_sum()
        joined = (
            visits.group_by(run.alias("run"), maintain_order=True)
            .agg(
                pl.exclude("end_min").first(),
                end_min=pl.col("end_min").last(),
            )
            .with_columns(seq=pl.int_range(pl.len()).over("uid").cast(pl.Int16))
        )
        self.tally.joined += visits.height - joined.height
        self.tally.visits -= visits.height - joined.height
        return joined.select(VISITS.columns)

    # -- places ---------------------------------------------------------------------------------

    def _anchors(self, uid: NDArray[np.generic]) -> Anchors:
        """What is known of the home and work of people, (n, 2) each."""
        found = known_dwellings(uid, self.seed, self.people, self.pairs, "--people")
        home, work = (
            np.column_stack(self.model.scale.plane.metres(found[:, at], found[:, at + 1]))
            for at in (0, 2)
        )
        return Anchors(home, work - home)

    def _table(
        self,
        table: pl.DataFrame,
        drawn: GeneratedDays,
        intent: Int64s,
        uid: NDArray[np.uint32],
        given: Anchors,
    ) -> pl.DataFrame:
        """The visit table of events."""
        metres = drawn.metres
        lat, lon = self.model.scale.plane.degrees(metres[:, 0], metres[:, 1])
        row = np.full(len(intent), -1)
        if self.places is not None:
            row = self._snap(table, drawn, intent, given)
            at = row >= 0
            lat[at], lon[at] = (
                self.places.frame[name].to_numpy()[row[at]] for name in ("lat", "lon")
            )
        self.tally.days += len(drawn.layout)
        self.tally.visits += len(intent)
        return table.with_columns(
            place_id=place_ids(self.places, row, drawn.place_class, uid[drawn.layout.day]),
            lat=pl.Series(lat).round(6),
            lon=pl.Series(lon).round(6),
        ).select(VISITS.columns)

    def _snap(
        self, table: pl.DataFrame, drawn: GeneratedDays, intent: Int64s, given: Anchors
    ) -> Int64s:
        """Rows of places; -1 for a given home or work that is too far from any."""
        assert self.places is not None
        metres, day = drawn.metres, drawn.layout.day
        row, away = np.empty(len(intent), np.int64), np.empty(len(intent))
        for code in np.unique(intent).tolist():
            these = intent == code
            row[these], away[these] = self.places.nearest(code, metres[these])
        known_home = given.has_home[day] & (drawn.place_class == HOME_CLASS)
        known_work = given.has_work[day] & (drawn.place_class == WORK_CLASS)
        row[(known_home | known_work) & (away > KNOWN_WITHIN)] = -1
        if _CATEGORY in table.columns:
            self.tally.elsewhere += self.places.snap_categories(table[_CATEGORY], metres, row, away)
        elif self.model.law is not None and not self.nearest:
            city = self.places.city
            row = choose_places(city, self.model.law, table, drawn, row, self.seed)
            away = np.hypot(*(self.places.points[row] - metres).T)
        metres_away, points = np.unique(np.rint(away[row >= 0]), return_counts=True)
        self.tally.snapped.update(
            dict(zip(metres_away.astype(int).tolist(), points.tolist(), strict=True))
        )
        return row

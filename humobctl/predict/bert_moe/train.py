"""Training of bert-moe: what is read, what a step draws, its loss, what is kept."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import torch
from torch import Tensor

from humobctl.console import report
from humobctl.data.split import shuffle_users
from humobctl.errors import HumobError
from humobctl.io.city_names import city_names
from humobctl.io.row_errors import OnError
from humobctl.native import Bools, Int64s
from humobctl.predict.bert_moe.config import TYPE, BertMoeSettings
from humobctl.predict.bert_moe.data import (
    BertMoeColumns,
    CityDays,
    TrainingWindows,
    build_index,
    order_windows,
    rows_before,
)
from humobctl.predict.bert_moe.model import (
    BertMoe,
    BertMoeConfig,
    load_network,
    start_from,
)
from humobctl.predict.bert_moe.validation import (
    ValidationUser,
    ask,
    learn_blend,
    predict_blended,
    time_blend,
    validate,
)
from humobctl.predict.blend import blend_in_words
from humobctl.predict.city_profile import (
    CityProfile,
    past_cities,
    past_days_off,
    unique_users,
)
from humobctl.predict.gained import ScoredUser, predict_history, say_gained
from humobctl.predict.ranker.data import RankerCity, RankerUser, first_days
from humobctl.predict.ranker.train import (
    COMPARED,
    COMPARED_BYTES,
    COMPARED_SECONDS,
    LEAST_SCORED,
    predict_by_ranker,
)
from humobctl.ranks import world_size
from humobctl.tables.cells import decode_cells
from humobctl.training.city_table import open_city
from humobctl.training.distributed import Group, Share
from humobctl.training.recipe import Costs, TrainedModel, TrainingLog, TrainingPlan, plan_epochs
from humobctl.training.record_sketch import RecordSketch
from humobctl.training.torch_loop import (
    Batches,
    TorchRecipe,
    TorchTraining,
    decay_groups,
)

_ROWS = "rows"
"""Folder in that of a training, where other processes find the rows."""
_REHEARSED = 4
"""Users on whom what a validation takes is timed."""
_CALENDAR_USERS = 1000
"""Users who show the days off before each window, at most."""
MOST_VALIDATED = 200
"""Users that a validation scores, at most: it is repeated."""


@dataclass
class BertMoeData:
    """What is learnt from.

    Attributes:
        rows: the columns of all cities.
        windows: of the training users.
        names: of the cities.
        first_days: of the validation, in each city.
        asked: validation users.
        weighed: users, trained on or not, whose last days the blend is learnt on.
        visited: cells of the training users, ascending.
        cities: calendar of each city before its validation days; in the main process alone, which
            validates.
        about: what ``run.json`` says of each city; in the main process alone.
        notes: what ``run.json`` says of the start of the weights.
    """

    rows: BertMoeColumns
    windows: TrainingWindows
    names: list[str]
    first_days: list[int]
    asked: list[ValidationUser]
    weighed: list[ValidationUser]
    visited: Int64s
    cities: list[CityProfile] = field(default_factory=list)
    about: list[dict[str, Any]] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BertMoeRecipe(TorchRecipe[BertMoeData]):
    """How a bert-moe is trained on cities, each a grid trajectory.

    Attributes:
        settings: of the network and its training.
        paths: files of the cities.
        cities: names of the cities, one a file; None for the files' names.
        most_users: users of each city, at most; None for all.
        last_day: last day to learn from; None for the last of the file less ``hold_out``.
        hold_out: last days of the file, masked ones included, that are never seen.
        init_from: model dir that the weights start from.
        calendar: days off; None to infer them.
        first_weekday: of day 0; 0 is Sunday.
        on_error: stop at the first bad row, or drop bad rows.
    """

    settings: BertMoeSettings
    paths: list[str]
    cities: tuple[str, ...] | None = None
    most_users: int | None = None
    last_day: int | None = None
    hold_out: int = 15
    init_from: str | None = None
    calendar: pl.DataFrame | None = None
    first_weekday: int = 0
    on_error: OnError = "fail"

    type = TYPE
    from_zero = True
    ragged = True

    @property
    def schedule(self) -> str:
        """A line."""
        return "linear"

    @contextmanager
    def prepare(self) -> Iterator[BertMoeData]:
        """Read the cities, and split the users.

        Raises:
            HumobError: there is no window to learn from.
        """
        names = city_names(self.paths, self.cities, distinct=False)
        with BertMoeColumns() as rows:
            cities, about, first_days = [], [], []
            for path, name in zip(self.paths, names, strict=True):
                city, record = self._add_city(path, rows)
                cities.append(city)
                about.append({"city": name, **record})
                first_days.append(record["last_day"] - self.settings.validation_days + 1)
            rows.close_columns()
            found = self._split(rows, names, first_days)
            if not len(found.windows):
                raise HumobError(
                    f"{', '.join(self.paths)}: found no training window, expected users with known "
                    "days before and after another day, not counting --validation-days"
                )
            found.cities, found.about = cities, about
            yield found

    def identify(self, data: BertMoeData) -> dict[str, Any]:
        """The cities, and where the weights start from."""
        return {"cities": data.about, "init_from": self.init_from}

    def publish(self, data: BertMoeData, work: Path) -> dict[str, Any]:
        """Copy the columns; names and days of the cities."""
        data.rows.publish(work / _ROWS)
        return {"cities": data.names, "first_days": data.first_days}

    @contextmanager
    def receive(self, work: Path, group: Group) -> Iterator[BertMoeData]:
        """The columns that the main process copied."""
        sent = group.receive()
        group.require_path(work / _ROWS)
        with BertMoeColumns() as rows:
            rows.open_published(work / _ROWS, cities=len(sent["cities"]))
            yield self._split(rows, sent["cities"], sent["first_days"])

    def _split(self, rows: BertMoeColumns, names: list[str], first_days: list[int]) -> BertMoeData:
        """Who is trained on, and on what, and who is asked."""
        settings = self.settings
        validated = _validation_users(rows, settings)
        ends = rows_before(rows, first_days) if validated.any() else rows.starts[1:]
        windows = TrainingWindows(rows, build_index(rows, ~validated, settings, ends), settings)
        asked = ask(rows, np.flatnonzero(validated)[:MOST_VALIDATED], first_days)
        visited = _visited_cells(rows, ends, ~validated)
        everyone = shuffle_users(np.arange(len(rows.uid), dtype=np.uint32), settings.seed + 2)
        some = everyone[: settings.blend_users * bool(validated.any())].astype(np.int64)
        weighed = ask(rows, some, first_days)
        return BertMoeData(rows, windows, names, first_days, asked, weighed, visited)

    def _add_city(self, path: str, rows: BertMoeColumns) -> tuple[CityProfile, dict[str, Any]]:
        """Read a city into the columns; its calendar, and what to say of it."""
        with open_city(
            path, self.last_day, hold_out=self.hold_out, on_error=self.on_error
        ) as table:
            name, last_day = table.name, table.last_day
            table.tell_held_out()
            everyone = unique_users(table.groups())
            if not len(everyone):
                raise HumobError(f"{name}: found no known cell up to day {last_day}, expected some")
            drawn = shuffle_users(everyone, self.settings.seed)[: self.most_users]
            known_by: Any = {"first_weekday": self.first_weekday, "calendar": self.calendar}
            first = last_day + 1 - self.settings.validation_days
            city = past_cities(table.groups(), [first], table.days, **known_by)[first]
            some = np.sort(drawn[:_CALENDAR_USERS])
            off = past_days_off(table.groups(some), table.days, **known_by)
            rows.days.append(CityDays(city.weekday, off))
            before, sketch = rows.rows, RecordSketch()
            for known in sketch.watch(table.groups(np.sort(drawn))):
                rows.add(known)
        counts = {"users": len(drawn), "of_users": len(everyone), "last_day": last_day}
        counts["rows"] = rows.rows - before
        return city, {**table.about, **counts, "sketch": sketch.text()}

    def plan(self, data: BertMoeData, processes: int) -> TrainingPlan:
        """Passes over the windows, or a number of steps."""
        settings = self.settings
        return plan_epochs(
            settings,
            math.ceil(len(data.windows) / (settings.batch_size * processes)),
            settings.accumulate,
            unit="windows",
            batch=settings.batch_size * settings.accumulate * processes,
            best="eval_geobleu",
            maximize=True,
        )

    def network(self, data: BertMoeData, device: torch.device) -> BertMoe:
        """The network; ``data`` takes note of where its weights start from."""
        settings = self.settings
        if data.visited[-1] >= settings.location_ids:
            raise HumobError(
                f"--location-ids: found {settings.location_ids}, expected more than "
                f"{data.visited[-1]}, the number of the last cell that is visited"
            )
        config = BertMoeConfig(settings=asdict(settings), cities=data.names)
        config.use_cache = False
        network = BertMoe(config)
        if self.init_from is not None:
            started = start_from(network, load_network(self.init_from))
            data.notes = {"init_from": self.init_from, **started}
            report.info(f"weights start from {self.init_from}: {started['kept']} tensors kept")
            if started["new"]:
                report.warn(
                    f"initialised anew, because their shapes differ: {', '.join(started['new'])}"
                )
        network.restrict(torch.from_numpy(data.visited))
        on_device: BertMoe = network.to(device)
        return on_device

    def optimizer(self, network: Any) -> torch.optim.Optimizer:
        """AdamW, with a learning rate of its own for the location embedding."""
        settings, table = self.settings, network.embeddings.location.weight
        groups = decay_groups(network, settings.weight_decay)
        if settings.location_learning_rate is not None:
            groups[0]["params"] = [one for one in groups[0]["params"] if one is not table]
            own = {"lr": settings.location_learning_rate, "weight_decay": settings.weight_decay}
            groups.append({"params": [table], **own})
        return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)

    def batches(self, data: BertMoeData, share: Share, device: torch.device) -> Batches:
        """Windows alike in length, in an order that follows from the seed and the epoch."""
        settings, windows = self.settings, data.windows
        whole = settings.batch_size * share.size
        in_step = whole * settings.accumulate
        in_epoch = math.ceil(len(windows) / in_step)
        lengths = windows.past_lengths()

        def draw(step: int) -> list[dict[str, Any]]:
            epoch, number = divmod(step, in_epoch)
            if number == 0:
                # What a data loader of torch draws here; dropout draws what comes after it.
                torch.empty((), dtype=torch.int64).random_()
            windows.set_epoch(epoch)
            order = order_windows(lengths, in_step, settings.seed, epoch)
            chosen = order[number * in_step : (number + 1) * in_step]
            if share.size > 1:  # all processes take part in all batches
                chosen = np.append(chosen, np.resize(order, -len(chosen) % whole))
            labels = torch.tensor(windows.index.length[chosen].sum(), device=device)
            return [
                {
                    **{k: v.to(device) for k, v in windows.batch(chosen[begin:end]).items()},
                    "num_items_in_batch": labels,
                }
                for begin, end in _cut_batches(len(chosen), settings.batch_size, share)
            ]

        return draw

    def losses(self, network: BertMoe, batch: Any, group: Group) -> dict[str, Tensor]:
        """This process's addend of the mean over a step's labels."""
        return {"loss": network(**batch).loss}

    def validate(
        self, network: BertMoe, data: BertMoeData, device: torch.device
    ) -> dict[str, float]:
        """GEO-BLEU, DTW, accuracy and loss of the validation users."""
        if not data.asked:
            return {}
        found = validate(network, data.cities, data.asked, str(device), self.settings.precision)
        return {f"eval_{name}": value for name, value in found.items()}

    def rehearse(self, network: BertMoe, data: BertMoeData, device: torch.device) -> Costs:
        """Validation and blend, by those of a few users."""
        if not data.asked:
            return Costs()
        where = (str(device), self.settings.precision)
        few, some = data.asked[:_REHEARSED], data.weighed[:_REHEARSED]
        started = time.monotonic()
        validate(network, data.cities, few, *where)
        validation = (time.monotonic() - started) / len(few) * len(data.asked)
        seconds, kept = time_blend(network, data.cities, some, *where) if some else (0.0, 0)
        ranker = len(data.asked) >= LEAST_SCORED
        return Costs(
            validation,
            seconds * len(data.weighed) + ranker * COMPARED_SECONDS,
            kept * len(data.weighed) + ranker * COMPARED_BYTES,
        )

    def describe_scores(self, record: Mapping[str, Any]) -> str:
        """Scores of the validation users."""
        if "eval_geobleu" not in record:
            return ""
        return (
            f"validation loss {record['eval_loss']:.3f}, GEO-BLEU {record['eval_geobleu']:.4f}, "
            f"DTW {record['eval_dtw']:.2f} km"
        )

    def heaviest_step(self, data: BertMoeData, plan: TrainingPlan) -> int:
        """The one of the longest windows."""
        lengths = data.windows.past_lengths()
        order = order_windows(lengths, plan.batch, self.settings.seed, 0)
        return min(int(lengths[order].argmax()) // plan.batch, plan.steps - 1)

    def describe(self, data: BertMoeData, training: TorchTraining) -> str:
        """Parameters, windows, and the longest batch's shapes."""
        network = cast("BertMoe", training.network)
        plan, windows = self.plan(data, world_size()), data.windows
        longest = windows.past_lengths().argsort()[::-1][: self.settings.batch_size]
        batch = windows.batch(longest)
        shapes = ", ".join(f"{name} {tuple(values.shape)}" for name, values in batch.items())
        parameters = sum(one.numel() for one in network.parameters())
        lines = (
            f"parameters: {parameters:,}; softmax over {len(network.cells()):,} visited cells",
            f"windows: {len(windows):,}; {math.ceil(len(windows) / plan.batch):,} steps an epoch, "
            f"{plan.steps:,} in all, of {plan.batch} windows",
            f"batch: {shapes}",
        )
        return "\n".join(lines)

    def finish(self, training: TorchTraining, data: BertMoeData, log: TrainingLog) -> TrainedModel:
        """The network, with the weight of the history baseline in its config."""
        network: BertMoe = training.kept
        device = training.device
        scores = log.scores_kept("eval_")
        if data.asked and data.weighed:
            network.config.blend = learn_blend(
                network, data.cities, data.weighed, str(device), self.settings.precision, log.memo
            )
            report.info(blend_in_words(network.config.blend))
        gained = self._compare(network, data, str(device))
        return TrainedModel(
            notes={
                "cities": data.about,
                "windows": len(data.windows),
                "device": str(device),
                **data.notes,
            },
            scores={"training_loss": log.last_loss, **scores, **gained},
            write=network.save_pretrained,
        )

    def _compare(self, network: BertMoe, data: BertMoeData, device: str) -> dict[str, Any]:
        """The model as it will be used beside the baselines; nothing without validation users.

        A ranker is trained for users enough to decide.
        """
        if not data.asked:
            return {}
        users = [ScoredUser(data.cities[one.city - 1], one.user, one.truth) for one in data.asked]
        mine = predict_blended(network, data.cities, data.asked, device, self.settings.precision)
        cells = {TYPE: mine, "history": predict_history(users)}
        if len(users) >= LEAST_SCORED:
            with suppress(HumobError):  # too few days for its windows
                ranker = replace(COMPARED, seed=self.settings.seed)
                cells["ranker"] = predict_by_ranker(_ranker_cities(data), users, ranker)
        return say_gained(TYPE, users, cells)


def _ranker_cities(data: BertMoeData) -> list[RankerCity]:
    """What a ranker may learn from: rows of all users before the days that validate."""
    rows, ends = data.rows, rows_before(data.rows, data.first_days)
    found = []
    for number, (city, first_day) in enumerate(zip(data.cities, data.first_days, strict=True), 1):
        users = []
        for user in np.flatnonzero(rows.city == number).tolist():
            here = slice(int(rows.starts[user]), int(ends[user]))
            cells = decode_cells(rows.cell[here])
            d, t, x, y = (
                column.astype(np.int64)
                for column in (rows.d[here], rows.t[here], cells[:, 0], cells[:, 1])
            )
            users.append(RankerUser(int(rows.uid[user]), d, t, x, y))
        days, begins = rows.days[number - 1], first_days(first_day - 1, COMPARED)
        before = {begin: _city_before(city, days, begin) for begin in begins}
        found.append(RankerCity(users, first_day - 1, before))
    return found


def _city_before(city: CityProfile, days: CityDays, day: int) -> CityProfile:
    """The city with the calendar that the days before a day show."""
    off = days.off[day]
    return replace(city, off=off, holiday=off & (days.dow != 0) & (days.dow != 6))


def _cut_batches(count: int, size: int, share: Share) -> list[tuple[int, int]]:
    """Begin and end of this process's batches of a step, in turn with the other processes'."""
    begins = range(share.rank * size, count, share.size * size)
    return [(begin, min(begin + size, count)) for begin in begins]


def _validation_users(rows: BertMoeColumns, settings: BertMoeSettings) -> Bools:
    """The share of each city's users that validates: whole users, before windows are cut."""
    chosen = np.zeros(len(rows.uid), np.bool_)
    for city in np.unique(rows.city):
        here = np.flatnonzero(rows.city == city)
        count = round(settings.validation_fraction * len(here))
        drawn = shuffle_users(rows.uid[here].astype(np.uint32), settings.seed + 1)[:count]
        chosen[here] = np.isin(rows.uid[here], drawn)
    return chosen


def _visited_cells(rows: BertMoeColumns, ends: Int64s, users: Bools) -> Int64s:
    """Cells of some users' rows before ``ends``, ascending."""
    seen = np.zeros(1 << 16, np.bool_)
    for number in np.flatnonzero(users).tolist():
        seen[rows.cell[rows.starts[number] : ends[number]]] = True
    return np.flatnonzero(seen)

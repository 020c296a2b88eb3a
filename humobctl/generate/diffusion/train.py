"""Training of diffusion: what is read, what a step draws, its loss, what is kept."""

from __future__ import annotations

import functools
import hashlib
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.data.importers.stays import StayTable, read_stays
from humobctl.data.split import shuffle_users
from humobctl.errors import HumobError
from humobctl.generate.diffusion.config import STEPS, TYPE, UNCONDITIONED, DiffusionSettings
from humobctl.generate.diffusion.data import (
    Known,
    Scale,
    Series,
    channel_count,
    class_count,
    frequent_categories,
    known_days,
    series_of,
)
from humobctl.generate.diffusion.faults import find_faults, warn_of_faults
from humobctl.generate.diffusion.gained import say_gained
from humobctl.generate.diffusion.law import fit_law
from humobctl.generate.diffusion.memorisation import in_words, nearness
from humobctl.generate.diffusion.model import Conditioning, Denoiser, build
from humobctl.generate.diffusion.process import Process, sampling_of
from humobctl.generate.diffusion.validation import EVALUATIONS, Validation
from humobctl.io.row_errors import OnError
from humobctl.io.streams import clear_os_errors
from humobctl.native import Bools
from humobctl.ranks import world_size
from humobctl.tables.stays import UNKNOWN_INTENT
from humobctl.training.distributed import Group, Share
from humobctl.training.recipe import LOG_EVERY, Costs, TrainedModel, TrainingLog, TrainingPlan
from humobctl.training.torch_loop import SEED_STRIDE, Batches, TorchRecipe, TorchTraining

_DAYS = "days.safetensors"
"""File in the folder of a training, where other processes find the days."""
_REHEARSED = 2
"""Evaluations by which what a validation takes is timed."""
DaysBatch = tuple[Tensor, Conditioning | None, torch.Generator]
"""Days (B, C, 144) of all processes, their condition, and what noise is drawn from."""


@dataclass(frozen=True)
class DiffusionSource:
    """What the main process knows of the days beside their series.

    Attributes:
        scale: of the training days.
        known: the training days.
        validation: the days of people who are not trained on; None without any.
        about: what ``run.json`` says of them.
    """

    scale: Scale
    known: Known
    validation: Validation | None
    about: dict[str, Any]


@dataclass(frozen=True)
class DiffusionData:
    """What is learnt from.

    Attributes:
        condition: none, intent, category or home-work.
        categories: that the model tells apart, with that condition.
        series: the training days as a network takes them.
        source: what else is known of them; in the main process alone.
    """

    condition: str
    categories: tuple[str, ...]
    series: Series
    source: DiffusionSource | None = None

    @property
    def classes(self) -> int:
        """Classes of the condition."""
        return class_count(self.condition, self.categories)


@dataclass(frozen=True)
class DiffusionRecipe(TorchRecipe[DiffusionData]):
    """How a model of days is trained on a table of stays.

    Attributes:
        settings: of the network and its training.
        path: file of the table.
        name: of the experiment, for the record.
        on_error: stop at the first bad row, or drop bad rows.
    """

    settings: DiffusionSettings
    path: str
    name: str | None = None
    on_error: OnError = "fail"

    type = TYPE

    @functools.cached_property
    def process(self) -> Process:
        """Noise, and what the network learns of it."""
        return Process(self.settings)

    @property
    def ema(self) -> float:
        """Decay of the moving average."""
        return self.settings.ema

    @contextmanager
    def prepare(self) -> Iterator[DiffusionData]:
        """Read the table, leave out what is not a day, and split the people.

        Raises:
            HumobError: the table lacks what the condition needs, or has too few days.
        """
        yield read_days(self.path, self.settings, self.on_error)

    def identify(self, data: DiffusionData) -> dict[str, Any]:
        """The table."""
        assert data.source is not None
        return {"data": data.source.about}

    def publish(self, data: DiffusionData, work: Path) -> dict[str, Any]:
        """Write the days; their condition."""
        with clear_os_errors(str(work)):
            data.series.publish(work / _DAYS)
        return {"condition": data.condition, "categories": data.categories}

    @contextmanager
    def receive(self, work: Path, group: Group) -> Iterator[DiffusionData]:
        """The days that the main process wrote."""
        sent, days = group.receive(), work / _DAYS
        group.require_path(days)
        with clear_os_errors(str(days)):
            series = Series.open(days)
        yield DiffusionData(sent["condition"], tuple(sent["categories"]), series)

    def plan(self, data: DiffusionData, processes: int) -> TrainingPlan:
        """A number of steps, or of passes over the days."""
        settings = self.settings
        batch = settings.batch_size * processes
        steps = settings.steps
        if settings.epochs:
            steps = max(1, math.ceil(settings.epochs * len(data.series) / batch))
        return TrainingPlan(
            steps=steps,
            evaluate_every=settings.evaluate_every or max(1, steps // 10),
            unit="days",
            batch=batch,
            log_every=LOG_EVERY,
        )

    def network(self, data: DiffusionData, device: torch.device) -> Denoiser:
        """The denoiser."""
        return build(self.settings, channel_count(data.condition), data.classes).to(device)

    def optimizer(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        """AdamW."""
        return torch.optim.AdamW(
            network.parameters(),
            lr=self.settings.learning_rate,
            weight_decay=self.settings.weight_decay,
            fused=True,  # a sixth of a small network's step
        )

    def batches(self, data: DiffusionData, share: Share, device: torch.device) -> Batches:
        """Days drawn with replacement, by seed and step alone: the same in all processes."""
        series, settings = data.series, self.settings
        channels = torch.from_numpy(series.channels).to(device)
        told: Conditioning | None = None
        if series.token is not None:
            token, event = (torch.from_numpy(a).to(device) for a in (series.token, series.event))
            told = Conditioning(token, event)

        def draw(step: int) -> list[DaysBatch]:
            source = torch.Generator().manual_seed(settings.seed * SEED_STRIDE + step)
            size = (settings.batch_size * share.size,)
            rows = torch.randint(0, len(channels), size, generator=source).to(device)
            if told is None:
                return [(channels[rows], None, source)]
            mine = told[rows]
            return [(channels[rows], Conditioning(mine.token.long(), mine.event.long()), source)]

        return draw

    def losses(self, network: Denoiser, batch: DaysBatch, group: Group) -> dict[str, Tensor]:
        """This process's addend of the error."""
        x, told, source = batch
        return {"loss": self.process.loss(network, x, told, source, group.share).double()}

    def validate(
        self, network: Denoiser, data: DiffusionData, device: torch.device
    ) -> dict[str, float]:
        """Divergences of sampled days from those of people who are not trained on."""
        validation = data.source and data.source.validation
        return validation.scores(network, self.process) if validation else {}

    def rehearse(self, network: Denoiser, data: DiffusionData, device: torch.device) -> Costs:
        """A validation, and the days sampled last, by the fewest evaluations of the network."""
        validation = data.source and data.source.validation
        if not validation:
            return Costs()
        started = time.monotonic()
        sampled = validation.sample(network, self.process, _REHEARSED)
        one = (time.monotonic() - started) / _REHEARSED
        last = sampling_of(self.settings, None, None).evaluations
        started = time.monotonic()
        assert data.source is not None
        nearness(*sampled, data.source.known)
        find_faults(*sampled, data.source.known)
        with report.quiet():
            fit_law(data.source.known, data.source.scale.plane)
        return Costs(one * EVALUATIONS, one * last + time.monotonic() - started)

    def describe_scores(self, record: Mapping[str, Any]) -> str:
        """The divergences."""
        scored = ", ".join(
            f"{name.replace('_', ' ')} {value:.4f}"
            for name, value in record.items()
            if name not in ("step", "loss", "learning_rate")
        )
        return f"JSD of people not trained on: {scored}" if scored else ""

    def describe(self, data: DiffusionData, training: TorchTraining) -> str:
        """Days, channels, parameters, steps."""
        settings, channels = self.settings, channel_count(data.condition)
        parameters = sum(one.numel() for one in training.network.parameters())
        plan = self.plan(data, world_size())
        lines = (
            f"denoiser: {settings.denoiser}, {parameters:,} parameters, {settings.objective}",
            f"condition: {data.condition}, {data.classes} classes",
            f"a batch: {plan.batch} days, {channels} channels, {STEPS} steps",
            f"training: {plan.steps:,} steps",
        )
        return "\n".join(lines)

    def finish(
        self, training: TorchTraining, data: DiffusionData, log: TrainingLog
    ) -> TrainedModel:
        """The network of averaged weights, and how near its days come to those it learnt from."""
        network, source = training.kept, data.source
        assert source is not None
        near = faults = None
        gained: dict[str, Any] = {}
        if source.validation is not None:
            with report.progress("sampling days to look at", 1, "rounds") as ticker:
                ticker.beat()
                sampled = source.validation.sample(network, self.process)
            near = nearness(*sampled, source.known)
            report.info(in_words(near))
            faults = find_faults(*sampled, source.known)
            warn_of_faults(faults)
            asked = source.validation.asked
            gained = say_gained(*sampled, asked, source.known, self.settings.seed)
        law = fit_law(source.known, source.scale.plane, self.settings.seed)
        left_out = ("step", "learning_rate")
        return TrainedModel(
            notes={
                "name": self.name,
                "data": source.about,
                "device": str(training.device),
                "privacy": near,
                "faults": faults,
            },
            scores={
                **{k: v for k, v in log.records[-1].items() if k not in left_out},
                **gained,
            },
            config={
                "settings": asdict(self.settings),
                "condition": data.condition,
                "categories": list(data.categories),
                "scale": asdict(source.scale),
                "visits_a_day": source.known.visits_a_day(),
                "law": None if law is None else law.record(),
            },
            arrays={name: one.cpu().numpy() for name, one in network.state_dict().items()},
        )


def read_days(path: str, settings: DiffusionSettings, on_error: OnError = "fail") -> DiffusionData:
    """Read a table of stays, leave out what is not a day, and split the people."""
    table = read_stays(path, on_error=on_error, categories=True)
    plane = table.plane()
    if plane is None:
        raise HumobError(
            f"{table.name}: found cells, expected points; 'humobctl data import "
            "--cells-to-points' puts them at their centres"
        )
    condition = _condition(table, settings)
    frame = _long_days(table, settings.min_stays)
    categories = frequent_categories(frame["category"]) if condition == "category" else ()
    known = known_days(frame, plane, categories)
    held = _hold_out(known, settings)
    training = known.take(~held)
    scale = Scale.of(training, plane)
    series = series_of(training, condition, scale)
    validation = Validation(known.take(held), condition, scale) if held.any() else None
    about: dict[str, Any] = {
        "file": Path(table.name).name,
        "fingerprint": _fingerprint(table.frame),
        "people": len(np.unique(training.person)),
        "days": len(series),
        "days_left_out": table.frame.select("uid", "d").n_unique() - len(known.layout),
        "validation_days": int(held.sum()),
        "stays_shorter_than_a_step": series.shorter,
    }
    report.info(
        f"{table.name}: {pluralize(about['days'], 'day')} of {about['people']:,} people to learn "
        f"from, condition {condition}; {about['validation_days']:,} days of others to score against"
    )
    if series.shorter:
        report.info(
            f"{pluralize(series.shorter, 'stay')} of the training days are lost: they "
            "are shorter than a step of 10 minutes"
        )
    _tell_of_categories(frame, categories)
    source = DiffusionSource(scale=scale, known=training, validation=validation, about=about)
    return DiffusionData(condition, categories, series, source)


def _tell_of_categories(frame: pl.DataFrame, categories: tuple[str, ...]) -> None:
    if not categories:
        return
    rare = frame["category"].n_unique() - frame["category"].has_nulls() - len(categories)
    without = frame["category"].null_count()
    report.info(
        f"categories: {len(categories)} distinguished"
        + (f", {rare:,} too rare" if rare else "")
        + (f"; {pluralize(without, 'stay')} without one" if without else "")
    )


def _condition(table: StayTable, settings: DiffusionSettings) -> str:
    """The condition of a model, where it is to be found out."""
    known = (table.frame["intent"] != UNKNOWN_INTENT).any()
    categorised = table.frame["category"].null_count() < table.frame.height
    if settings.condition == "intent" and not known:
        raise HumobError(
            f"{table.name}: found no intent, expected the column intent for --condition intent; "
            "--condition home-work or none does without"
        )
    if settings.condition == "category" and not categorised:
        raise HumobError(
            f"{table.name}: found no category, expected the column category for --condition "
            "category; --condition home-work or none does without"
        )
    if settings.condition != "auto":
        return settings.condition
    if settings.denoiser == UNCONDITIONED:
        return "none"
    if known:
        return "intent"
    return "category" if categorised else "home-work"


def _long_days(table: StayTable, least: int) -> pl.DataFrame:
    """Stays of days that have enough of them."""
    kept = table.frame.filter(pl.len().over("uid", "d") >= least)
    days, left = (frame.select("uid", "d").n_unique() for frame in (table.frame, kept))
    if left < days:
        report.info(
            f"{table.name}: {days - left:,} of {pluralize(days, 'day')} left out, with fewer than "
            f"{pluralize(least, 'stay')} (--min-stays)"
        )
    if left < 2:
        raise HumobError(
            f"{table.name}: found {pluralize(left, 'day')} of {pluralize(least, 'stay')} or more, "
            "expected at least 2"
        )
    return kept


def _hold_out(known: Known, settings: DiffusionSettings) -> Bools:
    """Days of the people that are not trained on, (days,)."""
    people = np.unique(known.person).astype(np.uint32)
    count = round(settings.validation_fraction * len(people))
    return np.isin(known.person, shuffle_users(people, settings.seed)[:count])


def _fingerprint(frame: pl.DataFrame) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for column in frame.with_columns(pl.col("category").hash()).get_columns():
        digest.update(np.ascontiguousarray(column.to_numpy()).tobytes())
    return f"blake2b:{digest.hexdigest()}:{frame.height}"

"""From a table of stays to a trained model."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from humobctl.console import report
from humobctl.console.words import counted
from humobctl.data.importers.stays import StayTable, read_stays
from humobctl.data.split import shuffled
from humobctl.errors import HumobError
from humobctl.generate.diffusion import train_loop
from humobctl.generate.diffusion.config import STEPS, UNCONDITIONED, Settings
from humobctl.generate.diffusion.data import (
    Bools,
    Known,
    Scale,
    Series,
    channel_count,
    class_count,
    frequent_categories,
    known_days,
    series_of,
)
from humobctl.generate.diffusion.memorisation import in_words, nearness
from humobctl.generate.diffusion.model import Denoiser, build
from humobctl.generate.diffusion.process import Process
from humobctl.generate.diffusion.validation import Validation
from humobctl.io.row_errors import OnError
from humobctl.io.streams import clear_os_errors
from humobctl.ranks import world_size
from humobctl.tables.stays import UNKNOWN_INTENT
from humobctl.training.device import check_precision, set_up, torch_device
from humobctl.training.distributed import Group, together
from humobctl.training.model_dir import (
    Checkpoint,
    build_checked,
    check_target,
    clear_damage,
    load,
    save,
)
from humobctl.training.settings import from_record
from humobctl.training.torch_loop import STATE
from humobctl.training.training_dir import folder_of, workplace

TYPE = "diffusion"
_DAYS = "days.safetensors"
"""File in the folder of a training, where other processes find the days."""


@dataclass(frozen=True)
class Job:
    """One training run.

    Attributes:
        settings: of the network and its training.
        output: model dir to write.
        name: of the experiment, for the record.
        resume: go on with a training that was cut short.
        overwrite: replace a model dir of that name.
        device: cpu, cuda, or auto.
        on_error: stop at the first bad row, or drop bad rows.
    """

    settings: Settings
    output: str
    name: str | None = None
    resume: bool = False
    overwrite: bool = False
    device: str = "auto"
    on_error: OnError = "fail"


@dataclass(frozen=True)
class Material:
    """What is learnt from.

    Attributes:
        condition: none, intent, category or home-work.
        categories: that the model tells apart, with that condition.
        scale: of the training days.
        known: the training days.
        series: the same as a network takes them.
        validation: the days of people who are not trained on; None without any.
        about: what ``run.json`` says of them.
    """

    condition: str
    categories: tuple[str, ...]
    scale: Scale
    known: Known
    series: Series
    validation: Validation | None
    about: dict[str, Any]

    @property
    def classes(self) -> int:
        """Classes of the condition."""
        return class_count(self.condition, self.categories)


def train(path: str, job: Job) -> dict[str, Any]:
    """Train on a table of stays, and write the model dir.

    Returns:
        The record ``run.json`` holds; an empty one in all processes but the main one.

    Raises:
        HumobError: the file cannot be read, lacks what the condition needs or has too few days, the
            output cannot be written, or the loss became no number.
        UsageError: there is no such device.
    """
    settings = job.settings
    device = torch_device(job.device)
    with together(device) as group:
        if group.main:
            check_target(job.output, overwrite=job.overwrite)
        set_up(settings.seed)
        check_precision(settings.precision, device)
        if group.main:
            return _lead(path, job, group, device)
        _follow(job, group, device)
        return {}


def _lead(path: str, job: Job, group: Group, device: torch.device) -> dict[str, Any]:
    """The training in the main process: it reads, validates and writes."""
    settings = job.settings
    material = read_material(path, settings, job.on_error)
    process = Process(settings)
    network = build(settings, channel_count(material.condition), material.classes).to(device)
    validation = material.validation
    work = folder_of(job.output)
    about = {"settings": asdict(settings), "data": material.about}
    flags = {"resume": job.resume, "overwrite": job.overwrite}
    with workplace(work, about, **flags, unfinished=(work / STATE).is_file()):
        if group.size > 1:
            with clear_os_errors(str(work)):
                material.series.publish(work / _DAYS)
            group.tell({"condition": material.condition, "classes": material.classes})
        averaged, metrics = train_loop.train(
            network,
            process,
            material.series,
            work,
            None if validation is None else lambda net: validation.scores(net, process),
            group,
        )
        near = None
        if validation is not None:
            near = nearness(*validation.sampled(averaged, process), material.known)
            report.info(in_words(near))
        return _finish(averaged, job, material, metrics, str(device), near)


def _follow(job: Job, group: Group, device: torch.device) -> None:
    """The training in another process: it takes its share of the steps."""
    told = group.hear()
    work = folder_of(job.output)
    days = work / _DAYS
    group.see(days)
    with clear_os_errors(str(days)):
        series = Series.published(days)
    network = build(job.settings, channel_count(told["condition"]), told["classes"]).to(device)
    train_loop.train(network, Process(job.settings), series, work, None, group)


def dry_run(path: str, job: Job) -> str:
    """What a training would be: days, channels, parameters, steps."""
    check_target(job.output, overwrite=True)
    settings = job.settings
    set_up(settings.seed)
    material = read_material(path, settings, job.on_error)
    channels, classes = channel_count(material.condition), material.classes
    network = build(settings, channels, classes)
    parameters = sum(one.numel() for one in network.parameters())
    return "\n".join(
        (
            f"denoiser: {settings.denoiser}, {parameters:,} parameters, {settings.objective}",
            f"condition: {material.condition}, {classes} classes",
            f"a batch: {settings.batch_size * world_size()} days, {channels} channels, "
            f"{STEPS} steps",
            f"training: {train_loop.steps_of(settings, len(material.series), world_size()):,} "
            "steps",
        )
    )


def read_material(path: str, settings: Settings, on_error: OnError = "fail") -> Material:
    """Read a table of stays, leave out what is no day, and split the people."""
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
    held = _held_out(known, settings)
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
        f"{table.name}: {counted(about['days'], 'day')} of {about['people']:,} people to learn "
        f"from, condition {condition}; {about['validation_days']:,} days of others to score against"
    )
    if series.shorter:
        report.info(
            f"{counted(series.shorter, 'stay')} of the training days cannot be seen, being shorter "
            "than a step of 10 minutes"
        )
    _tell_of_categories(frame, categories)
    return Material(condition, categories, scale, training, series, validation, about)


def _tell_of_categories(frame: pl.DataFrame, categories: tuple[str, ...]) -> None:
    if not categories:
        return
    rare = frame["category"].n_unique() - frame["category"].has_nulls() - len(categories)
    without = frame["category"].null_count()
    report.info(
        f"categories: {len(categories)} told apart"
        + (f", {rare:,} rarer ones not" if rare else "")
        + (f"; {counted(without, 'stay')} without one" if without else "")
    )


def _condition(table: StayTable, settings: Settings) -> str:
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
            f"{table.name}: {days - left:,} of {counted(days, 'day')} left out, with fewer than "
            f"{counted(least, 'stay')} (--min-stays)"
        )
    if left < 2:
        raise HumobError(
            f"{table.name}: found {counted(left, 'day')} of {counted(least, 'stay')} or more, "
            "expected at least 2"
        )
    return kept


def _held_out(known: Known, settings: Settings) -> Bools:
    """Days of the people that are not trained on, (days,)."""
    people = np.unique(known.person).astype(np.uint32)
    count = round(settings.validation_share * len(people))
    return np.isin(known.person, shuffled(people, settings.seed)[:count])


def _fingerprint(frame: pl.DataFrame) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for column in frame.with_columns(pl.col("category").hash()).get_columns():
        digest.update(np.ascontiguousarray(column.to_numpy()).tobytes())
    return f"blake2b:{digest.hexdigest()}:{frame.height}"


def _finish(
    network: Denoiser,
    job: Job,
    material: Material,
    metrics: list[dict[str, Any]],
    device: str,
    near: dict[str, float] | None,
) -> dict[str, Any]:
    last = metrics[-1]
    run = {
        "name": job.name,
        "seed": job.settings.seed,
        "data": material.about,
        "steps": last["step"],
        "processes": world_size(),
        "device": device,
        "settings": asdict(job.settings),
        "scores": {
            name: value for name, value in last.items() if name not in ("step", "learning_rate")
        },
        "privacy": near,
    }
    config = {
        "settings": asdict(job.settings),
        "condition": material.condition,
        "categories": list(material.categories),
        "scale": material.scale.as_record(),
    }
    arrays = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
    save(Checkpoint(TYPE, config, arrays, run, metrics), job.output, overwrite=job.overwrite)
    return run


@dataclass(frozen=True)
class Trained:
    """A trained model, ready to draw from.

    Attributes:
        name: its folder.
        settings: of its training.
        condition: none, intent, category or home-work.
        categories: that it tells apart, with that condition.
        scale: of its days.
        network: on its device.
        device: as it was asked for.
    """

    name: str
    settings: Settings
    condition: str
    categories: tuple[str, ...]
    scale: Scale
    network: Denoiser
    device: str = "auto"

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        """Another process loads it from its folder."""
        return load_trained, (self.name, self.device)


def load_trained(folder: str, device: str = "auto") -> Trained:
    """Load a model.

    Raises:
        HumobError: there is no whole model of this type.
        UsageError: there is no such device.
    """
    found = load(folder, type=TYPE)
    with clear_damage(folder):
        settings = from_record(Settings, found.config["settings"])
        condition = found.config["condition"]
        record = found.config["scale"]
        scale = Scale(**{**record, "home_mean": tuple(record["home_mean"])})
        categories = tuple(found.config.get("categories", ()))
        classes = class_count(condition, categories)
        make = functools.partial(build, settings, channel_count(condition), classes)
        network = build_checked(folder, settings.layers, make)
        arrays = {name: torch.from_numpy(array) for name, array in found.arrays.items()}
        network.load_state_dict(arrays)
    network = network.to(torch_device(device)).eval()
    return Trained(folder, settings, condition, categories, scale, network, device)

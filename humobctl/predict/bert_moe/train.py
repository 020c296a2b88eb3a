"""From trajectory files to a trained bert-moe: reading, splitting users, training, saving."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from humobctl.console import report
from humobctl.data.split import shuffled
from humobctl.errors import HumobError, UsageError
from humobctl.io.by_user import UserStore, paired_groups
from humobctl.io.read import iter_table
from humobctl.io.row_errors import OnError
from humobctl.native import Int64s
from humobctl.predict.base import Bools
from humobctl.predict.bert_moe import train_loop
from humobctl.predict.bert_moe.config import Settings, as_record
from humobctl.predict.bert_moe.data import CityDays, Rows, Windows, build_index, rows_before
from humobctl.predict.bert_moe.dry_run import preview
from humobctl.predict.bert_moe.load import load_network, started_from
from humobctl.predict.bert_moe.model import BertMoe, BertMoeConfig
from humobctl.predict.bert_moe.validation import ValidationUser, ask, learn_blend, validate
from humobctl.predict.city_profile import CityCounter, CityProfile
from humobctl.ranks import world_size
from humobctl.tables.schemas import MASKED
from humobctl.training.device import check_precision, set_up, torch_device
from humobctl.training.distributed import Group, together
from humobctl.training.hf_trainer import LOGS, Place, newest_checkpoint
from humobctl.training.model_dir import Checkpoint, Fingerprint, check_target, save
from humobctl.training.training_dir import folder_of, workplace

_ROWS = "rows"
"""Folder in that of a training, where other processes find the rows."""
MOST_VALIDATED = 200
"""Users that a validation scores, at most: it is repeated."""


@dataclass(frozen=True)
class Job:
    """One training run.

    Attributes:
        settings: of the network and its training.
        output: model dir to write.
        cities: names of the cities, one a file; None for the files' names.
        most_users: users of each city, at most; None for all.
        last_day: last day to learn from; None for the last of the file less ``hold_out``.
        hold_out: last days of the file, masked ones included, that are never seen.
        init_from: model dir that the weights start from.
        resume: go on with a training that was cut short.
        overwrite: replace a model dir of that name.
        device: cpu, cuda, or auto.
        calendar: days off; None to infer them.
        first_weekday: of day 0; 0 is Sunday.
    """

    settings: Settings
    output: str
    cities: tuple[str, ...] | None = None
    most_users: int | None = None
    last_day: int | None = None
    hold_out: int = 15
    init_from: str | None = None
    resume: bool = False
    overwrite: bool = False
    device: str = "auto"
    calendar: pl.DataFrame | None = None
    first_weekday: int = 0
    on_error: OnError = "fail"


@dataclass
class Material:
    """What is learnt from.

    Attributes:
        rows: the columns of all cities.
        windows: of the training users.
        names: of the cities.
        first_days: of the validation, in each city.
        asked: validation users.
        weighed: users, trained on or not, whose last days the blend is learnt on.
        visited: cells of the training users, ascending.
        cities: each city's calendar; in the main process alone, which validates.
        about: what ``run.json`` says of each city; in the main process alone.
    """

    rows: Rows
    windows: Windows
    names: list[str]
    first_days: list[int]
    asked: list[ValidationUser]
    weighed: list[ValidationUser]
    visited: Int64s
    cities: list[CityProfile] = field(default_factory=list)
    about: list[dict[str, Any]] = field(default_factory=list)


def train(paths: list[str], job: Job) -> dict[str, Any]:
    """Train on one or several cities, each a grid trajectory, and write the model dir.

    Returns:
        The record ``run.json`` holds; an empty one in all processes but the main one.

    Raises:
        HumobError: a file cannot be read or has too little in it, the output cannot be written, or
            the loss became no number.
        UsageError: cities and files differ in number, or there is no such device.
    """
    device = torch_device(job.device)
    with together(device) as group:
        if group.main:
            check_target(job.output, overwrite=job.overwrite)
        set_up(job.settings.seed)
        check_precision(job.settings.precision, device)
        with _prepared(paths, job, group) as (material, work):
            network, notes = _network(job, material)
            place = Place(work, device.type, group)
            check = _validator(material, str(device), job.settings.precision)
            metrics = train_loop.train(network, material.windows, job.settings, place, check)
            if not group.main:
                return {}
            return _finish(network, job, material, metrics, notes, work, device)


def dry_run(paths: list[str], job: Job) -> str:
    """What a training would be: parameters, memory, and one batch's shapes.

    The memory of a step is what autograd keeps of one batch, measured, beside weights, gradients
    and the optimiser's two moments, four bytes each a parameter.
    """
    check_target(job.output, overwrite=True)
    set_up(job.settings.seed)
    with _material(paths, job) as material:
        network, _ = _network(job, material)
        return preview(network, material.windows, job.settings)


@contextmanager
def _prepared(paths: list[str], job: Job, group: Group) -> Iterator[tuple[Material, Path]]:
    """What is learnt from, which the main process reads, and the folder of the training."""
    work = folder_of(job.output)
    if not group.main:
        told = group.hear()
        group.see(work / _ROWS)
        with Rows.published(work / _ROWS, len(told["cities"])) as rows:
            yield _split(rows, job, told["cities"], told["first_days"]), work
        return
    with _material(paths, job) as material, _workplace(work, job, material):
        if group.size > 1:
            material.rows.publish(work / _ROWS)
        group.tell({"cities": material.names, "first_days": material.first_days})
        yield material, work


@contextmanager
def _material(paths: list[str], job: Job) -> Iterator[Material]:
    names = list(job.cities or (_city_name(path) for path in paths))
    if len(names) != len(paths):
        raise UsageError(f"--city: found {len(names)} names for {len(paths)} files, expected equal")
    settings = job.settings
    with Rows() as rows:
        cities, about, first_days = [], [], []
        for path, name in zip(paths, names, strict=True):
            city, record = _add_city(path, job, rows)
            cities.append(city)
            about.append({"city": name, **record})
            first_days.append(record["last_day"] - settings.validation_days + 1)
        rows.close_columns()
        found = _split(rows, job, names, first_days)
        if not len(found.windows):
            raise HumobError(
                f"{', '.join(paths)}: found no window to learn from, expected users with days both "
                "before and after another, --validation-days not counted"
            )
        found.cities, found.about = cities, about
        yield found


def _split(rows: Rows, job: Job, names: list[str], first_days: list[int]) -> Material:
    """Who is trained on, and on what, and who is asked."""
    settings = job.settings
    validated = _validation_users(rows, settings)
    ends = rows_before(rows, first_days) if validated.any() else rows.starts[1:]
    windows = Windows(rows, build_index(rows, ~validated, settings, ends), settings)
    asked = ask(rows, np.flatnonzero(validated)[:MOST_VALIDATED], first_days)
    visited = _visited(rows, ends, ~validated)
    everyone = shuffled(np.arange(len(rows.uid), dtype=np.uint32), settings.seed + 2)
    some = everyone[: settings.blend_users * bool(validated.any())].astype(np.int64)
    weighed = ask(rows, some, first_days)
    return Material(rows, windows, names, first_days, asked, weighed, visited)


def _city_name(path: str) -> str:
    return "stdin" if path == "-" else Path(path).name.split(".")[0]


def _add_city(path: str, job: Job, rows: Rows) -> tuple[CityProfile, dict[str, Any]]:
    """Read a city into the columns; its calendar, and what to say of it."""
    name = "stdin" if path == "-" else path
    mark = Fingerprint()
    with UserStore() as store:
        store.collect(mark.watch(iter_table(path, on_error=job.on_error)))
        if store.last_day is None:
            raise HumobError(f"{name}: found no row, expected some to learn from")
        last_day = job.last_day if job.last_day is not None else store.last_day - job.hold_out
        known = (pl.col("x") != MASKED) & (pl.col("d") <= last_day)
        counter = CityCounter(store.last_day + 1, job.first_weekday)
        users, held_out = [], 0
        for (group,) in paired_groups([store]):
            kept = group.filter(known)
            counter.add(kept)
            users.append(kept["uid"].unique(maintain_order=True).to_numpy())
            held_out += group.filter((pl.col("x") != MASKED) & ~known).height
        everyone = np.concatenate(users).astype(np.uint32)
        if not len(everyone):
            raise HumobError(f"{name}: found no known cell up to day {last_day}, expected some")
        city = counter.city()
        city = city if job.calendar is None else city.with_calendar(job.calendar)
        rows.days.append(CityDays(city.weekday, city.off.astype(np.int64)))
        drawn = shuffled(np.unique(everyone), job.settings.seed)[: job.most_users]
        wanted = pl.Series("uid", np.sort(drawn), dtype=pl.UInt32).to_frame()
        before = rows.rows
        for (group,) in paired_groups([store]):
            rows.add(group.filter(known).join(wanted, on="uid", how="semi", maintain_order="left"))
    if held_out:
        report.info(
            f"{name}: days after {last_day} are held out ({held_out:,} known rows are not learnt "
            "from; see --hold-out)"
        )
    return city, {
        "file": Path(name).name,
        "fingerprint": mark.text(),
        "users": len(drawn),
        "of_users": len(everyone),
        "last_day": last_day,
        "rows": rows.rows - before,
    }


def _validation_users(rows: Rows, settings: Settings) -> Bools:
    """The share of each city's users that validates: whole users, before windows are cut."""
    chosen = np.zeros(len(rows.uid), np.bool_)
    for city in np.unique(rows.city):
        here = np.flatnonzero(rows.city == city)
        count = round(settings.validation_share * len(here))
        drawn = shuffled(rows.uid[here].astype(np.uint32), settings.seed + 1)[:count]
        chosen[here] = np.isin(rows.uid[here], drawn)
    return chosen


def _visited(rows: Rows, ends: Int64s, users: Bools) -> Int64s:
    """Cells of some users' rows before ``ends``, ascending."""
    seen = np.zeros(1 << 16, np.bool_)
    for number in np.flatnonzero(users).tolist():
        seen[rows.cell[rows.starts[number] : ends[number]]] = True
    return np.flatnonzero(seen)


def _network(job: Job, material: Material) -> tuple[BertMoe, dict[str, Any]]:
    """A network to train, and what ``run.json`` says of its start."""
    settings = job.settings
    if material.visited[-1] >= settings.location_ids:
        raise HumobError(
            f"--location-ids: found {settings.location_ids}, expected more than "
            f"{material.visited[-1]}, the number of the last cell that is visited"
        )
    config = BertMoeConfig(settings=as_record(settings), cities=material.names)
    network = BertMoe(config)
    notes: dict[str, Any] = {}
    if job.init_from is not None:
        notes = {"init_from": job.init_from, **started_from(network, load_network(job.init_from))}
        report.info(f"weights start from {job.init_from}: {notes['kept']} tensors kept")
        if notes["new"]:
            report.warn(f"new weights, as they do not fit: {', '.join(notes['new'])}")
    network.restrict(torch.from_numpy(material.visited))
    return network, notes


def _validator(material: Material, device: str, precision: str) -> train_loop.Validate | None:
    if not material.asked:
        return None
    return lambda network: validate(network, material.cities, material.asked, device, precision)


def _workplace(work: Path, job: Job, material: Material) -> AbstractContextManager[None]:
    """The folder of an unfinished training, beside the model dir; it goes when all is done."""
    about = {
        "settings": as_record(job.settings),
        "cities": material.about,
        "init_from": job.init_from,
    }
    return workplace(
        work,
        about,
        resume=job.resume,
        overwrite=job.overwrite,
        unfinished=newest_checkpoint(work) is not None,
    )


def _finish(
    network: BertMoe,
    job: Job,
    material: Material,
    metrics: list[dict[str, Any]],
    notes: dict[str, Any],
    work: Path,
    device: torch.device,
) -> dict[str, Any]:
    """Learn the blend, write the model dir; the record of the run."""
    settings = job.settings
    scores: dict[str, Any] = {}
    if material.asked:
        check = _validator(material, str(device), settings.precision)
        assert check is not None
        scores = check(network)
        if material.weighed:
            network.config.blend = learn_blend(
                network, material.cities, material.weighed, str(device), settings.precision
            )
    losses = [record["loss"] for record in metrics if "loss" in record]
    run = {
        "seed": settings.seed,
        "cities": material.about,
        "windows": len(material.windows),
        "steps": metrics[-1]["step"] if metrics else 0,
        "processes": world_size(),
        "device": str(device),
        **notes,
        "settings": as_record(settings),
        "scores": {"training_loss": losses[-1] if losses else None, **scores},
    }

    def write(folder: Path) -> None:
        network.save_pretrained(folder)
        shutil.copytree(work / LOGS, folder / LOGS)

    checkpoint = Checkpoint("bert-moe", {}, {}, run, metrics)
    save(checkpoint, job.output, overwrite=job.overwrite, write=write)
    return run

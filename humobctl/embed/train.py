"""From trajectory files to a trained embedder."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from humobctl.console import report
from humobctl.data.split import shuffled
from humobctl.embed import train_loop
from humobctl.embed.config import TYPE, Settings
from humobctl.embed.data import Rows
from humobctl.embed.model import Encoder, Network
from humobctl.errors import HumobError
from humobctl.io.by_user import UserStore, paired_groups
from humobctl.io.city_names import city_names
from humobctl.io.read import iter_table
from humobctl.io.row_errors import OnError
from humobctl.native import Int64s
from humobctl.ranks import world_size
from humobctl.tables.schemas import EMBEDDING_SIZE, MASKED
from humobctl.training.device import check_precision, set_up_torch, torch_device
from humobctl.training.distributed import Group, together
from humobctl.training.model_dir import (
    Checkpoint,
    Fingerprint,
    build_checked,
    check_target,
    clear_damage,
    load,
    save,
)
from humobctl.training.settings import from_record
from humobctl.training.torch_loop import STATE
from humobctl.training.training_dir import folder_of, workplace

_ROWS = "rows"
"""Folder in that of a training, where other processes find the rows."""
_SEEN = "seen."
"""Prefix of the arrays of users that a training saw, by number of their city."""


@dataclass(frozen=True)
class Job:
    """One training run.

    Attributes:
        settings: of the network and its training.
        output: model dir to write.
        cities: names of the cities, one a file; None for the files' names.
        last_day: last day to learn from; None for all days.
        first_weekday: of day 0; 0 is Sunday.
        resume: go on with a training that was cut short.
        overwrite: replace a model dir of that name.
        device: cpu, cuda, or auto.
        on_error: stop at the first bad row, or drop bad rows.
    """

    settings: Settings
    output: str
    cities: tuple[str, ...] | None = None
    last_day: int | None = None
    first_weekday: int = 0
    resume: bool = False
    overwrite: bool = False
    device: str = "auto"
    on_error: OnError = "fail"


@dataclass(frozen=True)
class Material:
    """What is learnt from.

    Attributes:
        rows: the columns of all users that are trained or validated on.
        people: who is which.
        cities: their names.
        about: what ``run.json`` says of each city.
    """

    rows: Rows
    people: train_loop.People
    cities: list[str]
    about: list[dict[str, Any]]


def train(paths: list[str], job: Job) -> dict[str, Any]:
    """Train on one or several cities, each a grid trajectory, and write the model dir.

    Returns:
        The record ``run.json`` holds; an empty one in all processes but the main one.

    Raises:
        HumobError: a file cannot be read or has too few users, the output cannot be written, or
            the loss became no number.
        UsageError: cities and files differ in number, or there is no such device.
    """
    settings = job.settings
    device = torch_device(job.device)
    with together(device) as group:
        if group.main:
            check_target(job.output, overwrite=job.overwrite)
        set_up_torch(settings.seed)
        check_precision(settings.precision, device)
        with _prepared(paths, job, group) as (material, work):
            network = Network(settings, len(material.cities)).to(device)
            rows, people = material.rows, material.people
            kept, metrics = train_loop.train(network, rows, people, settings, work, group)
            if not group.main:
                return {}
            return _finish(network, job, material, kept, metrics, str(device))


def dry_run(paths: list[str], job: Job) -> str:
    """What a training would be: users, parameters, steps."""
    check_target(job.output, overwrite=True)
    settings = job.settings
    set_up_torch(settings.seed)
    with _material(paths, job) as material:
        network = Network(settings, len(material.cities))
        encoder, decoder = (
            sum(one.numel() for one in part.parameters())
            for part in (network.encoder, network.decoder)
        )
        people = material.people
        return "\n".join(
            (
                f"cities: {', '.join(material.cities)}",
                f"users: {len(people.train):,} to train on, {len(people.validate):,} to validate",
                f"parameters: {encoder:,} of the encoder, {decoder:,} of the decoder",
                f"a vector: {EMBEDDING_SIZE} numbers",
                f"training: at most {settings.steps:,} steps of "
                f"{settings.batch_size * world_size()} users, two spans of up to "
                f"{settings.span_rows} rows each",
            )
        )


@contextmanager
def _prepared(paths: list[str], job: Job, group: Group) -> Iterator[tuple[Material, Path]]:
    """What is learnt from, which the main process reads, and the folder of the training."""
    work = folder_of(job.output)
    if not group.main:
        told = group.hear()
        group.see(work / _ROWS)
        with Rows.published(work / _ROWS, job.first_weekday) as rows:
            yield _split(rows, job, told["cities"], told["about"]), work
        return
    with _material(paths, job) as material:
        _check_shares(material, group)
        about = {"settings": asdict(job.settings), "cities": material.about}
        flags = {"resume": job.resume, "overwrite": job.overwrite}
        with workplace(work, about, **flags, unfinished=(work / STATE).is_file()):
            if group.size > 1:
                material.rows.publish(work / _ROWS)
            group.tell({"cities": material.cities, "about": material.about})
            yield material, work


def _check_shares(material: Material, group: Group) -> None:
    """See that a user of every batch, which is of one city, is left for every process."""
    city = material.rows.city[material.people.train]
    fewest, name = min(
        (int((city == number).sum()), name) for number, name in enumerate(material.cities, 1)
    )
    if fewest < group.size:
        raise HumobError(
            f"{name}: found {fewest} users to train on, expected one for each of {group.size} "
            "processes at least"
        )


@contextmanager
def _material(paths: list[str], job: Job) -> Iterator[Material]:
    names = city_names(paths, job.cities)
    with Rows(job.first_weekday) as rows:
        about = [
            {"city": name, **_add_city(path, number, job, rows)}
            for number, (path, name) in enumerate(zip(paths, names, strict=True), 1)
        ]
        rows.close_columns()
        yield _split(rows, job, names, about)


def _split(rows: Rows, job: Job, names: list[str], about: list[dict[str, Any]]) -> Material:
    validates = _validators(rows, job.settings)
    everyone = np.arange(len(rows.uid))
    people = train_loop.People(everyone[~validates], everyone[validates])
    return Material(rows, people, names, about)


def _add_city(path: str, number: int, job: Job, rows: Rows) -> dict[str, Any]:
    """Read the users of a city that may be seen into the columns; what to say of it."""
    name = "stdin" if path == "-" else path
    mark = Fingerprint()
    known = pl.col("x") != MASKED
    if job.last_day is not None:
        known &= pl.col("d") <= job.last_day
    with UserStore() as store:
        store.collect(mark.watch(iter_table(path, on_error=job.on_error)))
        found = [group.filter(known)["uid"].unique() for (group,) in paired_groups([store])]
        everyone = np.sort(pl.concat(found).to_numpy()) if found else np.empty(0, np.uint32)
        seen = seen_users(everyone, job.settings)
        if len(seen) < 2:
            raise HumobError(
                f"{name}: found {len(seen)} of {len(everyone)} users to train on, expected at "
                "least 2 (--train-below, --train-share, --last-day)"
            )
        wanted = pl.Series("uid", np.sort(seen), dtype=pl.UInt32).to_frame()
        before = rows.rows
        for (group,) in paired_groups([store]):
            rows.add(
                group.filter(known).join(wanted, on="uid", how="semi", maintain_order="left"),
                number,
            )
    report.info(
        f"{name}: {len(seen):,} of {len(everyone):,} users to train and validate on; the others "
        "are not seen"
    )
    return {
        "file": Path(name).name,
        "fingerprint": mark.text(),
        "users": len(seen),
        "of_users": len(everyone),
        "rows": rows.rows - before,
    }


def seen_users(everyone: np.ndarray[Any, Any], settings: Settings) -> np.ndarray[Any, Any]:
    """Users of a city that a training may see: those below a uid, or a seeded share.

    Args:
        everyone: uids.
        settings: ``train_below``, ``train_share`` and ``seed``.
    """
    if settings.train_below:
        return everyone[everyone < settings.train_below]
    count = max(1, round(settings.train_share * len(everyone)))
    return shuffled(np.sort(everyone).astype(np.uint32), settings.seed)[:count]


def _validators(rows: Rows, settings: Settings) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Users that only validate, (u,): at least two of a city, or none of it."""
    chosen = np.zeros(len(rows.uid), np.bool_)
    for city in np.unique(rows.city):
        here: Int64s = np.flatnonzero(rows.city == city)
        count = round(settings.validation_share * len(here))
        if count < 2 or len(here) - count < 2:
            continue
        drawn = shuffled(rows.uid[here].astype(np.uint32), settings.seed + 1)[:count]
        chosen[here] = np.isin(rows.uid[here], drawn)
    return chosen


def _finish(
    network: Network,
    job: Job,
    material: Material,
    kept: int,
    metrics: list[dict[str, Any]],
    device: str,
) -> dict[str, Any]:
    best = next((one for one in metrics if one["step"] == kept), metrics[-1])
    scores = {name: value for name, value in best.items() if name not in ("step", "learning_rate")}
    run = {
        "seed": job.settings.seed,
        "cities": material.about,
        "trained_on": len(material.people.train),
        "validated_on": len(material.people.validate),
        "steps": metrics[-1]["step"],
        "kept_step": kept,
        "processes": world_size(),
        "device": device,
        "settings": asdict(job.settings),
        "scores": scores,
    }
    config = {"settings": asdict(job.settings), "cities": material.cities}
    arrays = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
    for number in range(1, 1 + len(material.cities)):
        users = material.rows.uid[material.rows.city == number]
        arrays[f"{_SEEN}{number}"] = users.astype(np.uint32)
    save(Checkpoint(TYPE, config, arrays, run, metrics), job.output, overwrite=job.overwrite)
    return run


@dataclass(frozen=True)
class Trained:
    """A trained embedder.

    Attributes:
        name: its folder.
        settings: of its training.
        cities: names of the cities it was trained on.
        encoder: on its device.
        seen: users of each city that were trained or validated on.
        fingerprints: of the cities' files.
        device: as it was asked for.
    """

    name: str
    settings: Settings
    cities: list[str]
    encoder: Encoder
    seen: list[Int64s]
    fingerprints: list[str]
    device: str = "auto"

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        """Another process loads it from its folder."""
        return load_trained, (self.name, self.device)

    def users_seen(self, name: str, fingerprint: str) -> Int64s | None:
        """Users of a city that the training saw; None for a city of another name and file."""
        for number, known in enumerate(self.cities):
            if known == name or self.fingerprints[number] == fingerprint:
                return self.seen[number]
        return None


def load_trained(folder: str, device: str = "auto") -> Trained:
    """Load a model.

    Raises:
        HumobError: there is no whole model of this type.
        UsageError: there is no such device.
    """
    found = load(folder, type=TYPE)
    with clear_damage(folder):
        settings = from_record(Settings, found.config["settings"])
        cities = [str(name) for name in found.config["cities"]]
        mine = "encoder."
        make = functools.partial(Encoder, settings, len(cities))
        encoder = build_checked(folder, settings.blocks, make, mine)
        encoder.load_state_dict(
            {
                name.removeprefix(mine): torch.from_numpy(array)
                for name, array in found.arrays.items()
                if name.startswith(mine)
            }
        )
        seen = [found.arrays[f"{_SEEN}{n}"].astype(np.int64) for n in range(1, 1 + len(cities))]
        marks = [str(city["fingerprint"]) for city in found.run["cities"]]
    encoder = encoder.to(torch_device(device)).eval()
    return Trained(folder, settings, cities, encoder, seen, marks, device)

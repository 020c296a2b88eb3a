"""From trajectory files to a trained ranker: reading, drawing users, training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.errors import HumobError
from humobctl.io.by_user import UserStore, paired_groups
from humobctl.io.read import iter_table
from humobctl.io.row_errors import OnError
from humobctl.native import Int64s
from humobctl.predict.city_profile import CityCounter, CityProfile
from humobctl.predict.ranker.config import RankerConfig
from humobctl.predict.ranker.model import to_checkpoint
from humobctl.predict.ranker.train_loop import Records, TrainingSet, joined, training_set
from humobctl.predict.ranker.train_loop import train as train_network
from humobctl.tables.schemas import GRID, MASKED
from humobctl.training.model_dir import Checkpoint, Fingerprint


@dataclass(frozen=True)
class Job:
    """One training run.

    Attributes:
        config: settings of the ranker.
        most_users: users drawn from each city, at most.
        last_day: last day to learn from; None for all.
        calendar: days off; None to infer them.
        first_weekday: of day 0; 0 is Sunday.
    """

    config: RankerConfig
    most_users: int = 1000
    last_day: int | None = None
    calendar: pl.DataFrame | None = None
    first_weekday: int = 0
    on_error: OnError = "fail"


def train(paths: list[str], job: Job) -> Checkpoint:
    """Train one ranker on one or several cities, each a grid trajectory.

    Masked rows are left out: the ranker learns from what is known.

    Raises:
        HumobError: a file cannot be read, or has too few days.
    """
    config = replace(job.config, most_rows=max(1, job.config.most_rows // len(paths)))
    parts, cities = [], []
    for path in paths:
        part, city = _city_set(path, job, config)
        parts.append(part)
        cities.append(city)
    data = joined(parts)
    metrics: list[dict[str, Any]] = []
    with report.progress("training", config.members * config.epochs, "epochs") as ticker:

        def watch(member: int, epoch: int, loss: float) -> None:
            metrics.append({"member": member, "epoch": epoch, "loss": loss})
            ticker.advance()

        network = train_network(data, config, watch)
    checkpoint = to_checkpoint(network, job.config)
    run = {
        "seed": config.seed,
        "cities": cities,
        "rows": len(data.y),
        "settings": {**asdict(job.config), "most_users": job.most_users},
        "scores": {"loss": metrics[-1]["loss"]},
    }
    return replace(checkpoint, run=run, metrics=metrics)


def _city_set(path: str, job: Job, config: RankerConfig) -> tuple[TrainingSet, dict[str, Any]]:
    name = "stdin" if path == "-" else path
    mark = Fingerprint()
    with UserStore() as store:
        batches = mark.watch(iter_table(path, on_error=job.on_error))
        store.collect(_known(batch, job.last_day) for batch in batches)
        if store.last_day is None:
            raise HumobError(f"{name}: found no known cell, expected some to learn from")
        city, users = _survey(store, job)
        drawn = _draw(users, job.most_users, config.seed)
        records = list(_records(store, drawn))
    with report.progress(f"features of {Path(name).name}", len(records), "users") as ticker:

        def ticking() -> Iterator[Records]:
            for record in records:
                yield record
                ticker.advance()

        try:
            part = training_set(ticking(), store.last_day, city, config)
        except HumobError as exc:
            raise HumobError(f"{name}: {exc}") from exc
    about = {
        "file": Path(name).name,
        "fingerprint": mark.text(),
        "users": len(records),
        "of_users": len(users),
        "last_day": store.last_day,
        "rows": len(part.y),
    }
    return part, about


def _known(batch: pl.DataFrame, last_day: int | None) -> pl.DataFrame:
    keep = pl.col("x") != MASKED
    return batch.filter(keep if last_day is None else keep & (pl.col("d") <= last_day))


def _survey(store: UserStore, job: Job) -> tuple[CityProfile, Int64s]:
    """The city that all rows show, and its users."""
    assert store.last_day is not None
    counter = CityCounter(store.last_day + 1, job.first_weekday)
    users = []
    for (group,) in paired_groups([store]):
        counter.add(group)
        users.append(group["uid"].unique(maintain_order=True).to_numpy().astype(np.int64))
    city = counter.city()
    return city if job.calendar is None else city.with_calendar(job.calendar), np.concatenate(users)


def _draw(users: Int64s, most: int, seed: int) -> Int64s:
    """Users to learn from, ascending."""
    if len(users) <= most:
        return users
    return np.sort(np.random.default_rng(seed).choice(users, most, replace=False))


def _records(store: UserStore, drawn: Int64s) -> Iterator[Records]:
    wanted = pl.Series("uid", drawn, dtype=pl.UInt32)
    for (group,) in paired_groups([store]):
        rows = group.join(wanted.to_frame(), on="uid", how="semi", maintain_order="left")
        if not rows.height:
            continue
        columns = [rows[name].to_numpy().astype(np.int64) for name in GRID.columns]
        begins = np.flatnonzero(np.diff(columns[0], prepend=-1)).tolist()
        for begin, end in zip(begins, [*begins[1:], rows.height], strict=True):
            uid, d, t, x, y = (column[begin:end] for column in columns)
            yield Records(int(uid[0]), d, t, x, y)

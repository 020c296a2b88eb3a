"""Learned days: how near they are to real ones, by sampler, and whether they are copies.

Beijing's people are split: four in five are learnt from, the others' home, work and other stays are
the day plans, and what is generated for those is scored against where the others really were.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.harness import DATA, WORK, markdown
from benchmarks.trainings import SEEDS as TRAINING_SEEDS
from benchmarks.trainings import span
from humobctl.data.importers.stays import read_stays
from humobctl.generate.diffusion.config import STEPS, small
from humobctl.generate.diffusion.data import known_days
from humobctl.native import Floats
from humobctl.tables.plane import Plane
from humobctl.tables.schemas import PLACES

BEIJING = DATA / "beijing"
PAIRS = BEIJING / "home_work.parquet"
METRICS = ("jump_distance", "radius", "daily_loc", "periodicity", "grank", "irank")
OBJECTIVES = ("pred_v", "flow")
SAMPLERS = (
    *(
        ("pred_v", "ddpm", 100),
        ("pred_v", "ddim", 20),
        ("pred_v", "dpm", 16),
        ("pred_v", "dpm", 10),
    ),
    *(("flow", "euler", 20), ("flow", "euler", 10)),
)
AS_INTENTS = np.array(["go home", "go to work", "leisure or entertainment"])
NEAREST = ("--decode", "nearest")
SEEDS = (0, 1)
CHUNK = 16
Scores = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class City:
    """Files of a comparison: people to learn from, others to score against, and their day plans.

    Attributes:
        folder: of all files.
        pairs: homes and works that people draw.
    """

    folder: Path
    pairs: Path

    @property
    def train(self) -> Path:
        """Stays to learn from."""
        return self.folder / "train.parquet"

    @property
    def test(self) -> Path:
        """Stays of the others."""
        return self.folder / "test.parquet"

    @property
    def plans(self) -> Path:
        """Their day plans."""
        return self.folder / "plans.csv"

    def model(self, objective: str, seed: int = 0, **changes: Any) -> Path:
        """A model of the preset small, trained unless it is there."""
        from humobctl.generate.diffusion.train import DiffusionRecipe  # noqa: PLC0415 - torch
        from humobctl.training.session import TrainingJob, train  # noqa: PLC0415

        model = self.folder / f"model-{objective}{f'-{seed}' if seed else ''}"
        if not model.is_dir():
            settings = replace(small(), objective=objective, seed=seed, **changes)
            train(DiffusionRecipe(settings, str(self.train)), TrainingJob(str(model)))
        return model

    def generate(self, command: str, name: str, *options: str | Path) -> Path:
        """Visits for the day plans; their file."""
        target = self.folder / f"{name}.parquet"
        places = ("--places", self.folder / "places.parquet", "--output", target)
        _humobctl("generate", command, self.plans, *options, *places)
        return target

    def evaluated(self, paths: list[Path], *options: str) -> dict[str, Scores]:
        """Scores and floors by file and metric."""
        out = _humobctl("eval", *paths, "--truth", self.test, *options, "--format", "json")
        found = json.loads(out)
        files = found if isinstance(found, list) else found.get("files", [found])
        return {
            one["file"]: {
                score["metric"]: (score["value"], score["floor"]) for score in one["scores"]
            }
            for one in files
        }

    def table(self, files: dict[str, Path], *options: str) -> tuple[list[str], list[list[str]]]:
        """Columns and rows of scores, the floor last."""
        rows, floor = [], {}
        for name, found in self.evaluated(list(files.values()), *options).items():
            title = next(title for title, path in files.items() if str(path) == name)
            rows.append([title, *(f"{found[metric][0]:.4f}" for metric in METRICS)])
            floor = {metric: found[metric][1] for metric in METRICS}
        rows.append(["floor", *(f"{floor[metric]:.4f}" for metric in METRICS)])
        return ["by", *(metric.replace("_", " ") for metric in METRICS)], rows


def scores() -> str:
    """Models beside laws, random choice and the floor: mean and range of seeds.

    A law's seeds draw places, and homes and works where these are not given; a model has as many
    trainings. ``STEPS`` in place of 2,500.
    """
    city = beijing()
    steps = {"steps": int(os.environ["STEPS"])} if "STEPS" in os.environ else {}
    pairs = ("--home-work", PAIRS)
    # The schedules say which days end at home.
    fitted = ("--law", "empirical", "--fit", city.train, "--nights-away", "0")
    rows = [
        _seeds_row(city, "gravity", title, [given] * len(TRAINING_SEEDS))
        for title, given in {
            **{law: ("--law", law, *pairs) for law in ("gravity", "epr", "random")},
            "empirical, homes drawn": fitted,
            "empirical": (*fitted, *pairs),
        }.items()
    ]
    for objective in OBJECTIVES:
        models = [("--model", city.model(objective, seed, **steps)) for seed in TRAINING_SEEDS]
        for homes, given in ((", homes drawn", ()), ("", pairs)):
            for decoded, decode in (("", ()), (", nearest places", NEAREST)):
                options = [(*one, *given, *decode) for one in models]
                title = f"{objective}{homes}{decoded}"
                rows.append(_seeds_row(city, "diffusion", title, options))
    floor = next(iter(city.evaluated([city.folder / "random-0.parquet"]).values()))
    rows.append(["floor", *(f"{floor[metric][1]:.4f}" for metric in METRICS)])
    return markdown(["by", *(metric.replace("_", " ") for metric in METRICS)], rows)


def _seeds_row(
    city: City, command: str, title: str, options: list[tuple[str | Path, ...]]
) -> list[str]:
    """Mean and range of each metric, of visits made once with each of the options."""
    paths = [
        city.generate(command, f"{_name(title)}-{seed}", *given, "--seed", str(seed))
        for seed, given in zip(TRAINING_SEEDS, options, strict=True)
    ]
    found = list(city.evaluated(paths).values())
    return [title, *(span([one[metric][0] for one in found], 4) for metric in METRICS)]


def _name(title: str) -> str:
    """Of a row's files."""
    return title.replace(", homes drawn", "-free").replace(", nearest places", "-nearest")


def samplers() -> str:
    """Scores by seed and seconds of samplers; the models draw the homes, too."""
    city = beijing()
    rows = []
    for objective, sampler, steps in SAMPLERS:
        options = ("--model", city.model(objective), "--sampler", sampler, "--steps", str(steps))
        options = (*options, *NEAREST)  # points as they are drawn, but for the places
        begin = time.perf_counter()
        paths = [
            city.generate("diffusion", f"{objective}-{sampler}-{steps}-{seed}", *options, *named)
            for seed in SEEDS
            for named in [("--seed", str(seed))]
        ]
        seconds = (time.perf_counter() - begin) / len(SEEDS)
        found = city.evaluated(paths).values()
        values = [", ".join(f"{one[metric][0]:.4f}" for one in found) for metric in METRICS[:3]]
        rows.append([objective, sampler, str(steps), *values, f"{seconds:.0f}"])
    columns = ["objective", "sampler", "evaluations", *METRICS[:3], "seconds, start-up included"]
    return markdown(columns, rows)


def copies() -> str:
    """Distance of days to the nearest training day: mean over steps, km; after ``scores``."""
    folder = beijing().folder
    plane = read_stays(str(folder / "train.parquet")).plane()
    assert plane is not None
    learnt = _positions(folder / "train.parquet", plane)
    rows = []
    files = {"other real people": [folder / "test.parquet"]}
    for objective in OBJECTIVES:
        files[objective] = [
            folder / f"{objective}-free-nearest-{seed}.parquet" for seed in TRAINING_SEEDS
        ]
    for name, paths in files.items():
        near = [_nearest(_positions(path, plane), learnt) / 1000 for path in paths]
        shares = [
            span([float(np.quantile(one, share)) for one in near], 2) for share in (0.01, 0.05, 0.5)
        ]
        copied = span([100 * float((one < 0.1).mean()) for one in near], 2)
        rows.append([name, *shares, copied])
    return markdown(["days", "1 %", "5 %", "median", "nearer than 100 m, %"], rows)


def _positions(path: Path, plane: Plane) -> Floats:
    """Metres at each step, (days, 288)."""
    known = known_days(read_stays(str(path)).frame, plane)
    metres = known.relative + known.home[known.layout.day]
    return metres[known.layout.event_of_step()].reshape(-1, 2 * STEPS).astype(np.float32)


def _nearest(days: Floats, learnt: Floats) -> Floats:
    found = []
    for low in range(0, len(days), CHUNK):
        apart = (days[low : low + CHUNK, None] - learnt[None]).reshape(-1, STEPS, 2)
        metres = np.hypot(apart[..., 0], apart[..., 1]).mean(axis=1)
        found.append(metres.reshape(-1, len(learnt)).min(axis=1))
    return np.concatenate(found)


def beijing() -> City:
    """The split, the day plans of those who are not learnt from, and the places."""
    folder = WORK / "diffusion"
    city = City(folder, PAIRS)
    if city.plans.is_file():
        return city
    folder.mkdir(parents=True, exist_ok=True)
    stays = pl.read_parquet(BEIJING / "stays.parquet")
    people = stays["uid"].unique().sort()
    others = pl.col("uid").is_in(people.sample(fraction=0.2, seed=1, shuffle=True).implode())
    stays.filter(others).write_parquet(folder / "test.parquet")
    learnt = stays.filter(~others)
    learnt.write_parquet(folder / "train.parquet")
    places = learnt.unique("place_id").sort("place_id").with_columns(pl.col("place_id").cast(str))
    lacking = [name for name in PLACES.columns if name not in places.columns]
    empty = [pl.lit(None, pl.String).alias(name) for name in lacking]
    places.with_columns(empty).select(PLACES.columns).write_parquet(folder / "places.parquet")
    table = read_stays(str(folder / "test.parquet"))
    known = known_days(table.frame, Plane(39.9, 116.4))
    plans = table.frame.select("uid", "d", "start", "end").with_columns(
        seq=pl.Series(known.layout.number()), intent=pl.Series(AS_INTENTS[known.place_class])
    )
    plans.filter(pl.col("end") > pl.col("start")).select(
        "uid", "d", "seq", "intent", start_min="start", end_min="end"
    ).write_csv(city.plans)
    return city


def _humobctl(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", "humobctl", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout

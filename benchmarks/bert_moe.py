"""bert-moe: its speed beside the published network written plainly, and its scores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import torch

from benchmarks import plain_bert
from benchmarks.harness import DATA, WORK, interleaved, markdown, mean_scores
from benchmarks.prediction import COLUMNS, run, scores, trainings
from benchmarks.trainings import SEEDS, TRAININGS, span, train_once
from humobctl.io.read import read_table
from humobctl.predict.base import PredictOptions
from humobctl.predict.bert_moe.config import BertMoeSettings, paper, small, tiny
from humobctl.predict.bert_moe.data import BertMoeColumns, CityDays, TrainingWindows, build_index
from humobctl.predict.bert_moe.model import BertMoe, BertMoeConfig
from humobctl.predict.bert_moe.predict import BertMoePredictor
from humobctl.predict.city_profile import CityCounter
from humobctl.predict.decode_slots import Decode
from humobctl.predict.run import PredictJob, Targets, user_of
from humobctl.tables.cells import encode_cells
from humobctl.training.device import has_bf16

if TYPE_CHECKING:
    import pandas as pd

PUBLISHED = replace(paper(), dropout=0.1)
MEDIUM = replace(PUBLISHED, hidden_size=128, hidden_layers=4, attention_heads=4, batch_size=32)
DECODERS: tuple[Decode, ...] = tuple(os.environ.get("DECODERS", "geobleu,day").split(","))
PRECISION = "bf16" if has_bf16(torch.device("cpu")) else "fp32"
SIZES = {"hidden 256, 24 layers, batch 8": PUBLISHED, "hidden 128, 4 layers, batch 32": MEDIUM}
PREDICTED: dict[str, tuple[Callable[[], BertMoeSettings], int]] = {
    "tiny": (tiny, 16),
    "small": (small, 16),
    "paper": (paper, 2),
    "paper, all rows at once": (
        lambda: replace(paper(), horizon=15, prediction_length=512, max_seq_length=1024),
        2,
    ),
}
"""Presets and numbers of users to predict with them."""


def _rows(city: str = "B") -> BertMoeColumns:
    """The known rows of a city, days before 60."""
    table = read_table(str(DATA / "humob" / f"city{city}_challenge.csv.gz"))
    rows = BertMoeColumns()
    rows.days.append(CityDays(np.arange(80) % 7, np.zeros((80, 80), np.bool_)))
    rows.add(table.filter(pl.col("d") < 60).sort("uid", "d", "t"))
    rows.close_columns()
    return rows


def _network(settings: BertMoeSettings, visited: np.ndarray | None) -> BertMoe:
    torch.manual_seed(0)
    network = BertMoe(BertMoeConfig(settings=asdict(settings), cities=["B"]))
    if visited is not None:
        network.restrict(torch.from_numpy(visited))
    return network


def _our_step(network: BertMoe, batch: dict, *, bf16: bool, fused: bool) -> Callable[[], None]:
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=fused)
    network.train()

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = network(**batch).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    return step


def train_speed() -> str:
    """Training steps, each way of going faster added to those before it, in one run."""
    table = []
    with _rows() as rows:
        visited = np.unique(rows.cell).astype(np.int64)
        for size, settings in SIZES.items():
            index = build_index(rows, np.ones(len(rows.uid), bool), settings)
            windows = TrainingWindows(rows, index, settings)
            full = np.flatnonzero(windows.past_lengths() == settings.input_length)
            batch = windows.batch(full[: settings.batch_size])
            wide = replace(settings, feed_forward=3072 // settings.hidden_size)
            ways = {
                "SDPA without attention dropout": (_network(wide, None), False, False),
                "softmax over the visited cells": (_network(wide, visited), False, False),
                "feed-forward of 4 x hidden": (_network(settings, visited), False, False),
                "fused optimiser": (_network(settings, visited), False, True),
            }
            if PRECISION == "bf16":
                ways["bf16"] = (_network(settings, visited), True, True)
                ways["bf16, feed-forward of 3072"] = (_network(wide, visited), True, True)
            works = {"as published": _plain_step(settings, batch)}
            for name, (network, bf16, fused) in ways.items():
                works[name] = _our_step(network, batch, bf16=bf16, fused=fused)
            for work in works.values():
                work()
            seconds = interleaved(*works.values(), runs=5)
            for name, taken in zip(works, seconds, strict=True):
                rate = settings.batch_size / taken
                table.append([size, name, f"{rate:.2f}", f"{seconds[0] / taken:.1f}"])
    return markdown(["size", "step", "windows/s", "times as fast"], table)


def _plain_step(settings: BertMoeSettings, batch: dict) -> Callable[[], float]:
    net = plain_bert.PlainBert(
        settings.hidden_size, settings.hidden_layers, settings.attention_heads
    )
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-4)
    parts = [batch["day"] % 75, batch["time"], batch["dow"], batch["weekday"], batch["gap_before"]]
    inputs = (torch.stack(parts, dim=-1), batch["location"], batch["labels"])
    return lambda: plain_bert.train_step(net, optimiser, inputs)


def predict_speed() -> str:
    """CPU time of prediction on one core, by preset, reading left out; random weights.

    Beside each preset the published network of the same width, depth and heads, in windows of 240
    past and 30 future rows.
    """
    table = read_table(str(DATA / "humob" / "cityB_challenge.csv.gz")).sort("uid", "d", "t")
    counter = CityCounter(75)
    known = table.filter(pl.col("x") != 999)
    counter.add(known)
    city = counter.city()
    frames = table.partition_by("uid", maintain_order=True)
    visited = np.unique(encode_cells(known["x"].to_numpy(), known["y"].to_numpy()))
    threads, found = torch.get_num_threads(), []
    torch.set_num_threads(1)
    for name, (make, count) in PREDICTED.items():
        settings, some = make(), frames[:count]
        people = [user_of(frame, Targets()) for frame in some]
        plain = plain_bert.PlainBert(
            settings.hidden_size, settings.hidden_layers, settings.attention_heads
        )
        works = {"as published, a user at a time": partial(_plain_users, plain, some)}
        for precision in dict.fromkeys(("fp32", PRECISION)):
            model = BertMoePredictor(_network(settings, visited), city, precision=precision)
            works[precision] = partial(model.distributions, people)
            works[precision]()
        taken = interleaved(*works.values(), runs=3, clock=time.process_time)
        for way, seconds in zip(works, taken, strict=True):
            found.append([name, way, f"{1e3 * seconds / count:.1f}", f"{taken[0] / seconds:.1f}"])
    torch.set_num_threads(threads)
    return markdown(["preset", "prediction", "CPU ms a user", "times as fast"], found)


def _to_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    """The same in the library of the published code."""
    import pandas as pd  # noqa: PLC0415  only `make bench` installs it

    return pd.DataFrame({name: frame[name].to_numpy() for name in frame.columns})


def _plain_users(plain: plain_bert.PlainBert, frames: list[pl.DataFrame]) -> None:
    for frame in frames:
        known, asked = frame.filter(pl.col("x") != 999), frame.filter(pl.col("x") == 999)
        plain_bert.predict_user(plain, known, asked, 240, 30)


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def build_speed() -> str:
    """Rows a second and memory of the windows."""
    table = read_table(str(DATA / "humob" / "cityB_challenge.csv.gz"))
    table = table.filter(pl.col("d") < 60).sort("uid", "d", "t")
    frame = _to_pandas(table)
    part = frame[frame["uid"].isin(frame["uid"].unique()[:10])]
    plain = _timed(lambda: plain_bert.windows(part, 240, 30, 24)) / len(part)

    def ours() -> None:
        with BertMoeColumns() as rows:
            rows.days.append(CityDays(np.arange(80) % 7, np.zeros((80, 80), np.bool_)))
            for copy in range(20):
                rows.add(table.with_columns(pl.col("uid") + 1000 * copy))
            rows.close_columns()
            build_index(rows, np.ones(len(rows.uid), bool), PUBLISHED)

    ours()
    quick = _timed(ours) / (20 * table.height)
    window = (270 * 5 + 240 + 30) * 8 / 24
    rows = [
        ["iterating over rows", f"{1 / plain:,.0f}", f"{window:.0f}", "1"],
        ["columns and an index", f"{1 / quick:,.0f}", f"7 + {28 / 24:.1f}", f"{plain / quick:.0f}"],
    ]
    return markdown(["data set builder", "rows/s", "bytes a row", "times as fast"], rows)


def trained_scores() -> str:
    """The preset small on cities B and C, days before 60; scored on days 60-74, mean of seeds."""
    trained = [train_once("bert-moe", seed, *TRAININGS["bert-moe"]) for seed in SEEDS]
    rows = []
    for city in "BC":
        for decoder in DECODERS:
            path, milliseconds = run(city, PredictJob("history", decoder), f"history_{decoder}")
            rows.append([city, "history", decoder, *scores(path, city), f"{milliseconds:.1f}"])
            for name, blend in {"alone": 0.0, "blended": None}.items():
                options = PredictOptions(precision=PRECISION, city=city, blend=blend)
                jobs = {
                    f"{folder.name}_{name}_{decoder}": PredictJob(
                        str(folder), decoder, options=options
                    )
                    for folder, _ in trained
                }
                rows.append([city, f"bert-moe {name}", decoder, *trainings(city, jobs)])
    weights = [json.loads((folder / "config.json").read_text())["blend"] for folder, _ in trained]
    minutes, cpu = (
        span([value / 60 for value in values], 1)
        for values in zip(*((one.seconds, one.cpu_seconds) for _, one in trained), strict=True)
    )
    note = (
        f"Seeds {SEEDS}; {minutes} min, {cpu} CPU min, peak "
        f"{span([one.megabytes for _, one in trained], 0)} MB; weight of the history baseline "
        f"{', '.join(f'{weight:.2f}' for weight in weights)}."
    )
    return markdown(list(COLUMNS), rows) + f"\n\n{note}"


TRANSFERS = (
    # copy heads, first city, second city, steps on each
    (4, "B", "C", 100, 20),
    (4, "C", "B", 100, 20),
    (4, "synthetic 1", "synthetic 2", 100, 20),
    (0, "B", "C", 800, 400),
    (0, "C", "B", 800, 400),
    (0, "synthetic 1", "synthetic 2", 800, 400),
)


def transfer() -> str:
    """A first city, then a second, against the second alone at the same steps on it.

    Ours, whose copy heads know much at the start, and the published network, which has none.
    """
    rows = []
    for heads, first, second, before, steps in TRANSFERS:
        one, two = _city_file(first), _city_file(second)
        # Without copy heads a relabelled window has no answer.
        published = () if heads else ("--relabel", "0", "--epochs", "50")
        options = ("--copy-heads", str(heads), *published, "--max-steps")
        earlier = _train(one, f"bert_first_{heads}_{first[-1]}", *options, str(before))
        for start, flags in (("none", ()), (first, ("--init-from", earlier))):
            name = f"bert_{heads}_{second[-1]}_after_{start[-1]}"
            folder = _train(two, name, *options, str(steps), *flags)
            rows.append([second, str(heads), start, str(steps), *_scored(two, folder)])
    columns = ["city", "copy heads", "pre-trained on", "steps on the city", "accuracy"]
    columns += ["GEO-BLEU humob24", "GEO-BLEU humob25", "DTW km humob24", "DTW km humob25"]
    return markdown(columns, rows)


def _city_file(name: str) -> str:
    if name in "BC":
        return str(DATA / "humob" / f"city{name}_100users.csv.gz")
    path = WORK / f"synthetic_{name[-1]}.parquet"
    if not path.is_file():
        seed = name[-1]
        command = [sys.executable, "-m", "humobctl", "data", "synth", "--users", "100"]
        subprocess.run([*command, "--seed", seed, "--output", path], check=True)
    return str(path)


def _train(file: str, name: str, *flags: str) -> str:
    folder = str(WORK / name)
    command = [sys.executable, "-m", "humobctl", "--quiet", "train", "bert-moe", file]
    command += [
        "--precision",
        PRECISION,
        "--city",
        "one",
        "--overwrite",
        "--validation-fraction",
        "0",
        "-o",
        folder,
        *flags,
    ]
    subprocess.run(command, check=True)
    return folder


def _scored(truth: str, folder: str) -> list[str]:
    """Scores of the likeliest cells of days 60-74, without the history model."""
    output = f"{folder}.csv"
    command = [sys.executable, "-m", "humobctl", "predict", truth, "--from-day", "60"]
    command += ["--model", folder, "--blend", "0", "--decode", "argmax", "-o", output]
    subprocess.run(command, check=True)
    return [f"{value:.4f}" for value in mean_scores(output, truth)]

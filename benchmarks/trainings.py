"""What a training costs and gives: minutes, CPU minutes and memory, and what it says it gained.

``SEEDS`` (0,1,2) are the training seeds. A training that was timed is not repeated: beside its
model dir in bench-data/ lies what it took.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.harness import DATA, WORK, Cost, cost, markdown

SEEDS = tuple(int(seed) for seed in os.environ.get("SEEDS", "0,1,2").split(","))
BOTH = [DATA / "humob" / f"city{city}_challenge.csv.gz" for city in "BC"]
NAMED = ("--city", "B", "--city", "C")
_NEW_YORK = WORK / "next_New_York" / "train.parquet"
TRAININGS: dict[str, tuple[str | Path, ...]] = {
    "ranker": ("train", "ranker", *BOTH),
    "next": ("train", "next", _NEW_YORK),
    "next-gru": ("train", "next-gru", _NEW_YORK),
    "bert-moe": ("train", "bert-moe", *BOTH, *NAMED),
    "embedder": ("train", "embedder", *BOTH, *NAMED, "--preset", "tiny", "--last-day", "59"),
    "diffusion": ("train", "diffusion", WORK / "diffusion" / "train.parquet"),
}


def train_once(name: str, seed: int, *command: str | Path) -> tuple[Path, Cost]:
    """A model dir of a seed, trained unless it is there, and what that took."""
    folder = WORK / f"{name}-{seed}"
    record = folder.with_suffix(".json")
    if not record.is_file():
        spent = cost(*command, "--seed", seed, "--overwrite", "--output", folder)
        record.write_text(json.dumps(asdict(spent)))
    return folder, Cost(**json.loads(record.read_text()))


def table() -> str:
    """A row a training: lowest and highest of the seeds, and what is in run.json (compared)."""
    rows = []
    for name, command in TRAININGS.items():
        done = [train_once(name, seed, *command) for seed in SEEDS]
        costs = [spent for _, spent in done]
        runs = [json.loads((folder / "run.json").read_text()) for folder, _ in done]
        rows.append(
            [
                name,
                str(runs[0]["steps"]),
                span([one.seconds / 60 for one in costs], 1),
                span([one.cpu_seconds / 60 for one in costs], 1),
                span([one.megabytes for one in costs], 0),
                say_compared([run["scores"].get("compared", {}) for run in runs]),
            ]
        )
    columns = ["training", "steps", "minutes", "CPU minutes", "peak MB"]
    return markdown([*columns, "users not trained on"], rows)


def span(values: Sequence[float], digits: int) -> str:
    """Mean of seeds, and lowest and highest."""
    mean, low, high = (
        f"{value:.{digits}f}" for value in (sum(values) / len(values), min(values), max(values))
    )
    return mean if low == high else f"{mean} ({low}–{high})"


def say_compared(seeds: Sequence[Mapping[str, Any]]) -> str:
    """The model and what stands beside it, mean and range over seeds of each score."""
    found = []
    for name in seeds[0]:
        if name == "gained":
            continue
        texts = []
        for metric, value in seeds[0][name].items():
            if metric == "gained":
                continue
            values = [one[name][metric] for one in seeds]
            numbers = [one["value"] if isinstance(value, dict) else one for one in values]
            texts.append(
                f"{metric} {span(numbers, 2 if metric.endswith(('km', 'dtw_humob24')) else 4)}"
            )
        found.append(f"{name}: {', '.join(texts)}")
    return "; ".join(found)

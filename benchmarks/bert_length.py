"""Does bert-moe gain by more steps, or by more users?"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import polars as pl

from benchmarks.borrowed import CITIES, COLUMNS, as_row, evaluate, people, told
from benchmarks.harness import WORK, cost, markdown, mean_scores
from benchmarks.trainings import BOTH, NAMED, SEEDS, span, train_once
from humobctl.predict.base import PredictOptions
from humobctl.predict.baselines.history import History

LENGTHS = tuple(int(n) for n in os.environ.get("LENGTHS", "60,440").split(","))
"""Numbers of steps: an epoch of B and C has 63, and 440 with a window every 24 records."""
CROWDS = tuple(int(n) for n in os.environ.get("CROWDS", "100,1000,10000").split(","))
CROWD_STEPS = int(os.environ.get("BERT_STEPS", "150"))
ASKED = 200
"""Users of the synthetic city who are asked about, and never trained on."""
RANKED = 1000
"""Users that a ranker is trained on, at most."""
METRICS = ("accuracy", "GEO-BLEU humob24", "humob25", "DTW km humob24", "humob25")


def bert_moe(steps: int, *files: str | Path) -> tuple[str | Path, ...]:
    """A training of so many steps with two validations, its blend learnt on 100 users."""
    count = ("--stride", "24", "--max-steps", str(steps), "--evaluate-every", str(steps // 2))
    return ("train", "bert-moe", *files, *count, "--blend-users", "100")


def steps() -> str:
    """The preset small, alone, on days 45-59, which it never trains on; mean of seeds."""
    everyone = [one for name in CITIES for one in people(name)]
    plain = [History(one.city, PredictOptions()).distribution(one.user) for one in everyone]
    begun = [evaluate(everyone, plain, "day")] * len(SEEDS)
    rows = [[*as_row("history", "day", begun, begun), ""]]
    for length in LENGTHS:
        command = bert_moe(length, *BOTH, *NAMED)
        done = [train_once(f"bert-moe-{length}", seed, *command) for seed in SEEDS]
        found = [evaluate(everyone, told(folder, everyone), "day") for folder, _ in done]
        minutes = span([spent.cpu_seconds / 60 for _, spent in done], 1)
        rows.append([*as_row(f"bert-moe, {length} steps", "day", found, begun), minutes])
        print(rows[-1], file=sys.stderr, flush=True)
    return markdown([*COLUMNS, "CPU min"], rows)


def users() -> str:
    """Trained on ever more users of the synthetic city, at equal steps; 200 others, days 60-74."""
    city = WORK / "crowd.parquet"
    if not city.is_file():
        cost("data", "synth", "--users", max(CROWDS) + ASKED, "-o", city)
    rows_of = pl.scan_parquet(city)
    asked = WORK / "crowd_asked.parquet"
    rows_of.filter(pl.col("uid") >= max(CROWDS)).sink_parquet(asked)
    rows = [["history", *(f"{one:.4f}" for one in _scored("history", asked)), "", ""]]
    for count in CROWDS:
        known = WORK / f"crowd_{count}.parquet"
        rows_of.filter((pl.col("uid") < count) & (pl.col("d") < 60)).sink_parquet(known)
        held_out = ("--validation-fraction", "0.1" if count < RANKED else "0.02")
        learnt = {"bert-moe": bert_moe(CROWD_STEPS, known, "--city", "one", *held_out)}
        if count <= RANKED:
            learnt["ranker"] = ("train", "ranker", known, "--hold-out", "0")
        for name, command in learnt.items():
            done = [train_once(f"crowd-{name}-{count}", seed, *command) for seed in SEEDS]
            options = ("--blend", "0", "--city", "one") if name == "bert-moe" else ()
            found = [_scored(folder, asked, *options) for folder, _ in done]
            texts = [span(column, 4) for column in zip(*found, strict=True)]
            spent = [
                span([one.cpu_seconds / 60 for _, one in done], 1),
                span([one.megabytes for _, one in done], 0),
            ]
            rows.append([f"{name}, {count:,} users", *texts, *spent])
            print(rows[-1], file=sys.stderr, flush=True)
    return markdown(["model", *METRICS, "CPU min", "peak MB"], rows)


def _scored(model: str | Path, asked: Path, *options: str) -> list[float]:
    """Scores of days 60-74 of a table."""
    output = WORK / "crowd_predicted.parquet"
    cost("predict", asked, "--from-day", 60, "--model", model, *options, "-o", output)
    return mean_scores(output, asked)

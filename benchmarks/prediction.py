"""Predictors on cities B and C, days 60-74, beside what published models scored there."""

from __future__ import annotations

import time

import polars as pl

from benchmarks.harness import DATA, WORK, markdown
from humobctl.data.reading import iter_table
from humobctl.data.users import UserStore, paired_groups
from humobctl.data.writing import write_table
from humobctl.metrics.evaluate import Evaluator, Settings
from humobctl.models.decode import DECODERS
from humobctl.models.predictor import Job, Tally, predict_group, survey
from humobctl.models.registry import MODELS, build

PUBLISHED = {"Llama-3-8B-Mob": "llama3-8b-mob", "LP-BERT": "lp-bert"}


def scores(path: str, city: str) -> list[str]:
    """GEO-BLEU and DTW in both dialects, means over the 100 users."""
    settings = Settings(names=("geobleu", "dtw"))
    truth = str(DATA / "humob" / f"city{city}_100users.csv.gz")
    evaluator = Evaluator([path], truth, settings)
    for _ in evaluator.run():
        pass
    (result,) = evaluator.evaluations
    return [
        f"{result.value(m):.2f}" if m.unit == "km" else f"{result.value(m):.4f}"
        for m in result.metrics
    ]


def table() -> str:
    """Every model with every decoder; milliseconds a user on one core, reading left out."""
    rows = []
    for city in "BC":
        for name, file in PUBLISHED.items():
            path = str(DATA / "humob" / f"city{city}_{file}.csv.gz")
            rows.append([city, name, "", *scores(path, city), _seconds(city, name)])
        for model in MODELS:
            for decoder in DECODERS:
                path, milliseconds = _run(city, Job(model, decoder))
                rows.append([city, model, decoder, *scores(path, city), f"{milliseconds:.1f}"])
    columns = ["city", "model", "decoder", "GEO-BLEU humob24", "GEO-BLEU humob25"]
    return markdown([*columns, "DTW km humob24", "DTW km humob25", "ms a user"], rows)


def _seconds(city: str, name: str) -> str:
    if name != "Llama-3-8B-Mob":
        return "not recorded"
    recorded = pl.read_csv(DATA / "humob" / f"city{city}_recorded_scores.csv")
    return f"{1000 * recorded['llama_seconds'].mean():.0f} (RTX A6000)"


def _run(city: str, job: Job) -> tuple[str, float]:
    WORK.mkdir(exist_ok=True)
    path = str(WORK / f"{city}_{job.model}_{job.decode}.csv")
    with UserStore() as store:
        store.collect(iter_table(str(DATA / "humob" / f"city{city}_challenge.csv.gz")))
        summary, _ = survey(store, job, city)
        model, tally = build(job.model, summary, job.options), Tally()
        start = time.process_time()
        frames = [
            frame
            for (group,) in paired_groups([store])
            for frame in predict_group(group, model, summary, job, tally)
        ]
        milliseconds = 1000 * (time.process_time() - start) / tally.users
    write_table(iter(frames), path)
    return path, milliseconds

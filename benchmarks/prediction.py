"""Predictors on cities B and C, days 60-74, beside what published models scored there."""

from __future__ import annotations

import time
from collections.abc import Mapping

import polars as pl

from benchmarks.harness import DATA, WORK, markdown
from benchmarks.trainings import SEEDS, span, train_once
from humobctl.evaluate.cells.bootstrap import compare
from humobctl.evaluate.cells.run import CellEvalSettings, Evaluator
from humobctl.io.by_user import UserStore, paired_groups
from humobctl.io.read import iter_table
from humobctl.io.write import write_table
from humobctl.predict.decode_slots import DECODERS
from humobctl.predict.registry import MODELS, build
from humobctl.predict.run import PredictJob, PredictTally, predict_group, survey

PUBLISHED = {"Llama-3-8B-Mob": "llama3-8b-mob", "LP-BERT": "lp-bert"}


def scores(path: str, city: str) -> list[str]:
    """GEO-BLEU and DTW in both dialects, means over those of the 100 users who are predicted."""
    settings = CellEvalSettings(names=("geobleu", "dtw"), only_predicted_users=True)
    truth = str(DATA / "humob" / f"city{city}_100users.csv.gz")
    evaluator = Evaluator([path], truth, settings)
    for _ in evaluator.run():
        pass
    (result,) = evaluator.evaluations
    return [
        f"{result.value(m):.2f}" if m.unit == "km" else f"{result.value(m):.4f}"
        for m in result.metrics
    ]


COLUMNS = ("city", "model", "decoder", "GEO-BLEU humob24", "GEO-BLEU humob25")
COLUMNS += ("DTW km humob24", "DTW km humob25", "ms a user")


def table() -> str:
    """Every untrained model with every decoder; CPU milliseconds a user, without reading."""
    rows = []
    for city in "BC":
        for name, file in PUBLISHED.items():
            path = str(DATA / "humob" / f"city{city}_{file}.csv.gz")
            rows.append([city, name, "", *scores(path, city), _seconds(city, name)])
        for model in MODELS:
            for decoder in DECODERS:
                path, milliseconds = run(city, PredictJob(model, decoder), f"{model}_{decoder}")
                rows.append([city, model, decoder, *scores(path, city), f"{milliseconds:.1f}"])
    return markdown(list(COLUMNS), rows)


def ranker() -> str:
    """The ranker trained on both cities, on one's own and on the other; range of trainings."""
    rows, notes = [], []
    for cities in ("BC", "B", "C"):
        files = [DATA / "humob" / f"city{city}_challenge.csv.gz" for city in cities]
        trained = [
            train_once(f"ranker_{cities}", seed, "train", "ranker", *files) for seed in SEEDS
        ]
        spent = [cost for _, cost in trained]
        seconds, peak = span([one.seconds for one in spent], 0), max(one.megabytes for one in spent)
        notes.append(f"{' and '.join(cities)}: {seconds} s, peak {peak:.0f} MB")
        for city in "BC":
            for decoder in DECODERS if cities == "BC" else ("day",):
                name = f"ranker of {' and '.join(cities)}"
                jobs = {
                    f"{folder.name}_{decoder}": PredictJob(str(folder), decoder)
                    for folder, _ in trained
                }
                rows.append([city, name, decoder, *trainings(city, jobs)])
    head = "Training on 100 users a city, whole process: " + "; ".join(notes) + ".\n\n"
    return head + markdown(list(COLUMNS), rows)


def trainings(city: str, jobs: Mapping[str, PredictJob]) -> list[str]:
    """Scores and milliseconds a user, mean and range over trainings; jobs by name of the file."""
    made = [run(city, job, name) for name, job in jobs.items()]
    found = [scores(path, city) for path, _ in made]
    texts = [
        span([float(one) for one in column], len(column[0].partition(".")[2]))
        for column in zip(*found, strict=True)
    ]
    return [*texts, span([milliseconds for _, milliseconds in made], 1)]


def against_published() -> str:
    """The ranker of both cities minus each published model, with 95 % bootstrap intervals."""
    rows = []
    for city in "BC":
        truth = str(DATA / "humob" / f"city{city}_100users.csv.gz")
        files = [str(DATA / "humob" / f"city{city}_{file}.csv.gz") for file in PUBLISHED.values()]
        ours = str(WORK / f"{city}_ranker_BC-0_day.csv")
        evaluator = Evaluator([*files, ours], truth, CellEvalSettings())
        for _ in evaluator.run():
            pass
        *published, mine = evaluator.evaluations
        for name, other in zip(PUBLISHED, published, strict=True):
            for d in compare([other, mine])[0].differences:
                verdict = {True: "better", False: "worse", None: "not decided"}[d.better]
                interval = f"{d.low:+.4f} to {d.high:+.4f}"
                rows.append([city, name, d.metric.label, f"{d.value:+.4f}", interval, verdict])
    columns = ["city", "against", "metric", "difference", "95 % interval", "verdict"]
    return markdown(columns, rows)


def _seconds(city: str, name: str) -> str:
    if name != "Llama-3-8B-Mob":
        return "not recorded"
    recorded = pl.read_csv(DATA / "humob" / f"city{city}_recorded_scores.csv")
    return f"{1000 * recorded['llama_seconds'].mean():.0f} (RTX A6000)"


def run(city: str, job: PredictJob, name: str) -> tuple[str, float]:
    """Predict a city's masked rows; the file, and CPU milliseconds a user."""
    path = str(WORK / f"{city}_{name}.csv")
    with UserStore() as store:
        store.collect(iter_table(str(DATA / "humob" / f"city{city}_challenge.csv.gz")))
        summary, _ = survey(store, job, city)
        model, tally = build(job.model, summary, job.options), PredictTally()
        start = time.process_time()
        frames = [
            frame
            for (group,) in paired_groups([store])
            for frame in predict_group(group, model, summary, job, tally)
        ]
        milliseconds = 1000 * (time.process_time() - start) / tally.users
    write_table(iter(frames), path)
    return path, milliseconds

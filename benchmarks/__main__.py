"""``python -m benchmarks [name ...]``: print tables as Markdown; all but the large ones by default.

python -m benchmarks                      # minutes
python -m benchmarks import-20m city-100k # large files in bench-data/, a quarter of an hour
SCALE_USERS=100000 python -m benchmarks scale # folders of so many users
"""

from __future__ import annotations

import compileall
import sys

import humobctl
from benchmarks import (
    bert_length,
    bert_moe,
    borrowed,
    commuting,
    diffusion,
    diffusion_newyork,
    diffusion_speed,
    dry_runs,
    embedder,
    exploring,
    flow_series,
    generated,
    gpu,
    gravity,
    habits,
    headline,
    large,
    llama,
    measures,
    nearness,
    new_cells,
    next_location,
    noise,
    places,
    planning,
    prediction,
    returns,
    routines,
    scale,
    scoring,
    stays,
    trainings,
    twin,
    viewing,
)
from benchmarks.harness import DATA, WORK

NEEDS_DATA = ("kernels", "eval", "predict", "ranker", "against", "intend", "intend-scores")
NEEDS_DATA += (
    "next",
    "noise",
    "new-cells",
    "headline",
    "gravity",
    "gravity-processes",
    "gravity-scores",
    "gravity-halves",
    "epr-family",
)
NEEDS_DATA += ("borrowed-neighbours", "borrowed-bert", "routines", "trainings", "gravity-returns")
NEEDS_DATA += ("bert-steps", "dry-runs")
NEEDS_DATA += ("eval-generated", "eval-floors", "eval-controls", "commuting", "measures")
LLAMA = ("llama-speed", "llama-gpu", "llama-scores")
DIFFUSION = (
    "diffusion-scores",
    "diffusion-samplers",
    "diffusion-copies",
    "diffusion-newyork",
)
DIFFUSION += ("diffusion-steps", "diffusion-samples")
NEEDS_DATA += (*DIFFUSION, *LLAMA, "embed-scores", "explore", "stays", "stays-agreement", "twin")
TABLES = {
    "startup": ("Start-up", scoring.startup),
    "kernels": ("Scoring kernels, 100 users a city", scoring.kernels),
    "eval": ("The whole eval command, 3,000 users", scoring.command),
    "predict": ("Predictors, days 60-74, 100 users a city", prediction.table),
    "ranker": ("The ranker, days 60-74, 100 users a city", prediction.ranker),
    "noise": ("Seeds and users: history and ranker, days 60-74", noise.table),
    "new-cells": ("Cells new to a user: how probable, days 45-59", new_cells.table),
    "next": ("Next locations, the last 10 % of the records in time", next_location.table),
    "against": ("The ranker against published models", prediction.against_published),
    "headline": ("The README's scores, days 60-74, 100 users a city", headline.table),
    "bert-train": ("bert-moe: training steps", bert_moe.train_speed),
    "bert-predict": ("bert-moe: prediction", bert_moe.predict_speed),
    "bert-windows": ("bert-moe: the data set", bert_moe.build_speed),
    "bert-scores": ("bert-moe, days 60-74, 100 users a city", bert_moe.trained_scores),
    "bert-steps": ("bert-moe by steps, days 45-59", bert_length.steps),
    "bert-users": ("bert-moe by users of a synthetic city, days 60-74", bert_length.users),
    "borrowed-neighbours": ("History with similar users, days 45-59", borrowed.neighbours),
    "borrowed-bert": ("A ranker with bert-moe, days 45-59", borrowed.bert_feature),
    "routines": ("Routines of nearest neighbours across cities", routines.table),
    "trainings": ("What a training costs and gives", trainings.table),
    "dry-runs": ("What a dry run says of a training, and what that takes", dry_runs.table),
    "bert-transfer": ("bert-moe: from one city to another", bert_moe.transfer),
    "intend": ("Day plans, speed", planning.speed),
    "intend-calibrated": ("Plans before and after calibration to stays", planning.calibrated),
    "gravity-returns": ("How often generated people return over days", returns.returns),
    "intend-habits": ("How alike the days of a person are", habits.habits),
    "intend-scores": ("Day plans, JSD in nats, 100,000 people", planning.scores),
    "gravity": ("Places for day plans, speed", gravity.speed),
    "gravity-processes": ("Places for day plans, whole processes", gravity.processes),
    "gravity-halves": ("Laws fitted to half of Beijing's people", gravity.half_scores),
    "epr-family": ("The EPR family in Beijing", gravity.epr_family),
    "gravity-scores": ("Days in Beijing, JSD in nats", gravity.scores),
    "eval-generated": ("Scoring generated data, speed", generated.speed),
    "eval-floors": ("Scoring generated data, real against real", generated.floors),
    "eval-controls": ("Scoring generated data, one thing made wrong", generated.controls),
    "commuting": ("Commuting flows, origins held out", commuting.commuting),
    "nearness": ("Privacy and flows of generated people", nearness.table),
    "measures": ("Measures of check-ins, beside scikit-mobility", measures.agreement),
    "measures-20m": ("Measures of 2 and 20 million points", measures.speed),
    "places": ("Import of places", places.speed),
    "diffusion-scores": ("Learned days of Beijing, JSD in nats", diffusion.scores),
    "diffusion-samplers": ("Learned days: samplers", diffusion.samplers),
    "diffusion-copies": ("Learned days: nearest training days, km", diffusion.copies),
    "llama-speed": ("Language models: seconds and tokens a user", llama.speed),
    "llama-gpu": ("Language models: Llama-3-8B's sizes on a GPU", llama.gpu),
    "gpu": ("Learned models at their published sizes on a GPU, ten minutes", gpu.table),
    "llama-scores": ("Language models, days 60-74", llama.quality),
    "diffusion-newyork": ("Learned days of New York, JSD in nats", diffusion_newyork.scores),
    "diffusion-steps": (
        "Learned days: training steps beside denoising-diffusion-pytorch",
        diffusion_speed.train_speed,
    ),
    "diffusion-samples": (
        "Learned days: samples beside denoising-diffusion-pytorch",
        diffusion_speed.sample_speed,
    ),
    "embed-speed": ("Vectors of users, operations a second", embedder.speed),
    "embed-scores": ("Vectors of users not trained on", embedder.scores),
    "explore": ("The page of explore, in headless Chromium", exploring.table),
    "stays-agreement": ("Stays and trips beside trackintel's", stays.agreement),
    "stays": ("Stays and trips, whole commands", stays.speed),
    "stays-20m": ("Stays of 20 million points", stays.large),
    "flow-series": ("Hidden days of synthetic flows, Combined NRMSE", flow_series.table),
    "twin": ("A city's double: real, useful, safe", twin.table),
    "view": ("The page of view, in headless Chromium", viewing.table),
    "import-20m": ("Import of 20 million CSV rows", large.import_rows),
    "city-100k": ("A city of 100,000 users", large.city),
    "scale": ("Commands on folders, by number of users", scale.scale),
}
LARGE = (
    "import-20m",
    "measures-20m",
    "stays",
    "stays-agreement",
    "stays-20m",
    "city-100k",
    "scale",
    "gpu",
    *DIFFUSION,
    *LLAMA,
    "embed-scores",
    "explore",
    "flow-series",
    "twin",
    "view",
    "bert-steps",
    "bert-users",
    "dry-runs",
)


def main(names: list[str]) -> None:
    WORK.mkdir(exist_ok=True)
    compileall.compile_dir(humobctl.__path__[0], quiet=1)  # as an installation does
    for name in names or [name for name in TABLES if name not in LARGE]:
        if name not in TABLES:
            sys.exit(f"benchmarks: found {name!r}, expected one of {', '.join(TABLES)}")
        if name in NEEDS_DATA and not DATA.is_dir():
            print(f"{name}: skipped, it needs the research data in {DATA}", file=sys.stderr)
            continue
        title, table = TABLES[name]
        print(f"## {title}\n\n`python -m benchmarks {name}` on {scoring.machine()}\n")
        print(table(), flush=True)
        print()


main(sys.argv[1:])

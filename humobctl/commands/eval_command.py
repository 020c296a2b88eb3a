"""``humobctl eval``: scores of predictions, generated data, day plans and flows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import humobctl as hm
from humobctl.api.signatures import options_of
from humobctl.commands.options import options_from
from humobctl.commands.write_scores import (
    PRINTED,
    ScoreFormat,
    ScoreOutput,
    score_format,
    write_scores,
)

FAMILIES: dict[str, Callable[..., Any]] = {
    "Generated data": hm.evaluate_generated,
    "Flows": hm.evaluate_flows,
    "Daily flows": hm.evaluate_flow_series,
    "Predicted cells": hm.evaluate_cells,
    "Ranked candidates": hm.evaluate_ranked,
    "Day plans": hm.evaluate_plans,
}
METRICS = [
    f"{family}: {option.text.removeprefix('metrics to compute: ').partition('. Default:')[0]}."
    for family, function in FAMILIES.items()
    for option in options_of(function)
    if option.name == "metric"
]


@options_from(
    hm.evaluate,
    *FAMILIES.values(),
    helps={
        "bootstrap": "number of bootstrap samples: of users (predicted cells, ranked candidates), "
        "or of days (daily flows).",
        "by": "breakdown of the scores, by hour, weekday, days-ahead (1: the first predicted day), "
        "novelty (cells or places known or new to the user), activity (records of the user before "
        "the predicted days) or regularity (the share of these at their half hour's most visited "
        "cell or place). Predicted cells by hour and novelty: accuracy and distance alone. "
        "Default: none.",
        "cell_km": "cell size in km, for DTW and distances.",
        "metric": f"metrics to compute. {' '.join(METRICS)} Default: all.",
        "min_events": "minimum number of stays or activities per day; days with fewer are left "
        "out.",
        "plot": "draw the scores: predictions by user, time, regularity and on a map; generated "
        "data and day plans beside the reference; flows against the true ones: a .png, .svg or "
        ".html file (extra plot).",
        "seed": "seed of the bootstrap samples and of the samples of the real users (floor).",
    },
    before="engine",
)
def evaluate(output: ScoreOutput = None, format: ScoreFormat = None, **options: Any) -> None:
    """Score predictions, ranked candidates, generated data, day plans, flows or daily flows.

    The type of file is detected from its columns. 'eval embedding' scores user embeddings,
    'predict --validate' checks the form of a submission.

    Predicted cells: GEO-BLEU, DTW, accuracy and distance. Each user-day is scored; the scores are
    averaged over a user's days, then over users. Both files must hold the same (uid, d, t) on the
    scored days. Several files of predictions are compared pair by pair: bootstrap intervals over
    users, and p-values with Holm's correction for the number of pairs, which decide; intervals are
    not adjusted. --as-seeds takes files that differ in their seed alone ('predict --seeds') as one.

    Ranked candidates ('predict --top-k' or --task next) are scored by the rank and the probability
    of the true place: acc@k, ndcg@k, precision@k, recall@k, f1@k, mrr (of the list: 0 where the
    true place is not in it), nll, brier and ece (10 bins). Scores are means over records, with
    bootstrap intervals over users; files are compared by paired bootstrap and by permutation.

    The dialects are not comparable with each other: humob24 has n-grams up to 3 and lets DTW skip
    a prefix of the truth; humob25 has n-grams up to 5 and ordinary DTW.

    Generated data (visits, points, check-ins, CoPB's traces; grid trajectories with --generated)
    are compared with real data in any of these forms by their distributions: displacement
    (jump_distance), radius of gyration, stay duration, distinct places per day (daily_loc),
    periodicity, location popularity (grank), individual location ranks (irank), start times and
    intents. Each is given as Jensen-Shannon divergence over fixed bins (natural logarithm) and as
    Wasserstein distance of the values. The floor beside them is the score of 20 pairs of samples of
    the real users, as many users as are compared (mean and standard deviation); a divergence is at
    the floor if one of the pairs has one as large. --privacy adds distances to the nearest real day
    and the fraction of copies, beside those among real users. --flows adds common part of commuters
    (cpc), RMSE and correlation of the flows between cells, beside those of real halves.

    Day plans (intentions from 'intend', or visits without --truth): Jensen-Shannon divergences
    (natural logarithm) of activities per day, intents, durations by intent, all durations and
    start times, and the distance of the transition matrices. An activity is one row: one stay at
    one place. Real stays used as reference often leave out days with fewer than 3 stays; so does
    --min-events 3.

    Flows (origin, destination, flow): common part of commuters (cpc) and of links (cpl), RMSE and
    correlation over all pairs of areas and over the pairs that either file has. Trips within an
    area count only with --within.

    Daily flows (date, origin, destination, flow, or files of HuMob 2026): Combined NRMSE over all
    pairs of cells of --score-box, those of a cell with itself (diagonal) and the others (off
    diagonal), by day and by class of recovery, with bootstrap intervals over days.

    Example: humobctl eval predicted.csv --truth city.csv

    Example: humobctl predict city.csv --task next --rolling | humobctl eval - --truth city.csv

    Example: humobctl eval generated.csv --truth stays.csv --format table

    Example: humobctl eval predicted.csv --truth city.csv --generated --plot report.html

    Example: humobctl eval generated.csv --truth stays.csv --privacy --flows 1

    Example: humobctl eval plans.csv --format table

    Example: humobctl eval flows.csv --truth commuting.csv --metric cpc

    Example: humobctl intend profiles.csv --seed 2 | humobctl eval - --truth plans.csv

    Example: humobctl predict challenge.csv | humobctl eval - --truth city.csv --format table

    Example: humobctl eval predicted.csv predicted.csv --truth city.csv --dialect humob25

    Example: humobctl eval predicted.csv --truth city.csv --by weekday --by regularity

    Example: humobctl eval predicted.csv --truth city.csv --per-user --format csv

    Example: humobctl eval predicted.csv --truth city.csv --format latex
    """
    from humobctl.errors import UsageError
    from humobctl.io.outputs import check_distinct

    kind = score_format(output, format)  # a wrong one ends the command early
    beside = {f"--{name}": options.get(name) for name in ("detail", "plot")}
    check_distinct({"--output": output or "-", **beside})
    if options["per_user"] and kind in PRINTED:
        raise UsageError("--per-user: expected --format json, csv, ndjson, parquet or arrow")
    write_scores(hm.evaluate(**options), output, format)

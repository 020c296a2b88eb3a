"""Evaluation of one family of scores each; a function's parameters are the options it takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from humobctl.api.options import (
    Between,
    CellKm,
    Days,
    EngineName,
    OnError,
    Seed,
    Weekday,
    Workers,
    check_choice,
    check_names,
    first_and_last,
    weekday_number,
)
from humobctl.api.signatures import public
from humobctl.api.tables import PathName, Source, Sources, as_path, paths_of, several
from humobctl.console import report as notes
from humobctl.errors import UsageError
from humobctl.evaluate.scores import Scores

Breakdown = Literal["hour", "weekday", "days-ahead", "novelty", "activity", "regularity"]
MinEvents = Annotated[int, Between(1, 48)]


def check_breakdowns(names: Sequence[str] | None) -> tuple[str, ...]:
    """The breakdowns asked for, each once.

    Raises:
        UsageError: one is not known.
    """
    known = get_args(Breakdown)
    return tuple(dict.fromkeys(check_choice("--by", one, known) for one in names or ()))


@public()
def evaluate_cells(
    tables: Sources,
    truth: Source | None,
    *,
    dialect: Literal["both", "humob24", "humob25"] | None = None,
    days: Days | None = None,
    shift_days: int = 0,
    metric: Sequence[str] | None = None,
    by: Sequence[Breakdown] | None = None,
    dtw: Literal["exact", "fast"] = "exact",
    detail: PathName | None = None,
    per_user: bool = False,
    users: Literal["all", "predicted"] = "all",
    allow_partial: bool = False,
    cell_km: CellKm = 0.5,
    as_seeds: bool = False,
    pairs: Literal["all", "first"] = "all",
    bootstrap: Annotated[int, Between(100)] = 2000,
    confidence: Annotated[float, Between(0.5, 0.999)] = 0.95,
    plot: PathName | None = None,
    first_weekday: Weekday = "sunday",
    seed: Seed = 0,
    engine: EngineName = "local",
    address: str | None = None,
    workers: Workers | None = None,
    on_error: OnError = "fail",
) -> Scores:
    """Score predicted cells against the truth: GEO-BLEU, DTW, accuracy and distance.

    A score is taken of each user-day, averaged over a user's days, then over users. All tables
    must hold the same (uid, d, t) on the days scored. The dialects are not comparable: humob24
    has n-grams up to 3 and lets DTW skip a prefix of the truth; humob25 has n-grams up to 5 and
    ordinary DTW (the rules of the HuMob challenges 2023 and 2024, and of the GIS Cup 2025).

    Args:
        tables: predictions; several are compared with each other.
        truth: the true cells.
        dialect: rules of GEO-BLEU and DTW: humob24 (HuMob 2023 and 2024), humob25 (GIS Cup 2025),
            or both. Default: both.
        days: days to score, such as 60-74. Default: the predicted days.
        shift_days: number of days to add to each day of the predictions, to match the truth.
        metric: metrics to compute: geobleu, dtw, accuracy, distance. Default: all.
        by: breakdown of the scores, by hour, weekday, days-ahead (1: the first predicted day),
            novelty (cells known or new to the user), activity (records of the user before the
            predicted days) or regularity (the share of these at their half hour's most visited
            cell); by hour and novelty accuracy and distance alone. Default: none.
        dtw: DTW algorithm: exact, or the approximation FastDTW (dialect humob25 only).
        detail: also write the scores of every user-day to this file.
        per_user: also report the scores of every user (not with --format table).
        users: users to score: all users in the truth, or only those with a prediction (predicted).
        allow_partial: score incomplete predictions and report how much is missing.
        cell_km: cell size in km, for DTW and distances.
        as_seeds: score files whose names differ in their seeds alone (predicted.seed-0.csv,
            predicted.seed-1.csv; ``predict --seeds``) as one: mean, standard deviation over seeds,
            and intervals over users and seeds.
        pairs: files to compare with each other: all pairs, or each file with the first one (first).
        bootstrap: number of bootstrap samples of users (several predictions).
        confidence: confidence level of the bootstrap intervals.
        plot: draw the scores by user, hour, weekday, days ahead, regularity and known cells, and a
            map of errors: a .png, .svg or .html file (extra plot).
        seed: seed of the bootstrap samples.

    Returns:
        The scores, with a signature of every setting that changes them.

    Raises:
        HumobError: a table cannot be read, or its rows are not those of the truth.
        UsageError: no truth, or options that do not go together.

    Example:
        >>> predicted = hm.predict("challenge.csv")
        >>> hm.evaluate_cells(predicted, "city.csv", metric=["accuracy"]).to_dict()["users"]
        20
    """
    from humobctl.evaluate.cells import report
    from humobctl.evaluate.cells.bootstrap import compare
    from humobctl.evaluate.cells.breakdowns import metrics_of
    from humobctl.evaluate.cells.geobleu import DIALECTS
    from humobctl.evaluate.cells.plots import write_plot
    from humobctl.evaluate.cells.run import CellEvalSettings, Evaluator
    from humobctl.evaluate.cells.seeds import pool_seeds
    from humobctl.evaluate.ranked.compare import Resampling
    from humobctl.evaluate.registry import NAMES
    from humobctl.execution.run import LongRun
    from humobctl.io.write import write_table
    from humobctl.plots.files import check_plot

    long = LongRun(None, engine, address, workers)
    picture, weekday = as_path(plot), weekday_number(first_weekday)
    if truth is None:
        raise UsageError("--truth: expected the true cells to score predictions with")
    if picture is not None:
        check_plot(picture)
    names = check_names(metric, NAMES, "")
    chosen = check_choice("--dialect", dialect or "both", ("both", *DIALECTS))
    if dtw == "fast" and "dtw" in names and chosen != "humob25":
        if chosen == "humob24":
            raise UsageError(
                "--dtw fast: FastDTW has no free prefix, so it needs --dialect humob25"
            )
        notes.info("--dtw fast: left out DTW of humob24, as FastDTW has no free prefix")
    settings = CellEvalSettings(
        dialects=DIALECTS if chosen == "both" else (chosen,),
        dtw=dtw,
        days=first_and_last(days),
        names=names,
        shift_days=shift_days,
        allow_partial=allow_partial,
        only_predicted_users=users == "predicted",
        cell_km=cell_km,
        on_error=on_error,
        with_errors=picture is not None,
        by=check_breakdowns(by),
        first_weekday=weekday,
    )
    for one in settings.by:
        metrics_of(one, settings.metrics())
    with paths_of(*several(tables), truth) as (*paths, truth_path):
        evaluator = Evaluator(paths, truth_path, settings, long)
        if detail is not None:
            write_table(evaluator.run(), as_path(detail), table=None)
        else:
            for _ in evaluator.run():
                pass
    evaluations = evaluator.evaluations
    how = Resampling(bootstrap, confidence, seed)
    draws: Any = vars(how)
    if as_seeds:
        evaluations = pool_seeds(evaluations, **draws)
    compared = compare(evaluations, pairs, **draws)
    found = report.Comparison(evaluations, compared, by_user=per_user, how=how)
    if picture is not None:
        write_plot(found, picture, Path(truth_path).name, weekday)
    return Scores(report, found)


@public()
def evaluate_plans(
    tables: Sources,
    truth: Source | None = None,
    *,
    metric: Sequence[str] | None = None,
    min_events: MinEvents = 1,
    plot: PathName | None = None,
    on_error: OnError = "fail",
) -> Scores:
    """Score day plans: how their statistics differ from those of a reference.

    Jensen-Shannon divergence (natural logarithm) of events per day, intents, durations by intent,
    all durations and starts; total variation distance of the transition matrices.

    Args:
        tables: intentions or visits.
        truth: intentions or visits to compare with. Default: the statistics that CoPB published for
            Beijing.
        metric: metrics to compute: events_per_day, intent, intent_duration, duration, start,
            transition. Default: all.
        min_events: minimum number of activities per day; days with fewer are left out.
        plot: draw activities by hour, number, duration and intent beside the reference: a .png,
            .svg or .html file (extra plot).

    Returns:
        The scores.

    Raises:
        HumobError: a table cannot be read, or no day is left.
        UsageError: no such metric.

    Example:
        >>> scores = hm.evaluate_plans("plans.csv", "plans.csv", metric=["intent"])
        >>> scores.to_frame()["value"].item()
        0.0
    """
    from humobctl.evaluate.plans import report
    from humobctl.evaluate.plans.plots import write_plot
    from humobctl.evaluate.plans.run import evaluate_intentions
    from humobctl.evaluate.registry import INTENTION_NAMES
    from humobctl.plots.files import check_plot

    names, picture = check_names(metric, INTENTION_NAMES, " for day plans"), as_path(plot)
    if picture is not None:
        check_plot(picture)
    with paths_of(*several(tables), truth) as (*paths, truth_path):
        found = evaluate_intentions(
            paths, truth_path, names=names, least_events=min_events, on_error=on_error
        )
    if picture is not None:
        write_plot(found, picture)
    return Scores(report, found)


@public()
def evaluate_generated(
    tables: Sources,
    truth: Source | None,
    *,
    metric: Sequence[str] | None = None,
    cell_km: CellKm = 0.5,
    seed: Seed = 0,
    min_events: MinEvents = 1,
    places: Source | None = None,
    plot: PathName | None = None,
    privacy: bool = False,
    flows: Annotated[float, Between(0.01)] | None = None,
    on_error: OnError = "fail",
) -> Scores:
    """Score generated data against real ones: how far their distributions are apart.

    Each metric is the Jensen-Shannon divergence of fixed bins (nats) and the Wasserstein distance
    of the values, beside the floor: what samples of the real people are apart
    (20 pairs, as many people as are compared; mean and standard deviation).

    Args:
        tables: visits, points, check-ins, CoPB's traces or grid trajectories.
        truth: real data, in any of these forms.
        metric: metrics to compute: jump_distance, radius, duration, daily_loc, periodicity, grank,
            irank, start, events_per_day, intent, intent_duration, transition. Default: all.
        cell_km: cell size in km.
        seed: seed of the samples of the real users (floor).
        min_events: minimum number of stays per day; days with fewer are left out.
        places: table of place_id, lat and lon; needed for CoPB's traces, which have no coordinates.
        plot: draw the distributions of generated and real data: a .png or .html file (extra plot).
        privacy: also score privacy: distances (km) from generated days to the nearest real ones,
            and copies.
        flows: also compare flows between cells of this size, in km.

    Returns:
        The scores.

    Raises:
        HumobError: a table cannot be read, cells stand beside points, or nothing is to compare.
        UsageError: no truth, or no such metric.

    Example:
        >>> scores = hm.evaluate_generated("generated.csv", "stays.csv", metric=["radius"])
        >>> scores.to_frame().columns
        ['file', 'uid', 'metric', 'edition', 'value', 'low', 'high']
    """
    from humobctl.evaluate.generated import report
    from humobctl.evaluate.generated.plots import check_pictures, write_pictures
    from humobctl.evaluate.generated.privacy_and_flows import flow_scores, privacy_scores
    from humobctl.evaluate.generated.run import GeneratedEvalSettings
    from humobctl.evaluate.generated.run import evaluate_generated as scored
    from humobctl.evaluate.registry import GENERATED_NAMES

    if truth is None:
        raise UsageError("--truth: expected real data to score generated data against")
    names, picture = check_names(metric, GENERATED_NAMES, " for generated data"), as_path(plot)
    if picture is not None:
        check_pictures(picture, names)
    with paths_of(*several(tables), truth, places) as (*paths, truth_path, places_path):
        settings = GeneratedEvalSettings(
            names=names,
            least_events=min_events,
            seed=seed,
            cell_km=cell_km,
            on_error=on_error,
            places=places_path,
            extras=[
                *([privacy_scores(seed)] if privacy else []),
                *([] if flows is None else [flow_scores(flows, seed)]),
            ],
        )
        found = scored(paths, truth_path, settings)
    if picture is not None:
        write_pictures(found, picture)
    return Scores(report, found)


@public()
def evaluate_flows(
    tables: Sources,
    truth: Source | None,
    *,
    metric: Sequence[str] | None = None,
    within: bool = False,
    areas: Source | None = None,
    plot: PathName | None = None,
    on_error: OnError = "fail",
) -> Scores:
    """Score flows between areas against the true ones.

    Args:
        tables: flows (origin, destination, flow).
        truth: the true flows.
        metric: metrics to compute: cpc (common part of commuters), cpl (of links), rmse (trips),
            correlation, rmse_travelled, correlation_travelled. Default: all.
        within: also count trips within an area.
        areas: areas of the flows (area_id, lat, lon, or GeoJSON), to draw trips by distance.
            Default: no distances.
        plot: draw predicted against true trips, of pairs and of areas, and with ``areas`` by
            distance: a .png, .svg or .html file (extra plot).

    Returns:
        The scores.

    Raises:
        HumobError: a table cannot be read, or has no trip to compare.
        UsageError: no truth, no such metric, or areas without a plot.

    Example:
        >>> scores = hm.evaluate_flows("commuting.csv", "commuting.csv", metric=["cpc"])
        >>> scores.to_frame()["value"].item()
        1.0
    """
    from humobctl.evaluate.flows import report
    from humobctl.evaluate.flows.plots import write_plot
    from humobctl.evaluate.flows.run import FLOW_NAMES
    from humobctl.evaluate.flows.run import evaluate_flows as scored
    from humobctl.plots.files import check_plot

    if truth is None:
        raise UsageError("--truth: expected the true flows to score flows with")
    names, picture = check_names(metric, FLOW_NAMES, " for flows"), as_path(plot)
    if picture is not None:
        check_plot(picture)
    elif areas is not None:
        raise UsageError("--areas needs --plot, which draws trips by distance")
    with paths_of(*several(tables), truth, areas) as (*paths, truth_path, areas_path):
        if [*paths, truth_path, areas_path].count("-") > 1:
            raise UsageError("standard input (-) can be read only once")
        found = scored(
            paths, truth_path, names=names, within=within, areas=areas_path, on_error=on_error
        )
    if picture is not None:
        write_plot(found, picture)
    return Scores(report, found)


@public()
def evaluate_flow_series(
    tables: Sources,
    truth: Source | None,
    *,
    score_box: str = "30-70,35-70",
    diagonal_scale: Annotated[float, Between(1e-12)] = 26.57,
    off_diagonal_scale: Annotated[float, Between(1e-12)] = 0.0176,
    shock_date: str = "2024-01-01",
    pairs: Literal["all", "first"] = "all",
    bootstrap: Annotated[int, Between(100)] = 2000,
    confidence: Annotated[float, Between(0.5, 0.999)] = 0.95,
    seed: Seed = 0,
    on_error: OnError = "fail",
) -> Scores:
    """Score predicted daily flows against the true ones: the Combined NRMSE of HuMob 2026.

    Each day's root mean squared error over all pairs of cells, of a cell with itself (diagonal) and
    of two cells (off diagonal), averaged over days and divided by a fixed number. Pairs that
    are not listed count as 0. docs/humob2026.md has the formulas and the classes of recovery.

    Args:
        tables: predicted days (date, origin, destination, flow, or a file of HuMob 2026); several
            are compared with each other.
        truth: the true days; its other days tell the recovery of each area.
        score_box: x and y of the cells to score, both ends included, or all for all areas.
        diagonal_scale: number that the diagonal error is divided by.
        off_diagonal_scale: number that the off-diagonal error is divided by.
        shock_date: date of the disaster, for scores by recovery.
        pairs: files to compare with each other: all pairs, or each file with the first one (first).
        bootstrap: number of bootstrap samples of days.
        confidence: confidence level of the bootstrap intervals.
        seed: seed of the bootstrap samples.

    Returns:
        The scores; ``to_dict()`` has those of each day and class of recovery, too.

    Raises:
        HumobError: a table cannot be read, or has no day or cell to score.
        UsageError: no truth, or a box or date that is none.

    Example:
        >>> flows = hm.synth(flows=True, flows_grid="12x9", days=20)
        >>> hm.evaluate_flow_series(flows, flows, score_box="all").to_dict()["combined_nrmse"]
        0.0
    """
    from humobctl.evaluate.flow_series import report
    from humobctl.evaluate.flow_series.run import FlowSeriesSettings, parse_box
    from humobctl.evaluate.flow_series.run import evaluate_flow_series as scored
    from humobctl.tables.calendar import parse_date

    if truth is None:
        raise UsageError("--truth: expected the true daily flows to score predictions with")
    settings = FlowSeriesSettings(
        box=parse_box(score_box),
        diagonal_scale=diagonal_scale,
        off_diagonal_scale=off_diagonal_scale,
        shock=parse_date(shock_date, "--shock-date"),
        pairs=pairs,
        resamples=bootstrap,
        confidence=confidence,
        seed=seed,
        on_error=on_error,
    )
    with paths_of(*several(tables), truth) as (*paths, truth_path):
        return Scores(report, scored(paths, truth_path, settings))


@public()
def evaluate_ranked(
    tables: Sources,
    truth: Source | None,
    *,
    metric: Sequence[str] | None = None,
    by: Sequence[Breakdown] | None = None,
    history: Sources = (),
    per_user: bool = False,
    users: Literal["all", "predicted"] = "all",
    allow_partial: bool = False,
    as_seeds: bool = False,
    pairs: Literal["all", "first"] = "all",
    bootstrap: Annotated[int, Between(100)] = 2000,
    confidence: Annotated[float, Between(0.5, 0.999)] = 0.95,
    first_weekday: Weekday = "sunday",
    seed: Seed = 0,
    on_error: OnError = "fail",
) -> Scores:
    """Score ranked candidates (``predict`` with ``top_k``) against the true places.

    Whole distributions (``predict`` with ``probabilities``) are ranked by p.

    Scores are means over records; intervals and comparisons draw users.

    Args:
        tables: ranked cells of masked rows, or ranked places of next records; several are compared
            with each other.
        truth: the true cells, or the sessions that were predicted.
        metric: metrics to compute: acc, ndcg, precision, recall or f1 at K (acc@5; acc is at 1,
            5, 10 and 20), mrr, nll, brier, ece. Default: acc, ndcg, mrr, nll, brier and ece.
        by: breakdown of the scores, by hour, weekday, days-ahead (1: the first predicted day),
            novelty (places known or new to the user), activity (records of the user in
            ``history``) or regularity (the share of these at their half hour's most visited
            place). Default: none.
        history: earlier records, for breakdowns by novelty, activity and regularity. Default: the
            days of ``truth`` before the predicted ones.
        per_user: also report the scores of every user (not with --format table).
        users: users to score: all users in the truth, or only those with a prediction (predicted).
        allow_partial: score incomplete predictions and report how much is missing.
        as_seeds: score files whose names differ in their seeds alone as one (see
            ``evaluate_cells``).
        pairs: files to compare with each other: all pairs, or each file with the first one (first).
        bootstrap: number of bootstrap samples of users.
        confidence: confidence level of the bootstrap intervals.
        seed: seed of the bootstrap samples.

    Returns:
        The scores, with a signature of every setting that changes them.

    Raises:
        HumobError: a table cannot be read, or its records are not those of the truth.
        UsageError: no truth, or no such metric.

    Example:
        >>> city = hm.read("city.csv").head(3000)
        >>> ranked = hm.predict(city, task="next", rolling=True)
        >>> hm.evaluate_ranked(ranked, city, metric=["mrr"]).to_dict()["chosen"]
        'next'
    """
    from humobctl.evaluate.ranked import report
    from humobctl.evaluate.ranked.compare import Resampling, compare_ranked, pool_seeds
    from humobctl.evaluate.ranked.run import RankedEvalSettings
    from humobctl.evaluate.ranked.run import evaluate_ranked as scored

    if truth is None:
        raise UsageError("--truth: expected the true places to score candidates with")
    settings = RankedEvalSettings(
        names=None if metric is None else tuple(metric),
        by=check_breakdowns(by),
        allow_partial=allow_partial,
        only_predicted_users=users == "predicted",
        first_weekday=weekday_number(first_weekday),
        on_error=on_error,
    )
    how = Resampling(bootstrap, confidence, seed)
    earlier = several(history)
    with paths_of(truth, *earlier, *several(tables)) as (truth_path, *others):
        found = scored(others[len(earlier) :], truth_path, others[: len(earlier)], settings)
    if as_seeds:
        found = pool_seeds(found)
    compared = compare_ranked(found, pairs, how)
    return Scores(report, report.RankedComparison(found, compared, how, by_user=per_user))

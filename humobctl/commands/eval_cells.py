"""``humobctl eval``: scores of predictions against the truth, of generated data and day plans."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from humobctl.commands.eval_flows import score_flows
from humobctl.commands.options import Address, Engine, OnError, OnErrorOption, Workers
from humobctl.commands.write_scores import score_format, write_scores, write_text

if TYPE_CHECKING:
    from humobctl.evaluate.cells.bootstrap import Difference
    from humobctl.evaluate.cells.run import CellEvalSettings, Evaluation, Evaluator
    from humobctl.evaluate.generated.run import Extra

Dialect = Literal["both", "humob24", "humob25"]
DtwKind = Literal["exact", "fast"]
Users = Literal["all", "predicted"]
Family = Literal["cells", "flows", "generated", "plans"]
ScoreFormat = Literal["table", "json", "csv", "ndjson", "parquet", "arrow"]


def evaluate(
    predictions: Annotated[
        list[str],
        typer.Argument(
            metavar="PREDICTIONS...",
            help="Predicted cells, generated visits or trajectories, day plans, or flows; - for "
            "standard input.",
        ),
    ],
    truth: Annotated[
        str | None,
        typer.Option(
            "--truth",
            "-t",
            help="The true cells, or real data; for day plans a table to compare with, else what "
            "CoPB published.",
        ),
    ] = None,
    dialect: Annotated[
        Dialect | None,
        typer.Option(
            help="Rules of GEO-BLEU and DTW: of 2023 and 2024, of 2025, or both (the default)."
        ),
    ] = None,
    days: Annotated[
        str | None,
        typer.Option(metavar="A-B", help="Days to score, such as 60-74; else those predicted."),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="Of cells geobleu, dtw, accuracy, distance; of day plans events_per_day, intent, "
            "intent_duration, duration, start, transition; of generated data these and "
            "jump_distance, radius, daily_loc, periodicity, grank, irank; of flows cpc, cpl, rmse, "
            "correlation, rmse_travelled, correlation_travelled. May be repeated; all by default."
        ),
    ] = None,
    dtw: Annotated[
        DtwKind, typer.Option(help="Exact DTW, or FastDTW's approximation (humob25 only).")
    ] = "exact",
    detail: Annotated[
        str | None, typer.Option(help="Also write the scores of every user-day to this file.")
    ] = None,
    per_user: Annotated[
        bool,
        typer.Option("--per-user", help="Add every user's scores; not to a table on a terminal."),
    ] = False,
    users: Annotated[
        Users,
        typer.Option(
            help="Whose true rows must be predicted: everybody's, or theirs of whom any are."
        ),
    ] = "all",
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Score incomplete predictions; say how much.")
    ] = False,
    generated: Annotated[
        bool,
        typer.Option(
            "--generated", help="Cells are generated data, to be scored without matching people."
        ),
    ] = False,
    cell_km: Annotated[
        float, typer.Option(min=0.001, help="Side of a cell in km, for DTW and distances.")
    ] = 0.5,
    bootstrap: Annotated[
        int, typer.Option(min=100, help="Resamples of users when files are compared.")
    ] = 2000,
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="Of the intervals of a comparison.")
    ] = 0.95,
    seed: Annotated[
        int,
        typer.Option(min=0, help="Seed of the resamples, and of the halves of the real people."),
    ] = 0,
    min_events: Annotated[
        int,
        typer.Option(
            min=1,
            max=48,
            help="Leave out days with fewer stays or events (not of predicted cells).",
        ),
    ] = 1,
    places: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Table of place_id, lat, lon for CoPB's traces, which name places by id only.",
        ),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Draw the distributions of generated and real data (.png or .html; extra plot).",
        ),
    ] = None,
    privacy: Annotated[
        bool,
        typer.Option("--privacy", help="How near generated people come to real ones, and copies."),
    ] = False,
    flows: Annotated[
        float | None,
        typer.Option(
            metavar="CELL_KM",
            min=0.01,
            help="Also compare the flows of generated and real people between cells so wide.",
        ),
    ] = None,
    within: Annotated[
        bool, typer.Option("--within", help="Count trips within an area, too (flows only).")
    ] = False,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="File to write instead of standard output.")
    ] = None,
    format: Annotated[
        ScoreFormat | None,
        typer.Option("--format", "-f", help="Else a table on a terminal and json in a pipe."),
    ] = None,
    engine: Engine = "local",
    address: Address = None,
    workers: Workers = None,
    on_error: OnErrorOption = "fail",
) -> None:
    """Score predictions against the truth, generated data against real ones, or day plans.

    Which of them a file holds is seen from its columns. 'eval embedding' scores embedders.

    Cells: GEO-BLEU, DTW, accuracy and distance. A score is taken of each user-day, averaged over a
    user's days, then over users. Both files must hold the same (uid, d, t) on the days scored. Two
    or more files of predictions are compared with the first one, with bootstrap intervals over
    users.

    The two dialects are not comparable with each other: humob24 has n-grams up to 3 and lets DTW
    skip a prefix of the truth; humob25 has n-grams up to 5 and ordinary DTW.

    Generated data (visits, points, check-ins, CoPB's traces; grid trajectories with --generated)
    against real ones in any of these forms: how far their distributions are apart. Jump distance,
    radius of gyration, stay duration, distinct places of a day (daily_loc), periodicity, location
    popularity (grank), individual ranks (irank), start times and intents, each as the
    Jensen-Shannon divergence of fixed bins (natural logarithm) and as the Wasserstein distance of
    the values. The floor beside them is what two halves of the real people are apart. --privacy
    adds distances to the nearest real person-day and shares of copies, beside those among real
    people, and --flows the common part of commuters (cpc), RMSE and correlation of the flows
    between cells, beside those of the halves.

    Day plans (intentions from 'intend', or visits without --truth): divergences (Jensen-Shannon,
    natural logarithm) of events per day, intents, durations by intent, all durations and starts,
    and the distance of the transition matrices. An event is one row: one stay at one place. Real
    stays as a reference often leave out days with fewer than 3; so does --min-events 3.

    Flows (origin, destination, flow): common part of commuters (cpc) and of links (cpl), RMSE and
    correlation over all pairs of areas and over those that either file has. Trips within an area
    count with --within only.

    Example: humobctl eval predicted.csv --truth city.csv

    Example: humobctl eval generated.csv --truth stays.csv --format table

    Example: humobctl eval predicted.csv --truth city.csv --generated --plot report.html

    Example: humobctl eval generated.csv --truth stays.csv --privacy --flows 1

    Example: humobctl eval plans.csv --format table

    Example: humobctl eval flows.csv --truth commuting.csv --metric cpc

    Example: humobctl intend profiles.csv --seed 2 | humobctl eval - --truth plans.csv

    Example: humobctl predict challenge.csv | humobctl eval - --truth city.csv --format table

    Example: humobctl eval predicted.csv predicted.csv --truth city.csv --dialect humob25
    """
    from humobctl.errors import UsageError
    from humobctl.evaluate.cells.bootstrap import compare
    from humobctl.evaluate.cells.run import Evaluator
    from humobctl.execution.run import LongRun

    kind = score_format(output, format)
    long = LongRun(None, engine, address, workers)
    paths = predictions if truth is None else [*predictions, truth]
    _refuse_clashes(paths, output, detail, plot, kind, per_user)
    cells_only = {
        "--dialect": dialect is not None,
        "--days": days is not None,
        "--dtw": dtw != "exact",
        "--detail": detail is not None,
        "--per-user": per_user,
        "--users": users != "all",
        "--allow-partial": allow_partial,
        "--engine ray": engine == "ray",
    }
    generated_only = {
        "--generated": generated,
        "--places": places is not None,
        "--plot": plot is not None,
        "--privacy": privacy,
        "--flows": flows is not None,
    }
    family = _family(predictions, truth, generated=generated)
    if family == "flows":
        _refuse(
            {**cells_only, **generated_only, "--min-events": min_events > 1},
            "does not go with flows between areas",
        )
        text = score_flows(
            predictions, truth, metric, kind, output, within=within, on_error=on_error
        )
        if text is not None:
            write_text(text, output)
        return
    _refuse({"--within": within}, "goes with flows between areas")
    if family == "generated":
        _refuse(cells_only, "goes with predicted cells, not with generated data")
        if truth is None:
            raise UsageError("--truth: expected real data to score generated data against")
        _score_generated(
            *(predictions, truth, kind, output, plot),
            names=_names(metric, family),
            least_events=min_events,
            seed=seed,
            cell_km=cell_km,
            on_error=on_error,
            places=places,
            extras=_extras(privacy, flows, seed),
        )
        return
    _refuse(generated_only, "goes with generated data and real ones to compare them with")
    if family == "plans":
        _refuse(cells_only, "goes with predicted cells, not with day plans")
        names = _names(metric, family)
        _score_plans(predictions, truth, names, min_events, on_error, kind, output)
        return
    if truth is None:
        raise UsageError("--truth: expected the true cells to score predictions with")
    _refuse({"--min-events": min_events > 1}, "goes with day plans, not with predicted cells")
    settings = replace(
        _settings(dialect, dtw, days, metric),
        allow_partial=allow_partial,
        only_predicted_users=users == "predicted",
        cell_km=cell_km,
        on_error=on_error,
    )
    evaluator = Evaluator(predictions, truth, settings, long)
    if detail is None:
        for _ in evaluator.run():
            pass
    else:
        _write_detail(evaluator, detail)
    first, *others = evaluator.evaluations
    differences = [
        compare(first, other, resamples=bootstrap, confidence=confidence, seed=seed)
        for other in others
    ]
    _write(evaluator.evaluations, differences, kind, output, per_user=per_user)


def _settings(
    dialect: Dialect | None, dtw: DtwKind, days: str | None, metric: list[str] | None
) -> CellEvalSettings:
    from humobctl.commands.options import parse_range
    from humobctl.errors import UsageError
    from humobctl.evaluate.cells.geobleu import DIALECTS
    from humobctl.evaluate.cells.run import CellEvalSettings

    if dtw == "fast" and dialect in ("both", "humob24"):
        raise UsageError(
            "--dtw fast: FastDTW has no free prefix, so it goes with --dialect humob25 only"
        )
    chosen = dialect or ("humob25" if dtw == "fast" else "both")
    return CellEvalSettings(
        dialects=DIALECTS if chosen == "both" else (chosen,),
        dtw=dtw,
        days=parse_range("--days", days) if days else None,
        names=_names(metric, "cells"),
    )


def _names(metric: list[str] | None, family: Family) -> tuple[str, ...]:
    """The metrics asked for, or all."""
    from humobctl.errors import UsageError
    from humobctl.evaluate.registry import GENERATED_NAMES, INTENTION_NAMES, NAMES

    known, what = {
        "cells": (NAMES, ""),
        "plans": (INTENTION_NAMES, " for day plans"),
        "generated": (GENERATED_NAMES, " for generated data"),
    }[family]
    unknown = [name for name in metric or () if name not in known]
    if unknown:
        raise UsageError(
            f"--metric: found {unknown[0]!r}, expected one of {', '.join(known)}{what}"
        )
    return tuple(metric) if metric else known


def _refuse(given: dict[str, bool], why: str) -> None:
    from humobctl.errors import UsageError

    for option, is_given in given.items():
        if is_given:
            raise UsageError(f"{option} {why}")


def _family(paths: list[str], truth: str | None, *, generated: bool) -> Family:
    """Predicted cells, generated data, day plans or flows: by the first file, and the rest."""
    from humobctl.data.importers.table_kind import kind_of
    from humobctl.tables.schemas import FLOWS, GRID, INTENTIONS, POINTS

    kind = kind_of(paths[0])
    if kind is FLOWS:
        return "flows"
    if kind is INTENTIONS:
        return "plans"
    if kind is GRID or kind is POINTS:
        return "generated" if generated or kind is POINTS else "cells"
    without_places = truth is None or any(
        kind_of(path) is INTENTIONS for path in [*paths[1:], truth]
    )
    return "plans" if without_places and not generated else "generated"


def _extras(privacy: bool, flows: float | None, seed: int) -> list[Extra]:
    from humobctl.evaluate.generated.privacy_and_flows import flow_scores, privacy_scores

    found = [privacy_scores(seed)] if privacy else []
    return found if flows is None else [*found, flow_scores(flows, seed)]


def _score_generated(
    paths: list[str],
    truth: str,
    kind: str,
    output: str | None,
    plot: str | None,
    **settings: Any,
) -> None:
    from humobctl.evaluate.generated import report
    from humobctl.evaluate.generated.plots import check_pictures, write_pictures
    from humobctl.evaluate.generated.run import GeneratedEvalSettings, evaluate_generated

    if plot is not None:
        check_pictures(plot, settings["names"])
    found = evaluate_generated(paths, truth, GeneratedEvalSettings(**settings))
    if plot is not None:
        write_pictures(found, plot)
    write_scores(report, found, kind, output)


def _score_plans(
    paths: list[str],
    truth: str | None,
    names: tuple[str, ...],
    min_events: int,
    on_error: OnError,
    kind: str,
    output: str | None,
) -> None:
    from humobctl.evaluate.plans import report
    from humobctl.evaluate.plans.run import evaluate_intentions

    found = evaluate_intentions(
        paths, truth, names=names, least_events=min_events, on_error=on_error
    )
    write_scores(report, found, kind, output)


def _refuse_clashes(
    paths: list[str],
    output: str | None,
    detail: str | None,
    plot: str | None,
    kind: str,
    per_user: bool,
) -> None:
    from humobctl.errors import UsageError

    if paths.count("-") > 1:
        raise UsageError("standard input (-) can be read only once")
    to_stdout = output in (None, "-")
    if detail is not None and (detail == output or (detail == "-" and to_stdout)):
        raise UsageError("--detail and the scores need a file each")
    if plot is not None and plot == output:
        raise UsageError("--plot and the scores need a file each")
    if per_user and kind == "table":
        raise UsageError("--per-user: expected --format json, csv, ndjson, parquet or arrow")


def _write_detail(evaluator: Evaluator, path: str) -> None:
    from humobctl.io.write import write_table

    write_table(evaluator.run(), path, table=None)


def _write(
    evaluations: list[Evaluation],
    differences: list[list[Difference]],
    kind: str,
    output: str | None,
    *,
    per_user: bool,
) -> None:
    from humobctl.evaluate.cells import report
    from humobctl.io.write import write_table

    if kind in ("table", "json"):
        buffer = io.StringIO()
        if kind == "json":
            buffer.write(report.as_json(evaluations, differences, by_user=per_user))
        elif output in (None, "-"):
            report.show(evaluations, differences)
            return
        else:
            report.show(evaluations, differences, buffer)
        write_text(buffer.getvalue(), output)
    else:
        frame = report.as_table(evaluations, differences, by_user=per_user)
        write_table(frame, output, table=None, format=kind)

"""Options of ``humobctl eval`` for predicted cells."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from humobctl.commands.eval_options import CellKm, MetricNames, ScoreSeed, Tables, Truth
from humobctl.commands.options import Address, Engine, OnErrorOption, Workers
from humobctl.commands.write_scores import (
    ScoreFormat,
    ScoreOutput,
    score_format,
    write_scores,
)


def cells(
    predictions: Tables,
    truth: Truth = None,
    dialect: Annotated[
        Literal["both", "humob24", "humob25"] | None,
        typer.Option(
            help="Rules of GEO-BLEU and DTW: of 2023 and 2024, of 2025, or both (the default)."
        ),
    ] = None,
    days: Annotated[
        str | None,
        typer.Option(metavar="A-B", help="Days to score, such as 60-74; else those predicted."),
    ] = None,
    shift_days: Annotated[
        int,
        typer.Option(
            metavar="DAYS", help="Number added to the days of the predictions, to meet the truth's."
        ),
    ] = 0,
    metric: MetricNames = None,
    dtw: Annotated[
        Literal["exact", "fast"],
        typer.Option(help="Exact DTW, or FastDTW's approximation (DTW of humob25 only)."),
    ] = "exact",
    detail: Annotated[
        str | None, typer.Option(help="Also write the scores of every user-day to this file.")
    ] = None,
    per_user: Annotated[
        bool,
        typer.Option("--per-user", help="Add every user's scores; not to a table on a terminal."),
    ] = False,
    users: Annotated[
        Literal["all", "predicted"],
        typer.Option(
            help="Whose true rows must be predicted: everybody's, or theirs of whom any are."
        ),
    ] = "all",
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Score incomplete predictions; say how much.")
    ] = False,
    cell_km: CellKm = 0.5,
    bootstrap: Annotated[
        int, typer.Option(min=100, help="Resamples of users when files are compared.")
    ] = 2000,
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="Of the intervals of a comparison.")
    ] = 0.95,
    seed: ScoreSeed = 0,
    output: ScoreOutput = None,
    format: ScoreFormat = None,
    engine: Engine = "local",
    address: Address = None,
    workers: Workers = None,
    on_error: OnErrorOption = "fail",
) -> None:
    """Score predicted cells."""
    import humobctl as hm
    from humobctl.errors import UsageError

    if detail is not None and (detail == output or (detail == "-" and output in (None, "-"))):
        raise UsageError("--detail and the scores need a file each")
    if per_user and score_format(output, format) == "table":
        raise UsageError("--per-user: expected --format json, csv, ndjson, parquet or arrow")
    scores = hm.evaluate_cells(
        predictions,
        truth,
        dialect=dialect,
        days=days,
        shift_days=shift_days,
        metric=metric,
        dtw=dtw,
        detail=detail,
        per_user=per_user,
        users=users,
        allow_partial=allow_partial,
        cell_km=cell_km,
        bootstrap=bootstrap,
        confidence=confidence,
        seed=seed,
        engine=engine,
        address=address,
        workers=workers,
        on_error=on_error,
    )
    write_scores(scores, output, format)

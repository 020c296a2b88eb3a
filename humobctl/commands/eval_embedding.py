"""``humobctl eval embedding``: what vectors of users are good for, beside baselines."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from humobctl.commands.options import FirstWeekday, OnErrorOption
from humobctl.commands.write_scores import ScoreFormat, ScoreOutput, write_scores

ScoredUsers = Literal["unseen", "all"]


def embedding(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Grid trajectories, one city a file."),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", metavar="DIR", help="Model dir of 'train embedder'; may be repeated."
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="reid_top1, reid_top10, reid_mrr, home_km, work_km, weekend_auc or next_day_km. "
            "May be repeated; all by default."
        ),
    ] = None,
    users: Annotated[
        ScoredUsers, typer.Option(help="Whom to score: users that no model was trained on, or all.")
    ] = "unseen",
    days: Annotated[
        str | None, typer.Option(metavar="A-B", help="Days to score, such as 0-59; else all.")
    ] = None,
    city: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of the city of each INPUT, as in the training; else the files' names."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the folds of the probes.")] = 0,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to run.")] = "auto",
    first_weekday: FirstWeekday = "sunday",
    output: ScoreOutput = None,
    format: ScoreFormat = None,
    on_error: OnErrorOption = "fail",
) -> None:
    """Score embedders: finding people again, and what their vectors tell.

    Re-identification cuts each user's days into two halves, by turns (alternate) and into the
    earlier and the later ones (chronological), and looks for each half's other half among those
    of all users of the city by cosine: top-1, top-10 and mean reciprocal rank, both ways round.

    Probes are ridge regressions, fitted on four fifths of the users and asked about the others:
    the median distance to the home cell and to the work cell, telling weekends from other days
    (AUC), and the median distance to the middle of the user's last day from the days before.

    Beside every model stand bags of cells by tf-idf and SVD (128 axes, of whole users), and
    histograms of slots. Users that a model was trained or validated on are left out.

    Example: humobctl eval embedding city.csv --model embedder --metric reid_top1 --format table

    Example: humobctl eval embedding city.csv --metric home_km
    """
    import humobctl as hm

    scores = hm.evaluate_embedding(
        inputs,
        model=model or (),
        metric=metric,
        users=users,
        days=days,
        city=city,
        seed=seed,
        device=device,
        first_weekday=first_weekday,
        on_error=on_error,
    )
    write_scores(scores, output, format)

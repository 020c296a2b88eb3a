"""``humobctl train ranker``: learns to rank people's own cells."""

from __future__ import annotations

from typing import Annotated

import typer

from humobctl.commands.options import (
    Calendar,
    FirstWeekday,
    OnErrorOption,
    Seed,
    read_calendar,
    weekday_number,
)


def ranker(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Grid trajectories, one city a file."),
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="Model dir to write.")
    ],
    users: Annotated[
        int, typer.Option(min=1, help="Users to learn from in each city, at most; drawn by seed.")
    ] = 1000,
    to_day: Annotated[
        int | None, typer.Option(min=1, help="Last day to learn from; else all known days.")
    ] = None,
    trees: Annotated[int | None, typer.Option(min=1, help="Number of trees.")] = None,
    rows: Annotated[
        int | None, typer.Option(min=100, help="Rows to predict that are learnt from, at most.")
    ] = None,
    calendar: Calendar = "auto",
    first_weekday: FirstWeekday = "sunday",
    seed: Seed = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a model dir of that name.")
    ] = False,
    on_error: OnErrorOption = "fail",
) -> None:
    """Train a model that ranks each person's own cells for each slot to predict.

    It learns across users from their own past: windows of 15 days are predicted from the days
    before them, as in use. Features are relative to the user, so that one model serves other
    cities too. Masked rows are left out. Needs LightGBM (pip install 'humobctl[ranker]');
    predicting with the model does not.

    Example: humobctl train ranker challenge.csv --trees 20 --output model

    Example: humobctl train ranker city.csv --to-day 59 --trees 20 --output model --overwrite
    """
    from dataclasses import replace

    from humobctl import report
    from humobctl.checkpoint import check_target, save
    from humobctl.models.ranker.config import RankerConfig
    from humobctl.models.ranker.run import Job, train
    from humobctl.native import threads

    check_target(output, overwrite=overwrite)
    config = replace(RankerConfig(), seed=seed, threads=threads())
    if trees is not None:
        config = replace(config, trees=trees)
    if rows is not None:
        config = replace(config, most_rows=rows)
    job = Job(
        config,
        most_users=users,
        last_day=to_day,
        calendar=read_calendar(calendar),
        first_weekday=weekday_number(first_weekday),
        on_error=on_error,
    )
    checkpoint = train(inputs, job)
    save(checkpoint, output, overwrite=overwrite)
    scores = checkpoint.run["scores"]
    report.info(
        f"{output}: ranker of {config.trees} trees from {checkpoint.run['rows']:,} rows; "
        f"loss {scores['loss_before']:.3f} to {scores['loss_after']:.3f} nats a row"
    )

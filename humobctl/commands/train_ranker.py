"""``humobctl train ranker``: learns to rank people's own cells."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from humobctl.commands.options import (
    Calendar,
    FirstWeekday,
    OnErrorOption,
    Seed,
    read_calendar,
    weekday_number,
)
from humobctl.commands.training_options import (
    ModelDir,
    Overwrite,
    Trajectories,
)


def ranker(
    inputs: Trajectories,
    output: ModelDir,
    users: Annotated[
        int, typer.Option(min=1, help="Users to learn from in each city, at most; drawn by seed.")
    ] = 1000,
    to_day: Annotated[
        int | None, typer.Option(min=1, help="Last day to learn from; else all known days.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the rows.")] = None,
    hidden: Annotated[int | None, typer.Option(min=1, help="Width of the hidden layers.")] = None,
    members: Annotated[int | None, typer.Option(min=1, help="Networks to average.")] = None,
    rows: Annotated[
        int | None, typer.Option(min=100, help="Rows to predict that are learnt from, at most.")
    ] = None,
    calendar: Calendar = "auto",
    first_weekday: FirstWeekday = "sunday",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    on_error: OnErrorOption = "fail",
) -> None:
    """Train a model that ranks each person's own cells for each slot to predict.

    It learns across users from their own past: windows of 15 days are predicted from the days
    before them, as in use. Features are relative to the user, so that one model serves other
    cities too: give several files to learn from several. Masked rows are left out.

    Example: humobctl train ranker challenge.csv --rows 2000 --output ranker

    Example: humobctl train ranker city.csv --to-day 59 --rows 2000 --output ranker --overwrite
    """
    from dataclasses import replace

    from humobctl.console import report
    from humobctl.predict.ranker.config import RankerConfig
    from humobctl.predict.ranker.train import Job, train
    from humobctl.training.model_dir import check_target, save

    check_target(output, overwrite=overwrite)
    asked = {"most_rows": rows, "epochs": epochs, "hidden": hidden, "members": members}
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    config = replace(RankerConfig(), seed=seed, **given)
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
    report.info(
        f"{output}: ranker trained on {checkpoint.run['rows']:,} rows, loss "
        f"{checkpoint.run['scores']['loss']:.3f} nats a row"
    )

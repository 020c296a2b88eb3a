"""``humobctl train ranker``: learns to rank people's own cells."""

from __future__ import annotations

from typing import Annotated

import typer

from humobctl.commands.options import (
    Calendar,
    FirstWeekday,
    OnErrorOption,
    Seed,
)
from humobctl.commands.training_options import (
    ModelDir,
    Overwrite,
    Resume,
    Trajectories,
    option,
)
from humobctl.predict.ranker.config import RankerConfig


def ranker(
    inputs: Trajectories,
    output: ModelDir,
    users: Annotated[
        int, typer.Option(min=1, help="Maximum number of users of each city, drawn by seed.")
    ] = 1000,
    to_day: Annotated[
        int | None, option("Last day to learn from. Default: all known days.", low=1)
    ] = None,
    epochs: Annotated[
        int | None, option(f"Number of passes over the targets. [{RankerConfig.epochs}]", low=1)
    ] = None,
    hidden: Annotated[
        int | None, option(f"Width of the hidden layers. [{RankerConfig.hidden}]", low=1)
    ] = None,
    members: Annotated[
        int | None, option(f"Ensemble size. [{RankerConfig.members}]", low=1)
    ] = None,
    rows: Annotated[
        int | None,
        option(f"Maximum number of training targets. [{RankerConfig.most_rows}]", low=100),
    ] = None,
    calendar: Calendar = "auto",
    first_weekday: FirstWeekday = "sunday",
    seed: Seed = 0,
    resume: Resume = False,
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
    import humobctl as hm

    hm.train_ranker(
        inputs,
        output,
        users=users,
        to_day=to_day,
        epochs=epochs,
        hidden=hidden,
        members=members,
        rows=rows,
        calendar=calendar,
        first_weekday=first_weekday,
        seed=seed,
        resume=resume,
        overwrite=overwrite,
        on_error=on_error,
    )

"""``humobctl predict``: fills masked cells."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import humobctl as hm
from humobctl.commands import predict_modes
from humobctl.commands.options import options_from


@options_from(hm.predict, metavars={"model": "NAME|DIR"}, before="output")
def predict(
    validate: Annotated[
        str | None,
        typer.Option(
            metavar="SUBMISSION",
            help="Predict nothing; check this submission against the masked rows of INPUT.",
        ),
    ] = None,
    shift_days: Annotated[
        int,
        typer.Option(metavar="DAYS", help="Number added to the days of the submission to check."),
    ] = 0,
    explain: Annotated[
        int | None,
        typer.Option(
            metavar="UID",
            min=0,
            help="Predict nothing; show for this user why each cell would be chosen.",
        ),
    ] = None,
    list_models: Annotated[
        bool, typer.Option("--list-models", help="Print the models and exit.")
    ] = False,
    **options: Any,
) -> None:
    """Predict the masked cells of trajectories.

    Reads a grid trajectory in which the cells to predict are masked (x = y = 999), or predicts all
    rows from --from-day on; a model sees the other rows only. Writes the predicted rows as
    uid,d,t,x,y, the form of a HuMob submission.

    Example: humobctl predict challenge.csv --output predicted.csv

    Example: humobctl predict challenge.csv --model slot-mode --decode argmax | head -3

    Example: humobctl predict city.csv --from-day 60 --to-day 74 --output predicted.parquet

    Example: humobctl predict challenge.csv --resume --output predicted.parquet

    Example: humobctl predict challenge.csv --validate predicted.csv

    Example: humobctl predict challenge.csv --explain 3 | head -5

    Example: humobctl predict --list-models
    """
    if list_models:
        predict_modes.list_models()
    elif validate is not None:
        days = {name: options.get(name) for name in ("from_day", "to_day")}
        hm.validate(validate, options["table"], **days, shift_days=shift_days)
    elif explain is not None:
        predict_modes.explain(explain, options)
    else:
        hm.predict(**options)

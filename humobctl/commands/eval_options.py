"""Options that several families of ``humobctl eval`` take."""

from __future__ import annotations

from typing import Annotated

import typer

Tables = Annotated[
    list[str],
    typer.Argument(
        metavar="PREDICTIONS...",
        help="Predicted cells, generated visits or trajectories, day plans, or flows; - for "
        "standard input.",
    ),
]
Truth = Annotated[
    str | None,
    typer.Option(
        "--truth",
        "-t",
        help="The true cells, or real data; for day plans a table to compare with, else what "
        "CoPB published.",
    ),
]
MetricNames = Annotated[
    list[str] | None,
    typer.Option(
        help="Of cells geobleu, dtw, accuracy, distance; of day plans events_per_day, intent, "
        "intent_duration, duration, start, transition; of generated data these and "
        "jump_distance, radius, daily_loc, periodicity, grank, irank; of flows cpc, cpl, rmse, "
        "correlation, rmse_travelled, correlation_travelled. May be repeated; all by default."
    ),
]
CellKm = Annotated[
    float, typer.Option(min=0.001, help="Side of a cell in km, for DTW and distances.")
]
ScoreSeed = Annotated[
    int,
    typer.Option(min=0, help="Seed of the resamples, and of the halves of the real people."),
]
MinEvents = Annotated[
    int,
    typer.Option(
        min=1,
        max=48,
        help="Leave out days with fewer stays or events (not of predicted cells).",
    ),
]

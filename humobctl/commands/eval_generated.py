"""Options of ``humobctl eval`` for generated data."""

from __future__ import annotations

from typing import Annotated

import typer

from humobctl.commands.eval_options import CellKm, MetricNames, MinEvents, ScoreSeed, Tables, Truth
from humobctl.commands.options import OnErrorOption
from humobctl.commands.write_scores import ScoreFormat, ScoreOutput, write_scores


def generated_data(
    predictions: Tables,
    truth: Truth = None,
    metric: MetricNames = None,
    generated: Annotated[
        bool,
        typer.Option(
            "--generated", help="Cells are generated data, to be scored without matching people."
        ),
    ] = False,
    cell_km: CellKm = 0.5,
    seed: ScoreSeed = 0,
    min_events: MinEvents = 1,
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
    output: ScoreOutput = None,
    format: ScoreFormat = None,
    on_error: OnErrorOption = "fail",
) -> None:
    """Score generated data; ``generated`` has chosen this family already."""
    import humobctl as hm
    from humobctl.errors import UsageError

    if plot is not None and plot == output:
        raise UsageError("--plot and the scores need a file each")
    scores = hm.evaluate_generated(
        predictions,
        truth,
        metric=metric,
        cell_km=cell_km,
        seed=seed,
        min_events=min_events,
        places=places,
        plot=plot,
        privacy=privacy,
        flows=flows,
        on_error=on_error,
    )
    write_scores(scores, output, format)

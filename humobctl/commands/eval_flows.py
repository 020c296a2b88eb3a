"""Options of ``humobctl eval`` for flows between areas."""

from __future__ import annotations

from typing import Annotated

import typer

from humobctl.commands.eval_options import MetricNames, Tables, Truth
from humobctl.commands.options import OnErrorOption
from humobctl.commands.write_scores import ScoreFormat, ScoreOutput, write_scores


def flows_between_areas(
    predictions: Tables,
    truth: Truth = None,
    metric: MetricNames = None,
    within: Annotated[
        bool, typer.Option("--within", help="Count trips within an area, too (flows only).")
    ] = False,
    output: ScoreOutput = None,
    format: ScoreFormat = None,
    on_error: OnErrorOption = "fail",
) -> None:
    """Score flows between areas."""
    import humobctl as hm

    scores = hm.evaluate_flows(predictions, truth, metric=metric, within=within, on_error=on_error)
    write_scores(scores, output, format)

"""Options of ``humobctl eval`` for day plans."""

from __future__ import annotations

from humobctl.commands.eval_options import MetricNames, MinEvents, Tables, Truth
from humobctl.commands.options import OnErrorOption
from humobctl.commands.write_scores import ScoreFormat, ScoreOutput, write_scores


def plans(
    predictions: Tables,
    truth: Truth = None,
    metric: MetricNames = None,
    min_events: MinEvents = 1,
    output: ScoreOutput = None,
    format: ScoreFormat = None,
    on_error: OnErrorOption = "fail",
) -> None:
    """Score day plans."""
    import humobctl as hm

    scores = hm.evaluate_plans(
        predictions, truth, metric=metric, min_events=min_events, on_error=on_error
    )
    write_scores(scores, output, format)

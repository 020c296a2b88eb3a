"""``humobctl eval``: scores of predictions, generated data, day plans and flows.

The parameters of a family's function are its options, and those of the command are all of theirs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from humobctl.commands.eval_cells import cells
from humobctl.commands.eval_flows import flows_between_areas
from humobctl.commands.eval_generated import generated_data
from humobctl.commands.eval_plans import plans

if TYPE_CHECKING:
    from humobctl.api.evaluate import Family

FAMILIES: dict[Family, Callable[..., None]] = {
    "cells": cells,
    "generated": generated_data,
    "plans": plans,
    "flows": flows_between_areas,
}


def evaluate(predictions: list[str], truth: str | None, **options: Any) -> None:
    """Score predictions against the truth, generated data against real ones, or day plans.

    Which of them a file holds is seen from its columns. 'eval embedding' scores embedders.

    Cells: GEO-BLEU, DTW, accuracy and distance. A score is taken of each user-day, averaged over a
    user's days, then over users. Both files must hold the same (uid, d, t) on the days scored. Two
    or more files of predictions are compared with the first one, with bootstrap intervals over
    users.

    The two dialects are not comparable with each other: humob24 has n-grams up to 3 and lets DTW
    skip a prefix of the truth; humob25 has n-grams up to 5 and ordinary DTW.

    Generated data (visits, points, check-ins, CoPB's traces; grid trajectories with --generated)
    against real ones in any of these forms: how far their distributions are apart. Jump distance,
    radius of gyration, stay duration, distinct places of a day (daily_loc), periodicity, location
    popularity (grank), individual ranks (irank), start times and intents, each as the
    Jensen-Shannon divergence of fixed bins (natural logarithm) and as the Wasserstein distance of
    the values. The floor beside them is what two halves of the real people are apart. --privacy
    adds distances to the nearest real person-day and shares of copies, beside those among real
    people, and --flows the common part of commuters (cpc), RMSE and correlation of the flows
    between cells, beside those of the halves.

    Day plans (intentions from 'intend', or visits without --truth): divergences (Jensen-Shannon,
    natural logarithm) of events per day, intents, durations by intent, all durations and starts,
    and the distance of the transition matrices. An event is one row: one stay at one place. Real
    stays as a reference often leave out days with fewer than 3; so does --min-events 3.

    Flows (origin, destination, flow): common part of commuters (cpc) and of links (cpl), RMSE and
    correlation over all pairs of areas and over those that either file has. Trips within an area
    count with --within only.

    Example: humobctl eval predicted.csv --truth city.csv

    Example: humobctl eval generated.csv --truth stays.csv --format table

    Example: humobctl eval predicted.csv --truth city.csv --generated --plot report.html

    Example: humobctl eval generated.csv --truth stays.csv --privacy --flows 1

    Example: humobctl eval plans.csv --format table

    Example: humobctl eval flows.csv --truth commuting.csv --metric cpc

    Example: humobctl intend profiles.csv --seed 2 | humobctl eval - --truth plans.csv

    Example: humobctl predict challenge.csv | humobctl eval - --truth city.csv --format table

    Example: humobctl eval predicted.csv predicted.csv --truth city.csv --dialect humob25
    """
    from humobctl.api.evaluate import evaluate_family
    from humobctl.commands.write_scores import score_format

    score_format(options["output"], options["format"])  # a wrong one ends the command early
    generated = options.pop("generated")
    evaluate_family(FAMILIES, predictions, truth, generated=generated, options=options)


def _parameters(functions: Iterable[Callable[..., object]]) -> list[inspect.Parameter]:
    """The parameters of all functions, each once, in an order that keeps that of each function."""
    merged: list[inspect.Parameter] = []
    for function in functions:
        at = len(merged)
        for parameter in reversed(
            [*inspect.signature(function, eval_str=True).parameters.values()]
        ):
            names = [one.name for one in merged]
            if parameter.name in names:
                at = names.index(parameter.name)
            else:
                merged.insert(at, parameter)
    return merged


_options = _parameters(FAMILIES.values())
evaluate.__signature__ = inspect.Signature(_options)  # type: ignore[attr-defined]
evaluate.__annotations__ = {one.name: one.annotation for one in _options}

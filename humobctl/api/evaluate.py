"""Evaluation: one function finds the family of scores of a table, one scores embedders.

The parameters of a family's function are the options that it takes; an option of another family
is refused by what stands there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any, Literal, NoReturn

from humobctl.api.families import (
    evaluate_cells,
    evaluate_flow_series,
    evaluate_flows,
    evaluate_generated,
    evaluate_plans,
    evaluate_ranked,
)
from humobctl.api.model import ModelSource
from humobctl.api.options import (
    Days,
    Device,
    OnError,
    Seed,
    Weekday,
    check_names,
    first_and_last,
    weekday_number,
)
from humobctl.api.signatures import public
from humobctl.api.tables import Source, Sources, paths_of, several
from humobctl.console.words import flag
from humobctl.errors import UsageError
from humobctl.evaluate.scores import Scores

Family = Literal["cells", "ranked", "plans", "generated", "flows", "flow series"]
FAMILIES: dict[Family, Callable[..., Scores]] = {
    "cells": evaluate_cells,
    "ranked": evaluate_ranked,
    "generated": evaluate_generated,
    "plans": evaluate_plans,
    "flows": evaluate_flows,
    "flow series": evaluate_flow_series,
}


@public()
def evaluate(
    tables: Sources, truth: Source | None = None, *, generated: bool = False, **options: Any
) -> Scores:
    """Score predictions, ranked candidates, generated data, day plans, flows or daily flows.

    What it is follows from the columns of the first table.

    Frames of a mapping are called by its keys.

    Args:
        tables: predicted cells, ranked candidates, generated visits or trajectories, day plans,
            flows or daily flows; several tables of one type are compared.
        truth: true cells, real data or true (daily) flows. Default: for day plans, the statistics
            published with CoPB; needed for all others.
        generated: score grid trajectories as generated data, by their distributions, not user by
            user.
        **options: those of ``evaluate_cells``, ``evaluate_ranked``, ``evaluate_generated``,
            ``evaluate_plans``, ``evaluate_flows`` or ``evaluate_flow_series``; one of another
            family may stand at its default.

    Returns:
        The scores; ``print`` shows a table with their signatures.

    Raises:
        HumobError: a table cannot be read, or does not match the truth.
        UsageError: no truth, or an option that this family does not take.

    Example:
        >>> scores = hm.evaluate(hm.predict("challenge.csv"), "city.csv", dialect="humob25")
        >>> scores.to_frame().select("metric", "edition").head(2).rows()
        [('geobleu', 'humob25'), ('dtw', 'humob25')]
    """
    with paths_of(*several(tables), truth) as (*paths, truth_path):
        if paths.count("-") + (truth_path == "-") > 1:
            raise UsageError("standard input (-) can be read only once")
        family = _family(paths, truth_path, generated=generated)
        if generated and family != "generated":
            _refuse("--generated", ["generated"], family)
        takes = {name: signature(one).parameters for name, one in FAMILIES.items()}
        chosen = {name: value for name, value in options.items() if name in takes[family]}
        for name in options.keys() - chosen.keys():
            others = [other for other in _TITLES if name in takes[other]]
            if not others or options[name] != takes[others[0]][name].default:
                _refuse(flag(name), others, family)
        return FAMILIES[family](paths, truth_path, **chosen)


_TITLES: dict[Family, str] = {
    "cells": "predicted cells",
    "ranked": "ranked candidates",
    "plans": "day plans",
    "generated": "generated data and real ones",
    "flows": "flows between areas",
    "flow series": "daily flows",
}


_ADVICE = {
    "--as-seeds": "; without it each file has rows of its own (--format csv), whose mean and "
    "standard deviation are those over seeds",
}
"""What to do instead of an option that a family does not take."""


def _refuse(option: str, takers: Sequence[Family], family: Family) -> NoReturn:
    """Refuse an option that only other families take, or none."""
    if not takers:
        raise UsageError(f"{option}: not an option of an evaluation")
    titles = " or ".join(_TITLES[taker] for taker in takers)
    advice = _ADVICE.get(option, "")
    raise UsageError(f"{option} is for {titles}, found {_TITLES[family]}{advice}")


def _family(paths: Sequence[str], truth: str | None, *, generated: bool) -> Family:
    """Predicted cells, generated data, day plans or flows: by the first file, and the rest."""
    from humobctl.data.importers.table_kind import kind_of
    from humobctl.evaluate.ranked.run import is_ranked
    from humobctl.tables.schemas import FLOW_SERIES, FLOWS, GRID, INTENTIONS, POINTS

    if is_ranked(paths[0]):
        return "ranked"
    kind = kind_of(paths[0])
    if kind is FLOWS or kind is FLOW_SERIES:
        return "flows" if kind is FLOWS else "flow series"
    if kind is INTENTIONS:
        return "plans"
    if kind is GRID or kind is POINTS:
        return "generated" if generated or kind is POINTS else "cells"
    without_places = truth is None or any(
        kind_of(path) is INTENTIONS for path in [*paths[1:], truth]
    )
    return "plans" if without_places and not generated else "generated"


@public()
def evaluate_embedding(
    tables: Sources,
    *,
    model: ModelSource | Sequence[ModelSource] = (),
    metric: Sequence[str] | None = None,
    users: Literal["unseen", "all"] = "unseen",
    days: Days | None = None,
    city: Sequence[str] | None = None,
    seed: Seed = 0,
    device: Device = "auto",
    first_weekday: Weekday = "sunday",
    on_error: OnError = "fail",
) -> Scores:
    """Score embedders and baselines: re-identification and linear probes.

    Args:
        tables: grid trajectories, one city per file.
        model: model dir of ``train_embedder``. Default: the baselines alone.
        metric: metrics to compute: reid_top1, reid_top10, reid_mrr, home_km, work_km,
            next_day_km. Default: all.
        users: users to score: those that no model was trained on (unseen), or all.
        days: days to score, such as 0-59. Default: all.
        city: name of each table's city, as in the training. Default: the files' names.
        seed: seed of the cross-validation folds of the probes, and of the intervals.

    Returns:
        The scores of each method with intervals, of all cities and of each; distances in km.

    Raises:
        HumobError: a table or a model cannot be read, or fewer than two users are left.
        UsageError: no such metric.

    Example:
        >>> hm.evaluate_embedding("city.csv", metric=["home_km"]).to_frame()["file"].to_list()[:3]
        ['mean cell', 'median cell', 'median day']
    """
    import numpy as np

    from humobctl.api.embed import load_embedders
    from humobctl.evaluate.embedding import report
    from humobctl.evaluate.embedding.metrics import NAMES
    from humobctl.evaluate.embedding.run import baselines, evaluate_embeddings, read_city
    from humobctl.io.city_names import city_names

    names = check_names(metric, NAMES, "")
    weekday, wanted = weekday_number(first_weekday), first_and_last(days)
    with paths_of(*several(tables)) as paths:
        if paths.count("-") > 1:
            raise UsageError("standard input (-) can be read only once")
        trained = load_embedders(several(model), device)
        cities = [
            read_city(path, name, wanted, on_error)
            for path, name in zip(
                paths, city_names(paths, tuple(city) if city else None), strict=True
            )
        ]
    methods = baselines(weekday)
    left_out = [np.empty(0, np.int64)] * len(cities)
    known: dict[str, tuple[str, ...]] = {}
    if trained:
        from humobctl.embed.score import cities_trained_on, method_of, users_seen

        known = cities_trained_on(cities, trained)

        methods = {
            **{title: method_of(one, weekday) for title, one in trained.items()},
            **methods,
        }
        if users == "unseen":
            left_out = [users_seen(one, trained.values()) for one in cities]
    found = evaluate_embeddings(
        cities,
        left_out,
        methods,
        names,
        first_weekday=weekday,
        seed=seed,
        trained_on=known,
    )
    return Scores(report, found)

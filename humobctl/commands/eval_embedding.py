"""``humobctl eval embedding``: what vectors of users are good for, beside baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from humobctl.commands.options import FirstWeekday, OnErrorOption, weekday_number
from humobctl.commands.write_scores import score_format, write_scores

if TYPE_CHECKING:
    from humobctl.embed.load import TrainedEmbedder
    from humobctl.evaluate.embedding.metrics import CityRecords, Parts, Vectorise
    from humobctl.evaluate.embedding.run import CityPeople, Method
    from humobctl.native import Floats, Int64s

ScoreFormat = Literal["table", "json", "csv", "ndjson", "parquet", "arrow"]
ScoredUsers = Literal["unseen", "all"]


def embedding(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Grid trajectories, one city a file."),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", metavar="DIR", help="Model dir of 'train embedder'; may be repeated."
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="reid_top1, reid_top10, reid_mrr, home_km, work_km, weekend_auc or next_day_km. "
            "May be repeated; all by default."
        ),
    ] = None,
    users: Annotated[
        ScoredUsers, typer.Option(help="Whom to score: users that no model was trained on, or all.")
    ] = "unseen",
    days: Annotated[
        str | None, typer.Option(metavar="A-B", help="Days to score, such as 0-59; else all.")
    ] = None,
    city: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of the city of each INPUT, as in the training; else the files' names."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the folds of the probes.")] = 0,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to run.")] = "auto",
    first_weekday: FirstWeekday = "sunday",
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="File to write instead of standard output.")
    ] = None,
    format: Annotated[
        ScoreFormat | None,
        typer.Option("--format", "-f", help="Else a table on a terminal and json in a pipe."),
    ] = None,
    on_error: OnErrorOption = "fail",
) -> None:
    """Score embedders: finding people again, and what their vectors tell.

    Re-identification cuts each user's days into two halves, by turns (alternate) and into the
    earlier and the later ones (chronological), and looks for each half's other half among those
    of all users of the city by cosine: top-1, top-10 and mean reciprocal rank, both ways round.

    Probes are ridge regressions, fitted on four fifths of the users and asked about the others:
    the median distance to the home cell and to the work cell, telling weekends from other days
    (AUC), and the median distance to the middle of the user's last day from the days before.

    Beside every model stand bags of cells by tf-idf and SVD (128 axes, of whole users), and
    histograms of slots. Users that a model was trained or validated on are left out.

    Example: humobctl eval embedding city.csv --model embedder --metric reid_top1 --format table

    Example: humobctl eval embedding city.csv --metric home_km
    """
    import numpy as np

    from humobctl.commands.options import parse_range
    from humobctl.errors import UsageError
    from humobctl.evaluate.embedding import report
    from humobctl.evaluate.embedding.metrics import NAMES
    from humobctl.evaluate.embedding.run import baselines, evaluate_embeddings, read_city

    kind = score_format(output, format)
    unknown = [name for name in metric or () if name not in NAMES]
    if unknown:
        raise UsageError(f"--metric: found {unknown[0]!r}, expected one of {', '.join(NAMES)}")
    if inputs.count("-") > 1:
        raise UsageError("standard input (-) can be read only once")
    weekday = weekday_number(first_weekday)
    wanted = parse_range("--days", days) if days else None
    trained = _load(model or [], device)
    cities = [
        read_city(path, name, wanted, on_error)
        for path, name in zip(inputs, _names(inputs, city), strict=True)
    ]
    nobody = np.empty(0, np.int64)
    left_out = [_seen(one, trained) if users == "unseen" and trained else nobody for one in cities]
    methods = {
        **{title: _method(one, weekday) for title, one in trained.items()},
        **baselines(weekday),
    }
    names = tuple(metric) if metric else NAMES
    found = evaluate_embeddings(cities, left_out, methods, names, first_weekday=weekday, seed=seed)
    write_scores(report, found, kind, output)


def _names(inputs: list[str], city: list[str] | None) -> list[str]:
    from humobctl.io.city_names import city_names

    return city_names(inputs, tuple(city) if city else None)


def _load(models: list[str], device: str) -> dict[str, TrainedEmbedder]:
    if not models:
        return {}
    from humobctl.predict.registry import require

    require("torch")
    from humobctl.embed.load import load_embedder
    from humobctl.training.device import set_up_torch

    set_up_torch(0)
    return {folder: load_embedder(folder, device) for folder in models}


def _seen(city: CityPeople, trained: dict[str, TrainedEmbedder]) -> Int64s:
    """Users of a city that any of the models was trained or validated on."""
    import numpy as np

    found = [one.users_seen(city.name, city.fingerprint) for one in trained.values()]
    seen = [one for one in found if one is not None]
    here = np.unique(city.frame["uid"].to_numpy()).astype(np.int64)
    return np.intersect1d(np.concatenate([np.empty(0, np.int64), *seen]), here)


def _method(trained: TrainedEmbedder, first_weekday: int) -> Method:
    import numpy as np

    from humobctl.embed.data import EmbedderColumns
    from humobctl.embed.embed import EmbedOptions, embed_parts

    def method(city: CityPeople) -> Vectorise:
        number = 1 + trained.cities.index(city.name) if city.name in trained.cities else 0

        def vectorise(people: CityRecords, parts: Parts) -> Floats:
            with EmbedderColumns(first_weekday) as rows:
                rows.add(people.frame(), number)
                rows.close_columns()
                cities = np.full(len(parts), number)
                return embed_parts(rows, parts, cities, trained, EmbedOptions()).astype(float)

        return vectorise

    return method

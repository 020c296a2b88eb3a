"""Vectors of users: made by a trained embedder, and what can be done with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from humobctl.api.model import ModelSource
from humobctl.api.options import (
    Count,
    Days,
    Device,
    EngineName,
    OnError,
    Precision,
    Weekday,
    Workers,
    first_and_last,
    weekday_number,
)
from humobctl.api.signatures import public
from humobctl.api.tables import (
    PathName,
    Sources,
    as_path,
    paths_of,
    refuse_format,
    several,
    summary,
)
from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.errors import HumobError, UsageError

if TYPE_CHECKING:
    import polars as pl

    from humobctl.embed.embed import TrainedEmbedder
    from humobctl.execution.run import LongRun


@public(recorded=True)
def embed(
    tables: Sources,
    *,
    model: ModelSource | None = None,
    place_free: bool = False,
    output: PathName | None = None,
    format: Literal["parquet", "npy", "safetensors", "csv", "ndjson", "arrow"] | None = None,
    pca: Count | None = None,
    nearest: str | int | None = None,
    k: Count = 10,
    city: Sequence[str] | None = None,
    days: Days | None = None,
    batch_size: Count = 16384,
    precision: Precision = "fp32",
    device: Device = "auto",
    first_weekday: Weekday = "sunday",
    engine: EngineName = "local",
    address: str | None = None,
    workers: Workers | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_error: OnError = "fail",
) -> pl.DataFrame:
    """Embed users: 512 numbers for each, from all their rows that are not masked.

    Args:
        tables: grid trajectories, one city per file, or embeddings (without ``model``).
        model: model dir of ``train_embedder``; needed for trajectories. Default: the input is
            embeddings.
        place_free: count each user's routine without places (hours at home and at work, distances,
            number of cells) instead of using a model, to compare users of different cities.
        pca: also write this number of principal components (pc1, pc2, ...).
        nearest: write the users most similar (by cosine) to this user, or to each user (all),
            instead of embeddings.
        k: number of similar users to find (with ``nearest``).
        city: name of each table's city, as in the training. Default: the files' names. With
            embeddings and ``nearest``: the user's city.
        days: days to embed, such as 0-59. Default: all.
        batch_size: number of records per batch.
        precision: numeric precision of matrix products.

    Returns:
        uid, embedding (512 float32 of length 1) and city, with ``pca`` pc1, pc2, ...; with
        ``nearest`` the neighbours of each user; with ``output`` one row that says how many.

    Raises:
        HumobError: a table or the model cannot be read, or has no known cell.
        UsageError: options that do not go together.

    Example:
        >>> vectors = hm.embed("embeddings.parquet", pca=2)
        >>> vectors.columns
        ['uid', 'embedding', 'city', 'pc1', 'pc2']
    """
    from humobctl.embed.vectors import is_embeddings
    from humobctl.execution.run import LongRun

    query, target = _query(nearest), as_path(output)
    long = LongRun(target, engine, address, workers, resume, overwrite)
    _check(long, format, model is not None, pca=pca is not None, nearest=nearest is not None)
    if place_free and model is not None:
        raise UsageError("--place-free needs no model, found --model")
    with paths_of(*several(tables)) as paths:
        if paths.count("-") > 1:
            raise UsageError("standard input (-) can be read only once")
        if model is not None:
            batches = _embed_paths(
                paths,
                str(as_path(model)),
                city,
                long,
                days=first_and_last(days),
                batch_size=batch_size,
                precision=precision,
                device=device,
                first_weekday=weekday_number(first_weekday),
                on_error=on_error,
            )
        elif place_free:
            from humobctl.embed.routine import embed_routines
            from humobctl.io.city_names import city_names

            names = city_names(list(paths), tuple(city) if city else None)
            weekday = weekday_number(first_weekday)
            batches = embed_routines(paths, names, first_and_last(days), weekday, on_error)
        elif is_embeddings(paths[0]):
            batches = _read(paths)
        else:
            raise UsageError(
                "--model: expected a model dir to embed trajectories with, or --place-free"
            )
        if nearest is not None:
            of = city[0] if city and len(city) == 1 else None
            return _deliver_nearest(batches, query, k, of, long, format)
        return _deliver(batches if pca is None else _with_components(batches, pca), long, format)


def load_embedders(models: Sequence[Any], device: str) -> dict[str, TrainedEmbedder]:
    """TrainedEmbedder embedders by the names of their folders."""
    if not models:
        return {}
    from humobctl.extras import require

    require("torch", "embed")
    from humobctl.embed.embed import load_embedder
    from humobctl.training.device import set_up_torch

    set_up_torch(0)
    folders = [str(as_path(folder)) for folder in models]
    return {folder: load_embedder(folder, device) for folder in folders}


def _check(
    long: LongRun, format: str | None, with_model: bool, *, pca: bool, nearest: bool
) -> None:
    """See that the output goes with the rest.

    Raises:
        UsageError: it does not.
    """
    from humobctl.embed.vectors import embedding_format, refuse_terminal

    if not with_model and (long.resume or long.engine == "ray" or long.into_folder):
        raise UsageError("--resume, --engine ray and a folder as --output need --model")
    if long.into_folder and (pca or nearest):
        raise UsageError("--output: found a folder, expected a file with --pca or --nearest")
    if nearest and format in ("npy", "safetensors"):
        raise UsageError(f"--format {format} holds vectors only, found --nearest")
    if long.output is None:
        refuse_format(format)
    elif not long.into_folder and not nearest:
        refuse_terminal(long.output, format)
        embedding_format(long.output, format)


def _query(nearest: str | int | None) -> int | None:
    """The user whose neighbours are wanted; None for those of all users."""
    if nearest is None or nearest == "all":
        return None
    text = str(nearest)
    if not text.isascii() or not text.isdigit():
        raise UsageError(f"--nearest: found {text!r}, expected a user number or all")
    return int(text)


def _embed_paths(
    paths: Sequence[str],
    model: str,
    city: Sequence[str] | None,
    long: LongRun,
    *,
    days: tuple[int, int] | None,
    batch_size: int,
    precision: str,
    device: str,
    first_weekday: int,
    on_error: OnError,
) -> Iterator[pl.DataFrame]:
    from humobctl.extras import require
    from humobctl.io.city_names import city_names

    require("torch", "embed")
    from humobctl.embed.embed import EmbedOptions, check_city
    from humobctl.embed.embed import embed as embed_files

    names = city_names(list(paths), tuple(city) if city else None)
    (trained,) = load_embedders([model], device).values()
    for name in city or ():
        check_city(name, trained)
    asked = EmbedOptions(first_weekday, precision, batch_size, on_error, days)
    yield from embed_files(paths, names, trained, asked, long)


def _read(paths: Sequence[str]) -> Iterator[pl.DataFrame]:
    from humobctl.embed.vectors import read_embeddings, table

    for path in paths:
        yield table(read_embeddings(path))


def _with_components(batches: Iterable[pl.DataFrame], count: int) -> Iterator[pl.DataFrame]:
    import polars as pl

    from humobctl.embed.vectors import components

    whole = pl.concat(list(batches))
    found, share = components(whole["embedding"].to_numpy(), count)
    report.info(f"the first {count} components explain {share.sum():.1%} of the variance")
    yield whole.with_columns(
        pl.Series(f"pc{number + 1}", found[:, number]) for number in range(count)
    )


def _deliver(batches: Iterator[pl.DataFrame], long: LongRun, format: str | None) -> pl.DataFrame:
    import polars as pl

    from humobctl.embed.vectors import write_embeddings

    output = long.output
    if output is None:
        return pl.concat(list(batches))
    with long:
        if long.into_folder:
            users = long.write(batches, None, format)
        else:
            users = long.write_and_clean(lambda: write_embeddings(batches, output, format))
    if output != "-":
        report.info(f"{output}: embedded {pluralize(users, 'user')}")
    return summary(output, users=users)


def _deliver_nearest(
    batches: Iterator[pl.DataFrame],
    query: int | None,
    k: int,
    city: str | None,
    long: LongRun,
    format: str | None,
) -> pl.DataFrame:
    import numpy as np
    import polars as pl

    from humobctl.embed.nearest import nearest
    from humobctl.embed.vectors import of_frame
    from humobctl.io.write import write_table

    def neighbours() -> pl.DataFrame:
        found = of_frame(pl.concat(list(batches)), "embeddings")
        if len(found) < 2:
            raise HumobError(f"{found.name}: found 1 user, expected at least 2 to compare")
        rows = np.arange(len(found)) if query is None else np.array([found.row_of(query, city)])
        return nearest(found, rows, k)

    output = long.output
    if output is None:
        return neighbours()
    with long:
        rows = long.write_and_clean(
            lambda: write_table(neighbours(), output, table=None, format=format)
        )
    return summary(output, rows=rows)

"""``humobctl embed``: trajectories to vectors, their principal components and neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from humobctl.commands.options import (
    Address,
    Engine,
    FirstWeekday,
    LongOutput,
    OnErrorOption,
    Overwrite,
    Resume,
    Workers,
    weekday_number,
)

if TYPE_CHECKING:
    import polars as pl

    from humobctl.embed.vectors import UserEmbeddings
    from humobctl.execution.run import LongRun

EmbeddingFormat = Literal["parquet", "npy", "safetensors", "csv", "ndjson", "arrow"]


def embed(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Grid trajectories, one city a file, or embeddings; - for standard input.",
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="DIR", help="Model dir of 'train embedder'."),
    ] = None,
    output: LongOutput = None,
    format: Annotated[
        EmbeddingFormat | None,
        typer.Option("--format", "-f", help="Output format; else by the file's ending, else csv."),
    ] = None,
    pca: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Add N principal components, pc1 to pcN."),
    ] = None,
    nearest: Annotated[
        str | None,
        typer.Option(
            metavar="UID|all", help="Write the users most similar to this one, or to each."
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Similar users to find.")] = 10,
    city: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of the city of each INPUT, as in the training; else the files' names. With "
            "embeddings and --nearest, the user's city."
        ),
    ] = None,
    days: Annotated[
        str | None, typer.Option(metavar="A-B", help="Days to look at, such as 0-59; else all.")
    ] = None,
    batch_rows: Annotated[
        int, typer.Option(min=1, help="EmbedderColumns that go through the network together.")
    ] = 16384,
    precision: Annotated[
        Literal["fp32", "bf16"], typer.Option(help="Of the matrix products.")
    ] = "fp32",
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to run.")] = "auto",
    first_weekday: FirstWeekday = "sunday",
    engine: Engine = "local",
    address: Address = None,
    workers: Workers = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    on_error: OnErrorOption = "fail",
) -> None:
    """Embed users: 512 numbers for each, from all their rows that are not masked.

    Writes uid, embedding and city. Vectors have length 1, so that their product is the cosine.
    Users are put together by length, and groups of them are written as they are done; --pca, npy
    and safetensors gather all vectors first (2 KB a user). A table of embeddings as INPUT needs no
    model: with --pca, --nearest or another --format it is worked on as it is.

    Example: humobctl embed city.csv --model embedder --output users.parquet

    Example: humobctl embed embeddings.parquet --pca 2 | head -3

    Example: humobctl embed embeddings.parquet --nearest 7 -k 5

    Example: humobctl embed embeddings.parquet --output vectors.npy
    """
    from humobctl.console import report
    from humobctl.embed.vectors import is_embeddings, write_embeddings
    from humobctl.errors import UsageError
    from humobctl.execution.run import LongRun

    if inputs.count("-") > 1:
        raise UsageError("standard input (-) can be read only once")
    query = _query(nearest)
    long = LongRun(output, engine, address, workers, resume, overwrite)
    _check(long, format, model, pca=pca is not None, nearest=nearest is not None)
    if model is None:
        if not is_embeddings(inputs[0]):
            raise UsageError("--model: expected a model dir to embed trajectories with")
        batches = _read(inputs)
    else:
        batches = _embedded(
            *(inputs, model, city, long),
            days=days,
            batch_rows=batch_rows,
            precision=precision,
            device=device,
            first_weekday=weekday_number(first_weekday),
            on_error=on_error,
        )
    if nearest is not None:
        name = city[0] if city and len(city) == 1 else None
        with long:
            long.written(lambda: _write_nearest(batches, query, k, name, output, format))
        return
    if pca is not None:
        batches = _with_components(batches, pca)
    with long:
        if long.into_folder:
            users = long.write(batches, None, format)
        else:
            users = long.written(lambda: write_embeddings(batches, output, format))
    if output not in (None, "-"):
        report.info(f"{output}: {users:,} users embedded")


def _check(
    long: LongRun, format: str | None, model: str | None, *, pca: bool, nearest: bool
) -> None:
    """See that the output goes with the rest.

    Raises:
        UsageError: it does not.
    """
    from humobctl.embed.vectors import embedding_format, refuse_terminal
    from humobctl.errors import UsageError

    if model is None and (long.resume or long.engine == "ray" or long.into_folder):
        raise UsageError("--resume, --engine ray and a folder as --output go with --model")
    if long.into_folder and (pca or nearest):
        raise UsageError("--output: found a folder, expected a file with --pca or --nearest")
    if not long.into_folder and not nearest:
        refuse_terminal(long.output, format)
        embedding_format(long.output, format)


def _query(nearest: str | None) -> int | None:
    """The user whose neighbours are wanted; None for everybody's."""
    from humobctl.errors import UsageError

    if nearest is None or nearest == "all":
        return None
    if not nearest.isascii() or not nearest.isdigit():
        raise UsageError(f"--nearest: found {nearest!r}, expected a user number or all")
    return int(nearest)


def _embedded(
    inputs: list[str],
    model: str,
    city: list[str] | None,
    long: LongRun,
    *,
    days: str | None,
    batch_rows: int,
    precision: str,
    device: str,
    first_weekday: int,
    on_error: Literal["fail", "drop"],
) -> Iterator[pl.DataFrame]:
    from humobctl.commands.options import parse_range
    from humobctl.io.city_names import city_names
    from humobctl.predict.registry import require

    wanted = parse_range("--days", days) if days else None
    require("torch")
    from humobctl.embed.embed import EmbedOptions, check_city
    from humobctl.embed.embed import embed as embed_files
    from humobctl.embed.load import load_embedder
    from humobctl.training.device import set_up_torch

    names = city_names(inputs, tuple(city) if city else None)
    set_up_torch(0)
    trained = load_embedder(model, device)
    for name in city or ():
        check_city(name, trained)
    asked = EmbedOptions(first_weekday, precision, batch_rows, on_error, wanted)
    yield from embed_files(inputs, names, trained, asked, long)


def _read(inputs: list[str]) -> Iterator[pl.DataFrame]:
    from humobctl.embed.vectors import read_embeddings, table

    for path in inputs:
        found = read_embeddings(path)
        yield table(found)


def _with_components(batches: Iterator[pl.DataFrame], count: int) -> Iterator[pl.DataFrame]:
    import polars as pl

    from humobctl.console import report
    from humobctl.embed.pca import components

    whole = pl.concat(list(batches))
    found, share = components(whole["embedding"].to_numpy(), count)
    report.info(f"the first {count} components hold {share.sum():.1%} of the variance")
    yield whole.with_columns(
        pl.Series(f"pc{number + 1}", found[:, number]) for number in range(count)
    )


def _write_nearest(
    batches: Iterator[pl.DataFrame],
    query: int | None,
    k: int,
    city: str | None,
    output: str | None,
    format: str | None,
) -> int:
    import numpy as np
    import polars as pl

    from humobctl.embed.nearest import nearest
    from humobctl.embed.vectors import of_frame
    from humobctl.errors import HumobError, UsageError
    from humobctl.io.write import write_table

    if format in ("npy", "safetensors"):
        raise UsageError(f"--format {format} goes with vectors, not with --nearest")
    found: UserEmbeddings = of_frame(pl.concat(list(batches)), "embeddings")
    if len(found) < 2:
        raise HumobError(f"{found.name}: found 1 user, expected at least 2 to compare")
    rows = np.arange(len(found)) if query is None else np.array([found.row_of(query, city)])
    return write_table(nearest(found, rows, k), output, table=None, format=format)

"""``humobctl embed``: trajectories to vectors, their principal components and neighbours."""

from __future__ import annotations

from typing import Annotated, Literal

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
)

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
        int, typer.Option(min=1, help="Rows that go through the network together.")
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
    import humobctl as hm

    hm.embed(
        inputs,
        model=model,
        pca=pca,
        nearest=nearest,
        k=k,
        city=city,
        days=days,
        batch_rows=batch_rows,
        precision=precision,
        device=device,
        first_weekday=first_weekday,
        output=output or "-",
        format=format,
        engine=engine,
        address=address,
        workers=workers,
        resume=resume,
        overwrite=overwrite,
        on_error=on_error,
    )

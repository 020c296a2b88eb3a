"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

OnError = Literal["fail", "drop"]
OutputFormat = Literal["csv", "ndjson", "parquet", "arrow"]

Input = Annotated[
    str | None,
    typer.Argument(metavar="INPUT", help="Table to read; - or nothing for standard input."),
]
Output = Annotated[
    str | None,
    typer.Option("--output", "-o", help="File to write; - or nothing for standard output."),
]
Format = Annotated[
    OutputFormat | None,
    typer.Option("--format", "-f", help="Output format; else by the file's ending, else csv."),
]
OnErrorOption = Annotated[
    OnError,
    typer.Option("--on-error", help="Stop at the first bad row, or drop bad rows and say so."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of all random choices.")]

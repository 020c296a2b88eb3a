"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from humobctl.api.options import EngineName, OnError

Weekday = Literal["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
OutputFormat = Literal["csv", "ndjson", "parquet", "arrow"]

Input = Annotated[
    str | None,
    typer.Argument(
        metavar="INPUT",
        help="Table to read, a file or a folder of Parquet files; - or nothing for standard input.",
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        help="File to write, or a folder (FOLDER/) for Parquet files; - or nothing for standard "
        "output.",
    ),
]
UsersPerBlock = Annotated[
    int | None,
    typer.Option(
        "--users-per-block",
        min=1,
        help="Write into folders uid_block=... of so many users each; needs a folder as output.",
    ),
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
FirstWeekday = Annotated[
    Weekday, typer.Option("--first-weekday", help="Of day 0; a Sunday in HuMob 2023 and 2024.")
]
Calendar = Annotated[
    str,
    typer.Option(
        "--calendar",
        metavar="auto|FILE",
        help="Days off: found in the data, or a table of d and off (1 for a day off; days that it "
        "leaves out follow the week).",
    ),
]

Engine = Annotated[
    EngineName,
    typer.Option(
        "--engine", help="In this process, or on a Ray cluster (extra ray); the result is the same."
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT",
        help="Ray cluster to join, or auto; else one is started on this machine.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        max=100_000,
        help="Of --engine ray, at most.",
        show_default="one a core or GPU",
    ),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on with the finished parts that lie in OUTPUT.parts."),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Throw away an unfinished run in OUTPUT.parts.")
]
LongOutput = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        help="File to write, or folder of Parquet parts (FOLDER/); - or nothing for standard "
        "output.",
    ),
]

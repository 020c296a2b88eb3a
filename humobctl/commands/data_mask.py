"""``humobctl data mask``: hide cells that are to be predicted."""

from __future__ import annotations

from typing import Annotated

import typer

from humobctl.commands.options import Format, Input, OnErrorOption, Output, Seed, UsersPerBlock


def mask(
    input: Input = None,
    from_day: Annotated[
        int | None, typer.Option("--from-day", min=0, help="First day to mask; else day 0.")
    ] = None,
    to_day: Annotated[
        int | None, typer.Option("--to-day", min=0, help="Last day to mask; else the last one.")
    ] = None,
    users: Annotated[
        int | None, typer.Option("--users", min=1, help="Mask this many users, drawn at random.")
    ] = None,
    last: Annotated[
        int | None,
        typer.Option("--last", min=1, help="Mask this many users, those with the highest uid."),
    ] = None,
    share: Annotated[
        float | None,
        typer.Option(
            "--share", max=1, help="Mask this share of the users (above 0), drawn at random."
        ),
    ] = None,
    users_file: Annotated[
        str | None, typer.Option("--users-file", help="Mask the users of this file: a uid a line.")
    ] = None,
    seed: Seed = 0,
    output: Output = None,
    format: Format = None,
    users_per_block: UsersPerBlock = None,
    on_error: OnErrorOption = "fail",
) -> None:
    """Mask cells that are to be predicted: x and y become 999.

    Masks the rows of some days (--from-day, --to-day, both inclusive) and of some users (--users,
    --last, --share or --users-file; all users without them), and writes all rows in their order,
    the form of a HuMob challenge file. Rows that are masked already stay so. Says how much was
    masked; nothing to mask is an error. A seed always draws the same users, whatever the order of
    the rows.

    Example: humobctl data mask city.csv --from-day 60 --output masked.csv

    Example: humobctl data mask city.csv --from-day 60 --to-day 74 --last 5 -o last5.parquet

    Example: humobctl data mask city.csv --from-day 60 --share 0.2 --seed 1 | humobctl data describe
    """
    import humobctl as hm

    hm.mask(
        input or "-",
        from_day=from_day,
        to_day=to_day,
        users=users,
        last=last,
        share=share,
        users_file=users_file,
        seed=seed,
        output=output or "-",
        format=format,
        users_per_block=users_per_block,
        on_error=on_error,
    )

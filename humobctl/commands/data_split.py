"""``humobctl data split``: train, validation and test files."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from humobctl.commands.options import Format, Input, OnErrorOption, Seed, UsersPerBlock


def split(
    train: Annotated[str, typer.Option("--train", help="File or folder/ for the train part.")],
    test: Annotated[str, typer.Option("--test", help="File or folder/ for the test part.")],
    input: Input = None,
    by: Annotated[
        Literal["user", "day", "both"], typer.Option("--by", help="What makes the test part.")
    ] = "user",
    test_share: Annotated[
        float | None,
        typer.Option(
            "--test-share",
            max=1,
            help="Share of users (of days with --by day), above 0, to test on.  [default: 0.2]",
        ),
    ] = None,
    test_users: Annotated[
        int | None, typer.Option("--test-users", min=1, help="Number of users to test on.")
    ] = None,
    from_day: Annotated[
        int | None, typer.Option("--from-day", min=0, help="First day of the test part.")
    ] = None,
    validation: Annotated[
        str | None, typer.Option("--validation", help="File or folder/ for a validation part.")
    ] = None,
    validation_share: Annotated[
        float | None,
        typer.Option(
            "--validation-share",
            max=1,
            help="Share of users (of days with --by day), above 0, to validate on.  [default: 0.1]",
        ),
    ] = None,
    seed: Seed = 0,
    format: Format = None,
    users_per_block: UsersPerBlock = None,
    on_error: OnErrorOption = "fail",
) -> None:
    """Split a grid trajectory into train and test files, and a validation file if asked for.

    Every row lands in exactly one file. --by user: all rows of the test users. --by day: all rows
    from the first test day on. --by both: the test users' rows from --from-day on, while their
    earlier rows stay with everybody else's rows in the train file, as in the HuMob challenges. The
    validation part takes its own users the same way, or with --by day the days just before the
    test part. Shares are rounded to whole users or days, one at least; a seed always draws the same
    users, whatever the order of the rows.

    Example: humobctl data split city.csv --train train.csv --test test.csv

    Example: humobctl data split city.csv --by day --from-day 60 --train past.csv --test future.csv

    Example: humobctl data split city.csv --by both --from-day 60 --train a.parquet --test b.parquet

    Example: humobctl data split city.csv --validation v.csv --train t.csv --test s.csv --seed 3
    """
    import humobctl as hm

    hm.split(
        input or "-",
        by=by,
        test_share=test_share,
        test_users=test_users,
        from_day=from_day,
        validation_share=validation_share,
        seed=seed,
        train=train,
        test=test,
        validation=validation,
        format=format,
        users_per_block=users_per_block,
        on_error=on_error,
    )

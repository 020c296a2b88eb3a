"""Splits into train, validation and test: every input row lands in exactly one file.

* ``user``: the test file gets all rows of the test users.
* ``day``: the test file gets all rows from day D on.
* ``both``: the test file gets the test users' rows from day D on; their earlier rows stay with
  the other users' rows in the train file, as in the HuMob challenges.

A validation file takes its part the same way: its own users (``user`` and ``both``), or the days
just before D (``day``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.console.words import pluralize
from humobctl.errors import HumobError, UsageError
from humobctl.io.output_lock import reserve_early
from humobctl.io.outputs import check_distinct
from humobctl.io.parquet_folder import check_folder_options
from humobctl.io.read import iter_table
from humobctl.io.replayable import Spool
from humobctl.io.row_errors import OnError
from humobctl.io.streams import STANDARD
from humobctl.io.write import write_table

By = Literal["user", "day", "both"]
Users = NDArray[np.uint32]
TEST_FRACTION, VALIDATION_FRACTION = 0.2, 0.1


@dataclass(frozen=True)
class Split:
    """What goes where.

    Attributes:
        by: users, days, or later days of some users.
        test_fraction: fraction of the users (``user``, ``both``) or days (``day``), above 0 and
            up to 1, rounded to a whole number and at least one; 0.2 where nothing else says it.
        test_users: number of test users, exactly.
        from_day: first test day.
        validation_fraction: as ``test_fraction``; None for no validation file.
        seed: of the draw of users, which does not depend on the order of rows.

    Raises:
        UsageError: the attributes do not go together.
    """

    by: By
    test_fraction: float | None = None
    test_users: int | None = None
    from_day: int | None = None
    validation_fraction: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what does not go together, and fractions of nothing."""
        check_fraction("--test-fraction", self.test_fraction)
        check_fraction("--validation-fraction", self.validation_fraction)
        if self.by == "user" and self.from_day is not None:
            raise UsageError("found --from-day with --by user, expected --by day or --by both")
        if self.by == "day" and self.test_users is not None:
            raise UsageError("found --test-users with --by day, expected --by user or --by both")
        if self.by == "both" and self.from_day is None:
            raise UsageError("found --by both without --from-day, expected the first test day")
        if self.test_fraction is not None and self.test_users is not None:
            raise UsageError("found --test-fraction and --test-users, expected only one of them")
        if self.by == "day" and self.test_fraction is not None and self.from_day is not None:
            raise UsageError(
                "found --test-fraction and --from-day, expected only one with --by day"
            )


@dataclass(frozen=True)
class SplitFile:
    """One file of a split: what it is, rows, users and days."""

    name: str
    rows: int
    users: int
    first_day: int
    last_day: int


def split_table(
    path: str | None,
    split: Split,
    *,
    train: str,
    test: str,
    validation: str | None = None,
    format: str | None = None,
    on_error: OnError = "fail",
    users_a_block: int | None = None,
) -> list[SplitFile]:
    """Split a grid trajectory into files; each keeps the order of the rows.

    Args:
        path: a file, or None or ``-`` for standard input.
        split: what goes where; its ``validation_fraction`` counts only with a validation file.
        train: file for the train part.
        test: file for the test part.
        validation: file for the validation part.
        format: of all files; by default each file's ending decides.
        on_error: stop at the first bad row of the input, or drop bad rows with a warning.
        users_a_block: users of each folder ``uid_block=...``, where the parts are folders.

    Raises:
        UsageError: two parts would go to one file, or a validation fraction has no file.
        HumobError: the input cannot be read, or a part would have no rows (then nothing is
            written).
    """
    files = {"train": train, "validation": validation, "test": test}
    paths = {name: file for name, file in files.items() if file is not None}
    check_distinct({f"--{name}": file for name, file in files.items()})
    for file in paths.values():
        check_folder_options(file, users_a_block)
    if validation is None and split.validation_fraction is not None:
        raise UsageError("found --validation-fraction without --validation, expected a file for it")
    source = "stdin" if path in (None, STANDARD) else str(path)
    with ExitStack() as stack:
        for file in paths.values():
            stack.enter_context(reserve_early(file))
        spool = stack.enter_context(Spool(iter_table(path, on_error=on_error), source))
        part = _parts(spool, split, with_validation=validation is not None)
        found = [_measure(spool, name, part == index) for index, name in enumerate(paths)]
        for name, file in zip(paths, paths.values(), strict=True):
            index = list(paths).index(name)
            rows = _where(spool, part == index)
            write_table(rows, file, format=format, users_a_block=users_a_block)
    return found


def check_fraction(option: str, fraction: float | None) -> None:
    """Refuse a fraction that is not a part of the users or days.

    Raises:
        UsageError: a fraction of 0 or less, or above 1.
    """
    if fraction is not None and not 0 < fraction <= 1:
        raise UsageError(f"{option}: found {fraction:g}, expected more than 0 and at most 1")


def shuffle_users(users: Users, seed: int) -> Users:
    """Users in a random order that depends on the seed and on each uid alone.

    The order is that of a hash of (seed, uid): splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
    """
    start = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
    with np.errstate(over="ignore"):
        z = (users.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + start
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return users[np.argsort(z, kind="stable")]


def _parts(spool: Spool, split: Split, *, with_validation: bool) -> pl.Expr:
    """An expression: 0 for train, then validation where there is one, then test."""
    fraction = (
        VALIDATION_FRACTION if split.validation_fraction is None else split.validation_fraction
    )
    test, validation = 1 + with_validation, 1
    part = pl.lit(0, dtype=pl.Int8)
    if split.by == "day":
        first = _first_test_day(spool, split)
        if with_validation:
            days = first - spool.first_day
            before = first - max(1, round(fraction * (spool.last_day - spool.first_day + 1)))
            if before <= spool.first_day:
                raise HumobError(
                    f"{spool.source}: found {pluralize(days, 'day')} before day {first}, "
                    f"expected more than the "
                    f"{first - before} of the validation part"
                )
            part = pl.when(pl.col("d") >= before).then(validation).otherwise(part)
        return pl.when(pl.col("d") >= first).then(test).otherwise(part)
    order = shuffle_users(spool.users, split.seed)
    wanted = _user_counts(spool, split, fraction if with_validation else None)
    late = pl.lit(True) if split.from_day is None else pl.col("d") >= split.from_day
    for number, index, begin in (
        (wanted[0], test, 0),
        (wanted[1], validation, wanted[0]),
    ):
        chosen = pl.col("uid").is_in(order[begin : begin + number].tolist())
        part = pl.when(chosen & late).then(index).otherwise(part) if number else part
    return part


def _first_test_day(spool: Spool, split: Split) -> int:
    if split.from_day is not None:
        return split.from_day
    fraction = TEST_FRACTION if split.test_fraction is None else split.test_fraction
    days = spool.last_day - spool.first_day + 1
    return spool.last_day + 1 - max(1, round(fraction * days))


def _user_counts(spool: Spool, split: Split, validation_fraction: float | None) -> tuple[int, int]:
    """Number of test and of validation users; at least one is left to train on."""
    users = len(spool.users)
    fraction = TEST_FRACTION if split.test_fraction is None else split.test_fraction
    test = max(1, round(fraction * users)) if split.test_users is None else split.test_users
    validation = 0 if validation_fraction is None else max(1, round(validation_fraction * users))
    left = split.by != "both"  # with "both", the train part has the users' earlier days
    if test + validation + left > users:
        parts = f"{test} to test" + (f", {validation} to validate" if validation else "")
        parts += " and at least one to train" if left else ""
        raise HumobError(
            f"{spool.source}: found {pluralize(users, 'user')}, expected enough for {parts} on"
        )
    return test, validation


def _where(spool: Spool, mine: pl.Expr) -> Iterator[pl.DataFrame]:
    for batch in spool:
        yield batch.filter(mine)


def _measure(spool: Spool, name: str, mine: pl.Expr) -> SplitFile:
    rows, users = 0, np.empty(0, dtype=np.uint32)
    days: list[int] = []
    for batch in _where(spool, mine):
        if batch.height:
            rows += batch.height
            users = np.union1d(users, batch["uid"].unique().to_numpy())
            low_high = batch.select(low=pl.col("d").min(), high=pl.col("d").max()).row(0)
            days = [min([*days, *low_high]), max([*days, *low_high])]
    if not rows:
        raise HumobError(
            f"{spool.source}: found no rows for the {name} part (days {spool.first_day}-"
            f"{spool.last_day}, {pluralize(len(spool.users), 'user')}), expected at least one"
        )
    return SplitFile(name, rows, len(users), days[0], days[1])

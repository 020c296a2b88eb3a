"""Checks a HuMob submission against its challenge file, as the organisers' validators do.

Same users, same (d, t) of every user in the same order, five columns, cells from 1 to 200.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from humobctl.data.reading import iter_table
from humobctl.data.schemas import MASKED
from humobctl.data.users import UserStore, keys, paired_groups
from humobctl.errors import HumobError, TableError
from humobctl.models.predictor import Targets


@dataclass
class Checked:
    """What a valid submission holds."""

    rows: int = 0
    users: int = 0


def validate(submission: str, challenge: str, targets: Targets) -> Checked:
    """Check every row of a submission.

    Args:
        submission: the file to check.
        challenge: the file whose masked rows it fills.
        targets: which rows of the challenge are to be predicted.

    Raises:
        HumobError: the first fault, with its row where it has one.
    """
    checked = Checked()
    with UserStore() as wanted, UserStore() as given:
        wanted.collect(targets.of(batch) for batch in iter_table(challenge))
        if not wanted.rows:
            raise HumobError(f"{challenge}: found no masked rows (999), expected some to predict")
        given.collect(_ordered(submission))
        for want, have in paired_groups([wanted, given]):
            _same_rows(want, have, submission, challenge)
            checked.rows += have.height
            checked.users += have["uid"].n_unique()
    return checked


def _ordered(submission: str):  # type: ignore[no-untyped-def]
    """The batches of the submission, once their cells and their order are checked."""
    last: dict[int, int] = {}
    row = 0
    for batch in iter_table(submission):
        masked = batch["x"] == MASKED
        if masked.any():
            index = masked.arg_max() or 0
            raise TableError(
                *(submission, str(MASKED), "a predicted cell"), row=row + index + 1, column="x, y"
            )
        _check_order(batch, last, submission, row)
        row += batch.height
        yield batch


def _check_order(batch: pl.DataFrame, last: dict[int, int], name: str, row: int) -> None:
    """Rows of one user must ascend in (d, t): validators compare them one by one."""
    steps = batch.select("uid", key=keys(batch)).with_row_index("row")
    steps = steps.with_columns(before=pl.col("key").shift().over("uid"))
    first = steps.filter(pl.col("before").is_null())
    before = [last.get(uid, -1) for uid in first["uid"].to_list()]
    backwards = pl.concat(
        [
            steps.filter(pl.col("key") < pl.col("before"))["row"],
            first.filter(first["key"].to_numpy() < np.array(before, dtype=np.int64))["row"],
        ]
    )
    if len(backwards):
        index = int(backwards.min())  # type: ignore[arg-type]
        found = f"(uid, d, t) = {batch.row(index)[:3]} after a later slot of the same user"
        raise TableError(name, found, "each user's rows in order of d and t", row=row + index + 1)
    last.update(steps.group_by("uid").agg(pl.col("key").last()).iter_rows())


def _same_rows(want: pl.DataFrame, have: pl.DataFrame, submission: str, challenge: str) -> None:
    wanted, found = keys(want).to_numpy(), keys(have).to_numpy()
    if np.array_equal(wanted, found):
        return
    users = set(want["uid"].unique()), set(have["uid"].unique())
    for text, lost in (("lacks", users[0] - users[1]), ("has unasked", users[1] - users[0])):
        if lost:
            raise HumobError(
                f"{submission}: {text} {len(lost)} users, the first uid {min(lost)}, expected the "
                f"users whose cells {challenge} masks"
            )
    missing = want.filter(~np.isin(wanted, found))
    extra = have.filter(~np.isin(found, wanted))
    text, rows = ("lacks", missing) if missing.height else ("has unasked", extra)
    raise HumobError(
        f"{submission}: {text} {rows.height} rows, the first (uid, d, t) = {rows.row(0)[:3]}, "
        f"expected the rows that {challenge} masks"
    )

"""Checks a HuMob submission against its challenge file, as the organisers' validators do.

Same users, same (d, t) of every user in the same order, five columns, cells from 1 to 200. The
validators cut lines at commas and take only digits, so that text which other commands would read
all the same (``12.0``, ``"12"``, another order of columns, a blank line) is a fault here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from humobctl.console.words import pluralize
from humobctl.errors import HumobError, TableError
from humobctl.io.by_user import UserStore, keys, paired_groups
from humobctl.io.read import Reader, iter_table
from humobctl.io.row_errors import LineNumbers, quote
from humobctl.io.shift_days import add_days, likely_shift
from humobctl.io.streams import open_input
from humobctl.io.text import text_blocks
from humobctl.predict.run import Targets
from humobctl.tables.schemas import GRID, MASKED

HEADER = b"uid,d,t,x,y\n"
_BOM = b"\xef\xbb\xbf"
# No more digits than fit in 64 bits; the numbers themselves are checked later.
_BAD_LINE = re.compile(rb"^(?!(?:\d{1,18},){4}\d{1,18}$).*\n", re.MULTILINE)


@dataclass
class Checked:
    """What a valid submission holds."""

    rows: int = 0
    users: int = 0


def validate(submission: str, challenge: str, targets: Targets, shift_days: int = 0) -> Checked:
    """Check every row of a submission.

    Args:
        submission: the file to check.
        challenge: the file whose masked rows it fills.
        targets: which rows of the challenge are to be predicted.
        shift_days: added to the days of the submission.

    Raises:
        HumobError: the first fault, with its row where it has one.
    """
    checked = Checked()
    with UserStore() as wanted, UserStore() as given:
        wanted.collect(targets.of(batch) for batch in iter_table(challenge))
        if not wanted.rows:
            raise HumobError(f"{challenge}: found no masked rows (999), expected some to predict")
        given.collect(add_days(_read_ordered(submission), shift_days, submission))
        for want, have in paired_groups([wanted, given]):
            _same_rows(want, have, submission, challenge)
            checked.rows += have.height
            checked.users += have["uid"].n_unique()
    return checked


class _Submission(Reader):
    """Reads the text of a submission as strictly as the validators do."""

    def _parse(self) -> Iterator[tuple[pl.DataFrame, LineNumbers]]:
        name, kind = self.source.name, self.source.kind
        if kind != "csv":
            raise HumobError(f"{name}: found {kind}, expected CSV (or .csv.gz): organisers take it")
        if self.source.stream.peek(3).startswith(_BOM):
            raise TableError(name, "a byte order mark", "text that begins with uid,d,t", line=1)
        row, line = 1, 1
        for block in text_blocks(self.source, quotes=False):
            body = block.removeprefix(HEADER) if line == 1 else block
            line += len(body) < len(block)
            bad = _BAD_LINE.search(body)
            if bad is not None:
                before = body.count(b"\n", 0, bad.start())
                raise _strictly(bad[0], name, row + before, line + before)
            if body:
                frame = pl.read_csv(
                    body, has_header=False, schema=dict.fromkeys(GRID.columns, pl.Int64)
                )
                yield self._cast(frame, LineNumbers(row, line))
                row, line = row + frame.height, line + frame.height


def _strictly(bad: bytes, name: str, row: int, line: int) -> TableError:
    text = bad.decode(errors="replace").removesuffix("\n")
    found = quote(text) if text.strip() else "a blank line"
    if line == 1 and not re.search(r"\d", text):
        return TableError(name, found, "the header uid,d,t,x,y or none", line=line)
    return TableError(name, found, "five whole numbers, digits and commas only", row=row, line=line)


def _read_ordered(submission: str) -> Iterator[pl.DataFrame]:
    """The batches of the submission, once their cells and their order are checked."""
    source = open_input(submission)
    try:
        yield from _check_cells(_Submission(source, GRID).batches(), submission)
    finally:
        source.close()


def _check_cells(batches: Iterator[pl.DataFrame], submission: str) -> Iterator[pl.DataFrame]:
    last: dict[int, int] = {}
    row = 0
    for batch in batches:
        masked = batch["x"] == MASKED
        if masked.any():
            index = masked.arg_max() or 0
            raise TableError(
                submission,
                found=str(MASKED),
                expected="a predicted cell",
                row=row + index + 1,
                column="x, y",
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
                f"{submission}: {text} {pluralize(len(lost), 'user')}, the first uid "
                f"{min(lost)}, expected the "
                f"users whose cells {challenge} masks"
            )
    missing = want.filter(~np.isin(wanted, found))
    extra = have.filter(~np.isin(found, wanted))
    text, rows = ("lacks", missing) if missing.height else ("has unasked", extra)
    raise HumobError(
        f"{submission}: {text} {pluralize(rows.height, 'row')}, the first (uid, d, t) = "
        f"{rows.row(0)[:3]}, "
        f"expected the rows that {challenge} masks{likely_shift(have, want)}"
    )

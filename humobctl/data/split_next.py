"""Sessions for next-location prediction: the first part in time to train, the last to test.

The protocol of GETNext (Yang et al., SIGIR 2022): places, then users with few records are left out;
the first 80 % of the records in time train, the next 10 % validate, the last 10 % test; each part
has sessions of its own. Of the parts to validate and to test, records of users and places that
are not in the train part are left out, then sessions of a single record, which have no next one.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.data.sessions import (
    HOUR,
    SessionOptions,
    SessionTable,
    number_sessions,
    read_sessions,
)
from humobctl.data.split import check_fraction
from humobctl.errors import HumobError, UsageError
from humobctl.io.output_lock import reserve_early
from humobctl.io.outputs import check_distinct
from humobctl.io.write import write_table

TEST_FRACTION = VALIDATION_FRACTION = 0.1


@dataclass(frozen=True)
class NextSplit:
    """What goes where.

    Attributes:
        sessions: how records become sessions.
        place_visits: records that a place must have to be kept.
        user_visits: records that a user must have at these places to be kept.
        session_records: records that a session to validate or to test must have.
        test_fraction, validation_fraction: fractions of the records, the last in time.
        leave_last_out: each user's last record to test, the one before to validate.
        keep_unseen: keep users and places that are not in the train part.

    Raises:
        UsageError: the attributes do not go together.
    """

    sessions: SessionOptions = field(default_factory=SessionOptions)
    place_visits: int = 10
    user_visits: int = 10
    session_records: int = 2
    test_fraction: float | None = None
    validation_fraction: float | None = None
    leave_last_out: bool = False
    keep_unseen: bool = False

    def __post_init__(self) -> None:
        """Refuse fractions of nothing, and of what has none."""
        check_fraction("--test-fraction", self.test_fraction)
        check_fraction("--validation-fraction", self.validation_fraction)
        fractions = (self.test_fraction, self.validation_fraction)
        if self.leave_last_out and any(one is not None for one in fractions):
            raise UsageError("--leave-last-out: found a fraction, expected one or the other")
        if sum(one or 0 for one in fractions) >= 1:
            raise UsageError(
                "--test-fraction and --validation-fraction: found 1 or more together, expected "
                "some records to train"
            )


@dataclass(frozen=True)
class NextPart:
    """One file of a split: what it is, records, users and sessions."""

    name: str
    records: int
    users: int
    sessions: int


def split_next(
    path: str | None,
    split: NextSplit,
    files: dict[str, str | None],
    *,
    format: str | None = None,
) -> list[NextPart]:
    """Write the parts of a table of check-ins, visits or cells.

    Args:
        path: a file, or None or ``-`` for standard input.
        split: what goes where.
        files: of the parts train, validation and test; without a file to validate, its records
            train.
        format: of all files; by default each file's ending decides.

    Raises:
        HumobError: the input cannot be read, or a part would have no rows (nothing is written).
    """
    check_distinct({f"--{name}": file for name, file in files.items()})
    wanted = {name: file for name, file in files.items() if file is not None}
    parts = divide(read_sessions(path, split.sessions), split, validate="validation" in wanted)
    for name in wanted:
        if not parts[name].frame.height:
            raise HumobError(
                f"{parts[name].name}: found no records for the {name} part, expected at least one; "
                "--min-place-visits, --min-user-visits and --min-session leave out less"
            )
    with ExitStack() as stack:
        for file in wanted.values():
            stack.enter_context(reserve_early(file))
        for name, file in wanted.items():
            write_table(parts[name].frame, file, table=parts[name].table, format=format)
    return [_measure(name, parts[name]) for name in wanted]


def divide(records: SessionTable, split: NextSplit, *, validate: bool) -> dict[str, SessionTable]:
    """The parts train, validation and test of records.

    Args:
        records: all of them.
        split: what goes where.
        validate: whether there is a validation part; without it, its records train.
    """
    frame = _with_enough(records, split)
    part = _last_out(frame) if split.leave_last_out else _by_time(records, frame, split)
    if not validate:
        part = np.where(part == 1, 0, part)
    tables = {}
    train = frame.filter(part == 0)
    for number, name in enumerate(("train", "validation", "test")):
        rows = frame.filter(part == number)
        if not split.leave_last_out:
            if number and not split.keep_unseen:
                rows = _keep_seen(records, rows, train, name)
            rows = _renumber(records, rows, split)
            if number:
                rows = _long_enough(rows, split, name)
        tables[name] = records.replace_rows(rows)
    return tables


def _with_enough(records: SessionTable, split: NextSplit) -> pl.DataFrame:
    """The records of places, then of users, that have enough of them."""
    frame = records.frame.filter(pl.len().over(records.place) >= split.place_visits)
    frame = frame.filter(pl.len().over("uid") >= split.user_visits)
    if frame.height < records.frame.height:
        report.info(
            f"left out {records.frame.height - frame.height:,} of "
            f"{pluralize(records.frame.height, 'record')}: places with fewer than "
            f"{split.place_visits} records, then users with fewer than {split.user_visits}"
        )
    if not frame.height:
        raise HumobError(
            f"{records.name}: found no place with {split.place_visits} records and user with "
            f"{split.user_visits}, expected some; see --min-place-visits and --min-user-visits"
        )
    return frame


def _by_time(records: SessionTable, frame: pl.DataFrame, split: NextSplit) -> np.ndarray:
    """0, 1 or 2 for each record: train, validation or test, by its place in the order of time."""
    test = TEST_FRACTION if split.test_fraction is None else split.test_fraction
    chosen = split.validation_fraction
    validation = VALIDATION_FRACTION if chosen is None else chosen
    when = frame.select(records.moment).to_series().to_numpy()
    place_in_time = np.argsort(np.argsort(when, kind="stable"), kind="stable")
    # Rounded, as 0.1 + 0.1 is a little more than 0.2.
    first = int(round(len(when) * (1 - test - validation), 6))
    second = int(round(len(when) * (1 - test), 6))
    part: np.ndarray = (place_in_time >= first).astype(np.int64) + (place_in_time >= second)
    return part


def _last_out(frame: pl.DataFrame) -> np.ndarray:
    """2 for the last record of each user, 1 for the one before, where two are left; 0 for all."""
    from_end = frame.select(pl.len().over("uid") - pl.int_range(pl.len()).over("uid"))
    back = from_end.to_series().to_numpy()
    many = frame.select(pl.len().over("uid")).to_series().to_numpy() > 2
    return np.where((back == 1) & many, 2, np.where((back == 2) & many, 1, 0))


def _keep_seen(
    records: SessionTable, rows: pl.DataFrame, train: pl.DataFrame, name: str
) -> pl.DataFrame:
    """The records whose user and place are in the train part."""
    kept = rows.join(train.select("uid").unique(), on="uid", how="semi", maintain_order="left")
    users = rows.height - kept.height
    known = train.select(records.place).unique()
    found = kept.join(known, on=records.place, how="semi", maintain_order="left")
    if found.height < rows.height:
        report.info(
            f"{name}: left out {pluralize(users, 'record')} of users and "
            f"{kept.height - found.height:,} of places that are not in the train part"
        )
    return found


def _renumber(records: SessionTable, rows: pl.DataFrame, split: NextSplit) -> pl.DataFrame:
    """The records with sessions of the part's own."""
    hours = rows.select(records.moment / HOUR).to_series().to_numpy()
    user = rows["uid"].rle_id().to_numpy().astype(np.int64)
    return number_sessions(rows, user, hours, split.sessions).select(records.table.columns)


def _long_enough(rows: pl.DataFrame, split: NextSplit, name: str) -> pl.DataFrame:
    """The records of sessions with enough of them."""
    kept = rows.filter(pl.len().over("uid", "session") >= split.session_records)
    if kept.height < rows.height:
        report.info(
            f"{name}: left out {pluralize(rows.height - kept.height, 'record')} in sessions of "
            f"fewer than {split.session_records}"
        )
    return kept


def _measure(name: str, part: SessionTable) -> NextPart:
    sessions = part.frame.select("uid", "session").n_unique()
    return NextPart(name, part.frame.height, part.frame["uid"].n_unique(), sessions)

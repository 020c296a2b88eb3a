"""Grid trajectories: split and mask them, and make an example city."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

from humobctl.api.options import (
    Between,
    Count,
    Day,
    OnError,
    OutputFormat,
    Seed,
)
from humobctl.api.signatures import public, refuse_others
from humobctl.api.tables import PathName, Source, as_path, paths_of, summary, write_to_frame
from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.errors import UsageError

if TYPE_CHECKING:
    import polars as pl


@public()
def split(
    table: Source,
    *,
    train: PathName | None = None,
    test: PathName | None = None,
    task: Literal["masked", "next"] = "masked",
    by: Literal["user", "day", "both"] = "user",
    test_fraction: Annotated[float, Between(None, 1)] | None = None,
    test_users: Count | None = None,
    from_day: Day | None = None,
    validation: PathName | None = None,
    validation_fraction: Annotated[float, Between(None, 1)] | None = None,
    session: Literal["span", "gap"] = "span",
    session_hours: Annotated[float, Between(0.01)] = 24.0,
    min_place_visits: Count = 10,
    min_user_visits: Count = 10,
    min_session: Annotated[int, Between(2)] = 2,
    leave_last_out: bool = False,
    keep_unseen: bool = False,
    start_date: str | None = None,
    seed: Seed = 0,
    format: OutputFormat | None = None,
    users_per_block: Count | None = None,
    on_error: OnError = "fail",
) -> dict[str, pl.DataFrame]:
    """Split a table into train, test and, where asked for, validation rows.

    For next-location prediction (``task`` next) the parts hold sessions: the first records in time
    train, the last ones test.

    Args:
        table: grid trajectory; with ``task`` next also check-ins or visits.
        train: file or folder (``FOLDER/``) for the train part; needs ``test``.
        test: file or folder (``FOLDER/``) for the test part.
        task: prediction task to split for: cells of masked rows (masked), or the next record of
            sessions (next).
        by: split by user, day or both. user: all rows of the test users; day: all rows from the
            first test day on; both: the test users' rows from ``from_day`` on, as in the HuMob
            challenges.
        test_fraction: fraction of users (with ``by`` day: of days; with ``task`` next: of records)
            in the test part, above 0. Default: 0.2, with ``task`` next 0.1.
        test_users: number of users in the test part. Default: see ``test_fraction``.
        from_day: first day of the test part; needed with ``by`` both. Default: see
            ``test_fraction``.
        validation: file or folder (``FOLDER/``) for a validation part. Default: no such part.
        validation_fraction: fraction of users (with ``by`` day: of days; with ``task`` next: of
            records) in the validation part, above 0. Default: 0.1 with ``validation``.
        session: end of a session: so many hours after its first record (span), or at a longer gap
            between two records (gap).
        session_hours: length of a span or of the longest gap, in hours.
        min_place_visits: minimum number of records of a place; other places are left out.
        min_user_visits: minimum number of records of a user at these places; other users are left
            out.
        min_session: minimum number of records of a session to validate or test.
        leave_last_out: split off the last record of each user to test and the one before to
            validate.
        keep_unseen: keep users and places in the validation and test parts that are not in the
            train part.
        start_date: date of day 0 of visits. Default: a Sunday.
        seed: seed of the random draw of users; the order of the rows does not matter.
        format: format of the files. Default: from each file's ending, or csv.

    Returns:
        ``train``, ``test`` and maybe ``validation``, each with the table's columns; of files, one
        row each that says what was written.

    Raises:
        HumobError: the table cannot be read, or a part would have no rows.
        UsageError: options that do not go together.

    Example:
        >>> parts = hm.split("city.csv", by="day", from_day=60)
        >>> parts["test"]["d"].min()
        60
    """
    import polars as pl

    from humobctl.data.sessions import SessionOptions
    from humobctl.data.split import Split, split_table
    from humobctl.data.split_next import NextSplit, split_next
    from humobctl.io.scratch import Scratch
    from humobctl.tables.calendar import parse_date

    next_only = {
        "session": session,
        "session_hours": session_hours,
        "min_place_visits": min_place_visits,
        "min_user_visits": min_user_visits,
        "min_session": min_session,
        "leave_last_out": leave_last_out,
        "keep_unseen": keep_unseen,
        "start_date": start_date,
    }
    masked_only = {
        "by": by,
        "test_users": test_users,
        "from_day": from_day,
        "seed": seed,
        "users_per_block": users_per_block,
    }
    refuse_others(split, next_only if task == "masked" else masked_only, f"--task {task}")
    what = Split(by, test_fraction, test_users, from_day, validation_fraction, seed)
    later = NextSplit(
        sessions=SessionOptions(
            rule=session,
            hours=session_hours,
            start_date=parse_date(start_date) if start_date else None,
            on_error=on_error,
        ),
        place_visits=min_place_visits,
        user_visits=min_user_visits,
        session_records=min_session,
        test_fraction=test_fraction,
        validation_fraction=validation_fraction,
        leave_last_out=leave_last_out,
        keep_unseen=keep_unseen,
    )
    files = {"train": train, "test": test, "validation": validation}
    paths = {name: as_path(file) for name, file in files.items()}
    written = any(path is not None for path in paths.values())
    if written and (train is None or test is None):
        raise UsageError("--train and --test: found one, expected both")
    with Scratch() as owner, paths_of(table) as (path,):
        if not written:
            names = ["train", "test", *(["validation"] if validation_fraction is not None else [])]
            paths = {name: str(owner.scratch / f"{name}.arrow") for name in names}
        if task == "next":
            found = split_next(path, later, paths, format=format)
        else:
            parts = split_table(
                path,
                what,
                train=str(paths["train"]),
                test=str(paths["test"]),
                validation=paths.get("validation"),
                format=format,
                on_error=on_error,
                users_a_block=users_per_block,
            )
        if not written:
            return {name: pl.read_ipc(str(file)) for name, file in paths.items()}
    if task == "next":
        for one in found:
            report.info(
                f"{one.name}: {pluralize(one.records, 'record')} in "
                f"{pluralize(one.sessions, 'session')} of {pluralize(one.users, 'user')}"
            )
        return {one.name: pl.DataFrame([asdict(one)]) for one in found}
    for part in parts:
        report.info(
            f"{part.name}: {pluralize(part.rows, 'row')} of {pluralize(part.users, 'user')}, "
            f"days {part.first_day}-{part.last_day}"
        )
    return {part.name: pl.DataFrame([asdict(part)]) for part in parts}


@public()
def mask(
    table: Source,
    *,
    from_day: Day | None = None,
    to_day: Day | None = None,
    from_date: str | None = None,
    to_date: str | None = None,
    users: Count | None = None,
    last: Count | None = None,
    fraction: Annotated[float, Between(None, 1)] | None = None,
    users_file: PathName | None = None,
    seed: Seed = 0,
    output: PathName | None = None,
    format: OutputFormat | None = None,
    users_per_block: Count | None = None,
    on_error: OnError = "fail",
) -> pl.DataFrame:
    """Mask cells that are to be predicted: x and y become 999, the form of a HuMob challenge.

    Of daily flows it hides days: each becomes one row with only a date.

    Args:
        table: grid trajectory or flow series.
        from_day: first day to mask. Default: day 0.
        to_day: last day to mask. Default: the last day of the table.
        from_date: first date to hide of a flow series. Default: its first.
        to_date: last date to hide of a flow series. Default: its last.
        users: number of users to mask, drawn at random. Default: all users.
        last: number of users to mask, those with the highest uid (as in HuMob). Default: all users.
        fraction: fraction of users to mask, above 0, drawn at random. Default: all users.
        users_file: file of the users to mask, one uid per line. Default: all users.
        seed: seed of the random draw of users; the order of the rows does not matter.

    Returns:
        All rows in their order; with ``output`` one row that says how many rows were masked.

    Raises:
        HumobError: the table cannot be read, lacks the users, or has nothing to mask.
        UsageError: options that do not go together.

    Example:
        >>> challenge = hm.mask("city.csv", from_day=60, last=5)
        >>> challenge.filter(x=999)["uid"].n_unique()
        5
    """
    from humobctl.data.importers.table_kind import kind_of
    from humobctl.data.mask import Mask, mask_table
    from humobctl.tables.schemas import FLOW_SERIES

    target = as_path(output)
    with paths_of(table) as (path,):
        cells_only = {
            "from_day": from_day,
            "to_day": to_day,
            "users": users,
            "last": last,
            "fraction": fraction,
            "users_file": users_file,
            "seed": seed,
            "users_per_block": users_per_block,
        }
        if kind_of(path) is FLOW_SERIES:
            refuse_others(mask, cells_only, "a flow series")
            return _hide_days(path, target, from_date, to_date, format, on_error)
        refuse_others(mask, {"from_date": from_date, "to_date": to_date}, "a grid trajectory")
        what = Mask(from_day, to_day, users, last, fraction, as_path(users_file), seed)
        frame, done = write_to_frame(
            target,
            format,
            lambda place: mask_table(
                path,
                place,
                what,
                format=format,
                on_error=on_error,
                users_a_block=users_per_block,
            ),
        )
    report.info(
        f"masked {done.rows:,} of {pluralize(done.written, 'row')}, "
        f"of {pluralize(done.users, 'user')}"
    )
    if target is None:
        return frame
    return summary(target, rows=done.written, masked_rows=done.rows, masked_users=done.users)


@public()
def synth(
    *,
    users: Annotated[int, Between(1, 10_000_000)] = 100,
    days: Annotated[int, Between(1, 10_000)] | None = None,
    flows: bool = False,
    flows_grid: str = "41x36",
    start_date: str = "2023-11-01",
    seed: Seed = 0,
    output: PathName | None = None,
    format: OutputFormat | None = None,
    users_per_block: Count | None = None,
    places: PathName | None = None,
    profiles: PathName | None = None,
) -> pl.DataFrame:
    """Make a synthetic city whose trajectories look like HuMob data.

    200 by 200 cells of 500 m, half-hour slots, day 0 a Sunday, about 13 of 48 slots a day with a
    row. A seed always gives the same city, of which person 7 is the same among any number.

    With ``flows`` daily flows between cells of a peninsula that an earthquake strikes on 1 January
    2024, as in HuMob 2026: recovery at several speeds, rhythms of weekdays and holidays, sparse
    counts between cells, divided by a number.

    Args:
        users: number of users.
        days: number of days; day 0 is a Sunday. Default: 75, with ``flows`` 366.
        flows: make daily flows (date, origin, destination, flow) instead of trajectories.
        flows_grid: cells of the peninsula along x and y.
        start_date: date of the first day of the flows.
        places: also write the city's places (with category and intent) to this file.
        profiles: also write the profiles of its people, with home and work, to this file.

    Returns:
        A grid trajectory (uid, d, t, x, y), or a flow series; with ``output`` one row that says
        how many rows went there.

    Raises:
        HumobError: a file cannot be written.
        UsageError: two tables would go to one file, or fewer than one user or day.

    Example:
        >>> hm.synth(users=3, days=2, seed=1)["uid"].unique().to_list()
        [0, 1, 2]
    """
    from humobctl.data.synth.run import SyntheticCity, write_city

    target = as_path(output)
    if flows:
        city_only = {
            "users": users,
            "places": places,
            "profiles": profiles,
            "users_per_block": users_per_block,
        }
        refuse_others(synth, city_only, "--flows")
        return _synth_flows(days or 366, flows_grid, start_date, seed, target, format)
    flows_only = {"flows_grid": flows_grid, "start_date": start_date}
    refuse_others(synth, flows_only, "a city without --flows")
    frame, rows = write_to_frame(
        target,
        format,
        lambda place: write_city(
            SyntheticCity(users, days or 75, seed),
            place,
            format=format,
            places=as_path(places),
            profiles=as_path(profiles),
            users_a_block=users_per_block,
        ),
    )
    return frame if target is None else summary(target, rows=rows)


def _synth_flows(
    days: int, grid: str, start: str, seed: int, output: str | None, format: OutputFormat | None
) -> pl.DataFrame:
    """The flows of a synthetic peninsula, or how many rows were written."""
    from humobctl.data.flow_series.write import write_flow_days
    from humobctl.data.synth.flows import Peninsula, make_days, parse_size
    from humobctl.tables.calendar import parse_date
    from humobctl.tables.flow_series import AreaNumbers

    areas = AreaNumbers()
    what = Peninsula(*parse_size(grid), first=parse_date(start), days=days, seed=seed)
    frame, rows = write_to_frame(
        output,
        format,
        lambda place: write_flow_days(make_days(what, areas), areas, place, format=format),
    )
    return frame if output is None else summary(output, rows=rows)


def _hide_days(
    path: str,
    output: str | None,
    first: str | None,
    last: str | None,
    format: OutputFormat | None,
    on_error: OnError,
) -> pl.DataFrame:
    """A flow series with days hidden, or how many were written."""
    from humobctl.data.flow_series.hide import hide_days
    from humobctl.tables.calendar import parse_date

    from_date = parse_date(first, "--from-date") if first else None
    to_date = parse_date(last, "--to-date") if last else None
    frame, done = write_to_frame(
        output,
        format,
        lambda place: hide_days(path, place, from_date, to_date, format=format, on_error=on_error),
    )
    report.info(f"hid {pluralize(done.days, 'day')}")
    return frame if output is None else summary(output, rows=done.rows, hidden_days=done.days)

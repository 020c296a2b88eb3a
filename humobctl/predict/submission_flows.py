"""Checks a submission of HuMob 2026, as the organisers' validator does.

A file of HuMob 2026 with the hidden days, each once and none ``NA``; origins and destinations that
are cells of the grid or outside it (``-1_-1``), no day and no origin without any flow, and finite
numbers from 0. Reading it checks the form; the rest is checked here.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from humobctl.console.words import pluralize
from humobctl.data.flow_series.challenge_file import ChallengeReader, is_challenge_file
from humobctl.data.flow_series.read import HEAD_BYTES, read_flow_days
from humobctl.errors import HumobError
from humobctl.io.streams import open_input
from humobctl.tables.flow_series import (
    GRID_2026,
    NO_AREA,
    NO_CELL,
    OUTSIDE,
    AreaNumbers,
    FlowDay,
    hidden_days_2026,
)


@dataclass
class CheckedFlows:
    """What a valid submission holds."""

    days: int = 0
    pairs: int = 0


def validate_flows(submission: str, challenge: str) -> CheckedFlows:
    """Check every day of a submission.

    Args:
        submission: the file to check.
        challenge: the flow series whose hidden days it fills.

    Raises:
        HumobError: the first fault.
    """
    wanted = wanted_days(challenge)
    checked, areas, seen = CheckedFlows(), AreaNumbers(), set[dt.date]()
    source = open_input(submission)
    try:
        if not is_challenge_file(source.stream.peek(HEAD_BYTES)[:HEAD_BYTES]):
            raise HumobError(
                f"{submission}: found no file of HuMob 2026, expected YYYYMMDD, a tab and "
                "{'y_x': {'y_x': flow}} a line; 'humobctl data export --to humob26' writes it"
            )
        for day in ChallengeReader(source, areas).days():
            _check_day(day, wanted, areas, submission, challenge)
            seen.add(day.date)
            checked.days, checked.pairs = checked.days + 1, checked.pairs + len(day.flow)
    finally:
        source.close()
    lost = sorted(wanted - seen)
    if lost:
        raise HumobError(
            f"{submission}: lacks {pluralize(len(lost), 'day')}, the first {lost[0]:%Y%m%d}, "
            f"expected the {len(wanted)} hidden days of {challenge}"
        )
    return checked


def wanted_days(challenge: str) -> set[dt.date]:
    """The days to predict: the 58 of HuMob 2026 where all are hidden, otherwise all hidden ones.

    Raises:
        HumobError: none is hidden.
    """
    areas = AreaNumbers()
    hidden = {day.date for day in read_flow_days(challenge, areas) if day.hidden}
    if not hidden:
        raise HumobError(f"{challenge}: found no hidden day, expected some to predict")
    official = set(hidden_days_2026())
    return official if official <= hidden else hidden


def _check_day(
    day: FlowDay, wanted: set[dt.date], areas: AreaNumbers, submission: str, challenge: str
) -> None:
    where = f"{submission}: {day.date:%Y%m%d}: "
    if day.date not in wanted:
        raise HumobError(
            f"{where}found a day that is not asked for, expected the {len(wanted)} hidden days of "
            f"{challenge}"
        )
    if day.hidden or day.origin[0] == NO_AREA:
        found = "NA" if day.hidden else "no flow"
        raise HumobError(f"{where}found {found}, expected predicted flows")
    empty = np.flatnonzero(day.destination == NO_AREA)
    if len(empty):
        raise HumobError(
            f"{where}found the origin {areas.ids[day.origin[empty[0]]]} without destinations, "
            "expected one at least, or no such origin"
        )
    used = np.unique(np.concatenate([day.origin, day.destination]))
    x, y = (side[used] for side in areas.cells())
    inside = (x != NO_CELL) & (x >= 0) & (y >= 0) & (x <= GRID_2026[0]) & (y <= GRID_2026[1])
    bad = [areas.ids[one] for one in used[~inside] if areas.ids[one] != OUTSIDE]
    if bad:
        raise HumobError(
            f"{where}found the cell {bad[0]}, expected y_x with y up to {GRID_2026[1]} and x up to "
            f"{GRID_2026[0]}, or {OUTSIDE}"
        )

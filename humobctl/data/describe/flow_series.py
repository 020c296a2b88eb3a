"""What is in daily flows: days, hidden ones, areas, and flow by day and day of the week."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np

from humobctl.data.describe.description import Section, TableDescription, spread_section
from humobctl.data.flow_series.read import read_flow_days
from humobctl.data.measures.spread import Spread, show_number, spread
from humobctl.errors import HumobError
from humobctl.io.row_errors import OnError
from humobctl.tables.flow_series import AreaNumbers

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(repr=False)
class FlowSeriesDescription(TableDescription):
    """What ``describe_flow_series`` found.

    Attributes:
        first, last: first and last date.
        days: days of the table, hidden ones too.
        hidden_days: dates of hidden days; ``missing_days`` are not in the table at all.
        empty_days: known days without any flow.
        areas: areas of any day.
        rows: rows of pairs, over all days.
        pairs: over known days, pairs with a flow above 0.
        total: over known days, sum of all flows; ``within`` of those from an area to itself.
        by_day: of each known day date, pairs, total and within.
        by_weekday: mean total of the known days of each day of the week; None without one.
    """

    first: str
    last: str
    days: int
    hidden_days: list[str]
    missing_days: int
    empty_days: int
    areas: int
    rows: int
    pairs: Spread
    total: Spread
    within: Spread
    by_day: list[dict[str, Any]]
    by_weekday: dict[str, float | None]

    def sections(self) -> list[Section]:
        """Totals, spreads over days, days of the week."""
        hidden = self.hidden_days
        told = f"{len(hidden)} ({hidden[0]} to {hidden[-1]})" if hidden else "0"
        rows = [
            ("dates", f"{self.first} to {self.last}"),
            ("days", f"{self.days:,}"),
            ("hidden days", told),
            ("dates without any row", f"{self.missing_days:,}"),
            ("days without any flow", f"{self.empty_days:,}"),
            ("areas", f"{self.areas:,}"),
            ("rows of pairs", f"{self.rows:,}"),
        ]
        spreads = {
            "pairs with a flow": self.pairs,
            "total flow": self.total,
            "flow within areas": self.within,
        }
        week = [(day, "-" if v is None else show_number(v)) for day, v in self.by_weekday.items()]
        return [
            self.totals(rows),
            spread_section("over known days", spreads),
            Section("by day of the week", ("day", "mean total flow"), week),
        ]


def describe_flow_series(
    path: str | None, *, columns: dict[str, str] | None = None, on_error: OnError = "fail"
) -> FlowSeriesDescription:
    """Describe daily flows.

    Args:
        path: a file, or None or ``-`` for standard input.
        columns: names in the file -> names of the table, before the usual ones.
        on_error: stop at the first bad row, or drop bad rows with a warning.

    Raises:
        HumobError: the table cannot be read, or all its days are hidden.
    """
    source = "stdin" if path in (None, "-") else str(path)
    areas = AreaNumbers()
    dates: list[dt.date] = []
    hidden: list[dt.date] = []
    known: list[dict[str, Any]] = []
    rows = 0
    for day in read_flow_days(path, areas, columns=columns, on_error=on_error):
        dates.append(day.date)
        if day.hidden:
            hidden.append(day.date)
            continue
        rows += int(day.pairs.sum())
        own = day.origin == day.destination
        known.append(
            {
                "date": day.date.isoformat(),
                "pairs": int((day.flow > 0).sum()),
                "total": float(day.flow.sum()),
                "within": float(day.flow[own].sum()),
            }
        )
    if not known:
        raise HumobError(f"{source}: found hidden days alone, expected one known day at least")
    spreads = {
        name: spread(np.array([float(day[name]) for day in known]))
        for name in ("pairs", "total", "within")
    }
    first, last = min(dates), max(dates)
    return FlowSeriesDescription(
        source=source,
        kind="flow series",
        first=first.isoformat(),
        last=last.isoformat(),
        days=len(dates),
        hidden_days=[day.isoformat() for day in sorted(hidden)],
        missing_days=(last - first).days + 1 - len(dates),
        empty_days=sum(not day["pairs"] for day in known),
        areas=len(areas),
        rows=rows,
        **spreads,
        by_day=known,
        by_weekday=_by_weekday(known),
    )


def _by_weekday(known: list[dict[str, Any]]) -> dict[str, float | None]:
    of: dict[str, list[float]] = {name: [] for name in _WEEKDAYS}
    for day in known:
        of[_WEEKDAYS[dt.date.fromisoformat(day["date"]).weekday()]].append(day["total"])
    return {name: float(np.mean(totals)) if totals else None for name, totals in of.items()}

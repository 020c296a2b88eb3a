"""Daily flows: the file of HuMob 2026, and tables of date, origin, destination and flow."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from humobctl.console.words import pluralize
from humobctl.data.flow_series.challenge_file import ChallengeReader, is_challenge_file
from humobctl.data.flow_series.read import table_reader
from humobctl.data.importers.options import ImportOptions, Opened
from humobctl.data.importers.probe import InputProbe
from humobctl.io.scratch import Scratch
from humobctl.io.streams import clear_os_errors
from humobctl.tables.flow_series import AreaNumbers, FlowDay, split_days
from humobctl.tables.schemas import FLOW_SERIES


def is_challenge(look: InputProbe, _: ImportOptions) -> bool:
    """Whether it is the file of HuMob 2026."""
    return look.source is not None and is_challenge_file(look.head)


def is_table(look: InputProbe, options: ImportOptions) -> bool:
    """Whether it has the columns of a flow series."""
    return look.has(options, *FLOW_SERIES.columns)


def read_challenge(look: InputProbe, options: ImportOptions) -> Opened:
    """The days of a file of HuMob 2026."""
    look.label = ", ".join(
        [
            "tab-separated text",
            *([look.source.packing] if look.source and look.source.packing else []),
        ]
    )
    areas = AreaNumbers()
    reader = ChallengeReader(look.file("a file of HuMob 2026"), areas, options.on_error)
    notes: list[str] = []
    days = _count_days(reader.days(), notes)

    def batches() -> Iterator[pl.DataFrame]:
        yield from (day.to_frame(areas) for day in days)
        notes.extend(reader.notes())

    return Opened(FLOW_SERIES, batches(), "HuMob 2026 daily flows", notes, reader.dropped)


def read_table(look: InputProbe, options: ImportOptions) -> Opened:
    """The days of a table of daily flows, in order of the dates if they stand apart."""
    areas = AreaNumbers()
    reader = table_reader(
        look.file("a table of daily flows"), options.columns, options.on_error, look.separator
    )
    notes: list[str] = []

    def batches() -> Iterator[pl.DataFrame]:
        with Scratch() as owner:
            rows = _together(reader.batches(), owner, notes)
            days = split_days(rows, areas, look.name)
            yield from (day.to_frame(areas) for day in _count_days(days, notes))

    return Opened(FLOW_SERIES, batches(), "daily flows", notes, reader.dropped)


def _together(
    batches: Iterator[pl.DataFrame], owner: Scratch, notes: list[str]
) -> Iterator[pl.DataFrame]:
    """The rows of each day together: as they stand, or sorted by date where a day comes back."""
    seen: set[object] = set()
    paths, apart, last = [], False, None
    for number, batch in enumerate(batches):
        runs = batch["date"].rle().struct.field("value").to_list()
        runs = runs[1:] if runs[0] == last else runs
        apart |= len(set(runs)) < len(runs) or not seen.isdisjoint(runs)
        seen.update(runs)
        last = batch["date"][-1]
        paths.append(owner.scratch / f"{number}.arrow")
        with clear_os_errors("temporary files"):
            batch.write_ipc(paths[-1])
    if not apart:
        yield from (pl.read_ipc(path) for path in paths)
        return
    notes.append("rows sorted by date")
    yield from pl.scan_ipc(paths).sort("date", maintain_order=True).collect_batches()


def _count_days(days: Iterator[FlowDay], notes: list[str]) -> Iterator[FlowDay]:
    """The days; then a note of how many there are."""
    known, hidden, first, last = 0, 0, None, None
    for day in days:
        known, hidden = known + (not day.hidden), hidden + day.hidden
        first = day.date if first is None else min(first, day.date)
        last = day.date if last is None else max(last, day.date)
        yield day
    text = f"{pluralize(known + hidden, 'day')}, {first} to {last}"
    notes.append(text + (f", {hidden} of them hidden" if hidden else ""))

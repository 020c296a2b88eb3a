"""Predict the hidden days of a flow series."""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.data.flow_series.read import read_flow_days
from humobctl.errors import HumobError
from humobctl.io.read import read_table
from humobctl.io.row_errors import OnError
from humobctl.io.scratch import Scratch
from humobctl.io.streams import clear_os_errors
from humobctl.native import Bools, Float32s, Floats, Int32s
from humobctl.predict.flow_series.base import FlowModel, FlowSample, SeriesDays
from humobctl.predict.flow_series.data import PairStore, SeriesData
from humobctl.predict.flow_series.registry import (
    DEFAULT_FLOW_MODEL,
    FLOW_MODELS,
    check_flow_model,
)
from humobctl.tables.flow_series import NO_AREA, AreaNumbers, FlowDay
from humobctl.tables.schemas import COVARIATES

LEAST = 1e-3
"""Smallest predicted flow that is kept, in units of the smallest given one: below it a flow is left
out, and so 0."""
DIGITS = 6
"""Significant digits of predicted flows."""


@dataclass(frozen=True)
class FlowJob:
    """One prediction of hidden days.

    Attributes:
        model: its name.
        covariates: a table of date, cell and value; None without.
        calendar: days off, counted from the first day; None for the holidays of Japan.
        full: give the given days as well.
        seed: of the sample of pairs that models learn from.
        on_error: stop at the first bad row, or drop bad rows.
    """

    model: str = DEFAULT_FLOW_MODEL
    covariates: str | None = None
    calendar: pl.DataFrame | None = None
    full: bool = False
    seed: int = 0
    on_error: OnError = "fail"


def predict_days(path: str | None, job: FlowJob, areas: AreaNumbers) -> Iterator[FlowDay]:
    """The hidden days with their flows, in order; all days with ``full``.

    Args:
        path: a flow series; None or ``-`` for standard input.
        job: what to do.
        areas: gives the areas their numbers.

    Raises:
        HumobError: the series cannot be read, or has no hidden or no given day.
        UsageError: no such model, or one that takes no covariate.
    """
    check_flow_model(job.model, covariate=job.covariates is not None)
    name = "stdin" if path in (None, "-") else str(path)
    with PairStore() as store, _KeptDays() as kept:
        data = SeriesData(name, areas, store)
        read = read_flow_days(path, areas, on_error=job.on_error)
        data.collect(kept.pass_on(read) if job.full else read)
        days = data.days(_off(data, job.calendar))
        cells, within = data.cells()
        sample = FlowSample(
            within,
            data.sample(job.seed),
            covariate=None if job.covariates is None else _covariate(data, days, cells, job),
        )
        report.detail(
            f"fitting {job.model} to {pluralize(len(days.known), 'day')}, "
            f"{pluralize(len(cells), 'cell')} and a sample of "
            f"{pluralize(sample.pairs.shape[1], 'pair')}"
        )
        model = FLOW_MODELS[job.model].load()(days, sample)
        hidden = _days_of(days, _predict_blocks(data, model, cells, within))
        given = kept.days() if job.full else iter(())
        yield from heapq.merge(given, hidden, key=lambda day: day.date)


def _off(data: SeriesData, calendar: pl.DataFrame | None) -> Bools | None:
    """Days off by a calendar whose day 0 is the first day; None without one."""
    if calendar is None:
        return None
    size = max(data.known | data.hidden) - data.first + 1
    listed = calendar.filter((pl.col("off") == 1) & (pl.col("d") < size))
    off = np.zeros(size, dtype=bool)
    off[listed["d"].to_numpy()] = True
    return off


def _covariate(data: SeriesData, days: SeriesDays, cells: Int32s, job: FlowJob) -> Floats:
    """Values of cells, centred and standardised (days, cells); 0 where there is none."""
    assert job.covariates is not None
    table = read_table(job.covariates, COVARIATES, on_error=job.on_error)
    size, first = len(days.dates), dt.date.fromisoformat(str(days.dates[0]))
    at = pl.DataFrame({"cell": [data.areas.ids[one] for one in cells], "column": range(len(cells))})
    rows = table.with_columns(day=(pl.col("date") - first).dt.total_days()).join(at, on="cell")
    rows = rows.filter(pl.col("day").is_between(0, size - 1))
    name = "stdin" if job.covariates == "-" else job.covariates
    if not rows.height:
        raise HumobError(f"{name}: found no value of a cell and day of {data.name}, expected some")
    if rows.height < table.height:
        left_out = pluralize(table.height - rows.height, "row")
        report.warn(f"{name}: left out {left_out} of cells or days that {data.name} does not have")
    values = np.full((size, len(cells)), np.nan)
    values[rows["day"].to_numpy(), rows["column"].to_numpy()] = rows["value"].to_numpy()
    needed = np.isnan(values[days.given | days.hidden])
    if needed.any():
        report.warn(
            f"{name}: found no value for {needed.sum():,} of {needed.size:,} cells and days, which "
            "get the mean"
        )
    centred = values - np.nanmean(values)
    spread = float(np.nanstd(values))
    result: Floats = np.nan_to_num(centred / spread if spread > 0 else centred, nan=0.0)
    return result


@dataclass(frozen=True)
class _Block:
    """Predicted flows of some pairs, (hidden days, pairs)."""

    origin: Int32s
    destination: Int32s
    flows: Float32s


def _predict_blocks(
    data: SeriesData, model: FlowModel, cells: Int32s, within: Floats
) -> list[_Block]:
    """Flows of the hidden days: within cells, then between cells in order of the origin."""
    blocks = [_Block(cells, cells, _without_least(within, model.diagonal(within)))]
    with report.progress("predicting", data.store.rows, "rows") as ticker:
        for block in data.blocks():
            predicted = model.pairs(cast("Floats", block.flows))  # models keep the precision
            flows = _without_least(block.flows, predicted)
            some = flows.any(axis=0)
            blocks.append(_Block(block.origin[some], block.destination[some], flows[:, some]))
            ticker.advance(int(np.count_nonzero(block.flows)))
    return blocks


def _without_least(flows: Floats | Float32s, predicted: Floats) -> Float32s:
    """Predicted flows from ``LEAST`` on, 0 for others."""
    positive = flows[flows > 0]
    least = LEAST * float(positive.min()) if len(positive) else 0.0
    return np.where(predicted >= least, predicted, 0).astype(np.float32)


def _days_of(days: SeriesDays, blocks: list[_Block]) -> Iterator[FlowDay]:
    """The hidden days, their pairs in order of origin and destination."""
    origin = np.concatenate([block.origin for block in blocks])
    destination = np.concatenate([block.destination for block in blocks])
    order = np.lexsort((destination, origin))
    origin, destination = origin[order], destination[order]
    for row, date in enumerate(days.dates[days.wanted].tolist()):
        flow = np.concatenate([block.flows[row] for block in blocks])[order]
        there = np.flatnonzero(flow)
        if len(there):
            values = pl.Series(flow[there].astype(float)).round_sig_figs(DIGITS).to_numpy()
            yield FlowDay(date, origin[there], destination[there], values)
        else:
            none = np.array([NO_AREA], np.int32)
            yield FlowDay(date, none, none, np.zeros(1))


class _KeptDays(Scratch):
    """Given days as they were read, on disk."""

    def pass_on(self, days: Iterable[FlowDay]) -> Iterator[FlowDay]:
        """The days; each given one is kept as it passes."""
        for day in days:
            if not day.hidden:
                columns = {"o": day.origin, "d": day.destination, "flow": day.flow}
                with clear_os_errors("temporary files"):
                    pl.DataFrame(columns).write_ipc(self.scratch / f"{day.date}.arrow")
            yield day

    def days(self) -> Iterator[FlowDay]:
        """The kept days by date."""
        for path in sorted(self.scratch.iterdir()):
            rows = pl.read_ipc(path)
            origin, destination, flow = (rows[name].to_numpy() for name in ("o", "d", "flow"))
            yield FlowDay(dt.date.fromisoformat(path.stem), origin, destination, flow)

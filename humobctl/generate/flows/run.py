"""From files of areas and flows to a law, and to a file of flows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.data.importers.areas import read_areas, read_flows
from humobctl.errors import HumobError, UsageError
from humobctl.evaluate.flows.metrics import Flows, count_flows
from humobctl.generate.flows.areas import Region, region_of
from humobctl.generate.flows.config import FlowLaw
from humobctl.generate.flows.fit import Fitted, fit
from humobctl.generate.flows.model import draw_trips, flows
from humobctl.io.row_errors import OnError
from humobctl.io.write import write_table
from humobctl.native import Floats
from humobctl.tables.schemas import FLOWS


@dataclass(frozen=True)
class FlowsJob:
    """What flows to make.

    Attributes:
        areas: file of areas; None or ``-`` for standard input.
        law: the law; with ``fit``, its parameters are found there.
        fit: file of flows to fit the law to.
        fitted: the law has its parameters already.
        trips: how many trips in all, shared out by population; otherwise from the areas or ``fit``.
        sample: draw whole trips instead of mean flows.
        least: leave out smaller flows.
        columns: names in the files -> names of our tables.
        seed: of the draw.
        on_error: stop at the first faulty row of a file, or drop such rows.
    """

    areas: str | None
    law: FlowLaw
    fit: str | None = None
    fitted: bool = False
    trips: float | None = None
    sample: bool = False
    least: float = 0.0
    columns: dict[str, str] = field(default_factory=dict)
    seed: int = 0
    on_error: OnError = "fail"

    def read_areas(self) -> pl.DataFrame:
        """The areas.

        Raises:
            HumobError: the file cannot be read, or holds a fault.
        """
        return read_areas(self.areas, columns=_of(self.columns, "area"), on_error=self.on_error)


def write_flows(
    job: FlowsJob,
    areas: pl.DataFrame,
    output: str | None,
    *,
    format: str | None = None,
    save_law: str | None = None,
) -> int:
    """Fit the law if asked to, and write flows between all areas.

    Args:
        job: what flows to make.
        areas: its areas.
        output: file to write; None or ``-`` for standard output.
        format: of the output; None for that of its ending.
        save_law: file to write the law to; None for none.

    Returns:
        Number of flows written.

    Raises:
        HumobError: a file cannot be read or written, or holds a fault.
        UsageError: outflows or parameters are not known.
    """
    name = "stdin" if job.areas in (None, "-") else str(job.areas)
    region = region_of(areas, name)
    law, real = job.law if job.fitted else None, None
    if job.fit is not None:
        real = _real_flows(job, job.fit, region)
        law = _fit(job.law, region, real, job.fit)
    law = law or job.law.with_default_parameters()
    _warn_of_strangers(law, region)
    outflow = _outflows(job, region, real, law)
    made = _Made(job, law, region, outflow)
    count = write_table(made.batches(), output, table=FLOWS, format=format)
    if save_law is not None:
        law.save(save_law)
    made.tell(count)
    return count


def _of(columns: dict[str, str], table: str) -> dict[str, str]:
    """The part of --columns that is about one of the two tables."""
    flow_names = set(FLOWS.columns)
    return {old: new for old, new in columns.items() if (new in flow_names) == (table == "flow")}


def _real_flows(job: FlowsJob, path: str, region: Region) -> Flows:
    table = read_flows(path, columns=_of(job.columns, "flow"), on_error=job.on_error)
    name = "stdin" if path == "-" else path
    origin, destination = (region.numbers(table[c], name) for c in ("origin", "destination"))
    return count_flows(origin, destination, len(region), table["flow"].to_numpy())


def _fit(law: FlowLaw, region: Region, real: Flows, path: str) -> FlowLaw:
    try:
        found = fit(law, region, real)
    except HumobError as exc:
        raise HumobError(f"{path}: {exc}") from None
    _tell_fit(found)
    return found.law


def _tell_fit(found: Fitted) -> None:
    values = ", ".join(f"{name} {value:.4g}" for name, value in found.law.parameters.items())
    report.info(
        f"{found.law.name} fitted to {found.trips:,.0f} trips from {found.origins:,} areas: "
        f"{values or 'no parameters'}; {found.nats:.3f} nats a trip"
    )
    if found.within:
        report.info(f"left out of the fit: {found.within:,.0f} trips within areas")
    if found.lost:
        what = "people" if found.law.mass == "population" else "inflow"
        report.warn(f"left out of the fit: {found.lost:,.0f} trips to areas without {what}")


def _warn_of_strangers(law: FlowLaw, region: Region) -> None:
    if law.mass == "population":
        return
    strange = [area for area in region.ids if area not in law.masses]
    if strange:
        share = "an inflow of 0" if law.mass == "inflow" else "an attraction of 1"
        report.warn(
            f"{len(strange)} of {len(region)} areas, such as {strange[0]!r}, are not known to the "
            f"law; they get {share}"
        )


def _outflows(job: FlowsJob, region: Region, real: Flows | None, law: FlowLaw) -> Floats:
    """Trips that leave each area for others; those not known by the rate of the others.

    Raises:
        UsageError: none is known.
    """
    people = region.population
    if job.trips is not None:
        shared: Floats = people * (job.trips / people.sum())
        return shared
    outflow = region.outflow.copy()
    if real is not None:
        between = real.between_areas()
        sums = np.bincount(between.origin, between.flow, minlength=len(region))
        outflow = np.where(np.isnan(outflow) & (sums > 0), sums, outflow)
    unknown = np.isnan(outflow)
    if law.constraint == "none" or not unknown.any():
        return outflow
    lived_in = people[~unknown].sum()
    if not lived_in:
        raise UsageError(
            "number of trips: expected --trips, an outflow column in the areas, or --fit FLOWS"
        )
    rate = outflow[~unknown].sum() / lived_in
    report.info(f"{unknown.sum()} areas of unknown outflow get {rate:.4g} trips a person")
    outflow[unknown] = rate * people[unknown]
    return outflow


class _Made:
    """Flows as they are made, and what is to be said of them."""

    def __init__(self, job: FlowsJob, law: FlowLaw, region: Region, outflow: Floats) -> None:
        self.job, self.law, self.region, self.outflow = job, law, region, outflow
        self.trips = self.lost = self.small = 0.0

    def batches(self) -> Iterator[pl.DataFrame]:
        """Tables of flows, origin by origin in the order of the areas."""
        ids = pl.Series(self.region.ids)
        with report.progress("making flows", len(self.region), "areas") as ticker:
            for rows, mean in flows(self.law, self.region, self.outflow):
                if self.law.constraint == "origin":
                    stuck = (mean.sum(axis=1) == 0) & (self.outflow[rows] > 0)
                    self.lost += float(self.outflow[rows][stuck].sum())
                value = self._value(rows, mean)
                from_, to = np.nonzero((value > 0) & (value >= self.job.least))
                flow = value[from_, to]
                self.trips += float(flow.sum())
                self.small += float(value.sum() - flow.sum())
                yield pl.DataFrame(
                    {"origin": ids[rows[from_]], "destination": ids[to], "flow": flow}
                )
                ticker.advance(len(rows))

    def _value(self, rows: np.ndarray, mean: Floats) -> Floats:
        if not self.job.sample:
            return mean
        return draw_trips(rows, mean, self.law.constraint, self.job.seed)

    def tell(self, count: int) -> None:
        """Say what was made and what was left out."""
        report.info(
            f"{self.trips:,.0f} trips in {count:,} flows between "
            f"{pluralize(len(self.region), 'area')}"
        )
        if self.small > 0 and self.job.least:
            report.info(f"left out: {self.small:,.1f} trips in flows below {self.job.least:g}")
        if self.lost:
            report.warn(f"left out: {self.lost:,.0f} trips from areas that reach no other area")

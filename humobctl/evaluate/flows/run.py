"""Scores of flow tables: how far flows between areas agree with the true ones."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from humobctl.console import report
from humobctl.data.importers.areas import read_areas, read_flows
from humobctl.errors import HumobError
from humobctl.evaluate.flows.distances import TripDistances, measure_trips
from humobctl.evaluate.flows.metrics import Flows, compare_flows, count_flows
from humobctl.evaluate.scores import TableScore
from humobctl.io.row_errors import OnError
from humobctl.native import Int64s
from humobctl.tables.area_ids import likely_reason

FLOW_NAMES = ("cpc", "cpl", "rmse", "correlation", "rmse_travelled", "correlation_travelled")
"""Metrics of flow tables, in the order they are shown."""


@dataclass
class FlowEvaluation:
    """Scores of one file of flows.

    Attributes:
        name: the file.
        reference: what it was compared with.
        areas: areas that either file names.
        trips: trips that were compared, of the file and of the reference.
        scores: the scores.
        flows: what was compared, of the file and of the reference.
        distances: how far the trips of both go; None where no positions are known.
    """

    name: str
    reference: str
    areas: int
    trips: tuple[float, float]
    scores: list[TableScore]
    flows: tuple[Flows, Flows]
    distances: tuple[TripDistances, TripDistances] | None = None


def evaluate_flows(
    paths: list[str],
    truth: str,
    *,
    names: tuple[str, ...] = FLOW_NAMES,
    within: bool = False,
    areas: str | None = None,
    on_error: OnError = "fail",
) -> list[FlowEvaluation]:
    """Score files of flows against the true flows.

    Args:
        paths: flow tables; ``-`` for standard input.
        truth: the true flows.
        names: metrics to compute.
        within: whether trips within an area count; laws make none.
        areas: the areas with their positions, for distances; None for none.
        on_error: stop at the first bad row, or drop bad rows.

    Raises:
        HumobError: files that cannot be read, or without a trip to compare.
    """
    real = read_flows(truth, on_error=on_error)
    known = None if areas is None else read_areas(areas, on_error=on_error)
    result = []
    for path in paths:
        made = read_flows(path, on_error=on_error)
        found = _evaluation((path, made), (truth, real), names, within=within)
        if known is not None:
            first, second = (
                measure_trips(flows, name, known, areas or "", within=within)
                for flows, name in ((made, found.name), (real, found.reference))
            )
            found.distances = first, second
        result.append(found)
    return result


def _evaluation(
    made: tuple[str, pl.DataFrame],
    real: tuple[str, pl.DataFrame],
    names: tuple[str, ...],
    *,
    within: bool,
) -> FlowEvaluation:
    titles = ["stdin" if path == "-" else path for path, _ in (made, real)]
    _check_areas(titles, [_ids(table) for _, table in (made, real)])
    numbers = _number_areas([made[1], real[1]])
    areas = 1 + max(int(part.max()) for pair in numbers for part in pair)
    found: list[Flows] = []
    for title, pair, (_, table) in zip(titles, numbers, (made, real), strict=True):
        every = count_flows(*pair, areas, table["flow"].to_numpy())
        kept = every if within else every.between_areas()
        if every.total > kept.total:
            report.info(f"{title}: left out {every.total - kept.total:,.0f} trips within areas")
        if not kept.total:
            raise HumobError(f"{title}: found no trips between two areas, expected some to compare")
        found.append(kept)
    scores = compare_flows(
        *found,
        pairs=areas * (areas if within else areas - 1),
        settings=(("within-areas", "yes" if within else "no"),),
    )
    return FlowEvaluation(
        titles[0],
        titles[1],
        areas,
        (found[0].total, found[1].total),
        [score for score in scores if score.name in names],
        (found[0], found[1]),
    )


def _ids(table: pl.DataFrame) -> pl.Series:
    """All areas that a table of flows names, once."""
    return pl.concat([table["origin"].rename("area"), table["destination"].rename("area")]).unique()


def _check_areas(titles: list[str], ids: list[pl.Series]) -> None:
    """Warn where two tables speak of other areas in part.

    Raises:
        HumobError: they have no area in common.
    """
    made, real = ids
    common = made.is_in(real.implode()).sum()
    if not common:
        raise HumobError(
            f"{titles[0]}: found no area in common with {titles[1]} ({made.min()!r} "
            f"here, {real.min()!r} there), expected the same areas{likely_reason(made, real)}"
        )
    for title, own, other in zip(titles, ids, reversed(titles), strict=True):
        if len(own) > common:
            report.warn(f"{title}: {len(own) - common:,} of {len(own):,} areas are not in {other}")


def _number_areas(tables: list[pl.DataFrame]) -> list[tuple[Int64s, Int64s]]:
    """Origins and destinations by numbers that all tables share, in the order of the ids."""
    ids = pl.concat([table[c] for table in tables for c in ("origin", "destination")])
    codes = ids.cast(pl.Enum(ids.unique().sort())).to_physical().cast(pl.Int64).to_numpy()
    ends = [table.height for table in tables for _ in range(2)]
    parts: list[Int64s] = []
    start = 0
    for length in ends:
        parts.append(codes[start : start + length])
        start += length
    return list(zip(parts[::2], parts[1::2], strict=True))

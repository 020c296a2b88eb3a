"""What is in flows between areas: how many, how they spread, how symmetric, and how far they go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from humobctl.data.describe.description import (
    Section,
    TableDescription,
    spread_section,
)
from humobctl.data.importers.areas import read_areas, read_flows
from humobctl.data.measures.spread import Spread, show_number, spread
from humobctl.errors import HumobError
from humobctl.io.row_errors import OnError
from humobctl.tables.area_ids import likely_reason
from humobctl.tables.plane import kilometres_apart

_TOP = 10


@dataclass(repr=False)
class FlowsDescription(TableDescription):
    """What ``describe_flows`` found.

    Attributes:
        pairs: pairs of areas with a flow above 0; ``zero_pairs`` are listed with 0.
        areas, origins, destinations: areas in any pair with a flow, and those on either side.
        density: pairs over all pairs that the areas could make.
        total: sum of all flows.
        self_flow, self_share: flow within areas, and its share of the total.
        flow: over pairs with a flow.
        outflow, inflow: over areas, flow within an area left out; areas without one count with 0.
        symmetric_pairs: share of pairs of two areas whose way back has a flow, too.
        symmetric_flow: share of the flow between areas that the way back matches,
            ``sum(min(f_ij, f_ji)) / sum(f_ij)``; 1 for a symmetric table.
        top: the largest flows between two areas: origin, destination, flow and share of the total.
        mean_km: mean distance of a trip between areas; None without ``areas`` (--areas).
        distance_km: name of a quantile -> distance that so many trips between areas do not exceed.
        without_area: flow of pairs of which an area is not among those given.
    """

    pairs: int
    zero_pairs: int
    areas: int
    origins: int
    destinations: int
    density: float
    total: float
    self_flow: float
    self_share: float
    flow: Spread
    outflow: Spread
    inflow: Spread
    symmetric_pairs: float | None
    symmetric_flow: float | None
    top: list[dict[str, Any]]
    mean_km: float | None = None
    distance_km: dict[str, float] | None = None
    without_area: float | None = None

    def sections(self) -> list[Section]:
        """Totals, spreads, the largest flows."""
        between = [
            ("pairs with flow in both directions", _percent(self.symmetric_pairs)),
            ("flow matched in the other direction", _percent(self.symmetric_flow)),
        ]
        if self.distance_km is not None:
            told = ", ".join(f"{name} {show_number(km)}" for name, km in self.distance_km.items())
            between += [
                ("mean distance of a trip between areas, km", show_number(self.mean_km)),
                ("distance of a trip between areas, km", told or "-"),
                ("flow of areas without a position", show_number(self.without_area)),
            ]
        rows = [
            ("areas", f"{self.areas:,}"),
            ("origins, destinations", f"{self.origins:,}, {self.destinations:,}"),
            ("pairs with a flow", f"{self.pairs:,} ({self.density:.1%} of all pairs)"),
            ("pairs listed with 0", f"{self.zero_pairs:,}"),
            ("total flow", show_number(self.total)),
            ("flow within areas", f"{show_number(self.self_flow)} ({self.self_share:.1%})"),
            *between,
        ]
        spreads = {
            "flow of a pair": self.flow,
            "outflow of an area": self.outflow,
            "inflow of an area": self.inflow,
        }
        top = [
            (
                f"{one['origin']} to {one['destination']}",
                show_number(one["flow"]),
                f"{one['share']:.1%}",
            )
            for one in self.top
        ]
        return [
            self.totals(rows),
            spread_section("over pairs and areas", spreads),
            Section("", ("largest flows between areas", "flow", "fraction of all"), top),
        ]


def describe_flows(
    path: str | None,
    *,
    areas: str | None = None,
    columns: dict[str, str] | None = None,
    on_error: OnError = "fail",
) -> FlowsDescription:
    """Describe a table of flows.

    Args:
        path: a file, or None or ``-`` for standard input.
        areas: the areas with their positions, for distances.
        columns: names in the file of flows -> names of the table, before the usual ones.
        on_error: stop at the first bad row, or drop bad rows with a warning.

    Raises:
        HumobError: a table cannot be read, no flow is above 0, or no area has a position.
    """
    source = "stdin" if path in (None, "-") else str(path)
    listed = read_flows(path, columns=columns, on_error=on_error)
    flows = listed.filter(pl.col("flow") > 0)
    if not flows.height:
        raise HumobError(f"{source}: found no flow above 0, expected one at least")
    between = flows.filter(pl.col("origin") != pl.col("destination"))
    total = float(flows["flow"].sum())
    within = total - float(between["flow"].sum())
    names = pl.concat([flows["origin"], flows["destination"]]).unique()
    distances = {} if areas is None else _distances(between, source, areas, on_error)
    return FlowsDescription(
        source=source,
        kind="flows",
        pairs=flows.height,
        zero_pairs=listed.height - flows.height,
        areas=len(names),
        origins=flows["origin"].n_unique(),
        destinations=flows["destination"].n_unique(),
        density=flows.height / len(names) ** 2,
        total=total,
        self_flow=within,
        self_share=within / total,
        flow=spread(flows["flow"].to_numpy()),
        outflow=_by_area(between, "origin", names),
        inflow=_by_area(between, "destination", names),
        **_symmetry(between),
        top=between.sort("flow", "origin", "destination", descending=[True, False, False])
        .head(_TOP)
        .select("origin", "destination", "flow", share=pl.col("flow") / total)
        .to_dicts(),
        **distances,
    )


def _by_area(between: pl.DataFrame, side: str, names: pl.Series) -> Spread:
    sums = between.group_by(pl.col(side).alias("area")).agg(pl.col("flow").sum())
    return spread(
        names.to_frame("area").join(sums, on="area", how="left")["flow"].fill_null(0.0).to_numpy()
    )


def _symmetry(between: pl.DataFrame) -> dict[str, Any]:
    if not between.height:
        return {"symmetric_pairs": None, "symmetric_flow": None}
    back = between.select(origin="destination", destination="origin", back="flow")
    both = between.join(back, on=["origin", "destination"], how="left")
    matched = both.select(pl.min_horizontal("flow", pl.col("back").fill_null(0.0)).sum()).item()
    return {
        "symmetric_pairs": both["back"].count() / both.height,
        "symmetric_flow": float(matched / between["flow"].sum()),
    }


def _distances(between: pl.DataFrame, source: str, areas: str, on_error: OnError) -> dict[str, Any]:
    """How far trips between areas go, weighted by flow."""
    known = read_areas(areas, on_error=on_error).select("area_id", "lat", "lon")
    joined = between
    for side in ("origin", "destination"):
        joined = joined.join(known, left_on=side, right_on="area_id", how="inner", suffix="_to")
    if between.height and not joined.height:
        ids = pl.concat([between["origin"], between["destination"]]).unique()
        raise HumobError(
            f"{areas}: found none of the areas of {source}, expected their positions"
            f"{likely_reason(ids, known['area_id'])}"
        )
    flow = joined["flow"].to_numpy()
    lat, lon, lat_to, lon_to = (
        joined[name].to_numpy() for name in ("lat", "lon", "lat_to", "lon_to")
    )
    km = kilometres_apart(lat, lon, lat_to, lon_to)
    order = np.argsort(km)
    reached = np.cumsum(flow[order])
    shares = {"5 %": 0.05, "25 %": 0.25, "median": 0.5, "75 %": 0.75, "95 %": 0.95}
    return {
        "mean_km": float(np.average(km, weights=flow)) if len(km) else None,
        "distance_km": {
            name: float(km[order[np.searchsorted(reached, share * reached[-1])]])
            for name, share in shares.items()
            if len(km)
        },
        "without_area": float(between["flow"].sum() - flow.sum()),
    }


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"

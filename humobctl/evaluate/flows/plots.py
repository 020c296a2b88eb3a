"""Pictures of flows against the true ones: pair by pair, and the totals of areas."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from humobctl.evaluate.flows.distances import EDGES, TripDistances
from humobctl.evaluate.flows.metrics import Flows, align
from humobctl.evaluate.flows.run import FlowEvaluation
from humobctl.evaluate.score_table import names_of
from humobctl.native import Floats
from humobctl.plots.files import short_name
from humobctl.plots.style import GREY, SERIES, above_zero, as_shares, log_ticks, open_picture


def write_plot(evaluations: list[FlowEvaluation], path: str) -> None:
    """Draw the flows of each file over the true ones, of pairs and of areas.

    Raises:
        HumobError: the file cannot be written.
    """
    names = [Path(name).name for name in names_of(evaluations)]
    reference = Path(evaluations[0].reference).name
    counts = [
        f"{name}: {one.trips[0]:,.0f} trips; {one.trips[1]:,.0f} true ones, {one.areas:,} areas"
        for name, one in zip(names, evaluations, strict=True)
    ]
    columns = ["pairs of areas", "trips out of areas", "trips into areas"]
    far = ["distance of trips"] if evaluations[0].distances else []
    mosaic = [[f"{column} {row}" for column in columns + far] for row in range(len(evaluations))]
    with open_picture(
        path,
        mosaic,
        title=f"Flows: {' and '.join(names)} against {reference}",
        counts="\n".join(counts),
        source="eval; dashed: equal; what one side lacks lies on the lower or left edge",
    ) as (_, panels):
        for row, one in enumerate(evaluations):
            for column, sides in zip(columns, _sides(*one.flows), strict=True):
                panel = panels[f"{column} {row}"]
                _scatter(panel, sides, SERIES[row % len(SERIES)])
                panel.set(title=column, xlabel="true trips")
                panel.set_ylabel(f"trips of {short_name(names[row])}")
            if one.distances:
                panel = panels[f"{far[0]} {row}"]
                _distances(panel, one.distances, SERIES[row % len(SERIES)], short_name(names[row]))
                panel.set_title(far[0])


def _sides(made: Flows, real: Flows) -> list[tuple[Floats, Floats]]:
    """Trips of both by pair, by origin and by destination; of those that either has."""
    found = [align(made, real)]
    for end in ("origin", "destination"):
        first, second = (
            np.bincount(getattr(one, end), one.flow, minlength=one.areas).astype(np.float64)
            for one in (made, real)
        )
        some = first + second > 0
        found.append((first[some], second[some]))
    return found


def _distances(
    panel: Any, distances: tuple[TripDistances, TripDistances], colour: str, name: str
) -> None:
    """Shares of trips by distance, beside the true ones."""
    made, real = (one.shares for one in distances)
    known = np.flatnonzero(made + real)
    shown = slice(known[0], known[-1] + 1)
    bins = [f"{low:,}-{high:,}" for low, high in pairwise(EDGES)][shown]
    at = np.arange(len(bins))
    panel.bar(at - 0.2, real[shown], 0.38, color=GREY, label="true")
    panel.bar(at + 0.2, made[shown], 0.38, color=colour, label=name)
    panel.set_xticks(at, bins, rotation=45, ha="right", fontsize=8)
    panel.set(xlabel="km between centroids", ylabel="trips")
    as_shares(panel.yaxis)
    above_zero(panel)
    panel.legend(fontsize=8)


def _scatter(panel: Any, sides: tuple[Floats, Floats], colour: str) -> None:
    made, real = sides
    positive = np.concatenate([side[side > 0] for side in sides])
    low, high = positive.min() / 2, positive.max() * 2
    style = {"s": 12, "color": colour, "alpha": 0.5, "linewidths": 0, "rasterized": True}
    panel.scatter(np.maximum(real, low), np.maximum(made, low), **style)
    panel.plot([low, high], [low, high], color=GREY, linestyle="--", linewidth=1)
    panel.set(xscale="log", yscale="log", xlim=(low * 0.8, high), ylim=(low * 0.8, high))
    panel.set_aspect("equal")
    for axis in (panel.xaxis, panel.yaxis):
        log_ticks(axis, decades=float(np.log10(high / low)))

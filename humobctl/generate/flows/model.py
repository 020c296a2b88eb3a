"""Flows by a law: chances of all pairs of areas, then mean flows or drawn ones.

Shapes: n areas, b origins in a block.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from humobctl.generate.flows import gravity
from humobctl.generate.flows.areas import OriginBlock, Pairs, Region
from humobctl.generate.flows.config import FlowLaw
from humobctl.generate.flows.opportunities import OPPORTUNITY_LAWS, opportunity_weights
from humobctl.native import Floats, Int64s

_LEAST_MASS = 1e-9
"""Mass of an origin without any, as a share of all: it sends people to the nearest area."""


def masses(law: FlowLaw, region: Region) -> tuple[Floats, Floats]:
    """What sends and what draws people, shape (n,) each: population, or inflows of the law.

    The inflow of an area that the law does not know is 0.
    """
    mass = region.population
    if law.mass == "inflow":
        mass = np.array([law.masses.get(area, 0.0) for area in region.ids])
    return np.maximum(mass, _LEAST_MASS * mass.sum()), mass


def attractions(law: FlowLaw, region: Region) -> Floats:
    """Factor of each area's weight, shape (n,): 1 where the law has none for it."""
    if law.mass != "attraction":
        return np.ones(len(region))
    return np.array([law.masses.get(area, 1.0) for area in region.ids])


def weights(law: FlowLaw, region: Region, block: OriginBlock) -> Floats:
    """Weights of the pairs of a block, 0 from an area to itself and to one without mass; (b, n).

    Up to a factor for each origin, which no constraint but "origin" could leave open.
    """
    origin, destination = masses(law, region)
    possible = block.other & (destination > 0)
    if law.name == "gravity":
        logs = gravity.log_weights(law, block, origin[block.rows], destination)
        logs[~possible] = -np.inf
        if law.constraint == "origin":  # where all is far, weights are too small for a float
            top = logs.max(axis=1, keepdims=True)
            logs -= np.where(np.isfinite(top), top, 0.0)
        made: Floats = np.exp(logs) * attractions(law, region)
        return made
    kind = OPPORTUNITY_LAWS[law.name]
    result = opportunity_weights(kind, origin, destination, block, law.parameters)
    result[~possible] = 0.0
    return result


def flows(
    law: FlowLaw, region: Region, outflow: Floats, origins: Int64s | None = None
) -> Iterator[tuple[Int64s, Floats]]:
    """Mean flows from origins to all areas, a block after the other.

    Args:
        law: a law with its parameters.
        region: the areas.
        outflow: trips that leave each area for others, shape (n,); constraint "none" ignores it.
        origins: numbers of the origins; all unless given.

    Yields:
        Numbers of origins (b,) and their flows (b, n), which sum to their outflows (constraint
        "origin"), all together to all outflows of the origins ("total"), or to what the law says.
    """
    rows = np.arange(len(region)) if origins is None else origins
    pairs = Pairs(region, rows)
    total = 1.0
    if law.constraint == "total":
        weight = sum(float(weights(law, region, block).sum()) for block in pairs)
        total = float(outflow[rows].sum()) / weight if weight > 0 else 0.0
    for block in pairs:
        found = weights(law, region, block)
        if law.constraint == "origin":
            sums = found.sum(axis=1, keepdims=True)
            found *= outflow[block.rows, None] / np.where(sums > 0, sums, 1.0)
        yield block.rows, found * total


def draw_trips(rows: Int64s, mean: Floats, constraint: str, seed: int) -> Floats:
    """Whole trips instead of mean ones: multinomial by origin, or Poisson where nothing is kept.

    What is drawn for an origin depends on the seed and its number alone.

    Args:
        rows: numbers of the origins, shape (b,).
        mean: their mean flows, shape (b, n).
        constraint: of the law; with "origin", the rounded outflow is kept.
        seed: of the draw.
    """
    result = np.empty_like(mean)
    for index, row in enumerate(rows.tolist()):
        rng = np.random.default_rng((seed, row))
        total = float(mean[index].sum())
        if constraint == "origin" and total > 0:
            result[index] = rng.multinomial(round(total), mean[index] / total)
        else:
            result[index] = rng.poisson(mean[index])
    return result

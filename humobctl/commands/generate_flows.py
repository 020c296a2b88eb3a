"""``humobctl generate flows``: flows between areas by a law."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(
    hm.generate_flows,
    names={"law": "-l"},
)
def flows(**options: Any) -> None:
    """Make flows of people between areas: commuting, say, by county.

    Reads areas (area_id, lat, lon, population, and outflow where it is known) or GeoJSON with such
    properties, whose polygons stand for their centroids. Writes origin, destination, flow. Usual
    names of columns are known (tile_ID, tot_outflow, ...); --columns says others.

    Laws: gravity (masses and distance), radiation (Simini et al. 2012; nothing to fit),
    extended-radiation (Yang et al. 2014), opportunities (Schneider 1959). Parameters come from
    --fit, by maximum likelihood; without it gravity is the inverse square of the distance. Trips
    within an area are left out.

    How many trips leave an area is its outflow, else that in --fit, else what the other areas have
    per person; --trips shares out a number instead. docs/flows.md has the formulas.

    Example: humobctl generate flows counties.csv --law radiation --trips 100000 -o flows.csv

    Example: humobctl generate flows counties.csv --fit commuting.csv --deterrence exponential

    Example: humobctl generate flows counties.csv --fit commuting.csv --sample --save-law law.json

    Example: humobctl generate flows counties.csv --fit commuting.csv | humobctl eval - -t flows.csv
    """
    hm.generate_flows(**options)

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
    """Generate flows between areas (such as commuting) by a mobility law.

    Reads areas (area_id, lat, lon, population, and outflow if known) or GeoJSON with these
    properties, whose polygons are replaced by their centroids. Writes origin, destination, flow.
    Usual column names are recognised (tile_ID, tot_outflow, ...); --columns renames others.

    Laws: gravity (masses and distance), radiation (Simini et al. 2012; no parameters),
    extended-radiation (Yang et al. 2014), opportunities (Schneider 1959). --fit estimates the
    parameters by maximum likelihood; without it gravity uses the inverse square of the distance.
    Trips within an area are left out.

    The number of trips that leave an area is its outflow column, or its outflow in --fit, or the
    outflow per inhabitant of the other areas times its population; --trips distributes a total
    instead. docs/flows.md has the formulas.

    Example: humobctl generate flows counties.csv --law radiation --trips 100000 -o flows.csv

    Example: humobctl generate flows counties.csv --fit commuting.csv --deterrence exponential

    Example: humobctl generate flows counties.csv --fit commuting.csv --sample --save-law law.json

    Example: humobctl generate flows counties.csv --fit commuting.csv | humobctl eval - -t flows.csv
    """
    hm.generate_flows(**options)

"""scikit-mobility's own flow models on given splits; run by a Python that has scikit-mobility.

Its requirements are pinned to old versions, so it needs an environment of its own, in which only
what its models import is installed::

    python -m venv skmob
    skmob/bin/pip install 'numpy<2' 'pandas<2.2' 'shapely<2' 'geopandas<0.15' 'h3<4' fiona scipy \
        statsmodels tqdm folium geojson pooch powerlaw igraph requests scikit-learn
    skmob/bin/pip install --no-deps scikit-mobility==1.3.1
    SKMOB_PYTHON=skmob/bin/python python -m benchmarks commuting

Reads a job as JSON from standard input (files, splits as lists of training origins) and writes, for
each split and model, the flows from the other origins.
"""

from __future__ import annotations

import json
import sys
import warnings
from contextlib import redirect_stdout
from typing import Any

warnings.filterwarnings("ignore")

import geopandas as gpd  # noqa: E402
import pandas as pd  # noqa: E402
import skmob  # noqa: E402
from skmob.models import gravity, radiation  # noqa: E402

CONSTRAINTS = {"origin": "singly constrained", "total": "globally constrained"}
DETERRENCES = {"power": "power_law", "exponential": "exponential"}
COLUMNS = {"tile_id_column": "tile_ID", "tot_outflows_column": "tot_outflow"}


def models(tiles: Any, train: Any, relevance: str) -> dict[str, Any]:
    """Flows of every model, by ``law|constraint|deterrence``."""
    out = {}
    known = skmob.FlowDataFrame(train, tile_id="tile_ID", tessellation=tiles)
    for constraint, kind in CONSTRAINTS.items():
        for deterrence, function in DETERRENCES.items():
            model = gravity.Gravity(gravity_type=kind, deterrence_func_type=function)
            model.fit(known, relevance_column=relevance)
            out[f"gravity|{constraint}|{deterrence}"] = model.generate(
                tiles, relevance_column=relevance, out_format="flows", **COLUMNS
            )
    out["radiation|origin|power"] = radiation.Radiation().generate(
        tiles, relevance_column=relevance, out_format="flows", **COLUMNS
    )
    return out


def main() -> None:
    gravity.tqdm = radiation.tqdm = lambda items, **_: items
    job = json.load(sys.stdin)
    tiles = gpd.read_file(job["areas"]).rename(columns={"tile_id": "tile_ID"})
    flows = pd.read_csv(job["flows"], dtype={"origin": str, "destination": str})
    between = flows[flows.origin != flows.destination]
    tiles["tot_outflow"] = tiles.tile_ID.map(between.groupby("origin").flow.sum()).fillna(0)
    result = []
    for train in job["splits"]:
        known = between[between.origin.isin(train)]
        tiles["inflow"] = tiles.tile_ID.map(known.groupby("destination").flow.sum()).fillna(0)
        for mass in ("population", "inflow"):
            with redirect_stdout(sys.stderr):
                found = models(tiles, known.copy(), mass)
            result.append(
                {
                    f"{name}|{mass}": table[~table.origin.isin(train)].values.tolist()
                    for name, table in found.items()
                }
            )
    json.dump(result, sys.stdout)


main()

"""Flows of origins that no law was fitted to, beside scikit-mobility's own models."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import polars as pl

from benchmarks.harness import DATA, markdown
from humobctl.data.importers.areas import read_areas, read_flows
from humobctl.evaluate.flows.metrics import Flows, align, common_part, count_flows
from humobctl.generate.flows.areas import Region, region_of
from humobctl.generate.flows.config import FlowLaw
from humobctl.generate.flows.fit import fit
from humobctl.generate.flows.model import flows

AREAS = DATA / "ny-commuting" / "NY_counties_2011.geojson"
FLOWS = DATA / "ny-commuting" / "NY_commuting_flows_2011.csv"
SPLITS = 20
SAME = [
    FlowLaw("gravity", deterrence, constraint, mass)
    for mass in ("population", "inflow")
    for constraint in ("origin", "total")
    for deterrence in ("power", "exponential")
] + [FlowLaw("radiation", mass=mass) for mass in ("population", "inflow")]
OURS = [
    FlowLaw("gravity", "combined", "origin", "population"),
    FlowLaw("gravity", "combined", "origin", "inflow"),
    *(FlowLaw("gravity", d, "origin", "attraction") for d in ("power", "exponential", "combined")),
    *(
        FlowLaw(name, mass=m)
        for name in ("extended-radiation", "opportunities")
        for m in ("population", "inflow")
    ),
]


def commuting() -> str:
    """Mean common part of commuters on the held-out half of the origins, over SPLITS splits."""
    region = region_of(read_areas(str(AREAS)))
    real = _flows(read_flows(str(FLOWS)), region).between_areas()
    halves = [
        np.random.default_rng(seed).permutation(len(region)) < len(region) // 2
        for seed in range(SPLITS)
    ]
    theirs = _skmob(region, real, halves)
    rows = []
    for law in (*SAME, *OURS):
        mine = [_score(law, region, real, train) for train in halves]
        row = [law.name, law.constraint, law.deterrence if law.name == "gravity" else "", law.mass]
        other = theirs.get(_key(law), [])
        apart = f"{mean(mine) - mean(other):+.5f}" if other else ""
        rows.append([*row, _shown(mine), _shown(other), apart])
    columns = ["law", "keeps", "deterrence", "masses", "CPC", "scikit-mobility", "difference"]
    return markdown(columns, rows)


def _flows(table: pl.DataFrame, region: Region) -> Flows:
    origin, destination = (
        region.numbers(table[name], "flows") for name in ("origin", "destination")
    )
    return count_flows(origin, destination, len(region), table["flow"].to_numpy())


def _of(real: Flows, origins: np.ndarray) -> Flows:
    mine = origins[real.origin]
    return Flows(real.origin[mine], real.destination[mine], real.flow[mine], real.areas)


def _score(law: FlowLaw, region: Region, real: Flows, train: np.ndarray) -> float:
    """Every area's outflow is given; where people go is fitted to the training origins alone."""
    fitted = fit(law, region, _of(real, train)).law
    outflow = np.bincount(real.origin, real.flow, minlength=len(region))
    made = np.concatenate([part for _, part in flows(fitted, region, outflow)])
    origin, destination = np.nonzero(made)
    every = Flows(origin, destination, made[origin, destination], len(region))
    return common_part(*align(_of(every, ~train), _of(real, ~train)))


def _key(law: FlowLaw) -> str:
    return f"{law.name}|{law.constraint}|{law.deterrence}|{law.mass}"


def _shown(values: list[float]) -> str:
    return f"{mean(values):.4f} ± {stdev(values):.4f}" if values else ""


def _skmob(region: Region, real: Flows, halves: list[np.ndarray]) -> dict[str, list[float]]:
    """Their scores by model, where SKMOB_PYTHON names a Python that has scikit-mobility."""
    python = os.environ.get("SKMOB_PYTHON")
    if python is None:
        return {}
    ids = np.array(region.ids)
    job = {
        "areas": str(AREAS),
        "flows": str(FLOWS),
        "splits": [ids[train].tolist() for train in halves],
    }
    script = Path(__file__).with_name("skmob_flows.py")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [python, str(script)],
        input=json.dumps(job).encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        env=environment,
        cwd="/",
    )
    scores: dict[str, list[float]] = {}
    for number, models in enumerate(json.loads(done.stdout)):
        true = _of(real, ~halves[number // 2])  # two masses a split
        for name, rows in models.items():
            table = pl.DataFrame(rows, ["origin", "destination", "flow"], orient="row")
            made = _flows(table.with_columns(pl.col("flow").cast(pl.Float64)), region)
            scores.setdefault(name, []).append(common_part(*align(made, true)))
    return scores

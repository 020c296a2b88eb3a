"""Privacy and flow scores of generated people: how long they take, and what real people get."""

from __future__ import annotations

import numpy as np
import polars as pl

from benchmarks.harness import DATA, interleaved, markdown
from humobctl.evaluate.flows.metrics import flows
from humobctl.evaluate.generated.privacy import privacy
from humobctl.native import Floats
from humobctl.tables.plane import plane_through
from humobctl.tables.stays import UNKNOWN_INTENT, Stays

STAYS = DATA / "beijing" / "stays.parquet"
PEOPLE = 100_000
SHOWN = ("nearest_p5", "nearest_median", "closer_share", "copies", "place_copies")


def _stays(copies: int, shift: float) -> Stays:
    """Beijing's day, ``copies`` times, each stay moved by a normal deviate of ``shift`` metres."""
    one = pl.read_parquet(STAYS).sort("uid", "start_min")
    lat, lon = one["lat"].to_numpy(), one["lon"].to_numpy()
    east, north = plane_through(lat, lon).metres(lat, lon)
    rng = np.random.default_rng(0)

    def moved(part: Floats) -> Floats:
        return np.tile(part, copies) + shift * rng.normal(size=copies * len(part))

    uid = one["uid"].to_numpy().astype(np.int64)
    rounds = np.repeat(np.arange(copies), len(uid)) * (uid.max() + 1)
    start, end = (
        np.tile(one[name].round().to_numpy(), copies).astype(np.int32)
        for name in ("start_min", "end_min")
    )
    return Stays(
        np.tile(uid, copies) + rounds,
        np.zeros(copies * len(uid), np.int32),
        start,
        end,
        np.tile(one["place_id"].to_numpy().astype(np.int64), copies),
        moved(east),
        moved(north),
        np.full(copies * len(uid), UNKNOWN_INTENT, np.int8),
    )


def _half(stays: Stays, odd: int) -> Stays:
    mine = stays.uid % 2 == odd
    return Stays(*(getattr(stays, name)[mine] for name in stays.__dataclass_fields__))


def table() -> str:
    """Half of the real people against the other half, copies that were moved, and the people."""
    real = _stays(1, 0.0)
    many = _stays(-(-PEOPLE // len(np.unique(real.uid))), 300.0)
    rows = []
    for name, made, true in (
        ("one half of the real people", _half(real, 0), _half(real, 1)),
        ("copies of real people, each stay moved by 300 m", many, real),
        ("the real people themselves", real, real),
    ):
        (taken,) = interleaved(lambda made=made, true=true: privacy(made, true), runs=1)
        found = {score.name: score.value for score in privacy(made, true)}
        days = f"{len(np.unique(made.uid)):,} / {len(np.unique(true.uid)):,}"
        values = [f"{found[n]:.3f} / {found[f'{n}_real']:.3f}" for n in SHOWN]
        (flow,) = interleaved(lambda made=made, true=true: flows(made, true, cell_km=1.0), runs=3)
        cpc = next(s.value for s in flows(made, true, cell_km=1.0) if s.name == "cpc")
        rows.append([name, days, *values, f"{cpc:.3f}", f"{taken:.1f}", f"{flow:.2f}"])
    columns = ["generated", "people / real", *SHOWN, "CPC, 1 km", "privacy s", "flows s"]
    return markdown(columns, rows)

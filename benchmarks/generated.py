"""Generated data: what `eval` takes of them, and what sampling alone makes of its scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.harness import DATA, WORK, markdown, peak
from humobctl.data.importers.stays import read_stays
from humobctl.evaluate.divergence import jsd
from humobctl.evaluate.generated.statistics import SAMPLES
from humobctl.tables.schemas import VISITS
from humobctl.tables.stays import Stays

STAYS = DATA / "beijing" / "stays.parquet"
COUNTS = (100_000, 1_000_000)
SIZES = (100, 300, 1_000, 2_700)
DRAWS = 10


def speed() -> str:
    """Whole processes on real person-days drawn with replacement, each a person of its own."""
    rows = []
    for count in COUNTS:
        for form in ("parquet", "csv"):
            target = WORK / f"generated.{form}"
            stays = _write(count, target)
            seconds, megabytes = peak("eval", target, "--truth", STAYS, "--format", "json")
            days = f"{count / seconds:,.0f}"
            rows.append(
                [f"{count:,}", f"{stays:,}", form, f"{seconds:.1f}", days, f"{megabytes:.0f}"]
            )
            target.unlink()
    columns = ["person-days", "stays", "read from", "seconds", "person-days a second", "peak MB"]
    return markdown(columns, rows)


def _write(people: int, target: Path) -> int:
    """Visits of ``people`` real people drawn with replacement; the number of stays."""
    real = pl.read_parquet(STAYS)
    drawn = np.random.default_rng(0).choice(real["uid"].unique().sort().to_numpy(), people)
    visits = (
        pl.DataFrame({"source": drawn})
        .with_row_index("person")
        .join(real, left_on="source", right_on="uid", maintain_order="left_right")
        .select(
            uid="person",
            d=pl.lit(0),
            seq="seq",
            intent=pl.lit(None, pl.String),
            start_min=pl.col("start_min").round(),
            end_min=pl.col("end_min").round(),
            place_id=pl.col("place_id").cast(pl.String),
            lat="lat",
            lon="lon",
        )
        .cast(dict(VISITS.dtypes))
    )
    if target.suffix == ".csv":
        visits.write_csv(target)
    else:
        visits.write_parquet(target)
    return visits.height


def floors() -> str:
    """Mean divergence of two disjoint draws of n real people: it grows as n falls."""
    table = read_stays(str(STAYS))
    stays = table.on(table.plane())
    rng = np.random.default_rng(0)
    rows = []
    for size in SIZES:
        found: dict[str, list[float]] = {name: [] for name in SAMPLES if name != "intent"}
        for _ in range(DRAWS):
            people = rng.permutation(stays.people())
            pair = [
                stays.take(np.isin(stays.uid, part))
                for part in (people[:size], people[size : 2 * size])
            ]
            for name, values in found.items():
                first, second = (SAMPLES[name](half).sample() for half in pair)
                values.append(jsd(first.counts, second.counts))
        rows.append([f"{size:,}", *(f"{np.mean(values):.4f}" for values in found.values())])
    return markdown(["people a side", *(name.replace("_", " ") for name in found)], rows)


def controls() -> str:
    """Real people with one thing made wrong: which metrics see it."""
    table = read_stays(str(STAYS))
    real = table.on(table.plane())
    rng = np.random.default_rng(0)
    _, first = np.unique(real.place, return_index=True)
    anew = first[rng.integers(0, len(first), len(real))]
    dealt = rng.permutation(len(real))
    works = {
        "places drawn anew, each as likely": _moved(real, anew),
        "places dealt out among the stays": _moved(real, dealt),
        "places 30 % farther apart": replace(real, east=1.3 * real.east, north=1.3 * real.north),
        "an hour later": replace(real, start=_later(real.start), end=_later(real.end)),
        "every second stay left out": real.take(np.arange(len(real)) % 2 == 0),
    }
    names = [name for name in SAMPLES if name != "intent"]
    rows = []
    for name, wrong in works.items():
        found = (
            jsd(SAMPLES[n](wrong).sample().counts, SAMPLES[n](real).sample().counts) for n in names
        )
        rows.append([name, *(f"{value:.4f}" for value in found)])
    return markdown(["real people with", *(name.replace("_", " ") for name in names)], rows)


def _moved(stays: Stays, source: np.ndarray) -> Stays:
    where = {name: getattr(stays, name)[source] for name in ("place", "east", "north")}
    return replace(stays, **where)


def _later(minutes: np.ndarray) -> np.ndarray:
    return np.minimum(minutes + 60, 1440)

"""Returns over days: schedules of weeks of held-out users, with places by the fitted law."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from benchmarks.habits import CELLS, GRID, POINTS
from benchmarks.harness import WORK, markdown, peak
from benchmarks.trainings import SEEDS, span

METRICS = ("jump_distance", "radius", "daily_loc", "periodicity", "irank", "grank")
OTHER = "excursion"
"""Intent of stays that are neither at home nor at work; places serve all."""
WAYS = {
    "fitted": ("--fit",),
    "distances fitted, chance of Song et al.": ("--fit", "--rho", 0.6, "--gamma", 0.21),
    "no returns over days": ("--fit", "--rho", 1, "--gamma", 0),
    "built-in law of Beijing": (),
}


def read_stays(name: str) -> pl.DataFrame:
    """Stays of a data set, with homes and works as intents."""
    visits, points = (_folder(name) / f"{what}.parquet" for what in ("visits", "points"))
    if name in CELLS:
        peak("data", "stays", CELLS[name], *GRID, "-o", visits)
    else:
        peak("data", "import", POINTS[name], "-o", points)
        peak("data", "stays", points, "-o", visits)
    return pl.read_parquet(visits)


def _folder(name: str) -> Path:
    folder = WORK / f"returns_{name.replace(',', '').replace(' ', '_')}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Weeks:
    """Stays of users to fit and of others to score, whose schedules get places.

    GeoLife has two users, who are on both sides by every second week.
    """

    def __init__(self, name: str) -> None:
        table = read_stays(name)
        few = table["uid"].n_unique() < 20
        half = pl.col("d") // 7 % 2 == 0 if few else pl.col("uid").rank("dense") % 2 == 0
        folder = _folder(name)
        paths = [
            folder / f"{what}.parquet" for what in ("fit", "test", "plans", "people", "places")
        ]
        self.fit, self.test, self.plans, self.people, self.places = paths
        self.made = folder / "made.parquet"
        fitted, held = table.filter(half), _with_anchors(table.filter(~half))
        fitted.write_parquet(self.fit)
        held.write_parquet(self.test)
        _plans(held).write_parquet(self.plans)
        _people(held).write_parquet(self.people)
        peak("data", "import", self.fit, "--as", "places", "-o", self.places)
        self.held = held

    def scores(self, way: tuple[str | float, ...], seed: int) -> dict[str, float]:
        """Divergences from the held-out users, and returns, of one way and seed."""
        files = (self.plans, "--places", self.places, "--people", self.people, "-o", self.made)
        last = ("--nights-away", 0, "--seed", seed)
        options = ["--fit", str(self.fit)] if "--fit" in way else []
        options += [str(one) for one in way if one != "--fit"]
        peak("generate", "gravity", *files, *options, *last)
        return evaluate(self.made, self.test) | _returns(pl.read_parquet(self.made))


def evaluate(made: Path, truth: Path, which: str = "value") -> dict[str, float]:
    """Scores, or floors, by metric."""
    target = made.with_suffix(".json")
    peak("eval", made, "--truth", truth, "-o", target)
    found = {one["metric"]: one for one in json.loads(target.read_text())["scores"]}
    return {metric: found[metric][which] for metric in METRICS}


def _with_anchors(table: pl.DataFrame) -> pl.DataFrame:
    """Stays of users with a home, those of a day in order."""
    known = (pl.col("intent") == "go home").any().over("uid")
    first = pl.struct("uid", "d", "start_min").is_first_distinct()  # a plan has one at a time
    return table.filter(known).sort("uid", "d", "start_min").filter(first)


def _plans(held: pl.DataFrame) -> pl.DataFrame:
    seq = pl.int_range(pl.len()).over("uid", "d").cast(pl.Int16)
    intent = pl.col("intent").fill_null(OTHER)
    end = pl.max_horizontal("end_min", pl.col("start_min") + 1)
    return held.select("uid", "d", seq.alias("seq"), intent, "start_min", end)


def _people(held: pl.DataFrame) -> pl.DataFrame:
    """Homes and works of the users."""
    spots = {
        f"{name}_{axis}": pl.col(axis).filter(pl.col("intent") == intent).first()
        for name, intent in (("home", "go home"), ("work", "go to work"))
        for axis in ("lat", "lon")
    }
    traits = ("education", "gender", "consumption", "occupation")
    return (
        held.group_by("uid", maintain_order=True)
        .agg(**spots)
        .with_columns(pl.lit("unknown").alias(name) for name in traits)
    )


def _returns(visits: pl.DataFrame) -> dict[str, float]:
    """Fraction at a place of before, beside home and work, of all days and late ones; places."""
    table = visits.sort("uid", "d", "start_min").with_columns(
        new=pl.struct("uid", "place_id").is_first_distinct()
    )
    free = table.filter(~pl.col("intent").is_in(["go home", "go to work"]).fill_null(value=False))
    late = free.filter(pl.col("d") >= 30)
    users = free.group_by("uid").agg(pl.n_unique("place_id"))["place_id"]
    return {
        "returned": 1 - float(free["new"].mean()),
        "returned, day 30 on": 1 - float(late["new"].mean()),
        "places a user": float(users.mean()),
    }


def returns() -> str:
    """Schedules of weeks of held-out users, places by laws: divergence, returns; range of seeds."""
    rows = []
    columns = [*METRICS, "returned", "returned, day 30 on", "places a user"]
    for name in (*CELLS, *POINTS):
        weeks = Weeks(name)
        for title, way in WAYS.items():
            found = [weeks.scores(way, seed) for seed in SEEDS]
            texts = [span([one[column] for one in found], 4) for column in columns]
            rows.append([name, title, *texts])
        floor = evaluate(weeks.made, weeks.test, "floor")
        real = floor | _returns(weeks.held)
        rows.append([name, "real users; floor", *(f"{real[column]:.4f}" for column in columns)])
    return markdown(["data", "places by", *columns], rows)

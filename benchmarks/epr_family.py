"""The EPR family of fastmob in the same city; run by a Python that has fastmob and polars.

An environment of its own, since humobctl does not need it::

    python -m venv fastmob
    fastmob/bin/pip install fastmob==0.3.2 polars
    FASTMOB_PYTHON=fastmob/bin/python python -m benchmarks epr-family

Reads a job as JSON from standard input (files of places and of the stays to fit to, people, seed,
models, a folder), writes the visits of each model's last day there and, as JSON, what each took.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from typing import Any

import polars as pl
from fastmob import Locations, models

DAYS = 8
"""Days that are simulated; the last one is kept, when people know some places."""
FIRST = dt.datetime(2019, 7, 1)
LAST = FIRST + dt.timedelta(days=DAYS - 1)


def tessellation(places: pl.DataFrame, stays: pl.DataFrame) -> pl.DataFrame:
    """Places with what they attract by: their visits and one."""
    visits = stays.group_by(pl.col("place_id").cast(pl.String)).len("visits")
    return (
        places.join(visits, on="place_id", how="left", maintain_order="left")
        .with_row_index("tile_ID")
        .select(
            pl.col("tile_ID").cast(pl.String),
            *("lat", pl.col("lon").alias("lng"), "place_id"),
            relevance=pl.col("visits").fill_null(0).cast(pl.Float64) + 1,
        )
    )


def fit_diary(stays: pl.DataFrame) -> Any:
    """DITRAS's diaries of the hours of people's stays."""
    begins = pl.col("start_min").cast(pl.Float64) * 60_000_000
    traj = stays.sort("uid", "seq").select(
        "uid",
        datetime=pl.lit(FIRST) + begins.cast(pl.Duration("us")),
        lat="lat",
        lng="lon",
        location=pl.col("place_id").cast(pl.Int64),
    )
    diary = models.MarkovDiaryGenerator()
    diary.fit(traj, traj["uid"].n_unique(), lid="location")
    return diary


def simulate(name: str, job: dict[str, Any], tiles: pl.DataFrame, stays: pl.DataFrame) -> Any:
    """The trajectories of a model."""
    city = Locations.from_tessellation(tiles, tile_id_col="tile_ID", lat_col="lat", lng_col="lng")
    common = {"n_agents": job["people"], "random_state": job["seed"]}
    span = (FIRST, FIRST + dt.timedelta(days=DAYS))
    number = dict(zip(tiles["place_id"], range(tiles.height), strict=True))
    homes = stays.sort("uid", "seq").unique("uid", keep="first", maintain_order=True)["place_id"]
    drawn = homes.sample(job["people"], with_replacement=True, seed=job["seed"])
    start = [number[str(place)] for place in drawn]
    if name in ("DensityEPR", "SpatialEPR"):
        return getattr(models, name)().generate(*span, city, starting_locations=start, **common)
    if name == "GeoSim":
        return models.GeoSim().generate(*span, city, **common)
    if name == "Ditras":
        model = models.Ditras(fit_diary(stays))
        return model.generate(*span, city, starting_locations=start, **common)
    return models.STS_epr().generate(
        *span, city, fit_diary(stays), rsl=True, relevance_column="relevance", **common
    )


def last_day(found: Any, tiles: pl.DataFrame) -> pl.DataFrame:
    """Visits of the last day: where people were as it began, and where they went."""
    points = pl.DataFrame(found).select(
        "uid", "lat", "lng", at=pl.col("datetime").cast(pl.Datetime("us"))
    )
    spots = tiles.unique(["lat", "lng"]).select("lat", "lng", "place_id")
    minute = (pl.col("at") - LAST).dt.total_minutes()
    return (
        points.sort("uid", "at")
        .join(spots, on=["lat", "lng"], how="left", maintain_order="left")
        .with_columns(start=minute.clip(lower_bound=0))
        .filter(pl.col("start") < 1440)
        .filter((pl.col("start") > 0) | (pl.col("start").shift(-1).over("uid").fill_null(1440) > 0))
        .filter(pl.col("place_id").ne_missing(pl.col("place_id").shift(1).over("uid")))
        .select(
            pl.col("uid").cast(pl.UInt32),
            d=pl.lit(0, pl.Int16),
            seq=pl.int_range(pl.len()).over("uid").cast(pl.Int16),
            intent=pl.lit(None, pl.String),
            start_min=pl.col("start").cast(pl.Int16),
            end_min=pl.col("start").shift(-1).over("uid").fill_null(1440).cast(pl.Int16),
            place_id="place_id",
            lat="lat",
            lon="lng",
        )
    )


def main() -> None:
    """Run the models of the job."""
    job = json.load(sys.stdin)
    stays = pl.read_parquet(job["stays"])
    tiles = tessellation(pl.read_parquet(job["places"]), stays)
    took = {}
    for name in job["models"]:
        begun = time.perf_counter()
        found = simulate(name, job, tiles, stays)
        took[name] = time.perf_counter() - begun
        last_day(found, tiles).write_parquet(f"{job['folder']}/{name}.parquet")
    json.dump(took, sys.stdout)


if __name__ == "__main__":
    main()

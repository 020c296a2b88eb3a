"""Learned days of Foursquare New York, beside laws, random choice and the floor.

Users are split: four in five are learnt from. A day has three check-ins or more. The others' home,
work and other check-ins are the day plans; homes and works are those of the people who are learnt
from, or the model's own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.diffusion import AS_INTENTS, NEAREST, City
from benchmarks.harness import DATA, WORK, markdown
from humobctl.data.importers.stays import read_stays
from humobctl.generate.diffusion.data import DAY, WORK_CLASS, known_days
from humobctl.tables.schemas import PLACES

NEW_YORK = DATA / "foursquare-nyc"
LEAST = 3
"""Check-ins of a day."""


def scores() -> str:
    """The table of the module's first line."""
    city = new_york()
    files = {}
    for law in ("gravity", "epr", "random"):
        pairs = ("--home-work", city.pairs)
        files[law] = city.generate("gravity", law, "--law", law, *pairs)
    fitted = ("--law", "empirical", "--fit", _visits(city), "--nights-away", "0")
    files["empirical, homes drawn"] = city.generate("gravity", "empirical-free", *fitted)
    files["empirical"] = city.generate("gravity", "empirical", *fitted, "--home-work", city.pairs)
    model = ("--model", city.model("pred_v", min_stays=LEAST))
    files["pred_v, homes drawn"] = city.generate("diffusion", "pred_v-free", *model)
    files["pred_v"] = city.generate("diffusion", "pred_v", *model, "--home-work", city.pairs)
    nearest = (*model, "--home-work", city.pairs, *NEAREST)
    files["pred_v, nearest places"] = city.generate("diffusion", "pred_v-nearest", *nearest)
    columns, rows = city.table(files, "--min-events", str(LEAST))
    return markdown(columns, rows)


def new_york() -> City:
    """The split, the day plans of those who are not learnt from, and the places."""
    folder = WORK / "diffusion-newyork"
    city = City(folder, folder / "pairs.csv")
    if (folder / "plans.csv").is_file():
        return city
    folder.mkdir(parents=True, exist_ok=True)
    checkins = pl.read_parquet(NEW_YORK / "checkins.parquet")
    people = checkins["uid"].unique().sort()
    others = pl.col("uid").is_in(people.sample(fraction=0.2, seed=1, shuffle=True).implode())
    checkins.filter(others).write_parquet(folder / "test.parquet")
    checkins.filter(~others).write_parquet(folder / "train.parquet")
    places = pl.read_csv(NEW_YORK / "pois.csv").rename({"poi_id": "place_id"})
    lacking = [name for name in PLACES.columns if name not in places.columns]
    empty = [pl.lit(None, pl.String).alias(name) for name in lacking]
    places.with_columns(pl.col("place_id").cast(str), *empty).select(PLACES.columns).write_parquet(
        folder / "places.parquet"
    )
    _pairs(city)
    _plans(city)
    return city


def _plans(city: City) -> None:
    table = read_stays(str(city.test))
    plane = table.plane()
    assert plane is not None
    frame = table.frame.filter(pl.len().over("uid", "d") >= LEAST)
    known = known_days(frame, plane)
    plans = frame.select(
        "uid",
        "d",
        "end",
        pl.Series("seq", known.layout.number()),
        pl.Series("intent", AS_INTENTS[known.place_class]),
        # Of several check-ins in a minute each takes one; none lasts into the next.
        start_min=(pl.col("start") - pl.int_range(pl.len())).cum_max().over("uid", "d")
        + pl.Series(known.layout.number()),
    )
    following = pl.col("start_min").shift(-1).over("uid", "d").fill_null(DAY)
    plans.select(
        *("uid", "d", "seq", "intent", "start_min"),
        end_min=pl.max_horizontal("end", pl.col("start_min") + 1).clip(upper_bound=following),
    ).filter(pl.col("end_min") > pl.col("start_min")).write_csv(city.plans)


def _visits(city: City) -> Path:
    """Stays of the people who are learnt from, as visits to fit a law to; the file."""
    target = city.folder / "visits.parquet"
    frame = read_stays(str(city.train)).frame.filter(pl.len().over("uid", "d") >= LEAST)
    frame.select(
        "uid",
        "d",
        pl.int_range(pl.len()).over("uid", "d").alias("seq"),
        pl.lit(None, pl.String).alias("intent"),
        start_min="start",
        end_min=pl.max_horizontal("end", pl.col("start") + 1),
        place_id=pl.col("place").cast(str),
        lat="lat",
        lon="lon",
    ).write_parquet(target)
    return target


def _pairs(city: City) -> None:
    """Homes and works of the people who are learnt from, of those who have both."""
    table = read_stays(str(city.train))
    plane = table.plane()
    assert plane is not None
    known = known_days(table.frame, plane)
    events = np.flatnonzero(known.place_class == WORK_CLASS)
    day = known.layout.day[events]
    first = np.unique(known.person[day], return_index=True)[1]
    home = known.home[day[first]]
    ends = (home, home + known.relative[events[first]])
    lat_lon = [plane.degrees(one[:, 0], one[:, 1]) for one in ends]
    columns = ("home_lat", "home_lon", "work_lat", "work_lon")
    values = (axis for pair in lat_lon for axis in pair)
    pl.DataFrame(dict(zip(columns, values, strict=True))).write_csv(city.pairs)

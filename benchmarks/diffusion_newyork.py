"""Learned days of Foursquare New York, beside laws, random choice and the floor.

Users are split: four in five are learnt from. A day has three check-ins or more. The others' home,
work and other check-ins are the day plans; homes and works are those of the people who are learnt
from, or the model's own.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from benchmarks.diffusion import AS_INTENTS, City
from benchmarks.harness import DATA, WORK, markdown
from humobctl.data.importers.stays import read_stays
from humobctl.generate.diffusion.data import WORK_CLASS, known_days
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
    model = ("--model", city.model("pred_v", min_stays=LEAST))
    files["pred_v, homes drawn"] = city.generate("diffusion", "pred_v-free", *model)
    files["pred_v"] = city.generate("diffusion", "pred_v", *model, "--home-work", city.pairs)
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
    frame.select(
        "uid",
        "d",
        pl.Series("seq", known.layout.number()),
        pl.Series("intent", AS_INTENTS[known.place_class]),
        start_min="start",
        end_min=pl.max_horizontal("end", pl.col("start") + 1),
    ).write_csv(city.plans)


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

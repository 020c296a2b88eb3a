"""Small cities and plans for the tests of the laws."""

from __future__ import annotations

import numpy as np
import polars as pl

from humobctl.generate.gravity.homes import HomesAndWorks
from humobctl.generate.gravity.places import PlaceIndex, city_of
from humobctl.generate.gravity.run import GravityJob
from humobctl.tables.plane import Plane
from humobctl.tables.schemas import INTENTIONS, INTENTS, PLACES

CENTRE = Plane(39.9, 116.4)
EAT = INTENTS.index("eat")


def places(points, intents="eat", centre: Plane = CENTRE) -> pl.DataFrame:
    """Places at metres east and north of a centre, p0, p1 and so on."""
    east, north = np.array(points, float).reshape(-1, 2).T
    lat, lon = centre.degrees(east, north)
    intents = [intents] * len(lat) if intents is None or isinstance(intents, str) else intents
    columns = {
        "place_id": [f"p{i}" for i in range(len(lat))],
        "name": None,
        "category": None,
        "intent": intents,
        "lat": lat,
        "lon": lon,
    }
    return pl.DataFrame(columns, schema_overrides=PLACES.dtypes)


def city(points, intents="eat", centre: Plane = CENTRE) -> PlaceIndex:
    return city_of(places(points, intents, centre))


def plans(*days, uids=None) -> pl.DataFrame:
    """One person a day: [(intent, start, end), ...], all on day 0, uids from 0."""
    rows = [
        (uid if uids is None else uids[uid], 0, seq, *event, None)
        for uid, day in enumerate(days)
        for seq, event in enumerate(day)
    ]
    return pl.DataFrame(rows, schema=INTENTIONS.dtypes, orient="row")


def at_home(east=0.0, north=0.0, work=(0.0, 0.0), centre: Plane = CENTRE) -> pl.DataFrame:
    """A table of pairs that holds one home and one workplace."""
    (home_lat,), (home_lon,) = centre.degrees(np.array([east]), np.array([north]))
    (work_lat,), (work_lon,) = centre.degrees(np.array([work[0]]), np.array([work[1]]))
    return pl.DataFrame(
        {
            **{"id": ["a"], "home_lat": [home_lat], "home_lon": [home_lon]},
            **{"work_lat": [work_lat], "work_lon": [work_lon]},
        }
    )


def visits(
    table: pl.DataFrame, where: PlaceIndex, pairs: pl.DataFrame | None = None, **job
) -> pl.DataFrame:
    """The visits of plans, homes and works from pairs, nothing snapped."""
    seed = job.get("seed", 0)
    dwellings = HomesAndWorks(where, seed, snap=job.pop("snap", 0.0), pairs=pairs)
    return pl.concat(list(GravityJob(where, dwellings, **job).run([table])))

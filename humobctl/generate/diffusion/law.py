"""From points of a model to places: which location a stay is at, then which place.

A stay away from home and work is at a place of the same day again, or at one of the person's days
before, with the chances that the law `empirical` has of the training days; otherwise at a new one,
drawn by the law from the location before, times a Gaussian around the point that the model drew.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.errors import HumobError
from humobctl.generate.diffusion.data import HOME_CLASS, OTHER_CLASS, WORK_CLASS, Known
from humobctl.generate.diffusion.decode import GeneratedDays
from humobctl.generate.gravity.config import NEAR, Law
from humobctl.generate.gravity.distance_weights import DistanceWeights
from humobctl.generate.gravity.fit_weights import fit_weights
from humobctl.generate.gravity.homes import Locations
from humobctl.generate.gravity.kernels import UNREACHED, Memories
from humobctl.generate.gravity.places import PlaceIndex, city_of
from humobctl.generate.gravity.walk import Aims, days_of, walk_days
from humobctl.native import Floats, Int64s
from humobctl.tables.intents import HOME, WORK
from humobctl.tables.plane import Plane
from humobctl.tables.schemas import INTENTS

SPREAD = 3000.0
"""Metres around a point of the model; chosen on users who validate in the training part."""
_INTENT_OF_CLASS = pl.Series([HOME, WORK, None])


def fit_law(known: Known, plane: Plane, seed: int = 0) -> DistanceWeights | None:
    """The law of training days, whose days end at home; None where there are too few trips.

    Trips are those of ``fit_weights``; returns are counted between the homes and works that the
    model learns.
    """
    day, metres = known.layout.day, known.relative + known.home[known.layout.day]
    lat, lon = plane.degrees(metres[:, 0], metres[:, 1])
    intents = pl.Series([*INTENTS, None], dtype=pl.String)
    visits = pl.DataFrame(
        {
            **{"uid": known.person[day], "d": day, "seq": known.layout.number()},
            **{"start_min": known.layout.start, "end_min": known.layout.end},
            "intent": intents.gather(known.intent.astype(np.int64) % len(intents)),
            **{"lat": lat, "lon": lon},
        }
    )
    anchored = visits.with_columns(intent=_INTENT_OF_CLASS.gather(known.place_class))
    places = visits.select("intent", "lat", "lon", place_id=pl.lit("")).unique(maintain_order=True)
    try:
        city = city_of(places, "the training days", plane)
        return replace(fit_weights(visits, city, seed, anchored), away=0.0)
    except HumobError as error:
        report.info(f"no law of distances is saved with the model ({error})")
        return None


def choose_places(
    city: PlaceIndex,
    weights: DistanceWeights,
    table: pl.DataFrame,
    drawn: GeneratedDays,
    row: Int64s,
    seed: int,
) -> Int64s:
    """Rows of the places of events, those at home and at work as they are, (events,).

    Args:
        city: the places, on the model's plane.
        weights: the law.
        table: uid, d, seq, intent, start_min and end_min of the events, in order.
        drawn: the same events with the points that the model drew.
        row: rows of the places of homes and works, -1 for one that is none, (events,); other events
            keep theirs where the law finds none.
        seed: of the draws.
    """
    days, metres = days_of(table), drawn.metres
    home = _anchors(city, drawn, row, days.person, drawn.home[days.day_of[:-1]], HOME_CLASS)
    homes = np.column_stack([home.east, home.north]).astype(np.float64)
    work = _anchors(city, drawn, row, days.person, homes, WORK_CLASS)
    times = (table["start_min"], table["end_min"])
    start, end = (one.to_numpy().astype(np.int32) for one in times)  # travel may change these
    east, north = metres.T.astype(np.float32)
    memories = Memories()
    try:
        place, flags = walk_days(
            city,
            Law("empirical", NEAR, weights=weights),
            days,
            (home, work),
            (start, end),
            memories,
            seed=seed,
            aims=Aims(east, north, SPREAD),
        )
    finally:
        memories.close()
    found = (drawn.place_class == OTHER_CLASS) & (flags & UNREACHED == 0) & (place >= 0)
    return np.where(found, place, row).astype(np.int64)


def _anchors(
    city: PlaceIndex,
    drawn: GeneratedDays,
    row: Int64s,
    person: Int64s,
    points: Floats,
    place_class: int,
) -> Locations:
    """Where people's first stay at home, or at work, is; of those without any ``points``."""
    found = Locations.none(len(points))
    points = points.copy()
    events = np.flatnonzero(drawn.place_class == place_class)
    who, first = np.unique(person[events], return_index=True)
    points[who] = drawn.metres[events[first]]
    found.place[who] = row[events[first]]
    at = np.flatnonzero(found.place >= 0)
    found.east[:], found.north[:] = points.T
    found.put(at, city, found.place[at].astype(np.int64))
    return found

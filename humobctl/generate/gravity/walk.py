"""Where the events of people's days take place: one kernel call for many people."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.generate.gravity import kernels
from humobctl.generate.gravity.config import Law, Travel
from humobctl.generate.gravity.homes import Locations
from humobctl.generate.gravity.places import EVERYTHING, PlaceIndex
from humobctl.native import Float32s, Int32s, Int64s, library
from humobctl.tables.schemas import INTENTS


@dataclass
class Days:
    """Events of whole people as flat arrays.

    Attributes:
        frame: the events, in order.
        person_first: first event of each person, and the end, (people + 1,).
        day_of: first day of each person, and the end, (people + 1,).
        event_of: first event of each day, and the end, (days + 1,).
        uid: (people,).
        d: (days,).
        intent: codes, EVERYTHING where it is not known, (events,).
    """

    frame: pl.DataFrame
    person_first: Int64s
    day_of: Int64s
    event_of: Int64s
    uid: NDArray[np.uint32]
    d: NDArray[np.int16]
    intent: NDArray[np.int8]

    @property
    def person(self) -> Int64s:
        """Number of the person of each event, (events,)."""
        return np.repeat(np.arange(len(self.uid)), np.diff(self.person_first))


def days_of(frame: pl.DataFrame) -> Days:
    """The days of events whose people's rows stand together; sorted by day and start."""
    uid = frame["uid"].to_numpy()
    person_first = _firsts(uid[1:] != uid[:-1])
    person = np.repeat(np.arange(len(person_first) - 1), np.diff(person_first))
    d, start = (frame[name].to_numpy().astype(np.int64) for name in ("d", "start_min"))
    key = (person * 10_000 + d) * 2_000 + start
    if (key[1:] < key[:-1]).any():
        order = np.lexsort((frame["seq"].to_numpy(), key))
        frame, d = frame[order], d[order]
    event_of = _firsts((np.diff(person) != 0) | (np.diff(d) != 0))
    codes = frame["intent"].cast(pl.Enum(INTENTS)).to_physical().cast(pl.Int8)
    return Days(
        frame,
        person_first,
        np.searchsorted(event_of, person_first),
        event_of,
        uid[person_first[:-1]],
        d[event_of[:-1]].astype(np.int16),
        codes.fill_null(EVERYTHING).to_numpy(),
    )


def _firsts(changes: NDArray[np.bool_]) -> Int64s:
    """Where runs begin, and the end, from whether each row differs from the one before."""
    return np.concatenate([[0], np.flatnonzero(changes) + 1, [len(changes) + 1]])


@dataclass(frozen=True)
class Aims:
    """Points near which new places are chosen, as a model drew them.

    Attributes:
        east, north: metres on the city's plane, (events,).
        spread: metres from a point at which a place weighs exp(-1/2) of what it does by the law.
    """

    east: Float32s
    north: Float32s
    spread: float


def walk_days(
    city: PlaceIndex,
    law: Law,
    days: Days,
    anchors: tuple[Locations, Locations],
    times: tuple[Int32s, Int32s],
    memories: kernels.Memories,
    *,
    travel: Travel | None = None,
    seed: int = 0,
    exhaustive: bool = False,
    aims: Aims | None = None,
) -> tuple[Int32s, kernels.Flags]:
    """Place and flags of each event, (events,).

    Args:
        city: the places.
        law: by which people choose.
        days: events of whole people.
        anchors: homes and works of the people.
        times: starts and ends in minutes, (events,); changed where travel needs it.
        memories: of the kernel.
        travel: how people travel.
        seed: of the draws.
        exhaustive: weigh every candidate, the slow way; for tests.
        aims: points near which new places lie; None to choose by the law alone.
    """
    home, work = anchors
    start, end = times
    place = np.empty(len(start), np.int32)
    flags = np.empty(len(start), np.uint8)
    arrays: dict[str, NDArray[Any]] = {
        **{"day_of": days.day_of, "event_of": days.event_of, "uid": days.uid, "d": days.d},
        **{"home_east": home.east, "home_north": home.north, "home_place": home.place},
        **{"work_east": work.east, "work_north": work.north, "work_place": work.place},
        **{"intent": days.intent, "start": start, "end": end, "place": place, "flags": flags},
        **({} if aims is None else {"aim_east": aims.east, "aim_north": aims.north}),
    }
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    people = len(days.uid)
    spread = 0.0 if aims is None else aims.spread
    structs = (
        city.struct,
        kernels.law_struct(law, seed, exhaustive=exhaustive),
        kernels.travel_struct(travel or Travel()),
        kernels.struct_of(kernels.DaysStruct, arrays, people=people, spread=spread),
    )
    addresses = [ctypes.addressof(struct) for struct in structs]
    kernel = library().humob_gravity_days
    kernels.run_shared(people, memories, lambda memory, a, b: kernel(*addresses, memory, a, b))
    return place, flags

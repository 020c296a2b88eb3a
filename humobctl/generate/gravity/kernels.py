"""The compiled kernels of the laws (kernels/gravity.c, visits.c), loaded with ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from humobctl.generate.gravity.config import Law, Travel
from humobctl.native import library, share_out

Int8s = NDArray[np.int8]
Flags = NDArray[np.uint8]

HOME, WORK, NOWHERE = -1, -2, -3
"""Stand for the row of a place: the person's home, their work, no place within reach."""
WIDENED, UNREACHED, SHIFTED, SHORTENED, HURRIED = 1, 2, 4, 8, 16
"""What became of an event: bits of its flags."""

GRID = np.dtype(
    [
        *(("cell", np.int64), ("first", np.int64), ("members", np.int64)),
        *(("columns", np.int32), ("rows", np.int32)),
        *(("west", np.float32), ("south", np.float32), ("side", np.float32)),
        ("unused", np.float32),
    ]
)
"""The kernel's ``Grid``."""


class PlacesStruct(ctypes.Structure):
    """The kernel's ``Places``: pointers into arrays that have to stay alive."""

    _fields_ = [
        (name, ctypes.c_void_p)
        for name in (
            *("grids", "start", "east", "north", "place", "intent"),
            *("place_east", "place_north"),
        )
    ]


class LawStruct(ctypes.Structure):
    """The kernel's ``Law``; distances in metres."""

    _fields_ = [
        *((name, ctypes.c_double) for name in ("radius", "most", "exponent", "scale")),
        *((name, ctypes.c_double) for name in ("alpha", "beta", "rho", "gamma")),
        *((name, ctypes.c_double) for name in ("back", "away")),
        ("weights", ctypes.c_void_p),
        ("seed", ctypes.c_uint64),
        ("kind", ctypes.c_int32),
        ("exhaustive", ctypes.c_int32),
        ("purpose", ctypes.c_int32),
        ("unused", ctypes.c_int32),
    ]


class TravelStruct(ctypes.Structure):
    """The kernel's ``Travel``; metres a minute."""

    _fields_ = [
        ("speed", ctypes.c_double),
        ("least", ctypes.c_int32),
        ("unused", ctypes.c_int32),
    ]


class DaysStruct(ctypes.Structure):
    """The kernel's ``Days``."""

    _fields_ = [
        ("people", ctypes.c_int64),
        *(
            (name, ctypes.c_void_p)
            for name in (
                *("day_of", "event_of", "uid", "d"),
                *("home_east", "home_north", "work_east", "work_north"),
                *("home_place", "work_place", "intent"),
                *("start", "end", "place", "flags", "aim_east", "aim_north"),
            )
        ),
        ("spread", ctypes.c_double),
    ]


def struct_of(kind: type[ctypes.Structure], arrays: dict[str, NDArray[Any]], /, **rest: Any) -> Any:
    """A structure with pointers to contiguous arrays, which it keeps alive."""
    built = kind(**{name: array.ctypes.data for name, array in arrays.items()}, **rest)
    built.kept = arrays
    return built


def law_struct(law: Law, seed: int, *, exhaustive: bool = False) -> LawStruct:
    """A law for the kernel."""
    law = law.check()
    observed = law.weights
    made: LawStruct = struct_of(
        LawStruct,
        {} if observed is None else {"weights": observed.table()},
        back=0.0 if observed is None else observed.back,
        away=0.0 if observed is None else observed.away,
        radius=1000 * law.radius,
        most=1000 * law.most,
        exponent=law.exponent,
        scale=1000 * law.scale,
        alpha=law.alpha,
        beta=law.beta,
        rho=law.rho if observed is None else observed.rho,
        gamma=law.gamma if observed is None else observed.gamma,
        seed=seed,
        kind=law.number,
        exhaustive=exhaustive,
    )
    return made


def travel_struct(travel: Travel) -> TravelStruct:
    """How people travel, for the kernel."""
    return TravelStruct(speed=travel.speed * 1000 / 60, least=travel.least)


class Memories:
    """The kernel's buffers, one for each thread, used again from call to call."""

    def __init__(self) -> None:
        self._free: SimpleQueue[int] = SimpleQueue()

    @contextmanager
    def one(self) -> Iterator[int]:
        """A memory that no other thread uses meanwhile.

        Raises:
            MemoryError: there is none left.
        """
        lib = library()
        memory = lib.humob_gravity_memory() if self._free.empty() else self._free.get()
        if not memory:
            raise MemoryError
        try:
            yield memory
        finally:
            self._free.put(memory)

    def close(self) -> None:
        """Give everything back."""
        while not self._free.empty():
            library().humob_gravity_forget(self._free.get())


def run_shared(total: int, memories: Memories, work: Callable[[int, int, int], int]) -> None:
    """Call ``work(memory, start, stop)`` over ``range(total)`` on all cores.

    Raises:
        MemoryError: the kernel had no memory left.
    """

    def piece(start: int, stop: int) -> None:
        with memories.one() as memory:
            if work(memory, start, stop):
                raise MemoryError

    share_out(total, piece)

"""Places for people who set out from given spots, by a law: one kernel call for many."""

from __future__ import annotations

import ctypes

import numpy as np

from humobctl.generate.gravity import kernels
from humobctl.generate.gravity.config import Law
from humobctl.generate.gravity.kernels import Flags, Memories
from humobctl.generate.gravity.places import PlaceIndex
from humobctl.native import Float32s, Int32s, Int64s, library


def choose(
    city: PlaceIndex,
    law: Law,
    intent: int,
    start: tuple[Float32s, Float32s, Int32s],
    name: Int64s,
    *,
    seed: int = 0,
    tag: int = 0,
    exhaustive: bool = False,
    memories: Memories | None = None,
) -> tuple[Int32s, Flags]:
    """Where a law leads.

    Args:
        city: the places.
        law: the law.
        intent: number of the intent, or places.EVERYTHING.
        start: metres east and north, and the row of the place there or -1, each (n,).
        name: of each draw, beside seed and tag, (n,).
        seed: of the draws.
        tag: keeps draws of one purpose apart from others.
        exhaustive: weigh every candidate, the slow way.
        memories: buffers to use again.

    Returns:
        Rows of the places, native.NOWHERE where there is none within the largest radius, and
        whether each lies beyond the radius; (n,).
    """
    east, north, here = (np.ascontiguousarray(part) for part in start)
    name = np.ascontiguousarray(name, np.int64)
    chosen = np.empty(len(name), np.int32)
    widened = np.empty(len(name), np.uint8)
    law_of = kernels.law_struct(law, seed, exhaustive=exhaustive)
    addresses = [ctypes.addressof(struct) for struct in (city.struct, law_of)]
    kernel = library().humob_gravity_choose

    def work(memory: int, first: int, stop: int) -> int:
        at = slice(first, stop)
        failed: int = kernel(
            *addresses,
            memory,
            intent,
            stop - first,
            east[at],
            north[at],
            here[at],
            tag,
            name[at],
            chosen[at],
            widened[at],
        )
        return failed

    own = memories or Memories()
    try:
        kernels.run_shared(len(name), own, work)
    finally:
        if memories is None:
            own.close()
    return chosen, widened

"""The compiled kernels (kernels.c), loaded with ctypes.

ctypes releases Python's global lock during a call, so days are shared out over threads here.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from humobctl.errors import HumobError

_SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
LIBRARY = Path(__file__).with_name(f"kernels{_SUFFIX}")

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]


def _pointer(dtype: type[np.generic]) -> Any:
    return np.ctypeslib.ndpointer(dtype=dtype, flags="C_CONTIGUOUS")


@functools.cache
def library() -> ctypes.CDLL:
    """The loaded library, with the argument types of every function declared.

    Raises:
        HumobError: the package was installed without its compiled kernels.
    """
    try:
        lib = ctypes.CDLL(str(LIBRARY))
    except OSError as exc:
        raise HumobError(
            f"{LIBRARY}: compiled kernels not found; reinstall with 'pip install humobctl'"
        ) from exc
    integers, floats, pointer = _pointer(np.int32), _pointer(np.float64), ctypes.c_void_p
    offsets = _pointer(np.int64)
    lib.humob_score_days.restype = ctypes.c_int
    lib.humob_score_days.argtypes = [
        *(ctypes.c_int64, offsets, offsets),
        *(integers, integers, integers, integers),
        *(floats, floats, ctypes.c_int32, ctypes.c_double, ctypes.c_double, ctypes.c_int32),
        *(pointer, pointer, pointer),
    ]
    lib.humob_mark_seen.restype = ctypes.c_int64
    lib.humob_mark_seen.argtypes = [_pointer(np.uint8), _pointer(np.int64), ctypes.c_int64]
    return lib


def threads() -> int:
    """How many threads to use: ``HUMOBCTL_THREADS``, or one a core this process may run on."""
    wanted = os.environ.get("HUMOBCTL_THREADS", "")
    if wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_out(total: int, work: Callable[[int, int], None], *, least: int = 64) -> None:
    """Call ``work(start, stop)`` over ``range(total)`` on all cores.

    Args:
        total: number of items.
        work: a function that releases the global lock and writes to disjoint places.
        least: fewest items worth a thread of its own.
    """
    parts = max(1, min(threads(), total // least))
    if parts == 1:
        work(0, total)
        return
    # Four pieces a thread: days differ in length, and the last piece should not be waited for.
    bounds = np.linspace(0, total, 4 * parts + 1).astype(int).tolist()
    with ThreadPoolExecutor(parts) as pool:
        list(pool.map(work, bounds[:-1], bounds[1:]))


@functools.lru_cache(maxsize=4)
def step_tables(width: int, beta: float, scale: float) -> tuple[Floats, Floats]:
    """Proximity and distance of a step of (dx, dy) cells, each of shape (width, width).

    proximity = exp(-beta * sqrt(dx^2 + dy^2)), as numpy computes it: the official scorer calls
    numpy too, so that ties between equal products break the same way.
    """
    steps = np.arange(width, dtype=np.float64)
    length = np.sqrt(steps[:, None] ** 2.0 + steps[None, :] ** 2.0)
    return np.exp(-beta * length), length / scale


def score_days(
    generated: tuple[Int32s, Int32s, Int64s],
    reference: tuple[Int32s, Int32s, Int64s],
    *,
    max_n: int,
    beta: float,
    scale: float,
    geobleu: bool = True,
    dtw_open: bool = True,
    dtw_closed: bool = True,
) -> tuple[Floats | None, Floats | None, Floats | None]:
    """Raw scores of many days at once.

    Args:
        generated: x and y of all points, day after day, and the ``days + 1`` offsets of the days.
        reference: the same for the true days.
        max_n: longest n-gram.
        beta: decay of the proximity, per cell.
        scale: cells per unit of DTW (2 for kilometres on 500 m cells).
        geobleu: whether to match n-grams.
        dtw_open: whether to compute DTW with a free prefix of the reference (humob24).
        dtw_closed: whether to compute ordinary DTW (humob25).

    Returns:
        Sums of matched proximities (days, max_n), open DTW (days,), closed DTW (days,); None for
        what was not asked for.
    """
    days = len(generated[2]) - 1
    lib = library()
    width = 200
    proximity, distance = step_tables(width, beta, scale)
    g_x, g_y, g_start = (np.ascontiguousarray(part) for part in generated)
    r_x, r_y, r_start = (np.ascontiguousarray(part) for part in reference)
    sums = np.empty((days, max_n)) if geobleu else None
    opened = np.empty(days) if dtw_open else None
    closed = np.empty(days) if dtw_closed else None

    def at(array: Floats | None, start: int) -> int | None:
        return None if array is None else array.ctypes.data + start * array.strides[0]

    def work(start: int, stop: int) -> None:
        code = lib.humob_score_days(
            *(stop - start, g_start[start : stop + 1], r_start[start : stop + 1]),
            *(g_x, g_y, r_x, r_y, proximity, distance, width, beta, scale, max_n),
            *(at(sums, start), at(opened, start), at(closed, start)),
        )
        if code:
            raise MemoryError("no memory left for the score of a day")

    share_out(days, work)
    return sums, opened, closed

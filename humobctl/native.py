"""The compiled kernels (kernels/*.c), loaded with ctypes.

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
from humobctl.extras import reinstall_command
from humobctl.kernels import hash_sources

_SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]
Bools = NDArray[np.bool_]
LIBRARY = Path(__file__).parent / "kernels" / f"kernels{_SUFFIX}"


def pointer(dtype: type[np.generic]) -> Any:
    """The ctypes type of a contiguous array."""
    return np.ctypeslib.ndpointer(dtype=dtype, flags="C_CONTIGUOUS")


@functools.cache
def library() -> ctypes.CDLL:
    """The loaded library, with the argument types of every function declared.

    Raises:
        HumobError: they are missing, or not compiled of the sources beside them.
    """
    try:
        lib = ctypes.CDLL(str(LIBRARY))
    except OSError as exc:
        found = "cannot be loaded" if LIBRARY.exists() else "not found"
        raise _broken(found) from exc
    if _hash_of(lib) != hash_sources(LIBRARY.parent):
        raise _broken("of other sources than those beside them")
    return _declare(lib)


def _broken(how: str) -> HumobError:
    return HumobError(f"{LIBRARY}: compiled kernels {how}; reinstall with: {reinstall_command()}")


def _hash_of(lib: ctypes.CDLL) -> str:
    if not hasattr(lib, "humob_sources"):
        return "none"
    lib.humob_sources.restype = ctypes.c_char_p
    carried: bytes = lib.humob_sources()
    return carried.decode()


def _declare(lib: ctypes.CDLL) -> ctypes.CDLL:
    u8, i32, i64 = pointer(np.uint8), pointer(np.int32), pointer(np.int64)
    f32, f64 = pointer(np.float32), pointer(np.float64)
    code, address, number, count = ctypes.c_int, ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64
    real = ctypes.c_double
    functions: dict[str, tuple[Any, ...]] = {  # what comes back, then the arguments
        "humob_score_days": (
            *(code, count, i64, i64, i32, i32, i32, i32),
            *(f64, f64, number, real, real, number, address, address, address),
        ),
        "humob_mark_seen": (count, u8, i64, count),
        "humob_decode_days": (
            *(code, count, count, count, i64, number, f64, f64, f64, i32, number, count, i32, f64),
            *(real, real, real, number, real, real, number, i32, f64),
        ),
        "humob_rank_kernels": (
            *(code, count, count, count, number, number, *[i32] * 9),
            *(f32, f32, f32, count, f32, i32, f32, f32, f32),
        ),
        "humob_gravity_memory": (address,),
        "humob_gravity_forget": (None, address),
        "humob_gravity_choose": (
            *(code, address, address, address, number, count),
            *(f32, f32, i32, ctypes.c_uint64, i64, i32, u8),
        ),
        "humob_gravity_days": (code, *[address] * 5, count, count),
        "humob_filter_speed": (None, count, i64, i64, f64, f64, real, u8),
        "humob_find_stays": (
            *(count, count, i64, i64, f64, f64),
            *(real, count, count, number, number, i64, i64),
        ),
        "humob_place_stays": (code, count, i64, i64, f64, f64, code, f64, f64),
        "humob_join_stays": (None, count, i64, f64, f64, real, i64),
        "humob_read_flow_day": (
            *(count, address, count, count, i64, i32, count, i32, i64, count, i64),
            *(i32, i32, f64, i64, i64),
        ),
        "humob_match_lengths": (code, count, i64, i64, f64),
    }
    for name, (result, *arguments) in functions.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_KEPT_BYTES = 1 << 30


def keep_memory() -> bool:
    """Tell glibc to keep memory that is given back, for arrays that come and go many times.

    Else it returns each large array to the system, which clears every page anew: 4 to 13 % of the
    time of a training step of bert-moe's preset small on a CPU. Prediction takes the same time.
    Of another C library nothing is asked.
    """
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return False
    return bool(
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        and libc.mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
    )


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

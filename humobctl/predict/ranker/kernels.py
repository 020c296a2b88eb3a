"""The ranker's compiled kernels (kernels/ranker.c), loaded with ctypes."""

from __future__ import annotations

import ctypes
import functools

import numpy as np
from numpy.typing import NDArray

from humobctl import native
from humobctl.native import Floats, Int32s, Int64s

Float32s = NDArray[np.float32]
__all__ = ["Float32s", "Floats", "Int32s", "Int64s", "library"]


@functools.cache
def library() -> ctypes.CDLL:
    """The loaded library, with the argument types of every function declared."""
    lib = native.library()
    i32, f32 = native.pointer(np.int32), native.pointer(np.float32)
    long, short = ctypes.c_int64, ctypes.c_int32
    lib.humob_rank_kernels.restype = ctypes.c_int
    lib.humob_rank_kernels.argtypes = [
        *(long, long, long, short, short),
        *(i32, i32, i32, i32, i32, i32, i32, i32, i32),
        *(f32, f32, f32, long, f32, i32, f32, f32, f32),
    ]
    return lib

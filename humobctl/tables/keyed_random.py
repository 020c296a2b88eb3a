"""Random draws by name: the same for a person and a day, whatever is drawn beside them.

The hash is the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
number generators", OOPSLA 2014), chained over the names.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from humobctl.native import Floats

Words = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (
    (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
    (np.uint64(27), np.uint64(0x94D049BB133111EB)),
)
_LAST = np.uint64(31)
_MANTISSA = np.uint64(11)


def _mix_words(words: Words) -> Words:
    for shift, factor in _MIX:
        words = (words ^ (words >> shift)) * factor
    mixed: Words = words ^ (words >> _LAST)
    return mixed


def mix(*names: ArrayLike) -> Words:
    """A number for each name: whole numbers or arrays of them, which broadcast to shape (n,)."""
    state = np.zeros(1, np.uint64)
    for name in names:
        state = _mix_words((state ^ np.asarray(name).astype(np.uint64)) * _GOLDEN + _GOLDEN)
    return state


def uniforms(count: int, *names: ArrayLike) -> Floats:
    """Uniform draws in [0, 1).

    Args:
        count: draws for each name.
        names: whole numbers or arrays of them, which broadcast to shape (n,).

    Returns:
        Shape (n, count).
    """
    state = mix(*names)
    steps = (np.arange(count, dtype=np.uint64) + np.uint64(1)) * _GOLDEN
    words = _mix_words(np.atleast_1d(state)[:, None] + steps)
    return (words >> _MANTISSA).astype(np.float64) * 2.0**-53

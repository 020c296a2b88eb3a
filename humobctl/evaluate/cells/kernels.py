"""GEO-BLEU and DTW of many days at once, by the compiled kernels."""

from __future__ import annotations

import functools

import numpy as np

from humobctl.native import Floats, Int32s, Int64s, library, share_out


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
            stop - start,
            g_start[start : stop + 1],
            r_start[start : stop + 1],
            g_x,
            g_y,
            r_x,
            r_y,
            proximity,
            distance,
            width,
            beta,
            scale,
            max_n,
            at(sums, start),
            at(opened, start),
            at(closed, start),
        )
        if code:
            raise MemoryError("no memory left for the score of a day")

    share_out(days, work)
    return sums, opened, closed

"""Dynamic time warping between two days, in kilometres, exact and approximate.

    cost(i, j) = distance of generated point i and reference point j, cells / 2 (500 m cells)
    D(i, j) = cost(i, j) + min(D(i-1, j), D(i, j-1), D(i-1, j-1)),  D(i, 0) = inf for i > 0

``humob25`` (and the official README): D(0, j) = inf for j > 0, ordinary closed DTW.
``humob24``: D(0, j) = 0, so a prefix of the reference may be skipped at no cost; about half the
closed value, and kind to constant predictions. Never compare the two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from humobctl.errors import HumobError
from humobctl.evaluate.cells.kernels import score_days
from humobctl.native import Floats, Int32s, Int64s

HUMOB_CELL_KM = 0.5
CELLS_PER_KM = 1.0 / HUMOB_CELL_KM


def dtw(
    generated: Sequence[tuple[int, int]],
    reference: Sequence[tuple[int, int]],
    *,
    open_start: bool = False,
    cells_per_km: float = CELLS_PER_KM,
) -> float:
    """DTW of two sequences of cells, in kilometres.

    Args:
        generated: (x, y) of each point.
        reference: (x, y) of each true point.
        open_start: the humob24 dialect.
        cells_per_km: 2 for HuMob's 500 m cells.

    Raises:
        HumobError: a sequence is empty.
    """
    if not len(generated) or not len(reference):
        raise HumobError("DTW: found an empty sequence, expected at least one point")
    sides = []
    for points in (generated, reference):
        cells = np.asarray(points, dtype=np.int32)
        offsets = np.array([0, len(cells)], dtype=np.int64)
        sides.append((cells[:, 0].copy(), cells[:, 1].copy(), offsets))
    _, opened, closed = score_days(
        sides[0], sides[1], max_n=1, beta=0.5, scale=cells_per_km, geobleu=False
    )
    assert opened is not None
    assert closed is not None
    return float(opened[0] if open_start else closed[0])


def fast_dtw_days(
    generated: tuple[Int32s, Int32s, Int64s],
    reference: tuple[Int32s, Int32s, Int64s],
    *,
    radius: int = 1,
    cells_per_km: float = CELLS_PER_KM,
) -> Floats:
    """FastDTW of many days, in kilometres, shape (days,): never below the exact value.

    Salvador and Chan, "FastDTW: toward accurate dynamic time warping in linear time and space",
    2007, by the fastdtw package. It approximates closed DTW only.

    Args:
        generated: x and y of all points, day after day, and the ``days + 1`` offsets of the days.
        reference: the same for the true days.
        radius: how far around the coarse path to search; larger is closer and slower.
        cells_per_km: 2 for HuMob's 500 m cells.
    """
    from fastdtw import fastdtw  # noqa: PLC0415 - only the approximate path needs it

    def euclid(a: Floats, b: Floats) -> float:
        return float(np.hypot(a[0] - b[0], a[1] - b[1]))

    points = [np.column_stack(side[:2]).astype(np.float64) for side in (generated, reference)]
    offsets = [side[2].tolist() for side in (generated, reference)]
    days = len(offsets[0]) - 1
    result = np.empty(days)
    for day in range(days):
        first, second = (
            points[side][offsets[side][day] : offsets[side][day + 1]] for side in (0, 1)
        )
        result[day] = fastdtw(first, second, radius=radius, dist=euclid)[0] / cells_per_km
    return result

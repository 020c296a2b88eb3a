"""GEO-BLEU and DTW written plainly from their definitions, in Python: what the kernels are for.

Slow on purpose, and independent of the kernels: every pair of n-grams is listed, sorted and
matched; DTW fills its matrix cell by cell, with numpy scalars as the official scorer does.
Tests use it as the definition; the benchmark as the yardstick.
"""

from __future__ import annotations

import numpy as np

Point = tuple[int, int]


def distance(a: Point, b: Point) -> float:
    return np.sqrt((a[0] - b[0]) ** 2.0 + (a[1] - b[1]) ** 2.0)


def matched_sum(generated: list[Point], reference: list[Point], n: int, beta: float):
    """Sum and number of greedily matched n-gram pairs, nearest first; ties by position."""
    pairs = []
    for i in range(len(generated) - n + 1):
        for j in range(len(reference) - n + 1):
            grams = zip(generated[i : i + n], reference[j : j + n], strict=True)
            proximity = np.prod([np.exp(-beta * distance(a, b)) for a, b in grams])
            pairs.append((proximity, i, j))
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    total, count = 0.0, 0
    while pairs:
        proximity, i, j = pairs[0]
        total += proximity
        count += 1
        pairs = [pair for pair in pairs if pair[1] != i and pair[2] != j]
    return total, count


def geobleu(
    generated: list[Point],
    reference: list[Point],
    *,
    max_n: int,
    by_matches: bool,
    beta: float = 0.5,
) -> float:
    """GEO-BLEU of one day; max_n 3 and by_matches for humob24, 5 and not for humob25."""
    precisions = []
    for n in range(1, min(max_n, len(generated), len(reference)) + 1):
        total, count = matched_sum(generated, reference, n, beta)
        precisions.append(total / (count if by_matches else len(generated) - n + 1))
    brevity = 1.0
    if len(generated) <= len(reference):
        brevity = np.exp(1.0 - len(reference) / len(generated))
    return float(brevity * np.exp(np.mean(np.log(precisions))))


def dtw(generated: list[Point], reference: list[Point], *, open_start: bool) -> float:
    """DTW of one day in kilometres; open_start for humob24."""
    matrix = np.full((len(generated) + 1, len(reference) + 1), np.inf)
    matrix[0, 0] = 0.0
    if open_start:
        matrix[0, :] = 0.0
    for i in range(1, len(generated) + 1):
        for j in range(1, len(reference) + 1):
            least = np.min([matrix[i - 1, j], matrix[i, j - 1], matrix[i - 1, j - 1]])
            matrix[i, j] = distance(generated[i - 1], reference[j - 1]) / 2.0 + least
    return float(matrix[-1, -1])

"""GEO-BLEU, in the two dialects of the HuMob challenges.

Shimizu, Yabe and Tsubouchi, "GEO-BLEU: similarity measure for geospatial sequences",
SIGSPATIAL 2022 (doi 10.1145/3557915.3560951).

    proximity(a, b) = exp(-beta * |a - b|)             one point each, distance in cells
    proximity of two n-grams = the product over their points
    q_n = sum of the proximities of greedily matched n-gram pairs, nearest first
    GEO-BLEU = BP * (p_1 * ... * p_N) ** (1 / N)       N = min(max_n, shorter length)
    BP = 1 if the generated day is longer than the reference, otherwise exp(1 - m / n)

``humob24`` (challenges of 2023 and 2024): max_n 3, p_n = q_n / number of matched pairs.
``humob25`` (GIS Cup 2025): max_n 5, p_n = q_n / number of generated n-grams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from humobctl.errors import HumobError
from humobctl.evaluate.cells.kernels import score_days
from humobctl.native import Floats, Int64s

Dialect = Literal["humob24", "humob25"]
DIALECTS: tuple[Dialect, ...] = ("humob24", "humob25")
BETA = 0.5


@dataclass(frozen=True)
class GeobleuRule:
    """What a dialect fixes: the longest n-gram, and what a sum of proximities is divided by."""

    max_n: int
    divide_by_matches: bool


RULES: dict[str, GeobleuRule] = {
    "humob24": GeobleuRule(max_n=3, divide_by_matches=True),
    "humob25": GeobleuRule(max_n=5, divide_by_matches=False),
}


def combine(
    sums: Floats, generated_length: Int64s, reference_length: Int64s, rule: GeobleuRule
) -> Floats:
    """GEO-BLEU of many days from their sums of matched proximities.

    Args:
        sums: shape (days, at least rule.max_n), as ``native.score_days`` returns them.
        generated_length: points in each generated day, at least 1, shape (days,).
        reference_length: points in each true day, at least 1, shape (days,).
        rule: the dialect.

    Returns:
        Scores between 0 and 1 (more only where the reference is shorter), shape (days,).
    """
    n = generated_length[:, None].astype(np.float64)
    m = reference_length[:, None].astype(np.float64)
    order = np.arange(1, rule.max_n + 1)[None, :]
    grams = (np.minimum(n, m) if rule.divide_by_matches else n) - order + 1
    used = order <= np.minimum(n, m)
    with np.errstate(divide="ignore"):
        logs = np.log(sums[:, : rule.max_n] / np.maximum(grams, 1.0))
    means = np.sum(np.where(used, logs, 0.0), axis=1) / used.sum(axis=1)
    brevity = np.where(n > m, 1.0, np.exp(1.0 - m / n))[:, 0]
    scores: Floats = brevity * np.exp(means)
    return scores


def geobleu(
    generated: Sequence[tuple[int, int]],
    reference: Sequence[tuple[int, int]],
    *,
    max_n: int = 3,
    beta: float = BETA,
    divide_by_matches: bool = False,
) -> float:
    """GEO-BLEU of two sequences of cells, which may differ in length.

    The defaults are those of the official ``calc_geobleu_orig``.

    Args:
        generated: (x, y) of each point.
        reference: (x, y) of each true point.
        max_n: longest n-gram.
        beta: decay of the proximity, per cell.
        divide_by_matches: divide by matched pairs (humob24), not by generated n-grams (humob25).

    Raises:
        HumobError: a sequence is empty.
    """
    if not len(generated) or not len(reference):
        raise HumobError("GEO-BLEU: found an empty sequence, expected at least one point")
    sides = []
    for points in (generated, reference):
        cells = np.asarray(points, dtype=np.int32)
        offsets = np.array([0, len(cells)], dtype=np.int64)
        sides.append((cells[:, 0].copy(), cells[:, 1].copy(), offsets))
    sums, _, _ = score_days(
        sides[0], sides[1], max_n=max_n, beta=beta, scale=1.0, dtw_open=False, dtw_closed=False
    )
    assert sums is not None
    lengths = [np.array([len(points)]) for points in (generated, reference)]
    rule = GeobleuRule(max_n, divide_by_matches)
    return float(combine(sums, lengths[0], lengths[1], rule)[0])

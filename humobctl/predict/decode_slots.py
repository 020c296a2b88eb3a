"""From a distribution over cells to a cell: a choice of its own, for any model.

Slot by slot here; whole days in ``decode_days``.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from humobctl.console.near_misses import match_name, meant_value
from humobctl.errors import UsageError
from humobctl.native import Floats, Int32s, Int64s
from humobctl.predict.base import SlotDistributions, distances

Decode = Literal["day", "argmax", "geobleu", "dtw", "sample"]
DECODERS: tuple[Decode, ...] = ("day", "geobleu", "dtw", "argmax", "sample")
_BETA = 0.5  # decay of GEO-BLEU's proximity, per cell


def parse_decode(text: str) -> tuple[Decode, float | None]:
    """The decoder and the weight of ``day:0.5``; the weight is None where none is given.

    Raises:
        UsageError: no such decoder, or a weight that is none.
    """
    name, _, weight = text.partition(":")
    name = match_name(name, DECODERS)
    if name not in DECODERS or (weight and name != "day"):
        names = ", ".join(DECODERS)
        meant = "" if name in DECODERS else meant_value(name, DECODERS)
        raise UsageError(f"--decode: found {text!r}, expected one of {names}, day:WEIGHT{meant}")
    if not weight and ":" not in text:
        return name, None
    try:
        share = float(weight)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise UsageError(f"--decode: found {text!r}, expected day:WEIGHT with WEIGHT from 0 to 1")
    return "day", share


def decode(
    dist: SlotDistributions, how: Decode, *, top_p: float = 0.9, seed: tuple[int, int] = (0, 0)
) -> Int32s:
    """One cell a row.

    Minimum Bayes risk, slot by slot: ``geobleu`` takes the candidate of highest expected
    proximity, sum_c p(c) exp(-0.5 |c - candidate|), and ``dtw`` the one of lowest expected
    distance, sum_c p(c) |c - candidate|. ``argmax`` takes the likeliest, ``sample`` draws one.

    Args:
        dist: what a model returned, r rows and k candidates.
        how: the decoder.
        top_p: probability mass that ``sample`` draws from.
        seed: of the draws: the run's and the user's.

    Returns:
        Cells (x, y), shape (r, 2).
    """
    return dist.cells[_choose(dist, how, top_p, seed)]


def _choose(dist: SlotDistributions, how: Decode, top_p: float, seed: tuple[int, int]) -> Int64s:
    if how == "sample":
        return dist.path if dist.path is not None else _draw(dist.p, top_p, seed)
    best: Int64s
    if how == "argmax":
        best = dist.p.argmax(axis=1)
    elif how == "dtw":
        best = (dist.p @ distances(dist.cells)).argmin(axis=1)
    else:
        best = (dist.p @ np.exp(-_BETA * distances(dist.cells))).argmax(axis=1)
    return best


def keep_top(p: Floats, top_p: float) -> Floats:
    """The likeliest candidates that together reach ``top_p``, made to sum to 1.

    Holtzman et al., "The curious case of neural text degeneration", 2020 (nucleus sampling).

    Args:
        p: one distribution, shape (k,).
        top_p: probability mass to keep; 0 keeps the likeliest candidate only.
    """
    order = np.argsort(-p, kind="stable")
    kept = order[: int(np.searchsorted(np.cumsum(p[order]), top_p)) + 1]
    cut = np.zeros_like(p)
    cut[kept] = p[kept]
    whole: Floats = cut / cut.sum()
    return whole


def _draw(p: Floats, top_p: float, seed: tuple[int, int]) -> Int64s:
    draws = np.random.default_rng(seed).random(len(p))
    rows = [
        min(int(np.searchsorted(np.cumsum(keep_top(row, top_p)), draw)), len(row) - 1)
        for row, draw in zip(p, draws, strict=True)
    ]
    return np.array(rows, dtype=np.int64)

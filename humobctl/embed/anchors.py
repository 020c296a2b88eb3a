"""The counted part of a vector: a user's anchor places and cells, as waves over the plane.

Shapes:  B spans, A numbers of anchors, C numbers of cells, T targets.

Nothing is learnt here. Anchors are the most visited night cell (home), the most visited cell of
weekday working hours besides it (work), and the median of the daily means (of all that is counted,
the nearest to the middle of a coming day). Sines of one long wavelength are nearly straight over
the grid, so that a linear readout gives the place back; they are spread over many numbers of small
size, as linear probes look at each number alike. Cells are a mixture of scales: every cell that was
visited adds its waves of several lengths, weighted by the root of its records. They have
most of the length of a vector, so that the cosine of two vectors is mainly that of their cells.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from humobctl.embed.spans import Spans
from humobctl.native import Floats
from humobctl.tables.calendar import DAYTIME, NIGHT
from humobctl.tables.schemas import EMBEDDING_SIZE, GRID_SIDE

ANCHORS, CELLS, LEARNT = 400, 80, 32
"""Numbers of a vector: of anchors, of cells, and those that the network makes."""
TARGETS = 8
"""What the vector of the other half of a user is asked for in training."""
assert ANCHORS + CELLS + LEARNT == EMBEDDING_SIZE
_LONG = 1600.0
"""Wavelength of the anchors' sines in cells."""
_HEIGHT = 0.7
"""Amplitude of those sines: most of a vector's length is left to the cells."""
_CELL_PART = 0.98
_LENGTHS, _DIRECTIONS = 1.6 * 10 ** (np.arange(5) / 4), 8
_ANGLES = np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS
_WAVES = (
    (2 * np.pi / _LENGTHS)[None, :, None] * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)])[:, None]
).reshape(2, -1)
_SINES = 6
_SPREAD = math.sqrt(2 / ANCHORS) * np.cos(
    np.pi / ANCHORS * (np.arange(ANCHORS)[:, None] + 0.5) * np.arange(1, _SINES + 1)
)
"""Orthonormal columns (of a cosine transform) that spread the sines, (A, 6)."""


def count_spans(spans: Spans) -> tuple[Tensor, Tensor]:
    """The counted numbers of spans and what is asked of vectors in training.

    Returns:
        (B, A + C), anchors first, cells of length 1; and (B, T): places of the anchors in 20 cells
        from the grid's middle, radius of gyration in 20 cells, fraction of records in new cells.
    """
    columns = (one.cpu().numpy() for one in (spans.place, spans.slot, spans.dow, spans.mask))
    found = [
        _count(place[there], slot[there], dow[there])
        for place, slot, dow, there in zip(*columns, strict=True)
    ]
    counted, targets = (np.stack(part).astype(np.float32) for part in zip(*found, strict=True))
    return torch.from_numpy(counted), torch.from_numpy(targets)


def _count(place: Floats, slot: Floats, dow: Floats) -> tuple[Floats, Floats]:
    if not len(place):
        return np.zeros(ANCHORS + CELLS), np.zeros(TARGETS)
    cell = np.floor(place).astype(np.int64)
    numbers, which = np.unique(cell[:, 0] * GRID_SIDE + cell[:, 1], return_inverse=True)
    places = np.stack([numbers // GRID_SIDE, numbers % GRID_SIDE], 1) + 0.5 - GRID_SIDE / 2
    every = np.bincount(which)
    night = np.bincount(which, (slot < NIGHT[0]) | (slot >= NIGHT[1]))
    day = np.bincount(which, (slot >= DAYTIME[0]) & (slot < DAYTIME[1]) & (dow != 0) & (dow != 6))
    home = (night if night.any() else every).argmax()
    day[home] = 0
    work = day.argmax() if day.any() else home
    rows = places[which]
    usual = np.median(_daily_means(rows, slot, dow), 0)
    anchors = np.concatenate([places[home], places[work], usual])
    sines = _HEIGHT * np.sin(2 * np.pi / _LONG * anchors)
    phase = places @ _WAVES
    pooled = np.sqrt(every) @ np.concatenate([np.sin(phase), np.cos(phase)], 1)
    radius = math.sqrt(((rows - rows.mean(0)) ** 2).sum(1).mean())
    kept = np.concatenate([anchors / 20, [radius / 20, len(every) / len(rows)]])
    return np.concatenate([_SPREAD @ sines, pooled / max(np.linalg.norm(pooled), 1e-12)]), kept


def _daily_means(rows: Floats, slot: Floats, dow: Floats) -> Floats:
    """Mean place of each day; a day ends where the slot does not grow or the weekday changes."""
    begins = np.append(True, (np.diff(slot) <= 0) | (np.diff(dow) != 0))
    first = np.flatnonzero(begins)
    means: Floats = np.add.reduceat(rows, first) / np.diff(first, append=len(rows))[:, None]
    return means


def join(counted: Tensor, learnt: Tensor) -> Tensor:
    """Vectors of length 1 of the counted numbers and those of the network.

    Args:
        counted: (B, A + C).
        learnt: of length 1, (B, L).
    """
    anchors, cells = counted[:, :ANCHORS], counted[:, ANCHORS:]
    left = (1 - (anchors**2).sum(1, keepdim=True)).clamp(min=0).sqrt()
    share = math.sqrt(1 - _CELL_PART**2)
    return torch.cat([anchors, left * _CELL_PART * cells, left * share * learnt], 1)

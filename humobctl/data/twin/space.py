"""Where homes, works and places are: densities that a few people share, and laws of distance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
from scipy.ndimage import maximum_filter, uniform_filter

from humobctl.data.twin.habits import NEARS
from humobctl.data.twin.logit import Choices, fit_both
from humobctl.native import Bools, Floats, Int64s
from humobctl.tables.cells import CELLS
from humobctl.tables.schemas import GRID_SIDE

SHARED = 20
"""A density is averaged over the smallest square around a cell in which so many people are.

Unless told otherwise.
"""
_RADII = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 200)
_RINGS = np.array([1.2, 1.6, 2.3, 3.2, 4.5, 6.5, 9, 13, 18, 26, 37, 52, 74, 105])
_RING = np.searchsorted(_RINGS, np.sqrt(np.arange(2 * GRID_SIDE**2)))
RINGS = len(_RINGS) + 1
GAPS = 3
"""Classes of the time since the last record that distances are counted by."""
_STANDS_OUT = 4.0
_NEAR, _SAMPLE = 5, 256
_WINDOW = np.stack(np.divmod(np.arange((2 * _NEAR + 1) ** 2), 2 * _NEAR + 1)) - _NEAR


def ring(first: Int64s, second: Int64s) -> Int64s:
    """Class of the distance of cells."""
    x, y = np.divmod(first, GRID_SIDE)
    x0, y0 = np.divmod(second, GRID_SIDE)
    found: Int64s = _RING[(x - x0) ** 2 + (y - y0) ** 2]
    return found


def smooth(owner: Int64s, cell: Int64s, weight: Floats, shared: int) -> Floats:
    """Density of weights over the cells, averaged where few people are, (40000,); sums to 1.

    Args:
        owner: whose each cell is, not falling.
        cell: numbers of cells, each once an owner.
        weight: of each.
        shared: people in the square that is averaged.
    """
    total = np.bincount(cell, weight, minlength=CELLS).reshape(GRID_SIDE, GRID_SIDE)
    people = len(np.unique(owner))
    found, left = np.zeros_like(total), np.ones_like(total, bool)
    bounds = np.append(np.flatnonzero(np.diff(owner, prepend=-1)), len(owner))
    maps = np.zeros((people, GRID_SIDE, GRID_SIDE), np.uint8)
    for number, (a, b) in enumerate(pairwise(bounds)):
        maps[number].ravel()[cell[a:b]] = 1
    for radius in _RADII:
        size = 2 * radius + 1
        near = sum(maximum_filter(one, size, mode="constant").astype(np.int64) for one in maps)
        averaged = uniform_filter(total, size, mode="constant")
        enough = left & (near >= min(shared, people))
        found[enough] = averaged[enough]
        left &= ~enough
        if not left.any():
            break
    flat: Floats = np.maximum(found.ravel(), 0)
    flat /= flat.sum()
    return flat


def noisy_density(table: Floats, noise: float) -> Floats:
    """Density over the cells from sums with noise, averaged until they stand out, (40000,).

    Args:
        table: of the cells, (40000,).
        noise: standard deviation of each.
    """
    total = table.reshape(GRID_SIDE, GRID_SIDE)
    found, left = np.zeros_like(total), np.ones_like(total, bool)
    for radius in _RADII:
        size = 2 * radius + 1
        averaged = uniform_filter(total, size, mode="constant")
        enough = left & (averaged * size > _STANDS_OUT * noise)
        found[enough] = averaged[enough]
        left &= ~enough
    found[left] = max(float(total.mean()), 0.0) / 10
    flat: Floats = found.ravel() + 1e-12
    flat /= flat.sum()
    return flat


@dataclass(frozen=True)
class SearchLaw:
    """How people choose cells that are new to them: by density and distances.

    Attributes:
        density: of all cells, (40000,); sums to 1.
        weights: logarithms of the weights by the distance from where they are, from their home and
            from their nearest own cell, (SIZE,).
    """

    density: Floats
    weights: Floats


SIZE = 1 + (GAPS + 1) * RINGS + NEARS
"""Weights of a law; the first is 0."""


@dataclass(frozen=True)
class Search:
    """People who look for a new cell, shapes (a,).

    Attributes:
        origin: where they are.
        home: where they live.
        gap: class of the time since their last record.
        near: says of cells, (a, c), the class of the distance from the nearest own one.
        taken: says of cells whether they are own ones.
    """

    origin: Int64s
    home: Int64s
    gap: Int64s
    near: Callable[[Int64s], Int64s]
    taken: Callable[[Int64s], Bools]

    def bins(self, cells: Int64s) -> Int64s:
        """Weights of cells, (a, c, 3)."""
        around = 1 + self.gap[:, None] * RINGS + ring(cells, self.origin[:, None])
        from_home = 1 + GAPS * RINGS + ring(cells, self.home[:, None])
        near = 1 + (GAPS + 1) * RINGS + self.near(cells)
        return np.stack([around, from_home, near], axis=-1)


def reach(cells: Int64s, home: Int64s) -> Floats:
    """How far cells are from home, on a scale of classes of distance."""
    far: Floats = ring(cells, home[:, None]) / 4.0
    return far


def candidates(density: Floats, origin: Int64s, rng: np.random.Generator) -> tuple[Int64s, Floats]:
    """Cells around each origin, and a sample of those farther away.

    Returns:
        Numbers of cells (a, c), and the logarithm of the density that each stands for.
    """
    x, y = np.divmod(origin, GRID_SIDE)
    near_x, near_y = x[:, None] + _WINDOW[0], y[:, None] + _WINDOW[1]
    inside = (near_x >= 0) & (near_x < GRID_SIDE) & (near_y >= 0) & (near_y < GRID_SIDE)
    near = np.where(inside, near_x * GRID_SIDE + near_y, 0)
    reach = np.cumsum(density)
    far = np.searchsorted(reach, rng.random((len(origin), _SAMPLE)) * reach[-1], side="right")
    far_x, far_y = np.divmod(far, GRID_SIDE)
    beyond = np.maximum(abs(far_x - x[:, None]), abs(far_y - y[:, None])) > _NEAR
    stands_for = np.concatenate(
        [np.where(inside, density[near], 0.0), np.where(beyond, 1 / _SAMPLE, 0.0)], axis=1
    )
    with np.errstate(divide="ignore"):
        return np.concatenate([near, far], axis=1), np.log(stands_for)


@dataclass(frozen=True)
class Find:
    """What was found among which candidates: weights, known parts, and reach, of each of them."""

    bins: Int64s
    base: Floats
    reach: Floats
    count: Int64s
    owner: Int64s


def observe_finds(
    density: Floats, search: Search, found: Int64s, owner: Int64s, rng: np.random.Generator
) -> Find:
    """Candidates of finds; what was found stands last."""
    cells, base = candidates(density, search.origin, rng)
    base[search.taken(cells) | (cells == found[:, None])] = -np.inf
    cells = np.append(cells, found[:, None], axis=1)
    base = np.append(base, np.log(density[found])[:, None], axis=1)
    there = np.isfinite(base)
    return Find(
        search.bins(cells)[there],
        base[there],
        reach(cells, search.home)[there],
        there.sum(axis=1),
        owner,
    )


def fit_law(density: Floats, finds: list[Find], people: int) -> tuple[SearchLaw, Floats]:
    """The law of what was found, and how far from home each of the people goes, (people,)."""
    bins, base, far, count, owner = (
        np.concatenate([getattr(find, field.name) for find in finds]) for field in fields(Find)
    )
    event = np.repeat(np.arange(len(count)), count)
    choices = Choices(bins, event, np.cumsum(count) - 1, owner, base, SIZE)
    weights, slopes = fit_both(choices, far[:, None], people, pull=1.0)
    return SearchLaw(density, weights), slopes[:, 0]


def draw_cells(law: SearchLaw, search: Search, slope: Floats, rng: np.random.Generator) -> Int64s:
    """A cell for each of the people who look for one, (a,).

    Args:
        law: what is fitted.
        search: who looks for one.
        slope: how far from home each goes.
        rng: of the draws.
    """
    cells, base = candidates(law.density, search.origin, rng)
    base[search.taken(cells)] = -np.inf
    score = base + law.weights[search.bins(cells)].sum(axis=-1)
    score += slope[:, None] * reach(cells, search.home)
    best = (score + rng.gumbel(size=score.shape)).argmax(axis=1)
    found: Int64s = cells[np.arange(len(cells)), best]
    return found


def draw_works(density: Floats, home: Int64s, far: Floats, rng: np.random.Generator) -> Int64s:
    """Where people work, by how far from home (``reach``) they do."""
    everywhere = np.arange(CELLS)
    found = np.empty(len(home), np.int64)
    for number, (cell, away) in enumerate(zip(home, far, strict=True)):
        from_home = ring(everywhere, cell) / 4.0
        weight = np.cumsum(density * np.exp(-8 * (from_home - away) ** 2))
        found[number] = np.searchsorted(weight, rng.random() * weight[-1], side="right")
    return found

"""The ground of the embedded synthetic city: where people live, work and go, and its places.

Positions are continuous, in cells: cell ``c`` covers ``[c - 1, c)``, so a position is anywhere in
``[0, 200)``. x grows to the east and y to the north. The city lies in the open Atlantic, so that
its coordinates are not taken for a real place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.native import Floats
from humobctl.tables.cells import decode_cells
from humobctl.tables.schemas import GRID_SIDE

CELL_KM = 0.5
ORIGIN_LAT, ORIGIN_LON = 40.0, -30.0
"""South-west corner of cell (1, 1), degrees (WGS 84): a fictional place in the Atlantic."""
KM_PER_DEGREE = 6371.0088 * np.pi / 180
"""Length of a degree of latitude on a sphere of the mean radius of the earth (IUGG 1980)."""
PLACE_COUNT = 6000
_SATELLITES, _VILLAGES, _EXITS = 7, 24, 6
_ROAD_REACH = 8.0
"""Who travels within so many cells of a road travels on it."""

# Category -> (intent it serves, share of all places, how strongly it gathers in the centres).
CATEGORIES: dict[str, tuple[str, float, float]] = {
    "office": ("go to work", 0.10, 1.4),
    "factory": ("go to work", 0.02, 0.6),
    "warehouse": ("go to work", 0.01, 0.5),
    "school": ("go to work", 0.02, 0.9),
    "apartment building": ("go home", 0.12, 0.9),
    "detached houses": ("go home", 0.08, 0.6),
    "hotel": ("go to sleep", 0.02, 1.4),
    "guest house": ("go to sleep", 0.01, 0.8),
    "restaurant": ("eat", 0.11, 1.2),
    "cafe": ("eat", 0.06, 1.3),
    "noodle shop": ("eat", 0.04, 1.1),
    "convenience store": ("do shopping", 0.06, 0.9),
    "supermarket": ("do shopping", 0.04, 0.9),
    "clothes shop": ("do shopping", 0.03, 1.4),
    "shopping mall": ("do shopping", 0.01, 1.2),
    "gym": ("do sports", 0.02, 1.1),
    "sports ground": ("do sports", 0.015, 0.8),
    "swimming pool": ("do sports", 0.005, 0.9),
    "park": ("excursion", 0.025, 0.9),
    "viewpoint": ("excursion", 0.005, 0.2),
    "beach": ("excursion", 0.005, 0.1),
    "hot spring": ("excursion", 0.005, 0.2),
    "cinema": ("leisure or entertainment", 0.005, 1.3),
    "bar": ("leisure or entertainment", 0.03, 1.4),
    "games arcade": ("leisure or entertainment", 0.01, 1.2),
    "karaoke": ("leisure or entertainment", 0.01, 1.3),
    "clinic": ("medical treatment", 0.03, 1.0),
    "hospital": ("medical treatment", 0.005, 1.0),
    "pharmacy": ("medical treatment", 0.02, 1.0),
    "post office": ("handle the trivialities of life", 0.01, 0.9),
    "hairdresser": ("handle the trivialities of life", 0.025, 1.0),
    "laundry": ("handle the trivialities of life", 0.015, 1.0),
    "city office": ("handle the trivialities of life", 0.005, 1.0),
    "bank": ("banking and financial services", 0.015, 1.2),
    "cash machine": ("banking and financial services", 0.015, 1.1),
    "museum": ("cultural institutions and events", 0.005, 1.3),
    "library": ("cultural institutions and events", 0.005, 1.0),
    "temple": ("cultural institutions and events", 0.01, 0.7),
    "concert hall": ("cultural institutions and events", 0.005, 1.3),
}


@dataclass(frozen=True)
class SynthCity:
    """Where things are; arrays over cells are flat, index the number of ``tables.cells``.

    Attributes:
        seed: what it was made from.
        homes: cumulative fraction of the people who live in the cells up to each one.
        jobs: how strongly each cell draws workers; its mean is 1 over the land.
        venues: how strongly each cell draws visitors; its mean is 1 over the land.
        density: fraction of the people who live in each cell.
        route: (40000, 2) where a user is seen who passes a cell: on the next road.
    """

    seed: int
    density: Floats
    homes: Floats
    jobs: Floats
    venues: Floats
    route: NDArray[np.float32]


def make_city(seed: int) -> SynthCity:
    """Build the city of ``seed``: a main centre, smaller ones, roads between them, sea, hills."""
    rng = city_rng(seed, 0)
    towns = _towns(rng)
    away, nearest = _nearest(_roads(rng, towns[:, :2]))
    density = _density(rng, towns, away)
    # Work gathers more tightly than homes do; visits lie between the two.
    jobs = _relative(density**1.35 * np.exp(rng.normal(0, 0.8, density.size)))
    venues = _relative(density**1.1 * np.exp(rng.normal(0, 0.7, density.size)))
    cells = np.indices((GRID_SIDE, GRID_SIDE)).reshape(2, -1)
    route = np.where(away.ravel() <= _ROAD_REACH, nearest.reshape(2, -1), cells) + 0.5
    return SynthCity(
        seed=seed,
        density=density,
        homes=np.cumsum(density),
        jobs=jobs,
        venues=venues,
        route=np.ascontiguousarray(route.T, dtype=np.float32),
    )


def city_rng(seed: int, part: int) -> np.random.Generator:
    """The stream of draws for one part of the city, apart from the streams of its people."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, 0, part])))


def _towns(rng: np.random.Generator) -> Floats:
    """(1 + satellites, 4): position, weight and reach in cells; the main centre first."""
    centre = rng.uniform(80, 120, 2)
    towns = [(*centre, 1.0, 14.0)]
    for share in 0.55 * 0.8 ** np.arange(_SATELLITES):
        angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(22, 75)
        x, y = centre[0] + away * np.cos(angle), centre[1] + away * np.sin(angle)
        towns.append((x, y, share, rng.uniform(4.5, 8)))
    return np.array(towns)


def _roads(rng: np.random.Generator, towns: Floats) -> NDArray[np.bool_]:
    """(200, 200): cells with a main road or a railway line.

    Each town, village and way out of the city is joined to the nearest point that is joined
    already, and each town to its nearest fellow.
    """
    villages = rng.uniform(5, GRID_SIDE - 5, (_VILLAGES, 2))
    exits = rng.uniform(20, GRID_SIDE - 20, (_EXITS, 2))
    exits[np.arange(_EXITS), np.arange(_EXITS) % 2] = np.where(
        np.arange(_EXITS) % 4 < 2, 0.5, GRID_SIDE - 0.5
    )
    rest = np.concatenate([villages, exits])
    by_distance = np.argsort(np.hypot(*(rest - towns[0]).T))
    joints = np.concatenate([towns, rest[by_distance]])
    roads = np.zeros((GRID_SIDE, GRID_SIDE), dtype=bool)
    for index in range(1, len(joints)):
        before = joints[:index]
        _draw_road(rng, roads, joints[index], before[_closest(before, joints[index])])
    for index, town in enumerate(towns):
        others = np.delete(towns, index, axis=0)
        _draw_road(rng, roads, town, others[_closest(others, town)])
    return roads


def _closest(points: Floats, point: Floats) -> int:
    return int(np.argmin(np.hypot(*(points - point).T)))


def _draw_road(
    rng: np.random.Generator, roads: NDArray[np.bool_], start: Floats, end: Floats
) -> None:
    """Mark the cells of a winding line."""
    step = end - start
    length = float(np.hypot(*step))
    along = np.linspace(0, 1, int(3 * length) + 2)
    waves = np.array([1, 2, 3, 5])
    wind = np.sin(np.pi * along[:, None] * waves) @ rng.normal(0, 0.08 / waves)
    line = start + along[:, None] * step + wind[:, None] * np.array([-step[1], step[0]])
    cells = np.floor(line).astype(int)
    cells = cells[((cells >= 0) & (cells < GRID_SIDE)).all(axis=1)]
    roads[cells[:, 0], cells[:, 1]] = True


def _nearest(marked: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.int_]]:
    """Distance in cells from each cell to the nearest marked one, and which that is (2, 200, 200).

    Jump flooding (Rong and Tan, I3D 2006), which is all but exact.
    """
    here = np.indices(marked.shape)
    nearest = np.where(marked, here, 10 * GRID_SIDE)
    best = ((nearest - here) ** 2).sum(axis=0)
    for jump in (64, 32, 16, 8, 4, 2, 1):
        for across in (-jump, 0, jump):
            for along in (-jump, 0, jump):
                # Wrapping round the edge only offers a candidate that is far away.
                other = np.roll(nearest, (across, along), axis=(1, 2))
                distance = ((other - here) ** 2).sum(axis=0)
                closer = distance < best
                best = np.where(closer, distance, best)
                nearest = np.where(closer, other, nearest)
    return np.sqrt(best), nearest


def _density(rng: np.random.Generator, towns: Floats, away: Floats) -> Floats:
    """Fraction of the people in each cell: exponential decay around centres (Clark, 1951).

    Most live near a road, and all the more so out of town.
    """
    x, y = np.indices((GRID_SIDE, GRID_SIDE)) + 0.5
    people = np.zeros((GRID_SIDE, GRID_SIDE))
    for town_x, town_y, weight, reach in towns:
        people += weight * np.exp(-np.hypot(x - town_x, y - town_y) / reach)
    near = np.exp(-away / 1.6)
    people = people * (0.12 + near) + 0.035 * near**2 + 0.0004
    people *= np.exp(0.9 * _smooth_noise(rng, 6) + 0.8 * rng.normal(0, 1, people.shape))
    people[_sea(rng, x, y)] = 0
    flat = people.ravel()
    shares: Floats = flat / flat.sum()
    return shares


def _sea(rng: np.random.Generator, x: Floats, y: Floats) -> NDArray[np.bool_]:
    """Cells without users: the sea in one corner, and hills."""
    corner = rng.integers(0, 4)
    from_x = x if corner & 1 else GRID_SIDE - x
    from_y = y if corner & 2 else GRID_SIDE - y
    shore = 55 + 10 * _smooth_noise(rng, 12)
    hills = _smooth_noise(rng, 14) > 1.2
    sea: NDArray[np.bool_] = (from_x + from_y < shore) | hills
    return sea


def _smooth_noise(rng: np.random.Generator, width: int) -> Floats:
    """Noise over the grid that changes within about ``width`` cells; mean 0, deviation 1."""
    noise = rng.normal(0, 1, (GRID_SIDE, GRID_SIDE))
    kernel = np.hanning(4 * width + 1)
    for axis in (0, 1):
        noise = np.apply_along_axis(np.convolve, axis, noise, kernel, mode="same")
    smooth: Floats = (noise - noise.mean()) / noise.std()
    return smooth


def _relative(weights: Floats) -> Floats:
    scaled: Floats = weights / weights[weights > 0].mean()
    return np.minimum(scaled, 60.0)


def cells_at(cumulative: Floats, draws: NDArray[np.floating]) -> NDArray[np.intp]:
    """Cells drawn by their shares: the inverse of the cumulative shares at uniform draws."""
    found = np.searchsorted(cumulative, draws * cumulative[-1], side="right")
    cells: NDArray[np.intp] = np.minimum(found, cumulative.size - 1)
    return cells


def degrees(x: NDArray[np.floating], y: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Latitude and longitude of positions given in cells: the grid ``500m@40,-30,200x200``."""
    lat = ORIGIN_LAT + np.asarray(y, dtype=np.float64) * CELL_KM / KM_PER_DEGREE
    shrink = np.cos(np.radians(ORIGIN_LAT))
    lon = ORIGIN_LON + np.asarray(x, dtype=np.float64) * CELL_KM / (KM_PER_DEGREE * shrink)
    return lat, lon


def places(seed: int, count: int = PLACE_COUNT) -> pl.DataFrame:
    """Places of the city, each with a category and the intent that it serves.

    Args:
        seed: of the city.
        count: how many; every category has at least one where ``count`` allows it.

    Returns:
        A place table (``schemas.PLACES``).
    """
    city, rng = make_city(seed), city_rng(seed, 1)
    names = np.array(list(CATEGORIES))
    shares = np.array([share for _, share, _ in CATEGORIES.values()])
    kinds = rng.choice(len(names), count, p=shares / shares.sum())
    kinds[: min(count, len(names))] = np.arange(min(count, len(names)))
    kinds.sort()
    cells = np.empty(count, dtype=np.intp)
    for kind, (_, _, gathers) in enumerate(CATEGORIES.values()):
        of_kind = np.flatnonzero(kinds == kind)
        reach = np.cumsum(np.where(city.density > 0, city.density**gathers, 0))
        cells[of_kind] = cells_at(reach, rng.random(of_kind.size))
    inside = rng.random((2, count))
    x, y = decode_cells(cells).T - 1 + inside
    lat, lon = degrees(x, y)
    number = np.arange(count) - np.searchsorted(kinds, kinds) + 1
    return pl.DataFrame(
        {
            "place_id": [f"p{index:05d}" for index in range(count)],
            "name": [f"{names[k]} {n}" for k, n in zip(kinds, number.tolist(), strict=True)],
            "category": names[kinds].tolist(),
            "intent": [CATEGORIES[str(name)][0] for name in names[kinds]],
            "lat": lat.round(6),
            "lon": lon.round(6),
        }
    )

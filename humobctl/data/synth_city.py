"""The ground of the embedded synthetic city: where people live, work and go, and its places.

Positions are continuous, in cells: cell ``c`` covers ``[c - 1, c)``, so a position is anywhere in
``[0, 200)``. x grows to the east and y to the north. The city lies in the open Atlantic, so that
nobody takes its coordinates for a real place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.data.schemas import GRID_SIDE

Floats = NDArray[np.float64]

CELL_KM = 0.5
ORIGIN_LAT, ORIGIN_LON = 40.0, -30.0
"""South-west corner of cell (1, 1), degrees (WGS 84): a fictional place in the Atlantic."""
KM_PER_DEGREE = 6371.0088 * np.pi / 180
"""Length of a degree of latitude on a sphere of the mean radius of the earth (IUGG 1980)."""
PLACE_COUNT = 6000
_SATELLITES = 7

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
class City:
    """Where things are; arrays over cells are flat, index ``(x - 1) * 200 + (y - 1)``.

    Attributes:
        seed: what it was made from.
        homes: cumulative share of the people who live in the cells up to each one.
        jobs: how strongly each cell draws workers; its mean is 1 over the land.
        venues: how strongly each cell draws visitors; its mean is 1 over the land.
        venues_total: cumulative share of ``venues``.
        density: share of the people who live in each cell.
    """

    seed: int
    density: Floats
    homes: Floats
    jobs: Floats
    venues: Floats
    venues_total: Floats


def make_city(seed: int) -> City:
    """Build the city of ``seed``: one main centre, smaller ones around it, sea and hills."""
    rng = city_rng(seed, 0)
    density = _density(rng)
    # Work gathers more tightly than homes do; visits lie between the two.
    jobs = _relative(density**1.35 * np.exp(rng.normal(0, 0.8, density.size)))
    venues = _relative(density**1.1 * np.exp(rng.normal(0, 0.7, density.size)))
    return City(
        seed=seed,
        density=density,
        homes=np.cumsum(density),
        jobs=jobs,
        venues=venues,
        venues_total=np.cumsum(venues / venues.sum()),
    )


def city_rng(seed: int, part: int) -> np.random.Generator:
    """The stream of draws for one part of the city, apart from the streams of its people."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, 0, part])))


def _density(rng: np.random.Generator) -> Floats:
    """Share of the people in each cell: exponential decay around centres (Clark, 1951)."""
    x, y = np.meshgrid(np.arange(GRID_SIDE) + 0.5, np.arange(GRID_SIDE) + 0.5, indexing="ij")
    centre = rng.uniform(80, 120, 2)
    people = np.exp(-np.hypot(x - centre[0], y - centre[1]) / 16.0)
    for share in 0.55 * 0.8 ** np.arange(_SATELLITES):
        angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(22, 75)
        cx, cy = centre[0] + away * np.cos(angle), centre[1] + away * np.sin(angle)
        people += share * np.exp(-np.hypot(x - cx, y - cy) / rng.uniform(5, 9))
    people += 0.012  # villages
    people *= np.exp(0.9 * _smooth_noise(rng, 6) + 0.7 * rng.normal(0, 1, people.shape))
    people[_sea(rng, x, y)] = 0
    flat = people.ravel()
    shares: Floats = flat / flat.sum()
    return shares


def _sea(rng: np.random.Generator, x: Floats, y: Floats) -> NDArray[np.bool_]:
    """Cells nobody is in: the sea in one corner, and hills."""
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
    lat, lon = degrees(cells // GRID_SIDE + inside[0], cells % GRID_SIDE + inside[1])
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

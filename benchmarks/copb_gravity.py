"""How CoPB's published script finds places, and a plain array port: yardsticks, not used otherwise.

As ``trajectory_Gravity.py`` and ``event2poi_gravity`` do it (github.com/PLUTO-SCY/CoPB): for each
event all places of the category within 10 km are queried, nearest first (10,000; where these reach
less than 5 km far, 20,000, then 30,000), sorted into rings in a loop, weighed in a second loop,
50 are drawn by one over the root of distance, and one of these by density over squared distance.
The map server of the original is a tree in memory here, which is quicker.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from scipy.spatial import KDTree

from humobctl.generate.gravity.places import PlaceIndex
from humobctl.tables.schemas import INTENTS

AT_HOME = ("go home", "go to sleep")


class QueryAndLoop:
    """The original's way."""

    def __init__(self, city: PlaceIndex, seed: int = 0) -> None:
        self.points = np.column_stack([city.east, city.north]).astype(float)
        self.rows = {name: city.serving(code) for code, name in enumerate(INTENTS)}
        self.trees = {n: KDTree(self.points[r]) for n, r in self.rows.items() if len(r)}
        self.random = np.random.default_rng(seed)

    def query(self, intent: str, centre: np.ndarray, limit: int) -> list[tuple[dict, float]]:
        found = self.trees[intent].query_ball_point(centre, 10_000)
        rows = self.rows[intent][found]
        away = np.linalg.norm(self.points[rows] - centre, axis=1)
        order = np.argsort(away)[:limit]
        return [
            ({"id": row, "name": ""}, distance)
            for row, distance in zip(rows[order].tolist(), away[order].tolist(), strict=True)
        ]

    def choose(self, intent: str, centre: np.ndarray) -> int:
        pois = self.query(intent, centre, 10_000)
        for limit in (20_000, 30_000):
            if pois[-1][1] < 5000:
                pois = self.query(intent, centre, limit)
        rings: dict[str, list] = {f"{d}k": [] for d in range(1, 11)}
        for poi in pois:
            for d in range(1, 11):
                if (d - 1) * 1000 <= poi[1] < d * 1000:
                    rings[f"{d}k"].append(poi)
                    break
        candidates, shares = [], []
        for poi in pois:
            for d in range(1, 11):
                if (d - 1) * 1000 <= poi[1] < d * 1000:
                    area = math.pi * ((d * 1000) ** 2 - ((d - 1) * 1000) ** 2)
                    distance = max(poi[1], 1)
                    weight = len(rings[f"{d}k"]) / area / distance**2
                    candidates.append((poi[0]["id"], weight))
                    shares.append(1 / math.sqrt(distance))
                    break
        fifty = self.random.choice(len(candidates), size=50, p=np.array(shares) / np.sum(shares))
        some = [candidates[i] for i in fifty]
        weights = np.array([weight for _, weight in some])
        return some[self.random.choice(50, p=weights / weights.sum())][0]

    def days(self, plans: pl.DataFrame) -> list[int]:
        """Rows of the places of all events, -1 for home and work."""
        return _walk(plans, self.points, self.choose, self.random)


class Scan:
    """Array operations over the whole category for each event; exactly the law."""

    def __init__(self, city: PlaceIndex, seed: int = 0) -> None:
        self.points = np.column_stack([city.east, city.north])
        self.rows = {name: city.serving(code) for code, name in enumerate(INTENTS)}
        self.members = {name: self.points[rows] for name, rows in self.rows.items()}
        self.area = np.pi * (2 * np.arange(10) + 1)
        self.random = np.random.default_rng(seed)

    def choose(self, intent: str, centre: np.ndarray) -> int:
        away = np.sqrt(((self.members[intent] - centre) ** 2).sum(axis=1))
        ring = (away / 1000).astype(np.int64)
        near = np.flatnonzero(ring < 10)
        ring = ring[near]
        density = np.bincount(ring, minlength=10) / self.area
        total = np.cumsum(density[ring] / np.maximum(away[near], 1) ** 2)
        at = np.searchsorted(total, self.random.random() * total[-1])
        return int(self.rows[intent][near[at]])

    def days(self, plans: pl.DataFrame) -> list[int]:
        """Rows of the places of all events, -1 for home and work."""
        return _walk(plans, self.points, self.choose, self.random)


def _walk(plans, points, choose, random) -> list[int]:
    visited, before, home, work, here = [], None, 0, 0, 0
    for uid, intent in plans.select("uid", "intent").iter_rows():
        if uid != before:
            before, (home, work) = uid, random.integers(len(points), size=2)
            here = home
        if intent in (*AT_HOME, "go to work"):
            here = work if intent == "go to work" else home
            visited.append(-1)
        else:
            here = choose(intent, points[here])
            visited.append(here)
    return visited

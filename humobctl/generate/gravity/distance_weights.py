"""Weights of places by their distance, as observed: the law `empirical`, and its files.

Bins of distance are equally wide in logarithms; the innermost and the outermost have no end. What a
place weighs depends on its bin and on whether the person sets out from home.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from humobctl.errors import HumobError
from humobctl.io.json_files import read_json_input
from humobctl.io.streams import whole_file
from humobctl.native import Floats, Int64s

BINS = 64
FIRST, LAST = 0.05, 200.0
"""Km: the first bin ends at FIRST, the last one begins at LAST. kernels/gravity.c has the same."""
CHANCES = ("return_chance", "away_chance")
SONG = (0.6, 0.21)
"""Exploration on later days where none is fitted: rho and gamma of Song et al. (2010)."""
MOST_RHO = 10.0
"""A fitted rho may exceed 1: people then explore as long as they know few places."""
BUILT_IN = Path(__file__).with_name("beijing.json")
"""Fitted to the stays of 5,469 people in Beijing that were published with CoPB, but without
their nights away from home, with which 29 % of the recorded days end."""


@dataclass(frozen=True)
class DistanceWeights:
    """Weights of places by distance, and how often people return or stay away.

    Attributes:
        work: of works from home, by bin, (BINS,); the nearest bin weighs 1.
        home: of other activities, from home, by bin, (BINS,).
        elsewhere: of other activities, from elsewhere, by bin, (BINS,).
        back: chance to return to a place of the same day, where one serves the intent.
        away: chance that a day of three stays or more ends away from home.
        rho, gamma: on later days people explore with probability rho * S**-gamma, where they know S
            places, and otherwise return to one of the days before.
    """

    work: tuple[float, ...]
    home: tuple[float, ...]
    elsewhere: tuple[float, ...]
    back: float
    away: float = 0.0
    rho: float = SONG[0]
    gamma: float = SONG[1]

    def table(self) -> Floats:
        """For the kernel, (3, BINS)."""
        return np.ascontiguousarray([self.work, self.home, self.elsewhere], np.float64)

    def record(self) -> dict[str, Any]:
        """For a file, or the config of a model."""
        return {
            "law": "empirical",
            "first_km": FIRST,
            "last_km": LAST,
            "to_work": self.work,
            "from_home": self.home,
            "from_elsewhere": self.elsewhere,
            "return_chance": self.back,
            "away_chance": self.away,
            "rho": self.rho,
            "gamma": self.gamma,
        }

    def save(self, path: str) -> None:
        """Write them as JSON; the file appears whole or not at all."""
        with whole_file(path) as place:
            place.write_text(json.dumps(self.record(), indent=1) + "\n")


def load_weights(path: str | Path) -> DistanceWeights:
    """Weights as ``save`` wrote them.

    Raises:
        HumobError: the file cannot be read, or is something else.
    """
    return weights_of(read_json_input(path, "a law of --save-law"), str(path))


def weights_of(record: Any, source: str) -> DistanceWeights:
    """Weights of a record.

    Args:
        record: as ``DistanceWeights.record`` has it.
        source: the file it is from, for messages.

    Raises:
        HumobError: it is something else.
    """
    tables = ("to_work", "from_home", "from_elsewhere")
    names = ("law", "first_km", "last_km", *tables, *CHANCES, "rho", "gamma")
    if isinstance(record, dict):  # older files have none of these
        record = {"away_chance": 0.0, "rho": SONG[0], "gamma": SONG[1], **record}
    if not isinstance(record, dict) or set(record) != set(names):
        raise HumobError(f"{source}: expected a law of --save-law with {', '.join(names)}")
    for name, expected in (("law", "empirical"), ("first_km", FIRST), ("last_km", LAST)):
        if record[name] != expected:
            raise HumobError(f"{source}: {name}: found {record[name]!r}, expected {expected!r}")
    for name in tables:
        if not _fall(record[name]):
            raise HumobError(
                f"{source}: {name}: expected {BINS} weights above 0, none above the one before"
            )
    for name, most in (*((name, 1) for name in CHANCES), ("rho", MOST_RHO), ("gamma", 5)):
        number = record[name]
        if not isinstance(number, float | int) or not 0 <= number <= most:
            raise HumobError(f"{source}: {name}: found {number!r}, expected 0 to {most:g}")
    work, home, elsewhere = (tuple(map(float, record[name])) for name in tables)
    back, away, rho, gamma = (float(record[name]) for name in (*CHANCES, "rho", "gamma"))
    return DistanceWeights(work, home, elsewhere, back, away, rho, gamma)


def _fall(weights: Any) -> bool:
    numbers = isinstance(weights, list) and all(
        isinstance(weight, float | int) and not isinstance(weight, bool) for weight in weights
    )
    if not numbers or len(weights) != BINS:
        return False
    values = np.array(weights, float)
    return bool(np.isfinite(values).all() and (values > 0).all() and (np.diff(values) <= 0).all())


def bin_of(away: Floats) -> Int64s:
    """Number of the bin of each distance in km."""
    step = np.log(LAST / FIRST) / (BINS - 2)
    bins = np.floor(np.log(np.maximum(away, 1e-9) / FIRST) / step) + 1
    found: Int64s = np.clip(bins, 0, BINS - 1).astype(np.int64)
    return found

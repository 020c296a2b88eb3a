"""The ranker of next places: the network of the ranker of cells on features of next places.

    p(place | record) = (1 - elsewhere) * softmax over the candidates of score(features)

``elsewhere`` is the fraction of training records whose place was no candidate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from humobctl.errors import HumobError
from humobctl.native import Floats
from humobctl.predict.next.city import NextCity
from humobctl.predict.next.config import NextRankerConfig
from humobctl.predict.next.data import UserRecords
from humobctl.predict.next.evidence import Evidence
from humobctl.predict.next.features import NAMES, encode
from humobctl.predict.ranker.model import RankerNetwork, check_arrays, softmax, standardize
from humobctl.training.model_dir import Checkpoint, clear_damage

TYPE = "next-ranker"
_ABSENT = -1e9


class NextRanker:
    """A trained ranker in a city."""

    def __init__(self, city: NextCity, network: RankerNetwork, elsewhere: float) -> None:
        self.city, self.network, self.elsewhere = city, network, elsewhere

    def probabilities(self, user: UserRecords, found: Evidence) -> Floats:
        """Probability of each candidate, shape (r, k + N)."""
        z = encode(found, self.city)
        r, many, features = z.shape
        flat = standardize(z.reshape(-1, features), self.network.mean, self.network.scale)
        scores = self.network.scores(flat).reshape(r, many).astype(np.float64)
        shares = softmax(np.where(found.candidates >= 0, scores, _ABSENT))
        return shares * (1.0 - self.elsewhere)


def check_features(config: Mapping[str, Any], folder: str) -> None:
    """Refuse a model of other features than this version computes.

    Args:
        config: of its model dir.
        folder: the model dir, for messages.

    Raises:
        HumobError: the features differ.
    """
    if config.get("features") != list(NAMES):
        raise HumobError(
            f"{folder}/config.json: found other features than this version computes, expected "
            f"its {len(NAMES)}; train it again"
        )


def to_checkpoint(network: RankerNetwork, config: NextRankerConfig, elsewhere: float) -> Checkpoint:
    """What a model dir holds: the weights, the settings, and the features they belong to."""
    settings = {"features": list(NAMES), "elsewhere": elsewhere, **asdict(config)}
    return Checkpoint(TYPE, settings, network.arrays())


def from_checkpoint(
    checkpoint: Checkpoint, city: NextCity, folder: str, _: str = "cpu"
) -> NextRanker:
    """The ranker of a model dir, for one city.

    Raises:
        HumobError: it was trained on other features than this version computes, or is damaged.
    """
    config = checkpoint.config
    check_features(config, folder)
    with clear_damage(folder):
        hidden, members = int(config["hidden"]), int(config["members"])
        elsewhere = min(max(float(config["elsewhere"]), 0.0), 1.0)
    check_arrays(checkpoint.arrays, len(NAMES), hidden, members, folder)
    return NextRanker(city, RankerNetwork(**checkpoint.arrays), elsewhere)

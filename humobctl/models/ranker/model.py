"""The ranker: a forest that scores a user's candidate cells, and a softmax over each row's.

    p(cell | row) = softmax over the row's candidates of
        (log(history share + floor) + forest(features)) / temperature

The history model's shares are where the boosting starts; the trees learn how far to trust them.

Shapes: r target rows, k the user's cells, K candidates a row, F features, N nodes, T trees.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import numpy as np

from humobctl.checkpoint import Checkpoint
from humobctl.errors import HumobError
from humobctl.models.city import City
from humobctl.models.distribution import SlotDistributions, UserHistory
from humobctl.models.ranker.config import KERNELS, RankerConfig
from humobctl.models.ranker.features import NAMES, Encoded, encode
from humobctl.models.ranker.native import Float32s, Floats, Int32s, library

FLOOR = 1e-3


@dataclass(frozen=True)
class Forest:
    """Trees as flat arrays; a row goes to ``left`` where its feature is <= threshold.

    Attributes:
        root: first node of each tree, and the number of nodes, shape (T + 1,).
        depth: steps to the deepest leaf of each tree, shape (T,).
        feature, threshold, left: of each node, shape (N,); the right child is ``left + 1``. A leaf
            has an infinite threshold and is its own left child.
        value: of each leaf, 0 elsewhere, shape (N,).
        features: how many features a row has.
    """

    root: Int32s
    depth: Int32s
    feature: Int32s
    threshold: Float32s
    left: Int32s
    value: Floats
    features: int

    def __call__(self, x: Float32s) -> Floats:
        """Sum of the trees for each row.

        Args:
            x: shape (rows, F).

        Returns:
            Scores, shape (rows,).
        """
        scores = np.zeros(len(x))
        library().humob_forest(
            *(len(x), self.features, np.ascontiguousarray(x, dtype=np.float32), len(self.depth)),
            *(self.root, self.depth, self.feature, self.threshold, self.left, self.value, scores),
        )
        return scores

    def arrays(self) -> dict[str, np.ndarray]:
        """What a model file holds, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "features"}


class Ranker:
    """A trained ranker in a city."""

    def __init__(self, city: City, forest: Forest, config: RankerConfig) -> None:
        self.city, self.forest, self.config = city, forest, config

    def distribution(self, user: UserHistory) -> SlotDistributions:
        """Probabilities of the user's past cells for each target row; 0 for all but the kept."""
        if not len(user.d):
            return self.city.distribution(user)
        encoded = encode(user, self.city, self.config.keep)
        return SlotDistributions(encoded.cells, self.probabilities(encoded))

    def probabilities(self, encoded: Encoded) -> Floats:
        """The distribution over all of the user's cells, shape (r, k)."""
        r, keep, features = encoded.x.shape
        scores = self.forest(encoded.x.reshape(r * keep, features)).reshape(r, keep)
        scores += start_scores(encoded.start)
        shares = softmax(scores / self.config.temperature)
        p = np.zeros((r, len(encoded.cells)))
        np.put_along_axis(p, encoded.kept.astype(np.int64), shares, axis=1)
        return p


def to_checkpoint(forest: Forest, config: RankerConfig) -> Checkpoint:
    """What a model dir holds: the forest, its settings, and which features it was grown on."""
    settings = {"features": list(NAMES), "kernels": _kernels(), **asdict(config)}
    return Checkpoint("ranker", settings, forest.arrays())


def from_checkpoint(checkpoint: Checkpoint, city: City, folder: str) -> Ranker:
    """The ranker of a model dir, for one city.

    Args:
        checkpoint: what the dir holds.
        city: the calendar of the city to predict.
        folder: its name, for messages.

    Raises:
        HumobError: it was trained on other features than this version computes, or is damaged.
    """
    config = checkpoint.config
    if config.get("features") != list(NAMES) or config.get("kernels") != _kernels():
        raise HumobError(
            f"{folder}/config.json: found other features than this version computes, expected "
            f"its {len(NAMES)}; train the ranker again"
        )
    known = {f.name for f in fields(RankerConfig)}
    settings = {name: value for name, value in config.items() if name in known}
    settings["windows"] = tuple(settings.get("windows", ()))
    try:
        forest = Forest(**checkpoint.arrays, features=len(NAMES))
    except TypeError as exc:
        raise HumobError(f"{folder}/model.safetensors: found other arrays ({exc})") from exc
    _check(forest, folder)
    return Ranker(city, forest, RankerConfig(**settings))


def _kernels() -> list[list[str]]:
    return [[str(value) for value in asdict(kernel).values()] for kernel in KERNELS]


def _check(forest: Forest, folder: str) -> None:
    """Refuse arrays that the compiled evaluator would read past the end of.

    Raises:
        HumobError: the model file is damaged.
    """
    nodes, trees = len(forest.left), len(forest.depth)
    inner = forest.threshold < np.inf
    sound = (
        len(forest.root) == trees + 1
        and {len(forest.feature), len(forest.threshold), len(forest.value)} == {nodes}
        and ((forest.root[:-1] >= 0) & (forest.root[:-1] < nodes)).all()
        and ((forest.depth >= 0) & (forest.depth <= nodes)).all()
        and ((forest.feature >= 0) & (forest.feature < forest.features)).all()
        and ((forest.left >= 0) & (forest.left + inner < nodes)).all()
    )
    if not sound:
        raise HumobError(f"{folder}/model.safetensors: found a damaged forest; train it again")


def start_scores(shares: Float32s) -> Floats:
    """Where the boosting starts from: log shares, shape as given."""
    scores: Floats = np.log(shares.astype(np.float64) + FLOOR)
    return scores


def softmax(scores: Floats) -> Floats:
    """Shares over the last axis."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares: Floats = weights / weights.sum(axis=-1, keepdims=True)
    return shares

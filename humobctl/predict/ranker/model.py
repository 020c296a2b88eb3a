"""The ranker: a small network that scores a user's candidate cells, and a softmax over each row's.

    p(cell | row) = softmax over the row's candidates of
        (log(history share + floor) + score(features)) / temperature
    score = mean over members of w2 . relu(W1 relu(W0 z + b0) + b1) + b2,  z the scaled features

The training starts from the history baseline's shares; the network learns how far to trust them.

Shapes: r target rows, k the user's cells, K candidates a row, F features, H hidden, M members.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from humobctl.errors import HumobError
from humobctl.native import Float32s, Floats
from humobctl.predict.base import PredictOptions, SlotDistributions, UserHistory
from humobctl.predict.city_profile import CityProfile
from humobctl.predict.new_cells import name_weights, read_weights
from humobctl.predict.ranker.config import KERNELS, RankerConfig
from humobctl.predict.ranker.features import LENGTHS, NAMES, SHARES, Encoded, encode
from humobctl.training.model_dir import Checkpoint, clear_damage

FLOOR = 1e-3
_CLIP = 4.0  # standard deviations; a city unlike those trained on shall not lead far astray


@dataclass(frozen=True)
class RankerNetwork:
    """Weights of all members; each of float32.

    Attributes:
        mean, scale: of the transformed features, each of shape (F,).
        w0, b0: first layer, shapes (M, F, H) and (M, H).
        w1, b1: second layer, shapes (M, H, H) and (M, H).
        w2, b2: scores, shapes (M, H) and (M,).
    """

    mean: Float32s
    scale: Float32s
    w0: Float32s
    b0: Float32s
    w1: Float32s
    b1: Float32s
    w2: Float32s
    b2: Float32s

    def __call__(self, x: Float32s) -> Float32s:
        """Mean score of the members.

        Args:
            x: raw features, shape (rows, F).

        Returns:
            Scores, shape (rows,).
        """
        return self.scores(standardize(transform(x), self.mean, self.scale))

    def scores(self, z: Float32s) -> Float32s:
        """Mean score of the members, of scaled features (rows, F); shape (rows,)."""
        scores = np.zeros(len(z), dtype=np.float32)
        for w0, b0, w1, b1, w2, b2 in zip(
            self.w0, self.b0, self.w1, self.b1, self.w2, self.b2, strict=True
        ):
            _, second = hidden_layers(z, w0, b0, w1, b1)
            scores += second @ w2 + b2
        scores /= len(self.w0)
        return scores

    def arrays(self) -> dict[str, Float32s]:
        """What a model file holds, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def hidden_layers(
    z: Float32s, w0: Float32s, b0: Float32s, w1: Float32s, b1: Float32s
) -> tuple[Float32s, Float32s]:
    """Both hidden layers of a member, after the rectifier; shape (rows, H) each."""
    first: Float32s = z @ w0
    first += b0
    np.maximum(first, 0.0, out=first)
    second: Float32s = first @ w1
    second += b1
    np.maximum(second, 0.0, out=second)
    return first, second


def transform(x: Float32s) -> Float32s:
    """Features on scales that suit a network: logarithms of shares and lengths, shape (rows, F)."""
    z = x.copy()
    z[:, SHARES] = np.log(x[:, SHARES] + np.float32(FLOOR))
    z[:, LENGTHS] = np.log1p(np.maximum(x[:, LENGTHS], 0.0))
    return z


def standardize(z: Float32s, mean: Float32s, scale: Float32s) -> Float32s:
    """Transformed features in standard deviations, clipped; changes ``z``."""
    z -= mean
    z /= scale
    return np.clip(z, -_CLIP, _CLIP, out=z)


class Ranker:
    """A trained ranker in a city."""

    def __init__(
        self,
        city: CityProfile,
        network: RankerNetwork,
        config: RankerConfig,
        new_cells: Floats | None = None,
    ) -> None:
        """Take a network to use in a city.

        Args:
            city: the calendar.
            network: the weights.
            config: the settings.
            new_cells: weights of the chance of a cell new to the user; None where none are learnt.
        """
        self.city, self.network, self.config = city, network, config
        self.new_cells = new_cells

    def distribution(self, user: UserHistory) -> SlotDistributions:
        """Probabilities of the user's past cells for each target row; 0 for all but the kept."""
        if not len(user.d):
            return self.city.distribution(user)
        encoded = encode(user, self.city, self.config.keep)
        return SlotDistributions(encoded.cells, self.probabilities(encoded))

    def probabilities(self, encoded: Encoded) -> Floats:
        """The distribution over all of the user's cells, shape (r, k)."""
        r, keep, features = encoded.x.shape
        added = self.network(encoded.x.reshape(r * keep, features)).reshape(r, keep)
        scores = start_scores(encoded.start) + added
        shares = softmax(scores / self.config.temperature)
        p = np.zeros((r, len(encoded.cells)))
        np.put_along_axis(p, encoded.kept.astype(np.int64), shares, axis=1)
        return p


def to_checkpoint(
    network: RankerNetwork, config: RankerConfig, new_cells: Floats | None = None
) -> Checkpoint:
    """What a model dir holds: the weights, the settings, and the features they belong to."""
    settings = {"features": list(NAMES), "kernels": _kernels(), **asdict(config)}
    if new_cells is not None:
        settings["new_cells"] = name_weights(new_cells)
    return Checkpoint("ranker", settings, network.arrays())


def from_checkpoint(
    checkpoint: Checkpoint, city: CityProfile, folder: str, _: PredictOptions | None = None
) -> Ranker:
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
    known = {field.name for field in fields(RankerConfig)}
    settings = {name: value for name, value in config.items() if name in known}
    with clear_damage(folder):
        settings["windows"] = tuple(settings.get("windows", ()))
        chosen = RankerConfig(**settings)
    check_arrays(checkpoint.arrays, len(NAMES), chosen.hidden, chosen.members, folder)
    with clear_damage(folder):
        network = RankerNetwork(**checkpoint.arrays)
        return Ranker(city, network, chosen, read_weights(config))


def check_arrays(
    arrays: Mapping[str, NDArray[Any]], features: int, hidden: int, members: int, folder: str
) -> None:
    """Refuse arrays that do not make a network of that size.

    Args:
        arrays: by name.
        features: number of features, F.
        hidden: width of the hidden layers, H.
        members: number of networks, M.
        folder: the model dir, for messages.

    Raises:
        HumobError: other arrays, shapes or types.
    """
    sizes = array_sizes(features, hidden, members)
    found = {name: array.shape for name, array in arrays.items()}
    if found != sizes:
        raise HumobError(
            f"{folder}/model.safetensors: found arrays {found}, expected {sizes}; train it again"
        )
    kinds = {array.dtype for array in arrays.values()}
    if kinds != {np.dtype(np.float32)}:
        names = ", ".join(sorted(map(str, kinds)))
        raise HumobError(f"{folder}/model.safetensors: found {names}, expected float32")


def array_sizes(features: int, hidden: int, members: int) -> dict[str, tuple[int, ...]]:
    """Shape of each array of a network: F features, H hidden, M members."""
    f, h, m = features, hidden, members
    vectors: dict[str, tuple[int, ...]] = {"mean": (f,), "scale": (f,), "b0": (m, h), "b1": (m, h)}
    return vectors | {"w0": (m, f, h), "w1": (m, h, h), "w2": (m, h), "b2": (m,)}


def _kernels() -> list[list[str]]:
    return [[str(value) for value in asdict(kernel).values()] for kernel in KERNELS]


def start_scores(shares: Float32s) -> Floats:
    """Where the training starts from: log shares, shape as given."""
    scores: Floats = np.log(shares.astype(np.float64) + FLOOR)
    return scores


def softmax(scores: Floats | Float32s) -> Floats:
    """Shares over the last axis."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares: Floats = weights / weights.sum(axis=-1, keepdims=True)
    return shares

"""Training of the ranker: a softmax over each row's candidates, minimised by numpy.

The loss is the cross-entropy of each row's softmax over its candidates, minimised by Adam with
decoupled weight decay (Kingma and Ba, 2015; Loshchilov and Hutter, 2019). The network is so small
that numpy trains it in seconds. Its members are trained one after another.

Shapes: r rows to predict, K candidates a row, F features, B rows of a batch, H hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from humobctl.console.words import pluralize
from humobctl.native import Bools, Float32s, Floats, Int64s
from humobctl.predict.new_cells import fit_weights, with_best
from humobctl.predict.ranker.config import RankerConfig
from humobctl.predict.ranker.data import (
    NEVER,
    RankerSource,
    RankerTrainingSet,
    join,
    read_city,
)
from humobctl.predict.ranker.features import NAMES
from humobctl.predict.ranker.model import RankerNetwork, softmax, standardize, to_checkpoint
from humobctl.training.distributed import Group
from humobctl.training.recipe import (
    Recipe,
    TrainedModel,
    Training,
    TrainingLog,
    TrainingPlan,
)
from humobctl.training.session import check_loss, write_whole

_BLOCK = 1 << 16
_ROWS_OF_NEW_CELLS = 50_000


@dataclass(frozen=True)
class RankerData:
    """The training data.

    Attributes:
        rows: of all windows of all cities.
        about: what ``run.json`` says of each city.
    """

    rows: RankerTrainingSet
    about: list[dict[str, Any]]


@dataclass(frozen=True)
class RankerRecipe(Recipe[RankerData]):
    """How a ranker is trained on cities, each a grid trajectory.

    Masked rows are left out: the ranker learns from what is known.

    Attributes:
        settings: of the network and its training.
        paths: files of the cities.
        source: what of them is used.
    """

    settings: RankerConfig
    paths: list[str]
    source: RankerSource = field(default_factory=RankerSource)

    type = "ranker"

    @contextmanager
    def prepare(self) -> Iterator[RankerData]:
        """Read the cities, and compute the features.

        Raises:
            HumobError: a file cannot be read, or has too few days.
        """
        most = max(1, self.settings.most_rows // len(self.paths))
        config = replace(self.settings, most_rows=most)
        parts: list[RankerTrainingSet] = []
        abouts = []
        for path in self.paths:
            part, about = read_city(path, self.source, config)
            parts.append(part)
            abouts.append(about)
            del part
        yield RankerData(join(parts), abouts)

    def identify(self, data: RankerData) -> dict[str, Any]:
        """The cities."""
        return {"cities": data.about}

    def start(self, data: RankerData, device: str, group: Group) -> RankerTraining:
        """The network before its first step."""
        return RankerTraining(data.rows, self.settings)

    def describe(self, data: RankerData, training: RankerTraining) -> str:
        """Rows and steps."""
        plan = training.plan
        return (
            f"rows: {len(data.rows.y):,} to predict, {len(NAMES)} features of each candidate\n"
            f"training: {pluralize(plan.steps, 'step')} of {pluralize(plan.batch, 'row')}"
        )

    def finish(self, training: RankerTraining, data: RankerData, log: TrainingLog) -> TrainedModel:
        """The network of all members."""
        network = training.network()
        model = to_checkpoint(
            network, self.settings, learn_new_cells(network, data.rows, self.settings)
        )
        settings = {**asdict(self.settings), "most_users": self.source.most_users}
        return TrainedModel(
            notes={"cities": data.about, "rows": len(data.rows.y), "settings": settings},
            scores={"loss": log.last_loss},
            config=model.config,
            arrays=model.arrays,
        )


class RankerTraining(Training):
    """A ranker under training."""

    def __init__(self, rows: RankerTrainingSet, config: RankerConfig) -> None:
        """Take the rows to learn from, whose features are scaled in place, and the settings."""
        self.rows, self.config = rows, config
        self._features = rows.z.shape[2]
        flat = rows.z.reshape(-1, self._features)
        self._mean, self._scale = _mean_and_scale(flat, rows.start.ravel() > NEVER)
        standardize(flat, self._mean, self._scale)
        self._batches = -(-len(rows.y) // config.batch)
        self.plan = TrainingPlan(
            steps=config.members * config.epochs * self._batches,
            evaluate_every=self._batches,
            unit="rows",
            batch=config.batch,
        )
        self._members: list[list[Float32s]] = []
        self._chosen: list[Int64s] = []
        self._loss, self._rate = 0.0, np.float64(0)
        """The rate is numpy's: products with it are in float64."""
        self.step = 0

    def advance(self) -> None:
        """Change the weights of a member by one batch."""
        config, total = self.config, self.config.epochs * self._batches
        member, done = divmod(self.step, total)
        if done == 0:
            self._random = np.random.default_rng((config.seed, member))
            self._members.append(_first_weights(self._features, config.hidden, self._random))
            self._adam = _Adam(self._members[-1], config.decay)
        if done % self._batches == 0:
            order = self._random.permutation(len(self.rows.y))
            self._chosen = np.array_split(order, self._batches)
        self._rate = config.rate * 0.5 * (1.0 + np.cos(np.pi * (done / total)))
        chosen = self._chosen[done % self._batches]
        gradients, lost = _gradients(self.rows, chosen, self._members[-1])
        check_loss(lost, self.step + 1, self._rate, "fewer --rows, or check the input")
        self._adam.step(gradients, self._rate)
        self._loss += lost
        self.loss = lost / len(chosen)
        self.step += 1

    def sizes(self) -> tuple[int, int]:
        """Bytes of a state with all members, and of the model."""
        one = sum(weights.nbytes for weights in self._members[-1])
        return (self.config.members + 2) * one, self.config.members * one

    def network(self) -> RankerNetwork:
        """The network of all members that are trained."""
        w0, b0, w1, b1, w2, b2 = (np.stack(one) for one in zip(*self._members, strict=True))
        return RankerNetwork(self._mean, self._scale, w0, b0, w1, b1, w2[:, :, 0], b2[:, 0])

    def collect_losses(self) -> dict[str, float]:
        """The mean loss since the last call, an epoch ago, in nats a row."""
        loss, self._loss = self._loss, 0.0
        return {"loss": loss / float(self.rows.weight.sum())}

    def note(self) -> dict[str, float]:
        """The learning rate; which member, and which of its epochs."""
        member, epoch = divmod((self.step - 1) // self._batches, self.config.epochs)
        return {"learning_rate": float(self._rate), "member": member, "epoch": epoch}

    def save(self, path: Path, numbers: Mapping[str, float], *, write: bool) -> None:
        """Write the weights of all members so far, and the moments of the last one."""
        from safetensors.numpy import save_file  # noqa: PLC0415 - only models need it

        parts = {f"member{i}": weights for i, weights in enumerate(self._members)}
        parts |= {"mean": self._adam.mean, "square": self._adam.square}
        arrays: dict[str, Any] = {
            f"{part}.{i}": one for part, values in parts.items() for i, one in enumerate(values)
        }
        arrays |= {name: np.array([value]) for name, value in numbers.items()}
        arrays |= {"step": np.array([self.step]), "lost": np.array([self._loss])}
        write_whole(path, lambda partial: save_file(arrays, partial))

    def restore(self, path: Path) -> dict[str, float]:
        """Continue from what ``save`` wrote."""
        from safetensors.numpy import load_file  # noqa: PLC0415

        arrays, config = load_file(path), self.config
        self.step, self._loss = int(arrays.pop("step")[0]), float(arrays.pop("lost")[0])
        count = -(-self.step // (config.epochs * self._batches))

        def take(part: str) -> list[Float32s]:
            return [arrays.pop(f"{part}.{i}") for i in range(6)]

        self._members = [take(f"member{i}") for i in range(count)]
        self._adam = _Adam(self._members[-1], config.decay)
        self._adam.mean, self._adam.square = take("mean"), take("square")
        # What the last member has drawn so far: its first weights, and an order an epoch.
        self._random = np.random.default_rng((config.seed, count - 1))
        _first_weights(self._features, config.hidden, self._random)
        done = self.step - (count - 1) * config.epochs * self._batches
        for _ in range(-(-done // self._batches)):
            order = self._random.permutation(len(self.rows.y))
        self._chosen = np.array_split(order, self._batches)
        self._adam.steps = done
        return {name: float(value[0]) for name, value in arrays.items()}


def learn_new_cells(
    network: RankerNetwork, rows: RankerTrainingSet, config: RankerConfig
) -> Floats:
    """Weights of the chance of a cell new to the user, on rows whose features are scaled."""
    some = slice(None, None, max(1, len(rows.y) // _ROWS_OF_NEW_CELLS))
    z, start = rows.z[some], rows.start[some]
    scores = network.scores(z.reshape(-1, z.shape[2])).reshape(start.shape)
    best = softmax((scores + start) / config.temperature).max(axis=1)
    return fit_weights(with_best(rows.past[some], best), rows.new[some])


def _mean_and_scale(z: Float32s, present: Bools) -> tuple[Float32s, Float32s]:
    """Mean and standard deviation of each feature of the candidates that are there, by blocks."""
    count = int(present.sum())

    def over_blocks(value: Callable[[Float32s], Float32s]) -> Floats:
        total = np.zeros(z.shape[1])
        for at in range(0, len(z), _BLOCK):
            block = z[at : at + _BLOCK][present[at : at + _BLOCK]]
            total += value(block).sum(axis=0, dtype=np.float64)
        return total / count

    mean = over_blocks(lambda block: block).astype(np.float32)
    deviation = np.sqrt(over_blocks(lambda block: (block - mean) ** 2)).astype(np.float32)
    return mean, deviation + np.float32(1e-6)


def _first_weights(f: int, hidden: int, rng: np.random.Generator) -> list[Float32s]:
    """Weights and biases to begin from (He et al., 2015); scores begin near 0."""
    values = [
        rng.normal(0.0, (2.0 / f) ** 0.5, (f, hidden)),
        np.zeros(hidden),
        rng.normal(0.0, (2.0 / hidden) ** 0.5, (hidden, hidden)),
        np.zeros(hidden),
        rng.normal(0.0, 0.01, (hidden, 1)),
        np.zeros(1),
    ]
    return [value.astype(np.float32) for value in values]


def _gradients(
    data: RankerTrainingSet, chosen: Int64s, weights: list[Float32s]
) -> tuple[list[Float32s], float]:
    """Gradients of the batch's mean loss by each weight, and the sum of its losses."""
    w0, b0, w1, b1, w2, b2 = weights
    z, y, weight = data.z[chosen], data.y[chosen], data.weight[chosen]
    z = z.reshape(-1, z.shape[2])
    first = z @ w0
    first += b0
    np.maximum(first, 0.0, out=first)
    second = first @ w1
    second += b1
    np.maximum(second, 0.0, out=second)
    p = softmax((second @ w2 + b2).reshape(y.shape) + data.start[chosen])
    loss = float(-(weight[:, None] * y * np.log(p + 1e-12)).sum())
    d_score = ((p - y) * (weight[:, None] / len(y))).astype(np.float32).reshape(-1, 1)
    d_second = d_score @ w2.T
    d_second *= second > 0
    d_first = d_second @ w1.T
    d_first *= first > 0
    gradients = [
        *(z.T @ d_first, d_first.sum(axis=0)),
        *(first.T @ d_second, d_second.sum(axis=0)),
        *(second.T @ d_score, d_score.sum(axis=0)),
    ]
    return gradients, loss


class _Adam:
    """Adam with decoupled weight decay; changes the weights in place."""

    def __init__(self, weights: list[Float32s], decay: float) -> None:
        self.weights, self.decay, self.steps = weights, decay, 0
        self.mean = [np.zeros_like(w) for w in weights]
        self.square = [np.zeros_like(w) for w in weights]

    def step(self, gradients: list[Float32s], rate: float) -> None:
        """Move all weights by one step."""
        self.steps += 1
        fresh, fresh2 = 1.0 - 0.9**self.steps, 1.0 - 0.999**self.steps
        for w, g, mean, square in zip(self.weights, gradients, self.mean, self.square, strict=True):
            np.add(mean, np.float32(0.1) * (g - mean), out=mean)
            np.add(square, np.float32(0.001) * (g * g - square), out=square)
            move = (mean / fresh) / (np.sqrt(square / fresh2) + 1e-8) + self.decay * w
            np.subtract(w, (rate * move).astype(np.float32), out=w)

"""Gradients of the ranker's loss, and the optimiser that follows them, in numpy.

Shapes: r rows to predict, K candidates a row, F features, B rows of a batch, H hidden.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from humobctl.native import Bools, Float32s, Floats, Int64s
from humobctl.predict.ranker.data import RankerTrainingSet
from humobctl.predict.ranker.model import hidden_layers, softmax

_BLOCK = 1 << 16


def mean_and_scale(z: Float32s, present: Bools) -> tuple[Float32s, Float32s]:
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


def first_weights(f: int, hidden: int, rng: np.random.Generator) -> list[Float32s]:
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


def gradients(
    data: RankerTrainingSet, chosen: Int64s, weights: list[Float32s]
) -> tuple[list[Float32s], float]:
    """Gradients of the batch's mean loss by each weight, and the sum of its losses."""
    w0, b0, w1, b1, w2, b2 = weights
    z, y, weight = data.z[chosen], data.y[chosen], data.weight[chosen]
    z = z.reshape(-1, z.shape[2])
    first, second = hidden_layers(z, w0, b0, w1, b1)
    p = softmax((second @ w2 + b2).reshape(y.shape) + data.start[chosen])
    loss = float(-(weight[:, None] * y * np.log(p + 1e-12)).sum())
    d_score = ((p - y) * (weight[:, None] / len(y))).astype(np.float32).reshape(-1, 1)
    d_second = d_score * w2.T  # of one column: BLAS takes four times as long
    d_second *= second > 0
    d_first = d_second @ w1.T
    d_first *= first > 0
    found = [
        *(z.T @ d_first, d_first.sum(axis=0)),
        *(first.T @ d_second, d_second.sum(axis=0)),
        *(second.T @ d_score, d_score.sum(axis=0)),
    ]
    return found, loss


class Adam:
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

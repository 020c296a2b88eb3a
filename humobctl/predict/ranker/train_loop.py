"""Training of the ranker: past windows of many users, and a softmax over each row's candidates.

Each user's days before a window are the history, those of the window the rows to predict, as in
use. The loss is the cross-entropy of each row's softmax over its candidates, minimised by Adam
with decoupled weight decay (Kingma and Ba, 2015; Loshchilov and Hutter, 2019). The network is so
small that numpy trains it in seconds.

Shapes: r rows to predict, K candidates a row, F features, B rows of a batch, H hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from humobctl.errors import HumobError
from humobctl.predict.base import UserHistory
from humobctl.predict.city_profile import CityProfile
from humobctl.predict.ranker.config import RankerConfig
from humobctl.predict.ranker.features import NAMES, Encoded, encode
from humobctl.predict.ranker.kernels import Float32s, Floats, Int64s
from humobctl.predict.ranker.model import RankerNetwork, scaled, softmax, start_scores, transformed

_NEVER = -1e9  # start score of a candidate that is not there


@dataclass(frozen=True)
class Records:
    """All known rows of one user, sorted by (d, t); each of shape (n,)."""

    uid: int
    d: Int64s
    t: Int64s
    x: Int64s
    y: Int64s


@dataclass(frozen=True)
class TrainingSet:
    """Rows of all windows.

    Attributes:
        z: transformed features, 0 where a row has fewer than K candidates, shape (r, K, F).
        y: share of the truth that a candidate stands for; sums to 1 in a row, shape (r, K).
        start: scores to begin from, shape (r, K).
        weight: of each row, shape (r,).
    """

    z: Float32s
    y: Float32s
    start: Float32s
    weight: Float32s


# --- training set -----------------------------------------------------------------------------


def windows(
    user: Records, last_day: int, config: RankerConfig
) -> Iterator[tuple[UserHistory, Int64s]]:
    """The user's past windows as tasks, each with the true cells (r, 2).

    Args:
        user: known rows.
        last_day: the last day known of anybody.
        config: where the windows lie.
    """
    for back in config.windows:
        begin = last_day + 1 - back
        before = user.d < begin
        inside = ~before & (user.d < begin + config.horizon)
        if begin < config.least_history or not before.any() or not inside.any():
            continue
        d, t, x, y = (column[before] for column in (user.d, user.t, user.x, user.y))
        task = UserHistory(user.uid, d, t, x, y, user.d[inside], user.t[inside])
        yield task, np.stack([user.x[inside], user.y[inside]], axis=1)


def soft_labels(encoded: Encoded, truth: Int64s, soften: float) -> Float32s:
    """What share of each row's truth its candidates stand for, shape (r, K).

    The true cell's candidate takes all of it; where the true cell is no candidate, the nearest
    ones do, by exp(-distance / soften).
    """
    places = encoded.cells[encoded.kept].astype(np.float64)
    apart = np.hypot(*(places - truth[:, None, :]).transpose(2, 0, 1))
    nearest = apart.min(axis=1, keepdims=True)
    shares = np.exp((nearest - apart) / soften)
    hit = nearest == 0
    shares = np.where(hit, apart == 0, shares)
    labels: Float32s = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return labels


def training_set(
    users: Iterable[Records], last_day: int, city: CityProfile, config: RankerConfig
) -> TrainingSet:
    """All windows of the users, or a sample of their rows where that is too much.

    Args:
        users: whom to learn from.
        last_day: the last day known of anybody.
        city: the calendar.
        config: where the windows lie, and how many rows to learn from.

    Raises:
        HumobError: no user has a window with days before it.
    """
    tasks = [found for user in users for found in windows(user, last_day, config)]
    if not tasks:
        raise HumobError(
            "found no user with days both in a training window and before it, expected at least "
            f"{config.least_history} days of records before the last {min(config.windows)}"
        )
    share = config.most_rows / sum(len(truth) for _, truth in tasks)
    return joined([_window_set(task, truth, city, config, share) for task, truth in tasks])


def _window_set(
    task: UserHistory, truth: Int64s, city: CityProfile, config: RankerConfig, share: float
) -> TrainingSet:
    """One window of one user; a row is taken with probability ``share``."""
    encoded = encode(task, city, config.keep)
    labels = soft_labels(encoded, truth, config.soften)
    draws = np.random.default_rng((config.seed, task.uid, int(task.target_d[0]))).random(len(truth))
    taken = draws < share
    r, keep = int(taken.sum()), labels.shape[1]
    z = np.zeros((r, config.keep, len(NAMES)), dtype=np.float32)
    y = np.zeros((r, config.keep), dtype=np.float32)
    start = np.full((r, config.keep), _NEVER, dtype=np.float32)
    raw = encoded.x[taken].reshape(r * keep, len(NAMES))
    z[:, :keep] = transformed(raw).reshape(r, keep, len(NAMES))
    y[:, :keep] = labels[taken]
    start[:, :keep] = start_scores(encoded.start[taken])
    return TrainingSet(z, y, start, row_weights(task)[taken].astype(np.float32))


def joined(parts: Sequence[TrainingSet]) -> TrainingSet:
    """Several training sets as one: of users, or of cities."""
    return TrainingSet(
        np.concatenate([part.z for part in parts]),
        np.concatenate([part.y for part in parts]),
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.weight for part in parts]),
    )


def row_weights(task: UserHistory) -> Floats:
    """Weight of each row to predict, shape (r,): scores are means over days, then over users."""
    _, day, count = np.unique(task.target_d, return_inverse=True, return_counts=True)
    weight: Floats = 1.0 / np.sqrt(count[day])
    weight /= weight.mean()
    return weight


# --- training ---------------------------------------------------------------------------------

Watch = Callable[[int, int, float], None]
"""Called after each epoch with the member, the epoch, and its mean loss in nats a row."""


def train(data: TrainingSet, config: RankerConfig, watch: Watch | None = None) -> RankerNetwork:
    """Train all members; the same data and seed give the same network.

    Args:
        data: rows to learn from; its features are scaled in place.
        config: sizes and rates.
        watch: told of the progress.
    """
    flat = data.z.reshape(-1, len(NAMES))
    present = flat[data.start.ravel() > _NEVER]
    mean, scale = present.mean(axis=0), present.std(axis=0) + np.float32(1e-6)
    scaled(flat, mean, scale)
    members = [_train_member(data, config, member, watch) for member in range(config.members)]
    w0, b0, w1, b1, w2, b2 = (np.stack(parts) for parts in zip(*members, strict=True))
    return RankerNetwork(mean, scale, w0, b0, w1, b1, w2[:, :, 0], b2[:, 0])


def _first_weights(hidden: int, rng: np.random.Generator) -> list[Float32s]:
    """Weights and biases to begin from (He et al., 2015); scores begin near 0."""
    f = len(NAMES)
    values = [
        rng.normal(0.0, (2.0 / f) ** 0.5, (f, hidden)),
        np.zeros(hidden),
        rng.normal(0.0, (2.0 / hidden) ** 0.5, (hidden, hidden)),
        np.zeros(hidden),
        rng.normal(0.0, 0.01, (hidden, 1)),
        np.zeros(1),
    ]
    return [value.astype(np.float32) for value in values]


def _train_member(
    data: TrainingSet, config: RankerConfig, member: int, watch: Watch | None
) -> list[Float32s]:
    """Weights and biases of one member."""
    rng = np.random.default_rng((config.seed, member))
    weights = _first_weights(config.hidden, rng)
    adam = _Adam(weights, config.decay)
    rows = len(data.y)
    batches = -(-rows // config.batch)
    for epoch in range(config.epochs):
        order, loss = rng.permutation(rows), 0.0
        for number, chosen in enumerate(np.array_split(order, batches)):
            done = (epoch * batches + number) / (config.epochs * batches)
            gradients, lost = _gradients(data, chosen, weights)
            adam.step(gradients, config.rate * 0.5 * (1.0 + np.cos(np.pi * done)))
            loss += lost
        if watch is not None:
            watch(member, epoch, loss / float(data.weight.sum()))
    return weights


def _gradients(
    data: TrainingSet, chosen: Int64s, weights: list[Float32s]
) -> tuple[list[Float32s], float]:
    """Gradients of the batch's mean loss by each weight, and the sum of its losses."""
    w0, b0, w1, b1, w2, b2 = weights
    z, y, weight = data.z[chosen], data.y[chosen], data.weight[chosen]
    z = z.reshape(-1, z.shape[2])
    first = np.maximum(z @ w0 + b0, 0.0)
    second = np.maximum(first @ w1 + b1, 0.0)
    p = softmax((second @ w2 + b2).reshape(y.shape) + data.start[chosen])
    loss = float(-(weight[:, None] * y * np.log(p + 1e-12)).sum())
    d_score = ((p - y) * (weight[:, None] / len(y))).astype(np.float32).reshape(-1, 1)
    d_second = (d_score @ w2.T) * (second > 0)
    d_first = (d_second @ w1.T) * (first > 0)
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

"""Training of the ranker: past windows of many users, and gradient boosting of a softmax.

Each user's days before a window are the history, those of the window the rows to predict, as in
use. The loss is the cross-entropy of each row's softmax over its candidates; all users count by
their rows. LightGBM grows the trees; they are then copied to flat arrays.

Shapes: r rows to predict, K candidates a row, F features, m = all rows x candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from humobctl.errors import HumobError
from humobctl.models.city import City
from humobctl.models.distribution import UserHistory
from humobctl.models.ranker.config import RankerConfig
from humobctl.models.ranker.features import NAMES, Encoded, encode
from humobctl.models.ranker.model import Forest, start_scores
from humobctl.models.ranker.native import Float32s, Floats, Int64s


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
    """Rows x candidates of all windows, one group a row.

    Attributes:
        x: features, shape (m, F).
        y: share of the truth that a candidate stands for; sums to 1 in a group, shape (m,).
        start: scores to begin from, shape (m,).
        first: where each group begins, shape (groups,).
        weight: of each group, shape (groups,).
    """

    x: Float32s
    y: Float32s
    start: Floats
    first: Int64s
    weight: Floats


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
    users: Iterable[Records], last_day: int, city: City, config: RankerConfig
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
    parts = [_window_set(task, truth, city, config, share) for task, truth in tasks]
    return joined(parts)


def _window_set(
    task: UserHistory, truth: Int64s, city: City, config: RankerConfig, share: float
) -> TrainingSet:
    """One window of one user; a row is taken with probability ``share``."""
    encoded = encode(task, city, config.keep)
    labels = soft_labels(encoded, truth, config.soften)
    draws = np.random.default_rng((config.seed, task.uid, int(task.target_d[0]))).random(len(truth))
    taken = draws < share
    count, keep = int(taken.sum()), labels.shape[1]
    return TrainingSet(
        encoded.x[taken].reshape(count * keep, len(NAMES)),
        labels[taken].ravel(),
        start_scores(encoded.start[taken]).ravel(),
        np.arange(count) * keep,
        row_weights(task)[taken],
    )


def joined(parts: Sequence[TrainingSet]) -> TrainingSet:
    """Several training sets as one: of users, or of cities."""
    offsets = np.cumsum([0] + [len(part.y) for part in parts[:-1]])
    return TrainingSet(
        np.concatenate([part.x for part in parts]),
        np.concatenate([part.y for part in parts]),
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.first + at for part, at in zip(parts, offsets, strict=True)]),
        np.concatenate([part.weight for part in parts]),
    )


def row_weights(task: UserHistory) -> Floats:
    """Weight of each row to predict, shape (r,): scores are means over days, then over users."""
    _, day, count = np.unique(task.target_d, return_inverse=True, return_counts=True)
    weight: Floats = 1.0 / np.sqrt(count[day])
    weight /= weight.mean()
    return weight


# --- boosting ---------------------------------------------------------------------------------


Watch = Callable[[int, float], None]
"""Called after each tree with the number of trees before it and their mean loss, in nats a row."""


def _objective(data: TrainingSet, size: Int64s, watch: Watch | None) -> Any:
    """Gradient and curvature of the softmax cross-entropy, as LightGBM asks for them."""
    weight = np.repeat(data.weight, size)
    trees = iter(range(1 << 30))

    def of(scores: Floats, _: Any) -> tuple[Floats, Floats]:
        top = np.maximum.reduceat(scores, data.first)
        shifted = scores - np.repeat(top, size)
        p = np.exp(shifted)
        total = np.add.reduceat(p, data.first)
        if watch is not None:
            fit = np.add.reduceat(data.y * shifted, data.first) - np.log(total)
            watch(next(trees), float(-(data.weight * fit).sum() / data.weight.sum()))
        p /= np.repeat(total, size)
        return weight * (p - data.y), weight * (p * (1.0 - p) + 1e-4)

    return of


def grow(data: TrainingSet, config: RankerConfig, watch: Watch | None = None) -> Forest:
    """Train the forest."""
    return to_forest(boost(data, config, watch))


def boost(data: TrainingSet, config: RankerConfig, watch: Watch | None = None) -> Any:
    """The LightGBM booster; the same data and seed give the same trees."""
    import lightgbm  # noqa: PLC0415 - slow to import, and needed for training only

    size = np.diff(np.append(data.first, len(data.y)))
    params = {
        "objective": _objective(data, size, watch),
        "num_leaves": config.leaves,
        "max_depth": config.depth,
        "learning_rate": config.rate,
        "min_data_in_leaf": config.least_rows,
        "min_sum_hessian_in_leaf": 1.0,
        "feature_fraction": config.columns,
        "bagging_fraction": config.rows,
        "bagging_freq": 1,
        "lambda_l2": config.l2,
        "max_bin": 127,
        "bin_construct_sample_cnt": 100_000,
        "use_missing": False,
        "seed": config.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": config.threads,
        "verbosity": -1,
    }
    rows = lightgbm.Dataset(
        data.x, data.y, init_score=data.start, feature_name=list(NAMES), free_raw_data=False
    )
    return lightgbm.train(params, rows, config.trees)


def to_forest(booster: Any) -> Forest:
    """A LightGBM booster as flat arrays, the nodes of each tree level by level."""
    dump = booster.dump_model()
    nodes: list[tuple[int, float, int, float]] = []  # feature, threshold, left, value
    roots, depths = [], []
    for tree in dump["tree_info"]:
        roots.append(len(nodes))
        depths.append(_append_tree(tree["tree_structure"], nodes))
    feature, threshold, left, value = zip(*nodes, strict=True) if nodes else ((),) * 4
    return Forest(
        np.array([*roots, len(nodes)], dtype=np.int32),
        np.array(depths, dtype=np.int32),
        np.array(feature, dtype=np.int32),
        _rounded_down(np.array(threshold)),
        np.array(left, dtype=np.int32),
        np.array(value),
        dump["max_feature_idx"] + 1,
    )


def _append_tree(root: dict[str, Any], nodes: list[tuple[int, float, int, float]]) -> int:
    """Add a tree's nodes, children side by side; returns its depth."""
    level, depth, place = [root], -1, len(nodes)
    while level:
        depth += 1
        children: list[dict[str, Any]] = []
        below = place + len(level)
        for at, node in enumerate(level, start=place):
            if "split_feature" in node:
                left = below + len(children)
                nodes.append((node["split_feature"], node["threshold"], left, 0.0))
                children += [node["left_child"], node["right_child"]]
            else:
                nodes.append((0, np.inf, at, node["leaf_value"]))
        level, place = children, below
    return depth


def _rounded_down(values: Floats) -> Float32s:
    """The largest float32 not above each value: float32 features compare with it as with that."""
    near = values.astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near)

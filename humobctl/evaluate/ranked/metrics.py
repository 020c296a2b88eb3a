"""Metrics of ranked candidates, of which one is true.

Of a target whose true place has rank r (none where it is not listed), at k:

    acc@k = recall@k = [r <= k]          precision@k = [r <= k] / k
    f1@k = 2 [r <= k] / (k + 1)          ndcg@k = [r <= k] / log2(r + 1)
    mrr: 1 / r, or 0                     nll: -log p(true), p at least 1e-6
    brier: sum over the candidates of (p - [true])^2, and 1 where the true one is not listed
    ece: mean over 10 bins of the first candidate's p of |mean p - hits|, weighted by targets

Scores are means over targets, as in the field, not over users. (Järvelin and Kekäläinen, TOIS 20,
2002; Brier, Monthly Weather Review 78, 1950; Guo et al., ICML 2017.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from humobctl.console.near_misses import match_name, meant_value
from humobctl.errors import UsageError
from humobctl.native import Floats, Int64s

CUTS = (1, 5, 10, 20)
AT_K = ("acc", "precision", "recall", "f1", "ndcg")
PLAIN = ("mrr", "nll", "brier", "ece")
DEFAULTS = ("acc", "mrr", "ndcg", "nll", "brier", "ece")
LOWER = ("nll", "brier", "ece")
"""Metrics that are better when lower."""
LEAST_P = 1e-6
BINS = 10
_NAME = re.compile(rf"({'|'.join(AT_K)})(?:@(\d{{1,4}}))?")


@dataclass(frozen=True)
class RankedTargets:
    """What was ranked for each target, sorted by user.

    Attributes:
        user: number of the user, from 0, shape (targets,), as all others.
        rank: of the true place; 0 where it is not listed.
        p: probability of the true place; 0 where it is not listed.
        first: probability of the first candidate.
        squares: sum of the squared probabilities.
    """

    user: Int64s
    rank: Int64s
    p: Floats
    first: Floats
    squares: Floats


def choose_metrics(names: Sequence[str] | None, listed: int) -> tuple[str, ...]:
    """Names of metrics, those at k with their k.

    Args:
        names: as asked for, such as mrr, acc@5, or acc for all usual k; None for the default.
        listed: candidates of the longest list; a larger k is left out where it is not asked for.

    Raises:
        UsageError: no such metric, or a k that the lists do not reach.
    """
    chosen: list[str] = []
    for given in names or DEFAULTS:
        name = match_name(given, (*AT_K, *PLAIN)).lower()
        match = _NAME.fullmatch(name)
        if name in PLAIN:
            chosen.append(name)
        elif match is None:
            known = ", ".join((*(f"{one}@K" for one in AT_K), *PLAIN))
            meant = meant_value(given.partition("@")[0], (*AT_K, *PLAIN))
            raise UsageError(f"--metric: found {given!r}, expected one of {known}{meant}")
        elif match[2] is None:
            chosen += [f"{name}@{k}" for k in CUTS if k <= listed and (k > 1 or name != "ndcg")]
        elif 1 <= int(match[2]) <= listed:
            chosen.append(name)
        else:
            raise UsageError(
                f"--metric: found {given!r}, expected a K from 1 to {listed}, the length of the "
                "longest list; 'predict --top-k' makes longer ones"
            )
    return tuple(dict.fromkeys(chosen))


def higher_is_better(name: str) -> bool:
    """Which way a metric is better."""
    return name not in LOWER


def target_scores(targets: RankedTargets, name: str) -> Floats:
    """Score of each target by a metric that is a mean, shape (targets,)."""
    if name == "nll":
        return -np.log(np.clip(targets.p, LEAST_P, 1.0))
    if name == "brier":
        return np.asarray(targets.squares - 2.0 * targets.p + 1.0)
    kind, _, cut = name.partition("@")
    rank = np.maximum(targets.rank, 1).astype(np.float64)
    k = int(cut or 1)
    worth: dict[str, float | Floats] = {
        "mrr": 1.0 / rank,
        "precision": 1.0 / k,
        "f1": 2.0 / (k + 1),
        "ndcg": 1.0 / np.log2(rank + 1.0),
    }
    hit = (targets.rank > 0) & ((rank <= k) | (kind == "mrr"))
    return np.asarray(hit * worth.get(kind, 1.0), dtype=np.float64)


def user_sums(targets: RankedTargets, names: Sequence[str], users: int) -> Floats:
    """Sums over each user's targets, of which all scores follow.

    Args:
        targets: of the users.
        names: metrics.
        users: number of users.

    Returns:
        Targets, a column a metric (0 for ece), and of each bin of ece hits minus probabilities;
        shape (users, 1 + metrics + bins).
    """
    columns = [np.ones(len(targets.user))]
    for name in names:
        scores = target_scores(targets, name) if name != "ece" else np.zeros(len(targets.user))
        columns.append(scores)
    sums = [np.bincount(targets.user, one, minlength=users) for one in columns]
    bins = np.zeros((users, BINS))
    if "ece" in names:
        of = np.minimum((targets.first * BINS).astype(np.int64), BINS - 1)
        np.add.at(bins, (targets.user, of), (targets.rank == 1) - targets.first)
    return np.concatenate([np.stack(sums, axis=1), bins], axis=1)


def scores_of(sums: Floats, names: Sequence[str]) -> Floats:
    """Scores of sums (or means) over users; NaN without a target.

    Args:
        sums: shape (..., 1 + metrics + bins), see ``user_sums``.
        names: metrics.

    Returns:
        Shape (..., metrics).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        scores: Floats = sums[..., 1 : 1 + len(names)] / sums[..., :1]
        if "ece" in names:
            gaps = np.abs(sums[..., 1 + len(names) :]).sum(axis=-1) / sums[..., 0]
            scores[..., list(names).index("ece")] = gaps
    return scores

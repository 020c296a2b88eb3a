"""What a training of next places gained: hits of the last window, beside a Markov chain's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.evaluate.cells.bootstrap import RESAMPLES, resampled_means
from humobctl.native import Floats
from humobctl.predict.next.base import NextModel
from humobctl.predict.next.baselines import MarkovChain
from humobctl.predict.next.city import NextCity
from humobctl.predict.next.config import NextRankerConfig
from humobctl.predict.next.data import NextRecords
from humobctl.predict.next.evidence import weigh
from humobctl.predict.next.windows import windowed_users

_METRICS = ("acc@1", "mrr")
_MARKOV = "markov"
MOST_USERS = 1000
"""Users that are scored, at most."""


def say_gained(
    name: str,
    make: Callable[[NextCity], NextModel],
    records: NextRecords,
    config: NextRankerConfig,
) -> dict[str, Any]:
    """Say how often records of the last window are hit, by a model and a Markov chain.

    Args:
        name: of the model.
        make: the model in a city; it was not trained on the last window.
        records: of histories.
        config: the windows.

    Returns:
        What ``run.json`` gets; nothing of fewer than two users.
    """
    rows: list[Floats] = []
    models: dict[str, NextModel] = {}
    for number, city, user, chosen in windowed_users(records, config):
        if number != len(config.windows) - 2 or len(rows) == MOST_USERS:
            continue
        models = models or {name: make(city), _MARKOV: MarkovChain(city, 1)}
        found, truth = weigh(user, chosen, city), user.place[chosen]
        hits = []
        for model in models.values():
            p = model.probabilities(user, found)
            own = np.where(found.candidates == truth[:, None], p, -1.0).max(axis=1)
            place = (p >= own[:, None] - 1e-12).sum(axis=1)
            there = own >= 0
            hits.append([(there & (place <= 1)).sum(), (there / np.maximum(place, 1)).sum()])
        rows.append(np.array([[*one, len(chosen)] for one in hits], float))
    return _tell(name, np.array(rows)) if len(rows) > 1 else {}


def _tell(name: str, rows: Floats) -> dict[str, Any]:
    """Rows: sums of hits, reciprocal ranks and records by user and model, (u, 2, 3)."""
    whole = rows.sum(axis=0)
    means = whole[:, :2] / whole[:, 2:]
    apart = np.concatenate([rows[:, 0, :2] - rows[:, 1, :2], rows[:, 0, 2:]], axis=1)
    drawn = resampled_means(apart, RESAMPLES, 0)
    low, high = np.quantile(drawn[:, :2] / drawn[:, 2:], [0.025, 0.975], axis=0)
    report.info(
        f"{pluralize(int(whole[0, 2]), 'record')} of {pluralize(len(rows), 'user')} in the last "
        "window, not trained on:"
    )
    for title, (hit, rank) in zip((name, _MARKOV), means, strict=True):
        report.info(f"  {title}: Acc@1 {hit:.3f}, MRR {rank:.3f}")
    gained = {}
    for column, metric in enumerate(_METRICS):
        mean = means[0, column] - means[1, column]
        spans = (mean, low[column], high[column])
        gained[metric] = dict(zip(("mean", "low", "high"), map(float, spans), strict=True))
    parts = [
        f"{metric} {one['mean']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]"
        for metric, one in gained.items()
    ]
    report.info(f"  {name} minus {_MARKOV}: {', '.join(parts)}")
    if not any(one["low"] > 0 for one in gained.values()):
        report.warn(
            f"{name} is not decidedly better than --model {_MARKOV}, which needs no training"
        )
    scores = {
        title: dict(zip(_METRICS, map(float, one), strict=True))
        for title, one in zip((name, _MARKOV), means, strict=True)
    }
    scores[_MARKOV]["gained"] = gained  # type: ignore[assignment]
    return {"compared": scores}

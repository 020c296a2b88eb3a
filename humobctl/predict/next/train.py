"""Training of the ranker of next places: on the last windows of a history, as in use.

Each window's records are predicted from what all users did before it, and from the earlier
records of their own session.

Shapes: r records to predict, K candidates kept, F features.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from humobctl.data.sessions import SessionTable
from humobctl.errors import HumobError
from humobctl.native import Bools, Float32s, Floats, Int64s
from humobctl.predict.next.city import NextCity
from humobctl.predict.next.config import NextRankerConfig
from humobctl.predict.next.data import NextRecords, UserRecords, describe_tables, gather
from humobctl.predict.next.evidence import weigh
from humobctl.predict.next.features import NAMES, encode, first_scores
from humobctl.predict.next.gained import say_gained
from humobctl.predict.next.model import TYPE, NextRanker, to_checkpoint
from humobctl.predict.next.windows import windowed_users
from humobctl.predict.ranker.data import NEVER, RankerTrainingSet, join
from humobctl.predict.ranker.train import RankerTraining
from humobctl.training.distributed import Group
from humobctl.training.recipe import Recipe, TrainedModel, TrainingLog

_SMALL_ROWS = 10_000
"""Records that the ranker learns from which scores the last window."""


@dataclass(frozen=True)
class NextRankerData:
    """What is learnt from.

    Attributes:
        rows: of all windows.
        elsewhere: fraction of records whose place was no candidate.
        about: what ``run.json`` says of the files.
        records: of all histories.
    """

    rows: RankerTrainingSet
    elsewhere: float
    about: list[dict[str, Any]]
    records: NextRecords


@dataclass(frozen=True)
class NextRankerRecipe(Recipe[NextRankerData]):
    """How a ranker of next places is trained.

    Attributes:
        settings: of the network and its training.
        tables: histories, as sessions.
    """

    settings: NextRankerConfig
    tables: list[SessionTable]

    type = TYPE

    @contextmanager
    def prepare(self) -> Iterator[NextRankerData]:
        """Compute the features.

        Raises:
            HumobError: too few records.
        """
        records = gather(self.tables, None)
        rows, elsewhere = training_rows(records, self.settings)
        yield NextRankerData(rows, elsewhere, describe_tables(self.tables), records)

    def identify(self, data: NextRankerData) -> dict[str, Any]:
        """The files."""
        return {"tables": data.about}

    def start(self, data: NextRankerData, device: str, group: Group) -> RankerTraining:
        """The network before its first step."""
        return RankerTraining(data.rows, self.settings.network())

    def describe(self, data: NextRankerData, training: RankerTraining) -> str:
        """Rows and steps."""
        plan = training.plan
        return (
            f"records: {len(data.rows.y):,} to predict, {len(NAMES)} features of each candidate\n"
            f"training: {plan.steps:,} steps of {plan.batch} records"
        )

    def finish(
        self, training: RankerTraining, data: NextRankerData, log: TrainingLog
    ) -> TrainedModel:
        """The network of all members."""
        model = to_checkpoint(training.network(), self.settings, data.elsewhere)
        return TrainedModel(
            notes={
                "tables": data.about,
                "rows": len(data.rows.y),
                "settings": asdict(self.settings),
            },
            scores={
                "loss": log.last_loss,
                "elsewhere": data.elsewhere,
                **_compare(data.records, self.settings),
            },
            config=model.config,
            arrays=model.arrays,
        )


def _compare(records: NextRecords, config: NextRankerConfig) -> dict[str, Any]:
    """What a smaller ranker gains that was not trained on the last window: the model is."""
    most = min(_SMALL_ROWS, config.most_rows)
    before = replace(config, windows=config.windows[:-1], most_rows=most, members=1)
    try:
        rows, elsewhere = training_rows(records, before)
    except HumobError:  # too few records before the last window
        return {}
    training = RankerTraining(rows, before.network())
    while training.step < training.plan.steps:
        training.advance()
    network = training.network()
    name = f"ranker of {most:,} records"
    return say_gained(name, lambda city: NextRanker(city, network, elsewhere), records, config)


def training_rows(
    records: NextRecords, config: NextRankerConfig
) -> tuple[RankerTrainingSet, float]:
    """Rows of all windows, and the fraction of records whose place was no candidate.

    Raises:
        HumobError: no window has a record to predict.
    """
    parts: list[RankerTrainingSet] = []
    hits = wanted = 0
    for _, city, user, chosen in windowed_users(records, config):
        part = _rows(user, chosen, city, config.keep)
        wanted += len(chosen)
        hits += len(part.y)
        parts.append(part)
    if not hits:
        raise HumobError(nothing_to_learn(config))
    return join(parts), 1.0 - hits / wanted


def nothing_to_learn(config: NextRankerConfig) -> str:
    """What is wrong with records of which no window can be predicted."""
    return (
        "found no record to learn from, expected sessions of two records or more after "
        f"{config.windows[0]:.0%} of the records in time"
    )


def _rows(user: UserRecords, wanted: Int64s, city: NextCity, keep: int) -> RankerTrainingSet:
    """The records whose place is a candidate, each with the candidates that are worth most."""
    z, candidates, truth = best_candidates(user, wanted, city, keep)
    hit = truth.any(axis=1)
    return RankerTrainingSet(
        z=z[hit],
        y=truth[hit].astype(np.float32),
        start=np.where(candidates[hit] >= 0, 0.0, NEVER).astype(np.float32),
        weight=np.ones(int(hit.sum()), np.float32),
    )


def best_candidates(
    user: UserRecords, wanted: Int64s, city: NextCity, keep: int
) -> tuple[Float32s, Int64s, Bools]:
    """Features (r, keep, F) of the candidates that are worth most, their places, which is true.

    The true place is kept if it is a candidate; places are -1 where there are fewer candidates.

    Args:
        user: all records.
        wanted: indices of those to predict, shape (r,).
        city: of what is before them.
        keep: candidates a record.
    """
    found = weigh(user, wanted, city)
    candidates, z = found.candidates, encode(found, city)
    truth = candidates == user.place[wanted][:, None]
    scores: Floats = np.where(candidates >= 0, first_scores(z), NEVER)
    scores = np.where(truth, -NEVER, scores)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :keep]
    r, many = order.shape
    features = np.zeros((r, keep, z.shape[2]), np.float32)
    places, true = np.full((r, keep), -1, np.int64), np.zeros((r, keep), np.bool_)
    features[:, :many] = np.take_along_axis(z, order[:, :, None], axis=1)
    places[:, :many] = np.take_along_axis(candidates, order, axis=1)
    true[:, :many] = np.take_along_axis(truth, order, axis=1)
    return features, places, true

"""A user's last records, candidates and their features, as the network takes them.

Shapes: r records to predict, L past records, K candidates, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from humobctl.errors import HumobError
from humobctl.native import Float32s, Int64s
from humobctl.predict.next.data import NextRecords, PlaceTable, UserRecords
from humobctl.predict.next.train import best_candidates, nothing_to_learn
from humobctl.predict.next.windows import windowed_users
from humobctl.predict.next_gru.config import NextGruSettings

HOURS = 168
"""Hours of the week; 0 stands for none, so they are counted from 1."""


class Vocabulary:
    """Numbers of places and users, from 1; 0 is for those that the training did not see."""

    def __init__(self, places: Sequence[str], users: Sequence[str]) -> None:
        self.places, self.users = list(places), list(users)
        self._place = {name: number for number, name in enumerate(places, 1)}
        self._user = {name: number for number, name in enumerate(users, 1)}

    def number_places(self, table: PlaceTable) -> Int64s:
        """Number of each place of a table, and 0 for none at the end (index -1)."""
        return np.array([*(self._place.get(name, 0) for name in table.names), 0], np.int64)

    def number_user(self, uid: str) -> int:
        """Number of a user."""
        return self._user.get(uid, 0)


@dataclass(frozen=True)
class NextGruRows:
    """Records to predict.

    Attributes:
        z: features of the candidates, shape (r, K, F).
        there: whether there is a candidate, shape (r, K).
        candidate: number of its place, shape (r, K).
        past: numbers of the places of the last records, the newest last; shape (r, L).
        hour: hours of the week of these, from 1; 0 for none, shape (r, L).
        gap: log(1 + hours) from each to the newest, shape (r, L).
        user: number of the user, shape (r,).
        truth: index of the true candidate, shape (r,).
    """

    z: Tensor
    there: Tensor
    candidate: Tensor
    past: Tensor
    hour: Tensor
    gap: Tensor
    user: Tensor
    truth: Tensor

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, chosen: Tensor | slice) -> NextGruRows:
        """Some of the records."""
        return NextGruRows(**{name: one[chosen] for name, one in vars(self).items()})

    def to(self, device: torch.device) -> NextGruRows:
        """These records on a device."""
        return NextGruRows(**{name: one.to(device) for name, one in vars(self).items()})


def make_rows(
    user: UserRecords,
    wanted: Int64s,
    features: Float32s,
    candidates: Int64s,
    numbers: tuple[Int64s, int],
    past_records: int,
    *,
    truth: Int64s | None = None,
    rolling: bool = False,
) -> NextGruRows:
    """Records of a user.

    Args:
        user: all records.
        wanted: indices of those to predict, shape (r,).
        features: of the candidates, shape (r, K, F).
        candidates: their places, -1 for none, shape (r, K).
        numbers: of the places and of the user, see ``Vocabulary``.
        past_records: L.
        truth: indices of the true candidates; None where they are not known.
        rolling: see ``UserRecords.find_known``.
    """
    places, uid = numbers
    known = user.find_known(wanted, rolling=rolling)
    # The indices of the last L known records: known ones first, from the end.
    order = np.argsort(~known[:, ::-1], axis=1, kind="stable")[:, :past_records]
    r, many = order.shape
    at, seen = known.shape[1] - 1 - order, np.take_along_axis(known[:, ::-1], order, axis=1)
    hour = user.hour[at]
    past = np.zeros((r, past_records), np.int64)
    week, gap = np.zeros_like(past), np.zeros((r, past_records), np.float32)
    past[:, :many] = np.where(seen, places[user.place[at]], 0)
    week[:, :many] = np.where(seen, (hour % HOURS).astype(np.int64) + 1, 0)
    gap[:, :many] = np.where(seen, np.log1p(np.maximum(hour[:, :1] - hour, 0.0)), 0.0)
    return NextGruRows(
        z=torch.from_numpy(features),
        there=torch.from_numpy(candidates >= 0),
        candidate=torch.from_numpy(places[candidates]),
        past=torch.from_numpy(past[:, ::-1].copy()),
        hour=torch.from_numpy(week[:, ::-1].copy()),
        gap=torch.from_numpy(gap[:, ::-1].copy()),
        user=torch.full((r,), uid),
        truth=torch.zeros(r, dtype=torch.int64) if truth is None else torch.from_numpy(truth),
    )


def training_parts(
    records: NextRecords, vocabulary: Vocabulary, settings: NextGruSettings
) -> tuple[NextGruRows, NextGruRows, float]:
    """Records to learn from, those of the last window to validate, and the fraction elsewhere.

    Raises:
        HumobError: no window has a record to predict.
    """
    config = settings.windows()
    places = vocabulary.number_places(records.places)
    parts: tuple[list[NextGruRows], list[NextGruRows]] = ([], [])
    hits = wanted = 0
    for number, city, user, chosen in windowed_users(records, config):
        features, candidates, truth = best_candidates(user, chosen, city, config.keep)
        hit = truth.any(axis=1)
        rows = make_rows(
            user,
            chosen[hit],
            features[hit],
            candidates[hit],
            (places, vocabulary.number_user(user.uid)),
            settings.past_records,
            truth=truth[hit].argmax(axis=1),
        )
        parts[number == len(config.windows) - 2].append(rows)
        wanted += len(chosen)
        hits += len(rows)
    if not parts[0]:
        raise HumobError(nothing_to_learn(config))
    train = _join(parts[0])
    return train, _join(parts[1] or parts[0]), 1.0 - hits / wanted


def _join(parts: Sequence[NextGruRows]) -> NextGruRows:
    names = vars(parts[0]).keys()
    return NextGruRows(**{name: torch.cat([getattr(one, name) for one in parts]) for name in names})

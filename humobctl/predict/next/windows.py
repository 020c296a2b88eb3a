"""Windows of a history: each is predicted from what is before it, as in use."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from humobctl.console import report
from humobctl.native import Int64s
from humobctl.predict.next.city import NextCity, survey_city
from humobctl.predict.next.config import NextRankerConfig
from humobctl.predict.next.data import NextRecords, UserRecords


def windowed_users(
    records: NextRecords, config: NextRankerConfig
) -> Iterator[tuple[int, NextCity, UserRecords, Int64s]]:
    """Number of each window, the city before it, each user until its end, and what to predict.

    Args:
        records: of histories.
        config: the windows, and how many records are drawn of them.
    """
    hour = records.columns["hour"]
    cuts = np.quantile(hour, config.windows)
    cuts[-1] += 1.0
    windows = list(pairwise(cuts.tolist()))
    session = records.columns["session"]
    follows = (session[1:] == session[:-1]) & (hour[1:] >= cuts[0])
    fraction = config.most_rows / max(1, int(follows.sum()))
    with report.progress("features", len(windows), "windows") as ticker:
        for number, (begin, end) in enumerate(windows):
            city = survey_city(records, hour < begin)
            rng = np.random.default_rng((config.seed, number))
            for user in records.users(with_targets=False):
                window = _in_window(user, begin, end)
                chosen = np.flatnonzero(window.target)
                chosen = chosen[rng.random(len(chosen)) < fraction]
                if len(chosen) and window.history.any():
                    yield number, city, window, chosen
            ticker.advance()


def _in_window(user: UserRecords, begin: float, end: float) -> UserRecords:
    """The user's records before the end of a window; those in it are to be predicted."""
    kept = user.hour < end
    inside = user.hour >= begin
    follows = np.zeros(len(kept), np.bool_)
    follows[1:] = user.session[1:] == user.session[:-1]
    return UserRecords(
        user.uid,
        place=user.place[kept],
        hour=user.hour[kept],
        session=user.session[kept],
        history=~inside[kept],
        target=(inside & follows)[kept],
        row=user.row[kept],
    )

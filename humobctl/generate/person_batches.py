"""Tables whose people's rows stand together, cut between people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.errors import HumobError
from humobctl.tables.day_events import refuse_overlaps, refuse_repeats


def whole_people(
    batches: Iterable[pl.DataFrame],
    name: str,
    columns: Sequence[str],
    rows_at_once: int,
) -> Iterator[pl.DataFrame]:
    """Batches again, with all rows of a person in one, and not many people more.

    Args:
        batches: tables with the column uid.
        name: of the table, for messages.
        columns: to keep, those of events among them.
        rows_at_once: in a batch, or one person's.

    Raises:
        HumobError: a person's rows stand apart, overlap or repeat.
    """
    held: list[pl.DataFrame] = []
    seen = Seen(name)
    for batch in batches:
        frame = batch.select(columns)
        for piece in frame.iter_slices(rows_at_once):
            uid = piece["uid"].to_numpy()
            changes = np.flatnonzero(uid[1:] != uid[:-1]) + 1
            if held and held[-1]["uid"][-1] != uid[0]:
                changes = np.append(0, changes)
            if not len(changes):
                held.append(piece)
                continue
            whole = pl.concat([*held, piece[: int(changes[-1])]])
            if whole.height:
                yield _checked_days(seen.check(whole), name)
            held = [piece[int(changes[-1]) :]]
    if held:
        yield _checked_days(seen.check(pl.concat(held)), name)


def _checked_days(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    refuse_repeats(frame, name)
    refuse_overlaps(frame.sort("uid", "d", "start_min", "end_min"), name)
    return frame


class Seen:
    """Refuses people whose rows stand apart: a uid takes 4 bytes, in any order of the people."""

    def __init__(self, name: str) -> None:
        self._name, self._highest = name, -1
        self._before: list[NDArray[np.uint32]] = []

    def check(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame itself.

        Raises:
            HumobError: one of its people came before.
        """
        uid = frame["uid"].to_numpy()
        people = uid[np.append(True, uid[1:] != uid[:-1])]
        again = np.empty(0, np.uint32)
        if (people[1:] <= people[:-1]).any():
            values, counts = np.unique(people, return_counts=True)
            again = values[counts > 1]
        if not len(again) and int(people.min()) <= self._highest:
            earlier = np.concatenate(self._before)
            again = people[np.isin(people, earlier)]
        if len(again):
            raise HumobError(
                f"{self._name}: found separated rows of user {again[0]}, expected all rows "
                "of a person together; sort the table by uid"
            )
        self._before.append(people)
        self._highest = max(self._highest, int(people.max()))
        return frame

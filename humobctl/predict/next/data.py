"""Records of users as arrays: what is known before each record that is to be predicted.

A record may be predicted from the history of its user, that is all records of the files given as
such, and from the earlier records of its own session; with ``rolling`` from all earlier records.
Nothing of the record itself is looked at, not even its time.

Shapes: n records of a user, r records to predict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal

import numpy as np
import polars as pl

from humobctl.data.sessions import HOUR, SessionTable
from humobctl.errors import HumobError
from humobctl.native import Bools, Floats, Int64s
from humobctl.tables.plane import plane_through
from humobctl.training.record_sketch import RecordSketch

Targets = Literal["next", "last", "all"]
"""Records to predict: all but the first of each session, the last of each, or all."""
_MONDAY = 3 * 24.0
"""Hours from the Monday before to 1970-01-01."""


@dataclass(frozen=True)
class PlaceTable:
    """All places that are known.

    Attributes:
        frame: place_id, lat and lon, or x and y; sorted by the first columns.
        east, north: position in km, each of shape (places,).
    """

    frame: pl.DataFrame
    east: Floats
    north: Floats

    def __len__(self) -> int:
        return len(self.east)

    @property
    def names(self) -> list[str]:
        """A text for each place: its id, or x and y of a cell."""
        columns = [name for name in ("place_id", "x", "y") if name in self.frame.columns]
        return self.frame.select(pl.concat_str(columns, separator=",")).to_series().to_list()


@dataclass(frozen=True)
class UserRecords:
    """One user's records in the order of time, history first where times are equal.

    Attributes:
        uid: the user.
        place: number of the place, shape (n,), as all others.
        hour: hours since a Monday.
        session: equal numbers are one session.
        history: whether it is of the history.
        target: whether it is to be predicted.
        row: of the table that is predicted; -1 for the history.
    """

    uid: str
    place: Int64s
    hour: Floats
    session: Int64s
    history: Bools
    target: Bools
    row: Int64s

    def find_known(self, wanted: Int64s, *, rolling: bool = False) -> Bools:
        """Whether each record may be looked at to predict each of some, shape (r, n)."""
        before = np.arange(len(self.place)) < wanted[:, None]
        own = self.session == self.session[wanted][:, None]
        seen: Bools = before & (own | self.history | rolling)
        return seen


@dataclass(frozen=True)
class NextRecords:
    """Records of several users.

    Attributes:
        places: numbered places.
        uids: the users.
        user: number of each record's user.
        columns: of all users, in the order of ``UserRecords``; sorted by user and time.
        first: where each user's records begin, and the end, (users + 1,).
    """

    places: PlaceTable
    uids: list[str]
    user: Int64s
    columns: dict[str, np.ndarray]
    first: Int64s

    def users(self, *, with_targets: bool = True) -> Iterator[UserRecords]:
        """Each user's records; by default of users with a record to predict."""
        for low, high in zip(self.first[:-1].tolist(), self.first[1:].tolist(), strict=True):
            part = {name: column[low:high] for name, column in self.columns.items()}
            if part["target"].any() or not with_targets:
                yield UserRecords(self.uids[self.user[low]], **part)


def describe_tables(tables: Sequence[SessionTable]) -> list[dict[str, Any]]:
    """What ``run.json`` says of the files trained on, with a sketch of the records of each."""
    found = []
    for table in tables:
        sketch = RecordSketch()
        for _ in sketch.watch([as_sketched(table)]):
            pass
        found.append({**table.about, "sketch": sketch.text()})
    return found


def as_sketched(table: SessionTable) -> pl.DataFrame:
    """Records as sketches take them (uid, d, t, x, y), with numbers for users and places."""
    frame, at = table.frame, pl.col("at")
    place = pl.concat_str(table.place, separator=",")
    numbered = frame.select(
        uid=_numbers(frame["uid"].cast(pl.String)), at=table.moment, place=place
    )
    return numbered.select(
        "uid",
        d=at // (24 * HOUR),
        t=at % (24 * HOUR),
        x=pl.lit(0),
        y=_numbers(numbered["place"]),
    )


def _numbers(texts: pl.Series) -> pl.Series:
    """A number for each text, the same in every file."""
    numbers = {
        text: int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
        for text in texts.unique().to_list()
    }
    return texts.replace_strict(numbers, return_dtype=pl.UInt64)


def choose_targets(table: SessionTable, targets: Targets) -> pl.Series:
    """Whether each record of sessions is to be predicted."""
    if targets == "all":
        return pl.Series([True]).new_from_index(0, table.frame.height)
    wanted = pl.col("step") > 0
    if targets == "last":
        wanted &= pl.col("step") == pl.col("step").max().over("uid", "session")
    return table.frame.select(wanted).to_series()


def _number_places(histories: Sequence[SessionTable], table: SessionTable | None) -> PlaceTable:
    """All places; one that has several positions is where the mean of its past records is."""
    tables = [*histories, *([] if table is None else [table])]
    columns = tables[0].place
    if tables[0].of_cells:
        places = pl.concat([one.frame.select(columns) for one in tables]).unique().sort(columns)
        east, north = (places[name].to_numpy() * 0.5 for name in "xy")
        return PlaceTable(places, east, north)
    parts = [
        pl.concat([one.frame for one in part])
        for part in (histories, tables[len(histories) :])
        if part
    ]
    means = [
        part.group_by(columns, maintain_order=True).agg(pl.col("lat").mean(), pl.col("lon").mean())
        for part in parts
    ]
    places = pl.concat(means).unique(columns, keep="first", maintain_order=True).sort(columns)
    plane = plane_through(means[0]["lat"].to_numpy(), means[0]["lon"].to_numpy())
    metres = plane.metres(places["lat"].to_numpy(), places["lon"].to_numpy())
    east, north = (one / 1000.0 for one in metres)
    return PlaceTable(places, east, north)


def gather(
    histories: Sequence[SessionTable], table: SessionTable | None, targets: Targets = "next"
) -> NextRecords:
    """Histories and the table to predict as arrays.

    Args:
        histories: what is known.
        table: whose records are predicted; None for none.
        targets: which of them.

    Raises:
        HumobError: cells where places are expected, or the other way round.
    """
    kinds = [*histories, *([table] if table is not None else [])]
    for other in kinds[1:]:
        if other.of_cells != kinds[0].of_cells:
            found, expected = ("cells", "places")[:: 1 if other.of_cells else -1]
            raise HumobError(
                f"{other.name}: found {found}, expected {expected} as in {kinds[0].name}"
            )
    places = _number_places(histories, table)
    parts = [_part(one, number) for number, one in enumerate(histories)]
    if table is not None:
        wanted = choose_targets(table, targets)
        row = pl.int_range(table.frame.height, dtype=pl.Int64, eager=True)
        part = _part(table, len(histories))
        parts.append(part.with_columns(history=False, target=wanted, row=row))
    frame = pl.concat(parts)
    numbers = places.frame.select(kinds[0].place).with_row_index("place")
    frame = frame.join(numbers, on=kinds[0].place, how="left", maintain_order="left")
    frame = frame.sort("uid", "at", "part", maintain_order=True)
    hour = frame["at"].to_numpy() / HOUR + _MONDAY
    user = frame["uid"].rle_id().to_numpy().astype(np.int64)
    session = frame.select(pl.struct("uid", "part", "session").rank("dense")).to_series()
    columns = {
        "place": frame["place"].to_numpy().astype(np.int64),
        "hour": hour,
        "session": session.to_numpy().astype(np.int64),
        "history": frame["history"].to_numpy(),
        "target": frame["target"].to_numpy(),
        "row": frame["row"].to_numpy(),
    }
    first = np.append(np.flatnonzero(np.diff(user, prepend=-1)), len(user))
    uids = frame["uid"].gather(first[:-1]).to_list()
    return NextRecords(places, uids, user, columns, first)


def _part(table: SessionTable, number: int) -> pl.DataFrame:
    return table.frame.select(
        pl.col("uid").cast(pl.String),
        *table.place,
        session="session",
        at=table.moment,
        part=pl.lit(number, pl.Int64),
        history=pl.lit(value=True),
        target=pl.lit(value=False),
        row=pl.lit(-1, pl.Int64),
    )

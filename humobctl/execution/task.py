"""What an engine carries out: a work, which is the same wherever it is opened, and parts of people.

Parts are cut by people alone, never by how many workers there are. So every engine gives the same
result, and a part that was finished before a kill is the part that would be computed again.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl

from humobctl.errors import UsageError
from humobctl.io.by_user import UserStore, paired_parts

PART_ROWS = 250_000
"""Rows of a grid trajectory in a part, over all its inputs; one user alone may have more."""
ROWS_VARIABLE, PEOPLE_VARIABLE = "HUMOBCTL_PART_ROWS", "HUMOBCTL_PART_USERS"


@dataclass
class Tally:
    """Counts of what was done, fields of a subclass; those of parts add up.

    A field is a number, a list or array of numbers, a ``Counter``, or anything that is kept from
    the first part that has it.
    """

    def record(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {name: _as_json(value) for name, value in vars(self).items()}

    def add(self, other: dict[str, Any]) -> None:
        """Count the record of another part; parts come in order."""
        for name, value in other.items():
            own = getattr(self, name)
            if isinstance(own, Counter):
                own.update(dict(value))
            elif isinstance(own, int | np.ndarray):
                setattr(self, name, own + (value if isinstance(own, int) else np.array(value)))
            elif own is None and value is not None:
                setattr(self, name, tuple(value))


def _as_json(value: Any) -> Any:
    if isinstance(value, Counter):
        return sorted(value.items())
    return value.tolist() if isinstance(value, np.ndarray) else value


Moved = Callable[[float], None]
"""Called with the number of further units of work are done."""


@dataclass(frozen=True)
class Done:
    """A finished part.

    Attributes:
        frame: its rows of the result.
        tally: counts of what was done, as JSON can hold them; each command adds up its own.
        units: of progress that it took.
    """

    frame: pl.DataFrame
    tally: dict[str, Any]
    units: float = 0


@dataclass(frozen=True)
class TaskPart:
    """Some people, and what is to be known of them.

    Attributes:
        number: from 0, in the order of the result.
        payload: what a worker is handed: frames, numbers, or tuples of such.
        name: for messages.
    """

    number: int
    payload: Any
    name: str

    def mark(self) -> str:
        """A digest of the payload: equal for equal values, however they lie in memory."""
        digest = hashlib.blake2b(digest_size=16)
        _digest(self.payload, digest)
        return digest.hexdigest()


Worker = Callable[[Any, Moved], Done]
"""Does a part, given its payload."""


class PartTask(Protocol):
    """What to do with each part: small, to be pickled, a frozen dataclass of settings and names."""

    def open(self) -> Worker:
        """Load what is needed, such as a model; called once a worker."""
        ...


def mark_of(value: Any) -> str:
    """A digest of frames, arrays, numbers, texts, or tuples of such."""
    return TaskPart(0, value, "").mark()


def _digest(value: Any, digest: Any) -> None:
    if isinstance(value, tuple):
        for one in value:
            _digest(one, digest)
    elif isinstance(value, pl.DataFrame):
        digest.update(f"{value.height} {value.columns}".encode())
        if value.height:
            # By values: the buffers of equal frames may differ.
            digest.update(value.hash_rows(seed=0).to_numpy().tobytes())
    elif isinstance(value, np.ndarray):
        digest.update(f"{value.shape} {value.dtype}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    else:
        digest.update(repr(value).encode())


def part_size(variable: str, default: int) -> int:
    """Rows or people of a part: as an environment variable says, or the default.

    Raises:
        UsageError: the variable holds no number above 0.
    """
    text = os.environ.get(variable, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise UsageError(f"{variable}: found {text!r}, expected a number above 0")
    return int(text)


def parts_of_people(batches: Iterable[pl.DataFrame], rows: int = 1 << 17) -> Iterator[TaskPart]:
    """Parts of a table that comes in batches of whole people, cut where ``rows`` are reached.

    Where the batches end does not matter, so that a pipe gives the same parts as a file.

    Args:
        batches: with the column uid; all rows of a person in one batch.
        rows: that a part has at least, but for the last one.
    """
    wanted = part_size(ROWS_VARIABLE, rows)
    held: list[pl.DataFrame] = []
    height = number = 0
    for batch in batches:
        held.append(batch)
        height += batch.height
        if height < wanted:
            continue
        whole = pl.concat(held)
        uid = whole["uid"].to_numpy()
        ends = np.append(np.flatnonzero(uid[1:] != uid[:-1]) + 1, len(uid))
        begin = 0
        while (at := int(np.searchsorted(ends, begin + wanted))) < len(ends):
            end = int(ends[at])
            yield _people(number, whole[begin:end])
            number, begin = number + 1, end
        held = [whole[begin:]] if begin < whole.height else []
        height = whole.height - begin
    if height:
        yield _people(number, pl.concat(held))


def user_parts(stores: list[UserStore], rows: int = PART_ROWS) -> Iterator[TaskPart]:
    """Parts of the same users of several stores; of one, the payload is its frame.

    Args:
        stores: of grid trajectories.
        rows: that a part has, but for that of a user who alone has more.
    """
    rows = part_size(ROWS_VARIABLE, rows)
    for number, (low, _, frames) in enumerate(paired_parts(stores, rows)):
        last = max(int(frame["uid"][-1]) for frame in frames if frame.height)
        yield TaskPart(number, frames[0] if len(frames) == 1 else frames, users(low, last))


def _people(number: int, frame: pl.DataFrame) -> TaskPart:
    return TaskPart(number, frame.rechunk(), users(int(frame["uid"][0]), int(frame["uid"][-1])))


def users(first: int, last: int) -> str:
    """The name of a part."""
    return f"users {first} to {last}" if first != last else f"user {first}"

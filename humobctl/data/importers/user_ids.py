"""Numbers for user ids: grid trajectories and visits know users by number only."""

from __future__ import annotations

import polars as pl

from humobctl.console.words import pluralize
from humobctl.io.write import write_table
from humobctl.tables.id_text import id_text

LARGEST = 2**32 - 1
_SAMPLE = 1000
"""Rows that say whether users are numbers."""


class UserNumbers:
    """Counts users in the order of their first appearance."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def codes(self, names: pl.Series) -> pl.Series:
        """A running number for each name (UInt32, null for none); new names get the next ones."""
        unique = names.drop_nulls().unique(maintain_order=True).to_list()
        numbers = [self._codes.setdefault(name, len(self._codes)) for name in unique]
        return names.replace_strict(
            pl.Series(unique, dtype=pl.String),
            pl.Series(numbers, dtype=pl.UInt32),
            default=None,
            return_dtype=pl.UInt32,
        )

    def users(self) -> list[tuple[int, str]]:
        """(number, name) of each user, in order of appearance.

        Ids that are all whole numbers keep them (``007`` is 7, unless there is a ``7`` too);
        otherwise users are numbered from 0.
        """
        return number_names(list(self._codes))


def numbering_notes(users: list[tuple[int, str]], *, written: bool) -> list[str]:
    """What to say of users who got a number other than their name."""
    if all(name.isdigit() and int(name) == number for number, name in users):
        return []
    how = "" if written else " (--uid-map FILE writes old and new ids)"
    return [f"numbered {pluralize(len(users), 'user')} from 0 in order of appearance{how}"]


def write_users(users: list[tuple[int, str]], path: str) -> None:
    """Write the number and the name of each user.

    Raises:
        HumobError: no such folder, no permission, or a full disk.
    """
    schema = {"uid": pl.UInt32, "name": pl.String}
    write_table(pl.DataFrame(users, schema=schema, orient="row"), path, table=None)


def number_names(names: list[str]) -> list[tuple[int, str]]:
    """(number, name) as ``UserNumbers.users`` has it."""
    whole = [int(name) for name in names if name.isascii() and name.isdigit()]
    if len(set(whole)) == len(names) and max(whole, default=0) <= LARGEST:
        return list(zip(whole, names, strict=True))
    return list(enumerate(names))


def are_names(uids: pl.Series) -> bool:
    """Whether most of the first users are not numbers that a table can hold: one may be a fault."""
    sample = id_text(uids.head(_SAMPLE)).drop_nulls().unique()
    number = sample.cast(pl.Float64, strict=False)
    names = number.is_null() | (number.is_finite() & (number > LARGEST))
    return 2 * int(names.sum()) > len(sample)

"""Numbers for user ids: grid trajectories and visits know users by number only."""

from __future__ import annotations

import polars as pl

LARGEST = 2**32 - 1


class UserNumbers:
    """Counts users in the order of their first appearance."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def codes(self, names: pl.Series) -> pl.Series:
        """A running number for each name (UInt32); new names get the next ones."""
        unique = names.unique(maintain_order=True).to_list()
        numbers = [self._codes.setdefault(name, len(self._codes)) for name in unique]
        return names.replace_strict(
            pl.Series(unique, dtype=pl.String),
            pl.Series(numbers, dtype=pl.UInt32),
            return_dtype=pl.UInt32,
        )

    def users(self) -> list[tuple[int, str]]:
        """(number, name) of each user, in order of appearance.

        Ids that are all whole numbers keep them (``007`` is 7, unless there is a ``7`` too);
        otherwise users are numbered from 0.
        """
        return number_names(list(self._codes))


def number_names(names: list[str]) -> list[tuple[int, str]]:
    """(number, name) as ``UserNumbers.users`` has it."""
    whole = [int(name) for name in names if name.isascii() and name.isdigit()]
    if len(set(whole)) == len(names) and max(whole, default=0) <= LARGEST:
        return list(zip(whole, names, strict=True))
    return list(enumerate(names))

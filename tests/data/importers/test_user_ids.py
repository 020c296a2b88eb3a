"""Numbers for user ids."""

from __future__ import annotations

import polars as pl
import pytest

from humobctl.data.importers.user_ids import UserNumbers, number_names


def test_names_are_numbered_as_they_appear_over_batches() -> None:
    numbers = UserNumbers()
    assert numbers.codes(pl.Series(["b", "a", "b"])).to_list() == [0, 1, 0]
    assert numbers.codes(pl.Series(["c", "a"])).to_list() == [2, 1]
    assert numbers.users() == [(0, "b"), (1, "a"), (2, "c")]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["7", "003"], [7, 3]),
        (["7", "007"], [0, 1]),
        (["7", "x"], [0, 1]),
        (["7", "-1"], [0, 1]),
        (["7", "4294967296"], [0, 1]),
        (["7", "4294967295"], [7, 4294967295]),
        (["7", "²"], [0, 1]),
    ],
)
def test_whole_numbers_stay_unless_they_clash(names: list[str], expected: list[int]) -> None:
    assert [number for number, _ in number_names(names)] == expected

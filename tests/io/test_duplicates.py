"""The bitmap of seen keys says the same as a set."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from humobctl.io.duplicates import SeenKeys, SeenRows
from humobctl.tables.schemas import GRID

Key = tuple[int, int, int]
USERS = st.sampled_from([0, 1, 7, 65_536, 2**32 - 1])
DAYS = st.sampled_from([0, 1, 79, 80, 159, 160, 9999])
KEYS = st.tuples(USERS, DAYS, st.sampled_from([0, 1, 7, 8, 47]))


def table(keys: list[Key]) -> pl.DataFrame:
    rows = [(*key, 1, 1) for key in keys]
    return pl.DataFrame(rows, schema=GRID.dtypes, orient="row")


def test_first_repeat_in_and_across_batches() -> None:
    seen = SeenKeys()
    assert seen.mark(table([(1, 0, 0), (1, 0, 1), (2, 0, 0)])) is None
    assert seen.mark(table([])) is None
    assert seen.mark(table([(3, 0, 0), (2, 0, 0), (1, 0, 0)])) == 1
    assert SeenKeys().mark(table([(1, 0, 0), (1, 0, 0)])) == 1


def test_neighbours_are_not_mistaken() -> None:
    # Bits lie side by side: the last slot of a page, the first of the next, days 80 apart.
    keys = [(1, 79, 47), (1, 80, 0), (1, 0, 0), (1, 160, 0), (2, 0, 0), (0, 0, 0), (0, 1, 0)]
    assert SeenKeys().mark(table(keys)) is None


@given(st.lists(st.lists(KEYS, max_size=12), max_size=6))
def test_says_the_same_as_a_set(batches: list[list[Key]]) -> None:
    bitmap, rows, truth = SeenKeys(), SeenRows(GRID.key), set[Key]()
    for keys in batches:
        expected = []
        for key in keys:
            expected.append(key in truth)
            truth.add(key)
        frame = table(keys)
        first = bitmap.mark(frame)
        assert first == rows.mark(frame) == (expected.index(True) if any(expected) else None)
        if first is not None:
            assert bitmap.repeats(frame, first).to_list() == expected
            assert rows.repeats(frame, first).to_list() == expected


def test_many_users() -> None:
    users = 5000
    frame = pl.DataFrame({"uid": range(users), "d": 0, "t": 0, "x": 1, "y": 1}).cast(GRID.dtypes)
    seen = SeenKeys()
    assert seen.mark(frame) is None
    assert seen.mark(frame[users - 1 :]) == 0

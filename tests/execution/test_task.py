"""Parts are cut by people alone, and known by what is in them."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humobctl.errors import UsageError
from humobctl.execution.task import (
    PART_ROWS,
    TaskPart,
    mark_of,
    part_size,
    parts_of_people,
    user_parts,
)
from humobctl.io import by_user as users_module
from humobctl.io.by_user import UserStore
from humobctl.tables.schemas import GRID
from tests.messages import raises

people = st.lists(st.integers(1, 6), min_size=1, max_size=30)
"""Rows of each person."""


def table(rows: list[int]) -> pl.DataFrame:
    uid = np.repeat(np.arange(len(rows))[::-1], rows)
    return pl.DataFrame({"uid": uid, "seq": np.arange(len(uid))})


@given(rows=people, size=st.integers(1, 12), cuts=st.sets(st.integers(1, 29)))
def test_parts_do_not_depend_on_how_people_come(rows, size, cuts) -> None:
    whole = table(rows)
    bounds = [0, *sorted(cut for cut in cuts if cut < len(rows)), len(rows)]
    ends = np.append(0, np.cumsum(rows))
    batches = [whole[int(ends[a]) : int(ends[b])] for a, b in itertools.pairwise(bounds)]
    found = list(parts_of_people(batches, size))
    assert [part.number for part in found] == list(range(len(found)))
    assert pl.concat([part.payload for part in found]).equals(whole)
    heights = [part.payload.height for part in found]
    assert all(height >= size for height in heights[:-1])
    owners = [set(part.payload["uid"]) for part in found]
    assert sum(map(len, owners)) == len(rows)
    # A part ends with the person who fills it.
    for part in found[:-1]:
        last = part.payload.filter(pl.col("uid") == part.payload["uid"][-1]).height
        assert part.payload.height - last < size
    again = list(parts_of_people([whole], size))
    assert [part.mark() for part in found] == [part.mark() for part in again]


@given(
    rows=st.lists(st.tuples(st.integers(0, 25), st.integers(0, 4)), unique=True, min_size=1),
    size=st.integers(1, 30),
)
def test_parts_of_users_are_the_same_in_memory_and_on_disk(rows, size) -> None:
    whole = pl.DataFrame([(u, d, 0, 1, 1) for u, d in rows], schema=GRID.dtypes, orient="row")
    found = []
    for limit in (10_000, 3):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(users_module, "IN_MEMORY_ROWS", limit)
            patch.setattr(users_module, "GROUP_ROWS", 40)
            patch.setenv("HUMOBCTL_PART_ROWS", str(size))
            with UserStore() as store:
                store.collect(whole.iter_slices(2))
                parts = list(user_parts([store]))
        assert pl.concat([part.payload for part in parts]).equals(whole.sort("uid", "d", "t"))
        found.append([(part.number, part.name, part.mark()) for part in parts])
    assert found[0] == found[1]


def test_two_stores_are_cut_together(monkeypatch) -> None:
    monkeypatch.setenv("HUMOBCTL_PART_ROWS", "3")
    first = pl.DataFrame([(u, 0, 0, 1, 1) for u in range(6)], schema=GRID.dtypes, orient="row")
    second = first.filter(pl.col("uid") > 2)
    with UserStore() as a, UserStore() as b:
        a.collect([first])
        b.collect([second])
        parts = [part.payload for part in user_parts([a, b])]
    # Rows before each user, over both: 0 1 2 3 5 7 (of 3 a part: 0 0 0 1 1 2).
    assert [left["uid"].to_list() for left, _ in parts] == [[0, 1, 2], [3, 4], [5]]
    assert [right["uid"].to_list() for _, right in parts] == [[], [3, 4], [5]]


def test_a_mark_tells_values_not_their_place_in_memory() -> None:
    whole = table([3, 4, 5]).with_columns(intent=pl.lit("eat"))
    piece, copy = whole[3:7], pl.DataFrame(whole[3:7].to_dicts(), schema=whole.schema)
    assert TaskPart(0, piece, "a").mark() == TaskPart(9, copy, "b").mark()
    assert mark_of((piece, 1)) != mark_of((piece, 2))
    assert mark_of(piece) != mark_of(piece.with_columns(intent=pl.lit("go home")))
    assert mark_of(piece) != mark_of(piece[::-1])


def test_the_size_of_parts_is_a_number(monkeypatch) -> None:
    assert part_size("HUMOBCTL_PART_ROWS", PART_ROWS) == PART_ROWS
    for wrong in ("0", "-1", "many", "1.5"):
        monkeypatch.setenv("HUMOBCTL_PART_ROWS", wrong)
        with raises(UsageError, "HUMOBCTL_PART_ROWS", f"'{wrong}'"):
            part_size("HUMOBCTL_PART_ROWS", PART_ROWS)

"""Whole users from rows in any order, in memory and from sorted runs on disk."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humobctl.errors import HumobError
from humobctl.io import by_user as users_module
from humobctl.io.by_user import UserStore, keys, paired_groups
from humobctl.tables.schemas import GRID
from tests.messages import raises

rows = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 5), st.integers(0, 47)),
    min_size=1,
    max_size=200,
    unique=True,
)


def frame(wanted):
    """Rows (uid, d, t) with a cell made from them."""
    cells = [(u, d, t, 1 + (u * 7 + d) % 200, 1 + t) for u, d, t in wanted]
    return pl.DataFrame(cells, schema=GRID.dtypes, orient="row")


@given(wanted=rows, cut=st.integers(1, 50))
def test_groups_hold_every_row_once_whole_users_in_order(wanted, cut):
    whole = frame(wanted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(users_module, "IN_MEMORY_ROWS", 20)
        patch.setattr(users_module, "GROUP_ROWS", 30)
        with UserStore() as store:
            store.collect(whole.iter_slices(cut))
            groups = [group for (group,) in paired_groups([store])]
            assert store.spilled == (len(wanted) > 20)
    assert pl.concat(groups).equals(whole.sort("uid", "d", "t"))
    owners = [set(group["uid"]) for group in groups]
    assert sum(map(len, owners)) == len(set().union(*owners))


def test_two_stores_give_the_same_users(monkeypatch):
    monkeypatch.setattr(users_module, "IN_MEMORY_ROWS", 10)
    monkeypatch.setattr(users_module, "GROUP_ROWS", 40)
    first = frame([(u, 0, t) for u in range(20) for t in range(8)])
    second = frame([(u, 1, 3) for u in range(19, -1, -2)])
    with UserStore() as a, UserStore() as b:
        a.collect([first])
        b.collect([second])
        groups = list(paired_groups([a, b]))
    assert len(groups) > 2
    for left, right in groups:
        assert set(right["uid"]) <= set(left["uid"])
    assert sum(right.height for _, right in groups) == 10


def test_the_days_seen_are_known_before_the_groups():
    with UserStore() as store:
        assert (store.first_day, store.last_day) == (None, None)
        store.collect([frame([(1, 3, 0)]), frame([(2, 5, 0), (2, 1, 0)])])
        assert (store.first_day, store.last_day, store.rows) == (1, 5, 3)


def test_temporary_files_go_with_the_store(monkeypatch, tmp_path):
    monkeypatch.setattr(users_module, "IN_MEMORY_ROWS", 1)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with UserStore() as store:
        store.collect([frame([(1, 0, 0), (2, 0, 0)])])
        assert store.spilled
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_keys_order_by_user_day_and_slot():
    wanted = [(1, 0, 47), (1, 1, 0), (2, 0, 0), (4294967295, 9999, 47)]
    found = keys(pl.DataFrame([(*w, 1, 1) for w in wanted], schema=GRID.dtypes, orient="row"))
    assert np.all(np.diff(found.to_numpy()) > 0)


def test_a_temporary_folder_that_cannot_be_written_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(users_module, "IN_MEMORY_ROWS", 1)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with UserStore() as store, raises(HumobError, "temporary files", "No such file"):
        store.collect([frame([(1, 0, 0), (2, 0, 0)])])

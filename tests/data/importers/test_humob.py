"""HuMob tables of each year."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from humobctl.data.importers.humob import grid_table
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.run import import_data
from humobctl.errors import HumobError, TableError
from humobctl.tables.schemas import GRID
from tests.messages import raises, says

BODY = "1,1,0,5,6\n1,75,47,200,1\n2,60,3,999,999\n"
ROWS = [(1, 1, 0, 5, 6), (1, 75, 47, 200, 1), (2, 60, 3, 999, 999)]


def rows(tmp_path: Path, text: str, format: str = "auto", **options: Any) -> list[tuple[int, ...]]:
    path = tmp_path / "a.csv"
    path.write_text(text)
    imported = import_data(str(path), ImportOptions(**options), format)
    assert imported.table is GRID
    frame = pl.concat(imported.batches)
    assert dict(frame.schema) == GRID.dtypes
    return frame.rows()


@pytest.mark.parametrize("header", ["", "uid,d,t,x,y\n", "UID,day,Slot,X,Y\n"])
@pytest.mark.parametrize("format", ["auto", "humob", "humob25", "grid"])
def test_a_table_comes_in_with_or_without_a_header(
    tmp_path: Path, header: str, format: str
) -> None:
    assert rows(tmp_path, header + BODY, format) == ROWS


def test_days_of_the_year_are_insisted_on(tmp_path: Path) -> None:
    with raises(TableError, "row 2", "line 2", "column d", 75, 0, 74):
        rows(tmp_path, BODY, "humob23")
    with raises(TableError, "column d", 75, 0, 74):
        rows(tmp_path, BODY, "humob24")
    with raises(TableError, "row 1", "column d", 0, 1, 75):
        rows(tmp_path, "1,0,0,5,6\n", "humob25")
    with raises(TableError, 76, 0, 75, "--max-day", "--format grid"):
        rows(tmp_path, "1,76,0,5,6\n")
    assert rows(tmp_path, "1,76,0,5,6\n", max_day=80) == [(1, 76, 0, 5, 6)]
    assert rows(tmp_path, "1,760,0,5,6\n", "grid") == [(1, 760, 0, 5, 6)]


def test_days_may_be_moved(tmp_path: Path) -> None:
    moved = rows(tmp_path, BODY, "humob25", shift_days=-1)
    assert [row[1] for row in moved] == [0, 74, 59]
    with raises(HumobError, "--shift-days -2", -1, 73, 0):
        rows(tmp_path, BODY, shift_days=-2)


def test_faults_of_the_first_row_are_faults_of_that_row(tmp_path: Path) -> None:
    with raises(TableError, "row 1", "line 1", "column x", "'five'"):
        rows(tmp_path, "1,1,0,five,6\n" + BODY)


def test_repeats_are_found_in_a_table_with_its_own_days(tmp_path: Path) -> None:
    text = BODY + "1,75,47,3,3\n"
    with raises(TableError, "row 4", "(1, 75, 47)"):
        rows(tmp_path, text)
    assert rows(tmp_path, text, on_error="drop") == ROWS


def test_columns_are_renamed_and_left_out(tmp_path: Path) -> None:
    text = "who,d,t,x,y,note\n1,1,0,5,6,hello\n"
    with raises(HumobError, "missing: uid", "who, note"):
        rows(tmp_path, text)
    assert rows(tmp_path, text, columns={"who": "uid", "note": ""}) == [(1, 1, 0, 5, 6)]
    table = pl.DataFrame({"uid": [1], "d": [1], "t": [0], "x": [5], "y": [6], "note": ["a"]})
    table.write_parquet(tmp_path / "a.parquet")
    imported = import_data(str(tmp_path / "a.parquet"), ImportOptions(columns={"note": ""}))
    assert pl.concat(imported.batches).rows() == [(1, 1, 0, 5, 6)]


def test_a_fault_of_a_table_with_columns_left_out_keeps_its_place(tmp_path: Path) -> None:
    text = "uid,d,t,x,y,note\n1,1,0,5,6,a\n1,1,1,x,6,b\n"
    with raises(TableError, "row 2", "line 3", "column x", "'x'"):
        rows(tmp_path, text, columns={"note": ""})


def test_names_need_a_header(tmp_path: Path) -> None:
    with raises(HumobError, "header", "--columns"):
        rows(tmp_path, BODY, "humob", columns={"a": "uid"})


def test_a_table_of_some_days_has_the_columns_of_the_table() -> None:
    table = grid_table(3, 9)
    assert table.columns == GRID.columns
    assert table.dtypes == GRID.dtypes
    says(table.describe_expected("d"), "day", 3, 9)

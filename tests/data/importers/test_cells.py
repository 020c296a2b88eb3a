"""Points to cells and half hours, and back."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.run import import_data
from humobctl.errors import HumobError, TableError
from humobctl.io import by_user
from humobctl.tables.grid import Grid
from humobctl.tables.schemas import GRID, POINTS
from tests.messages import raises, says

# On the equator a cell of 0.01 degrees: x grows east and y north from (0, 20).
SIDE = 1111.9508
CELLS = Grid(SIDE, 0.0, 20.0, 10, 10)
# Anna: 8:00-8:30 three points: cells (1,1), (2,1), (2,1). 8:30-9:00: (3,1), (1,1): a tie.
# Bob: the next day at 23:59 in cell (10, 10).
POINTS_TEXT = """uid,datetime,lat,lon
anna,2020-03-02 08:00:00,0.005,20.005
anna,2020-03-02 08:10:00,0.005,20.015
bob,2020-03-03 23:59:59,0.095,20.095
anna,2020-03-02 08:29:59,0.005,20.015
anna,2020-03-02 08:31:00,0.005,20.025
anna,2020-03-02 08:45:00,0.005,20.005
"""
EXPECTED = [(0, 0, 16, 2, 1), (0, 0, 17, 3, 1), (1, 1, 47, 10, 10)]


def cells(tmp_path: Path, text: str = POINTS_TEXT, **options: Any) -> list[tuple[int, ...]]:
    path = tmp_path / "a.csv"
    path.write_text(text)
    imported = import_data(str(path), ImportOptions(grid=CELLS, **options))
    assert imported.table is GRID
    frame = pl.concat(imported.batches)
    assert dict(frame.schema) == GRID.dtypes
    return frame.rows()


def test_half_hours_get_the_most_frequent_cell_and_ties_the_earliest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cells(tmp_path) == EXPECTED
    said = capsys.readouterr().err
    says(said, "merged", 3, "points")
    says(said, 2, "several cells", "most frequent")
    says(said, "day 0", "2020-03-02", "Monday", "--first-weekday monday")
    says(said, 2, "users", "--uid-map")


def test_so_they_do_when_the_rows_went_to_disk_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_user, "IN_MEMORY_ROWS", 0)
    monkeypatch.setattr(by_user, "GROUP_ROWS", 1)
    lines = POINTS_TEXT.encode().splitlines(keepends=True)
    path = tmp_path / "a.csv"
    path.write_text(POINTS_TEXT)
    # Blocks of a line each, so that each row makes a batch, a count and a run of its own.
    from humobctl.data.importers import delimited

    monkeypatch.setattr(delimited, "text_blocks", lambda *_, **__: iter(lines))
    assert pl.concat(import_data(str(path), ImportOptions(grid=CELLS)).batches).rows() == EXPECTED


def test_a_tie_is_broken_by_the_first_point_of_a_cell_wherever_the_rows_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two points each: cell (1, 1) from 9:00 on, cell (2, 1) from 9:05 on.
    text = "uid,datetime,lat,lon\n" + "".join(
        f"1,2020-03-02 09:{minute}:00,0.005,{lon}\n"
        for minute, lon in (("05", 20.015), ("00", 20.005), ("06", 20.015), ("20", 20.005))
    )
    assert cells(tmp_path, text) == [(1, 0, 18, 1, 1)]
    from humobctl.data.importers import delimited

    lines = text.encode().splitlines(keepends=True)
    monkeypatch.setattr(delimited, "text_blocks", lambda *_, **__: iter(lines))
    assert cells(tmp_path, text) == [(1, 0, 18, 1, 1)]


def test_whole_numbers_stay_and_the_map_says_who_is_who(tmp_path: Path) -> None:
    text = POINTS_TEXT.replace("anna", "42").replace("bob", "007")
    assert [row[0] for row in cells(tmp_path, text)] == [42, 42, 7]
    cells(tmp_path, uid_map=str(tmp_path / "map.csv"))
    assert (tmp_path / "map.csv").read_text() == "uid,name\n0,anna\n1,bob\n"


def test_day_0_may_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = cells(tmp_path, start_date=dt.date(2020, 3, 1))
    said = capsys.readouterr().err
    says(said, "day 0", "2020-03-01", "Sunday")
    assert "--first-weekday" not in said
    assert [row[1] for row in found] == [1, 1, 2]
    with raises(HumobError, "2020-03-02", "2020-03-03", "day 0"):
        cells(tmp_path, start_date=dt.date(2020, 3, 3))


def test_slots_are_cut_in_the_time_zone(tmp_path: Path) -> None:
    text = "uid,datetime,lat,lon\n1,2020-03-01T23:10:00Z,0.005,20.005\n"
    assert cells(tmp_path, text, timezone="Asia/Tokyo") == [(1, 0, 16, 1, 1)]
    assert cells(tmp_path, text) == [(1, 0, 46, 1, 1)]


def test_points_outside_are_named_or_dropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = POINTS_TEXT + "carl,2020-03-02 08:00:00,0.005,20.105\n"
    with raises(TableError, "0.005, 20.105", "carl", "2020-03-02 08:00:00", "outside"):
        cells(tmp_path, text)
    assert cells(tmp_path, text, outside="drop") == EXPECTED
    told = capsys.readouterr().err
    says(told, "dropped", 1, "outside")
    says(told, "0.005, 20.105", "carl", "within the grid")
    assert "--outside" not in told


def test_a_grid_that_no_point_falls_in_is_an_error(tmp_path: Path) -> None:
    text = "uid,datetime,lat,lon\n1,2020-03-01 23:10:00,5,5\n"
    with raises(HumobError, "no point", "grid"):
        cells(tmp_path, text, outside="drop")


def test_dates_that_cannot_be_ordered_are_named(tmp_path: Path) -> None:
    text = "uid,datetime,lat,lon\n1,1969-03-01 23:10:00,0.005,20.005\n"
    with raises(HumobError, "from 1969-03-01 to 1969-03-01"):
        cells(tmp_path, text)


def test_a_grid_larger_than_a_table_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(POINTS_TEXT)
    imported = import_data(str(path), ImportOptions(grid=Grid(500, 0, 20, 201, 10)))
    with raises(HumobError, "201 x 10", "200 x 200"):
        next(imported.batches)


def back(tmp_path: Path, text: str) -> pl.DataFrame:
    path = tmp_path / "g.csv"
    path.write_text(text)
    options = ImportOptions(grid=CELLS, cells_to_points=True, start_date=dt.date(2020, 3, 2))
    imported = import_data(str(path), options)
    assert imported.table is POINTS
    return pl.concat(imported.batches)


def test_cells_become_their_centres_again(tmp_path: Path) -> None:
    found = back(tmp_path, "uid,d,t,x,y\n4,0,16,2,1\n4,1,47,10,10\n")
    assert found["uid"].to_list() == ["4", "4"]
    assert found["datetime"].to_list() == [
        dt.datetime(2020, 3, 2, 8),
        dt.datetime(2020, 3, 3, 23, 30),
    ]
    assert found["lat"].to_list() == pytest.approx([0.005, 0.095], abs=1e-8)
    assert found["lon"].to_list() == pytest.approx([20.015, 20.095], abs=1e-8)


def test_masked_rows_have_no_place_and_cells_outside_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = back(tmp_path, "uid,d,t,x,y\n4,0,16,2,1\n4,0,17,999,999\n")
    assert found.height == 1
    says(capsys.readouterr().err, "left out 1", "masked")
    with raises(TableError, "(11, 1)", "user 4", "day 0"):
        back(tmp_path, "uid,d,t,x,y\n4,0,16,11,1\n")


def test_there_and_back_again_changes_no_cell(tmp_path: Path) -> None:
    text = "uid,d,t,x,y\n" + "".join(
        f"4,{i // 48},{i % 48},{i % 10 + 1},{i // 10 + 1}\n" for i in range(100)
    )
    centres = back(tmp_path, text)
    centres.write_csv(tmp_path / "p.csv")
    imported = import_data(str(tmp_path / "p.csv"), ImportOptions(grid=CELLS))
    found = pl.concat(imported.batches)
    lines = [",".join(map(str, row)) for row in found.rows()]
    assert lines == text.splitlines()[1:]

"""GeoLife folders."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from humobctl.data.importers import file_rows
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.run import import_data
from humobctl.errors import HumobError, TableError
from tests.messages import raises, says

HEADER = (
    "Geolife trajectory\r\nWGS 84\r\nAltitude is in Feet\r\nReserved 3\r\n"
    "0,2,255,My Track,0,0,2,8421376\r\n0\r\n"
)
FIRST = (
    "39.984702,116.318417,0,492,39744.12,2008-10-23,02:53:04\r\n"
    "39.984683,116.31845,0,492,39744.12,2008-10-23,02:53:10\r\n"
)
SECOND = "40.0,116.3,0,-777,39745.9,2008-10-24,21:40:00\r\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for user, name, body in (("001", "b.plt", SECOND), ("000", "a.plt", FIRST)):
        folder = tmp_path / "Data" / user / "Trajectory"
        folder.mkdir(parents=True)
        (folder / name).write_bytes((HEADER + body).encode())
    return tmp_path / "Data"


def rows(path: Path, **options: Any) -> list[tuple[Any, ...]]:
    return (
        pl.concat(import_data(str(path), ImportOptions(**options)).batches)
        .select("uid", "datetime", "lat", "lon")
        .rows()
    )


EXPECTED = [
    ("000", dt.datetime(2008, 10, 23, 2, 53, 4), 39.984702, 116.318417),
    ("000", dt.datetime(2008, 10, 23, 2, 53, 10), 39.984683, 116.31845),
    ("001", dt.datetime(2008, 10, 24, 21, 40), 40.0, 116.3),
]


def test_a_folder_becomes_points_by_user(data: Path) -> None:
    assert rows(data) == EXPECTED


def test_so_do_many_batches(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_rows, "BLOCK_BYTES", 1)
    assert rows(data) == EXPECTED


def test_and_a_single_file(data: Path) -> None:
    assert rows(data / "000" / "Trajectory" / "a.plt") == EXPECTED[:2]


def test_times_are_gmt(data: Path) -> None:
    # 21:40 GMT is 5:40 of the next day in Shanghai.
    assert rows(data, timezone="Asia/Shanghai")[2][1] == dt.datetime(2008, 10, 25, 5, 40)


@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("400.1,116.3,0,1,1,2008-10-24,21:41:00", ("column lat", 400.1)),
        ("40.1,116.3,0,1,1,2008-10-24,25:41:00", ("column date, time", "'2008-10-24 25:41:00'")),
        ("40.1", ("column",)),
        ("40.1,116.3,0,1,1,2008-10-24,21:41:00,9", ()),
    ],
)
def test_a_fault_names_its_own_file_and_line(
    data: Path, monkeypatch: pytest.MonkeyPatch, size: int, line: str, names: tuple[str, ...]
) -> None:
    monkeypatch.setattr(file_rows, "BLOCK_BYTES", size)
    path = data / "001" / "Trajectory" / "b.plt"
    path.write_text(HEADER + SECOND + line + "\n" + SECOND)
    with raises(TableError, "001/Trajectory/b.plt", "row 2", "line 8", *names):
        rows(data)
    assert rows(data, on_error="drop") == [*EXPECTED, EXPECTED[2]]


def test_what_was_dropped_names_its_file_too(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = data / "001" / "Trajectory" / "b.plt"
    path.write_text(HEADER + SECOND + "400.1,116.3,0,1,1,2008-10-24,21:41:00\n")
    rows(data, on_error="drop")
    said = capsys.readouterr().err
    says(said, "001/Trajectory/b.plt", "row 2", "line 8", "column lat", 400.1)


def test_a_file_without_points_adds_none_and_one_without_header_is_named(data: Path) -> None:
    path = data / "001" / "Trajectory" / "b.plt"
    path.write_text(HEADER)
    assert rows(data) == EXPECTED[:2]
    path.write_text("Geolife trajectory\n")
    with raises(HumobError, "b.plt", 2, 6, "header"):
        rows(data)

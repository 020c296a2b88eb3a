"""Check-in data sets without a header."""

from __future__ import annotations

import datetime as dt
import gzip
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.run import import_data
from humobctl.errors import TableError
from tests.messages import raises, says

TSMC = (
    b"470\t49bb\t4bf5\tArts & Crafts Store\t40.7198\t-74.0025\t-240\t"
    b"Tue Apr 03 18:00:09 +0000 2012\n"
    b'979\t4a43\t4bf6\tCaf\xe9 "Joe\t40.6\t-74.04\t-240\tTue Apr 03 02:00:25 +0000 2012\n'
)
GOWALLA = (
    b"0\t2010-10-19T23:55:27Z\t30.2359\t-97.7951\t22847\n"
    b"0\t2010-10-18T22:17:43Z\t0.0\t0.0\t420315\n"
    b"1\t2010-10-17T23:42:03Z\t30.2557\t-97.7633\tee8b88dea22411\n"
)


def rows(path: Path, content: bytes, **options: Any) -> list[tuple[Any, ...]]:
    path.write_bytes(content)
    return pl.concat(import_data(str(path), ImportOptions(**options)).batches).rows()


def test_foursquare_is_latin1_and_local_by_its_offset(tmp_path: Path) -> None:
    # 18:00:09 UTC less 240 minutes is 14:00:09; 02:00:25 is 22:00:25 of the day before.
    expected = [
        (
            "470",
            dt.datetime(2012, 4, 3, 14, 0, 9),
            40.7198,
            -74.0025,
            "49bb",
            "Arts & Crafts Store",
        ),
        ("979", dt.datetime(2012, 4, 2, 22, 0, 25), 40.6, -74.04, "4a43", 'Café "Joe'),
    ]
    assert rows(tmp_path / "a.txt", TSMC) == expected
    assert rows(tmp_path / "a.txt", TSMC.decode("latin-1").encode()) == expected
    assert rows(tmp_path / "a.txt.gz", gzip.compress(TSMC)) == expected


def test_a_time_zone_goes_before_the_offset(tmp_path: Path) -> None:
    assert rows(tmp_path / "a.txt", TSMC, timezone="UTC")[0][1] == dt.datetime(2012, 4, 3, 18, 0, 9)


def test_gowalla_is_utc_and_void_rows_are_left_out_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rows(tmp_path / "a.txt", GOWALLA) == [
        ("0", dt.datetime(2010, 10, 19, 23, 55, 27), 30.2359, -97.7951, "22847", None),
        ("1", dt.datetime(2010, 10, 17, 23, 42, 3), 30.2557, -97.7633, "ee8b88dea22411", None),
    ]
    said = capsys.readouterr().err
    says(said, "left out 1", "latitude 0", "longitude 0")
    says(said, "UTC")


def test_a_broken_row_after_a_void_one_keeps_its_place(tmp_path: Path) -> None:
    content = GOWALLA + b"2\tnever\t30.2\t-97.7\t1\n3\t\t\t\n"
    with raises(TableError, "row 5", "line 5", 4, 5, "fields"):
        rows(tmp_path / "a.txt", content)
    with raises(TableError, "row 4", "line 4", "column utc time", "'never'"):
        rows(tmp_path / "a.txt", content.replace(b"3\t\t\t\n", b""))
    assert len(rows(tmp_path / "a.txt", content, on_error="drop")) == 2

"""What --format auto takes an input for."""

from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import polars as pl
import pytest
import zstandard

from humobctl.api.files import InputFormat
from humobctl.data.importers.detect import FORMATS, recognise
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.probe import InputProbe, look_at
from humobctl.errors import HumobError, UsageError
from humobctl.io.streams import open_input
from humobctl.tables.grid import parse_grid
from tests.messages import raises, says

GRID = b"uid,d,t,x,y\n1,0,0,5,6\n"
POINTS = b"uid,datetime,lat,lon\n1,2020-01-01 00:00:00,1,2\n"


def parquet(path: Path) -> None:
    pl.DataFrame({"uid": [1], "d": [0], "t": [0], "x": [5], "y": [6]}).write_parquet(path)


def stream(path: Path) -> None:
    table = {"user": [1], "time": ["2020-01-01 00:00:00"], "lat": [1.0], "lon": [2.0]}
    pl.DataFrame(table).write_ipc_stream(path)


CASES: dict[str, tuple[bytes | Callable[[Path], None], str, str]] = {
    "grid with header": (GRID, "humob", "CSV, header"),
    "grid without": (b"1,0,0,5,6\n", "humob", "CSV, no header"),
    "grid gzip": (gzip.compress(GRID), "humob", "CSV, gzip, header"),
    "grid zstd": (zstandard.compress(b"1,0,0,5,6\n"), "humob", "CSV, zstd, no header"),
    "grid ndjson": (b'{"uid":1,"d":0,"t":0,"x":5,"y":6}\n', "humob", "NDJSON"),
    "grid json": (b'[{"uid":1,"d":0,"t":0,"x":5,"y":6}]', "humob", "JSON"),
    "grid parquet": (parquet, "humob", "Parquet"),
    "points arrow stream": (stream, "points", "Arrow stream"),
    "points": (POINTS, "points", "CSV, header"),
    "points, tabs": (POINTS.replace(b",", b"\t"), "points", "tab-separated text, header"),
    "points, bom": (b"\xef\xbb\xbf" + POINTS, "points", "CSV, header"),
    "trackintel": (b"id,user_id,tracked_at,geom\n", "points", "CSV, header"),
    "tsmc": (
        b"470\t4\t4\tCaf\xe9\t40.7\t-74.0\t-240\tTue Apr 03 18:00:09 +0000 2012\n",
        "tsmc2014",
        "tab-separated text, no header",
    ),
    "gowalla": (
        b"0\t2010-10-19T23:55:27Z\t30.2\t-97.7\t22847\n",
        "gowalla",
        "tab-separated text, no header",
    ),
    "plt": (b"Geolife trajectory\r\nWGS 84\r\na\r\nb\r\nc\r\n0\r\n", "geolife", "one .plt file"),
    "stays": (b"uid,seq,start_min,end_min,lon,lat\n", "copb-stays", "CSV, header"),
    "trace": (
        json.dumps([["eat", "(12:00, 13:00)", ["Bar", 1]]]).encode(),
        "copb-traces",
        "JSON",
    ),
    "stay lists": (json.dumps({"5": [[0, 1, 0, 1, [2, 3]]]}).encode(), "copb-traces", "JSON"),
    "pickle": (pickle.dumps({5: [[0, 1, 0, 1, [2, 3]]]}), "copb-pickle", "pickle"),
}


@pytest.mark.parametrize("name", CASES)
def test_auto_knows_each_format_and_says_its_container(name: str, tmp_path: Path) -> None:
    content, expected, words = CASES[name]
    path = tmp_path / "a"
    if callable(content):
        content(path)
    else:
        path.write_bytes(content)
    source = open_input(str(path))
    try:
        look = look_at(source)
        entry, _ = recognise(look, ImportOptions())
        assert entry.name == expected
        assert look.words == words
    finally:
        source.close()


def fails(tmp_path: Path, content: bytes, name: str = "a.csv") -> str:
    path = tmp_path / name
    path.write_bytes(content)
    source = open_input(str(path))
    try:
        with pytest.raises(HumobError) as caught:
            recognise(look_at(source), ImportOptions())
    finally:
        source.close()
    return str(caught.value)


def test_what_is_not_known_is_described(tmp_path: Path) -> None:
    said = fails(tmp_path, b"a,b\n1,2\n")
    says(said, "a.csv", "a, b", "CSV, header", "--columns")
    said = fails(tmp_path, b"1,2,3\n")
    says(said, "without a header", 3, "fields", "CSV, no header")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"x,y,POIcategory,POI_count\n1,2,3,4\n"),
        ("cell_POIcat.csv", b"1,2,3,4\n"),
        ("a.csv", b"x,y,category,POI_count\n1,2,3,4\n"),
    ],
)
def test_places_by_cell_need_to_know_where_the_cells_are(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    source = open_input(str(path))
    with raises(UsageError, "--grid", "--axes"):
        recognise(look_at(source), ImportOptions())
    entry, _ = recognise(look_at(source), ImportOptions(grid=parse_grid("500m@40,-30")))
    assert entry.name == "cell-poicat"
    source.close()


def test_folders_are_known_by_what_is_in_them(tmp_path: Path) -> None:
    with raises(HumobError, "found folder"):
        recognise(InputProbe(str(tmp_path), folder=tmp_path), ImportOptions())
    (tmp_path / "a.json").write_text("[]")
    entry, _ = recognise(InputProbe(str(tmp_path), folder=tmp_path), ImportOptions())
    assert entry.name == "copb-traces"
    (tmp_path / "a.plt").write_text("")
    entry, _ = recognise(InputProbe(str(tmp_path), folder=tmp_path), ImportOptions())
    assert entry.name == "geolife"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    look = InputProbe("there", folder=tmp_path)
    for entry in FORMATS:
        if entry.name not in ("geolife", "copb-traces"):
            with raises(HumobError, "there", "directory"):
                entry.read(look, ImportOptions())


def test_the_command_offers_every_format() -> None:
    offered = set(get_args(InputFormat))
    assert offered == {"auto", *(entry.name for entry in FORMATS)}
    assert len({entry.name for entry in FORMATS}) == len(FORMATS)

"""The places of visits and check-ins."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.data.importers.places.fixtures import imported, refused
from tests.messages import says

STAYS = (
    "uid,seq,start_min,end_min,place_id,lon,lat\n"
    "1,0,0,540,h,116.31,39.91\n1,1,570,1080,w,116.35,39.95\n1,2,1110,1440,h,116.31,39.91\n"
)


def test_each_place_of_the_stays_once(save, capsys) -> None:
    places = imported(save(STAYS), wanted="places")
    assert places.rows() == [
        ("h", None, None, None, 39.91, 116.31),
        ("w", None, None, None, 39.95, 116.35),
    ]
    says(capsys.readouterr().err, "stay list (CSV, header)", "2 places", "any intent 2")


def test_places_that_move_are_told_of(save, capsys) -> None:
    moved = STAYS + "2,0,0,1440,h,116.33,39.91\n"
    assert imported(save(moved), wanted="places")["lon"].to_list() == [116.31, 116.35]
    says(capsys.readouterr().err, "1 place", "several coordinates", "first")


def test_check_ins_with_categories(save, capsys) -> None:
    rows = [
        "1,v1,c,Coffee Shop,40.7,-74,-240,Tue Apr 03 18:00:09 +0000 2012",
        "2,v2,c,Bus Station,40.8,-74,-240,Tue Apr 03 18:00:09 +0000 2012",
        "2,v1,c,Coffee Shop,40.7,-74,-240,Wed Apr 04 18:00:09 +0000 2012",
    ]
    path = save("\n".join(row.replace(",", "\t") for row in rows) + "\n", "tsmc.txt")
    places = imported(path, wanted="places")
    assert places.rows() == [("v1", None, "Coffee Shop", "eat", 40.7, -74.0)]
    says(capsys.readouterr().err, "left out 1 without an intent", "Bus Station 1")


def test_no_place_of_any_intent(save) -> None:
    text = "uid,datetime,lat,lon,place_id,category\n1,2020-01-01,1,2,a,Bus Stop\n"
    said = refused(save(text), wanted="places")
    says(said, "no place", "left out 1 without an intent", "Bus Stop 1")


def test_rows_without_a_place(save, capsys) -> None:
    text = "uid,datetime,lat,lon,place_id\n1,2020-01-01,1,2,a\n1,2020-01-02,3,4,\n"
    assert imported(save(text), wanted="places")["place_id"].to_list() == ["a"]
    says(capsys.readouterr().err, "left out 1", "without a place id")
    bare = "uid,datetime,lat,lon\n1,2020-01-01,1,2\n"
    says(refused(save(bare), wanted="places"), "place ids")


def test_a_grid_trajectory_names_no_places(save) -> None:
    said = refused(save("uid,d,t,x,y\n1,0,0,5,6\n"), wanted="places")
    says(said, "--as places", "grid trajectory")


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"timezone": "Asia/Tokyo"}, "--timezone"),
        ({"uid_map": "u.csv"}, "--uid-map"),
        ({"shift_days": 1}, "--shift-days"),
    ],
)
def test_options_without_use(save, options: dict[str, object], flag: str) -> None:
    says(refused(save(STAYS), wanted="places", **options), flag, "place table")
    says(refused(save(STAYS), mapping="m.csv"), "--mapping", "visit table")
    says(refused(save(STAYS), keep_unmapped=True), "--keep-unmapped")


def test_the_stays_of_beijing(shared_data: Path) -> None:
    path = shared_data / "beijing" / "stays.parquet"
    places = imported(path, wanted="places")
    stays = pl.read_parquet(path)
    assert places.height == stays["place_id"].n_unique()
    first = stays.unique("place_id", keep="first").select(pl.col("place_id").cast(pl.String), "lat")
    assert places.join(first, on=["place_id", "lat"]).height == places.height
    assert places["intent"].null_count() == places.height

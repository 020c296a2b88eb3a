"""The places of visits and check-ins."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.data.importers.places.fixtures import imported, refused

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
    assert "stay list (CSV, header): 2 places: any intent 2\n" in capsys.readouterr().err


def test_places_that_move_are_told_of(save, capsys) -> None:
    moved = STAYS + "2,0,0,1440,h,116.33,39.91\n"
    assert imported(save(moved), wanted="places")["lon"].to_list() == [116.31, 116.35]
    assert "1 place with several coordinates: the first were taken" in capsys.readouterr().err


def test_check_ins_with_categories(save, capsys) -> None:
    rows = [
        "1,v1,c,Coffee Shop,40.7,-74,-240,Tue Apr 03 18:00:09 +0000 2012",
        "2,v2,c,Bus Station,40.8,-74,-240,Tue Apr 03 18:00:09 +0000 2012",
        "2,v1,c,Coffee Shop,40.7,-74,-240,Wed Apr 04 18:00:09 +0000 2012",
    ]
    path = save("\n".join(row.replace(",", "\t") for row in rows) + "\n", "tsmc.txt")
    places = imported(path, wanted="places")
    assert places.rows() == [("v1", None, "Coffee Shop", "eat", 40.7, -74.0)]
    assert "left out 1 of no intent (Bus Station 1)" in capsys.readouterr().err


def test_no_place_of_any_intent(save) -> None:
    text = "uid,datetime,lat,lon,place_id,category\n1,2020-01-01,1,2,a,Bus Stop\n"
    assert "found no place of any intent (left out 1 of no intent (Bus Stop 1)" in refused(
        save(text), wanted="places"
    )


def test_rows_without_a_place(save, capsys) -> None:
    text = "uid,datetime,lat,lon,place_id\n1,2020-01-01,1,2,a\n1,2020-01-02,3,4,\n"
    assert imported(save(text), wanted="places")["place_id"].to_list() == ["a"]
    assert "left out 1 row without a place id" in capsys.readouterr().err
    bare = "uid,datetime,lat,lon\n1,2020-01-01,1,2\n"
    assert "found no place ids, expected some" in refused(save(bare), wanted="places")


def test_a_grid_trajectory_names_no_places(save) -> None:
    said = refused(save("uid,d,t,x,y\n1,0,0,5,6\n"), wanted="places")
    assert said == "--as places does nothing for a grid trajectory table"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timezone": "Asia/Tokyo"}, "--timezone does nothing for a place table"),
        ({"uid_map": "u.csv"}, "--uid-map does nothing for a place table"),
        ({"shift_days": 1}, "--shift-days does nothing for a place table"),
    ],
)
def test_options_without_use(save, options: dict[str, object], said: str) -> None:
    assert refused(save(STAYS), wanted="places", **options) == said
    assert "--mapping does nothing for a visit table" in refused(save(STAYS), mapping="m.csv")
    assert "--keep-unmapped does nothing" in refused(save(STAYS), keep_unmapped=True)


def test_the_stays_of_beijing(shared_data: Path) -> None:
    path = shared_data / "beijing" / "stays.parquet"
    places = imported(path, wanted="places")
    stays = pl.read_parquet(path)
    assert places.height == stays["place_id"].n_unique()
    first = stays.unique("place_id", keep="first").select(pl.col("place_id").cast(pl.String), "lat")
    assert places.join(first, on=["place_id", "lat"]).height == places.height
    assert places["intent"].null_count() == places.height

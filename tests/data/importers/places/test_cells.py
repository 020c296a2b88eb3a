"""HuMob's places by cell."""

from __future__ import annotations

import gzip

import polars as pl
import pytest

from humobctl.tables.grid import parse_grid
from tests.data.importers.places.fixtures import imported, refused
from tests.messages import says

GRID = parse_grid("500m@40,-30,200x200", "east,north")
CELLS = "x,y,POIcategory,POI_count\n1,1,4,2\n200,200,81,1\n7,8,48,3\n"


def test_each_of_the_counted_is_a_place_in_its_cell(save, capsys) -> None:
    places = imported(save(CELLS, "cell_POIcat.csv"), grid=GRID)
    assert places.select("place_id", "category", "intent").rows() == [
        ("1-1-4-1", "Japanese restaurant", "eat"),
        ("1-1-4-2", "Japanese restaurant", "eat"),
        ("200-200-81-1", "Heavy Industry", "go to work"),
    ]
    x, y = GRID.cell(pl.col("lat"), pl.col("lon"))
    assert places.select(x.alias("x"), y.alias("y")).rows() == [(1, 1), (1, 1), (200, 200)]
    assert places["lat"][0] != places["lat"][1]
    said = capsys.readouterr().err
    says(said, "HuMob places by cell (CSV, header)", 3, "go to work 1", "eat 2")
    says(said, "left out 3", "Transit Station 3")


def test_the_same_file_gives_the_same_places(save) -> None:
    body = CELLS.split("\n", 1)[1]
    plain = imported(save(CELLS), grid=GRID)
    assert imported(save(gzip.compress(body.encode()), "cell_POIcat.csv.gz"), grid=GRID).equals(
        plain
    )
    named = CELLS.replace("POIcategory", "category")
    assert imported(save(named), grid=GRID).equals(plain)


def test_places_fill_their_cell(save) -> None:
    places = imported(save("x,y,POIcategory,POI_count\n1,1,1,5000\n"), grid=GRID)
    north = (places["lat"] - 40) / (500 / 6_371_008.8) * 3.141592653589793 / 180
    assert north.min() == pytest.approx(0, abs=0.01)
    assert north.max() == pytest.approx(1, abs=0.01)
    assert north.mean() == pytest.approx(0.5, abs=0.02)


def test_axes_may_point_elsewhere(save) -> None:
    south = parse_grid("500m@40,-30,200x200", "east,south")
    assert imported(save(CELLS), grid=south)["lat"].max() < 40


def test_cells_outside_the_grid(save, capsys) -> None:
    small = parse_grid("500m@40,-30,100x100")
    says(refused(save(CELLS), grid=small), "column x, y", "200, 200", "--grid", "100 x 100")
    assert imported(save(CELLS), grid=small, outside="drop").height == 2
    says(capsys.readouterr().err, "dropped", 1, "outside the grid")


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ("0,1,1,1", ("column x", 0, 1)),
        ("1,1,1,0", ("column count", 0, 1)),
        ("1,1,1,x", ("column count", "'x'")),
        ("1,1,4,5", ("(1, 1, '4')", "second")),
    ],
)
def test_faults(save, row: str, names: tuple[str, ...]) -> None:
    says(refused(save(f"{CELLS}{row}\n"), grid=GRID), *names)


def test_other_columns_and_no_place_of_any_intent(save) -> None:
    renamed = {"dim": "category", "n": "count"}
    places = imported(
        save("x,y,dim,n\n1,1,9,1\n", "cell_POIcat.csv"), "cell-poicat", grid=GRID, columns=renamed
    )
    assert places["category"].to_list() == ["Ramen restaurant"]
    other = save("x,y,n\n1,1,9\n")
    said = refused(other, "cell-poicat", grid=GRID)
    says(said, "columns x, y, n", "x, y, POIcategory, POI_count", "missing: category, count")
    said = refused(save("x,y,POIcategory,POI_count\n1,1,99,1\n"), grid=GRID)
    says(said, "no place", "left out 1", "(99 1)", "--mapping")

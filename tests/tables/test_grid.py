"""Points to cells and back, by hand and for any grid."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humobctl.errors import HumobError
from humobctl.tables.grid import EARTH_RADIUS, Grid, parse_grid
from tests.messages import raises

METRES_PER_DEGREE = EARTH_RADIUS * math.pi / 180  # 111195.08 m


def cells(grid: Grid, points: list[tuple[float, float]]) -> list[tuple[int, int]]:
    frame = pl.DataFrame(points, schema=["lat", "lon"], orient="row")
    x, y = grid.cell(pl.col("lat"), pl.col("lon"))
    return frame.select(x.alias("x"), y.alias("y")).rows()


def centres(grid: Grid, places: list[tuple[int, int]]) -> list[tuple[float, float]]:
    frame = pl.DataFrame(places, schema=["x", "y"], orient="row")
    lat, lon = grid.centre(pl.col("x"), pl.col("y"))
    return frame.select(lat.alias("lat"), lon.alias("lon")).rows()


def test_cells_on_the_equator_worked_out_by_hand() -> None:
    # On the equator a degree is 111195 m both ways: 0.01 degrees are 1112 m, the third cell of 500.
    grid = Grid(500, 0.0, 10.0, 10, 10)
    found = cells(grid, [(0.001, 10.001), (0.01, 10.001), (0.001, 10.01), (-0.001, 10.001)])
    assert found == [(1, 1), (1, 3), (3, 1), (1, 0)]


def test_east_west_lengths_shrink_with_the_cosine_of_the_latitude() -> None:
    # At 60 degrees north cos is one half: 0.01 degrees of longitude are 556 m, the second cell.
    assert cells(Grid(500, 60.0, 10.0), [(60.001, 10.01)]) == [(2, 1)]


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        (("east", "north"), (3, 5)),
        (("east", "south"), (3, -4)),
        (("west", "north"), (-2, 5)),
        (("west", "south"), (-2, -4)),
        (("north", "east"), (5, 3)),
        (("south", "east"), (-4, 3)),
        (("south", "west"), (-4, -2)),
    ],
)
def test_axes_say_which_way_x_and_y_grow(axes: tuple[str, str], expected: tuple[int, int]) -> None:
    # 1250 m east and 2250 m north of the origin: the third and the fifth cell of 500 m.
    point = (2250 / METRES_PER_DEGREE, 1250 / METRES_PER_DEGREE)
    assert cells(Grid(500, 0.0, 0.0, axes=axes), [point]) == [expected]


def test_centre_of_the_first_cell_lies_half_a_cell_from_the_origin() -> None:
    ((lat, lon),) = centres(Grid(1000, 0.0, 20.0, axes=("east", "south")), [(1, 1)])
    assert lat == pytest.approx(-500 / METRES_PER_DEGREE, abs=1e-12)
    assert lon == pytest.approx(20 + 500 / METRES_PER_DEGREE, abs=1e-12)


def test_a_grid_may_lie_across_the_date_line() -> None:
    grid = Grid(500, 0.0, 179.999)
    assert cells(grid, [(0.001, -179.999)]) == [(1, 1)]
    ((_, lon),) = centres(grid, [(10, 1)])
    assert -180 <= lon < -179


AXES = [
    (a, b)
    for a in ("east", "west", "north", "south")
    for b in ("east", "west", "north", "south")
    if (a in ("east", "west")) != (b in ("east", "west"))
]


@given(
    grid=st.builds(
        Grid,
        cell_size=st.floats(10, 5000),
        lat=st.floats(-65, 65),
        lon=st.floats(-180, 180),
        axes=st.sampled_from(AXES),
    ),
    place=st.tuples(st.integers(1, 200), st.integers(1, 200)),
    within=st.tuples(st.floats(-0.49, 0.49), st.floats(-0.49, 0.49)),
)
def test_point_to_cell_to_centre_stays_within_half_a_cell(
    grid: Grid, place: tuple[int, int], within: tuple[float, float]
) -> None:
    ((lat, lon),) = centres(grid, [place])
    wide = METRES_PER_DEGREE * math.cos(math.radians(grid.lat))
    point = (
        lat + within[0] * grid.cell_size / METRES_PER_DEGREE,
        lon + within[1] * grid.cell_size / wide,
    )
    assert cells(grid, [point]) == [place]


@pytest.mark.parametrize(
    ("text", "grid"),
    [
        ("500m@39.60,116.00", Grid(500, 39.6, 116.0)),
        ("500@39.60,116.00,100x50", Grid(500, 39.6, 116.0, 100, 50)),
        (" 0.5km @ -33.9, -70.7 , 20 x 30 ", Grid(500, -33.9, -70.7, 20, 30)),
    ],
)
def test_grids_are_read_from_text(text: str, grid: Grid) -> None:
    assert parse_grid(text) == grid


def test_axes_are_read_from_text() -> None:
    assert parse_grid("1km@1,2", "East, south").axes == ("east", "south")


@pytest.mark.parametrize(
    ("text", "axes", "names"),
    [
        ("500m", None, ("--grid", "'500m'", "CELL@LAT,LON")),
        ("500m@1.2.3,4", None, ("--grid", "'500m@1.2.3,4'")),
        ("0m@1,2", None, ("cell size", 0)),
        ("500m@95,2", None, ("latitude", 95)),
        ("500m@5,200", None, ("longitude", 200)),
        ("500m@5,20,0x5", None, ("0 x 5",)),
        ("500m@5,20", "east", ("--axes", "'east'", "two")),
        ("500m@5,20", "east,west", ("east,west", "one of east and west")),
        ("500m@5,20", "up,down", ("axes", "up,down")),
    ],
)
def test_what_is_no_grid_is_named(text: str, axes: str | None, names: tuple[str, ...]) -> None:
    with raises(HumobError, *names):
        parse_grid(text, axes)


def test_a_grid_says_what_it_is() -> None:
    words = str(parse_grid("500m@39.6,116,20x30", "east,south"))
    assert words == "20 x 30 cells of 500 m from 39.6, 116; x grows east, y grows south"

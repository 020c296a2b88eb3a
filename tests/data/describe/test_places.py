"""Describing a table of places."""

from __future__ import annotations

import json

import pytest

from humobctl.data.describe.places import describe_places
from humobctl.data.importers.table_kind import find_table
from humobctl.io.streams import open_input
from humobctl.tables.schemas import PLACES
from tests.conftest import Cli
from tests.messages import fails

# Three places on a line to the north: 0, 1.2 and 10 km (a degree of latitude is 111.195 km).
TABLE = (
    "place_id,name,category,intent,lat,lon\n"
    f"a,A,cafe,eat,{10:.7f},20\nb,,cafe,eat,{10 + 1.2 / 111.1950802:.7f},20\n"
    f"c,,,,{10 + 10 / 111.1950802:.7f},20\n"
)


def test_counts_extent_and_density(save) -> None:
    found = describe_places(save(TABLE), cell_km=5.0)
    assert (found.places, found.categories) == (3, 1)
    assert found.intents == {"eat": 2, "any intent": 1}
    assert found.top_categories == {"cafe": 2}
    assert (found.without_name, found.without_category) == (2, 1)
    assert found.height_km == pytest.approx(10, abs=1e-4)
    assert found.width_km == 0
    assert found.places_per_km2 is None
    assert found.bounding_box["south"] == pytest.approx(10)
    assert found.bounding_box["north"] == pytest.approx(10.0899, abs=1e-4)
    # The plane's middle is place b: a is 1.2 km south of it, in the cell below.
    assert found.cells == 3
    assert found.places_per_cell.mean == 1
    wide = describe_places(save(TABLE), cell_km=50.0)
    assert (wide.cells, wide.places_per_cell.max) == (2, 2)


def test_density_of_a_square_and_the_date_line(save) -> None:
    rows = "".join(f"p{i}{j},{i * 0.01},{179.995 + j * 0.01:.3f}\n" for i in (0, 1) for j in (0, 1))
    rows = rows.replace("180.005", "-179.995")
    found = describe_places(save(f"place_id,lat,lon\n{rows}"))
    side = 0.01 * 111.1950802
    assert (found.width_km, found.height_km) == pytest.approx((side, side), rel=1e-4)
    assert found.places_per_km2 == pytest.approx(4 / side**2, rel=1e-3)
    assert found.bounding_box["west"] == pytest.approx(179.995)
    assert found.bounding_box["east"] == pytest.approx(-179.995)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (TABLE, True),
        ("uid,d,t,x,y\n1,0,0,1,1\n", False),
        ("uid,datetime,lat,lon,place_id\n1,2020-01-01,1,2,a\n", False),
        ("a,1.5,2.5\n", False),
    ],
)
def test_what_is_a_place_table(save, text: str, places: bool) -> None:
    path = save(text)
    assert (find_table(path) is PLACES) == places
    source = open_input(path)  # nothing of it was used up
    assert source.stream.read().decode() == text
    source.close()


def test_the_command(cli: Cli) -> None:
    done = cli("data", "describe", "--cell-km", "50", input=TABLE)
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert (found["source"], found["places"], found["cells"]) == ("stdin", 3, 2)
    done = cli("data", "describe", "--format", "table", input=TABLE)
    for text in ("places per square km", "any intent", "66.7%", "cafe"):
        assert text in done.out


def test_a_fault_is_one_line(cli: Cli) -> None:
    done = cli("data", "describe", input=TABLE + "c,,,,1,2\n")
    fails(done, "stdin", "row 4", "line 5", "column place_id", "found c", "once")

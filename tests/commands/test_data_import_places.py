"""``humobctl data import`` of places, as people call it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import polars as pl
import pytest

from humobctl.io.read import read_table
from humobctl.tables.schemas import PLACES
from tests.conftest import STAYS, Cli
from tests.messages import fails, says

TABLE = "place_id,category,lat,lon\na,cafe,39.9,116.3\nb,bench,39.9,116.3\nc,museum,39.9,116.4\n"
HEAD = "place_id,name,category,intent,lat,lon"


def test_a_pipe_through_and_what_is_said(cli: Cli) -> None:
    done = cli("data", "import", input=TABLE)
    assert (done.code, done.out.splitlines()) == (
        0,
        [
            HEAD,
            "a,,cafe,eat,39.9,116.3",
            "c,,museum,cultural institutions and events,39.9,116.4",
        ],
    )
    counts = ("2 places", "eat 1", "cultural institutions and events 1")
    says(done.err, "stdin", "CSV, header", *counts)
    says(done.err, "left out 1", "bench 1", "--mapping", "--keep-unmapped")
    assert done.err.count("\n") == 2
    assert cli("data", "import", "--quiet", input=TABLE).err == ""


@pytest.mark.parametrize("to", ["csv", "ndjson", "parquet", "arrow"])
def test_what_comes_out_is_a_place_table(cli: Cli, tmp_path: Path, to: str) -> None:
    (tmp_path / "a.csv").write_text(TABLE)
    done = cli("data", "import", "a.csv", "-o", f"b.{to}", cwd=tmp_path)
    assert done.code == 0, done.err
    table = read_table(str(tmp_path / f"b.{to}"), PLACES)
    assert table["place_id"].to_list() == ["a", "c"]
    again = cli("data", "import", f"b.{to}", cwd=tmp_path)
    assert again.out == cli("data", "import", "--quiet", "a.csv", cwd=tmp_path).out


def test_a_mapping_of_the_users_own(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("category,intent\nbench,excursion\nmuseum,\n")
    done = cli("data", "import", "--mapping", "m.csv", input=TABLE, cwd=tmp_path)
    assert pl.read_csv(io.StringIO(done.out))["intent"].to_list() == ["eat", "excursion"]
    (tmp_path / "m.csv").write_text("category,intent\nbench,sitting\n")
    done = cli("data", "import", "--mapping", "m.csv", input=TABLE, cwd=tmp_path)
    assert done.out == ""
    fails(done, "m.csv", "line 2", "column intent", "'sitting'")


def test_unmapped_places_can_be_kept(cli: Cli) -> None:
    done = cli("data", "import", "--keep-unmapped", input=TABLE)
    assert "b,,bench,,39.9,116.3" in done.out.splitlines()
    counts = ("eat 1", "cultural institutions and events 1", "any intent 1")
    says(done.err, "3 places", *counts)


def test_stays_are_visits_unless_places_are_wanted(cli: Cli) -> None:
    assert cli("data", "import", input=STAYS).out.startswith("uid,d,seq,intent,start_min")
    done = cli("data", "import", "--as", "places", input=STAYS)
    assert done.out == f"{HEAD}\nhome,,,,39.91,116.31\noffice,,,,39.95,116.35\n"


def test_the_synthetic_citys_own_places(cli: Cli, tmp_path: Path) -> None:
    made = cli(
        "data", "synth", "--users", "2", "--places", "places.csv", "-o", "c.csv", cwd=tmp_path
    )
    assert made.code == 0, made.err
    done = cli("data", "import", "--as", "places", "places.csv", cwd=tmp_path)
    assert done.out == (tmp_path / "places.csv").read_text()
    says(done.err, "6,000 places", "go to work")


def test_cells_need_a_grid(cli: Cli) -> None:
    cells = "x,y,POIcategory,POI_count\n1,1,4,2\n"
    done = cli("data", "import", input=cells)
    fails(done, "stdin", "--grid", "--axes", code=2)
    where = ("--grid", "500m@40,-30", "--axes", "east,north")
    assert cli("data", "import", *where, input=cells).out.count("Japanese restaurant,eat") == 2


USAGE = {
    "a grid trajectory": (
        ["--as", "places"],
        "uid,d,t,x,y\n1,0,0,1,1\n",
        ("--as places", "grid trajectory"),
    ),
    "a mapping for points": (
        ["--mapping", "m.csv"],
        "uid,datetime,lat,lon\n1,2020-01-01,1,2\n",
        ("--mapping", "point trajectory"),
    ),
    "a grid for places": (["--grid", "1km@0,0"], TABLE, ("--grid", "place table")),
}


@pytest.mark.parametrize("case", USAGE)
def test_wrong_usage(cli: Cli, case: str) -> None:
    options, text, names = USAGE[case]
    done = cli("data", "import", *options, input=text)
    assert done.out == ""
    fails(done, *names, code=2)


def test_a_failed_import_leaves_no_file(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(TABLE + "d,cafe,95,1\n")
    done = cli("data", "import", "a.csv", "-o", "b.csv", cwd=tmp_path)
    fails(done, "a.csv", "row 4", "line 5", "column lat", 95)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_openstreetmap_through_a_pipe(cli: Cli, helsinki: Path, tmp_path: Path) -> None:
    done = cli("data", "import", "-", "-o", "p.csv", input=helsinki.read_bytes(), cwd=tmp_path)
    assert done.code == 0, done.err
    says(done.err, "stdin", "OpenStreetMap (PBF)")
    assert re.search(r": 1,4\d\d places", done.err)
    plain = cli("data", "import", helsinki)
    assert plain.out == (tmp_path / "p.csv").read_text()
    wrong = cli("predict", helsinki)
    fails(wrong, helsinki.name, "OpenStreetMap", "humobctl data import")

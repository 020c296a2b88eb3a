"""``data export``: what stands in the files, and which tables each format takes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest

import humobctl as hm
from humobctl.api.export import ExportFormat
from humobctl.api.options import OutputFormat
from humobctl.data.export.run import FORMATS
from humobctl.io import streams
from tests.conftest import Cli
from tests.messages import fails, raises, says

POINTS = """uid,datetime,lat,lon
a&b,2024-01-01T08:00:00,39.123456789012345,116.1
a&b,2024-01-01T09:00:00.5,39.2,-1e-7
c,2024-01-01T08:00:00,39.3,116.3
"""
VISITS = """uid,d,seq,intent,start_min,end_min,place_id,lat,lon
1,0,0,go home,0,480,h,39.1,116.1
1,0,1,go to work,540,1440,w,39.2,116.2
2,1,0,eat,600,660,,39.3,116.3
"""
TIMED = """uid,d,seq,intent,start_min,end_min,place_id,lat,lon,started_at,finished_at
1,0,0,go home,1380,1440,h,39.1,116.1,2024-01-01T23:00:30,2024-01-02T07:00:00
1,1,0,go home,0,420,h,39.1,116.1,2024-01-01T23:00:30,2024-01-02T07:00:00
1,1,1,,500,560,w,39.2,116.2,2024-01-02T08:20:00,2024-01-02T09:20:00
"""
TRIPS = """uid,trip,started_at,finished_at,origin,destination,origin_lat,origin_lon,\
destination_lat,destination_lon,distance_m,duration_min,points,line
1,0,2024-01-01T08:00:00,2024-01-01T08:00:40,h,w,1,2,1,6,10,1,3,"LINESTRING (2 1, 3 1, 6 1)"
1,1,2024-01-01T17:00:00,2024-01-01T18:00:00,w,h,1,6,1,2,10,1,0,
"""
LEGS = """uid,leg,trip,started_at,finished_at,distance_m,points,line
1,0,0,2024-01-01T08:00:00,2024-01-01T08:00:40,10,3,"LINESTRING (2 1, 3 1, 6 1)"
1,1,,2024-01-01T17:00:00,2024-01-01T18:00:00,10,0,
"""
CELLS = "uid,d,t,x,y\n7,0,16,1,2\n7,0,18,999,999\n7,1,0,3,1\n"
FLOWS = "origin,destination,flow\nA,B,6.25\nB,B,3\n"
AREAS = "area_id,lat,lon,population\nA,42,-74,10\nB,42.5,-74.5,20\n"
PLACES = 'place_id,name,category,intent,lat,lon\np,"Bäcker ""<1>""",bakery,eat,39.1,116.1\n'
PAIRS = "home_lat,home_lon,work_lat,work_lon\n39.95,116.35,39.91,116.45\n"
PLANS = "uid,d,seq,intent,start_min,end_min,reason\n1,0,0,go to sleep,0,492,night\n"
TABLES = {
    **{"points": POINTS, "visits": VISITS, "timed": TIMED, "trips": TRIPS, "cells": CELLS},
    **{"flows": FLOWS, "areas": AREAS, "places": PLACES, "pairs": PAIRS, "plans": PLANS},
    "legs": LEGS,
}
GRID = ("--grid", "1km@0,10,3x3", "--axes", "east,north")
DAY = ("--start-date", "2024-01-01")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables as files."""
    place = tmp_path_factory.mktemp("tables")
    for name, text in TABLES.items():
        (place / f"{name}.csv").write_text(text)
    return place


def exported(cli: Cli, folder: Path, table: str, *options: str) -> str:
    """What an export writes to standard output."""
    done = cli("data", "export", f"{table}.csv", "-o", "-", *options, cwd=folder)
    assert done.code == 0, done.err
    return done.out


def features(text: str) -> list[dict[str, Any]]:
    """The features of GeoJSON."""
    collection = json.loads(text)
    assert collection["type"] == "FeatureCollection"
    return collection["features"]


def test_every_format_can_be_named() -> None:
    assert OutputFormat.__args__ == streams.FORMATS  # type: ignore[attr-defined]
    assert set(ExportFormat.__args__) == set(FORMATS)  # type: ignore[attr-defined]


# -- GeoJSON ------------------------------------------------------------------------------------


def test_points_are_features_of_full_precision(folder: Path, cli: Cli) -> None:
    first, second, third = features(exported(cli, folder, "points", "--to", "geojson"))
    assert first == {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [116.1, 39.123456789012345]},
        "properties": {"uid": "a&b", "datetime": "2024-01-01T08:00:00"},
    }
    assert second["geometry"]["coordinates"] == [-1e-7, 39.2]
    assert second["properties"]["datetime"] == "2024-01-01T09:00:00.500"
    assert third["properties"]["uid"] == "c"


def test_visits_get_times_from_the_date_of_day_0(folder: Path, cli: Cli) -> None:
    plain = features(exported(cli, folder, "visits", "--to", "geojson"))
    assert plain[1]["properties"] == {
        **{"uid": 1, "d": 0, "seq": 1, "intent": "go to work"},
        **{"start_min": 540, "end_min": 1440, "place_id": "w"},
    }
    zone = ("--timezone", "Asia/Shanghai")
    dated = features(exported(cli, folder, "visits", "--to", "geojson", *DAY, *zone))
    assert dated[1]["properties"]["started_at"] == "2024-01-01T09:00:00+08:00"
    assert dated[1]["properties"]["finished_at"] == "2024-01-02T00:00:00+08:00"
    assert dated[2]["properties"]["place_id"] is None


def test_cells_are_polygons_of_the_grid(folder: Path, cli: Cli) -> None:
    done = cli(*("data", "export", "cells.csv", "-o", "c.geojson", *GRID, *DAY), cwd=folder)
    says(done.err, 1, "masked")
    first, second = features((folder / "c.geojson").read_text())
    ring = first["geometry"]["coordinates"][0]
    km = 1 / 111.19508
    assert sorted({round(lon, 6) for lon, _ in ring}) == [10, round(10 + km, 6)]
    assert sorted({round(lat, 6) for _, lat in ring}) == [round(km, 6), round(2 * km, 6)]
    assert first["properties"] == {
        **{"uid": 7, "d": 0, "t": 16, "x": 1, "y": 2, "datetime": "2024-01-01T08:00:00"}
    }
    assert second["properties"]["datetime"] == "2024-01-02T00:00:00"


def test_flows_are_lines_between_areas(folder: Path, cli: Cli) -> None:
    lines = features(exported(cli, folder, "flows", "--to", "geojson", "--areas", "areas.csv"))
    assert [line["geometry"]["coordinates"] for line in lines] == [
        [[-74, 42], [-74.5, 42.5]],
        [[-74.5, 42.5], [-74.5, 42.5]],
    ]
    assert lines[0]["properties"] == {"origin": "A", "destination": "B", "flow": 6.25}


def test_pairs_are_lines_and_places_points(folder: Path, cli: Cli) -> None:
    (pair,) = features(exported(cli, folder, "pairs", "--to", "geojson"))
    assert pair["geometry"]["coordinates"] == [[116.35, 39.95], [116.45, 39.91]]
    assert pair["properties"] == {}
    (place,) = features(exported(cli, folder, "places", "--to", "geojson"))
    assert place["properties"]["name"] == 'Bäcker "<1>"'


def test_any_command_writes_geometries_by_the_ending(tmp_path: Path, cli: Cli) -> None:
    done = cli("data", "import", "-", "-o", "p.geojson.gz", input=POINTS, cwd=tmp_path)
    assert done.code == 0, done.err
    text = gzip.decompress((tmp_path / "p.geojson.gz").read_bytes()).decode()
    assert len(features(text)) == 3
    done = cli("data", "synth", "-n", "1", "--days", "1", "-o", "x.geojson", cwd=tmp_path)
    fails(done, "x.geojson", "x", "lat", "data export --grid", code=2)
    done = cli("data", "import", "-", "-o", "p.gpkg.gz", input=POINTS, cwd=tmp_path)
    fails(done, "p.gpkg.gz", ".gz", code=2)
    assert [path.name for path in tmp_path.iterdir()] == ["p.geojson.gz"]


def test_gpx_holds_no_lines_that_no_user_moves_along(tmp_path: Path) -> None:
    pairs = pl.read_csv(PAIRS.encode())
    with raises(hm.UsageError, "p.gpx", "home_lat", "geojson"):
        hm.write(pairs, tmp_path / "p.gpx")


def test_the_library_exports_frames(tmp_path: Path) -> None:
    flows = pl.DataFrame({"origin": ["A"], "destination": ["B"], "flow": [2.0]})
    areas = pl.DataFrame(
        {"area_id": ["A", "B"], "lat": [1.0, 2.0], "lon": [3.0, 4.0], "population": [1, 1]}
    )
    done = hm.export(flows.lazy(), output=tmp_path / "f.geojson", areas=areas)
    assert done.rows() == [(str(tmp_path / "f.geojson"), 1)]
    (line,) = features((tmp_path / "f.geojson").read_text())
    assert line["geometry"]["coordinates"] == [[3, 1], [4, 2]]


def test_the_library_takes_frames(tmp_path: Path) -> None:
    trips = pl.DataFrame(
        {
            "origin_lat": [1.0, 1.0, None],
            "origin_lon": [2.0, 2.0, None],
            "destination_lat": [3.0, 3.0, 3.0],
            "destination_lon": [4.0, 4.0, 4.0],
            "line": ["LINESTRING (2 1, 3 3, 4 3)", None, None],
        }
    )
    hm.write(trips, tmp_path / "t.geojson")
    shapes = [one["geometry"] for one in features((tmp_path / "t.geojson").read_text())]
    assert shapes[0]["coordinates"] == [[2, 1], [3, 3], [4, 3]]
    assert shapes[1]["coordinates"] == [[2, 1], [4, 3]]
    assert shapes[2] is None
    with raises(hm.HumobError, "line", "'POINT (1 2)'"):
        hm.write(trips.with_columns(line=pl.lit("POINT (1 2)")), tmp_path / "u.geojson")
    assert not (tmp_path / "u.geojson").exists()
    hm.write(trips.head(0), tmp_path / "none.geojson")
    assert features((tmp_path / "none.geojson").read_text()) == []


# -- GPX ----------------------------------------------------------------------------------------

NAMES = {"g": "http://www.topografix.com/GPX/1/1"}


def parse_gpx(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 - of our own files


def test_gpx_has_a_track_for_each_user(folder: Path, cli: Cli) -> None:
    zone = ("--timezone", "Asia/Shanghai")
    root = parse_gpx(exported(cli, folder, "points", "--to", "gpx", *zone))
    assert [one.text for one in root.iterfind("g:trk/g:name", NAMES)] == ["a&b", "c"]
    points = root.findall("g:trk/g:trkseg/g:trkpt", NAMES)
    assert [one.attrib["lat"] for one in points] == ["39.123456789012344", "39.2", "39.3"]
    times = [one.text for one in root.iterfind(".//g:time", NAMES)]
    assert times == ["2024-01-01T00:00:00Z", "2024-01-01T01:00:00.500Z", "2024-01-01T00:00:00Z"]


def test_gpx_has_visits_and_places_as_waypoints(folder: Path, cli: Cli) -> None:
    done = cli("data", "export", "timed.csv", "-o", "v.gpx", cwd=folder)
    says(done.err, "GPX", "finished_at")
    says(done.err, "UTC", "--timezone")
    waypoint = parse_gpx((folder / "v.gpx").read_text()).find("g:wpt", NAMES)
    assert waypoint is not None
    assert [one.text for one in waypoint] == ["2024-01-01T23:00:30", "h", "1", "go home"]
    root = parse_gpx(exported(cli, folder, "places", "--to", "gpx"))
    assert [one.text for one in root[0]] == ['Bäcker "<1>"', "eat"]


# -- other programs -----------------------------------------------------------------------------


def test_trackintel_gets_whole_stays(folder: Path, cli: Cli) -> None:
    assert exported(cli, folder, "timed", "--to", "trackintel").splitlines() == [
        "user_id,purpose,location_id,started_at,finished_at,geom",
        "1,go home,h,2024-01-01T23:00:30.000000,2024-01-02T07:00:00.000000,POINT (116.1 39.1)",
        "1,,w,2024-01-02T08:20:00.000000,2024-01-02T09:20:00.000000,POINT (116.2 39.2)",
    ]


def test_scikit_mobility_gets_its_columns(folder: Path, cli: Cli) -> None:
    assert exported(cli, folder, "timed", "--to", "scikit-mobility").splitlines()[:2] == [
        "uid,intent,place_id,lat,lng,datetime,leaving_datetime",
        "1,go home,h,39.1,116.1,2024-01-01 23:00:30.000000,2024-01-02 07:00:00.000000",
    ]
    assert exported(cli, folder, "flows", "--to", "scikit-mobility").splitlines()[1] == "A,B,6.25"


def test_our_import_reads_the_stays_of_both(folder: Path, cli: Cli) -> None:
    read = []
    for tool in ("trackintel", "scikit-mobility"):
        text = exported(cli, folder, "timed", "--to", tool)
        done = cli("data", "import", "-", input=text)
        assert done.code == 0, done.err
        read.append(pl.read_csv(done.raw).drop("seq", "started_at", "finished_at"))
    assert read[0].equals(read[1])
    assert read[0].rows()[:2] == [
        (1, 0, "go home", 1380, 1440, "h", 39.1, 116.1),
        (1, 1, "go home", 0, 420, "h", 39.1, 116.1),
    ]


@pytest.mark.parametrize("ending", ["geojson", "fgb", "gpkg", "geoparquet"])
def test_our_import_reads_visits_with_their_moments(folder: Path, cli: Cli, ending: str) -> None:
    made = cli("data", "export", "timed.csv", "-o", f"v.{ending}", cwd=folder)
    assert made.code == 0, made.err
    back = cli("data", "import", f"v.{ending}", cwd=folder)
    assert back.code == 0, back.err
    whole = cli("data", "import", "timed.csv", cwd=folder)
    # The index of FlatGeobuf puts rows in the order of space.
    assert sorted(back.out.splitlines()) == sorted(whole.out.splitlines())
    assert "started_at" in back.out.splitlines()[0]


def test_kepler_knows_arcs_polygons_and_times(folder: Path, cli: Cli) -> None:
    arcs = exported(cli, folder, "flows", "--to", "kepler-csv", "--areas", "areas.csv")
    names = "origin,destination,flow,origin_lat,origin_lng,destination_lat,destination_lng"
    assert arcs.splitlines()[:2] == [names, "A,B,6.25,42.0,-74.0,42.5,-74.5"]
    cells = exported(cli, folder, "cells", "--to", "kepler-csv", *GRID, *DAY)
    assert cells.splitlines()[1].startswith('7,0,16,1,2,2024-01-01 08:00:00,"POLYGON ((')


def test_kepler_trips_go_through_points_and_visits(folder: Path, cli: Cli) -> None:
    done = cli("data", "export", "points.csv", "--to", "kepler-trips", "-o", "-", cwd=folder)
    says(done.err, 1, "single point")
    (line,) = features(done.out)
    assert line["properties"] == {"uid": "a&b"}
    assert line["geometry"]["coordinates"] == [
        [116.1, 39.123456789012345, 0, 1704096000.0],
        [-1e-7, 39.2, 0, 1704099600.5],
    ]
    (stays,) = features(exported(cli, folder, "timed", "--to", "kepler-trips"))
    assert [place[3] - 1704150030 for place in stays["geometry"]["coordinates"]] == [
        *(0, 28770, 33570, 37170)
    ]


def test_libcity_gets_a_folder_of_atomic_files(folder: Path, cli: Cli) -> None:
    done = cli("data", "export", "visits.csv", "--to", "libcity", *DAY, "-o", "ny", cwd=folder)
    says(done.err, "intent", "left out")
    files = {path.name: path for path in (folder / "ny").iterdir()}
    assert set(files) == {"ny.geo", "ny.usr", "ny.dyna", "config.json"}
    assert files["ny.geo"].read_text().splitlines()[:2] == [
        "geo_id,type,coordinates,place_id",
        '0,Point,"[116.1,39.1]",h',
    ]
    assert files["ny.usr"].read_text() == "usr_id,uid\n0,1\n1,2\n"
    assert files["ny.dyna"].read_text().splitlines()[1:] == [
        "0,trajectory,2024-01-01T00:00:00Z,0,0",
        "1,trajectory,2024-01-01T09:00:00Z,0,1",
        "2,trajectory,2024-01-02T10:00:00Z,1,2",
    ]
    assert json.loads(files["config.json"].read_text())["info"]["dyna_file"] == "ny"
    flows = ("data", "export", "flows.csv", "--to", "libcity", "-o", "od", "--areas", "areas.csv")
    assert cli(*flows, cwd=folder).code == 0
    text = (folder / "od" / "od.rel").read_text().splitlines()
    assert text[1:] == ["0,geo,0,1,6.25", "1,geo,1,1,3.0"]
    fails(cli(*flows, cwd=folder), "od", "empty")
    done = cli("data", "export", "visits.csv", "--to", "libcity", *DAY, "-o", "-", cwd=folder)
    fails(done, "libcity", "--output", code=2)


def test_copb_gets_traces_stay_lists_and_templates(folder: Path, cli: Cli) -> None:
    traces = json.loads(exported(cli, folder, "visits", "--to", "copb"))
    assert traces["1_0"] == [
        ["go home", "(00:00, 08:00)", ["h", "h"]],
        ["go to work", "(09:00, 24:00)", ["w", "w"]],
    ]
    stays = json.loads(exported(cli, folder, "timed", "--to", "copb"))
    assert stays["1_1"][1] == [500 / 1440, 560 / 1440, "", "w", [116.2, 39.2]]
    plans = json.loads(exported(cli, folder, "plans", "--to", "copb"))
    assert plans == {"1": [["go to sleep", "(00:00, 08:12)"]]}
    done = cli("data", "import", "-", input=exported(cli, folder, "timed", "--to", "copb"))
    assert done.out.splitlines()[-1] == "1,0,1,,500,560,w,39.2,116.2"


def test_trips_are_lines_in_all_programs(folder: Path, cli: Cli) -> None:
    lines = features(exported(cli, folder, "trips", "--to", "geojson"))
    assert lines[0]["geometry"]["coordinates"] == [[2, 1], [3, 1], [6, 1]]
    assert lines[1]["geometry"]["coordinates"] == [[6, 1], [2, 1]]
    assert lines[1]["properties"]["destination_lon"] == 2
    moving = features(exported(cli, folder, "trips", "--to", "kepler-trips"))
    times = [place[3] for place in moving[0]["geometry"]["coordinates"]]
    assert [time - times[0] for time in times] == [0, 10, 40]
    assert moving[1]["properties"] == {"uid": 1, "trip": 1}
    trips = exported(cli, folder, "trips", "--to", "trackintel").splitlines()
    assert trips[2].endswith(',,,"MULTIPOINT (6.0 1.0, 2.0 1.0)"')
    legs = exported(cli, folder, "legs", "--to", "trackintel").splitlines()
    assert legs[1].startswith("1,0,0,2024-01-01T08:00:00.000000,")
    assert legs[1].endswith('"LINESTRING (2 1, 3 1, 6 1)"')
    root = parse_gpx(exported(cli, folder, "trips", "--to", "gpx"))
    assert [one.text for one in root[0].iterfind(".//g:time", NAMES)] == [
        *("2024-01-01T08:00:00", "2024-01-01T08:00:40")
    ]


# -- what is refused ----------------------------------------------------------------------------

REFUSED = [
    (("visits", "--to", "trackintel"), ("trackintel", "--start-date")),
    (("visits", "-o", "v.txt"), ("v.txt", "--to")),
    (("visits", "-o", "v.xyz"), ("v.xyz", ".geojson")),
    (("visits", "--areas", "areas.csv", "--to", "geojson"), ("--areas", "visit")),
    (("timed", "--to", "geojson", *DAY), ("--start-date", "visit")),
    (("places", "--to", "geojson", "--timezone", "UTC"), ("--timezone", "place")),
    (("points", "--to", "geojson", *GRID), ("--grid", "point")),
    (("points", "--to", "copb"), ("copb", "point", "geojson")),
    (("flows", "--to", "geojson"), ("geojson", "--areas")),
    (("flows", "--to", "gpx", "--areas", "areas.csv"), ("gpx", "flow", "geojson")),
    (("cells", "--to", "geojson"), ("--grid", "--axes")),
    (("cells", "--to", "gpx", *GRID), ("gpx", "--start-date")),
    (("cells", "--to", "geojson", "--grid", "1km@0,10"), ("--grid", "--axes")),
    (("plans", "--to", "geojson"), ("columns", "uid", "lat")),
    (("plans", "--to", "libcity"), ("libcity", "day plan", "copb")),
    (("points", "--to", "geojson", "--timezone", "Nowhere"), ("--timezone", "'Nowhere'")),
]


@pytest.mark.parametrize(("options", "names"), REFUSED, ids=lambda one: " ".join(one[:3]))
def test_what_does_not_go_together_is_refused(
    options: tuple[str, ...], names: tuple[str, ...], folder: Path, cli: Cli
) -> None:
    table, *others = options
    target = () if "-o" in others else ("-o", "-")
    done = cli("data", "export", f"{table}.csv", *target, *others, cwd=folder)
    fails(done, *names, code=2)


def test_bad_data_end_in_one_line(folder: Path, cli: Cli, tmp_path: Path) -> None:
    target = ("-o", tmp_path / "x.geojson")
    (tmp_path / "few.csv").write_text("area_id,lat,lon,population\nA,42,-74,10\n")
    areas = ("--areas", tmp_path / "few.csv")
    fails(cli("data", "export", folder / "flows.csv", *areas, *target), "origin", "'B'")
    outside = ("--grid", "1km@0,10,2x2", "--axes", "east,north")
    fails(cli("data", "export", folder / "cells.csv", *outside, *target), "(3, 1)")
    spring = "uid,datetime,lat,lon\n1,2024-03-31T02:30:00,52,13\n"
    done = cli("data", "export", "-", "--timezone", "Europe/Berlin", *target, input=spring)
    fails(done, "stdin", "2024-03-31 02:30:00", "Europe/Berlin")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["few.csv"]

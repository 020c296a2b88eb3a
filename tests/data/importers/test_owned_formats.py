"""Files made by the tools that own their formats (``make_files.py`` wrote them)."""

from __future__ import annotations

import gzip
import io
import shutil
import warnings
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.conftest import Cli
from tests.messages import fails, says

FILES = Path(__file__).parent / "files"
POINTS = pl.DataFrame(
    {
        "uid": ["ann", "ann", "bob", "bob"],
        "datetime": [
            "2023-01-02T08:00",
            "2023-01-02T08:05",
            "2023-01-02T09:00",
            "2023-01-02T09:10",
        ],
        "lat": [60.17, 60.18, 60.19, 60.2],
        "lon": [24.93, 24.94, 24.95, 24.96],
        "accuracy": [5.0, 8.0, 12.0, 40.0],
    }
).with_columns(pl.col("datetime").str.to_datetime(time_unit="us"))


def imported(cli: Cli, name: str, *options: str) -> tuple[pl.DataFrame, str]:
    done = cli("data", "import", str(FILES / name), *options)
    assert done.code == 0, done.err
    return pl.read_csv(io.StringIO(done.out), try_parse_dates=True), done.err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("geopandas_wkb.parquet", ("GeoParquet", "EPSG:3067", "WGS 84")),
        ("geopandas_geoarrow.parquet", ("GeoParquet", "EPSG:3067")),
        ("geopandas_no_crs.parquet", ("GeoParquet", "no CRS")),
        ("geopandas.feather", ("GeoArrow", "EPSG:3857")),
        ("geopandas_wkt.csv", ("CSV",)),
        ("geopandas_3067.geojson", ("GeoJSON", "EPSG:3067")),
        ("geoarrow.arrow", ("GeoArrow", "EPSG:4326")),
        ("pyogrio.gpkg.gz", ("GeoPackage", "layer fixes", "EPSG:3067")),
        ("pyogrio.fgb", ("FlatGeobuf", "EPSG:3067")),
        ("pyogrio.shp", ("Shapefile", "EPSG:3067")),
        ("movingpandas.parquet", ("GeoParquet", "EPSG:4326")),
        ("movingpandas.geojson", ("GeoJSON",)),
        ("trackintel_positionfixes.csv", ("CSV",)),
        ("trackintel_positionfixes.parquet", ("GeoParquet",)),
        ("gpxpy.gpx", ("GPX",)),
    ],
)
def test_points_are_the_same_in_every_format(cli: Cli, name: str, words: tuple[str, ...]) -> None:
    zone = ("--timezone", "Europe/Helsinki") if name.startswith("trackintel") else ()
    found, said = imported(cli, name, *zone)
    expected = POINTS
    if name.startswith("gpxpy"):
        expected = expected.with_columns(uid=pl.lit("gpxpy"))
    if name.startswith(("gpxpy", "movingpandas")):
        expected = expected.drop("accuracy")
    assert_frame_equal(found.select(expected.columns), expected, abs_tol=1e-9)
    assert set(found.columns) == {*expected.columns, "place_id", "category"}
    says(said.replace("(", " ").replace(")", " "), *words[:1])
    for word in words:
        assert word in said


def test_legs_keep_their_lines_trips_and_modes(cli: Cli) -> None:
    found, said = imported(cli, "trackintel_triplegs.csv", "--timezone", "Europe/Helsinki")
    assert found.select("uid", "leg", "trip", "points", "mode").rows() == [
        (0, 0, 0, 3, "walk"),
        (1, 1, 1, 2, None),
    ]
    assert found["line"][1] == "LINESTRING (24.95 60.19, 24.96 60.2)"
    assert found["distance_m"].round(1).to_list() == [1241.9, 1241.7]
    assert found["started_at"].to_list() == POINTS["datetime"].gather([0, 2]).to_list()
    says(said, "trip legs", "2 rows", "2 users")


def test_trips_keep_their_ends_mode_and_purpose(cli: Cli, tmp_path: Path) -> None:
    zone = ("--timezone", "Europe/Helsinki")
    found, said = imported(cli, "trackintel_trips.csv", *zone)
    assert found.select("uid", "trip", "origin", "destination", "mode", "intent").rows() == [
        (0, 0, 4, 5, "walk", "eat"),
        (1, 1, None, 6, None, None),
    ]
    assert found.select("origin_lat", "destination_lon").rows() == [(60.17, 24.94), (60.19, 24.96)]
    assert found["distance_m"].round(1).to_list() == [1241.9, 1241.7]
    assert found["duration_min"].to_list() == [5.0, 10.0]
    says(said, "staypoints", "straight line")
    # What is exported for trackintel comes back, numbers, modes and purposes too.
    for name in ("trips", "triplegs"):
        once, again = (tmp_path / f"{name}{part}.csv" for part in (1, 2))
        steps = (
            ("import", str(FILES / f"trackintel_{name}.csv"), *zone, "-o", str(once)),
            ("export", str(once), "--to", "trackintel", *zone, "-o", "t.csv"),
            ("import", "t.csv", *zone, "-o", str(again)),
        )
        for step in steps:
            done = cli("data", *step, cwd=tmp_path)
            assert done.code == 0, done.err
        assert again.read_text() == once.read_text()
    plan = cli("data", "stays", "trips1.csv", cwd=tmp_path)
    fails(plan, "trips1.csv", "trips", "point trajectory")


def test_legs_by_name_need_a_user_and_both_times(cli: Cli) -> None:
    text = 'user_id,finished_at,geom\nann,2023-01-02 08:05,"LINESTRING (1 2, 1 3)"\n'
    done = cli("data", "import", "--format", "trip-legs", input=text)
    fails(done, "user_id, finished_at, geom", "started_at")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("geom\nann,{0},LINESTRING (1 2)\n", ("row 1", "geom", "LINESTRING")),
        ('geom\nann,{0},"LINESTRING (1 2, 1 91)"\n', ("row 1", "geom", "degrees")),
        ('geom\nann,{0},"LINESTRING (1 2, 1 3)"\nann,{0},POINT (1 2)\n', ("row 2", "POINT (1 2)")),
        ("{1},geom\nann,{0},1,2,POINT (1 2)\n", ("row 1", "geom", "MULTIPOINT")),
        ("{1},geom\nann,{0},1,2,MULTIPOINT ((1 2))\n", ("row 1", "geom", "MULTIPOINT")),
        ("{1}\nann,{0},1,2\n", ("geom", "MULTIPOINT")),
    ],
)
def test_ways_of_another_shape_are_refused(
    cli: Cli, tmp_path: Path, text: str, names: tuple[str, ...]
) -> None:
    ends = "origin_staypoint_id,destination_staypoint_id"
    times = "2023-01-02 08:00,2023-01-02 08:05"
    table = f"user_id,started_at,finished_at,{text.format(times, ends)}"
    (tmp_path / "a.csv").write_text(table)
    done = cli("data", "import", "a.csv", "-o", "b.csv", cwd=tmp_path)
    fails(done, "a.csv", *names, notes=True)
    assert not (tmp_path / "b.csv").exists()
    if "row 2" in names:
        kept = cli("data", "import", "a.csv", "--on-error", "drop", cwd=tmp_path)
        assert len(kept.out.splitlines()) == 2


@pytest.mark.parametrize("name", ["trackintel_staypoints.csv", "trackintel_staypoints.parquet"])
def test_staypoints_keep_their_ends_and_purposes(cli: Cli, name: str) -> None:
    found, _ = imported(cli, name, "--timezone", "Europe/Helsinki")
    assert found["intent"].to_list() == ["go home", "eat", "go to work", None]
    assert found["started_at"].to_list() == POINTS["datetime"].to_list()
    assert (found["finished_at"] - found["started_at"]).dt.total_minutes().to_list() == [30] * 4
    assert found["start_min"].to_list() == [480, 485, 540, 550]


def test_accuracy_is_kept_for_the_search_of_stays(cli: Cli, tmp_path: Path) -> None:
    points = tmp_path / "points.csv"
    done = cli("data", "import", str(FILES / "pyogrio.fgb"), "-o", str(points))
    assert done.code == 0, done.err
    found = cli("data", "stays", str(points), "--accuracy", "10", "--gap", "100")
    says(found.err, 4, 2, "10 m")


def test_accuracies_that_are_none_are_empty(cli: Cli) -> None:
    """UTC_TIMESTAMP (seconds), CAID and ID_TYPE as in a public copy of Veraset's schemas."""
    rows = "CAID,ID_TYPE,UTC_TIMESTAMP,LATITUDE,LONGITUDE,horizontal_accuracy,ip_address\n"
    good = "ab12,aaid,1672646400,60.17,24.93,{},10.0.0.1\n"
    text = rows + good.format("4.5") + good.format("-1") + good.format("n/a") + good.format("")
    done = cli("data", "import", input=text)
    assert [line.rpartition(",")[2] for line in done.out.splitlines()] == [
        "accuracy",
        "4.5",
    ] + 3 * [""]
    says(done.err, 2, "metres")
    says(done.err, "ip_address")


def test_a_packed_shapefile_lacks_its_parts(cli: Cli, tmp_path: Path) -> None:
    shutil.copy(FILES / "pyogrio.shp", tmp_path)
    fails(cli("data", "import", "pyogrio.shp", cwd=tmp_path), "pyogrio.shp", ".dbf", ".shx")
    (tmp_path / "a.shp.gz").write_bytes(gzip.compress((FILES / "pyogrio.shp").read_bytes()))
    fails(cli("data", "import", "a.shp.gz", cwd=tmp_path), "a.shp.gz", "Shapefile")


WITH_VECTOR_FILES = [
    *(("data", name, "{}") for name in ("import", "stays", "describe")),
    ("data", "export", "{}", "--to", "trackintel", "-o", "x.csv"),
    *(("view", "{}", "--export", "x.html"), ("eval", "{}", "--truth", "{}", "--generated")),
    ("predict", "{}"),
    ("generate", "flows", "{}"),
    ("data", "stays", "points.csv", "--places", "{}"),
    ("generate", "gravity", "plan.csv", "--places", "{}"),
]


@pytest.fixture(scope="module")
def vector_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Points and places in metres without a reference system, and in two layers."""
    geopandas = pytest.importorskip("geopandas")
    folder = tmp_path_factory.mktemp("vector")
    for what, columns in {
        "points": {"uid": ["ann"], "time": ["2023-01-02 08:00"]},
        "places": {"name": ["a"], "category": ["cafe"]},
    }.items():
        geometry = geopandas.points_from_xy([385145], [6672144])
        frame = geopandas.GeoDataFrame(columns, geometry=geometry)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the reference system that is not there
            frame.to_file(folder / f"{what}.fgb", driver="FlatGeobuf", engine="pyogrio")
            for layer in ("one", "two"):
                frame.to_file(folder / f"{what}.gpkg", layer=layer, driver="GPKG", engine="pyogrio")
    (folder / "points.csv").write_text("uid,datetime,lat,lon\n1,2023-01-02 08:00,60,25\n")
    (folder / "plan.csv").write_text("uid,d,seq,intent,start_min,end_min\n1,0,0,eat,0,50\n")
    return folder


@pytest.mark.parametrize("command", WITH_VECTOR_FILES, ids=" ".join)
def test_each_command_says_what_reads_layers_and_metres(
    cli: Cli, vector_files: Path, command: tuple[str, ...]
) -> None:
    """--layer and --crs are of data import: others name it, with the option that it needs."""
    what = "places" if {"--places", "flows"} & set(command) else "points"
    for ending, option in (("gpkg", "--layer"), ("fgb", "--crs")):
        file = f"{what}.{ending}"
        done = cli(*(word.format(file) for word in command), cwd=vector_files)
        fails(done, file, "data import", notes=True)
        unread = "convert it" in done.err and (what == "places" or command[0] == "predict")
        assert option in done.err or unread, done.err


def test_a_layer_is_named_where_there_are_several(cli: Cli, tmp_path: Path) -> None:
    import geopandas as gpd

    for layer, lat in (("one", 60.17), ("two", 60.18)):
        gpd.GeoDataFrame(
            {"user_id": ["a"], "time": ["2023-01-02 08:00"]},
            geometry=gpd.points_from_xy([24.93], [lat]),
            crs="EPSG:4326",
        ).to_file(tmp_path / "a.gpkg", layer=layer, driver="GPKG")
    before = sorted(path.name for path in tmp_path.iterdir())
    fails(cli("data", "import", "a.gpkg", cwd=tmp_path), "one, two", "--layer")
    done = cli("data", "import", "a.gpkg", "--layer", "two", cwd=tmp_path)
    assert done.out.splitlines()[1].startswith("a,2023-01-02T08:00:00.000000,60.18,24.93")
    fails(cli("data", "import", "a.gpkg", "--layer", "x", cwd=tmp_path), "--layer", "x", code=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    text = "uid,datetime,lat,lon\na,2023-01-02 08:00,60,24\n"
    fails(cli("data", "import", "--layer", "x", input=text), "--layer", code=2)


@pytest.mark.parametrize("name", ["pyogrio.fgb", "pyogrio.gpkg", "pyogrio.shp"])
def test_damaged_vector_files_get_one_line(cli: Cli, tmp_path: Path, name: str) -> None:
    whole = (
        gzip.decompress((FILES / "pyogrio.gpkg.gz").read_bytes())
        if name.endswith("gpkg")
        else (FILES / name).read_bytes()
    )
    for part in (".dbf", ".shx"):
        shutil.copy(FILES / f"pyogrio{part}", tmp_path)
    for broken in (whole[:100], whole[: len(whole) // 2], whole[:80] + b"\xff" * 400):
        (tmp_path / name).write_bytes(broken)
        done = cli("data", "import", name, cwd=tmp_path)
        assert done.code in (0, 1) and "internal" not in done.err, done.err
        assert done.code == 0 or len(done.err.splitlines()) == 1, done.err


def test_the_extra_is_named_where_it_is_missing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("humobctl.extras.installed_version", lambda name: None)
    for name, package in (("pyogrio.fgb", "pyogrio"), ("geopandas_wkb.parquet", "pyproj")):
        fails(cli("data", "import", str(FILES / name)), name, "geo", package)
    assert cli("data", "import", str(FILES / "movingpandas.parquet")).code == 0


def test_other_tables_say_what_reads_vector_files(cli: Cli) -> None:
    fails(
        cli("data", "mask", "--from-day", "1", str(FILES / "pyogrio.fgb")),
        "FlatGeobuf",
        "data import",
    )
    fails(cli("predict", str(FILES / "gpxpy.gpx")), "GPX", "data import")


# -- reference systems ----------------------------------------------------------------------------


def test_metres_are_named_and_read(cli: Cli) -> None:
    text = "uid,datetime,lat,lon\na,2023-01-02 08:00,8437000,2775000\n"
    fails(cli("data", "import", input=text), "row 1", "column lat", "--crs")
    done = cli("data", "import", "--crs", "EPSG:3857", input=text)
    lat, lon = map(float, done.out.splitlines()[1].split(",")[2:4])
    assert (lat, lon) == pytest.approx((60.1666, 24.9281), abs=1e-3)
    fails(cli("data", "import", "--crs", "EPSG:nought", input=text), "--crs", code=2)
    for where in ("1e8", "1e300"):
        far = text.replace("8437000", where)
        for crs in ("EPSG:3067", "EPSG:3035"):
            fails(cli("data", "import", "--crs", crs, input=far), "row 1", crs)
    mixed = far + text.splitlines()[1] + "\n"
    done = cli("data", "import", "--crs", "EPSG:3067", "--on-error", "drop", input=mixed)
    assert len(done.out.splitlines()) == 2, done.err
    says(cli("data", "import", "--crs", "EPSG:2154", input=text).err, "EPSG:2154", "outside")
    degrees = "uid,datetime,lat,lon\na,2023-01-02 08:00,60,24\n"
    says(cli("data", "import", "--crs", "EPSG:3857", input=degrees).err, "EPSG:3857", "degrees")
    assert cli("data", "import", "--crs", "EPSG:4326", input=degrees).code == 0


def test_an_option_against_what_the_file_says_is_refused(cli: Cli) -> None:
    name = str(FILES / "geopandas_wkb.parquet")
    fails(cli("data", "import", name, "--crs", "EPSG:3857"), "EPSG:3857", "EPSG:3067", code=2)
    assert cli("data", "import", name, "--crs", "EPSG:3067").code == 0


def test_geometries_that_name_their_system_are_turned(cli: Cli) -> None:
    text = "uid,datetime,geom\na,2023-01-02 08:00,SRID=3857;POINT (2775000 8437000)\n"
    done = cli("data", "import", input=text)
    assert done.out.splitlines()[1].startswith("a,2023-01-02T08:00:00.000000,60.16")
    says(done.err, "EPSG:3857")


def test_swapped_coordinates_are_named(cli: Cli) -> None:
    text = "uid,time,latitude,longitude\na,2023-01-02 08:00,116.3,39.9\n"
    fails(cli("data", "import", input=text), "row 1", "latitude=lon,longitude=lat")
    done = cli("data", "import", "--columns", "latitude=lon,longitude=lat", input=text)
    assert done.out.splitlines()[1] == "a,2023-01-02T08:00:00.000000,39.9,116.3,,"
    north = "uid,datetime,lat,lon\na,2023-01-02 08:00,24.93,60.17\n"
    for outside in ("fail", "drop"):
        options = ("--grid", "500m@60.1,24.8", "--outside", outside)
        fails(cli("data", "import", *options, input=north), "swapped", notes=True)
    far = north.replace("60.17", "90")
    done = cli("data", "import", "--grid", "500m@60.1,24.8", input=far)
    assert "swapped" not in done.err
    fails(cli("data", "stays", "--box", "59,24,61,26", input=north), "swapped", notes=True)
    text = "uid,time,geom\na,2023-01-02 08:00,POINT (39.9 116.3)\n"
    fails(cli("data", "import", input=text), "row 1", "column geom", "swapped")


# -- formats without a tool to write them ---------------------------------------------------------


def test_gpx_of_a_folder_has_a_user_a_folder(cli: Cli, tmp_path: Path) -> None:
    for place in ("ann/one.gpx", "ann/two.gpx", "bob.gpx"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        shutil.copy(FILES / "gpxpy.gpx", tmp_path / place)
    done = cli("data", "import", str(tmp_path))
    users = [line.split(",")[0] for line in done.out.splitlines()[1:]]
    assert users == ["ann"] * 8 + ["bob"] * 4
    says(done.err, "GPX", 3)
    says(done.err, "3 waypoints")
    broken = (FILES / "gpxpy.gpx").read_text().replace('lat="60.19"', 'lat="north"')
    (tmp_path / "ann" / "two.gpx").write_text(broken)
    fails(cli("data", "import", str(tmp_path)), "two.gpx", "row 3", "line 21", "north")
    done = cli("data", "import", str(tmp_path), "--on-error", "drop")
    assert len(done.out.splitlines()) == 12
    (tmp_path / "cat.gpx").symlink_to(FILES / "gpxpy.gpx")
    fails(cli("data", "import", str(tmp_path)), "cat.gpx", "symbolic link")


GPX = '<?xml version="1.0"?>\n{}<gpx><trk><trkseg>{}</trkseg></trk></gpx>'
POINT = '<trkpt lat="60" lon="24"><time>2023-01-02T08:00:00Z</time></trkpt>'


def test_gpx_entities_are_never_expanded(cli: Cli) -> None:
    kinds = '<!DOCTYPE gpx [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>\n'
    fails(cli("data", "import", input=GPX.format(kinds, POINT)), "line 2", "DTD")
    fails(cli("data", "import", input=GPX.format("", "&b;")), "line 2", "XML")
    fails(cli("data", "import", input=GPX.format("", POINT)[:-20]), "line 2", "XML")
    fails(cli("data", "import", input=GPX.format("", "")), "no rows")
    timeless = GPX.format("", '<trkpt lat="60" lon="24"/>')
    fails(cli("data", "import", input=timeless), "row 1", "line 2", "column time")
    way = "<gpx><wpt lat='1' lon='2'/><rte><rtept lat='1' lon='2'/></rte></gpx>"
    fails(cli("data", "import", input=way), "no track", "1 route point", "1 waypoint")


def test_gpx_of_utf_16_is_read(cli: Cli, tmp_path: Path) -> None:
    text = GPX.format("", POINT).replace("?>", ' encoding="UTF-16"?>', 1)
    (tmp_path / "a.gpx").write_text(text, encoding="utf-16")
    done = cli("data", "import", "a.gpx", cwd=tmp_path)
    assert done.out.splitlines()[1] == "a,2023-01-02T08:00:00.000000,60.0,24.0,,"


def test_a_tag_without_end_is_refused(cli: Cli) -> None:
    endless = GPX.format("", f'<trkpt lat="{"6" * (3 << 20)}"/>')
    fails(cli("data", "import", input=endless), "megabyte")


# As foursquare.py of LibCity's scripts from raw to atomic files writes them, empty dyna_id and all.
DYNA = "dyna_id,type,time,entity_id,location\n,trajectory,2012-04-03T18:00:09Z,4,7\n"
GEO = (
    "geo_id,type,coordinates,venue_category_id,venue_category_name\n"
    '7,Point,"[-73.9,40.7]",4bf58dd8d48988d116941735,Bar\n'
)


def test_libcity_joins_places(cli: Cli, tmp_path: Path) -> None:
    for name, text in (("a.dyna", DYNA), ("a.geo", GEO), ("a.usr", "usr_id\n4\n")):
        (tmp_path / name).write_text(text)
    (tmp_path / "config.json").write_text("{}")
    done = cli("data", "import", str(tmp_path))
    assert done.out.splitlines()[1] == "4,2012-04-03T18:00:09.000000,40.7,-73.9,7,Bar"
    says(done.err, "LibCity", 1)
    (tmp_path / "a.dyna").write_text(DYNA + "1,trajectory,2012-04-03T19:00:09Z,4,8\n")
    fails(cli("data", "import", str(tmp_path)), "a.dyna", "row 2", "line 3", "column location", 8)
    says(cli("data", "import", str(tmp_path), "--on-error", "drop").err, 1, "location")
    states = "dyna_id,type,time,entity_id,traffic_speed\n0,state,2012-04-03T18:00:09Z,4,7\n"
    (tmp_path / "a.dyna").write_text(states)
    fails(cli("data", "import", str(tmp_path)), "a.dyna", "traffic_speed", "trajectories")


def test_libcity_of_gps_has_coordinates(cli: Cli, tmp_path: Path) -> None:
    rows = 'dyna_id,type,time,entity_id,traj_id,coordinates\n0,trajectory,{},4,0,"[{}]"\n'
    (tmp_path / "a.dyna").write_text(rows.format("2012-04-03T18:00:09Z", "116.3,39.9"))
    done = cli("data", "import", str(tmp_path))
    assert done.out.splitlines()[1] == "4,2012-04-03T18:00:09.000000,39.9,116.3,,"
    (tmp_path / "a.dyna").write_text(rows.format("2012-04-03T18:00:09Z", "116.3"))
    fails(cli("data", "import", str(tmp_path)), "a.dyna", "row 1", "column coordinates")


def test_libcity_of_geolife_has_coordinates_for_locations(cli: Cli, tmp_path: Path) -> None:
    """As geo_life.py of LibCity's scripts writes it: no type, no .geo, a pair for a location."""
    header = "dyna_id,type,time,entity_id,location,altitude,traj_id,transportation_mode\n"
    row = '0,,2008-10-23T02:53:04Z,0,"[{}]",492,0,Missing\n'
    (tmp_path / "geo_life.dyna").write_text(
        header + row.format("116.3,39.9") + row.format("116.4,40.0")
    )
    (tmp_path / "geo_life.usr").write_text("usr_id\n0\n")
    done = cli("data", "import", str(tmp_path))
    assert done.out.splitlines()[1:] == [
        "0,2008-10-23T02:53:04.000000,39.9,116.3,,",
        "0,2008-10-23T02:53:04.000000,40.0,116.4,,",
    ]
    (tmp_path / "geo_life.dyna").write_text(header + row.format("116.3,39.9") + row.format("7"))
    fails(cli("data", "import", str(tmp_path)), "row 2", "column location", "[longitude, latitude]")


def test_openpflow(cli: Cli) -> None:
    # As the README of its repository lists the fields, and its archives of 2017 write times.
    text = "1\t2008-10-01 00:05:00\t139.7\t35.6\t99\n1\t2008-10-01 00:06:00\t139.7\t35.6\t1\n"
    done = cli("data", "import", input=text)
    assert done.out.splitlines()[1] == "1,2008-10-01T00:05:00.000000,35.6,139.7,,"
    says(done.err, "OpenPFLOW", 2)
    says(done.err, "transport")
    done = cli(
        "data", "import", input=text.replace("\t99\n", "\t99\t55.6\n").splitlines()[0] + "\n"
    )
    says(done.err, "transport, magnification")
    slashes = cli("data", "import", input=text.replace("2008-10-01", "2008/10/01"))
    assert slashes.out.splitlines()[2] == "1,2008-10-01T00:06:00.000000,35.6,139.7,,"


def test_massive_steps(cli: Cli) -> None:
    # The columns of the table in its dataset cards.
    header = (
        "trail_id,user_id,venue_id,latitude,longitude,name,address,venue_category,"
        "venue_category_id,venue_category_id_code,venue_city,venue_city_latitude,"
        "venue_city_longitude,venue_country,timestamp\n"
    )
    row = "2018_9,12,77,{},139.7,Bar Ai,,Bar,4bf5,3,Tokyo,35.69,139.69,JP,2018-01-05 19:20:00\n"
    done = cli("data", "import", input=header + row.format("35.6") + row.format(""))
    assert done.out.splitlines()[1:] == ["12,2018-01-05T19:20:00.000000,35.6,139.7,77,Bar"]
    says(done.err, "Massive-STEPS")
    says(done.err, 1, "without coordinates")


def test_kepler_names_and_geojson_cells_are_known(cli: Cli) -> None:
    text = "user_id,timestamp,point_latitude,point_longitude\na,2023-01-02 08:00:00,60,24\n"
    row = "a,2023-01-02T08:00:00.000000,60.0,24.0,,"
    assert cli("data", "import", input=text).out.splitlines()[1] == row
    # The heads of two files of kepler.gl's own tests, and a fix without a position.
    text = (
        "timestamp,location-lng,location-lat,ground-speed,heading,name,location-alt\n"
        "2014-08-01 00:00:23.000,90.2,27.6,0.22,0.0,Thuub,3217.0\n"
        "2014-08-01 00:10:07.000,,,0.27,140.9,Thuub,3212.3\n"
    )
    fails(cli("data", "import", "--columns", "name=uid", input=text), "row 2", "location-lat")
    kept = cli("data", "import", "--columns", "name=uid", "--on-error", "drop", input=text)
    assert kept.out.splitlines()[1:] == ["Thuub,2014-08-01T00:00:23.000000,27.6,90.2,,"]
    text = "gps_data.utc_timestamp,gps_data.lat,gps_data.lng,gps_data.types,uid\n"
    done = cli("data", "import", input=f"{text}2016-09-17 00:09:55,29.9,31.2,driver,1\n")
    assert done.out.splitlines()[1] == "1,2016-09-17T00:09:55.000000,29.9,31.2,,"
    cell = '"{""type"":""Point"",""coordinates"":[24,60]}"'
    text = f"user_id,timestamp,_geojson\na,2023-01-02 08:00:00,{cell}\n"
    assert cli("data", "import", input=text).out.splitlines()[1] == row


# -- a GPS file is not a table of places -----------------------------------------------------------

FEATURE = '{{"type":"Feature","properties":{},"geometry":{{"type":"{}","coordinates":[{}]}}}}'


@pytest.mark.parametrize(
    ("properties", "table"),
    [
        ('{"name":"Bar","amenity":"bar","timestamp":"2023-01-02 08:00"}', "places"),
        ('{"name":"Bar","category":"bar"}', "places"),
        ('{"user":"a","time":"2023-01-02 08:00","category":"bar"}', "points"),
        ('{"device_id":"a","time":"2023-01-02 08:00"}', "points"),
    ],
)
def test_geojson_is_told_by_its_properties(cli: Cli, properties: str, table: str) -> None:
    done = cli("data", "import", input=FEATURE.format(properties, "Point", "24,60") + "\n")
    header = "place_id,name" if table == "places" else "uid,datetime"
    assert done.out.startswith(header), done.err


def test_tracks_in_geojson_are_no_points(cli: Cli) -> None:
    text = FEATURE.format('{"user":"a","time":"2023-01-02"}', "LineString", "[24,60],[25,61]")
    fails(cli("data", "import", input=text + "\n"), "row 1", "point")


def test_ids_with_moments_are_no_places(cli: Cli) -> None:
    text = "id,lat,lon,fix\n7,60.1,24.9,2023-01-02 08:00\n8,60.2,24.9,2023-01-02 08:05\n"
    fails(cli("data", "import", input=text), "fix", "--columns")
    done = cli("data", "import", "--columns", "id=uid,fix=datetime", input=text)
    assert done.out.splitlines()[1] == "7,2023-01-02T08:00:00.000000,60.1,24.9,,"
    bare = "\n".join(line.rpartition(",")[0] for line in text.splitlines())
    assert cli("data", "import", input=bare).out.startswith("place_id,name")


def test_places_in_files_of_gis_programs(cli: Cli, tmp_path: Path) -> None:
    import geopandas as gpd
    from shapely import box

    shops = gpd.GeoDataFrame(
        {"osm_id": ["1", "2"], "name": ["A", None], "category": ["cafe", "museum"]},
        geometry=[box(385000, 6672000, 385100, 6672100), None],
        crs="EPSG:3067",
    )
    shops.to_file(tmp_path / "a.gpkg", driver="GPKG")
    shops.to_parquet(tmp_path / "a.parquet")
    for name in ("a.gpkg", "a.parquet"):
        done = cli("data", "import", name, cwd=tmp_path)
        place_id, _, _, intent, lat, lon = done.out.splitlines()[1].split(",")
        assert (place_id, intent) == ("1", "eat"), done.err
        assert (float(lat), float(lon)) == pytest.approx((60.1691, 24.9282), abs=1e-3)
        assert len(done.out.splitlines()) == 2
        says(done.err, "EPSG:3067")


def test_track_points_of_gdal_are_points(cli: Cli) -> None:
    properties = '{"track_fid":3,"ele":1.5,"time":"2023/01/02 08:00:00+00","name":null}'
    done = cli("data", "import", input=FEATURE.format(properties, "Point", "24,60") + "\n")
    assert done.out.splitlines()[1] == "3,2023-01-02T08:00:00.000000,60.0,24.0,,"

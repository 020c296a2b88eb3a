"""Overture, Foursquare, GeoJSON and tables of any columns as places."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import polars as pl
import pytest
import shapely

from humobctl.tables.schemas import PLACES
from tests.data.importers.places.fixtures import foursquare, imported, overture, refused, wkb
from tests.messages import says

CAFE = {
    "id": "c",
    "name": "Corner",
    "at": (24.94, 60.17),
    "primary": "coffee_shop",
    "alternate": ["bakery"],
    "basic": "coffee_shop",
    "hierarchy": ["food_and_drink", "coffee_shop"],
}
ODD = {  # only its alternate category is one we know
    "id": "o",
    "name": "Odd",
    "at": (24.95, 60.18),
    "primary": "unheard_of",
    "alternate": ["museum"],
}
STATION = {
    "id": "s",
    "at": (24.96, 60.19),
    "primary": "train_station",
    "basic": "train_station",
    "hierarchy": ["travel_and_transportation", "train_station"],
}
SHUT = {**CAFE, "id": "x", "status": "permanently_closed"}


@pytest.mark.parametrize("form", ["former", "present", "both"])
def test_overture_in_both_forms(tmp_path: Path, form: str, capsys) -> None:
    path = tmp_path / "o.parquet"
    overture(path, CAFE, STATION, SHUT, form=form)
    places = imported(path)
    assert places.columns == PLACES.columns
    assert places.rows() == [("c", "Corner", "coffee_shop", "eat", 60.17, 24.94)]
    said = capsys.readouterr().err
    says(said, "o.parquet", "Overture places (Parquet)", "1 place", "eat 1")
    says(said, "left out 1 closed", "left out 1 without an intent", "train_station 1")


def test_overtures_hierarchy_and_alternates(tmp_path: Path) -> None:
    path = tmp_path / "o.parquet"
    deep = {"hierarchy": ["shopping", "fashion_and_apparel_store", "unheard_of_wear"]}
    overture(path, {**CAFE, **deep}, form="present")
    assert imported(path).row(0)[2:4] == ("unheard_of_wear", "do shopping")
    overture(path, ODD, form="former")
    assert imported(path).row(0)[2:4] == ("unheard_of", "cultural institutions and events")


def test_overture_without_geometry_is_in_its_box(tmp_path: Path) -> None:
    path, bare = tmp_path / "o.parquet", tmp_path / "bare.parquet"
    overture(path, CAFE, form="present")
    pl.read_parquet(path).drop("geometry").write_parquet(bare)
    ((lat, lon),) = imported(bare).select("lat", "lon").rows()
    assert (lat, lon) == pytest.approx((60.17, 24.94), abs=1e-9)


def test_foursquare(tmp_path: Path, capsys) -> None:
    path = tmp_path / "f.parquet"
    ramen = ["Dining and Drinking > Restaurant > Ramen Restaurant", "Retail"]
    foursquare(
        {"id": "a", "name": "Ramen", "labels": ramen},
        {"id": "b", "labels": ["Travel and Transportation > Road"]},
        {"id": "c", "labels": ["Retail > Bookstore"], "closed": "2020-01-01"},
        {"id": "d", "labels": ["Retail > Bookstore"], "lat": None},
        {"id": "e"},
        {"id": "f", "labels": ["Health and Medicine > Hospital"]},
    ).write_parquet(path)
    places = imported(path)
    assert places.select("place_id", "category", "intent").rows() == [
        ("a", ramen[0], "eat"),
        ("f", "Health and Medicine > Hospital", "medical treatment"),
    ]
    said = capsys.readouterr().err
    says(
        said, "left out 1 closed", "left out 1 without coordinates", "left out 2 without an intent"
    )
    says(said, "without a category 1")


@pytest.mark.parametrize(
    "cell",
    [
        "[Retail > Computers, Phones and Toys, Dining and Drinking > Bar]",
        "['Retail > Computers, Phones and Toys', 'Dining and Drinking > Bar']",
        '["Retail > Computers, Phones and Toys", "Dining and Drinking > Bar"]',
    ],
)
def test_foursquare_lists_as_text(save, cell: str) -> None:
    quoted = cell.replace('"', '""')
    head = "fsq_place_id,name,latitude,longitude,date_closed,fsq_category_labels"
    path = save(f'{head}\na,Odds,1,2,,"{quoted}"\nb,Ends,1,2,2020-01-01,"{quoted}"\n')
    assert imported(path).rows() == [
        ("a", "Odds", "Retail > Computers, Phones and Toys", "do shopping", 1.0, 2.0)
    ]


def test_a_table_of_any_columns(save) -> None:
    path = save("venue_id,Venue Name,kind,Latitude,LNG\n7,Corner,Coffee Shop,1,2\n8,,Nowhere,1,2\n")
    places = imported(path, columns={"kind": "category"})
    assert places.rows() == [("7", "Corner", "Coffee Shop", "eat", 1.0, 2.0)]
    kept = imported(path, columns={"kind": "category"}, keep_unmapped=True)
    assert kept.row(1) == ("8", None, "Nowhere", None, 1.0, 2.0)


@pytest.mark.parametrize("ending", ["csv", "ndjson", "parquet", "arrow", "json"])
def test_our_own_table_stays_as_it_is(tmp_path: Path, ending: str) -> None:
    table = pl.DataFrame(
        [("a", "x", "bench", "excursion", 1.5, 2.5), ("b", None, None, None, -1.5, 179.5)],
        schema=PLACES.dtypes,
        orient="row",
    )
    path = tmp_path / f"p.{ending}"
    writers = {
        "csv": "csv",
        "ndjson": "ndjson",
        "parquet": "parquet",
        "arrow": "ipc",
        "json": "json",
    }
    getattr(table, f"write_{writers[ending]}")(path)
    assert imported(path).equals(table)


def test_a_mapping_changes_the_intents_of_a_table(save) -> None:
    path = save("place_id,category,intent,lat,lon\na,bench,eat,1,2\nb,oak,excursion,1,2\nc,,,1,2\n")
    mapping = save("category,intent\nbench,excursion\noak,\n", "m.csv")
    places = imported(path, mapping=mapping)
    assert places.select("place_id", "intent").rows() == [("a", "excursion"), ("c", None)]


def test_no_category_and_no_intent_serve_every_intent(save, capsys) -> None:
    path = save("poi_id,lat,lon\n1,40.7,-74\n2,40.8,-74\n")
    assert imported(path)["intent"].to_list() == [None, None]
    says(capsys.readouterr().err, "2 places", "any intent 2")


def test_places_without_ids_are_numbered(save, capsys) -> None:
    assert imported(save("name,lat,lon\na,1,2\nb,1,2\n"))["place_id"].to_list() == ["1", "2"]
    says(capsys.readouterr().err, "numbered", 1, 2, "no id")


def test_osms_keys_as_columns(save) -> None:
    path = save("osm_id,name,amenity,shop,lat,lon\n1,a,,bakery,1,2\n2,b,bench,,1,2\n")
    assert imported(path).rows() == [("1", "a", "shop=bakery", "do shopping", 1.0, 2.0)]


def test_geometry_as_text_or_bytes(tmp_path: Path) -> None:
    square = "POLYGON ((2 1, 4 1, 4 3, 2 3, 2 1))"
    table = pl.DataFrame(
        {"id": ["a", "b"], "category": ["cafe"] * 2, "wkt": ["POINT (2 1)", square]}
    )
    table.write_csv(tmp_path / "a.csv")
    assert imported(tmp_path / "a.csv").select("lat", "lon").rows() == [(1.0, 2.0), (2.0, 3.0)]
    shapes = {"id": ["a"], "category": ["cafe"], "geometry": [wkb(2.5, 1.5)]}
    pl.DataFrame(shapes).write_parquet(tmp_path / "a.parquet")
    assert imported(tmp_path / "a.parquet").select("lat", "lon").rows() == [(1.5, 2.5)]


REFUSED = {
    "a second id": (
        "place_id,category,lat,lon\na,cafe,1,2\na,cafe,1,2\n",
        ("row 2", "line 3", "column place_id", "found a", "once"),
    ),
    "a latitude": (
        "place_id,category,lat,lon\na,cafe,91,2\n",
        ("column lat", 91),
    ),
    "no latitude": (
        "place_id,category,lat,lon\na,cafe,,2\n",
        ("column lat", "nothing"),
    ),
    "text": (
        "place_id,category,lat,lon\na,cafe,north,2\n",
        ("column lat", "'north'"),
    ),
    "an intent": (
        "place_id,intent,lat,lon\na,drink,1,2\n",
        ("column intent", "drink", "twelve"),
    ),
    "nothing left": (
        "place_id,category,lat,lon\na,bench,1,2\n",
        ("no place", "left out 1", "bench 1", "--mapping"),
    ),
    "header only": ("place_id,category,lat,lon\n", ("no rows",)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_faults(save, case: str) -> None:
    text, names = REFUSED[case]
    says(refused(save(text)), *names)


def test_bad_rows_are_dropped_and_counted(save, capsys) -> None:
    path = save("place_id,category,lat,lon\na,cafe,1,2\na,cafe,1,2\nb,cafe,91,2\nc,cafe,3,4\n")
    assert imported(path, on_error="drop")["place_id"].to_list() == ["a", "c"]
    says(capsys.readouterr().err, "dropped 2 rows")


def feature(geometry: object, **properties: object) -> dict[str, object]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def point(lon: float, lat: float) -> dict[str, object]:
    return {"type": "Point", "coordinates": [lon, lat]}


L_SHAPE = [[[0, 0], [9, 0], [9, 1], [1, 1], [1, 9], [0, 9], [0, 0]]]


def collection(*features: object) -> str:
    return json.dumps({"type": "FeatureCollection", "name": "x", "features": list(features)})


def test_geojson(save, capsys) -> None:
    path = save(
        collection(
            {**feature(point(2, 1), amenity="cafe", name="A", **{"@id": "node/1"}), "id": "node/1"},
            feature(
                {"type": "Polygon", "coordinates": L_SHAPE}, leisure="park", **{"@id": "way/2"}
            ),
            feature(None, amenity="cafe", **{"@id": "node/3"}),
            feature(point(2, 1), amenity="bench", **{"@id": "node/4"}),
        ),
        "a.geojson",
    )
    cafe, park = imported(path).rows()
    assert cafe == ("node/1", "A", "amenity=cafe", "eat", 1.0, 2.0)
    # The middle of the L lies outside of it: a point inside is taken.
    lat, lon = park[4:]
    assert (0 < lon < 9 and 0 < lat < 1) or (0 < lon < 1 and 0 < lat < 9)
    said = capsys.readouterr().err
    says(said, "OpenStreetMap places (GeoJSON)", "2 places", "eat 1", "excursion 1")
    says(said, "left out 1 without coordinates", "left out 1 without an intent", "amenity=bench 1")


def test_geojson_of_overture_and_one_feature_a_line(save) -> None:
    names = {"names": {"primary": "Corner"}, "categories": {"primary": "cafe", "alternate": None}}
    lines = [{**feature(point(2, 1), **names), "id": f"o{i}"} for i in range(3)]
    places = imported(save("\n".join(map(json.dumps, lines)), "a.geojsonl"))
    assert places.rows()[2] == ("o2", "Corner", "cafe", "eat", 1.0, 2.0)


def test_geojson_without_ids_or_properties(save) -> None:
    bare = {"type": "Feature", "id": None, "properties": None, "geometry": point(2, 1)}
    assert imported(save(collection(bare, bare), "a.geojson")).rows() == [
        ("1", None, None, None, 1.0, 2.0),
        ("2", None, None, None, 1.0, 2.0),
    ]


def test_the_counties_of_new_york(shared_data: Path) -> None:
    places = imported(shared_data / "ny-commuting" / "NY_counties_2011.geojson")
    assert places.height == 62
    assert places["lat"].is_between(40.4, 45.1).all()


def test_broken_geojson(save, capsys) -> None:
    whole = collection(*(feature(point(i, 1), id=i, category="cafe") for i in range(3)))
    says(refused(save(whole[:-30], "a.geojson")), "broken JSON")
    bad = collection(feature(point(1, 1), id=1, category="cafe"), feature({"type": "Point"}, id=2))
    says(refused(save(bad, "a.geojson")), "row 2", "{'type': 'Feature'")
    assert imported(save(bad, "a.geojson"), on_error="drop").height == 1
    says(capsys.readouterr().err, "dropped 1 row")
    far = collection(feature(point(385000, 6672000), id=1, category="cafe"))
    says(refused(save(far, "a.geojson")), "column geometry", 6672000, "latitude")


def polygon(*ring: tuple[float, float]) -> dict[str, object]:
    return {"type": "Polygon", "coordinates": [list(map(list, ring))]}


BOW = polygon((0, 0), (1, 1), (1, 0), (0, 1), (0, 0))
UNUSABLE = {
    "empty point": {"type": "Point", "coordinates": []},
    "empty area": {"type": "MultiPolygon", "coordinates": []},
    "empty collection": {"type": "GeometryCollection", "geometries": []},
    "crosses itself": BOW,
    "no area": polygon((0, 0), (1, 0), (2, 0), (0, 0)),
    "open": polygon((0, 0), (1, 0), (1, 1), (0, 1)),
    "two points": polygon((0, 0), (1, 0), (0, 0)),
    "no length": {"type": "LineString", "coordinates": [[1, 1], [1, 1]]},
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_shape_without_a_point_is_left_out_and_counted(
    save, tmp_path: Path, capsys, case: str
) -> None:
    shape = UNUSABLE[case]
    good = feature(point(2, 1), amenity="cafe")
    path = save(collection(feature(shape, amenity="cafe"), good), "a.geojson")
    assert imported(path).select("lat", "lon").rows() == [(1.0, 2.0)]
    says(capsys.readouterr().err, "left out 1 without coordinates")
    if case not in ("open", "two points"):  # shapely makes no such WKB
        written = [shapely.to_wkb(shapely.geometry.shape(shape)), wkb(2, 1)]
        table = {"id": ["a", "b"], "category": ["cafe"] * 2, "geometry": written}
        pl.DataFrame(table).write_parquet(tmp_path / "a.parquet")
        assert imported(tmp_path / "a.parquet")["place_id"].to_list() == ["b"]


ODD_TEXT = {
    "POINT Z (2 1 7)": (1.0, 2.0),
    "GEOMETRYCOLLECTION (POINT (2 1))": (1.0, 2.0),
    "POINT EMPTY": None,
    "POINT (NaN NaN)": None,
    "POLYGON ((0 0, 1 0, 1 1, 0 1))": None,
    "POLYGON ((0 0, NaN 0, 1 1, 0 0))": None,
    "POLYGON ((170 1, -170 1, -170 3, 170 3, 170 1))": (2.0, 180.0),
    "LINESTRING (179 1, 180 1, -179 1)": (1.0, 180.0),
    "MULTIPOLYGON (((178 1, 180 1, 180 3, 178 3, 178 1)),"
    " ((-180 1, -179 1, -179 3, -180 3, -180 1)))": (2.0, 179.0),
    "GEOMETRYCOLLECTION (" * 50_000 + "POINT (2 1)" + ")" * 50_000: None,
}


@pytest.mark.parametrize("text", ODD_TEXT, ids=lambda text: text[:40])
def test_odd_shapes_as_text(save, text: str) -> None:
    path = save(f'id,category,wkt\na,cafe,"{text}"\nb,cafe,POINT (5 5)\n')
    *odd, _ = imported(path).select("lat", "lon").rows()
    assert odd == ([] if ODD_TEXT[text] is None else [pytest.approx(ODD_TEXT[text], abs=1e-6)])


@pytest.mark.parametrize("multi", [4, 5, 6, 7])
def test_wkb_nested_beyond_the_stack_is_left_out(tmp_path: Path, multi: int) -> None:
    deep = struct.pack("<BII", 1, multi, 1) * 200_000 + wkb(2, 1)
    table = {"id": ["a", "b"], "category": ["cafe"] * 2, "geometry": [deep, wkb(2, 1)]}
    pl.DataFrame(table).write_parquet(tmp_path / "a.parquet")
    assert imported(tmp_path / "a.parquet")["place_id"].to_list() == ["b"]


@pytest.mark.parametrize(
    ("west", "east", "middle"), [(2, 4, 3), (179, -177, -179), (-179, 177, 179), (-180, 180, 180)]
)
def test_a_box_across_180(tmp_path: Path, west: float, east: float, middle: float) -> None:
    box = {"xmin": west, "xmax": east, "ymin": 1, "ymax": 3}
    table = {"id": ["a"], "names": [{"primary": "A"}], "categories": [{"primary": "cafe"}]}
    pl.DataFrame({**table, "bbox": [box]}).write_parquet(tmp_path / "a.parquet")
    ((lat, lon),) = imported(tmp_path / "a.parquet").select("lat", "lon").rows()
    assert (lat, abs(lon) if middle == 180 else lon) == (2, middle)


def test_a_null_geometry_is_left_out_even_with_a_box(tmp_path: Path, capsys) -> None:
    box = {"xmin": 3.0, "xmax": 3.0, "ymin": 4.0, "ymax": 4.0}
    table = {"id": ["a", "b"], "geometry": [wkb(2, 1), None], "bbox": [None, box]}
    table["categories"] = [{"primary": "cafe", "alternate": None}] * 2
    pl.DataFrame(table).write_parquet(tmp_path / "a.parquet")
    assert imported(tmp_path / "a.parquet")["place_id"].to_list() == ["a"]
    says(capsys.readouterr().err, "left out 1 without coordinates")


BROKEN_JSON = {
    "not UTF-8": (b'"caf\xed"', "UTF-8"),
    "deep": (b"[" * 200_000 + b"]" * 200_000, "levels"),
    "brackets in text": (b'"' + b"[{" * 500 + b'\\" ["', None),
    "a long integer": (b"9" * 5000, "broken JSON"),
    "cut off": (b'{"a": ', "broken JSON"),
}


@pytest.mark.parametrize("case", BROKEN_JSON)
def test_what_a_json_value_may_be(save, case: str) -> None:
    value, said = BROKEN_JSON[case]
    good, odd = (
        json.dumps(feature(point(2, 1), amenity="cafe", name="NAME")).encode() for _ in range(2)
    )
    odd = odd.replace(b'"NAME"', value)
    whole = b'{"type": "FeatureCollection", "features": [' + good + b", " + odd + b"]}"
    path = save(whole, "a.geojson")
    if said is None:
        assert imported(path).height == 2
    else:
        says(refused(path), said, "a whole GeoJSON file")

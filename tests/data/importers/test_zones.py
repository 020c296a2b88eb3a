"""Zones with people, from GeoJSON and from a layer in metres."""

from __future__ import annotations

import json

import numpy as np
import pytest
import shapely

from humobctl.data.importers.zones import read_zones
from humobctl.errors import HumobError
from tests.messages import raises, says

WEST, EAST = shapely.box(116.3, 39.8, 116.4, 39.9), shapely.box(117.0, 39.8, 117.1, 39.9)


def features(*zones) -> str:
    """GeoJSON of shapes and their people."""
    made = [
        {
            "type": "Feature",
            "properties": {"name": "z", "population": people},
            "geometry": None if shape is None else json.loads(shapely.to_geojson(shape)),
        }
        for shape, people in zones
    ]
    return json.dumps({"type": "FeatureCollection", "features": made})


@pytest.fixture
def read(tmp_path):
    def from_text(text: str, **options):
        path = tmp_path / "zones.geojson"
        path.write_text(text)
        return read_zones(str(path), **options)

    return from_text


def test_geojson_without_zones_that_have_nobody(read) -> None:
    zones = read(features((WEST, 300), (EAST, 0), (EAST, "12.5")))
    assert zones["population"].to_list() == [300, 12.5]
    assert shapely.from_wkb(zones["geometry"][0]).equals(WEST)


@pytest.mark.parametrize(
    ("zone", "names"),
    [
        ((shapely.Point(116, 39), 5), ("geometry", "Point", "a polygon")),
        ((None, 5), ("geometry", "nothing", "a polygon")),
        ((shapely.box(440_000, 4_400_000, 450_000, 4_410_000), 5), ("geometry", "degrees")),
        ((WEST, None), ("population", "nothing", "from 0")),
        ((WEST, -3), ("population", -3, "from 0")),
        ((WEST, "many"), ("population", "many", "from 0")),
    ],
)
def test_faulty_zones(read, capsys, zone, names) -> None:
    text = features((WEST, 7), zone)
    with raises(HumobError, "zones.geojson", "row 2", *names):
        read(text)
    assert read(text, on_error="drop")["population"].to_list() == [7]
    says(capsys.readouterr().err, "dropped 1")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('{"type":"FeatureCollection","features":[]}', ("no zone", "people")),
        (features((WEST, 0)), ("no zone", "people")),
        (features((WEST, 1)).replace("population", "count"), ("name, count", "population")),
        ('{"type":"FeatureCollection","features":[3]}', ("row 1", "feature")),
        ('{"type":"FeatureCollection"}', ("no features", "FeatureCollection")),
        ("uid,d\n1,2\n", ("csv", "GeoPackage")),
    ],
)
def test_no_zones(read, text, names) -> None:
    with raises(HumobError, "zones.geojson", *names):
        read(text)


def test_a_geopackage_in_metres_is_turned_into_degrees(tmp_path) -> None:
    pyogrio, pyproj = pytest.importorskip("pyogrio"), pytest.importorskip("pyproj")
    turn = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:32650", always_xy=True).transform
    shape = shapely.transform(WEST, lambda at: np.column_stack(turn(*at.T)))
    path = str(tmp_path / "zones.gpkg")
    pyogrio.raw.write(
        path,
        geometry=np.array([shapely.to_wkb(shape)], object),
        field_data=[np.array([8])],
        fields=["pop"],
        geometry_type="Polygon",
        crs="EPSG:32650",
    )
    zones = read_zones(path)
    assert zones["population"].to_list() == [8]
    found = shapely.from_wkb(zones["geometry"][0])
    assert found.bounds == pytest.approx(WEST.bounds, abs=1e-6)

"""OpenStreetMap files as places."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import osmium
import polars as pl
import pytest

from humobctl.data.importers.places.mapping import mapping_for
from humobctl.data.importers.places.osm import OsmObjects
from humobctl.io.streams import open_input
from humobctl.tables.schemas import INTENTS
from tests.data.importers.places.fixtures import imported, refused
from tests.messages import says

# A square of 0.02 degrees (nodes 1-4), another north of it (4, 3, 6, 5), and what stands there.
MAP = """<?xml version='1.0' encoding='UTF-8'?>
<osm version="0.6" generator="by hand">
 <node id="1" lat="60.00" lon="24.00"/>
 <node id="2" lat="60.00" lon="24.02"/>
 <node id="3" lat="60.02" lon="24.02"/>
 <node id="4" lat="60.02" lon="24.00"/>
 <node id="5" lat="60.04" lon="24.00"/>
 <node id="6" lat="60.04" lon="24.02"/>
 <node id="10" lat="60.01" lon="24.01"><tag k="amenity" v="cafe"/><tag k="name" v="Corner"/></node>
 <node id="11" lat="60.01" lon="24.01"><tag k="amenity" v="bench"/></node>
 <node id="12" lat="60.01" lon="24.01"><tag k="railway" v="switch"/></node>
 <node id="13" lat="60.01" lon="24.01"><tag k="shop" v="bakery"/><tag k="disused" v="yes"/></node>
 <node id="14" lat="60.01" lon="24.01"><tag k="shop" v="vacant"/></node>
 <node id="15" lat="60.01" lon="24.01"><tag k="amenity" v="bench; bar"/></node>
 <way id="20"><nd ref="1"/><nd ref="2"/><nd ref="3"/><nd ref="4"/><nd ref="1"/>
  <tag k="building" v="apartments"/><tag k="shop" v="books"/></way>
 <way id="21"><nd ref="1"/><nd ref="3"/><tag k="leisure" v="track"/></way>
 <way id="22"><nd ref="4"/><nd ref="3"/><nd ref="6"/></way>
 <way id="23"><nd ref="6"/><nd ref="5"/><nd ref="4"/></way>
 <way id="24"><nd ref="1"/><nd ref="2"/><nd ref="99"/><nd ref="1"/><tag k="shop" v="toys"/></way>
 <way id="25"><nd ref="4"/><nd ref="3"/><nd ref="6"/><nd ref="4"/>
  <tag k="leisure" v="track"/><tag k="area" v="no"/></way>
 <relation id="30"><member type="way" ref="22" role="outer"/>
  <member type="way" ref="23" role="outer"/><tag k="type" v="multipolygon"/>
  <tag k="leisure" v="park"/><tag k="name" v="North Park"/></relation>
 <relation id="31"><member type="node" ref="10" role=""/>
  <tag k="type" v="site"/><tag k="tourism" v="zoo"/></relation>
</osm>
"""


def test_nodes_ways_and_relations(save, capsys) -> None:
    places = imported(save(MAP, "a.osm"))
    found = {row[0]: row[1:] for row in places.rows()}
    assert found.keys() == {"node/10", "node/15", "way/20", "way/21", "way/25", "relation/30"}
    assert found["node/10"] == ("Corner", "amenity=cafe", "eat", 60.01, 24.01)
    assert found["node/15"][1:3] == ("amenity=bar", "leisure or entertainment")
    assert found["way/20"][1:3] == ("shop=books", "do shopping")
    lat, lon = found["way/20"][3:]
    assert 60.00 < lat < 60.02
    assert 24.00 < lon < 24.02
    assert found["way/21"][1:3] == ("leisure=track", "do sports")
    name, category, intent, lat, lon = found["relation/30"]
    assert (name, category, intent) == ("North Park", "leisure=park", "excursion")
    assert 60.02 < lat < 60.04
    assert 24.00 < lon < 24.02
    said = capsys.readouterr().err
    counts = ("6 places", "eat 1", "do shopping 1", "do sports 2", "excursion 1")
    says(said, "a.osm", "OpenStreetMap (XML)", *counts)
    # Way 24 lacks a node, and relation 31 has no area; the switch has none of our keys.
    left_out = (
        "left out 1 closed",
        "left out 2 without coordinates",
        "left out 2 without an intent",
    )
    says(said, *left_out, "amenity=bench 1", "shop=vacant 1")


def test_a_tag_without_a_value_is_no_category(save, capsys) -> None:
    text = MAP.replace('v="cafe"', 'v99="cafe"')
    assert "node/10" not in imported(save(text, "a.osm"))["place_id"]
    says(capsys.readouterr().err, "without a category 1")


def test_packed_and_as_pbf(save, tmp_path: Path) -> None:
    plain = imported(save(MAP, "a.osm"))
    assert imported(save(gzip.compress(MAP.encode()), "b.osm.gz")).equals(plain)
    pbf = tmp_path / "c.osm.pbf"
    with osmium.SimpleWriter(str(pbf)) as writer:
        for thing in osmium.FileProcessor(str(tmp_path / "a.osm")):
            writer.add(thing)
    assert imported(pbf).equals(plain)


def test_node_locations_on_disk(save) -> None:
    path = save(MAP, "a.osm")
    keys = mapping_for(None, "osm").tag_keys()
    frames = []
    for in_memory in (1 << 20, 0):
        source = open_input(path)
        ((frame, _),) = OsmObjects(source, keys, in_memory).frames()
        source.close()
        frames.append(frame)
    assert frames[0].equals(frames[1])
    assert frames[0].height > 6


def test_a_users_mapping_can_name_other_keys(save) -> None:
    mapping = save("category,intent\nrailway=switch,go to work\namenity=bench,excursion\n", "m.csv")
    places = imported(save(MAP, "a.osm"), mapping=mapping)
    intents = dict(places.select("place_id", "intent").rows())
    assert intents["node/12"] == "go to work"
    assert intents["node/11"] == "excursion"
    assert intents["node/10"] == "eat"


def nodes(*points: tuple[object, object]) -> str:
    return "".join(f'<node id="{n}" lat="{y}" lon="{x}"/>\n' for n, (x, y) in enumerate(points, 1))


def way(*refs: int) -> str:
    inner = "".join(f'<nd ref="{ref}"/>' for ref in refs)
    return f'<way id="9">{inner}<tag k="leisure" v="park"/></way>'


CAFE = '<node id="{}" lat="60.1" lon="24.9"><tag k="amenity" v="cafe"/></node>\n'
BAD_AREAS = {
    "crosses itself": nodes((0, 0), (1, 1), (1, 0), (0, 1)) + way(1, 2, 3, 4, 1),
    "no area": nodes((0, 0), (1, 0), (2, 0)) + way(1, 2, 3, 1),
    "no length": nodes((0, 0), (0, 0)) + way(1, 2),
}


@pytest.mark.parametrize("case", BAD_AREAS)
def test_an_area_that_is_none_is_left_out_and_counted(save, capsys, case: str) -> None:
    text = f'<osm version="0.6">{CAFE.format(0)}{BAD_AREAS[case]}</osm>'
    assert imported(save(text, "a.osm"))["place_id"].to_list() == ["node/0"]
    says(capsys.readouterr().err, "left out 1 without coordinates")


def test_a_way_across_180(save) -> None:
    text = nodes((179, 10), (-179, 10), (-179, 12), (179, 12)) + way(1, 2, 3, 4, 1)
    (row,) = imported(save(f'<osm version="0.6">{text}</osm>', "a.osm")).rows()
    assert (row[4], abs(row[5])) == pytest.approx((11, 180))


@pytest.mark.parametrize("bad", ["x", "", "nan", "5 "])
def test_a_bad_coordinate_is_named_with_its_line(save, bad: str) -> None:
    text = f'<osm version="0.6">\n{nodes((1, 2), (bad, 3))}</osm>'
    says(refused(save(text, "a.osm")), "a.osm", "line 3", "coordinate")


def test_damaged_files(save, tmp_path: Path, helsinki: Path) -> None:
    says(refused(save(MAP[:900], "a.osm")), "a.osm", "damaged")
    cut = save(helsinki.read_bytes()[:300_000], "cut.osm.pbf")
    says(refused(cut), "cut.osm.pbf", "damaged")


def test_helsinki(helsinki: Path, capsys) -> None:
    """Counts of nodes by tag, as osmium itself gives them; all of them lie in the extract."""
    tags: Counter[str] = Counter()
    for node in osmium.FileProcessor(str(helsinki), osmium.osm.NODE):
        tags.update(f"{key}={node.tags[key]}" for key in ("amenity", "shop") if key in node.tags)
    places = imported(helsinki)
    nodes = places.filter(pl.col("place_id").str.starts_with("node/"))
    for category in ("amenity=fast_food", "amenity=cafe", "shop=clothes", "shop=hairdresser"):
        assert nodes.filter(category=category).height == tags[category] > 40
    # Several values are split by semicolons; the first row of the mapping decides.
    assert tags["amenity=nightclub;restaurant"] == 1
    both = nodes.filter(category="amenity=restaurant").height
    assert both == tags["amenity=restaurant"] + 1
    assert tags["amenity=bench"] > 100
    assert places.filter(category="amenity=bench").is_empty()
    assert places["place_id"].n_unique() == places.height > 1400
    assert set(places["intent"].unique()) == set(INTENTS)
    assert places["lat"].is_between(60.16, 60.18).all()
    assert places["lon"].is_between(24.93, 24.96).all()
    says(capsys.readouterr().err, "natural=tree")


@pytest.mark.parametrize("kind", ["node", "way", "relation"])
def test_helsinki_has_places_of_each_kind(helsinki: Path, kind: str) -> None:
    assert imported(helsinki)["place_id"].str.starts_with(f"{kind}/").any()

"""What of each kind of table is drawn, samples, what is refused, and pictures."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import humobctl as hm
from humobctl.view.sample import Sampler
from tests.messages import fails, says

KINDS = {
    **{"x": "<f4", "value": "<f4", "day": "<i4", "start": "<i4", "end": "<i4", "intent": "<u1"},
    "label": "<u4",
}


def data_of(page: Path) -> dict[str, Any]:
    """The data in a page, arrays unpacked."""
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page.read_text())
    assert found
    told: dict[str, Any] = json.loads(found[1])
    for name, kind in KINDS.items():
        if name in told["rows"]:
            told[name] = np.frombuffer(base64.b64decode(told["rows"][name]), kind)
    return told


def exported(cli: Any, folder: Path, *arguments: str) -> dict[str, Any]:
    done = cli("view", *arguments, "--export", "page.html", cwd=folder)
    assert done.code == 0, done.err
    return data_of(folder / "page.html")


@pytest.mark.parametrize(
    ("name", "noun"),
    [
        ("city.csv", "record"),
        ("gps.csv", "point"),
        ("stays.csv", "visit"),
        ("plans.csv", "activity"),
        ("places.csv", "place"),
        ("counties.csv", "area"),
        ("pairs.csv", "home and work"),
    ],
)
def test_all_rows_of_each_kind_are_drawn(workdir, cli, name: str, noun: str) -> None:
    told = exported(cli, workdir, name)
    table = pl.read_csv(workdir / name)
    assert told["n"] == table.height
    assert told["tables"] == [{"name": name, "noun": noun, "label": told["tables"][0]["label"]}]
    assert (told["plane"] is None) == (noun == "activity")
    if "uid" in table.columns:
        assert len(told["users"]) == table["uid"].n_unique()


def test_flows_lie_between_their_areas(workdir, cli) -> None:
    told = exported(cli, workdir, "commuting.csv", "counties.csv")
    flows = pl.read_csv(workdir / "commuting.csv")
    assert sorted(told["value"]) == pytest.approx(sorted(flows["flow"]))
    fails(cli("view", "commuting.csv", "--export", "a.html", cwd=workdir), "areas", code=2)
    (workdir / "few.csv").write_text("area_id,lat,lon,population\nnowhere,1,2,3\n")
    done = cli("view", "commuting.csv", "few.csv", "--export", "a.html", cwd=workdir)
    fails(done, "commuting.csv", "found the area")


def test_trips_and_locations(tmp_path, cli) -> None:
    """A trip of 1 km in 30 minutes: 2 km/h, along its line."""
    (tmp_path / "trips.csv").write_text(
        "uid,trip,started_at,finished_at,origin,destination,origin_lat,origin_lon,destination_lat,"
        "destination_lon,distance_m,duration_min,points,line\n"
        "3,0,2024-05-06 08:00:00,2024-05-06 08:30:00,a,b,40,116,40,116.01,1000,30,3,"
        '"LINESTRING (116 40, 116.005 40.001, 116.01 40)"\n'
        "3,1,2024-05-07 09:00:00,2024-05-07 09:30:00,b,a,40,116.01,40,116,1000,30,3,\n"
    )
    told = exported(cli, tmp_path, "trips.csv")
    assert told["value"] == pytest.approx([2, 2])
    assert told["day"].tolist() == [0, 1]
    assert told["start"].tolist() == [480, 540]
    ends = np.frombuffer(base64.b64decode(told["line"]["ends"]), "<u4")
    assert ends.tolist() == [3, 3]
    assert told["labels"] == ["a → b", "b → a"]
    (tmp_path / "locations.csv").write_text(
        "uid,place_id,lat,lon,intent,stays,minutes\n1,a,40,116,,3,120\n1,b,40,117,eat,1,30\n"
    )
    told = exported(cli, tmp_path, "locations.csv")
    assert told["value"] == pytest.approx([2, 0.5])
    assert told["intent"].tolist() == [255, 2]


def test_speeds_of_points(tmp_path, cli) -> None:
    """A hundredth of a degree north in 6 minutes: 11.1 km/h."""
    (tmp_path / "gps.csv").write_text(
        "uid,datetime,lat,lon\na,2024-05-06 08:00:00,40,116\na,2024-05-06 08:06:00,40.01,116\n"
        "b,2024-05-06 08:06:00,40.01,116\n"
    )
    told = exported(cli, tmp_path, "gps.csv")
    assert told["value"] == pytest.approx([np.nan, 11.12, np.nan], abs=0.01, nan_ok=True)


def test_errors_of_predictions(tmp_path, cli) -> None:
    """Three cells east and four north of the truth: 2.5 km; rows without a truth have no error."""
    (tmp_path / "predicted.csv").write_text("uid,d,t,x,y\n1,60,16,5,5\n1,60,17,9,9\n2,61,3,1,1\n")
    (tmp_path / "true.csv").write_text(
        "uid,d,t,x,y\n1,60,16,8,9\n1,60,17,9,9\n1,61,17,9,9\n3,60,17,9,9\n"
    )
    told = exported(cli, tmp_path, "predicted.csv", "--truth", "true.csv")
    assert told["truth"]
    assert told["measure"] == ["error", "km"]
    # The true rows of the predicted users and days come first, so that predictions lie above.
    nothing = np.nan
    assert told["value"] == pytest.approx([nothing, nothing, 2.5, 0, nothing], nan_ok=True)
    told = exported(cli, tmp_path, "predicted.csv", "--truth", "true.csv", "--user", "1")
    assert (told["n"], told["users"]) == (4, ["1"])


def test_cells_lie_on_a_declared_grid(tmp_path, cli) -> None:
    (tmp_path / "city.csv").write_text("uid,d,t,x,y\n1,0,16,1,1\n1,0,17,999,999\n1,0,18,3,1\n")
    told = exported(cli, tmp_path, "city.csv", "--cell-km", "0.5")
    assert told["x"].tolist() == [-500, 500]
    assert told["compass"].startswith("y")
    grid = ("--grid", "1km@0,116", "--axes", "west,north")
    told = exported(cli, tmp_path, "city.csv", *grid)
    assert told["x"] == pytest.approx([1000, -1000], abs=1)
    assert told["compass"].startswith("N")
    fails(cli("view", "city.csv", "--grid", "1km@0,116", cwd=tmp_path), "--axes", code=2)


def test_users_and_days_are_chosen(workdir, cli) -> None:
    told = exported(cli, workdir, "city.csv", "--user", "3,5", "--days", "2-4")
    rows = pl.read_csv(workdir / "city.csv")
    wanted = rows.filter(pl.col("uid").is_in([3, 5]) & pl.col("d").is_between(2, 4))
    assert told["n"] == wanted.height
    told = exported(cli, workdir, "gps.csv", "--user", "1", "--days", "1")
    assert (told["n"], set(told["day"].tolist())) == (144, {1})
    done = cli("view", "city.csv", "--user", "77", "--export", "a.html", cwd=workdir)
    fails(done, "city.csv", "no row", "user 77", notes=True)
    assert not (workdir / "a.html").exists()


def test_long_tables_are_sampled_by_user() -> None:
    rows = pl.DataFrame({"uid": np.repeat(np.arange(100), 10), "n": np.arange(1000)})
    sampler = Sampler(most=300, seed=1, by="uid")
    some = sampler.collect(rows.iter_slices(170))
    assert 0 < some.height <= 300
    assert set(some["uid"].value_counts()["count"]) == {10}
    assert (sampler.rows, sampler.users) == (1000, 100)
    # The same users whatever the order and the batches.
    again = Sampler(most=300, seed=1, by="uid").collect([rows.reverse()])
    assert set(again["uid"]) == set(some["uid"])
    other = Sampler(most=300, seed=2, by="uid").collect([rows])
    assert set(other["uid"]) != set(some["uid"])
    # One user with too many rows keeps some of them; so do rows without users.
    one = Sampler(most=300, by="uid").collect([rows.with_columns(uid=pl.lit(5))])
    assert 0 < one.height <= 300
    assert 0 < Sampler(most=300).collect([rows]).height <= 300


def test_a_sample_is_said(workdir, cli) -> None:
    by = ("--colour-by", "user", "--max-rows", "5000")
    done = cli("view", "city.csv", *by, "--export", "page.html", cwd=workdir)
    says(done.err, "sample", "of 19,379 records", "of 20 users", "--max-rows")
    told = data_of(workdir / "page.html")
    assert told["n"] <= 5000
    assert "sample of the 19,379 rows" in told["note"]


def test_a_density_counts_every_record(workdir, cli) -> None:
    """Of too many cells or points, in squares by hour; four become one until they are few."""

    def counted(file: str, most: int) -> tuple[dict[str, Any], pl.DataFrame]:
        options = ("--max-rows", f"{most}", "--export", "page.html")
        done = cli("view", file, *options, cwd=workdir)
        says(done.err, file, "counted in squares", "--max-rows")
        told = data_of(workdir / "page.html")
        assert told["n"] <= most
        rows = {name: told[name] for name in ("label", "start", "value")}
        return told, pl.DataFrame(rows).with_columns(hour=pl.col("start") // 60)

    told, squares = counted("city.csv", 8000)
    city = pl.read_csv(workdir / "city.csv").with_columns(hour=pl.col("t") // 2)
    assert (told["records"], told["cell"]) == (city.height, 500)
    assert "19,379 rows of 20 users" in told["note"]
    by_hour = city.group_by("hour").len().sort("hour")["len"].to_list()
    assert squares.group_by("hour").agg(pl.sum("value")).sort("hour")["value"].to_list() == by_hour
    by_cell = sorted(city.group_by("x", "y").len()["len"].to_list())
    assert sorted(squares.group_by("label").agg(pl.sum("value"))["value"].to_list()) == by_cell
    told, squares = counted("city.csv", 2000)
    two = int(told["cell"] / 500)
    coarse = city.group_by((pl.col("x", "y") - 1) // two, "hour").len()["len"].to_list()
    assert (two & (two - 1), two > 1) == (0, True)
    assert sorted(squares["value"].to_list()) == sorted(coarse)
    told, squares = counted("gps.csv", 100)
    assert squares["value"].sum() == told["records"] == 864
    # A square is as wide as it is drawn: no two middles are nearer.
    east = np.unique(told["x"].round(1))
    assert np.diff(east).min() == pytest.approx(told["cell"], rel=0.01)


def test_what_cannot_be_drawn_is_one_line(workdir, cli) -> None:
    (workdir / "scores.csv").write_text("a,b\n1,2\n")
    fails(cli("view", "scores.csv", "--export", "a.html", cwd=workdir), "scores.csv")
    fails(cli("view", "city.csv", "--export", "a.gif", cwd=workdir), "--export", ".png", code=2)
    done = cli("view", "city.csv", "--tiles", "javascript:1", "--export", "a.html", cwd=workdir)
    fails(done, "--tiles", "{z}", code=2)
    done = cli("view", "city.csv", "gps.csv", "--export", "a.html", cwd=workdir)
    fails(done, "degrees", "--grid", code=2, notes=True)
    done = cli("view", "city.csv", "--colour-by", "intent", "--export", "a.html", cwd=workdir)
    fails(done, "--colour-by", "city.csv", code=2, notes=True)
    (workdir / "broken.geojson").write_text('{"type": "FeatureCollection", "features": [1]}')
    done = cli("view", "gps.csv", "--base", "broken.geojson", "--export", "a.html", cwd=workdir)
    fails(done, "broken.geojson", "GeoJSON")
    fails(cli("view", "plans.csv", "--export", "a.png", cwd=workdir), "without positions", code=2)


def test_only_the_tile_server_may_be_asked(workdir, cli) -> None:
    exported(cli, workdir, "gps.csv")
    assert "http" not in re.search(r"img-src[^;]*", (workdir / "page.html").read_text())[0]
    exported(cli, workdir, "gps.csv", "--tiles", "https://tiles.example.org/{z}/{x}/{y}.png")
    policy = re.search(r"img-src[^;]*", (workdir / "page.html").read_text())
    assert policy
    assert policy[0] == "img-src 'self' data: blob: https://tiles.example.org"


def test_base_lines_are_drawn(workdir, cli) -> None:
    square = [[116.3, 39.9], [116.4, 39.9], [116.4, 40.0], [116.3, 39.9]]
    shapes = [
        {"type": "Feature", "properties": {}, "geometry": {"type": kind, "coordinates": at}}
        for kind, at in (("LineString", square), ("Polygon", [square]), ("Point", square[0]))
    ]
    text = json.dumps({"type": "FeatureCollection", "features": shapes})
    (workdir / "roads.geojson").write_text(text)
    told = exported(cli, workdir, "gps.csv", "--base", "roads.geojson")
    ends = np.frombuffer(base64.b64decode(told["base"][0]["ends"]), "<u4")
    assert ends.tolist() == [4, 8]


def test_base_roads_of_openstreetmap(workdir, cli) -> None:
    """A street is drawn, a footpath and a bench are not."""
    pytest.importorskip("osmium")
    nodes = "".join(f'<node id="{n}" version="1" lat="39.9{n}" lon="116.3"/>' for n in (1, 2, 3))
    tags = (("highway", "primary"), ("highway", "path"), ("amenity", "bench"))
    along = '<nd ref="1"/><nd ref="2"/><nd ref="3"/>'
    ways = "".join(
        f'<way id="{at}" version="1">{along}<tag k="{key}" v="{value}"/></way>'
        for at, (key, value) in enumerate(tags, 1)
    )
    (workdir / "roads.osm").write_text(f'<osm version="0.6">{nodes}{ways}</osm>')
    told = exported(cli, workdir, "gps.csv", "--base", "roads.osm")
    ends = np.frombuffer(base64.b64decode(told["base"][0]["ends"]), "<u4")
    assert ends.tolist() == [3]


@pytest.mark.parametrize(
    ("name", "begin"), [("map.png", b"\x89PNG"), ("map.svg", b"<?xml"), ("map.pdf", b"%PDF")]
)
def test_pictures(workdir, cli, name: str, begin: bytes) -> None:
    pytest.importorskip("matplotlib")
    done = cli("view", "stays.csv", "--title", "A $\\frac$ <b>", "--export", name, cwd=workdir)
    assert done.code == 0, done.err
    drawn = (workdir / name).read_bytes()
    assert drawn.startswith(begin)
    cli("view", "stays.csv", "--title", "A $\\frac$ <b>", "--export", f"again-{name}", cwd=workdir)
    assert (workdir / f"again-{name}").read_bytes() == drawn


def test_the_library_draws_frames(workdir) -> None:
    pytest.importorskip("matplotlib")
    city = hm.read(workdir / "city.csv")
    done = hm.view([city, city.filter(uid=1)], export=workdir / "two.png", colour_by="table")
    assert done["rows"].item() == city.height + city.filter(uid=1).height
    assert hm.view(city, export=workdir / "one.png")["users"].item() == 20
    flows = [workdir / "commuting.csv", workdir / "counties.csv"]
    hm.view(flows, export=workdir / "flows.png")
    hm.view(workdir / "gps.csv", export=workdir / "gps.png", colour_by="hour")


def test_embeddings_are_explored(workdir, cli) -> None:
    pytest.importorskip("plotly")
    done = cli("view", "embeddings.parquet", "city.csv", "--export", "page.html", cwd=workdir)
    assert done.code == 0, done.err
    assert "<title>humobctl explore: " in (workdir / "page.html").read_text()
    fails(cli("view", "embeddings.parquet", cwd=workdir), "trajectories", code=2)

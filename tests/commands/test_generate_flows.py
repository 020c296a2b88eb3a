"""`generate flows` and `eval` of flows through the command line; areas from any file."""

from __future__ import annotations

import io
import json

import polars as pl
import pytest

from humobctl.data.importers.areas import read_areas
from tests.conftest import COUNTIES
from tests.messages import fails, says

SQUARE = [[[-74, 42], [-73, 42], [-73, 43], [-74, 43], [-74, 42]]]


def collection(*features) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


def feature(area: str, people: object, coordinates=SQUARE, kind: str = "Polygon") -> dict:
    return {
        "type": "Feature",
        "properties": {"tile_ID": area, "name": f"County {area}", "pop": people},
        "geometry": {"type": kind, "coordinates": coordinates},
    }


def table(text: str) -> pl.DataFrame:
    return pl.read_csv(io.StringIO(text))


def test_flows_keep_the_outflows_that_they_were_fitted_to(cli, workdir) -> None:
    done = cli("generate", "flows", "counties.csv", "--fit", "commuting.csv", cwd=workdir)
    assert done.code == 0
    sums = dict(table(done.out).group_by("origin").agg(pl.col("flow").sum()).iter_rows())
    assert sums == pytest.approx({"North": 4300, "Middle": 6700, "South": 8000, "Lake": 760})
    says(done.err, 19760, "trips", "4 areas")
    says(done.err, 59000, "within areas")


def test_a_fitted_law_is_nearer_than_the_inverse_square(cli, workdir) -> None:
    for name, options in (("plain.csv", ()), ("fitted.csv", ("--mass", "attraction"))):
        fit = ("--fit", "commuting.csv") if options else ("--trips", "19760")
        areas = ("counties.csv", *fit, *options)
        assert cli("generate", "flows", *areas, "-o", name, cwd=workdir).code == 0
    done = cli(
        *("eval", "fitted.csv", "plain.csv", "--truth", "commuting.csv", "--metric", "cpc"),
        cwd=workdir,
    )
    fitted, plain = (record["scores"][0]["value"] for record in json.loads(done.out))
    assert fitted > plain
    says(done.err, "commuting.csv", 59000, "within areas")


def test_a_saved_law_makes_the_same_flows(cli, workdir) -> None:
    fit = ("counties.csv", "--fit", "commuting.csv", "--trips", "500", "--mass", "inflow")
    first = cli("generate", "flows", *fit, "--save-law", "law.json", cwd=workdir)
    again = cli(
        "generate", "flows", "counties.csv", "--law", "law.json", "--trips", "500", cwd=workdir
    )
    assert first.code == again.code == 0
    assert again.out == first.out


def test_draws_are_whole_and_seeded(cli, workdir) -> None:
    options = ("counties.csv", "--law", "radiation", "--trips", "1000", "--sample")
    runs = [cli("generate", "flows", *options, "--seed", seed, cwd=workdir) for seed in "112"]
    assert runs[0].out == runs[1].out != runs[2].out
    drawn = table(runs[0].out)
    assert (drawn["flow"] == drawn["flow"].round()).all()
    assert drawn["flow"].sum() == pytest.approx(1000, abs=2)


def test_small_flows_left_out_are_told_of(cli, workdir) -> None:
    options = ("counties.csv", "--law", "radiation", "--trips", "1000", "--min-flow", "50")
    done = cli("generate", "flows", *options, cwd=workdir)
    kept = table(done.out)["flow"]
    assert kept.min() >= 50
    says(done.err, f"{1000 - kept.sum():,.1f}", "below 50")


def test_unknown_outflows_are_those_of_the_others_per_person(cli, workdir) -> None:
    (workdir / "some.csv").write_text("origin,destination,flow\nNorth,Middle,3000\n")
    done = cli(
        "generate", "flows", "counties.csv", "--law", "radiation", "--fit", "some.csv", cwd=workdir
    )
    sums = dict(table(done.out).group_by("origin").agg(pl.col("flow").sum()).iter_rows())
    assert sums == pytest.approx({"North": 3000, "Middle": 12000, "South": 6000, "Lake": 900})
    says(done.err, "3 areas", "unknown outflow", 0.1)


def test_outflows_of_the_areas_and_a_pipe(cli, workdir) -> None:
    lines = COUNTIES.strip().split("\n")
    text = "\n".join([f"{lines[0]},outflow", *(f"{row},10" for row in lines[1:])])
    done = cli(
        "generate", "flows", "--law", "radiation", "--format", "ndjson", input=text, cwd=workdir
    )
    assert done.code == 0
    assert sum(json.loads(row)["flow"] for row in done.out.splitlines()) == pytest.approx(40)


# -- GeoJSON and column names -------------------------------------------------------------------


def test_polygons_stand_for_their_centroids(cli, tmp_path) -> None:
    far = [[[[-75, 42], [-74.5, 42], [-74.5, 42.5], [-75, 42]]], SQUARE]
    (tmp_path / "areas.geojson").write_text(
        collection(
            feature("a", 100),
            feature("b", 50, [-72.0, 42.5], "Point"),
            feature("c", 9, far, "MultiPolygon"),
        )
    )
    done = cli("generate", "flows", "areas.geojson", "--trips", "1590", cwd=tmp_path)
    assert done.code == 0
    flows = {(o, d): f for o, d, f in table(done.out).iter_rows()}
    assert sum(f for (o, _), f in flows.items() if o == "a") == pytest.approx(1000)
    # Both of the others are 123 km and 8 km from a: c, though small, draws the most.
    assert flows["a", "c"] > flows["a", "b"]


BOW = [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]
CENTROIDS = {
    "crosses itself": (BOW, "Polygon", (0.5, 0.5)),
    "no area": ([[[0, 0], [1, 0], [2, 0], [0, 0]]], "Polygon", (0, 1)),
    "across 180": ([[[179, 1], [-179, 1], [-179, 3], [179, 3], [179, 1]]], "Polygon", (2, 180)),
    "apart at 180": (
        [
            [[[-170, 52], [-165, 52], [-165, 53], [-170, 53], [-170, 52]]],
            [[[173, 52], [179, 52], [179, 53], [173, 53], [173, 52]]],
        ],
        "MultiPolygon",
        # 5 degrees around 192.5 and 6 around 176.
        (52.5, (5 * 192.5 + 6 * 176) / 11 - 360),
    ),
    "the whole earth": (
        [[[-180, 1], [180, 1], [180, 3], [-180, 3], [-180, 1]]],
        "Polygon",
        (2, 0),
    ),
    "with heights": ([2, 1, 7], "Point", (1, 2)),
}


@pytest.mark.parametrize("case", CENTROIDS)
def test_centroids_of_odd_shapes(save, case: str) -> None:
    coordinates, kind, expected = CENTROIDS[case]
    path = save(collection(feature("a", 1, coordinates, kind)), "a.geojson")
    ((lat, lon),) = read_areas(path).select("lat", "lon").rows()
    assert (lat, abs(lon) if expected[1] == 180 else lon) == pytest.approx(expected)


def test_areas_without_a_centroid_can_be_dropped(save, capsys) -> None:
    empty = feature("b", 2, [])
    odd = feature("c", 3)
    odd["properties"] |= {"note": float("nan"), "parts": [{"deep": [1]}]}  # as pandas writes it
    path = save(collection(feature("a", 1), empty, odd), "a.geojson")
    assert read_areas(path, on_error="drop")["area_id"].to_list() == ["a", "c"]
    says(capsys.readouterr().err, "dropped 1 row")


def test_names_of_columns_by_option(cli, tmp_path) -> None:
    (tmp_path / "zones.csv").write_text("zone,north,east,who,more\na,1.0,2,5,x\nb,1.1,2,5,y\n")
    (tmp_path / "od.csv").write_text("home,work,people\na,b,7\n")
    columns = "zone=area_id,north=lat,east=lon,who=population,home=origin,work=destination"
    done = cli(
        *("generate", "flows", "zones.csv", "--fit", "od.csv", "--law", "radiation"),
        *("--columns", columns, "--columns", "people=flow"),
        cwd=tmp_path,
    )
    assert done.code == 0, done.err
    assert table(done.out).rows() == [("a", "b", 7.0), ("b", "a", 7.0)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            collection(feature("a", 1), feature("b", "many")),
            ("row 2", "column population", "'many'"),
        ),
        (collection(feature("a", 1), feature("a", 2)), ("row 2", "'a'", "second")),
        (
            collection(feature("a", 1), feature("b", None)),
            ("row 2", "column population", "nothing"),
        ),
        (
            collection(feature("a", 1), {"type": "Feature", "geometry": None}),
            ("row 2", "column geometry"),
        ),
        (
            collection(feature("a", 1), feature("b", 2, [[[0, 0], [1, 1]]])),
            ("row 2", "column geometry"),
        ),
        (collection(feature("b", 2, [])), ("row 1", "column geometry", "empty")),
        (collection(feature("a", 1), 7), ("row 2", "GeoJSON feature")),
        (collection(feature("a", 1)), ("1 area",)),
        ('{"type": "FeatureCollection", "features": [', ("broken JSON",)),
        ('{"type": "FeatureCollection"}', ("no features",)),
        ("area_id,lat,lon\na,1,1\n", ("missing: population",)),
        (
            "area_id,lat,lon,population\na,95,1,1\nb,1,1,1\n",
            ("row 1", "line 2", "column lat", 95),
        ),
        (
            "area_id,lat,lon,population\na,9,1,1\nb,1,1,-1\n",
            ("row 2", "line 3", "column population", -1),
        ),
        ("", ("empty",)),
    ],
)
def test_faulty_areas_are_one_line(cli, tmp_path, text, names) -> None:
    (tmp_path / "areas").write_text(text)
    done = cli("generate", "flows", "areas", "--trips", "10", "-o", "out.csv", cwd=tmp_path)
    fails(done, "areas", *names)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("flows", "names"),
    [
        ("origin,destination,flow\nNorth,Nowhere,3\n", ("column destination", "'Nowhere'")),
        ("origin,destination,flow\nNorth,Middle,-3\n", ("row 1", "line 2", "column flow", -3)),
        ("origin,destination,flow\nNorth,Middle,inf\n", ("column flow", "inf")),
        (
            "origin,destination,flow\nNorth,Middle,1\nNorth,Middle,2\n",
            ("row 2", "'North'", "'Middle'"),
        ),
        ("origin,destination,flow\nNorth,North,1\n", ("no trips", "two areas")),
        ("origin,destination\nNorth,North\n", ("missing: flow",)),
    ],
)
def test_faulty_flows_are_one_line(cli, workdir, flows, names) -> None:
    (workdir / "bad.csv").write_text(flows)
    done = cli(
        "generate", "flows", "counties.csv", "--fit", "bad.csv", "-o", "out.csv", cwd=workdir
    )
    fails(done, "bad.csv", *names)
    assert not (workdir / "out.csv").exists()


def test_bad_rows_are_dropped_and_told_of(cli, workdir) -> None:
    rows = "origin,destination,flow\nNorth,Middle,5\nNorth,South,x\nNorth,Middle,2\n"
    (workdir / "bad.csv").write_text(rows)
    fit = ("--fit", "bad.csv", "--law", "radiation", "--on-error", "drop")
    done = cli("generate", "flows", "counties.csv", *fit, cwd=workdir)
    assert done.code == 0
    says(done.err, "dropped 1 row", "does not fit its column")
    says(done.err, "dropped 1 row", "repeated key")
    says(done.err, "5 trips")


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (("--law", "gravitation"), ("--law", "'gravitation'")),
        (("--law", "radiation"), ("--trips", "--fit")),
        (("--law", "radiation", "--deterrence", "exponential"), ("--deterrence", "--law gravity")),
        (("--deterrence", "exponential", "--trips", "5"), ("decay_per_km", "--fit")),
        (("--law", "law.json", "--fit", "commuting.csv"), ("--fit", "law")),
        (
            ("--trips", "5", "-o", "x.csv", "--save-law", "x.csv"),
            ("--output and --save-law", "x.csv"),
        ),
    ],
)
def test_wrong_usage(cli, workdir, options, names) -> None:
    fails(cli("generate", "flows", "counties.csv", *options, cwd=workdir), *names, code=2)


# -- eval ---------------------------------------------------------------------------------------


def test_eval_of_flows_by_hand(cli, tmp_path) -> None:
    (tmp_path / "made.csv").write_text("origin,destination,flow\na,b,8\nb,a,4\nb,c,2\na,a,9\n")
    (tmp_path / "true.csv").write_text("origin,destination,flow\na,b,10\nb,a,4\nc,b,2\nc,c,5\n")
    done = cli("eval", "made.csv", "--truth", "true.csv", cwd=tmp_path)
    found = json.loads(done.out)
    values = {score["metric"]: score["value"] for score in found["scores"]}
    assert (found["areas"], found["trips"]) == (3, [14, 16])
    assert values["cpc"] == pytest.approx(2 * 12 / 30)
    assert values["cpl"] == pytest.approx(2 * 2 / 6)
    assert values["rmse"] == pytest.approx((12 / 6) ** 0.5)
    assert values["rmse_travelled"] == pytest.approx((12 / 4) ** 0.5)
    within = cli(
        "eval", "made.csv", "--truth", "true.csv", "--within", "--metric", "cpc", cwd=tmp_path
    )
    assert json.loads(within.out)["scores"][0]["value"] == pytest.approx(2 * 12 / 44)


OTHER_IDS = {
    "leading zeros": ("01001", "01003", "1001", "1003"),
    "decimal point": ("17.0", "18.0", "17", "18"),
    "small letters": ("NL-A", "NL-B", "nl-a", "nl-b"),
    "before their digits": ("US01001", "US01003", "1001", "1003"),
    "expected the same areas": ("a", "b", "x", "y"),
}


@pytest.mark.parametrize("why", OTHER_IDS)
def test_no_area_in_common_is_an_error_with_the_likely_reason(cli, tmp_path, why: str) -> None:
    a, b, c, d = OTHER_IDS[why]
    (tmp_path / "true.csv").write_text(f"origin,destination,flow\n{a},{b},10\n")
    (tmp_path / "made.csv").write_text(f"origin,destination,flow\n{c},{d},10\n")
    done = cli("eval", "made.csv", "--truth", "true.csv", cwd=tmp_path)
    fails(done, "made.csv", "true.csv", f"'{a}'", f"'{c}'", why)
    (tmp_path / "areas.csv").write_text(f"area_id,lat,lon,population\n{a},1,1,5\n{b},1,2,5\n")
    done = cli("generate", "flows", "areas.csv", "--fit", "made.csv", cwd=tmp_path)
    fails(done, "made.csv", f"'{c}'", *([why] if "expected" not in why else []))


def test_areas_of_one_side_alone_are_told_of(cli, tmp_path) -> None:
    (tmp_path / "true.csv").write_text("origin,destination,flow\na,b,10\nb,c,5\n")
    (tmp_path / "made.csv").write_text("origin,destination,flow\na,b,10\nx,y,5\nx,a,1\n")
    done = cli("eval", "made.csv", "--truth", "true.csv", cwd=tmp_path)
    assert done.code == 0
    says(done.err, "made.csv: 2 of 4 areas", "true.csv")
    says(done.err, "true.csv: 1 of 3 areas", "made.csv")


def test_eval_of_flows_in_all_forms(cli, workdir) -> None:
    command = ("eval", "flows.csv", "--truth", "commuting.csv")
    text = cli(*command, "--format", "table", cwd=workdir).out
    assert "cpc" in text
    assert "within-areas:no" in text
    rows = table(cli(*command, "--format", "csv", cwd=workdir).out)
    assert rows.columns == ["file", "uid", "metric", "edition", "value", "low", "high"]
    assert cli(*command, "--output", "s.parquet", cwd=workdir).code == 0
    assert pl.read_parquet(workdir / "s.parquet").height == rows.height == 6


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ((), ("--truth", "flows")),
        (("--truth", "commuting.csv", "--metric", "dtw"), ("--metric", "'dtw'")),
        (("--truth", "commuting.csv", "--days", "1-2"), ("--days", "flows")),
    ],
)
def test_wrong_usage_of_eval(cli, workdir, options, names) -> None:
    fails(cli("eval", "flows.csv", *options, cwd=workdir), *names, code=2)


def test_within_goes_with_flows_only(cli, workdir) -> None:
    done = cli("eval", "predicted.csv", "--truth", "city.csv", "--within", cwd=workdir)
    fails(done, "--within", "flows", code=2)


def test_new_york_by_the_exponential_law(cli, shared_data, tmp_path) -> None:
    folder = shared_data / "ny-commuting"
    areas, flows = folder / "NY_counties_2011.geojson", folder / "NY_commuting_flows_2011.csv"
    options = (areas, "--fit", flows, "--deterrence", "exponential", "-o", "made.csv")
    assert cli("generate", "flows", *options, cwd=tmp_path).code == 0
    done = cli("eval", "made.csv", "--truth", flows, "--metric", "cpc", cwd=tmp_path)
    assert json.loads(done.out)["scores"][0]["value"] == pytest.approx(0.579, abs=0.001)

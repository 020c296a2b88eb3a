"""``humobctl generate gravity`` as a user runs it."""

from __future__ import annotations

import io
import json

import numpy as np
import polars as pl
import pytest

from humobctl.evaluate.divergence import jsd
from humobctl.generate.gravity.config import LAWS
from humobctl.generate.gravity.distance_weights import BUILT_IN
from humobctl.tables.schemas import VISITS
from tests.messages import fails, says

GRAVITY = ("generate", "gravity")
PLACES = ("--places", "places.csv")
HEAD = "place_id,intent,lat,lon\n"


def table(text: str) -> pl.DataFrame:
    return pl.read_csv(io.StringIO(text))


def test_from_plans_to_visits(cli, workdir) -> None:
    done = cli(*GRAVITY, "plans.csv", *PLACES, "--output", "visits.parquet", cwd=workdir)
    assert (done.code, done.out) == (0, "")
    says(done.err, "40 days", "40 people")
    plans, visits = pl.read_csv(workdir / "plans.csv"), pl.read_parquet(workdir / "visits.parquet")
    assert dict(visits.schema) == VISITS.dtypes
    same = ["uid", "d", "seq", "intent"]
    assert visits.select(same).rows() == plans.select(same).rows()
    served = dict(pl.read_csv(workdir / "places.csv").select("place_id", "intent").iter_rows())
    out = visits.filter(~pl.col("intent").is_in(["go home", "go to sleep"]))
    assert [served[place] for place in out["place_id"]] == out["intent"].to_list()
    home = visits.filter(pl.col("intent").is_in(["go home", "go to sleep"]))
    assert home.group_by("uid").agg(pl.n_unique("place_id"))["place_id"].max() == 1


def test_pipes_threads_and_formats(cli, workdir) -> None:
    named = cli(*GRAVITY, "plans.csv", *PLACES, "--seed", "7", cwd=workdir)
    text = (workdir / "plans.csv").read_text()
    one = {"HUMOBCTL_THREADS": "1"}
    piped = cli(*GRAVITY, "-", *PLACES, "--seed", "7", cwd=workdir, input=text, env=one)
    assert named.code == piped.code == 0
    assert named.out == piped.out
    assert cli(*GRAVITY, "plans.csv", *PLACES, "--seed", "8", cwd=workdir).out != named.out
    lines = cli(*GRAVITY, *PLACES, "--seed", "7", "-f", "ndjson", cwd=workdir, input=text)
    rows = [json.loads(line) for line in lines.out.splitlines()]
    assert [row["place_id"] for row in rows] == table(named.out)["place_id"].to_list()


@pytest.mark.parametrize("law", LAWS)
def test_every_law_runs(cli, workdir, law) -> None:
    done = cli(*GRAVITY, "plans.csv", *PLACES, "--law", law, cwd=workdir)
    assert done.code == 0, done.err
    assert table(done.out).height == pl.read_csv(workdir / "plans.csv").height


def test_help_names_every_law(cli) -> None:
    told = cli("generate", "gravity", "--help", env={"COLUMNS": "200"}).out
    assert [name for name in LAWS if name not in told] == []


def test_a_fitted_law_serves_another_run(cli, workdir) -> None:
    fit = ("--fit", "stays.csv", "--save-law", "law.json")
    first = cli(*GRAVITY, "plans.csv", *PLACES, *fit, cwd=workdir)
    assert first.code == 0, first.err
    says(first.err, "fitted on trips", "to work from home")
    again = cli(*GRAVITY, "plans.csv", *PLACES, "--law", "law.json", cwd=workdir)
    assert (again.code, again.out) == (0, first.out)
    built_in = cli(*GRAVITY, "plans.csv", *PLACES, cwd=workdir)
    assert built_in.out != first.out
    assert (
        built_in.out == cli(*GRAVITY, "plans.csv", *PLACES, "--law", "empirical", cwd=workdir).out
    )


def test_nights_away_are_given_or_of_a_law_and_told(cli, workdir) -> None:
    run = (*GRAVITY, "plans.csv", *PLACES)
    away = cli(*run, "--nights-away", "0.5", "--save-law", "law.json", cwd=workdir)
    says(away.err, "end away from home", "--nights-away")
    again = cli(*run, "--law", "law.json", cwd=workdir)
    assert (again.code, again.out) == (0, away.out)
    law = json.loads((workdir / "law.json").read_text())
    del law["away_chance"]  # as in files of before
    (workdir / "old.json").write_text(json.dumps(law))
    at_home = cli(*run, cwd=workdir).out
    assert cli(*run, "--law", "old.json", cwd=workdir).out == at_home != away.out


def test_exploration_of_the_empirical_law_is_given(cli, workdir) -> None:
    files = ("plans.csv", *PLACES, "--save-law", "law.json", "-o", "visits.csv")
    assert cli(*GRAVITY, *files, "--rho", "0.5", "--gamma", "0.1", cwd=workdir).code == 0
    record = json.loads((workdir / "law.json").read_text())
    assert (record["rho"], record["gamma"]) == (0.5, 0.1)


def test_jobs_and_visits_of_places_are_used_or_said_to_be_left(cli, workdir) -> None:
    places = pl.read_csv(workdir / "places.csv").with_columns(jobs=1, visits=2.0)
    places.write_csv(workdir / "weighted.csv")
    run = (*GRAVITY, "plans.csv", "--places", "weighted.csv")
    says(cli(*run, cwd=workdir).err, "in proportion to their jobs")
    other = cli(*run, "--law", "power", cwd=workdir)
    says(other.err, "weighted.csv", "visits and jobs", "--law empirical")
    assert other.out == cli(*GRAVITY, "plans.csv", *PLACES, "--law", "power", cwd=workdir).out
    places.with_columns(jobs=-1).write_csv(workdir / "weighted.csv")
    fails(cli(*run, cwd=workdir), "weighted.csv", "jobs", -1.0, "from 0")


def test_a_law_is_not_written_over_the_plans(cli, workdir) -> None:
    """The law is written before the plans are read: they are kept from the start."""
    before = (workdir / "plans.csv").read_bytes()
    options = ("--save-law", "plans.csv", "--output", "v.csv")
    done = cli(*GRAVITY, "plans.csv", *PLACES, *options, cwd=workdir)
    fails(done, "plans.csv", "input", "overwrite", code=2)
    assert (workdir / "plans.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"law": "power"}, ("law", "'power'", "'empirical'")),
        ({"return_chance": 2}, ("return_chance", 2, "0 to 1")),
        ({"away_chance": "x"}, ("away_chance", "'x'", "0 to 1")),
        ({"from_home": [1.0] * 63 + [2.0]}, ("from_home", 64, "weights")),
        ({"from_home": [1.0] * 63 + [0.0]}, ("from_home", "above 0")),
        ({"to_work": [True] * 64}, ("to_work", 64)),
        ({"more": 1}, ("--save-law", "return_chance")),
    ],
)
def test_damaged_laws(cli, workdir, change, names) -> None:
    law = json.loads(BUILT_IN.read_text()) | change
    (workdir / "law.json").write_text(json.dumps(law))
    done = cli(*GRAVITY, "plans.csv", *PLACES, "--law", "law.json", cwd=workdir)
    fails(done, "law.json", *names)


def test_no_json_is_no_law(cli, workdir) -> None:
    (workdir / "law.json").write_text("{")
    fails(cli(*GRAVITY, "plans.csv", *PLACES, "--law", "law.json", cwd=workdir), "law.json", "JSON")


def test_homes_and_works_from_pairs_and_profiles(cli, workdir) -> None:
    pairs = cli(*GRAVITY, "plans.csv", *PLACES, "--home-work", "pairs.csv", cwd=workdir)
    homes = table(pairs.out).filter(intent="go home").select("lat", "lon").unique().rows()
    assert sorted(homes) == [(39.86, 116.42), (39.95, 116.35)]
    people = "uid,education,gender,consumption,occupation,home_lat,home_lon\n" + "".join(
        f"{uid},a,b,c,d,39.9,116.{uid + 100}\n" for uid in range(40)
    )
    (workdir / "people.csv").write_text(people)
    own = cli(*GRAVITY, "plans.csv", *PLACES, "--people", "people.csv", cwd=workdir)
    homes = table(own.out).filter(intent="go home").select("uid", "lat", "lon", "place_id").rows()
    assert all(
        row == (row[0], 39.9, float(f"116.{row[0] + 100}"), f"home-{row[0]}") for row in homes
    )
    (workdir / "people.csv").write_text(people.replace("39.9,116.107", ","))
    drawn = cli(*GRAVITY, "plans.csv", *PLACES, "--people", "people.csv", cwd=workdir)
    says(drawn.err, "warning:", "people.csv", "no home in 1 of 40 rows", "drawn")
    (workdir / "people.csv").write_text("\n".join(people.splitlines()[:5]) + "\n")
    short = cli(*GRAVITY, "plans.csv", *PLACES, "--people", "people.csv", cwd=workdir)
    fails(short, "people.csv", "user 4", notes=True)


def test_homes_by_population(cli, workdir) -> None:
    (workdir / "density.csv").write_text("lat,lon,population\n39.9,116.4,5\n39.8,116.3,0\n")
    done = cli(*GRAVITY, "plans.csv", *PLACES, "--density", "density.csv", cwd=workdir)
    homes = table(done.out).filter(intent="go home").select("lat", "lon").unique().rows()
    assert homes == [(39.9, 116.4)]
    (workdir / "density.csv").write_text("lat,lon,population\n39.9,116.4,0\n")
    done = cli(*GRAVITY, "plans.csv", *PLACES, "--density", "density.csv", cwd=workdir)
    fails(done, "density.csv", "population of 0", notes=True)


def test_fit(cli, workdir) -> None:
    first = cli(*GRAVITY, "plans.csv", *PLACES, "--output", "seen.csv", cwd=workdir)
    assert first.code == 0
    done = cli(*GRAVITY, "plans.csv", *PLACES, "--fit", "seen.csv", cwd=workdir)
    assert done.code == 0
    says(done.err, "fitted")
    refused = cli(
        *(*GRAVITY, "plans.csv", *PLACES, "--fit", "seen.csv", "--law", "random"), cwd=workdir
    )
    assert refused.out == ""
    fails(refused, "law random", "--fit", code=2, notes=True)
    (workdir / "raw.csv").write_text("uid,datetime,lat,lon\n1,2026-01-05 08:00,39.9,116.4\n")
    raw = cli(*GRAVITY, "plans.csv", *PLACES, "--fit", "raw.csv", cwd=workdir)
    fails(raw, "raw.csv", "missing: start_min, end_min", "humobctl data stays", notes=True)
    visits = cli(*GRAVITY, "seen.csv", *PLACES, cwd=workdir)
    fails(visits, "seen.csv", "visit table", "places already", "'humobctl intend'")


@pytest.mark.parametrize(
    ("places", "names"),
    [
        (HEAD + "a,eat,39.9,116.4\n", ("'handle the trivialities of life'",)),
        (HEAD + "a,swimming,39.9,116.4\n", ("row 1", "line 2", "column intent", "swimming")),
        (HEAD + "a,eat,99,116.4\n", ("row 1", "line 2", "column lat", 99)),
        ("place_id,lat\na,39\n", ("missing: lon",)),
        (HEAD, ("no rows",)),
    ],
)
def test_bad_places(cli, workdir, places, names) -> None:
    (workdir / "bad.csv").write_text(places)
    done = cli(*GRAVITY, "plans.csv", "--places", "bad.csv", "-o", "visits.csv", cwd=workdir)
    assert done.out == ""
    fails(done, "bad.csv", *names)
    assert not (workdir / "visits.csv").exists()


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (("--law", "levy"), ("levy",)),
        (("--law", "power", "--radius", "20", "--max-radius", "10"), ("--max-radius", "10 km")),
        (("--radius", "5"), ("--radius", "--law empirical")),
        (("--exponent", "2"), ("--exponent", "--law empirical")),
        (("--law", "law.json", "--fit", "stays.csv"), ("--fit", "file")),
        (("--law", "gravity", "--save-law", "law.json"), ("--save-law", "--law empirical")),
        (("--density", "a.csv", "--zones", "b.geojson"), ("--density", "--zones")),
        (("--law", "epr", "--nights-away", "0"), ("--nights-away", "--law empirical")),
        (("--save-law", "x.csv", "--output", "x.csv"), ("--output and --save-law", "x.csv")),
        (("--law", "opportunity", "--alpha", "0.8", "--beta", "0.7"), ("--alpha", "--beta", 1)),
        (("--places", "-"), ("standard input",)),
        (("--speed", "0"), ("--speed",)),
    ],
)
def test_wrong_usage(cli, workdir, options, names) -> None:
    fails(cli(*GRAVITY, "-", *PLACES, *options, cwd=workdir), *names, code=2)


def test_places_out_of_reach_are_told(cli, workdir) -> None:
    plan = "uid,d,seq,intent,start_min,end_min\n1,0,0,go home,0,500\n1,0,1,eat,520,1440\n"
    (workdir / "far.csv").write_text(HEAD + "a,eat,45,116.4\nb,go home,39.9,116.4\n")
    done = cli(*GRAVITY, "--law", "gravity", "--places", "far.csv", cwd=workdir, input=plan)
    assert done.code == 0
    says(done.err, "warning:", "no place within 80 km")
    assert table(done.out)["place_id"].to_list() == ["b", None]


def test_a_person_in_two_parts_is_refused_and_nothing_is_written(cli, workdir) -> None:
    row = "{},0,{},go home,{},{}\n"
    text = "uid,d,seq,intent,start_min,end_min\n"
    text += row.format(1, 0, 0, 500) + row.format(2, 0, 0, 1440) + row.format(1, 1, 500, 1440)
    done = cli(*GRAVITY, *PLACES, "-o", "visits.csv", cwd=workdir, input=text)
    fails(done, "stdin", "user 1", "separated", notes=True)
    assert not (workdir / "visits.csv").exists()


PLAN = "uid,d,seq,intent,start_min,end_min\n"


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ("1,0,0,go home,0,600\n1,0,1,eat,500,1440\n", ("'eat'", "user 1", "day 0", "500-1440")),
        ("1,0,0,eat,500,1440\n1,0,1,go home,0,600\n", ("'eat'", "user 1", "day 0")),
        ("1,0,0,eat,0,1440\n1,0,0,eat,0,1440\n", ("(1, 0, 0)", "second time")),
        ("1,0,0,eat,0,600\n1,0,0,go home,600,1440\n", ("(1, 0, 0)", "second time")),
    ],
)
def test_overlapping_or_repeated_events_are_refused(cli, workdir, rows, names) -> None:
    text = PLAN + "0,0,0,go home,0,1440\n" + rows
    done = cli(*GRAVITY, *PLACES, "-o", "visits.csv", cwd=workdir, input=text)
    fails(done, "stdin", *names, notes=True)
    assert not (workdir / "visits.csv").exists()


PAIR = "id,home_lat,home_lon,work_lat,work_lon\na,{0},{1},{0},{1}\n"


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--home-work", PAIR.format(60.17, 24.94)),
        ("--density", "lat,lon,population\n60.17,24.94,5\n60.2,24.9,7\n39.9,116.3,1\n"),
        (
            "--people",
            "uid,education,gender,consumption,occupation,home_lat,home_lon\n"
            + "".join(f"{uid},a,b,c,d,60.17,24.9\n" for uid in range(40)),
        ),
        (
            "--fit",
            "uid,d,seq,intent,start_min,end_min,place_id,lat,lon\n"
            "1,0,0,eat,0,600,a,60.1,24.9\n1,0,1,eat,600,1440,b,60.2,24.9\n",
        ),
    ],
)
def test_homes_of_another_city_are_refused(cli, workdir, option, text) -> None:
    (workdir / "helsinki.csv").write_text(text)
    done = cli(*GRAVITY, "plans.csv", *PLACES, option, "helsinki.csv", cwd=workdir)
    says_city = ("km from", "places.csv", "60.1", "39.9")
    assert done.out == ""
    assert done.code == 1
    assert all(part in done.err for part in says_city), done.err


def test_homes_across_180_are_of_one_city(cli, workdir) -> None:
    """Suva lies near the meridian, and its homes on both sides."""
    (workdir / "suva.csv").write_text(HEAD + "a,,-17.8,179.9\nb,,-17.8,-179.9\n")
    (workdir / "pairs.csv").write_text(PAIR.format(-17.8, -179.95))
    options = ("--places", "suva.csv", "--home-work", "pairs.csv")
    done = cli(*GRAVITY, "plans.csv", *options, cwd=workdir)
    assert done.code == 0
    assert table(done.out)["lon"].abs().min() > 179


def test_many_people_in_few_places_are_told_of(cli, workdir) -> None:
    plans = PLAN + "".join(f"{uid},0,0,eat,0,1440\n" for uid in range(50))
    (workdir / "few.csv").write_text(HEAD + "a,,39.9,116.4\nb,,39.91,116.4\n")
    done = cli(*GRAVITY, "--places", "few.csv", cwd=workdir, input=plans)
    assert done.code == 0
    says(done.err, "warning:", "50 people", "2 places", "--density")
    pairs = ("--home-work", "pairs.csv")
    assert "warning" not in cli(*GRAVITY, "plans.csv", *PLACES, *pairs, cwd=workdir).err


# -- real days ----------------------------------------------------------------------------------


def shapes(frame: pl.DataFrame) -> dict[str, np.ndarray]:
    """Histograms of jumps and radii (600 m, the last bin open), durations, places a day."""
    frame = frame.with_columns(
        x=pl.col("lon") * 111.195 * np.cos(np.radians(39.93)), y=pl.col("lat") * 111.195
    )
    jump = frame.select(
        ((pl.col("x").diff() ** 2 + pl.col("y").diff() ** 2).sqrt()).filter(
            pl.col("uid") == pl.col("uid").shift()
        )
    ).to_series()
    days = frame.group_by("uid").agg(
        radius=(pl.col("x").var(ddof=0) + pl.col("y").var(ddof=0)).sqrt(),
        places=pl.n_unique("place_id"),
    )
    km = np.append(np.arange(50) * 0.6, np.inf)
    minutes = frame["end_min"] - frame["start_min"]
    return {
        "jump": np.histogram(jump.to_numpy(), km)[0],
        "radius": np.histogram(days["radius"].to_numpy(), km)[0],
        "duration": np.histogram(minutes.to_numpy(), np.arange(0, 1441, 10))[0],
        "places": np.bincount(days["places"].to_numpy(), minlength=30)[:30],
    }


def test_days_in_beijing_are_like_real_ones(cli, tmp_path, shared_data) -> None:
    """Laws with their defaults; the bounds are the project's targets."""
    stays = pl.read_parquet(shared_data / "beijing" / "stays.parquet")
    stays.group_by("place_id").agg(pl.first("lat", "lon")).with_columns(
        pl.col("place_id").cast(pl.String)
    ).sort("place_id").write_parquet(tmp_path / "places.parquet")
    profiles = shared_data / "beijing" / "profiles.csv"
    cli("intend", profiles, "--count", "5000", "-o", "plans.parquet", cwd=tmp_path)
    real, found = shapes(stays), {}
    for law in ("empirical", "gravity", "random"):
        done = cli(
            *(*GRAVITY, "plans.parquet", "--places", "places.parquet", "--law", law),
            *("--home-work", shared_data / "beijing" / "home_work.parquet", "-o", "v.parquet"),
            cwd=tmp_path,
        )
        assert done.code == 0, done.err
        made = shapes(pl.read_parquet(tmp_path / "v.parquet"))
        found[law] = {name: jsd(made[name], real[name]) for name in real}
    assert found["empirical"]["jump"] < 0.015
    assert found["empirical"]["radius"] < 0.02
    gravity = found["gravity"]
    assert gravity["jump"] < 0.05
    assert gravity["radius"] < 0.08
    assert gravity["duration"] < 0.05
    assert gravity["places"] < 0.05
    assert found["random"]["jump"] > 2 * gravity["jump"]

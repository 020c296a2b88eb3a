"""`eval` of generated data: hand-worked numbers, properties, the forms of the output, pictures."""

from __future__ import annotations

import io
import json
import math
import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humobctl.errors import HumobError
from humobctl.evaluate.divergence import jsd
from humobctl.evaluate.generated.floor import draw_pairs
from humobctl.evaluate.generated.report import as_table, show
from humobctl.evaluate.generated.run import (
    GeneratedEvalSettings,
    GeneratedScore,
    evaluate_generated,
)
from humobctl.evaluate.generated.statistics import BINS, SAMPLES, Bins
from humobctl.evaluate.registry import GENERATED_NAMES, Metric
from humobctl.tables.grid import EARTH_RADIUS
from humobctl.tables.schemas import INTENTS
from humobctl.tables.stays import UNKNOWN_INTENT, Stays
from tests.messages import fails, raises, says
from tests.plots.svg import texts

HEAD = "uid,d,seq,intent,start_min,end_min,place_id,lat,lon\n"
GENERATED = (
    HEAD
    + """\
1,0,0,go to sleep,0,400,a,0.00,0
1,0,1,go to work,460,1000,b,0.01,0
1,0,2,go home,1030,1440,a,0.00,0
2,0,0,go to sleep,0,480,a,0.00,0
2,0,1,go to work,540,1020,c,0.05,0
2,0,2,eat,1030,1100,b,0.01,0
"""
)
REAL = (
    HEAD
    + """\
7,0,0,go to sleep,0,400,p,0.00,0
7,0,1,go to work,460,1000,q,0.01,0
7,0,2,go home,1030,1440,p,0.00,0
8,0,0,go to sleep,0,420,p,0.00,0
8,0,1,go to work,470,1005,q,0.01,0
8,0,2,go home,1040,1440,p,0.00,0
"""
)
STEP = EARTH_RADIUS * math.radians(0.01) / 1000
"""Kilometres of a hundredth of a degree along a meridian: 1.112."""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "generated.csv").write_text(GENERATED)
    (tmp_path / "real.csv").write_text(REAL)
    return tmp_path


def scores(text: str) -> dict[str, dict]:
    return {s["metric"]: s for s in json.loads(text)["scores"]}


def js(p: list[float], q: list[float]) -> float:
    """Jensen-Shannon divergence written out."""

    def part(a, b):
        return sum(x * math.log(2 * x / (x + y)) for x, y in zip(a, b, strict=True) if x)

    return (part(p, q) + part(q, p)) / 2


HALF = js([1 / 2, 1 / 2], [1, 0])
BY_HAND = {
    # Steps 1 1 5 4 against 1 1 1 1.
    "jump_distance": (js([1 / 2, 1 / 4, 1 / 4], [1, 0, 0]), (11 / 4 - 1) * STEP),
    # Hundredths of degrees 0 1 0 and 0 5 1 (mean 2, squares 4 9 1) against 0 1 0 twice.
    "radius": (HALF, (math.sqrt(14 / 3) - math.sqrt(2 / 9)) / 2 * STEP),
    # 70 400 410 480 480 540 against 400 400 410 420 535 540.
    "duration": (
        js([1 / 6, 2 / 6, 0, 2 / 6, 0, 1 / 6], [0, 3 / 6, 1 / 6, 0, 1 / 6, 1 / 6]),
        (330 + 60 + 55) / 6,
    ),
    "daily_loc": (HALF, 1 / 2),
    "periodicity": (HALF, 1 / 6),
    # a b c are visited 3, 2, 1 times; p q 4, 2.
    "grank": (js([1 / 2, 1 / 3, 1 / 6], [2 / 3, 1 / 3, 0]), 1 / 3),
    # The mean of 2/3 1/3 0 and 1/3 1/3 1/3 against 2/3 1/3.
    "irank": (js([1 / 2, 1 / 3, 1 / 6], [2 / 3, 1 / 3, 0]), 1 / 3),
    # 0 0 460 540 1030 1030 against 0 0 460 470 1030 1040.
    "start": (js([1 / 3, 1 / 6, 1 / 6, 1 / 3], [1 / 3, 1 / 3, 0, 1 / 3]), 80 / 6),
    "intent": (js([1 / 3, 1 / 3, 1 / 6, 1 / 6], [1 / 3, 1 / 3, 1 / 3, 0]), None),
    "events_per_day": (0.0, None),
    # Sleep 13 16 against 13 14, work 18 16 against 18 17, home 13 against 13 13.
    "intent_duration": (2 / 3 * js([1 / 2, 1 / 2, 0], [1 / 2, 0, 1 / 2]), None),
    # Work leads to home and eat, against home twice; half of the transitions.
    "transition": (1 / 4, None),
}


def test_by_hand(cli, folder) -> None:
    done = cli("eval", "generated.csv", "--truth", "real.csv", cwd=folder)
    assert (done.code, done.err) == (0, "")
    found = scores(done.out)
    assert tuple(found) == GENERATED_NAMES == tuple(BY_HAND)
    for name, (divergence, apart) in BY_HAND.items():
        assert found[name]["value"] == pytest.approx(divergence, abs=1e-12), name
        assert found[name]["wasserstein"] == (apart and pytest.approx(apart)), name
    # Samples are of 7 and 8, with starts 0 460 1030 and 0 470 1040: 10 / 3 times how many of the
    # two who are drawn differ.
    differ = [abs(first[0] - second[0]) for first, second in draw_pairs(2, 2, seed=0)]
    assert {0, 1, 2} == set(differ)
    assert found["start"]["floor"] == found["start"]["floor_sd"] == 0
    assert found["start"]["wasserstein_floor"] == pytest.approx(np.mean(differ) * 10 / 3)
    assert found["start"]["wasserstein_floor_sd"] == pytest.approx(np.std(differ, ddof=1) * 10 / 3)
    assert found["jump_distance"]["floor"] == found["jump_distance"]["wasserstein_floor"] == 0
    assert (found["jump_distance"]["at_floor"], found["daily_loc"]["at_floor"]) == (False, False)
    assert found["events_per_day"]["at_floor"] is True


def test_by_intent(cli, folder) -> None:
    record = json.loads(cli("eval", "generated.csv", "-t", "real.csv", cwd=folder).out)
    by_name = {entry["intent"]: entry for entry in record["per_intent"]}
    assert list(by_name) == list(INTENTS)
    work = by_name["go to work"]
    assert (work["stays"], work["share"], work["reference_stays"]) == (2, 1 / 3, 2)
    # The jumps that lead to work: 1 and 5 steps against 1 and 1.
    assert work["jump_distance"]["value"] == pytest.approx(HALF)
    assert work["jump_distance"]["wasserstein"] == pytest.approx(2 * STEP)
    assert work["start"]["wasserstein"] == pytest.approx(70 / 2)
    assert "jump_distance" not in by_name["go to sleep"]  # no stay leads to it
    assert by_name["eat"].keys() == by_name["do sports"].keys()  # not in the reference


def test_what_is_said_of_the_bins_is_what_was_counted(cli, folder) -> None:
    found = scores(cli("eval", "generated.csv", "-t", "real.csv", cwd=folder).out)
    assert found["jump_distance"]["bins"] == {
        "from": 0.0,
        "width": 0.6,
        "count": 50,
        "open_end": True,
    }
    assert found["jump_distance"]["unit"] == "km"
    assert "|divergence:jsd|log:e|bins:50x0.6km+open|" in found["radius"]["signature"]
    assert "|user-days:2|stays:6|real-user-days:2|" in found["start"]["signature"]
    assert "|floor-seed:0|v:" in found["start"]["signature"]
    assert "bins" not in found["transition"]


def test_bins_take_in_every_value() -> None:
    bins = Bins(3, 0.6, low=0.0, open_end=True)
    values = np.array([0.0, 0.59, 0.6, 1.2, 1.7999999999999998, 1.8, 1e9])
    assert np.bincount(bins.index(values)).tolist() == [2, 1, 1, 3]
    assert bins.edges() == [0.0, 0.6, 1.2, 1.8, None]
    closed = Bins(48, 1 / 48)
    assert closed.index(np.array([1.0, 2 / 3, 0.5])).tolist() == [47, 32, 24]


def test_a_table_against_itself_is_at_no_distance(cli, folder) -> None:
    done = cli("eval", "generated.csv", "-t", "generated.csv", cwd=folder)
    assert {s["value"] for s in scores(done.out).values()} == {0.0}
    assert {s["wasserstein"] for s in scores(done.out).values()} == {0.0, None}


def test_order_of_rows_and_numbers_of_people_do_not_matter(cli, folder) -> None:
    head, *rows = GENERATED.splitlines(keepends=True)
    mixed = [("9" + row[1:] if row[0] == "1" else row) for row in rows[::-1]]
    (folder / "mixed.csv").write_text(head + "".join(mixed))
    first, second = (
        {n: (s["value"], s["wasserstein"]) for n, s in scores(done.out).items()}
        for done in (cli("eval", f, "-t", "real.csv", cwd=folder) for f in GIVEN)
    )
    assert first == second


GIVEN = ("generated.csv", "mixed.csv")


def test_forms_of_output(cli, folder) -> None:
    table = cli("eval", "generated.csv", "-t", "real.csv", "-f", "table", cwd=folder)
    assert "against real.csv: 2 users, 2 user-days, 6 stays" in table.out
    assert re.search(r"jump distance\s+│\s+0.2158 │\s+1.9459 km │", table.out)
    assert re.search(r"events per day\s+│ 0.0000 \* │", table.out)
    assert "generated.csv by intent" in table.out
    assert "medical treatment" not in table.out  # nobody's
    flat = cli("eval", *("generated.csv", "real.csv"), "-t", "real.csv", "-f", "csv", cwd=folder)
    frame = pl.read_csv(io.StringIO(flat.out))
    assert frame.columns == ["file", "uid", "metric", "edition", "value", "low", "high", "intent"]
    jumps = frame.filter(pl.col("metric").str.starts_with("jump_distance"))
    assert jumps.filter(pl.col("intent").is_null(), file="generated.csv")["metric"].to_list() == [
        "jump_distance",
        "jump_distance_floor",
        "jump_distance_floor_sd",
        "jump_distance_wasserstein",
        "jump_distance_wasserstein_floor",
        "jump_distance_wasserstein_floor_sd",
    ]
    assert jumps.filter(pl.col("intent").is_null(), file="real.csv", metric="jump_distance")[
        "value"
    ].to_list() == [0.0]
    assert frame.filter(file="real.csv", intent="go home").height > 0
    done = cli("eval", "generated.csv", "-t", "real.csv", "-o", "s.parquet", cwd=folder)
    assert done.code == 0
    written = pl.read_parquet(folder / "s.parquet").filter(file="generated.csv", metric="daily_loc")
    assert written["value"][0] == pytest.approx(HALF)


def test_metric_and_days_of_few_stays(cli, folder) -> None:
    (folder / "more.csv").write_text(GENERATED + "3,0,0,eat,600,660,a,0,0\n")
    told = cli("eval", "more.csv", "-t", "real.csv", "--metric", "daily_loc", cwd=folder)
    assert list(scores(told.out)) == ["daily_loc"]
    says(told.err, "warning:", "more.csv", "1 of 3 days", "3 stays", "real.csv", "--min-events 3")
    assert told.err.count("\n") == 1
    done = cli("eval", "more.csv", "-t", "real.csv", "--min-events", "3", cwd=folder)
    assert scores(done.out)["daily_loc"]["value"] == pytest.approx(HALF)
    assert "|min-events:3|" in scores(done.out)["grank"]["signature"]


def test_what_one_side_lacks_is_said(cli, folder) -> None:
    bare = "".join(
        ",".join(part for i, part in enumerate(line.split(",")) if i not in (1, 3)) + "\n"
        for line in REAL.splitlines()
    )
    (folder / "stays.csv").write_text(bare)
    done = cli("eval", "generated.csv", "-t", "stays.csv", cwd=folder)
    assert "intent" not in scores(done.out)
    assert json.loads(done.out)["per_intent"] == []
    lacking = "intent, intent_duration, transition"
    says(done.err, "generated.csv", "not scored", lacking)
    assert done.err.count("\n") == 1


def test_seed_draws_the_halves(cli, example_files) -> None:
    found = [
        scores(
            cli("eval", "generated.csv", "-t", "stays.csv", "--seed", seed, cwd=example_files).out
        )["radius"]
        for seed in ("1", "1", "2")
    ]
    assert found[0]["floor"] == found[1]["floor"] != found[2]["floor"]
    assert found[0]["value"] == found[2]["value"]


def test_cells_as_generated_data(cli, example_files) -> None:
    arguments = ("eval", "predicted.csv", "--truth", "city.csv", "--generated")
    done = cli(*arguments, "--cell-km", "1", cwd=example_files)
    assert done.code == 0, done.err
    doubled, usual = scores(done.out), scores(cli(*arguments, cwd=example_files).out)
    twice = 2 * usual["jump_distance"]["wasserstein"]
    assert doubled["jump_distance"]["wasserstein"] == pytest.approx(twice)
    assert doubled["grank"]["value"] == usual["grank"]["value"]


def test_visits_without_a_reference_are_day_plans(cli, folder) -> None:
    done = cli("eval", "generated.csv", cwd=folder)
    assert json.loads(done.out)["reference"] == "CoPB (published)"
    (folder / "plans.csv").write_text(
        "uid,d,seq,intent,start_min,end_min,reason\n1,0,0,eat,0,60,hungry\n"
    )
    done = cli("eval", "generated.csv", "--truth", "plans.csv", "-f", "csv", cwd=folder)
    assert "intent_duration" in done.out
    assert "radius" not in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "names"),
    [
        (["--truth", "real.csv", "--days", "0-1"], 2, ("--days", "cells")),
        (["--truth", "real.csv", "--metric", "dtw"], 2, ("'dtw'", "jump_distance")),
        (["--truth", "real.csv", "--plot", "a.gif"], 2, ("--plot", "a.gif", ".png")),
        (["--truth", "real.csv", "--plot", "a.png", "--metric", "transition"], 2, ("--plot",)),
        (
            ["--truth", "real.csv", "--plot", "a.png", "-o", "a.png", "-f", "csv"],
            2,
            ("--output and --plot", "a.png"),
        ),
        (["--generated"], 2, ("--truth", "real data")),
        (["--truth", "real.csv", "--min-events", "4"], 1, ("no day", "4 stays")),
        (["--truth", "none.csv"], 1, ("none.csv", "no such file")),
        (["--truth", "city.csv"], 1, ("generated.csv", "found points", "cells")),
        (["--truth", "bad.csv"], 1, ("bad.csv", "row 2", "line 3", "column lat", 91)),
        (["--truth", "one.csv", "--metric", "jump_distance"], 1, ("jump_distance",)),
    ],
)
def test_faults_are_one_line(cli, folder, arguments, code, names) -> None:
    (folder / "city.csv").write_text("uid,d,t,x,y\n1,0,0,5,5\n1,0,1,5,6\n")
    (folder / "bad.csv").write_text(HEAD + "1,0,0,eat,0,9,,9,9\n1,0,1,eat,10,19,,91,9\n")
    (folder / "one.csv").write_text(HEAD + "1,0,0,eat,0,9,,0,0\n")
    before = sorted(p.name for p in folder.iterdir())
    done = cli("eval", "generated.csv", *arguments, cwd=folder)
    assert done.out == ""
    fails(done, *names, code=code)
    assert sorted(p.name for p in folder.iterdir()) == before


def test_intentions_have_no_places(folder) -> None:
    (folder / "plans.csv").write_text("uid,d,seq,intent,start_min,end_min\n1,0,0,eat,0,60\n")
    with raises(HumobError, "plans.csv", "intentions", "no places"):
        evaluate_generated(
            [str(folder / "plans.csv")], str(folder / "real.csv"), GeneratedEvalSettings()
        )


def test_further_scores_have_a_seat(folder) -> None:
    def share(generated: Stays, real: Stays) -> list[GeneratedScore]:
        return [GeneratedScore(Metric("sizes", "", "", True), len(generated) / len(real))]

    settings = GeneratedEvalSettings(names=("start",), extras=[share])
    (found,) = evaluate_generated(
        [str(folder / "generated.csv")], str(folder / "real.csv"), settings
    )
    assert [s.metric.name for s in found.scores] == ["start", "sizes"]
    assert as_table([found]).filter(metric="sizes")["value"].to_list() == [1.0]
    stream = io.StringIO()
    show([found], stream)
    assert re.search(r"sizes +│ higher │ 1.0000 │", stream.getvalue())


def test_halves_of_real_people_are_near(cli, shared_data) -> None:
    stays = shared_data / "beijing" / "stays.parquet"
    found = scores(cli("eval", stays, "--truth", stays).out)
    assert {s["value"] for s in found.values()} == {0.0}
    assert len(found) == 9
    assert all(0 < s["floor"] < 0.006 for s in found.values()), found
    assert found["jump_distance"]["wasserstein_floor"] < 0.5


# -- properties ----------------------------------------------------------------------------------

_PERSON = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 1440),
        st.integers(0, 300),
        st.integers(0, 4),
        st.sampled_from([UNKNOWN_INTENT, 0, 1, 2]),
    ),
    min_size=1,
    max_size=6,
)
_PEOPLE = st.lists(_PERSON, min_size=1, max_size=5)


def _stays(people: list) -> Stays:
    rows = [
        (uid, day, start, min(1440, start + length), place, 900.0 * place, -500.0 * place, intent)
        for uid, person in enumerate(people)
        for day, start, length, place, intent in sorted(person)
    ]
    types = (np.int64, np.int32, np.int32, np.int32, np.int64, float, float, np.int8)
    columns = zip(*rows, strict=True)
    return Stays(*(np.array(c, dtype=t) for c, t in zip(columns, types, strict=True)))


@given(first=_PEOPLE, second=_PEOPLE)
def test_distances_of_any_stays(first: list, second: list) -> None:
    one, two = _stays(first), _stays(second)
    for name, sample in SAMPLES.items():
        p, q = sample(one).sample(), sample(two).sample()
        size = BINS[name].size
        assert p.counts.shape == q.counts.shape == (size,), name
        if not (p.known and q.known):
            continue
        assert jsd(p.counts, p.counts) == 0, name
        assert p.apart(p) in (0, None), name
        assert 0 <= jsd(p.counts, q.counts) <= math.log(2) + 1e-12, name
        assert jsd(p.counts, q.counts) == pytest.approx(jsd(q.counts, p.counts)), name
        assert p.apart(q) == pytest.approx(q.apart(p)), name


@given(people=_PEOPLE, draw=st.randoms())
def test_order_of_people_does_not_matter(people: list, draw) -> None:
    other = list(people)
    draw.shuffle(other)
    one, two = _stays(people), _stays(other)
    for name, sample in SAMPLES.items():
        p, q = sample(one).sample(), sample(two).sample()
        assert p.counts == pytest.approx(q.counts), name
        assert p.known == q.known, name
        if p.known:
            assert (p.apart(q) or 0) == pytest.approx(0, abs=1e-9), name


# -- pictures ------------------------------------------------------------------------------------


def test_what_is_written_in_the_picture(cli, folder) -> None:
    pytest.importorskip("matplotlib")
    (folder / "_a$b$<i>.csv").write_text(GENERATED)
    arguments = ("-t", "real.csv", "--privacy", "--flows", "1", "--plot", "a.svg")
    done = cli("eval", "_a$b$<i>.csv", *arguments, cwd=folder)
    assert (done.code, done.err) == (0, "")
    found = texts(folder / "a.svg")
    for text in (
        "Generated data: _a$b$<i>.csv against real.csv",
        "_a$b$<i>.csv: 2 users, 2 user-days, 6 stays",
        "real.csv: 2 users, 2 user-days, 6 stays",
        *("common commuters", "copies of days", "RMSE, travelled"),
        *("Jensen-Shannon divergence", "privacy, flows: km", "privacy, flows: trips"),
        *("displacement between stays", "distinct places per day", "transitions between intents"),
        *("real.csv (reference)", "samples of the real people"),
    ):
        assert text in [line.strip() for line in found], (text, found)
    assert any(line.startswith("radius of gyration: JSD 0.") for line in found)


def test_html_is_self_contained(cli, folder) -> None:
    pytest.importorskip("plotly")
    (folder / "<b>x.csv").write_text(GENERATED)
    done = cli("eval", "<b>x.csv", "real.csv", "-t", "real.csv", "--plot", "a.html", cwd=folder)
    assert (done.code, done.err) == (0, "")
    page = (folder / "a.html").read_text()
    assert re.search(r"<(script|link|img)[^>]+\b(src|href)=", page) is None
    traces = json.JSONDecoder().raw_decode(page, page.index("[", page.rindex("Plotly.newPlot(")))[0]
    lines = [trace for trace in traces if trace.get("mode") == "lines"]
    assert len(lines) == 3 * len(BINS)
    first = lines[:3]
    assert [t["name"] for t in first] == ["real.csv (reference)", "&lt;b&gt;x.csv", "real.csv"]
    assert first[1]["y"][:10] == pytest.approx([0, 0.5, 0, 0, 0, 0, 0, 0.25, 0, 0.25])
    assert first[0]["y"] == first[2]["y"]
    shapes = [t["y"] for t in lines if t["name"].startswith("&lt;")]
    assert all(sum(shares) == pytest.approx(1) for shares in shapes)
    assert sum(t["name"] == "samples of the real people" for t in traces) > len(BINS)


def test_people_of_another_region_are_warned_of(cli, folder):
    far = GENERATED.replace(",0.0", ",60.0")
    (folder / "far.csv").write_text(far)
    done = cli("eval", "far.csv", "--truth", "real.csv", "--generated", cwd=folder)
    assert done.code == 0, done.err
    says(done.err, "warning:", "far.csv", "6,672 km", "reference", "latitude and longitude")
    same = cli("eval", "generated.csv", "--truth", "real.csv", "--generated", cwd=folder)
    assert "km from" not in same.err

"""`eval` of day plans: hand-worked numbers, references, the forms of the output."""

from __future__ import annotations

import gzip
import io
import json
import math
import re
import shutil
import subprocess
import sys

import polars as pl
import pytest

from humobctl.evaluate.plans.run import published_statistics
from humobctl.tables.copb_reference import durations, events_per_day
from humobctl.tables.schemas import INTENTS
from tests.conftest import environment
from tests.messages import fails, says

HEAD = "uid,d,seq,intent,start_min,end_min,reason\n"
PLANS = (
    HEAD
    + """\
1,0,0,go to sleep,0,400,tired
1,0,1,go to work,460,1000,"due, ""now"", they say"
1,0,2,go home,1030,1440,
1,1,0,go to sleep,0,600,
1,1,1,eat,640,700,
1,1,2,go home,730,1440,
2,0,0,go home,0,1440,
"""
)
REFERENCE = (
    HEAD
    + """\
5,0,0,go to sleep,0,410,
5,0,1,go to work,465,1010,
5,0,2,go home,1045,1440,
6,0,0,go to sleep,0,610,
6,0,1,go to work,650,1000,
6,0,2,go home,1035,1440,
"""
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "plans.csv").write_text(PLANS)
    (tmp_path / "reference.csv").write_text(REFERENCE)
    return tmp_path


def scores(text: str) -> dict[str, float]:
    return {s["metric"]: s["value"] for s in json.loads(text)["scores"]}


def js(p: list[float], q: list[float]) -> float:
    """Jensen-Shannon divergence written out."""

    def part(a, b):
        return sum(x * math.log(2 * x / (x + y)) for x, y in zip(a, b, strict=True) if x)

    return (part(p, q) + part(q, p)) / 2


def test_by_hand(cli, folder) -> None:
    done = cli("eval", "plans.csv", "--truth", "reference.csv", cwd=folder)
    assert done.code == 0
    names = ("plans.csv", "1 of 3 days", "3 events", "reference.csv", "--min-events 3")
    says(done.err, "warning:", *names)
    assert done.err.count("\n") == 1
    found = scores(done.out)
    # Days with 1 and with 3 events.
    assert found["events_per_day"] == pytest.approx(js([1 / 3, 2 / 3], [0, 1]))
    # Sleep, work, home, eat: 2, 1, 3, 1 of 7 against 2, 2, 2, 0 of 6.
    expected = js([2 / 7, 1 / 7, 3 / 7, 1 / 7], [1 / 3, 1 / 3, 1 / 3, 0])
    assert found["intent"] == pytest.approx(expected)
    # Half hours of duration. Sleep 13, 20 = 13, 20. Work 18 against 18, 11.
    # Home 13, 23, 47 against 13, 13. Each intent has two of the reference's six events.
    work = js([1, 0], [1 / 2, 1 / 2])
    home = js([1 / 3, 1 / 3, 1 / 3], [1, 0, 0])
    assert found["intent_duration"] == pytest.approx((0 + work + home) / 3)
    # All durations: 13 13 23 20 18 2 47 against 13 13 13 20 18 11.
    expected = js(
        [2 / 7, 1 / 7, 1 / 7, 1 / 7, 1 / 7, 1 / 7, 0], [3 / 6, 0, 1 / 6, 1 / 6, 0, 0, 1 / 6]
    )
    assert found["duration"] == pytest.approx(expected)
    # Half hours of the start: 0 0 0 15 21 34 24 against 0 0 15 21 34 34.
    expected = js([3 / 7, 1 / 7, 1 / 7, 1 / 7, 1 / 7], [2 / 6, 1 / 6, 1 / 6, 2 / 6, 0])
    assert found["start"] == pytest.approx(expected)
    # Sleep > work, sleep > eat against sleep > work twice: 1/2. Work > home in both: 0.
    assert found["transition"] == pytest.approx((2 * 0.5 + 2 * 0) / 4)


def test_json_says_what_was_scored(cli, folder) -> None:
    record = json.loads(cli("eval", "plans.csv", "--truth", "reference.csv", cwd=folder).out)
    assert (record["file"], record["reference"]) == ("plans.csv", "reference.csv")
    assert (record["users"], record["user_days"], record["events"]) == (2, 3, 7)
    for score in record["scores"]:
        assert score["higher_is_better"] is False
        assert score["signature"].startswith(score["metric"] + "|")
        assert "|reference:table|user-days:3|events:7|v:" in score["signature"]
    lasting = next(s for s in record["scores"] if s["metric"] == "intent_duration")["signature"]
    assert "|divergence:jsd|log:e|bins:48x30min|weights:reference-events|" in lasting
    eat = record["per_intent"][INTENTS.index("eat")]
    assert eat == {
        "intent": "eat",
        "events": 1,
        "share": pytest.approx(1 / 7),
        "reference_events": 0,
        "reference_share": 0.0,
        "intent_duration": None,
    }


def test_a_table_against_itself_is_at_no_distance(cli, folder) -> None:
    done = cli("eval", "plans.csv", "--truth", "plans.csv", cwd=folder)
    assert set(scores(done.out).values()) == {0.0}


def test_against_what_was_published(cli, folder) -> None:
    done = cli("eval", "plans.csv", cwd=folder)
    assert done.code == 0
    assert list(scores(done.out)) == ["events_per_day", "intent", "intent_duration", "duration"]
    assert "|reference:copb-published|" in done.out
    # An intent that was never planned is at the greatest distance, ln 2.
    sports = json.loads(done.out)["per_intent"][INTENTS.index("do sports")]
    assert sports["intent_duration"] == pytest.approx(math.log(2))
    assert sports["reference_events"] == 86


def test_days_with_few_events_are_left_out_of_both(cli, folder) -> None:
    arguments = ("eval", "plans.csv", "--truth", "reference.csv", "--min-events", "3")
    done = cli(*arguments, cwd=folder)
    record = json.loads(done.out)
    assert (record["users"], record["user_days"], record["events"]) == (1, 2, 6)
    assert scores(done.out)["events_per_day"] == 0.0
    assert all("|min-events:3|" in s["signature"] for s in record["scores"])
    none = cli("eval", "plans.csv", "--min-events", "4", cwd=folder)
    fails(none, "plans.csv", "no day", "4 events")


def test_order_of_rows_does_not_matter(cli, folder) -> None:
    lines = PLANS.splitlines(keepends=True)
    (folder / "mixed.csv").write_text(lines[0] + "".join(reversed(lines[1:])))
    first, second = (
        scores(cli("eval", name, "--truth", "reference.csv", cwd=folder).out)
        for name in ("plans.csv", "mixed.csv")
    )
    assert first == second


def test_forms_of_output(cli, folder) -> None:
    table = cli("eval", "plans.csv", "plans.csv", "-f", "table", cwd=folder)
    assert "events per day" in table.out
    assert "events,\nagainst CoPB (published)" in re.sub(" +\n", "\n", table.out)
    assert "intent|divergence:jsd|log:e|bins:12|" in table.out
    flat = cli("eval", "plans.csv", "--truth", "reference.csv", "-f", "csv", cwd=folder)
    frame = pl.read_csv(io.StringIO(flat.out))
    assert frame.columns == ["file", "uid", "metric", "edition", "value", "low", "high", "intent"]
    assert set(frame["file"]) == {"plans.csv"}
    assert frame["intent"].unique(maintain_order=True).to_list() == [
        None,
        "go to work",
        "go home",
        "go to sleep",
    ]
    two = cli(
        "eval",
        "plans.csv",
        "reference.csv",
        "-t",
        "reference.csv",
        "-o",
        "s.csv",
        "--metric",
        "start",
        cwd=folder,
    )
    assert (two.code, two.out) == (0, "")
    saved = pl.read_csv(folder / "s.csv")
    assert saved["file"].to_list() == ["plans.csv", "reference.csv"]
    assert saved["value"][1] == 0.0


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet", "arrow"])
def test_any_form_from_a_pipe(cli, folder, form) -> None:
    frame = pl.read_csv(io.StringIO(PLANS))
    buffer = io.BytesIO()
    {
        "csv": frame.write_csv,
        "ndjson": frame.write_ndjson,
        "parquet": frame.write_parquet,
        "arrow": frame.write_ipc_stream,
    }[form](buffer)
    named = scores(cli("eval", "plans.csv", "--truth", "reference.csv", cwd=folder).out)
    for payload in (buffer.getvalue(), gzip.compress(buffer.getvalue())):
        done = cli("eval", "-", "--truth", "reference.csv", input=payload, cwd=folder)
        assert done.code == 0
        assert scores(done.out) == named


def test_a_pipe_that_opens_once(folder) -> None:
    """bash's <(...) is a file name that can be opened and read only once."""
    bash = shutil.which("bash")
    assert bash
    command = f"{sys.executable} -m humobctl eval <(gzip -c plans.csv) -t <(cat plans.csv) -f csv"
    done = subprocess.run(
        [bash, "-c", command],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env=environment(),
    )
    assert pl.read_csv(done.stdout.encode())["value"].to_list() == [0.0] * 10


def test_a_stay_list_is_a_reference_as_it_is(cli, folder) -> None:
    rows = [(1, 0, 0.0, 400.4), (1, 1, 459.8, 1000.2), (1, 2, 1030.0, 1439.98)]
    names = ["uid", "seq", "start_min", "end_min"]
    frame = pl.DataFrame(rows, schema=names, orient="row").with_columns(lon=116.0, lat=40.0)
    frame.write_parquet(folder / "stays.parquet")
    done = cli("eval", "plans.csv", "--truth", "stays.parquet", "--min-events", "3", cwd=folder)
    assert (done.code, done.err) == (0, "")
    # Starts in the half hours 0, 15, 34 against 0 0 15 21 34 24.
    expected = js([1 / 3, 1 / 6, 1 / 6, 1 / 6, 1 / 6], [1 / 3, 1 / 3, 0, 1 / 3, 0])
    assert scores(done.out)["start"] == pytest.approx(expected)


def test_visits_without_intents_are_a_reference_too(cli, folder) -> None:
    stays = ["uid,d,seq,start_min,end_min,lat,lon"]
    stays += [
        f"1,0,{seq},{start},{end},40,116"
        for seq, start, end in [(0, 0, 400), (1, 460, 1000), (2, 1030, 1400)]
    ]
    (folder / "stays.csv").write_text("\n".join(stays) + "\n")
    done = cli("eval", "plans.csv", "--truth", "stays.csv", "--min-events", "3", cwd=folder)
    found = scores(done.out)
    assert list(found) == ["events_per_day", "duration", "start"]
    assert found["events_per_day"] == 0.0
    asked = cli("eval", "plans.csv", "--truth", "stays.csv", "--metric", "intent", cwd=folder)
    fails(asked, "stays.csv", "intent")


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (["--dialect", "humob24"], ("--dialect", "cells", "day plans")),
        (["--days", "0-1"], ("--days", "cells")),
        (["--per-user", "-f", "csv"], ("--per-user", "cells")),
        (["--metric", "geobleu"], ("'geobleu'", "events_per_day", "intent")),
        (["--min-events", "0"], ("--min-events",)),
    ],
)
def test_wrong_usage_exits_2(cli, folder, flags, names) -> None:
    done = cli("eval", "plans.csv", *flags, cwd=folder)
    fails(done, *names, code=2)


def test_cells_still_need_the_truth(cli, example_files) -> None:
    done = cli("eval", "predicted.csv", cwd=example_files)
    assert done.out == ""
    fails(done, "--truth", "cells", code=2)
    done = cli("eval", "predicted.csv", "-t", "city.csv", "--min-events", "2", cwd=example_files)
    fails(done, "--min-events", "day plans", code=2)


def test_cells_are_no_reference_for_plans(cli, example_files) -> None:
    done = cli("eval", "plans.csv", "--truth", "city.csv", cwd=example_files)
    fails(done, "city.csv", "start_min", "end_min")


@pytest.mark.parametrize(
    ("row", "names"),
    [
        (
            "1,0,3,eat,1000,1100,\n",
            ("'go home'", "user 1", "day 0", "1030-1440"),
        ),
        ("1,0,3,nap,1000,1100,\n", ("column intent", "nap")),
        ("1,0,3,eat,1100,1100,\n", ("column start_min, end_min", "1100, 1100")),
        ("1,0,3,eat,1100,1500,\n", ("column end_min", 1500)),
    ],
)
def test_faults_are_one_line(cli, folder, row, names) -> None:
    (folder / "bad.csv").write_text(PLANS + row)
    done = cli("eval", "bad.csv", cwd=folder)
    assert done.out == ""
    fails(done, "bad.csv", *names)


def test_published_numbers() -> None:
    assert events_per_day().sum() == 15_353
    assert events_per_day()[3] / 15_353 == pytest.approx(0.42213248225102584, rel=1e-12)
    assert durations().sum() == 5_668
    eat = durations()[INTENTS.index("eat")]
    assert eat[0] / eat.sum() == pytest.approx(151 / 307)
    assert (durations(stand_ins=True)[-2:] > 0).any()
    assert not durations()[-2:].any()
    assert published_statistics(3).user_days == 15_353 - 3_480


def test_published_numbers_are_those_of_the_files(shared_data) -> None:
    days = pl.read_csv(shared_data / "beijing" / "events_per_day.csv")
    found = events_per_day() / events_per_day().sum()
    for number, share in days.iter_rows():
        assert found[number] == pytest.approx(share, rel=1e-12)
    lasting = pl.read_csv(shared_data / "beijing" / "intent_durations.csv")
    for (intent,), rows in lasting.group_by("intent"):
        counts = durations()[INTENTS.index(intent)]
        expected = rows.sort("from_min")["probability"].to_list()
        assert (counts / counts.sum()).tolist() == pytest.approx(expected, abs=1e-12)

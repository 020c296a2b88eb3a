"""`eval --by` of predicted cells: scores by time and by users' past, worked out by hand."""

from __future__ import annotations

import json

import pytest

import humobctl as hm
from tests.messages import fails, says

TRUTH = """uid,d,t,x,y
1,0,0,5,5
1,0,20,9,9
1,1,0,5,5
1,1,20,8,8
1,2,0,5,5
2,0,0,2,2
2,1,0,2,2
"""
PREDICTED = "uid,d,t,x,y\n1,1,0,5,5\n1,1,20,9,9\n1,2,0,5,6\n2,1,0,2,2\n"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "truth.csv").write_text(TRUTH)
    for name in ("p.csv", "p.seed-0.csv"):
        (tmp_path / name).write_text(PREDICTED)
    (tmp_path / "p.seed-1.csv").write_text(PREDICTED.replace("1,2,0,5,6", "1,2,0,5,5"))
    return tmp_path


def evaluate(cli, folder, *options, code=0):
    done = cli("eval", "-t", "truth.csv", "--bootstrap", 100, *options, cwd=folder)
    assert done.code == code, done.err
    return done


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("weekday", {"Monday": (2, 0.75), "Tuesday": (1, 0)}),
        ("days-ahead", {"1": (2, 0.75), "2": (1, 0)}),
        ("hour", {"00": (2, 0.75), "10": (1, 0)}),
        ("novelty", {"known place": (2, 0.75), "new place": (1, 0)}),
        ("regularity", {"0.8 to 1": (2, 0.625)}),
        ("activity", {"1-10": (2, 0.625)}),
    ],
)
def test_accuracy_of_users_by_group(cli, files, by, groups):
    done = evaluate(cli, files, "p.csv", "--metric", "accuracy", "--by", by)
    found = json.loads(done.out)["breakdowns"]
    assert {one["group"]: (one["users"], one["scores"][0]["value"]) for one in found} == groups
    low, high = found[0]["scores"][0]["interval"]
    assert low <= found[0]["scores"][0]["value"] <= high
    if len(found) > 1:
        assert found[1]["scores"][0]["interval"] == [None, None]  # of one user


def test_groups_of_days_have_every_metric_and_hours_those_of_records(cli, files):
    done = evaluate(cli, files, "p.csv", "--by", "weekday", "--by", "hour", "-f", "json")
    found = {
        (one["by"], one["group"]): len(one["scores"]) for one in json.loads(done.out)["breakdowns"]
    }
    assert found == {
        **dict.fromkeys([("weekday", "Monday"), ("weekday", "Tuesday")], 6),
        **dict.fromkeys([("hour", "00"), ("hour", "10")], 2),
    }
    done = evaluate(cli, files, "p.csv", "--by", "hour", "--metric", "dtw", code=2)
    fails(done, "--by hour", "--metric accuracy", "weekday", code=2)


def test_groups_in_tables_of_several_files_and_seeds(cli, files):
    flags = ("--metric", "accuracy", "--metric", "geobleu", "--by", "weekday")
    seeds = ("p.csv", "p.seed-0.csv", "p.seed-1.csv", "--as-seeds")
    evaluate(cli, files, *seeds[1:], *flags, "-o", "scores.csv")
    rows = hm.read(files / "scores.csv").filter(metric="accuracy").select("edition", "value", "sd")
    assert rows.rows() == [
        (None, 0.75, pytest.approx(0.125 * 2**0.5)),
        ("weekday:Monday", 0.75, 0),
        ("weekday:Tuesday", 0.5, pytest.approx(0.5**0.5)),
    ]
    editions = hm.read(files / "scores.csv").filter(metric="geobleu")["edition"].to_list()
    assert "humob24|weekday:Monday" in editions
    table = evaluate(cli, files, "p.csv", "p.seed-1.csv", *flags, "-f", "table").out
    says(table, "GEO-BLEU humob24", "Tuesday", "0.6065", "1.0000")
    says(table, "p.seed-1.csv minus p.csv", "accuracy", "+0.2500")


def test_breakdowns_by_the_past_need_one(cli, files):
    done = evaluate(
        cli, files, "p.csv", "--days", "0-2", "--allow-partial", "--by", "novelty", code=2
    )
    fails(done, "--by novelty", "truth.csv", "day 0", code=2)

"""`eval` of ranked candidates: values worked out by hand, breakdowns, comparisons, faults."""

from __future__ import annotations

import json
import math

import polars as pl
import pytest

import humobctl as hm
from tests.messages import fails, says

TRUTH = "uid,d,t,x,y\n1,0,0,5,5\n1,1,0,5,5\n1,1,2,6,6\n2,1,0,7,7\n2,1,1,8,8\n"
RANKED = """uid,d,t,rank,x,y,p
1,1,0,1,5,5,0.6
1,1,0,2,6,6,0.4
1,1,2,1,5,5,0.5
1,1,2,2,6,6,0.3
1,1,2,3,9,9,0.2
2,1,0,1,1,1,0.9
2,1,1,1,8,8,1.0
"""
"""True ranks: 1, 2, none, 1."""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "truth.csv").write_text(TRUTH)
    (tmp_path / "ranked.csv").write_text(RANKED)
    return tmp_path


def scores(cli, folder, *options: str) -> dict:
    done = cli("eval", "ranked.csv", "-t", "truth.csv", "-f", "json", *options, cwd=folder)
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_values_by_hand(cli, files):
    names = ("acc@1", "acc@3", "precision@2", "recall@2", "f1@2", "ndcg@2", "mrr", "nll", "brier")
    found = scores(cli, files, *(f"--metric={name}" for name in (*names, "ece")))
    values = {one["metric"]: one["value"] for one in found["scores"]}
    assert values == pytest.approx(
        {
            "acc@1": 2 / 4,
            "acc@3": 3 / 4,
            "precision@2": 3 / 8,
            "recall@2": 3 / 4,
            "f1@2": 3 * (2 / 3) / 4,
            "ndcg@2": (1 + 1 / math.log2(3) + 0 + 1) / 4,
            "mrr": (1 + 0.5 + 0 + 1) / 4,
            "nll": -(math.log(0.6) + math.log(0.3) + math.log(1e-6) + math.log(1)) / 4,
            # (.4^2 + .4^2), (.5^2 + .7^2 + .2^2), (.9^2 + 1), 0
            "brier": (0.32 + 0.78 + 1.81 + 0) / 4,
            # bins .6: 1 - .6; .5: 0 - .5; .9 and 1: (0 - .9) + (1 - 1)
            "ece": (0.4 + 0.5 + 0.9) / 4,
        }
    )
    assert (found["targets"], found["users"], found["chosen"], found["list"]) == (4, 2, "masked", 3)
    assert found["scores"][0]["signature"].startswith("acc@1|targets:masked|n:4|users:2|list:3|")


def test_metrics_without_k_and_their_default(cli, files):
    found = scores(cli, files, "--metric", "acc")
    assert [one["metric"] for one in found["scores"]] == ["acc@1"]  # lists of 3 have no acc@5
    done = cli("eval", "ranked.csv", "-t", "truth.csv", "--metric", "acc@9", cwd=files)
    fails(done, "acc@9", "1 to 3", code=2)
    done = cli("eval", "ranked.csv", "-t", "truth.csv", "--metric", "geobleu", cwd=files)
    fails(done, "geobleu", "mrr", code=2)


def test_breakdowns(cli, files):
    found = scores(cli, files, "--metric", "acc@1", "--by", "novelty", "--by", "hour", "--per-user")
    groups = {(one["by"], one["group"]): one["scores"][0]["value"] for one in found["breakdowns"]}
    # User 1 was in (5, 5) on day 0; hours 0 (slots 0 and 1) and 1 (slot 2).
    assert groups == {
        ("novelty", "known place"): 1.0,
        ("novelty", "new place"): pytest.approx(1 / 3),
        ("hour", "00"): pytest.approx(2 / 3),
        ("hour", "01"): 0.0,
    }
    assert [(one["uid"], one["acc@1"]) for one in found["per_user"]] == [(1, 0.5), (2, 0.5)]
    ahead = scores(cli, files, "--metric", "acc@1", "--by", "days-ahead")
    assert [one["group"] for one in ahead["breakdowns"]] == ["1"]  # one day was predicted
    weekday = scores(cli, files, "--metric", "mrr", "--by", "weekday", "--first-weekday", "friday")
    assert [one["group"] for one in weekday["breakdowns"]] == ["Saturday"]


def test_two_files_are_compared(cli, files):
    better = [row for row in RANKED.splitlines() if not row.startswith("2,1,0")]
    (files / "better.csv").write_text("\n".join([*better, "2,1,0,1,7,7,0.9"]) + "\n")
    done = cli(
        *("eval", "ranked.csv", "better.csv", "-t", "truth.csv", "-f", "json", "--metric", "mrr"),
        cwd=files,
    )
    assert done.code == 0, done.err
    (difference,) = json.loads(done.out)[1]["differences"]
    assert difference["difference"] == pytest.approx(0.25)
    assert difference["interval"][0] == 0.0  # a sample may have user 1 alone
    assert difference["better"] is None
    # Two users, of which one differs: each swap is as far apart as what was found.
    assert difference["p_permutation"] == 1.0
    table = hm.evaluate(
        {"a": pl.read_csv(files / "ranked.csv"), "b": pl.read_csv(files / "better.csv")},
        files / "truth.csv",
        metric=["acc@1"],
    ).to_frame()
    assert table["file"].to_list() == ["a", "b", "b - a"]
    shown = cli("eval", "ranked.csv", "better.csv", "-t", "truth.csv", "-f", "table", cwd=files)
    says(shown.out, "difference", "interval", "p permutation", "verdict")
    says(shown.out, "better.csv minus ranked.csv", "mrr", "+0.2500", "not decided")


def test_a_single_user_decides_nothing(cli, files):
    one = "".join(row + "\n" for row in RANKED.splitlines() if row[0] != "2")
    (files / "ranked.csv").write_text(one)
    (files / "other.csv").write_text(
        one.replace("5,5,0.6", "9,9,0.6").replace("6,6,0.4", "5,5,0.4")
    )
    done = cli(
        *("eval", "ranked.csv", "other.csv", "-t", "truth.csv", "--users", "predicted"),
        *("--metric", "acc@1", "-f", "json"),
        cwd=files,
    )
    assert done.code == 0, done.err
    _, other = json.loads(done.out)
    assert other["scores"][0]["interval"] == [None, None]
    (difference,) = other["differences"]
    assert (difference["interval"], difference["p"], difference["better"]) == (
        [None] * 2,
        1.0,
        None,
    )


def test_lists_must_be_those_of_the_truth(cli, files):
    call = ("eval", "ranked.csv", "-t", "truth.csv")
    (files / "ranked.csv").write_text(RANKED.replace("2,1,1,1,8,8,1.0\n", ""))
    fails(cli(*call, cwd=files), "ranked.csv", "3 records", "4 (masked)", "--allow-partial")
    found = scores(cli, files, "--allow-partial", "--metric", "acc@1")
    assert (found["chosen"], found["coverage"]) == ("partial", [3, 4])
    (files / "ranked.csv").write_text(RANKED + "3,1,1,1,8,8,1.0\n")
    fails(cli(*call, cwd=files), "truth.csv does not have", "(3, 1, 1)")


@pytest.mark.parametrize(
    ("old", "new", "pieces"),
    [
        ("2,1,0,1,", "2,1,0,2,", ("a gap in the ranks", "(2, 1, 0)")),
        ("1,1,0,2,6,6", "1,1,0,2,5,5", ("a place twice", "(1, 1, 0)")),
        ("0.4", "0.5", ("probabilities", "more than 1")),
        ("0.9", "1.9", ("p", "from 0 to 1")),
    ],
)
def test_bad_lists(cli, files, old, new, pieces):
    (files / "ranked.csv").write_text(RANKED.replace(old, new, 1))
    fails(cli("eval", "ranked.csv", "-t", "truth.csv", cwd=files), "ranked.csv", *pieces)


def test_sessions_say_which_records_are_scored(cli, tmp_path):
    truth = "uid,session,step,datetime,lat,lon,place_id\n"
    truth += "".join(f"u,0,{n},2024-01-01T0{n}:00:00,42,-74,{'ABC'[n]}\n" for n in range(3))
    (tmp_path / "truth.csv").write_text(truth)
    rows = ["u,0,1,2024-01-01T01:00:00,1,B,0.5\n", "u,0,2,2024-01-01T02:00:00,1,A,0.5\n"]
    for name, chosen in (("next", rows), ("last", rows[1:])):
        head = "uid,session,step,datetime,rank,place_id,p\n"
        (tmp_path / "ranked.csv").write_text(head + "".join(chosen))
        found = scores(cli, tmp_path, "--metric", "acc@1")
        assert found["chosen"] == name
    done = cli("eval", "ranked.csv", "-t", "truth.csv", "--by", "novelty", cwd=tmp_path)
    fails(done, "--by novelty", "--history", code=2)
    found = scores(cli, tmp_path, "--by", "activity", "--history", "truth.csv")
    assert [one["group"] for one in found["breakdowns"]] == ["1-10"]
    found = scores(cli, tmp_path, "--by", "regularity", "--history", "truth.csv")
    assert [one["group"] for one in found["breakdowns"]] == ["0.8 to 1"]  # a place an hour
    done = cli("eval", "ranked.csv", "-t", "truth.csv", "--by", "days-ahead", cwd=tmp_path)
    fails(done, "--by days-ahead", "masked rows", code=2)

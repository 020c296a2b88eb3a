"""`eval` through the real command line: values, mismatches, coverage, comparisons."""

from __future__ import annotations

import json
import random

import polars as pl
import pytest

from humobctl.evaluate.cells.run import CellEvalSettings, Evaluator
from humobctl.io import by_user as users_module
from tests.evaluate.cells.examples import GENERATED, REFERENCE, as_csv
from tests.messages import fails, says


@pytest.fixture
def example(tmp_path):
    (tmp_path / "predicted.csv").write_text(as_csv(GENERATED))
    (tmp_path / "truth.csv").write_text(as_csv(REFERENCE))
    return tmp_path


def scores(text):
    record = json.loads(text)
    return {(s["metric"], s["dialect"]): s["value"] for s in record["scores"]}


def test_json_in_a_pipe(cli, example):
    done = cli("eval", "predicted.csv", "--truth", "truth.csv", cwd=example)
    assert (done.code, done.err) == (0, "")
    found = scores(done.out)
    assert found["geobleu", "humob24"] == pytest.approx(0.21733678721880598, rel=1e-12)
    assert found["geobleu", "humob25"] == pytest.approx(0.07556369896234784, rel=1e-12)
    assert found["dtw", "humob24"] == pytest.approx(5.889002930255253, rel=1e-12)
    assert found["dtw", "humob25"] == pytest.approx(5.889002930255253, rel=1e-12)
    # Equal cells by day: 1 of 3, 4 of 8, 3 of 5; accuracy is their mean.
    assert found["accuracy", None] == pytest.approx((1 / 3 + 4 / 8 + 3 / 5) / 3, rel=1e-12)
    record = json.loads(done.out)
    assert (record["users"], record["user_days"], record["days"]) == (1, 3, [60, 62])
    signature = record["scores"][0]["signature"]
    assert signature.startswith("geobleu|n:3|beta:0.5|dialect:humob24|users:1|days:60-62|v:")


def test_a_table_when_asked_for(cli, example):
    done = cli("eval", "predicted.csv", "-t", "truth.csv", "-f", "table", cwd=example)
    assert "GEO-BLEU humob24" in done.out
    assert "0.2173" in done.out
    assert "dtw|start:closed|algorithm:exact|cell:0.5km|dialect:humob25" in done.out


def test_score_table_and_detail_files(cli, example):
    done = cli(
        *("eval", "predicted.csv", "-t", "truth.csv", "--metric", "distance"),
        *("-o", "scores.csv", "--per-user", "--detail", "detail.parquet"),
        cwd=example,
    )
    assert (done.code, done.out) == (0, "")
    table = pl.read_csv(example / "scores.csv")
    assert table.columns == ["file", "uid", "metric", "edition", "value", "low", "high"]
    assert table["file"].to_list() == ["predicted.csv"] * 2
    assert table["uid"].to_list() == [None, 7]
    detail = pl.read_parquet(example / "detail.parquet")
    assert detail.select("uid", "d", "rows").rows() == [(7, 60, 3), (7, 61, 8), (7, 62, 5)]
    # Day 60: (2, 5), (0, 0), (5, 0) cells apart, two cells a kilometre.
    assert detail["distance"][0] == pytest.approx((29**0.5 + 5) / 2 / 3, rel=1e-12)
    assert table["value"][0] == pytest.approx(detail["distance"].mean(), rel=1e-12)


def test_extra_rows_are_an_error_that_names_the_first(cli, example):
    (example / "predicted.csv").write_text(as_csv([*GENERATED, (61, 40, 1, 1), (62, 19, 1, 1)]))
    done = cli("eval", "predicted.csv", "--truth", "truth.csv", "--allow-partial", cwd=example)
    fails(done, "predicted.csv", "2 rows", "truth.csv", "(uid, d, t) = (7, 61, 40)")


def test_partial_coverage_is_an_error_unless_allowed(cli, example):
    (example / "predicted.csv").write_text(as_csv(GENERATED[:2] + GENERATED[3:]))
    done = cli("eval", "predicted.csv", "--truth", "truth.csv", cwd=example)
    fails(done, "15 of 16 rows", "1 of 1 user", "(uid, d, t) = (7, 60, 21)")
    done = cli("eval", "predicted.csv", "--truth", "truth.csv", "--allow-partial", cwd=example)
    assert done.code == 0
    assert json.loads(done.out)["coverage"] == {"rows": [15, 16], "users": [1, 1]}
    assert "coverage:15/16" in done.out
    says(done.err, "15 of 16 rows")


def test_masked_cells_are_refused_on_both_sides(cli, example):
    (example / "masked.csv").write_text(as_csv([*GENERATED[:-1], (62, 18, 999, 999)]))
    for predicted, truth, name in (
        ("masked.csv", "truth.csv", "masked.csv"),
        ("predicted.csv", "masked.csv", "masked.csv"),
    ):
        done = cli("eval", predicted, "--truth", truth, cwd=example)
        fails(done, f"{name}:", "1 masked", 999, "(uid, d, t) = (7, 62, 18)")


def test_days_can_be_chosen(cli, example):
    done = cli("eval", "predicted.csv", "-t", "truth.csv", "--days", "61", cwd=example)
    record = json.loads(done.out)
    assert (record["user_days"], record["days"], record["rows"]) == (1, [61, 61], 8)
    done = cli("eval", "predicted.csv", "-t", "truth.csv", "--days", "70-74", cwd=example)
    fails(done, "no rows", "days 70-74")


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (["--days", "74-60"], ("--days", "'74-60'")),
        (["--days", "x"], ("--days", "'x'", "60-74")),
        (["--metric", "bleu"], ("--metric", "'bleu'", "geobleu", "dtw", "accuracy", "distance")),
        (["--dtw", "fast", "--dialect", "humob24"], ("--dtw", "--dialect humob25")),
        (["--detail", "-"], ("--output and --detail", "standard output")),
        (["--detail", "x.csv", "-o", "x.csv"], ("--output and --detail", "x.csv")),
        (["--per-user", "-f", "table"], ("--per-user", "--format json")),
    ],
)
def test_wrong_usage_exits_2(cli, example, flags, names):
    fails(cli("eval", "predicted.csv", "--truth", "truth.csv", *flags, cwd=example), *names, code=2)


def test_standard_input_only_once(cli, example):
    done = cli("eval", "-", "--truth", "-", cwd=example)
    fails(done, "standard input", "once", code=2)


def test_fast_dtw_is_an_upper_bound(cli, example):
    flags = ("--truth", "truth.csv", "--dialect", "humob25", "--metric", "dtw")
    exact = scores(cli("eval", "predicted.csv", *flags, cwd=example).out)
    done = cli("eval", "predicted.csv", *flags, "--dtw", "fast", cwd=example)
    fast = scores(done.out)
    assert fast["dtw", "humob25"] >= exact["dtw", "humob25"] - 1e-9
    assert "algorithm:fast" in done.out


@pytest.mark.parametrize("dialect", [(), ("--dialect", "both")])
def test_fast_dtw_leaves_geobleu_of_both_dialects(cli, example, dialect):
    flags = ("--truth", "truth.csv", *dialect)
    exact = scores(cli("eval", "predicted.csv", *flags, cwd=example).out)
    done = cli("eval", "predicted.csv", *flags, "--dtw", "fast", cwd=example)
    fast = scores(done.out)
    assert fast.keys() == exact.keys() - {("dtw", "humob24")}
    for one in ("humob24", "humob25"):
        assert fast["geobleu", one] == exact["geobleu", one]
    says(done.err, "--dtw fast", "humob24")
    done = cli("eval", "predicted.csv", *flags, "--dtw", "fast", "--metric", "geobleu", cwd=example)
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("days", [1, -1])
def test_days_shifted_by_one_are_found_out(cli, example, days):
    moved = [(d - days, t, x, y) for d, t, x, y in GENERATED]
    (example / "moved.csv").write_text(as_csv(moved))
    flags = ("--truth", "truth.csv", "--format", "csv")
    done = cli("eval", "moved.csv", *flags, cwd=example)
    fails(done, "moved.csv", f"--shift-days {days}", notes=True)
    done = cli("eval", "moved.csv", *flags, "--shift-days", days, cwd=example)
    as_made = cli("eval", "predicted.csv", *flags, cwd=example).out
    assert done.out == as_made.replace("predicted.csv", "moved.csv")
    done = cli("eval", "moved.csv", *flags, "--shift-days", "-70", cwd=example)
    fails(done, "moved.csv", "--shift-days -70", "0 to")


def test_order_of_rows_and_users_changes_nothing(cli, workdir):
    header, *lines = (workdir / "predicted.csv").read_text().splitlines()
    random.Random(5).shuffle(lines)
    (workdir / "shuffled.csv").write_text("\n".join([header, *lines]) + "\n")
    first, second = (
        scores(cli("eval", name, "--truth", "city.csv", cwd=workdir).out)
        for name in ("predicted.csv", "shuffled.csv")
    )
    assert first == second


def test_the_truth_scores_best_against_itself(cli, workdir):
    done = cli("eval", "city.csv", "--truth", "city.csv", cwd=workdir)
    found = scores(done.out)
    assert found["geobleu", "humob24"] == pytest.approx(1.0, abs=1e-12)
    assert found["geobleu", "humob25"] == pytest.approx(1.0, abs=1e-12)
    assert found["dtw", "humob24"] == found["dtw", "humob25"] == found["distance", None] == 0.0
    assert found["accuracy", None] == 1.0


def test_a_store_on_disk_gives_the_same_bits(workdir, monkeypatch):
    def run():
        paths = [str(workdir / name) for name in ("predicted.csv", "city.csv")]
        evaluator = Evaluator(paths[:1], paths[1], CellEvalSettings())
        groups = len(list(evaluator.run()))
        return groups, evaluator.evaluations[0].users

    whole, expected = run()
    monkeypatch.setattr(users_module, "IN_MEMORY_ROWS", 1000)
    monkeypatch.setattr(users_module, "GROUP_ROWS", 2000)
    monkeypatch.setenv("HUMOBCTL_PART_ROWS", "2000")
    parts, found = run()
    assert whole == 1
    assert parts > 3
    assert found.equals(expected)


def test_a_truth_without_history_must_be_predicted_whole(cli, example):
    (example / "predicted.csv").write_text(as_csv(GENERATED[:3]))
    done = cli("eval", "predicted.csv", "--truth", "truth.csv", cwd=example)
    fails(done, "3 of 16 rows", "(uid, d, t) = (7, 61, 12)")
    done = cli("eval", "predicted.csv", "--truth", "truth.csv", "--days", "60", cwd=example)
    assert done.code == 0


def test_days_that_the_truth_has_beyond_are_told(cli, example):
    (example / "history.csv").write_text(as_csv([(0, 1, 5, 5), *REFERENCE]))
    (example / "predicted.csv").write_text(as_csv(GENERATED[:11]))
    done = cli("eval", "predicted.csv", "--truth", "history.csv", cwd=example)
    assert done.code == 0
    says(done.err, "day 61", "history.csv", "day 62", "not scored")


def test_open_ranges_are_signed_by_what_was_scored(cli, example):
    done = cli("eval", "predicted.csv", "-t", "truth.csv", "--days", "60-", cwd=example)
    assert "|days:60-62|" in done.out


def test_other_users_can_be_left_out(cli, example):
    others = as_csv(REFERENCE, uid=8).split("\n", 1)[1]
    (example / "both.csv").write_text(as_csv(REFERENCE) + others)
    done = cli("eval", "predicted.csv", "-t", "both.csv", cwd=example)
    fails(done, "16 of 32 rows", "1 of 2 users")
    done = cli("eval", "predicted.csv", "-t", "both.csv", "--users", "predicted", cwd=example)
    assert done.code == 0
    assert json.loads(done.out)["coverage"] == {"rows": [16, 16], "users": [1, 1]}
    # Holes among the predicted users are still an error.
    (example / "predicted.csv").write_text(as_csv(GENERATED[:2] + GENERATED[3:]))
    done = cli("eval", "predicted.csv", "-t", "both.csv", "--users", "predicted", cwd=example)
    assert done.code == 1


def test_kilometres_follow_the_cell(cli, example):
    half, whole = (
        scores(cli("eval", "predicted.csv", "-t", "truth.csv", *flags, cwd=example).out)
        for flags in ([], ["--cell-km", "1"])
    )
    for key in (("dtw", "humob24"), ("dtw", "humob25"), ("distance", None)):
        assert whole[key] == pytest.approx(2 * half[key], rel=1e-12)
    assert whole["geobleu", "humob24"] == half["geobleu", "humob24"]


def test_a_table_can_go_to_a_file(cli, example):
    flags = ("-f", "table", "-o", "scores.txt")
    done = cli("eval", "predicted.csv", "-t", "truth.csv", *flags, cwd=example)
    assert (done.code, done.out) == (0, "")
    assert "0.2173" in (example / "scores.txt").read_text()


def test_json_can_hold_every_user(cli, example):
    done = cli("eval", "predicted.csv", "-t", "truth.csv", "--per-user", cwd=example)
    (user,) = json.loads(done.out)["per_user"]
    assert (user["uid"], user["days"]) == (7, 3)
    assert user["geobleu_humob24"] == pytest.approx(0.21733678721880598, rel=1e-12)

"""Paired comparison of prediction files."""

from __future__ import annotations

import json

import numpy as np

from humobctl.evaluate.cells.bootstrap import resampled_means
from tests.messages import fails


def test_intervals_of_a_known_sample():
    # 400 users whose difference is 1 with sd 2: the mean has sd 0.1, so 95 % within 1 +- 0.196.
    values = np.random.default_rng(3).normal(0, 2, (400, 1))
    values += 1 - values.mean()
    draws = resampled_means(values, 4000, seed=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    assert abs(low - 0.804) < 0.03
    assert abs(high - 1.196) < 0.03


def test_the_same_seed_draws_the_same_samples():
    values = np.arange(12.0).reshape(6, 2)
    assert np.array_equal(resampled_means(values, 100, 4), resampled_means(values, 100, 4))
    assert not np.array_equal(resampled_means(values, 100, 4), resampled_means(values, 100, 5))


def test_two_files_are_compared_with_intervals(cli, shared_data):
    folder = shared_data / "humob"
    files = [folder / f"cityB_{name}.csv.gz" for name in ("llama3-8b-mob", "lp-bert")]
    flags = ("--truth", folder / "cityB_100users.csv.gz", "--metric", "geobleu")
    done = cli("eval", *files, *flags)
    first, second = json.loads(done.out)
    assert "difference_from_first" not in first
    found = second["difference_from_first"][0]
    difference = second["scores"][0]["value"] - first["scores"][0]["value"]
    assert abs(found["difference"] - difference) < 1e-12
    assert found["interval"][0] < difference < found["interval"][1] < 0
    assert found["better"] is False
    table = cli("eval", *files, *flags, "--format", "table").out
    assert "cityB_lp-bert.csv.gz minus cityB_llama3-8b-mob.csv.gz" in table
    assert "worse" in table


def test_a_file_against_itself_is_not_decided(cli, workdir):
    files = ("predicted.csv", "predicted.csv")
    done = cli("eval", *files, "--truth", "city.csv", cwd=workdir)
    found = json.loads(done.out)[1]["difference_from_first"]
    assert {entry["better"] for entry in found} == {None}
    assert {tuple(entry["interval"]) for entry in found} == {(0.0, 0.0)}


def test_files_scored_on_other_days_are_not_compared(cli, workdir):
    lines = (workdir / "predicted.csv").read_text().splitlines()
    week = [line for line in lines[1:] if int(line.split(",")[1]) < 67]
    (workdir / "week.csv").write_text("\n".join([lines[0], *week]) + "\n")
    done = cli("eval", "predicted.csv", "week.csv", "--truth", "city.csv", cwd=workdir)
    fails(done, "week.csv", "20 users", notes=True)
    flags = ("--truth", "city.csv", "--days", "60-66")
    assert cli("eval", "predicted.csv", "week.csv", *flags, cwd=workdir).code == 0


def test_the_score_table_holds_the_comparison(cli, workdir):
    files = ("predicted.csv", "predicted.csv")
    flags = ("--metric", "accuracy", "-f", "csv")
    done = cli("eval", *files, "--truth", "city.csv", *flags, cwd=workdir)
    scopes = [line.split(",")[:2] for line in done.out.splitlines()[1:]]
    assert scopes == [
        ["predicted.csv", "accuracy"],
        ["predicted.csv#2", "accuracy"],
        ["predicted.csv#2 - predicted.csv", "accuracy"],
        ["predicted.csv#2 - predicted.csv", "accuracy_low"],
        ["predicted.csv#2 - predicted.csv", "accuracy_high"],
    ]

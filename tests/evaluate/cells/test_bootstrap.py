"""Paired comparison of prediction files."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

import humobctl as hm
from humobctl.evaluate.cells.bootstrap import adjust_by_holm, p_values, resampled_means
from tests.messages import fails, says


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
    assert "differences" not in first
    found = second["differences"][0]
    assert found["from"] == str(files[0])
    difference = second["scores"][0]["value"] - first["scores"][0]["value"]
    assert abs(found["difference"] - difference) < 1e-12
    assert found["interval"][0] < difference < found["interval"][1] < 0
    assert found["better"] is False
    table = cli("eval", *files, *flags, "--format", "table").out
    says(table, "cityB_lp-bert.csv.gz minus cityB_llama3-8b-mob.csv.gz", "worse")


def test_a_file_against_itself_is_not_decided(cli, workdir):
    files = ("predicted.csv", "predicted.csv")
    done = cli("eval", *files, "--truth", "city.csv", cwd=workdir)
    found = json.loads(done.out)[1]["differences"]
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


def test_a_single_user_decides_nothing(cli, tmp_path):
    """Samples of one user are all alike: an interval without width would decide everything."""
    rows = "uid,d,t,x,y\n1,60,0,1,1\n1,60,1,2,{}\n"
    for name, y in (("truth", 2), ("a", 2), ("b", 5)):
        (tmp_path / f"{name}.csv").write_text(rows.format(y))
    files = ("eval", "a.csv", "b.csv", "--truth", "truth.csv", "--format")
    done = cli(*files, "json", cwd=tmp_path)
    assert done.code == 0, done.err
    found = json.loads(done.out)[1]["differences"]
    assert {(*one["interval"], one["p_holm"], one["better"]) for one in found} == {
        (None, None, 1.0, None)
    }
    assert cli(*files, "csv", cwd=tmp_path).out.splitlines()[-1].endswith(",,1.0,1.0")
    assert "nan" not in cli(*files, "table", cwd=tmp_path).out


def test_p_values_worked_out_by_hand():
    # 9 resamples, of which 1 is not above zero: 2 (1 + 1) / 10. Zeros count for both sides.
    draws = np.array([[-1.0, 0, 1]] + 8 * [[2.0, 0, 1]])
    assert p_values(draws).tolist() == [0.4, 1.0, 0.2]


def test_holms_correction_worked_out_by_hand():
    # 0.01 x 3, 0.03 x 2, and 0.04 x 1, which may not fall below the one before it.
    assert adjust_by_holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    two = adjust_by_holm(np.array([[0.5, 0.001], [0.6, 0.002]]))  # a column a metric
    assert two == pytest.approx(np.array([[1.0, 0.002], [1.0, 0.002]]))
    assert adjust_by_holm(np.array([0.02])).tolist() == [0.02]


TRUTH = "uid,d,t,x,y\n" + "".join(f"{uid},60,0,50,50\n" for uid in range(12))
FILES = {"a_1.csv": 50, "b.csv": 54, "c.csv": 58}
"""Everyone is 0, 2 and 4 km off, so that all differences are the same for all users."""


@pytest.fixture
def three(tmp_path):
    (tmp_path / "truth.csv").write_text(TRUTH)
    for name, x in FILES.items():
        (tmp_path / name).write_text(TRUTH.replace(",50,50", f",{x},50"))
    return tmp_path


def eval_three(cli, folder, *flags):
    done = cli("eval", *FILES, "-t", "truth.csv", "--metric", "distance", *flags, cwd=folder)
    assert done.code == 0, done.err
    return done.out


def test_all_pairs_of_files_are_compared(cli, three):
    found = [one.get("differences", []) for one in json.loads(eval_three(cli, three))]
    told = [[(d["from"], d["difference"], d["better"]) for d in one] for one in found]
    assert told == [[], [("a_1.csv", 2, False)], [("a_1.csv", 4, False), ("b.csv", 2, False)]]
    # No resample has another sign: 2 / 2001 each, times three by Holm.
    assert [d["p"] for one in found for d in one] == pytest.approx([2 / 2001] * 3)
    assert [d["p_holm"] for one in found for d in one] == pytest.approx([6 / 2001] * 3)


def test_intervals_of_several_pairs_are_said_not_to_be_adjusted(cli, three):
    says(eval_three(cli, three, "-f", "table"), "3 pairs (Holm)")
    says(eval_three(cli, three, "-f", "table"), "95 % interval, not adjusted")
    two = cli("eval", *list(FILES)[:2], "-t", "truth.csv", "-f", "table", cwd=three).out
    says(two, "95 % interval")
    assert "adjusted" not in two


def test_files_are_compared_with_the_first_one_alone(cli, three):
    found = json.loads(eval_three(cli, three, "--pairs", "first"))
    told = [[(d["from"], d["p_holm"]) for d in one.get("differences", [])] for one in found]
    assert told == [[], [("a_1.csv", 4 / 2001)], [("a_1.csv", 4 / 2001)]]


def test_holm_decides_what_is_better(cli, three):
    # At 0.998 a level of 0.002 is reached by 2 / 2001, but not by three times as much.
    two = ("--pairs", "first", "--confidence", "0.998")
    done = cli("eval", *list(FILES)[:2], "-t", "truth.csv", *two, cwd=three)
    assert {d["better"] for d in json.loads(done.out)[1]["differences"]} == {False}
    found = json.loads(eval_three(cli, three, "--confidence", "0.998"))
    assert {d["better"] for one in found for d in one.get("differences", [])} == {None}


def test_the_score_table_of_several_files_and_users(cli, three):
    frame = pl.read_csv(eval_three(cli, three, "--per-user", "-f", "csv").encode())
    assert frame.columns[-4:] == ["low", "high", "p", "p_holm"]
    users = frame.filter(pl.col("uid").is_not_null())
    assert users.group_by("file", maintain_order=True).agg(pl.col("value").sum()).rows() == [
        ("a_1.csv", 0),
        ("b.csv", 24),
        ("c.csv", 48),
    ]
    rest = frame.filter(pl.col("uid").is_null()).drop("uid", "edition", "p", "p_holm")
    assert rest.rows() == [
        ("a_1.csv", "distance", 0, None, None),
        ("b.csv", "distance", 2, None, None),
        ("c.csv", "distance", 4, None, None),
        ("b.csv - a_1.csv", "distance", 2, 2, 2),
        ("c.csv - a_1.csv", "distance", 4, 4, 4),
        ("c.csv - b.csv", "distance", 2, 2, 2),
    ]


def test_dialects_have_a_column(cli, three):
    flags = ("--metric", "geobleu", "--metric", "accuracy", "-f", "csv")
    done = cli("eval", "a_1.csv", "-t", "truth.csv", *flags, cwd=three)
    assert done.out.splitlines()[1:] == [
        "a_1.csv,,geobleu,humob24,1.0,,",
        "a_1.csv,,geobleu,humob25,1.0,,",
        "a_1.csv,,accuracy,,1.0,,",
    ]
    (three / "s.csv").write_text(done.out)
    assert hm.read(three / "s.csv")["edition"].to_list() == ["humob24", "humob25", None]


@pytest.mark.parametrize(
    ("name", "flags", "head", "cell"),
    [
        ("s.tex", (), "\\toprule\nmetric & better & a\\_1.csv & b.csv", "0.00 & 2.00"),
        ("-", ("-f", "latex"), "\\begin{tabular}{", "0.00 & 2.00"),
        ("s.md", (), "| metric | better | a\\_1.csv | b.csv |", "| 0.00 | 2.00 |"),
        ("-", ("-f", "markdown"), "b.csv minus a\\_1.csv", "| 0.00 | 2.00 |"),
    ],
)
def test_tables_for_papers(cli, three, name, flags, head, cell):
    written = eval_three(cli, three, "-o", name, *flags)
    text = written if name == "-" else (three / name).read_text()
    assert head in text
    assert cell in text


def test_users_are_too_many_for_a_table(cli, three):
    for form in ("table", "latex", "markdown"):
        done = cli("eval", "b.csv", "-t", "truth.csv", "--per-user", "-f", form, cwd=three)
        fails(done, "--per-user", "csv", code=2)

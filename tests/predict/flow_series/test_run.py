"""`predict` of the hidden days of a flow series."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

import humobctl as hm
from tests.messages import fails, raises, says

HEADER = "date,origin,destination,flow\n"
SERIES = f"""{HEADER}2024-01-29,40_50,40_50,4
2024-01-29,40_50,40_51,1
2024-01-30,,,
2024-01-31,,,
2024-02-01,40_50,40_50,7
2024-02-01,39_50,40_50,3
"""


def test_hidden_days_are_written_and_nothing_else(cli):
    done = cli("predict", "--model", "linear", input=SERIES)
    assert done.code == 0, done.err
    assert done.out == (
        f"{HEADER}2024-01-30,40_50,40_50,5.0\n"
        "2024-01-30,40_50,40_51,0.666667\n"
        "2024-01-30,39_50,40_50,1.0\n"
        "2024-01-31,40_50,40_50,6.0\n"
        "2024-01-31,40_50,40_51,0.333333\n"
        "2024-01-31,39_50,40_50,2.0\n"
    )


def test_given_days_stay_as_they_are(cli):
    series = SERIES.replace("2024-02-01,39_50,40_50,3", "2024-02-01,39_50,40_50,3.123456789")
    done = cli("predict", "--model", "linear", "--full", input=series)
    assert done.code == 0, done.err
    found = pl.read_csv(done.out.encode(), try_parse_dates=True)
    assert found["date"].to_list() == sorted(found["date"].to_list())
    known = [row for row in found.iter_rows() if row[0].day in {1, 29}]
    assert known == [
        (dt.date(2024, 1, 29), "40_50", "40_50", 4.0),
        (dt.date(2024, 1, 29), "40_50", "40_51", 1.0),
        (dt.date(2024, 2, 1), "40_50", "40_50", 7.0),
        (dt.date(2024, 2, 1), "39_50", "40_50", 3.123456789),
    ]


def test_the_library_gives_the_same(cli):
    frame = pl.read_csv(SERIES.encode(), try_parse_dates=True)
    found = hm.predict(frame, model="mean-after")
    done = cli("predict", "--model", "mean-after", input=SERIES)
    assert found.equals(pl.read_csv(done.out.encode(), schema=found.schema))
    assert found["flow"].to_list() == [7, 3, 7, 3]


def test_a_challenge_file_and_a_submission(cli, tmp_path):
    lines = ["20240131\t{'40_50': {'40_50': 4.0}}", "20240201\tNA", "20240202\t{}"]
    (tmp_path / "a.tsv").write_text("\n".join(lines) + "\n")
    done = cli("predict", "a.tsv", "--model", "mean-around", "-o", "p.tsv", cwd=tmp_path)
    assert done.code == 0, done.err
    assert (tmp_path / "p.tsv").read_text() == "20240201\t{'40_50': {'40_50': 2.0}}\n"


def test_a_day_without_any_flow_is_predicted_as_one(cli):
    series = f"{HEADER}2024-01-29,,,0\n2024-01-30,,,\n2024-01-31,a,a,0\n"
    done = cli("predict", "--model", "linear", input=series)
    assert done.code == 0, done.err
    assert done.out == f"{HEADER}2024-01-30,,,0.0\n"


def test_days_that_are_not_in_the_table_are_not_predicted(cli):
    done = cli("predict", "--model", "linear", input=SERIES.replace("2024-01-31,,,\n", ""))
    assert {line[:10] for line in done.out.splitlines()[1:]} == {"2024-01-30"}


def test_a_calendar_of_ones_own(cli, tmp_path):
    days = [dt.date(2024, 4, 1) + dt.timedelta(days=one) for one in range(42)]
    off = {2, 9, 16, 23, 30}  # Wednesdays
    rows = [f"{day},a,a,{'' if n == 23 else 2 if n in off else 10}" for n, day in enumerate(days)]
    rows[23] = f"{days[23]},,,"
    rows[37] = f"{days[37]},a,a,10"
    (tmp_path / "s.csv").write_text(HEADER + "\n".join(rows) + "\n")
    (tmp_path / "c.csv").write_text("d,off\n" + "".join(f"{one},1\n" for one in sorted(off)))
    asked = ("predict", "s.csv", "--model", "boundary")
    done = cli(*asked, "--calendar", "c.csv", cwd=tmp_path)
    assert done.code == 0, done.err
    assert float(done.out.split(",")[-1]) == pytest.approx(2, abs=0.3)


COVARIATES = "date,cell,value\n" + "".join(
    f"2024-0{month}-{day},40_50,{day}\n" for month, day in ((1, 29), (1, 30), (1, 31))
)


def test_covariates_are_counted(cli, tmp_path):
    (tmp_path / "c.csv").write_text(COVARIATES + "2024-01-29,1_1,5\n")
    asked = ("predict", "--model", "state-space", "--covariates")
    done = cli(*asked, "c.csv", input=SERIES, cwd=tmp_path)
    assert done.code == 0, done.err
    says(done.err, "c.csv", "1 row")
    says(done.err, "c.csv", 1, 4)  # no value on 1 February


@pytest.mark.parametrize(
    ("asked", "names", "code"),
    [
        (("--model", "history"), ("--model", "history", "state-space"), 2),
        (("--top-k", "3"), ("--top-k", "flow series"), 2),
        (("--from-day", "3"), ("--from-day", "flow series"), 2),
        (("--model", "linear", "--covariates", "c.csv"), ("--covariates", "linear", "ensemble"), 2),
        (("--covariates", "none.csv"), ("none.csv",), 1),
        (("--covariates", "c.csv"), ("c.csv", "line 2", "column value", "abc"), 1),
    ],
)
def test_what_is_refused(cli, tmp_path, asked, names, code):
    (tmp_path / "c.csv").write_text("date,cell,value\n2024-01-29,40_50,abc\n")
    fails(cli("predict", *asked, input=SERIES, cwd=tmp_path), *names, code=code)


def test_covariates_of_other_cells_are_refused(cli, tmp_path):
    (tmp_path / "c.csv").write_text("date,cell,value\n2024-01-29,1_1,5\n")
    asked = ("predict", "--model", "state-space", "--covariates", "c.csv")
    fails(cli(*asked, input=SERIES, cwd=tmp_path), "c.csv", "no value", "stdin")


def test_covariates_are_not_for_trajectories():
    frame = pl.DataFrame({"uid": [1], "d": [0], "t": [0], "x": [999], "y": [999]})
    with raises(hm.UsageError, "--covariates", "grid trajectory"):
        hm.predict(frame, covariates=frame)


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ("2024-01-29,a,a,1\n", ("stdin", "no day to predict", "data mask")),
        ("2024-01-29,,,\n", ("stdin", "no given day")),
        ("2014-01-29,a,a,1\n2024-01-29,,,\n", ("stdin", "3,653", "1,500")),
        ("2024-01-29,a,a,-1\n2024-01-30,,,\n", ("stdin", "line 2", "column flow", "-1.0")),
    ],
)
def test_series_that_cannot_be_predicted(cli, rows, names):
    fails(cli("predict", "--model", "linear", input=HEADER + rows), *names)

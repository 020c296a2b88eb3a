"""``humobctl intend`` with the planner, as a user runs it."""

from __future__ import annotations

import io
import json
import os
import sys

import polars as pl
import pytest

from tests.messages import fails

COLUMNS = ["uid", "d", "seq", "intent", "start_min", "end_min", "reason"]


def table(text: str) -> pl.DataFrame:
    return pl.read_csv(io.StringIO(text))


def test_csv_on_standard_output_is_the_same_each_time(cli, example_files) -> None:
    arguments = ("intend", "population.csv", "--count", "30", "--days", "2", "--seed", "5")
    runs = [cli(*arguments, cwd=example_files) for _ in range(2)]
    assert [(run.code, run.err) for run in runs] == [(0, "")] * 2
    assert runs[0].out == runs[1].out
    frame = table(runs[0].out)
    assert frame.columns == COLUMNS
    assert frame.select("uid", "d").unique(maintain_order=True).rows() == [
        (uid, d) for uid in range(30) for d in range(2)
    ]
    other = cli(*arguments[:-1], "6", cwd=example_files)
    assert other.out != runs[0].out


def test_counts_are_expanded(cli, example_files) -> None:
    done = cli("intend", "population.csv", cwd=example_files)
    assert table(done.out)["uid"].unique().sort().to_list() == list(range(100))


def test_profiles_of_people_keep_their_uids(cli, example_files) -> None:
    done = cli("intend", "profiles.csv", cwd=example_files)
    uids = pl.read_csv(example_files / "profiles.csv")["uid"].to_list()
    assert table(done.out)["uid"].unique().sort().to_list() == sorted(uids)


def test_pipes(cli, example_files) -> None:
    text = (example_files / "population.csv").read_text()
    piped = cli("intend", "--count", "5", input=text)
    named = cli("intend", "population.csv", "--count", "5", cwd=example_files)
    assert piped.out == named.out
    ndjson = cli("intend", "-", "--count", "5", "--format", "ndjson", input=text)
    rows = [json.loads(line) for line in ndjson.out.splitlines()]
    assert list(rows[0]) == COLUMNS
    assert [row["reason"] for row in rows] == table(named.out)["reason"].to_list()


def test_people_and_report(cli, workdir) -> None:
    files = ("--people", "people.csv", "--report", "report.json", "--output", "plans.parquet")
    done = cli("intend", "population.csv", "--count", "50", "--days", "3", *files, cwd=workdir)
    assert (done.code, done.out, done.err) == (0, "", "")
    plans = pl.read_parquet(workdir / "plans.parquet")
    people = pl.read_csv(workdir / "people.csv")
    assert people["uid"].to_list() == list(range(50))
    assert set(people["occupation"]) <= {
        "IT Engineer",
        "Online Sales",
        "Warehousing",
        "Teacher",
        "Beekeeper",
    }
    record = json.loads((workdir / "report.json").read_text())
    assert (record["people"], record["plans"], record["events"]) == (50, 150, plans.height)
    assert (record["failed"], record["failures"], record["backend"]) == (0, [], "planner")
    # The people's table plans the same days: it is who they are.
    again = cli("intend", "people.csv", "--days", "3", cwd=workdir)
    assert table(again.out)["intent"].to_list() == plans["intent"].to_list()


def test_weekdays(cli, example_files) -> None:
    def work(weekday: str) -> float:
        done = cli("intend", "population.csv", "--weekday", weekday, cwd=example_files)
        return (table(done.out)["intent"] == "go to work").mean()

    assert work("sunday") < work("tuesday")


def test_ablation(cli, example_files) -> None:
    done = cli("intend", "population.csv", "--without", "norm", cwd=example_files)
    assert done.code == 0
    assert "Norm:" not in done.out
    wrong = cli("intend", "population.csv", "--without", "mood", cwd=example_files)
    fails(wrong, "--without", "'mood'", "attitude", "norm", "control", code=2)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("uid,education,gender,consumption\n1,a,b,c\n", ("missing: occupation",)),
        (
            "uid,education,gender,consumption,occupation\n1,a,b,c,d\n1,a,b,c,d\n",
            ("row 2", "line 3"),
        ),
        ("uid,education,gender,consumption,occupation\n1,,b,c,d\n", ("column education",)),
        ("uid,education,gender,consumption,occupation,count\n1,a,b,c,d,-2\n", ("column count",)),
        ("uid,education,gender,consumption,occupation,count\n1,a,b,c,d,x\n", ("'x'",)),
        ("uid,education,gender,consumption,occupation,count\n1,a,b,c,d,0\n", ("counts of 0",)),
        ("uid,education,gender,consumption,occupation\n", ("no rows",)),
    ],
)
def test_faults_of_profiles_are_one_line(cli, text, names) -> None:
    done = cli("intend", input=text)
    assert done.out == ""
    fails(done, "stdin", *names)


def test_wrong_usage(cli, example_files) -> None:
    for flags in (["--count", "0"], ["--days", "0"], ["--weekday", "noday"], ["--backend", "x"]):
        assert cli("intend", "population.csv", *flags, cwd=example_files).code == 2
    done = cli("intend", "population.csv", "--people", "-", cwd=example_files)
    assert done.code == 2
    done = cli("intend", "--backend", "hf", "--independent-days", "population.csv")
    fails(done, "--independent-days", "--backend planner", code=2)


def test_memory_does_not_grow_with_the_number_of_people(example_files, tmp_path) -> None:
    """Peak memory of 10 times as many people is about the same, in parts of 2,000."""
    import subprocess

    from tests.conftest import environment

    code = (
        "import resource, subprocess, sys;"
        "subprocess.run([sys.executable, '-m', 'humobctl', *sys.argv[1:]], check=True,"
        " stdout=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
    )

    def peak(count: int) -> float:
        arguments = ("intend", "population.csv", "--count", str(count), "--output", os.devnull)
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=example_files,
            env=environment(HUMOBCTL_PART_ROWS="2000", HUMOBCTL_PART_USERS="2000"),
            capture_output=True,
            text=True,
            check=True,
        )
        return float(done.stdout)

    assert peak(40_000) < peak(4_000) + 25


def test_a_reader_that_leaves_ends_it_quietly(example_files) -> None:
    import shutil
    import subprocess

    from tests.conftest import environment

    done = subprocess.run(
        [
            shutil.which("bash") or "bash",
            "-c",
            f"{sys.executable} -m humobctl intend population.csv --count 200000 | head -2",
        ],
        cwd=example_files,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("\n") == 2
    assert done.stderr == ""

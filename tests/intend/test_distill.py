"""Records for instruction tuning, of the planner; those of language models are in test_openai."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from humobctl.intend.day_plan import DAY_MINUTES
from tests.conftest import Cli

PEOPLE = "uid,education,gender,consumption,occupation\n" + "".join(
    f"{uid},Bachelor's degree,woman,medium,Lawyer\n" for uid in range(5)
)


def test_the_planner_is_a_teacher_too(cli: Cli, tmp_path: Path) -> None:
    arguments = ("--days", "2", "--weekday", "saturday", "--output", "plans.parquet")
    done = cli("intend", *arguments, "--distill", "out.jsonl", input=PEOPLE, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    plans = pl.read_parquet(tmp_path / "plans.parquet")
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(records) == plans.height
    for row, record in zip(plans.iter_rows(named=True), records, strict=True):
        assert (record["uid"], record["d"], record["step"]) == (row["uid"], row["d"], row["seq"])
        assert record["profile"]["occupation"] == "Lawyer"
        assert record["context"]["weekday"] == ("saturday", "sunday")[row["d"]]
        decision = record["decision"]
        assert decision["intent"] == row["intent"]
        assert 60 * decision["hours"] + decision["minutes"] == row["end_min"] - row["start_min"]
        before = [event["end_min"] for event in record["context"]["so_far"]]
        assert (before or [0])[-1] + decision["travel_minutes"] == row["start_min"]
        assert len(before) == row["seq"]
        assert decision["reason"]
        assert record["messages"][-1]["role"] == "assistant"
        assert json.loads(record["messages"][-1]["content"]) == decision
        assert "The day is a S" in record["messages"][0]["content"]
    ends = [record for record in records if record["step"] == 0]
    assert len(ends) == 10
    assert plans["end_min"].max() == DAY_MINUTES


def test_no_records_of_a_run_that_fails(cli: Cli, tmp_path: Path) -> None:
    done = cli(
        "intend", "--distill", "out.jsonl", "--output", "no/plans.csv", input=PEOPLE, cwd=tmp_path
    )
    assert done.code == 1
    assert list(tmp_path.iterdir()) == []

"""Records for instruction tuning, of the planner; those of language models are in test_openai."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from humobctl.intend.day_plan import DAY_MINUTES
from humobctl.intend.distill import in_form
from humobctl.predict.llama.records import read_records
from tests.conftest import Cli
from tests.messages import fails

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


@pytest.mark.parametrize(
    ("form", "names"),
    [("alpaca", {"instruction", "input", "output", "history"}), ("sharegpt", {"conversations"})],
)
def test_other_trainers_forms_hold_the_same_conversations(cli, tmp_path, form, names):
    for one, name in (("messages", "a.jsonl"), (form, "b.jsonl")):
        flags = ("--distill", name, "--distill-form", one, "-o", f"{one}.csv")
        done = cli("intend", *flags, input=PEOPLE, cwd=tmp_path)
        assert done.code == 0, done.err
    expected, found = (read_records(str(tmp_path / name)) for name in ("a.jsonl", "b.jsonl"))
    assert found == expected
    record = json.loads((tmp_path / "b.jsonl").read_text().splitlines()[1])
    assert record.keys() - {"uid", "d", "step", "system"} == names


def test_a_conversation_of_several_turns_in_other_forms():
    turns = {"s": "system", "q1": "user", "a1": "assistant", "q2": "user", "a2": "assistant"}
    told = [{"role": role, "content": text} for text, role in turns.items()]
    record = {"uid": 1, "d": 0, "step": 2, "messages": told}
    alpaca = in_form(record, "alpaca")
    assert (alpaca["instruction"], alpaca["output"]) == ("q2", "a2")
    assert alpaca["history"] == [["q1", "a1"]]
    shared = in_form(record, "sharegpt")
    assert [one["from"] for one in shared["conversations"]] == ["human", "gpt", "human", "gpt"]
    assert alpaca["system"] == shared["system"] == "s"


def test_a_form_without_a_file_is_refused(cli):
    fails(cli("intend", "--distill-form", "alpaca", input=PEOPLE), "--distill-form", code=2)

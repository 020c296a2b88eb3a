"""The openai backend with a real model behind a real server: llama.cpp and SmolLM2."""

from __future__ import annotations

import json
from pathlib import Path

from humobctl.tables.schemas import INTENTS
from tests.conftest import run_cli
from tests.intend.chat_server import KEY

PEOPLE = (
    "uid,education,gender,consumption,occupation\n"
    "3,Bachelor's degree,woman,medium,nurse\n"
    "4,Bachelor's degree,woman,medium,nurse\n"
)


def test_a_real_model_plans_a_day(smollm2_server: str, tmp_path: Path) -> None:
    def intend(key: str, url: str) -> int:
        done = run_cli(
            *("intend", "--backend", "openai", "--model", "smollm2", "--base-url", url),
            *("--plans-per-template", "2", "--temperature", "0.8", "--answer-tokens", "160"),
            *(
                "--without",
                "attitude",
                "--without",
                "norm",
                "--without",
                "control",
                "--output",
                "plans.ndjson",
            ),
            *("--report", "report.json", "--retries", "1", "--seed", "1"),
            input=PEOPLE,
            cwd=tmp_path,
            env={"OPENAI_API_KEY": key},
        )
        assert KEY not in done.err
        assert len(done.err.splitlines()) == 1, done.err
        return done.code

    # The server is real: it knows a wrong key.
    assert intend("sk-another", smollm2_server) == 1
    assert intend(KEY, smollm2_server) == 0
    first = (tmp_path / "plans.ndjson").read_bytes()
    events = [json.loads(line) for line in first.splitlines()]
    assert {event["uid"] for event in events} == {3, 4}
    for uid in (3, 4):
        day = [event for event in events if event["uid"] == uid]
        assert (day[0]["start_min"], day[-1]["end_min"]) == (0, 1440)
        assert {event["intent"] for event in day} <= set(INTENTS)
        assert all(event["reason"] for event in day)
    said = json.loads((tmp_path / "report.json").read_text())
    assert (said["plans"], said["failed"], said["plans_shared"]) == (2, 0, 1)
    assert said["structured_outputs"] == "json_schema"
    assert said["tokens"]["estimated_calls"] == 0
    assert said["tokens"]["prompt"] > 100 * said["calls"] > 0
    # From the journal, nobody needs to be asked.
    assert intend(KEY, smollm2_server) == 0
    said = json.loads((tmp_path / "report.json").read_text())
    assert (said["calls"], said["tokens"]["total"]) == (0, 0)
    assert (tmp_path / "plans.ndjson").read_bytes() == first

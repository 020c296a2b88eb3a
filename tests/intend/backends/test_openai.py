"""``humobctl intend --backend openai`` against servers on loopback, good and bad ones."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from humobctl.llm.server import clock
from humobctl.tables.schemas import INTENTS
from tests.conftest import Run, environment, run_cli
from tests.intend.chat_server import KEY, ChatServer, Json, Reply, chat, sensible, serving, well
from tests.intend.server_faults import (
    FAULTS,
    REFUSALS,
    THINKING,
    WAITS,
    WRONG,
    refusing,
    thinking,
)
from tests.messages import fails, says

HEADER = "uid,education,gender,consumption,occupation\n"
PEOPLE = HEADER + "".join(
    f"{uid},Bachelor's degree,woman,medium,{job}\n"
    for uid, job in enumerate(("teacher", "nurse", "engineer", "cook", "guard", "clerk"))
)
CALLS = 6
"""Attitude, norm and four decisions: what the good server's day takes."""


def intend(
    server: ChatServer | str,
    folder: Path,
    *arguments: str,
    people: str = PEOPLE,
    key: str = KEY,
    env: dict[str, str] | None = None,
) -> Run:
    """Plan in a folder; people on standard input, plans.csv and report.json as results."""
    url = server if isinstance(server, str) else server.url
    return run_cli(
        *("intend", "--backend", "openai", "--model", "loopback", "--base-url", url),
        *("--output", "plans.csv", "--report", "report.json", *arguments),
        input=people,
        cwd=folder,
        env={"OPENAI_API_KEY": key, **(env or {})},
    )


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that the client would have waited; nobody does."""
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(clock, "pause", pause)
    return waited


def plans(folder: Path, name: str = "plans.csv") -> dict[tuple[int, int], list[dict[str, str]]]:
    """The events of each (uid, d); every one of them is a valid day."""
    found: dict[tuple[int, int], list[dict[str, str]]] = {}
    text = (folder / name).read_text(encoding="utf-8")
    for row in csv.DictReader(io.StringIO(text, newline="")):
        found.setdefault((int(row["uid"]), int(row["d"])), []).append(row)
    for events in found.values():
        times = [(int(e["start_min"]), int(e["end_min"])) for e in events]
        assert times[0][0] == 0
        assert times[-1][1] == 1440
        assert all(start < end for start, end in times)
        assert all(times[i][1] <= times[i + 1][0] for i in range(len(times) - 1))
        assert {e["intent"] for e in events} <= set(INTENTS)
    return found


def report(folder: Path) -> dict[str, Any]:
    """What --report wrote."""
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def journal(folder: Path) -> list[dict[str, Any]]:
    """The journal beside plans.csv."""
    text = (folder / "plans.csv.journal.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def assert_no_key(folder: Path, *runs: Run) -> None:
    """The key stands in no file and no message."""
    for run in runs:
        assert KEY not in run.out + run.err
    for file in folder.rglob("*"):
        if file.is_file():
            assert KEY.encode() not in file.read_bytes(), file


def test_plans_report_and_journal(tmp_path: Path) -> None:
    with serving() as server:
        done = intend(server, tmp_path)
    assert (done.code, done.out) == (0, "")
    found = plans(tmp_path)
    assert set(found) == {(uid, 0) for uid in range(6)}
    assert [(e["intent"], e["start_min"], e["end_min"]) for e in found[0, 0]] == [
        ("go to sleep", "0", "430"),
        ("go to work", "465", "1025"),
        ("eat", "1035", "1100"),
        ("go home", "1125", "1440"),
    ]
    assert found[0, 0][0]["reason"] == "It is time to go to sleep, as always."
    said = report(tmp_path)
    assert said["calls"] == len(server.requests) == 6 * CALLS
    assert said["tokens"]["total"] == 6 * CALLS * 450
    assert (said["plans"], said["failed"], said["failures"]) == (6, 0, [])
    assert said["structured_outputs"] == "json_schema"
    assert len(journal(tmp_path)) == 6 * CALLS
    assert server.keys == {f"Bearer {KEY}"}
    assert_no_key(tmp_path, done)
    says(done.err, "36 calls", "16,200 tokens")


def test_the_schema_is_sent(tmp_path: Path) -> None:
    with serving() as server:
        intend(server, tmp_path, "--temperature", "0.5", "--answer-tokens", "200")
    for request in server.requests:
        form = request["response_format"]
        assert form["type"] == "json_schema"
        assert form["json_schema"]["strict"] is True
        assert form["json_schema"]["schema"]["additionalProperties"] is False
        assert (request["temperature"], request["max_tokens"]) == (0.5, 200)


# -- faults that pass ------------------------------------------------------------------------------


def batched(names: list[str], most: int) -> list[tuple[str, ...]]:
    """So many at a time: a process a fault would take minutes."""
    return [tuple(names[first : first + most]) for first in range(0, len(names), most)]


SLOW = ("hangs", "drips")
GROUPS = [SLOW, *batched([name for name in FAULTS if name not in SLOW], 6)]


@pytest.mark.parametrize("faults", GROUPS, ids=" / ".join)
def test_faults_that_pass(faults: tuple[str, ...], tmp_path: Path) -> None:
    """Each fault once, at calls 1, 6, 11 and so on."""

    def behave(request: Json, number: int) -> Reply:
        place, other = divmod(number - 1, 5)
        return FAULTS[faults[place]] if not other and place < len(faults) else well(request, number)

    patience = ("--timeout", "1.5" if faults == SLOW else "30")
    with serving(behave) as server:
        done = intend(server, tmp_path, "--concurrency", "2", *patience)
    assert done.code == 0, done.err
    assert set(plans(tmp_path)) == {(uid, 0) for uid in range(6)}
    said = report(tmp_path)
    assert said["failed"] == 0
    assert said["calls_retried"] + said["asked_again"] == len(faults)
    assert len(server.requests) == 6 * CALLS + len(faults)
    assert_no_key(tmp_path, done)
    assert "Traceback" not in done.err
    assert not (tmp_path / "pwned").exists()


def test_the_next_try_says_what_was_wrong(tmp_path: Path) -> None:
    def behave(request: Json, number: int) -> Reply:
        return Reply(chat(WRONG)) if number == 2 else well(request, number)

    with serving(behave) as server:
        intend(server, tmp_path, "--count", "1")
    again = server.requests[3]["messages"]
    assert again[-2]["role"] == "assistant"
    assert "fly to the moon" in again[-2]["content"]
    says(again[-1]["content"], "'fly to the moon'", "twelve")
    # Once answered, the detour is forgotten.
    assert "fly to the moon" not in json.dumps(server.requests[4]["messages"])


def test_text_in_plans_is_only_text(tmp_path: Path) -> None:
    evil = 'a "quoted", line\nuid,d\r\n=cmd()\x00\x1b[31m\u202e\ud800 \N{GRINNING FACE}' + "y" * 900

    def behave(request: Json, _number: int) -> Reply:
        answer = json.loads(sensible(request))
        answer["routine" if "routine" in answer else "reason"] = evil
        return Reply(chat(json.dumps(answer)))

    with serving(behave) as server:
        done = intend(server, tmp_path)
        again = intend(server, tmp_path, "--output", "plans.ndjson")
    assert (done.code, again.code) == (0, 0), done.err + again.err
    reasons = {e["reason"] for events in plans(tmp_path).values() for e in events}
    assert len(reasons) == 1
    reason = reasons.pop()
    assert reason.startswith('a "quoted", line uid,d =cmd() [31m \N{GRINNING FACE}yyy')
    assert len(reason) == 300
    for line in (tmp_path / "plans.ndjson").read_text(encoding="utf-8").splitlines():
        assert json.loads(line)["reason"] == reason


# -- faults that stay ------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["500", "prose", "a refusal", "10 MB", "breaks off"])
def test_a_plan_that_fails_is_told_of(fault: str, tmp_path: Path) -> None:
    def behave(request: Json, number: int) -> Reply:
        return FAULTS[fault] if "nurse" in json.dumps(request) else well(request, number)

    with serving(behave) as server:
        done = intend(server, tmp_path, "--retries", "1")
    assert done.code == 0
    assert set(plans(tmp_path)) == {(uid, 0) for uid in range(6) if uid != 1}
    said = report(tmp_path)
    assert said["failed"] == 1
    (failure,) = said["failures"]
    assert (failure["uid"], failure["d"]) == (1, 0)
    assert len(failure["reason"]) > 20
    says(done.err, "1 of 6 day plans", failure["reason"])
    assert_no_key(tmp_path, done)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_no_retry_mends_ends_the_run(status: int, tmp_path: Path) -> None:
    def behave(_request: Json, _number: int) -> Reply:
        return Reply({"error": {"message": f"bad key {KEY} or model"}}, status)

    with serving(behave) as server:
        done = intend(server, tmp_path, "--concurrency", "2")
    assert len(server.requests) <= 2
    fails(done, server.url, status, "OPENAI_API_KEY" if status != 404 else "--model")
    assert not (tmp_path / "plans.csv").exists()
    assert_no_key(tmp_path, done)


def test_a_key_that_expires_loses_no_answer(tmp_path: Path) -> None:
    def behave(request: Json, number: int) -> Reply:
        return Reply({"error": "expired"}, 401) if number == 20 else well(request, number)

    with serving(behave) as server:
        cut = intend(server, tmp_path, "--concurrency", "1")
        assert (cut.code, len(journal(tmp_path))) == (1, 20)
        done = intend(server, tmp_path, "--concurrency", "1")
    assert done.code == 0
    assert report(tmp_path)["calls_from_journal"] == 20
    assert report(tmp_path)["calls"] == 6 * CALLS - 20


@pytest.mark.parametrize(
    "refusal",
    [
        Reply({"error": {"message": "You are poor", "code": "insufficient_quota"}}, 429),
        Reply({"error": {"message": "Payment required"}}, 402),
    ],
)
def test_no_money_left_keeps_what_is_done(refusal: Reply, tmp_path: Path) -> None:
    def behave(request: Json, number: int) -> Reply:
        return refusal if number >= 2 * CALLS else well(request, number)

    with serving(behave) as server:
        done = intend(server, tmp_path, "--concurrency", "1")
    assert done.code == 0
    assert set(plans(tmp_path)) == {(0, 0), (1, 0)}
    said = report(tmp_path)
    assert said["failed"] == 4
    assert "refuses more" in said["stopped"]
    assert len(server.requests) == 2 * CALLS + 1


def test_a_server_that_fails_everybody_is_left_alone(tmp_path: Path) -> None:
    many = HEADER + "".join(f"{uid},a,b,c,d{uid}\n" for uid in range(300))

    def behave(request: Json, number: int) -> Reply:
        return FAULTS["503 in HTML"] if number >= 2 * CALLS else well(request, number)

    with serving(behave) as server:
        done = intend(server, tmp_path, "--retries", "0", "--concurrency", "2", people=many)
    assert done.code == 0
    assert len(server.requests) < 60
    said = report(tmp_path)
    # A third person may take an answer before the second has all of hers.
    assert said["plans"] in (1, 2)
    assert said["plans"] + said["failed"] == 300
    says(said["failures"][-1]["reason"], "in a row")


def test_nobody_there(tmp_path: Path) -> None:
    done = intend("http://127.0.0.1:9/v1", tmp_path, "--retries", "0")
    fails(done, "no connection", notes=True)
    assert [f["uid"] for f in report(tmp_path)["failures"]] == list(range(6))


# -- what servers understand ---------------------------------------------------------------------


def knowing_less(*names: str) -> Any:
    """A server that knows nothing of these fields or response formats."""

    def behave(request: Json, number: int) -> Reply:
        form = request.get("response_format", {}).get("type")
        for name in names:
            if name in request or form == name:
                said = f"Unsupported parameter: '{name}'; use max_completion_tokens or other"
                said = said if name == "max_tokens" else f"Unsupported: {name} is not known"
                return Reply({"error": {"message": said}}, 400)
        return well(request, number)

    return behave


@pytest.mark.parametrize(
    ("names", "structure"),
    [
        (("json_schema",), "json_object"),
        (("json_schema", "json_object"), "text"),
        (("max_tokens",), "json_schema"),
        (("temperature", "seed"), "json_schema"),
        (("max_tokens", "temperature", "seed", "json_schema"), "json_object"),
    ],
)
def test_servers_that_know_less(names: tuple[str, ...], structure: str, tmp_path: Path) -> None:
    with serving(knowing_less(*names)) as server:
        done = intend(server, tmp_path)
    assert done.code == 0, done.err
    said = report(tmp_path)
    assert (said["plans"], said["structured_outputs"]) == (6, structure)
    assert len(server.requests) < 6 * CALLS + 8 * 6
    assert ("max_completion_tokens" in server.requests[-1]) == ("max_tokens" in names)


def test_a_server_that_dies_of_schemas(tmp_path: Path) -> None:
    def behave(request: Json, number: int) -> Reply:
        schema = request.get("response_format", {}).get("type") == "json_schema"
        return FAULTS["500"] if schema else well(request, number)

    with serving(behave) as server:
        done = intend(server, tmp_path, "--retries", "0")
    assert done.code == 0, done.err
    assert report(tmp_path)["structured_outputs"] == "json_object"


def test_one_long_question_changes_nothing_for_others(tmp_path: Path) -> None:
    def behave(request: Json, number: int) -> Reply:
        if "nurse" in json.dumps(request):
            return Reply({"error": {"message": "maximum context length exceeded"}}, 400)
        return well(request, number)

    with serving(behave) as server:
        done = intend(server, tmp_path, "--concurrency", "1")
    assert done.code == 0
    said = report(tmp_path)
    assert [f["uid"] for f in said["failures"]] == [1]
    assert "maximum context length" in said["failures"][0]["reason"]
    assert said["structured_outputs"] == "json_schema"


@pytest.mark.parametrize("form", REFUSALS)
def test_what_a_server_refuses_is_left_out(form: str, tmp_path: Path) -> None:
    fields = ("seed", "temperature", "max_tokens", "system")
    with serving(refusing(form, *fields)) as server:
        done = intend(server, tmp_path, "--concurrency", "1")
    assert done.code == 0, done.err
    assert (report(tmp_path)["plans"], len(server.requests)) == (6, 6 * CALLS + len(fields))
    last = server.requests[-1]
    assert not {"seed", "temperature", "max_tokens", "max_completion_tokens"} & set(last)
    assert last["response_format"]["type"] == "json_schema"
    first = last["messages"][0]
    assert first["role"] == "user"
    assert "occupation" in first["content"]  # what the system turn says


@pytest.mark.parametrize("form", REFUSALS)
def test_the_words_of_a_server_are_shown(form: str, tmp_path: Path) -> None:
    def behave(_request: Json, _number: int) -> Reply:
        reply: Reply = REFUSALS[form]("moonshine")
        return reply

    with serving(behave) as server:
        done = intend(server, tmp_path, "--count", "1")
    says(done.err, server.url, REFUSALS[form]("").status)
    assert "moonshine" in done.err


def test_a_system_turn_that_a_template_refuses_is_folded(tmp_path: Path) -> None:
    def behave(request: Json, number: int) -> Reply:
        if request["messages"][0]["role"] == "system":
            return Reply({"error": {"message": "Jinja: System role not supported"}}, 500)
        return well(request, number)

    with serving(behave) as server:
        done = intend(server, tmp_path, "--concurrency", "1")
    assert done.code == 0, done.err
    assert len(server.requests) == 6 * CALLS + 1


def test_fields_of_ones_own(tmp_path: Path) -> None:
    extra = '{"chat_template_kwargs": {"enable_thinking": false}, "top_k": 5}'
    with serving() as server:
        done = intend(server, tmp_path, "--count", "1", "--extra-body", extra)
        assert done.code == 0, done.err
        assert {request["top_k"] for request in server.requests} == {5}
        (kwargs,) = {json.dumps(r["chat_template_kwargs"]) for r in server.requests}
        assert kwargs == '{"enable_thinking": false}'
        intend(server, tmp_path, "--count", "1")  # which is another question
        assert len(server.requests) == 2 * CALLS


@pytest.mark.parametrize("extra", ["{", "[1]", '{"stream": true}', '{"messages": []}'])
def test_fields_that_are_none(extra: str, tmp_path: Path) -> None:
    done = intend("http://127.0.0.1:9/v1", tmp_path, "--extra-body", extra)
    fails(done, "--extra-body", code=2)


# -- thinking --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", THINKING)
def test_only_the_answer_counts(name: str, tmp_path: Path) -> None:
    with serving(thinking(name)) as server:
        done = intend(server, tmp_path, "--count", "2")
    assert done.code == 0, done.err
    assert len(server.requests) == 2 * CALLS
    assert "DRAFT" not in (tmp_path / "plans.csv").read_text()


@pytest.mark.parametrize("name", THINKING)
def test_thinking_that_is_cut_off_is_no_answer(name: str, tmp_path: Path) -> None:
    with serving(thinking(name, cut=True)) as server:
        done = intend(server, tmp_path, "--count", "1")
    assert len(server.requests) == 3
    fails(done, "attitude", "reasoning", "--answer-tokens", notes=True)


def test_an_answer_that_is_cut_off_is_asked_for_again(tmp_path: Path) -> None:
    def behave(request: Json, number: int) -> Reply:
        body = chat(sensible(request)[: 30 if number == 3 else None])
        body["choices"][0]["finish_reason"] = "length"
        return Reply(body)

    with serving(behave) as server:
        done = intend(server, tmp_path, "--count", "1")
    assert done.code == 0, done.err
    assert len(server.requests) == CALLS + 1
    assert "--answer-tokens" in server.requests[4]["messages"][-1]["content"]


def test_an_answer_in_parts_is_read(tmp_path: Path) -> None:
    def behave(request: Json, _number: int) -> Reply:
        answer = sensible(request)
        thought = {"type": "thinking", "thinking": [{"type": "text", "text": answer}]}
        texts = [{"type": "text", "text": text} for text in (answer[:20], answer[20:])]
        return Reply(chat(None, content=[thought, *texts]))

    with serving(behave) as server:
        done = intend(server, tmp_path, "--count", "1")
    assert done.code == 0, done.err
    assert len(server.requests) == CALLS


def test_a_server_that_only_thinks_is_told_of(tmp_path: Path) -> None:
    with serving(lambda *_: FAULTS["thinking elsewhere"]) as server:
        done = intend(server, tmp_path, "--count", "1")
    fails(done, "--answer-tokens", "reasoning", notes=True)
    assert len(server.requests) == 3


# -- waits, quotas, filters ------------------------------------------------------------------------


@pytest.mark.parametrize("name", WAITS)
def test_a_server_that_asks_to_wait_is_waited_for(
    name: str, tmp_path: Path, pauses: list[float]
) -> None:
    reply, seconds = WAITS[name]

    def behave(request: Json, number: int) -> Reply:
        return reply if number == 2 else well(request, number)

    with serving(behave) as server:
        done = intend(server, tmp_path, "--count", "1")
    assert done.code == 0, done.err
    (waited,) = pauses
    assert seconds <= waited <= seconds + 0.5


@pytest.mark.parametrize("retries", [1, 3, 5])
def test_without_a_word_the_waits_outlast_a_minute(
    retries: int, tmp_path: Path, pauses: list[float]
) -> None:
    def behave(request: Json, number: int) -> Reply:
        return FAULTS["429"] if number < retries else well(request, number)

    with serving(behave) as server:
        done = intend(server, tmp_path, "--count", "1", "--retries", str(retries))
    assert done.code == 0, done.err
    assert len(pauses) == retries
    assert 60 < sum(pauses) < 120


def test_a_server_that_asks_to_wait_for_hours_ends_the_run(
    tmp_path: Path, pauses: list[float]
) -> None:
    def behave(request: Json, number: int) -> Reply:
        late = Reply({"error": "come tomorrow"}, 429, {"retry-after": "40000"})
        return late if number >= CALLS else well(request, number)

    with serving(behave) as server:
        done = intend(server, tmp_path, "--concurrency", "1")
    assert (done.code, pauses, len(server.requests)) == (0, [], CALLS + 1)
    says(done.err, "stopped early", "40,000 s", "come tomorrow")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, {"error": {"message": "You exceeded your current quota, check your plan"}}),
        (429, [{"error": {"details": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}}]),
        (400, {"error": {"message": "Your credit balance is too low"}}),
        (403, {"message": "insufficient credits"}),
        (422, {"detail": [{"msg": "Insufficient Balance"}]}),
    ],
)
def test_an_empty_purse_ends_the_run_in_any_words(
    status: int, body: Any, tmp_path: Path, pauses: list[float]
) -> None:
    def behave(request: Json, number: int) -> Reply:
        return Reply(body, status) if number >= CALLS else well(request, number)

    with serving(behave) as server:
        done = intend(server, tmp_path, "--concurrency", "1")
    assert (done.code, pauses, len(server.requests)) == (0, [], CALLS + 1)
    assert (report(tmp_path)["plans"], report(tmp_path)["failed"]) == (1, 5)
    says(done.err, "stopped early", "refuses more")


def test_a_filtered_question_hits_its_plan_alone(tmp_path: Path) -> None:
    said = "The prompt triggered Azure OpenAI's content management policy"
    filtered = Reply({"error": {"message": said, "code": "content_filter"}}, 400)

    def behave(request: Json, number: int) -> Reply:
        return filtered if "teacher" in json.dumps(request) else well(request, number)

    with serving(behave) as server:
        done = intend(server, tmp_path, "--concurrency", "1")
    assert done.code == 0, done.err
    found = report(tmp_path)
    assert [failure["uid"] for failure in found["failures"]] == [0]
    assert "content management policy" in found["failures"][0]["reason"]
    assert found["structured_outputs"] == "json_schema"


def test_a_question_that_nothing_helps_changes_nothing_for_others(tmp_path: Path) -> None:
    def behave(request: Json, number: int) -> Reply:
        odd = Reply({"error": {"message": "I do not like this one"}}, 400)
        return odd if "teacher" in json.dumps(request) else well(request, number)

    with serving(behave) as server:
        done = intend(server, tmp_path, "--concurrency", "1")
    assert done.code == 0, done.err
    assert report(tmp_path)["structured_outputs"] == "json_schema"


# -- where questions go ----------------------------------------------------------------------------


def test_nothing_is_sent_to_another_host(tmp_path: Path) -> None:
    with serving() as other:
        place = f"http://localhost:{other.server_address[1]}/v1/chat/completions"
        with serving(lambda *_: Reply(b"", 307, {"location": place})) as server:
            done = intend(server, tmp_path)
            assert len(server.requests) <= 6
        assert other.requests == []
    fails(done, server.url, "localhost", "--base-url")


def test_a_server_may_send_on_to_itself(tmp_path: Path) -> None:
    def behave(request: Json, number: int) -> Reply:
        asked = server.paths[-1]
        moved = Reply(b"", 308, {"location": "/v2/chat/completions"})
        return moved if asked.startswith("/v1/") else well(request, number)

    with serving(behave) as server:
        done = intend(server, tmp_path, "--count", "1", "--concurrency", "1")
    assert done.code == 0, done.err
    assert len(server.requests) == 2 * CALLS


def test_a_server_that_sends_round_and_round_is_left(tmp_path: Path) -> None:
    with serving(lambda *_: Reply(b"", 307, {"location": "completions"})) as server:
        done = intend(server, tmp_path, "--count", "1", "--retries", "1")
    fails(done, "again and again", notes=True)
    assert len(server.requests) <= 12


@pytest.mark.parametrize("proxy", ["not a proxy", "gopher://x", "http://[::1", "http://a:99999"])
def test_a_proxy_that_is_none_is_one_line(
    proxy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", proxy)
    monkeypatch.setenv("http_proxy", proxy)
    done = intend("http://example.invalid/v1", tmp_path, "--retries", "0")
    assert done.code == 1
    assert "internal" not in done.err
    last = done.err.splitlines()[-1]
    assert "HTTP_PROXY" in last or "no connection" in last


@pytest.mark.parametrize("key", ["abc12", '"sk-quoted-0123456789"', "'k-9'"])
def test_short_and_quoted_keys_are_hidden(key: str, tmp_path: Path) -> None:
    bare = key.strip("\"'")
    said = {"error": {"message": f"Incorrect API key provided: {bare}. You sent '{bare}'"}}
    with serving(lambda *_: Reply(said, 401)) as server:
        done = intend(server, tmp_path, key=key)
    fails(done, 401, "OPENAI_API_KEY")
    assert bare not in done.err
    assert server.keys == {f"Bearer {bare}"}


def test_the_report_counts_every_conversation_of_many_at_once(tmp_path: Path) -> None:
    many = HEADER + "".join(f"{uid},a,b,c,d{uid}\n" for uid in range(20))
    with serving() as server:
        done = intend(server, tmp_path, "--concurrency", "20", people=many)
    assert done.code == 0, done.err
    said = report(tmp_path)
    assert (said["conversations"], said["plans"], said["calls"]) == (20, 20, 20 * CALLS)


# -- limits --------------------------------------------------------------------------------------


def test_max_tokens_total(tmp_path: Path) -> None:
    with serving() as server:
        done = intend(server, tmp_path, "--max-tokens-total", "9000", "--answer-tokens", "100")
    assert done.code == 0
    said = report(tmp_path)
    assert 4000 < said["tokens"]["total"] <= 9000
    assert said["tokens"]["total"] == 450 * len(server.requests)
    assert said["plans"] + said["failed"] == 6
    # 450 a call: conversations begun are brought to their end, so that three plans come of it.
    assert said["plans"] == len(plans(tmp_path)) == 3
    assert "--max-tokens-total 9000" in said["failures"][0]["reason"]
    says(done.err, "stopped early")


def test_max_cost(tmp_path: Path) -> None:
    # A call costs 400 * 2.5 + 50 * 10 = 1,500 millionths, a plan 9,000: 30,000 pay for three.
    prices = ("--price-input", "2.5", "--price-output", "10", "--answer-tokens", "100")
    with serving() as server:
        limit = ("--max-cost", "0.03", "--concurrency", "1")
        done = intend(server, tmp_path, *prices, *limit)
        assert done.code == 0
        said = report(tmp_path)
        assert said["cost"] == pytest.approx(0.0015 * len(server.requests))
        assert 0.02 < said["cost"] <= 0.03
        assert said["plans"] == 3
        assert "--max-cost 0.03" in said["stopped"]
        # The rest of the work, later: nothing is paid twice.
        more = intend(server, tmp_path, *prices)
    assert more.code == 0
    assert report(tmp_path)["plans"] == 6
    assert len(server.requests) == 6 * CALLS
    assert max(Counter(server.questions).values()) == 1


def test_a_server_that_counts_no_tokens(tmp_path: Path) -> None:
    def behave(request: Json, number: int) -> Reply:
        lies: tuple[Any, ...] = (None, "many", -5, 10**30, 1.5, True)
        lie = lies[number % len(lies)]
        return Reply(chat(sensible(request), prompt=lie, completion=lie))

    with serving(behave) as server:
        done = intend(server, tmp_path, "--max-tokens-total", "20000", "--answer-tokens", "100")
    assert done.code == 0
    said = report(tmp_path)
    assert said["tokens"]["estimated_calls"] == said["calls"] > 0
    assert 5000 < said["tokens"]["total"] <= 20000


def test_concurrency(tmp_path: Path) -> None:
    def behave(request: Json, _number: int) -> Reply:
        return Reply(chat(sensible(request)), delay=0.1)

    with serving(behave) as server:
        intend(server, tmp_path, "--concurrency", "3")
        assert server.most_at_once == 3
    plans(tmp_path)


# -- templates -------------------------------------------------------------------------------------


def test_people_of_a_kind_share_conversations(tmp_path: Path) -> None:
    kinds = "profile_id,education,gender,consumption,occupation,count\n0,a,b,c,d,50\n1,e,f,g,h,37\n"
    with serving() as server:
        done = intend(server, tmp_path, "--plans-per-template", "25", people=kinds)
    assert done.code == 0, done.err
    found = plans(tmp_path)
    assert len(found) == 87
    said = report(tmp_path)
    # Two conversations for the 50, two for the 37.
    assert said["conversations"] == 4
    assert said["calls"] == 4 * CALLS
    assert said["plans_shared"] == 83
    assert said["calls_saved"] == 83 * CALLS
    says(done.err, f"{83 * CALLS} calls saved")
    starts = {tuple(e["start_min"] for e in events) for events in found.values()}
    assert len(starts) > 60
    for events in found.values():
        assert [e["intent"] for e in events] == ["go to sleep", "go to work", "eat", "go home"]
        assert all(
            abs(int(e["start_min"]) - s) <= 10
            for e, s in zip(events, (0, 465, 1035, 1125), strict=True)
        )


def test_weekdays_do_not_share(tmp_path: Path) -> None:
    with serving() as server:
        intend(
            server,
            tmp_path,
            *("--days", "8", "--weekday", "sunday", "--count", "1", "--plans-per-template", "5"),
        )
    # Day 7 is a Sunday, as day 0 is.
    assert report(tmp_path)["conversations"] == 7
    assert set(plans(tmp_path)) == {(found, d) for found in _uids(tmp_path) for d in range(8)}


def _uids(folder: Path) -> set[int]:
    return {uid for uid, _ in plans(folder)}


# -- the journal -----------------------------------------------------------------------------------


def killed(server: ChatServer, folder: Path, after: int, *arguments: str) -> None:
    """A run that is ended by SIGKILL once its journal holds ``after`` answers."""
    command = ("intend", "-", "--backend", "openai", "--model", "loopback", *arguments)
    process = subprocess.Popen(
        [sys.executable, "-m", "humobctl", *command, "--base-url", server.url, "-o", "plans.csv"],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=environment(OPENAI_API_KEY=KEY),
    )
    assert process.stdin is not None
    process.stdin.write(PEOPLE.encode())
    process.stdin.close()
    path = folder / "plans.csv.journal.jsonl"
    deadline = time.monotonic() + 60
    while not path.exists() or path.read_bytes().count(b"\n") < after:
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(20) == -signal.SIGKILL


def slowly(request: Json, _number: int) -> Reply:
    return Reply(chat(sensible(request)), delay=0.05)


def test_a_killed_run_pays_for_nothing_twice(tmp_path: Path) -> None:
    with serving(slowly) as server:
        killed(server, tmp_path, 15, "--concurrency", "2")
        kept = len(journal(tmp_path))
        assert 15 <= kept < 6 * CALLS
        before = len(server.requests)
        done = intend(server, tmp_path)
        assert done.code == 0, done.err
        assert len(server.requests) - before == 6 * CALLS - kept
        # Only what was on its way when the run was killed was asked twice.
        assert sum(count - 1 for count in Counter(server.questions).values()) <= 2
    assert report(tmp_path)["calls_from_journal"] == kept
    first = (tmp_path / "plans.csv").read_bytes()
    with serving(slowly) as untouched:
        (tmp_path / "plans.csv.journal.jsonl").unlink()
        intend(untouched, tmp_path)
    assert (tmp_path / "plans.csv").read_bytes() == first


def test_everything_from_the_journal(tmp_path: Path) -> None:
    with serving() as server:
        intend(server, tmp_path)
        first = (tmp_path / "plans.csv").read_bytes()
        done = intend(server, tmp_path)
        assert len(server.requests) == 6 * CALLS
    assert (done.code, report(tmp_path)["calls"]) == (0, 0)
    assert report(tmp_path)["tokens"]["total"] == 0
    assert (tmp_path / "plans.csv").read_bytes() == first


def test_another_seed_or_model_asks_anew(tmp_path: Path) -> None:
    with serving() as server:
        for number, arguments in enumerate(((), ("--seed", "1"), ("--model", "other"))):
            intend(server, tmp_path, *arguments)
            assert len(server.requests) == (number + 1) * 6 * CALLS


def test_a_damaged_journal(tmp_path: Path) -> None:
    path = tmp_path / "plans.csv.journal.jsonl"
    with serving() as server:
        intend(server, tmp_path)
        lines = path.read_bytes().splitlines(keepends=True)
        lines[3] = b"rubbish \xff\n"
        lines[5] = b"{}\n"
        lines[-1] = lines[-1][:40]  # killed while it wrote
        path.write_bytes(b"".join(lines))
        done = intend(server, tmp_path)
        assert done.code == 0
        assert len(server.requests) == 6 * CALLS + 3
        says(done.err, "3 lines", "without an answer")
        again = intend(server, tmp_path)
        assert len(server.requests) == 6 * CALLS + 3
    assert again.code == 0
    assert set(plans(tmp_path)) == {(uid, 0) for uid in range(6)}


def test_two_runs_do_not_share_a_journal(tmp_path: Path) -> None:
    import fcntl

    path = tmp_path / "plans.csv.journal.jsonl"
    with path.open("a") as held, serving() as server:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = intend(server, tmp_path)
        assert server.requests == []
    fails(done, "another run", "journal")


def test_where_the_journal_is(tmp_path: Path) -> None:
    with serving() as server:
        done = run_cli(
            *("intend", "-b", "openai", "-m", "x", "--base-url", server.url),
            input=PEOPLE,
            cwd=tmp_path,
            env={"OPENAI_API_KEY": KEY},
        )
        assert done.out.startswith("uid,d,seq,intent,start_min,end_min,reason\n")
        assert [file.name for file in tmp_path.iterdir()] == ["intend.journal.jsonl"]
        intend(server, tmp_path, "--journal", "/dev/null")
    assert not (tmp_path / "plans.csv.journal.jsonl").exists()


# -- parts, records, options -----------------------------------------------------------------------


def test_without_parts(tmp_path: Path) -> None:
    with serving() as server:
        intend(server, tmp_path, "--without", "norm", "--without", "control", "--count", "1")
    assert len(server.requests) == CALLS - 1
    text = "".join(server.questions)
    assert "Attitude:" in text
    assert "Subjective norm:" not in text
    assert "Perceived behavioural control:" not in text
    form = server.requests[-1]["response_format"]["json_schema"]["schema"]
    assert "ranking" not in form["properties"]


def test_distilled_records(tmp_path: Path) -> None:
    with serving() as server:
        done = intend(server, tmp_path, "--distill", "out.jsonl", "--plans-per-template", "2")
    assert done.code == 0
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert len(records) == 6 * 4
    record = records[1]
    assert record["profile"] == {
        "education": "Bachelor's degree",
        "gender": "woman",
        "consumption": "medium",
        "occupation": record["profile"]["occupation"],
    }
    assert record["context"] == {
        "weekday": "monday",
        "now": "7:10",
        "so_far": [{"intent": "go to sleep", "start_min": 0, "end_min": 430}],
    }
    assert record["chain"]["attitude"]["preferences"] == ["eat", "do sports", "go home"]
    assert record["chain"]["norm"]["get_up"] == "7:00"
    assert record["chain"]["control"] == ["go to work", "go home", "eat"]
    assert record["decision"]["intent"] == "go to work"
    roles = [turn["role"] for turn in record["messages"]]
    assert roles == ["system", *("user", "assistant") * 3]
    assert json.loads(record["messages"][-1]["content"])["hours"] == 9


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("-b", "openai"), ("--model",)),
        (("-b", "openai", "-m", "x", "--max-cost", "1"), ("--max-cost", "--price-input")),
        (("-b", "openai", "-m", "x", "--base-url", "nowhere"), ("--base-url", "address")),
        (("-b", "openai", "-m", "x", "--base-url", "http://a:pw@b/v1"), ("--base-url", "password")),
        (("-b", "openai", "-m", "x", "--adapter", "d"), ("--adapter", "--backend hf")),
        (("--model", "x"), ("--model", "--backend openai", "hf", "planner")),
        (("-b", "hf", "-m", "x", "--max-cost", "1"), ("--max-cost", "--backend openai")),
        (("-b", "openai", "-m", "x", "--distill", "-"), ("--distill", "file")),
        (("-o", "a.csv", "--distill", "a.csv"), ("--output", "--distill", "same file")),
        (
            ("-b", "openai", "-m", "x", "-o", "a.csv", "--journal", "a.csv"),
            ("--output", "--journal", "same file"),
        ),
    ],
)
def test_options_that_do_not_go_together(
    arguments: tuple[str, ...], names: tuple[str, ...], tmp_path: Path
) -> None:
    done = run_cli("intend", *arguments, input=PEOPLE, cwd=tmp_path)
    fails(done, *names, code=2)
    assert "pw@" not in done.err
    assert list(tmp_path.iterdir()) == []


def test_no_key_for_openai_itself(tmp_path: Path) -> None:
    env = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}
    done = run_cli("intend", "-b", "openai", "-m", "x", input=PEOPLE, cwd=tmp_path, env=env)
    fails(done, "OPENAI_API_KEY")


def test_a_server_without_keys(tmp_path: Path) -> None:
    with serving() as server:
        done = intend(server, tmp_path, key="")
    assert done.code == 0
    assert server.keys == {"Bearer none"}


def test_the_address_from_the_environment(tmp_path: Path) -> None:
    with serving() as server:
        done = run_cli(
            *("intend", "-b", "openai", "-m", "x", "-o", "plans.csv"),
            input=PEOPLE,
            cwd=tmp_path,
            env={"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.url},
        )
        assert done.code == 0
        assert len(server.requests) == 6 * CALLS


def test_verbose_keeps_the_key(tmp_path: Path) -> None:
    with serving(lambda *_: Reply({"error": f"no {KEY}"}, 401)) as server:
        done = intend(server, tmp_path, "--verbose", env={"OPENAI_LOG": "debug"})
    assert done.code == 1
    assert_no_key(tmp_path, done)


def test_an_interrupt_ends_it(tmp_path: Path) -> None:
    def behave(_request: Json, _number: int) -> Reply:
        return Reply(chat("{}"), delay=5)

    with serving(behave) as server:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "humobctl", "intend", "-", "-b", "openai", "-m", "x"),
                *("--base-url", server.url, "-o", "plans.csv"),
            ],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env=environment(OPENAI_API_KEY=KEY),
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(PEOPLE.encode())
        process.stdin.close()
        deadline = time.monotonic() + 30
        while not server.requests:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        said = process.stderr.read().decode()
        process.stderr.close()
    assert "Traceback" not in said
    assert "never retrieved" not in said
    assert [file.name for file in tmp_path.iterdir()] == ["plans.csv.journal.jsonl"]

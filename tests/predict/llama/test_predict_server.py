"""Prediction by a server: one that misbehaves as told, and llama.cpp's with SmolLM2."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("openai")

from humobctl.errors import HumobError, UsageError
from humobctl.predict.base import PredictOptions, Prompting
from humobctl.predict.llama.config import PromptShape
from humobctl.predict.llama.predict_server import from_name, letter_scores, top_scores
from humobctl.predict.llama.template_compact import ask
from tests.conftest import run_cli
from tests.intend.chat_server import KEY
from tests.messages import raises, says
from tests.predict.llama.test_template_compact import city_of, week
from tests.predict.llama.test_template_published import user_of

SCORES = {" A": -0.2, "A": -3.0, " B": -2.0, "x": -4.0}


RAW = {" ": 0.6, "A": 0.1, "\n": 0.1, "the": 0.05} | {
    " C": 0.06,
    " A": 0.05,
    " B": 0.03,
    " ?": 0.01,
}
"""What a model of llama.cpp says before anything is done to it: the likeliest is a blank."""


def llama_cpp(body: dict[str, Any]) -> dict[str, Any]:
    """The choice of llama.cpp: scores from before its grammar, unless it is asked better."""
    count = body["logprobs"]
    if not body.get("post_sampling_probs"):
        top = sorted(RAW.items(), key=lambda item: -item[1])[:count]
        told = [{"token": token, "logprob": float(np.log(p))} for token, p in top]
        return {"text": " ", "logprobs": {"content": [{"token": " ", "top_logprobs": told}]}}
    bias = dict(map(tuple, body.get("logit_bias", ())))
    raised = {token: p * np.exp(bias.get(token, 0.0)) for token, p in RAW.items()}
    whole = sum(raised.values())
    top = sorted(raised.items(), key=lambda item: -item[1])[:count]
    told = [{"token": token, "prob": float(p / whole)} for token, p in top]
    return {"text": " C", "logprobs": {"content": [{"token": " C", "top_probs": told}]}}


def legacy(_body: dict[str, Any]) -> dict[str, Any]:
    """The choice of a server that knows completions as they were."""
    return {"text": " A", "logprobs": {"top_logprobs": [SCORES]}}


@contextmanager
def serving(
    *refused: str,
    status: int = 200,
    choose: Callable[[dict[str, Any]], dict[str, Any]] = legacy,
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that refuses requests that hold one of these words."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body)
            bad = [word for word in refused if word in body]
            answer: dict[str, Any] = {
                "choices": [choose(body)],
                "usage": {"prompt_tokens": 9, "completion_tokens": 1},
            }
            if bad or status != 200:
                answer = {"error": {"message": f"unknown field {bad}"}}
            said = json.dumps(answer).encode()
            self.send_response(400 if bad else status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: Any) -> None:
            """Nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def predictor(url: str, journal: Path | None = None) -> Any:
    prompting = Prompting(base_url=url, journal=None if journal is None else str(journal))
    return from_name("llama", city_of(), PredictOptions(prompting=prompting))


USER = user_of(week(), [[8, 20], [9, 20], [8, 4]])


def test_each_question_is_asked_once_with_the_profile_before_it() -> None:
    with serving() as (url, asked):
        dist = predictor(url).distribution(USER)
    prompt = ask(USER, city_of(), PromptShape())
    assert sorted(body["prompt"] for body in asked) == sorted(
        prompt.profile + question for question in prompt.questions
    )
    assert asked[0]["max_tokens"] == 1
    assert asked[0]["logit_bias"][:2] == [[" A", 50.0], [" B", 50.0]]
    # A by both of its texts, B, and C as a letter that did not come back.
    a, b, c = np.logaddexp(-0.2, -3.0), -2.0, -6.0
    shares = np.exp([a, b, c])
    assert dist.p[0] == pytest.approx(shares / shares.sum())


def test_what_a_server_refuses_is_left_out() -> None:
    with serving("logit_bias", "structured_outputs") as (url, asked):
        assert predictor(url).distribution(USER).p.shape == (3, 3)
    assert not {"logit_bias", "structured_outputs"} & set(asked[-1])


def test_llama_cpp_gives_the_letters_as_they_are_among_themselves() -> None:
    with serving(choose=llama_cpp) as (url, _):
        dist = predictor(url).distribution(USER)
    # ? is not a cell, as this person has three alone, each with a letter.
    assert dist.p[0] == pytest.approx([0.05 / 0.14, 0.03 / 0.14, 0.06 / 0.14], abs=1e-3)


@pytest.mark.parametrize("refused", ["logit_bias", "post_sampling_probs"])
def test_scores_from_before_the_grammar_are_refused(refused: str) -> None:
    """An older llama.cpp: the letters hold a quarter, the floor would be most of what comes out."""
    users = [USER] * 5
    told = ("25%", "post_sampling_probs", "--logprobs-mode")
    with serving(refused, choose=llama_cpp) as (url, _), raises(HumobError, url, *told):
        predictor(url).distributions(users)


@pytest.mark.parametrize("score", [float("nan"), 3.0, "high", None])
def test_scores_that_are_none_are_told_of(score: Any) -> None:
    choice = {"text": " A", "logprobs": {"top_logprobs": [{" A": score}]}}
    with serving(choose=lambda _: choice) as (url, _), raises(HumobError, url, "logprobs"):
        predictor(url).distribution(USER)


def test_fields_of_ones_own_go_to_a_server() -> None:
    with serving() as (url, asked):
        prompting = Prompting(base_url=url, extra_body='{"cache_prompt": true}')
        from_name("llama", city_of(), PredictOptions(prompting=prompting)).distribution(USER)
    assert all(body["cache_prompt"] for body in asked)


def test_a_journal_answers_for_the_server(tmp_path: Path) -> None:
    with serving() as (url, asked):
        model = predictor(url, tmp_path / "j")
        first = model.distribution(USER)
        model.close()
        count = len(asked)
        again = predictor(url, tmp_path / "j")
        assert np.array_equal(again.distribution(USER).p, first.p)
        again.close()
    assert (len(asked), again.asked, again.from_journal) == (count, 0, count)


def test_a_server_without_scores_is_told_in_one_line() -> None:
    with serving(status=404) as (url, _), raises(HumobError, 404):
        predictor(url).distribution(USER)
    with raises(UsageError, "--base-url", "--template compact"):
        prompting = Prompting(base_url="http://localhost/v1", template="llama3-8b-mob")
        from_name("llama", city_of(), PredictOptions(prompting=prompting))


def test_scores_come_in_two_forms() -> None:
    chat = {"content": [{"top_logprobs": [{"token": " A", "logprob": -1.0}]}]}
    assert top_scores({"logprobs": chat}) == {"A": -1.0}
    assert top_scores({"logprobs": {"top_logprobs": [{" B": -2.0}]}}) == {"B": -2.0}
    found = letter_scores({"A": -1.0, "no": -3.0}, PromptShape(letters=2))
    assert np.exp(found).sum() == pytest.approx(1)
    assert found[0] - found[1] == pytest.approx(4.0)


def test_a_real_server_answers_every_row(smollm2_server: str, tmp_path: Path) -> None:
    rows = [(1, d, t, x, y) for d, t, x, y in week()]
    lines = [f"{','.join(map(str, row))}" for row in rows] + ["1,8,20,999,999", "1,8,4,999,999"]
    (tmp_path / "city.csv").write_text("\n".join(["uid,d,t,x,y", *lines]) + "\n")
    env = {"OPENAI_API_KEY": KEY, "HUMOBCTL_THREADS": "1"}
    command = ("predict", "city.csv", "--model", "smollm2", "--base-url", smollm2_server)
    answers = []
    for _ in range(2):
        done = run_cli(*command, "--decode", "argmax", "--output", "p.csv", cwd=tmp_path, env=env)
        assert done.code == 0, done.err
        assert KEY not in done.err
        answers.append((tmp_path / "p.csv").read_text())
    says(done.err, "p.csv.journal.jsonl", "2 answers")
    assert answers[0] == answers[1]
    cells = [line.split(",")[3:] for line in answers[0].splitlines()[1:]]
    # All five records of slot 4 are at home.
    assert cells[0] == ["9", "9"]
    assert cells[1] in (["9", "9"], ["20", "30"], ["21", "30"])

"""Replies of language models: what is understood, what is refused, and nothing else happens."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from humobctl.intend.answers import Attitude, Decision, Norm, RankedDecision
from humobctl.llm.json_reply import MOST_CHARACTERS, Answer, AnswerError, read_answer, schema, tidy
from humobctl.tables.schemas import INTENTS
from tests.messages import raises

FORMS: tuple[type[Answer], ...] = (Attitude, Norm, Decision, RankedDecision)
GOOD = {"intent": "eat", "travel_minutes": 5, "hours": 1, "minutes": 7, "reason": "Lunch."}


def decision(**changes: Any) -> str:
    return json.dumps({**GOOD, **changes})


@pytest.mark.parametrize(
    "reply",
    [
        decision(),
        f"```json\n{decision()}\n```",
        f"Here you are: {decision()} I hope that helps.",
        f'<think>Perhaps {{"intent": "go home"}}?</think>{decision()}',
        f'{{"intent": "walk the dog"}} or rather {decision()}',
        json.dumps({"answer": GOOD}),
        f"[{decision()}]",
        decision(intent=" Eat. "),
        decision(hours="1", minutes="7"),
        decision(hours=0, minutes=67),
        decision(mood="fine", nested={"a": [1, {"b": None}]}),
        "{'intent': 'eat', 'travel_minutes': 5, 'hours': 1, 'minutes': 7, 'reason': 'Lunch.',}",
        '{"intent": "eat" "travel_minutes": 5, hours: 1, "minutes": 7, // now\n"reason": "Lunch."}',
        decision().replace("Lunch.", "Lunch.\\u0000\\n "),
    ],
)
def test_understood(reply: str) -> None:
    found = read_answer(reply, Decision)
    assert (found.intent, found.travel_minutes, found.reason) == ("eat", 5, "Lunch.")
    assert found.lasting == 67


@pytest.mark.parametrize(
    ("reply", "names"),
    [
        ("", ("empty",)),
        (" \n", ("empty",)),
        ("I would eat.", ("JSON object",)),
        ("[1, 2]", ("JSON object",)),
        ("null", ("JSON object",)),
        (decision(intent="fly"), ("intent", "'fly'", "twelve")),
        (decision(intent=None), ("intent",)),
        (decision(hours=0, minutes=0), (0, 1, 1440, "minutes")),
        (decision(hours=24, minutes=1), (1441, 1, 1440, "minutes")),
        (decision(hours=-1), ("hours",)),
        (decision(hours=1.5), ("hours",)),
        (decision(minutes=10**400), ("minutes",)),
        (decision(travel_minutes=1441), ("travel_minutes",)),
        ('{"intent": "eat", "hours": 1}', ("travel_minutes", "required")),
        # Cut off: 1 may be the beginning of 12.
        (decision()[:-1], ("JSON object",)),
        ('{"reason": "r", "intent": "eat", "travel_minutes": 5, "hours": 1, "minutes": 1', ()),
        (decision().replace("5", "NaN"), ("travel_minutes",)),
        (decision().replace("5", "Infinity"), ("travel_minutes",)),
        ("{" * 60_000, ("JSON object",)),
        ("[" * 60_000, ("JSON object",)),
        ('{"a":' * 10_000, ("JSON object",)),
        ("x" * (MOST_CHARACTERS + 1), ("65,537 characters",)),
    ],
)
def test_refused_in_one_line(reply: str, names: tuple[str | int, ...]) -> None:
    with raises(AnswerError, *names) as caught:
        read_answer(reply, Decision)
    assert len(str(caught.value)) < 200


def test_no_code_is_run(tmp_path: Any) -> None:
    target = tmp_path / "pwned"
    for text in (
        f"__import__('pathlib').Path({str(target)!r}).touch()",
        f'{{"intent": __import__("pathlib").Path("{target}").touch(), "hours": 1}}',
        f"!!python/object/apply:os.system ['touch {target}']",
    ):
        with pytest.raises(AnswerError):
            read_answer(text, Decision)
    assert not target.exists()


@pytest.mark.parametrize(
    "reply",
    [
        '{"' * 32_000,
        '{"a": "' + '\\"' * 30_000,
        "{'a': 'b'," * 6_000,
        ('{"x": "' + 'a" b "' * 700)[:4_090],
        ('{"' * 4_096)[:4_096],
        '{"a": ' + "9" * 60_000,
    ],
)
def test_hostile_replies_take_no_time(reply: str) -> None:
    started = time.process_time()
    with pytest.raises(AnswerError):
        read_answer(reply, Decision)
    assert time.process_time() - started < 3


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(INTENTS),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from([*GOOD]), inner),
    max_leaves=8,
)


@given(st.text() | anything.map(json.dumps), st.sampled_from(FORMS))
@example('{"intent": "eat", "hours": 1, "minutes": 0, "reason": "\\ud800"}', Decision)
def test_any_reply_is_an_answer_or_refused(reply: str, form: type[Answer]) -> None:
    try:
        found = read_answer(reply, form)
    except AnswerError as exc:
        assert "\n" not in str(exc)
        return
    found.model_dump_json().encode()


@given(
    st.fixed_dictionaries(
        {
            "intent": st.sampled_from(INTENTS),
            "travel_minutes": st.integers(0, 180),
            "hours": st.integers(0, 23),
            "minutes": st.integers(1, 59),
            "reason": st.text(min_size=1, max_size=80),
        }
    ),
    st.text(st.characters(exclude_characters="{<"), max_size=40),
    st.text(max_size=40),
)
def test_what_fits_the_schema_is_understood(
    answer: dict[str, Any], before: str, after: str
) -> None:
    found = read_answer(before + json.dumps(answer) + after.replace("</think>", ""), Decision)
    assert found.model_dump() == {**answer, "reason": tidy(answer["reason"])}


@given(
    st.fixed_dictionaries({**{name: st.just(value) for name, value in GOOD.items()}}),
    st.integers(0, 200),
    st.sampled_from(["", '"', "}", ",", "'", "\\", "\n", "]"]),
)
def test_a_broken_reply_never_gives_other_numbers(
    answer: dict[str, Any], place: int, put: str
) -> None:
    text = json.dumps(answer)
    place = min(place, len(text))
    broken = text[:place] + put  # cut off, with a stray character
    try:
        found = read_answer(broken, Decision)
    except AnswerError:
        return
    assert found.model_dump(exclude={"reason"}) == {k: v for k, v in GOOD.items() if k != "reason"}


@given(st.text())
def test_tidy(text: str) -> None:
    line = tidy(text)
    assert len(line) <= 300
    assert line == " ".join(line.split())
    assert line.isprintable() or "\xa0" in line or not line.isascii()
    line.encode()
    assert tidy(line) == line


def test_tidy_takes_out_what_steers_terminals() -> None:
    assert tidy("a\x1b[31m\u202eb\x00\ud800c\nd") == "a [31m b c d"
    assert tidy("x" * 301) == "x" * 299 + "…"


def test_clock() -> None:
    norm = {"duty_from": "9:00", "duty_to": "24:00", "bedtime": "00:30", "routine": "r"}
    found = read_answer(json.dumps({"get_up": "07:05:00", **norm}), Norm)
    assert (found.get_up, found.duty_to, found.bedtime) == ("7:05", "24:00", "0:30")
    for wrong in ("25:00", "24:01", "7:60", "7", "seven", "-1:00", 7):
        with pytest.raises(AnswerError):
            read_answer(json.dumps({"get_up": wrong, **norm}), Norm)


def test_preferences_are_different() -> None:
    found = read_answer('{"preferences": ["Eat", "eat", "go home"], "reason": "r"}', Attitude)
    assert found.preferences == ["eat", "go home"]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_schemas_are_strict(form: type[Answer]) -> None:
    for lengths in (True, False):
        found = schema(form, lengths=lengths)
        assert found["required"] == list(found["properties"]) == list(form.model_fields)
        assert found["additionalProperties"] is False
        assert ("maxLength" in json.dumps(found)) is lengths
        assert "$ref" not in json.dumps(found)


def test_the_ranking_comes_before_the_decision() -> None:
    names = list(schema(RankedDecision)["properties"])
    assert names == ["ranking", "intent", "travel_minutes", "hours", "minutes", "reason"]
    assert schema(Decision)["properties"]["intent"]["enum"] == list(INTENTS)

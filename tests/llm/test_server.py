"""Parts of the openai backend: the key, the limits, the journal, what servers understand."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humobctl.errors import HumobError, UsageError
from humobctl.intend.backends.base import Person
from humobctl.intend.chain import DayConversation
from humobctl.llm.question import digest
from humobctl.llm.server.budget import Spending, SpentError, Usage
from humobctl.llm.server.capabilities import STRUCTURES, Dialect
from humobctl.llm.server.config import OpenAIConfig, Secret, key_for, make_config
from humobctl.llm.server.journal import Journal, JournalEntry
from tests.messages import raises, says

ASK = DayConversation(Person(1, 1, "a", "b", "c", "d"), 1).ask
assert ASK is not None


def test_a_key_does_not_show_itself() -> None:
    key = Secret("sk-abc")
    assert "sk-abc" not in f"{key} {key!r} {[key]} {vars(Spending())}"
    assert Secret("sk-abcde").hide("xsk-abcdex sk-abcde") == "x[key]x [key]"
    # A placeholder for a server without keys is not a secret, and may be part of any word.
    assert Secret("").hide("text") == Secret("x").hide("text") == "text"


def test_a_key_is_one_line_of_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    config = OpenAIConfig("m", "http://127.0.0.1/v1")
    monkeypatch.setenv("OPENAI_API_KEY", " sk-abc\n")
    assert key_for(config).reveal() == "sk-abc"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-a\nb")
    with pytest.raises(HumobError) as caught:
        key_for(config)
    assert "sk-a" not in str(caught.value)


def test_the_server_is_shown_without_a_query() -> None:
    config = make_config({"model": "m", "base_url": "https://a.example:8/v1/?api-key=s#f"})
    assert config.server == "https://a.example:8/v1"
    with raises(UsageError, "--base-url"):
        make_config({"model": "m", "base_url": "http://a:99999/v1"})


# -- limits --------------------------------------------------------------------------------------


def test_cost_by_hand() -> None:
    spending = Spending(price_input=2.5, price_output=10)
    # 1,000,000 sent and 200,000 answered: 2.5 + 2.
    assert spending.cost(1_000_000, 200_000) == pytest.approx(4.5)
    assert Spending().summary()["cost"] is None


calls = st.lists(st.tuples(st.integers(1, 900), st.integers(1, 100), st.floats(0, 1)), max_size=30)


@given(calls, st.integers(1, 5000), st.integers(1, 8))
def test_no_limit_is_passed(asked: list[tuple[int, int, float]], most: int, at_once: int) -> None:
    """Answers that stay below their worst case never pass the limit, however many at a time."""
    spending = Spending(max_tokens=most)
    slots = asyncio.Semaphore(at_once)

    async def call(prompt: int, completion: int, share: float) -> bool:
        worst = Usage(prompt, completion)
        async with slots:
            try:
                await spending.reserve(worst)
            except SpentError:
                return False
            await asyncio.sleep(0)
            used = Usage(int(prompt * share), int(completion * share))
            await spending.settle(worst, used)
            return True

    async def run() -> list[bool]:
        return await asyncio.gather(*(call(*one) for one in asked))

    made = asyncio.run(run())
    assert spending.prompt + spending.completion <= most
    assert spending.calls == sum(made)
    if not all(made):
        says(spending.stopped, f"--max-tokens-total {most}")


def test_a_failed_call_gives_its_tokens_back() -> None:
    spending = Spending(max_tokens=100)

    async def run() -> None:
        for _ in range(5):
            await spending.reserve(Usage(90, 10))
            await spending.settle(Usage(90, 10), None)

    asyncio.run(run())
    assert (spending.calls, spending.stopped) == (0, None)


# -- the journal -----------------------------------------------------------------------------------


def test_the_journal_gives_back_what_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    entries = {
        digest({"n": number}): JournalEntry(text, fault, number, 2 * number)
        for number, (text, fault) in enumerate(
            [("plain", ""), ("", "a refusal"), ("\ud800 half", ""), ("line\nend \u2028", "")]
        )
    }
    first = Journal(str(path))
    for key, entry in entries.items():
        first.put(key, entry, ask="decision")
        assert first.get(key) == entry
    first.close()
    second = Journal(str(path))
    assert second.found == 4
    for key, entry in entries.items():
        assert second.get(key) == entry
    assert second.get(digest({"n": 99})) is None
    second.close()


@given(st.binary(max_size=300))
def test_any_file_is_a_journal_or_not_used(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        path.write_bytes(content)
        journal = Journal(str(path))
        key = digest({"q": 1})
        journal.put(key, JournalEntry("a"))
        journal.close()
        again = Journal(str(path))
        assert again.get(key) == JournalEntry("a")
        again.close()
        assert path.read_bytes().startswith(content)


def test_an_entry_of_another_shape_is_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    key = digest({})
    path.write_text(json.dumps({"key": key, "reply": 7, "fault": "", "prompt": 1, "completion": 1}))
    journal = Journal(str(path))
    assert journal.get(key) is None
    journal.close()


def test_the_order_of_a_question_does_not_matter() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert len(digest({})) == 32


def test_no_folder_for_the_journal(tmp_path: Path) -> None:
    with raises(HumobError, "no folder", "no"):
        Journal(str(tmp_path / "no" / "journal.jsonl"))


# -- what servers understand -----------------------------------------------------------------------


def test_from_most_to_least() -> None:
    dialect: Dialect | None = Dialect()
    seen = []
    while dialect is not None:
        assert ASK is not None
        body = dialect.request(ASK, temperature=1.0, tokens=9, seed=3)
        seen.append((dialect.structure, body.get("response_format", {}).get("type")))
        dialect = dialect.lower("response_format is not supported")
    assert [name for name, _ in seen] == list(STRUCTURES)
    assert [kind for _, kind in seen] == ["json_schema", "json_schema", "json_object", None]


def test_only_what_is_refused_is_left_out() -> None:
    for said, name in (
        ("'temperature' does not support 0.5", "temperature"),
        ("Unknown parameter: 'seed'", "seed"),
        ("Use 'max_completion_tokens' instead", "max_tokens"),
    ):
        lowered = Dialect().lower(said)
        assert lowered is not None
        assert ASK is not None
        body = lowered.request(ASK, temperature=1.0, tokens=9, seed=3)
        assert name not in body
        assert lowered.structure == "json_schema"

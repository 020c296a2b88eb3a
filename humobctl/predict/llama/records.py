"""Conversations to learn from, in the forms of others: a JSON array, or a line of JSON each.

    messages        role and content, the last one the assistant's (OpenAI; intend --distill)
    instruction     with output, and perhaps input, system and history (Alpaca)
    prompt          with completion
    conversations   from and value (ShareGPT), and perhaps system

The last answer of a conversation is learnt; what stands before it is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from humobctl.console import report
from humobctl.errors import HumobError
from humobctl.io.output_lock import note_input
from humobctl.io.size_limits import parse_json
from humobctl.io.streams import clear_os_errors
from humobctl.llm.question import Message, message

_ROLES = {
    **{"system": "system", "user": "user", "human": "user"},
    **{"assistant": "assistant", "gpt": "assistant", "model": "assistant"},
}
_NOT_TEXT = ("tools", "functions", "images", "videos", "audios", "chosen", "rejected", "kto_tag")
"""What is more than a conversation of texts; to leave it out would change what is learnt."""
_FORMS = "messages, instruction and output, prompt and completion, or conversations"


@dataclass(frozen=True)
class Record:
    """A conversation.

    Attributes:
        messages: user, assistant, and so on; the last one is the answer.
        key: of the person whose it is; empty where no person is named.
    """

    messages: list[Message]
    key: str = ""


def read_records(path: str) -> list[Record]:
    """The conversations of a file.

    Raises:
        HumobError: it cannot be read, or holds something else; with the line or the record.
    """
    found, shown = [], 0
    for place, value in _values(path):
        try:
            messages = _messages(value)
        except ValueError as exc:
            raise HumobError(f"{path}: {place}: {exc}") from exc
        uid = value.get("uid")
        found.append(Record(messages, "" if uid is None else str(uid)))
        if "messages" not in value:
            shown += sum(turn["role"] == "assistant" for turn in messages[:-1])
    if shown:
        report.info(
            f"{path}: only the last answer of each conversation is learnt; {shown:,} earlier "
            "answers are context"
        )
    return found


def _values(path: str) -> Iterator[tuple[str, Any]]:
    note_input(path, path)
    with clear_os_errors(path), Path(path).open("rb") as file:
        begin = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
        file.seek(0)
        if begin.startswith(b"["):
            found = _parse(path, file.read())
            yield from ((f"record {number}", one) for number, one in enumerate(found, start=1))
            return
        for number, line in enumerate(file, start=1):
            if text := line.removeprefix(b"\xef\xbb\xbf").strip():
                yield f"line {number}", _parse(f"{path}: line {number}", text)


def _parse(place: str, text: bytes) -> Any:
    try:
        return parse_json(text.decode("utf-8-sig"))
    except ValueError as exc:
        raise HumobError(f"{place}: found invalid JSON ({exc})") from exc


def _messages(record: Any) -> list[Message]:
    """The conversation of a record.

    Raises:
        ValueError: what it is instead.
    """
    if not isinstance(record, dict):
        raise ValueError(f"found no object, expected {_FORMS}")
    for name in _NOT_TEXT:
        if record.get(name):
            raise ValueError(f"found {name}, expected a conversation of texts")
    if record.get("messages") is not None:
        turns = _turns(record["messages"], "role", "content")
    elif record.get("conversations") is not None:
        turns = _turns(record["conversations"], "from", "value")
    else:
        turns = _alpaca(record)
    system = record.get("system")
    if system and turns[0]["role"] != "system":
        turns = [message("system", _text(system, "system")), *turns]
    answers = [turn["role"] == "assistant" for turn in turns]
    if len(turns) < 2 or not answers[-1] or all(answers):
        raise ValueError("expected messages that end with the assistant's, after a question")
    return turns


def _turns(value: Any, role: str, content: str) -> list[Message]:
    if not isinstance(value, list) or not value:
        raise ValueError("found no messages, expected a list of them")
    turns = []
    for turn in value:
        if not isinstance(turn, dict) or turn.get(role) not in _ROLES:
            named = turn.get(role) if isinstance(turn, dict) else turn
            raise ValueError(f"found {role} {named!r:.40}, expected one of {', '.join(_ROLES)}")
        turns.append(message(_ROLES[turn[role]], _text(turn.get(content), content)))
    return turns


def _alpaca(record: dict[str, Any]) -> list[Message]:
    asked, said = record.get("instruction"), record.get("output")
    if asked is None and said is None:
        asked, said = record.get("prompt"), record.get("completion")
    if asked is None or said is None:
        raise ValueError(f"expected {_FORMS}")
    more = _text(record.get("input") or "", "input")
    turns = []
    for pair in record.get("history") or []:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError("found a history that is not pairs of question and answer")
        turns += [message("user", _text(pair[0], "history"))]
        turns += [message("assistant", _text(pair[1], "history"))]
    question = _text(asked, "instruction")
    turns.append(message("user", f"{question}\n{more}" if more else question))
    return [*turns, message("assistant", _text(said, "output"))]


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"found {name} {value!r:.40}, expected text")
    return value

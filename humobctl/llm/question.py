"""A question to a language model, as any chat model takes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from humobctl.llm.json_reply import Answer

Message = dict[str, str]


@dataclass(frozen=True)
class Ask:
    """A question, as any chat model takes it.

    Attributes:
        name: of what is asked, such as attitude or cell.
        messages: of the conversation; role (system, user, assistant) and content.
        form: of the answer; without fields where its text is not read as JSON.
        tries: replies to this question that could not be used.
    """

    name: str
    messages: tuple[Message, ...]
    form: type[Answer] = Answer
    tries: int = 0


def message(role: str, content: str) -> Message:
    """A message of a conversation."""
    return {"role": role, "content": content}


def fold_system_turn(messages: Sequence[Message]) -> list[Message]:
    """Messages without a system turn: what it says stands before the first question."""
    first = f"{messages[0]['content']}\n\n{messages[1]['content']}"
    return [message("user", first), *messages[2:]]


def digest(question: dict[str, Any]) -> str:
    """The name of a question: 32 hexadecimal digits, the same for the same values."""
    text = json.dumps(question, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]

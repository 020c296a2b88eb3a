"""What a server understands of OpenAI's chat completions; found out by trying, from most to least.

Structured outputs by JSON schema first, then the same without limits of length (which some servers
refuse), then JSON mode, then plain text. The prompts show the form in any case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from humobctl.llm.json_reply import schema
from humobctl.llm.question import Ask, fold_system_turn
from humobctl.llm.server.refusals import is_too_long, names, refuses_system_turn

Structure = Literal["json_schema", "json_schema without lengths", "json_object", "text"]
STRUCTURES: tuple[Structure, ...] = (
    "json_schema",
    "json_schema without lengths",
    "json_object",
    "text",
)
_UNKNOWN = re.compile(
    r"unsupported|unknown|unrecognized|unexpected|not (permitted|supported|allowed)|extra|invalid"
    r"|forbidden|cannot|must not"
)
"""Words of a server that does not know a parameter, rather than mind its value."""


@dataclass(frozen=True)
class Dialect:
    """What is sent beside the messages.

    Attributes:
        structure: how the form of the answer is asked for.
        limit: name of the limit on the answer's tokens; None to send none.
        temperature: whether it may be sent; reasoning models refuse it.
        seed: whether it may be sent.
        system: whether there may be a system turn; it is folded into the first question otherwise.
    """

    structure: Structure = "json_schema"
    limit: Literal["max_tokens", "max_completion_tokens"] | None = "max_tokens"
    temperature: bool = True
    seed: bool = True
    system: bool = True

    def request(self, ask: Ask, *, temperature: float, tokens: int, seed: int) -> dict[str, Any]:
        """The body of a request, but for the model."""
        messages = list(ask.messages)
        if not self.system and messages[0]["role"] == "system":
            messages = fold_system_turn(messages)
        body: dict[str, Any] = {"messages": messages}
        if self.limit is not None:
            body[self.limit] = tokens
        if self.temperature:
            body["temperature"] = temperature
        if self.seed:
            body["seed"] = seed
        if self.structure == "json_object":
            body["response_format"] = {"type": "json_object"}
        elif self.structure != "text":
            lengths = self.structure == "json_schema"
            described = {
                "name": ask.name,
                "strict": True,
                "schema": schema(ask.form, lengths=lengths),
            }
            body["response_format"] = {"type": "json_schema", "json_schema": described}
        return body

    def lower(self, said: str) -> Dialect | None:
        """What to try when the server refused a request, by what it said; None for nothing."""
        said = said.lower()
        limited = self.limit is not None and names(said, self.limit) and _UNKNOWN.search(said)
        steps: list[tuple[object, dict[str, Any]]] = [
            (
                self.limit == "max_tokens" and names(said, "max_completion_tokens"),
                {"limit": "max_completion_tokens"},
            ),
            (limited, {"limit": None}),
            (self.temperature and "temperature" in said, {"temperature": False}),
            (self.seed and names(said, "seed"), {"seed": False}),
            (self.system and refuses_system_turn(said), {"system": False}),
        ]
        if is_too_long(said):
            return None
        changes = next((change for named, change in steps if named), None)
        return self.plainer() if changes is None else replace(self, **changes)

    def plainer(self) -> Dialect | None:
        """The dialect with a plainer structure; None where there is none."""
        number = STRUCTURES.index(self.structure) + 1
        return replace(self, structure=STRUCTURES[number]) if number < len(STRUCTURES) else None

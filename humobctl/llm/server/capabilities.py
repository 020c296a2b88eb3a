"""What a server understands of OpenAI's chat completions; found out by trying, from most to least.

Structured outputs by JSON schema first, then the same without limits of length (which some servers
refuse), then JSON mode, then plain text. The prompts show the form in any case.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from humobctl.llm.json_reply import schema
from humobctl.llm.question import Ask

Structure = Literal["json_schema", "json_schema without lengths", "json_object", "text"]
STRUCTURES: tuple[Structure, ...] = (
    "json_schema",
    "json_schema without lengths",
    "json_object",
    "text",
)


@dataclass(frozen=True)
class Dialect:
    """What is sent beside the messages.

    Attributes:
        structure: how the form of the answer is asked for.
        limit: name of the limit on the answer's tokens.
        temperature: whether it may be sent; reasoning models refuse it.
        seed: whether it may be sent.
    """

    structure: Structure = "json_schema"
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: bool = True
    seed: bool = True

    def request(self, ask: Ask, *, temperature: float, tokens: int, seed: int) -> dict[str, Any]:
        """The body of a request, but for the model."""
        body: dict[str, Any] = {"messages": list(ask.messages), self.limit: tokens}
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

    def lowered(self, said: str) -> Dialect | None:
        """What to try when the server refused a request, by what it said; None for nothing."""
        said = said.lower()
        if "max_completion_tokens" in said and self.limit == "max_tokens":
            return replace(self, limit="max_completion_tokens")
        if "temperature" in said and self.temperature:
            return replace(self, temperature=False)
        if "seed" in said.replace("'", " ").replace('"', " ").split() and self.seed:
            return replace(self, seed=False)
        return self.plainer()

    def plainer(self) -> Dialect | None:
        """The same with a plainer structure; None where there is none."""
        number = STRUCTURES.index(self.structure) + 1
        return replace(self, structure=STRUCTURES[number]) if number < len(STRUCTURES) else None

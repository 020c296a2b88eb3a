"""Forms of answers as JSON: their schemas, and reading what a language model replied.

A reply is text from outside. It is looked at up to a limit, never evaluated, and only what passes
the form's checks goes on; texts in it are cut to one line of printable characters.
"""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

MOST_CHARACTERS = 65_536
"""Most characters of a reply; a longer one is refused unread."""
MOST_REPAIRED = 4_096
"""Characters of a reply that are repaired where they are not JSON; repairing is quadratic."""
MOST_OBJECTS = 20
"""Places in a reply at which a JSON object is looked for."""
MOST_WORDS = 300
"""Characters of a reason or a routine that are kept."""
CUT = "found reasoning without an answer; raise --answer-tokens"
_NAMES = r"(?:seed:|mm:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|scratchpad|analysis)"
_OPEN = re.compile(
    rf"<{_NAMES}>|\[{_NAMES}\]|\u25c1{_NAMES}\u25b7|<\|(?:begin_of_|start_)?{_NAMES}\|>|<unused94>",
    re.IGNORECASE,
)
_CLOSE = re.compile(
    rf"</{_NAMES}>|\[/{_NAMES}\]|\u25c1/{_NAMES}\u25b7|<\|(?:/|end_of_|end_){_NAMES}\|>|<unused95>",
    re.IGNORECASE,
)
"""Marks around thinking: of DeepSeek and Qwen, Mistral, Kimi, Sky-T1, Cohere, Gemma and others."""
_HARMONY = re.compile(r"<\|channel\|>|^\s*(?:assistant)?analysis(?=[A-Z])")
_FINAL = re.compile(r"<\|channel\|>final.*?<\|message\|>|assistantfinal", re.DOTALL)
"""OpenAI's Harmony: channels of which one is the answer; without its marks where these are cut."""
_BEGINS = re.compile(r"\s*(?:```\w*\s*)?\{")
Json = dict[str, Any]


class AnswerError(ValueError):
    """Why a reply cannot be used, in one line."""


def tidy(text: str, most: int = MOST_WORDS) -> str:
    """One line of printable text: no control or format characters, no half surrogates."""
    kept = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text[: 4 * most])
    line = " ".join(kept.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


class Answer(BaseModel):
    """A form. Its checks forgive more than its schema shows."""

    model_config = ConfigDict(extra="ignore", frozen=True)


AnyAnswer = TypeVar("AnyAnswer", bound=Answer)


@functools.cache
def schema(form: type[Answer], *, lengths: bool = True) -> Json:
    """The JSON schema of a form: every property required, none besides. Not to be changed.

    Args:
        form: which.
        lengths: limit texts, too; some servers refuse schemas that do.
    """
    found = form.model_json_schema()
    properties: Json = {name: _plain(value) for name, value in found["properties"].items()}
    for value in properties.values():
        if not lengths:
            value.pop("maxLength", None)
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _plain(value: Json) -> Json:
    return {key: part for key, part in value.items() if key not in ("title", "default")}


def read_answer(reply: str, form: type[AnyAnswer], *, cut: bool = False) -> AnyAnswer:
    """The first object in a reply that fits the form.

    Forgiven: text around the object, thinking aloud in front of it, code fences, an object inside
    another, near-JSON (quotes, commas, comments), spellings of intents, numbers in quotes.

    Args:
        reply: what was said.
        form: what was asked for.
        cut: whether it ended at its limit of tokens: what follows other text may be a draft then,
            in thinking without a mark.

    Raises:
        AnswerError: there is none.
    """
    if len(reply) > MOST_CHARACTERS:
        found = f"a reply of {len(reply):,} characters"
        raise AnswerError(f"found {found}, expected at most {MOST_CHARACTERS:,}")
    said = strip_thinking(reply)
    if cut and "{" in said and not _BEGINS.match(said):
        raise AnswerError(CUT)
    fault = "found no JSON object" if reply.strip() else "found an empty reply"
    for number, candidate in enumerate(_objects(said)):
        try:
            return form.model_validate(candidate)
        except ValidationError as exc:
            fault = _fault(exc) if number == 0 else fault
    raise AnswerError(fault)


def strip_thinking(reply: str) -> str:
    """The reply without what a reasoning model thought before it, by whatever mark.

    Raises:
        AnswerError: the thinking did not come to an end, so that nothing in it is an answer.
    """
    with suppress(ValueError, RecursionError):
        if isinstance(json.loads(reply, parse_constant=_refuse_constant), dict):
            return reply  # an answer as it should be, whatever its texts say
    if _HARMONY.search(reply):
        reply = _last_part(_FINAL, reply)
    closed = _last_part(_CLOSE, reply) if _CLOSE.search(reply) else reply
    opened = _OPEN.search(closed)
    if opened is None:
        return closed
    before = closed[: opened.start()]
    if "{" not in before:
        raise AnswerError(CUT)
    return before


def _last_part(mark: re.Pattern[str], text: str) -> str:
    ends = [found.end() for found in mark.finditer(text)]
    if not ends:
        raise AnswerError(CUT)
    return text[ends[-1] :]


def _objects(text: str) -> Iterator[Json]:
    end = 0
    for _ in range(MOST_OBJECTS):
        start = text.find("{", end)
        if start < 0:
            break
        try:
            found, end = _DECODER.raw_decode(text, start)
            yield from _with_inner(found)
        except (ValueError, RecursionError):
            end = start + 1
    yield from _with_inner(_repair(text))


def _with_inner(found: object) -> Iterator[Json]:
    if isinstance(found, dict):
        yield found
        yield from (value for value in found.values() if isinstance(value, dict))


def _repair(text: str) -> object:
    """What near-JSON means, by json_repair; it never evaluates anything."""
    from json_repair import repair_json  # noqa: PLC0415 - only for replies that need it

    # Without its end, a 12 may be a 1: what is cut off is not repaired.
    start, end = text.find("{"), text.rfind("}") + 1
    if start < 0 or not 0 < end - start <= MOST_REPAIRED:
        return None
    try:
        found = repair_json(text[start:end], return_objects=True, skip_json_loads=True)
    except Exception:  # whatever goes wrong in there, nothing was repaired
        return None
    if isinstance(found, list):
        return next((part for part in found if isinstance(part, dict)), None)
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is invalid JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _fault(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    said = re.sub(r"^Value error, ", "", first["msg"])
    return tidy(f"{place}: {said}" if place else said, 160)

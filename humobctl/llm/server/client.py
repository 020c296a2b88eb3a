"""One question to a server: retries, limits, and what of a reply is believed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from typing import Any

from humobctl.errors import HumobError
from humobctl.llm.json_reply import tidy
from humobctl.llm.question import Ask
from humobctl.llm.server import clock
from humobctl.llm.server.budget import Spending, Usage
from humobctl.llm.server.capabilities import Dialect
from humobctl.llm.server.config import KEY_VARIABLE, OpenAIConfig, Secret
from humobctl.llm.server.http import Connection, Response, ResponseError
from humobctl.llm.server.journal import JournalEntry
from humobctl.llm.server.refusals import (
    asked_wait,
    is_filtered,
    out_of_quota,
    refuses_system_turn,
    words_of,
)

MOST_TOKENS = 10_000_000
"""Most tokens of one call, as a server reports them; more is not believed."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds before a retry; doubled each time."""
A_MINUTE = 64.0
"""Seconds of all retries together, at least, for a limit per minute that nothing is said of."""
LONGEST_ASKED = 600.0
"""Seconds that a server may ask to wait; one that asks for more takes no more questions."""

_FATAL = (401, 403, 404)


class CallError(Exception):
    """Why a question got no reply, in one line."""


class _ServerFault(Exception):  # noqa: N818 - passed on as a CallError when retries are used up
    """A fault of the server that may pass.

    Args:
        reason: in words.
        wait: seconds that the server asked for, if it did.
        plainer: whether a plainer request may help.
        limited: whether there were too many requests.
    """

    def __init__(
        self,
        reason: str,
        *,
        wait: float | None = None,
        plainer: bool = False,
        limited: bool = False,
    ) -> None:
        self.wait, self.plainer, self.limited = wait, plainer, limited
        super().__init__(reason)


class _FilteredError(Exception):
    """A question that the server will not have answered, for what it says."""


class _RefusedError(Exception):
    """A request that the server will not take as it is."""


@dataclass
class Client:
    """Asks one server, many questions at a time.

    Attributes:
        config: of the backend.
        key: sent to the server, and hidden in all that comes back.
        spending: counts tokens and keeps limits.
        retries: calls that were made again.
        dialect: what the server understands, as far as is known.
    """

    config: OpenAIConfig
    key: Secret
    spending: Spending
    retries: int = 0
    dialect: Dialect = field(default_factory=Dialect)
    _proven: Dialect | None = None

    def __post_init__(self) -> None:
        self._connection = Connection(self.config, self.key)

    async def close(self) -> None:
        """Close all connections."""
        await self._connection.close()

    async def ask(self, ask: Ask, seed: int) -> JournalEntry:
        """The reply to a question.

        Args:
            ask: the question.
            seed: of the server's sampling, where it takes one; and spreads waiting times.

        Raises:
            CallError: the server refuses the question, or fails again and again.
            SpentError: a limit is reached.
            HumobError: no question will be answered: wrong key, model or address.
        """
        fault: _ServerFault | None = None
        failed, first = 0, self.dialect
        while failed <= self.config.retries:
            if fault is not None:
                self.retries += 1
                await clock.pause(_waiting(failed - 1, fault, seed, self.config.retries))
            used = self.dialect
            try:
                entry = await self._call_within_limits(ask, used, seed)
            except _ServerFault as exc:
                fault, failed = exc, failed + 1
                if failed > self.config.retries and exc.plainer and self._step(used, None):
                    failed = 0
                continue
            except _FilteredError as exc:
                return JournalEntry("", f"a refusal ({exc})")
            except _RefusedError as exc:
                if not self._step(used, str(exc)):
                    if self._proven is None:  # nothing helped: it was this question
                        self.dialect = first
                    raise CallError(str(exc)) from exc
                continue
            self._proven = used
            return entry
        raise CallError(f"{fault} (after {self.config.retries} retries)")

    def _step(self, used: Dialect, said: str | None) -> bool:
        """Ask for less, unless what was asked for has worked before; whether to try again."""
        if self.dialect != used:
            return True  # another question found out already
        if self._proven == used:
            return False
        lowered = used.plainer() if said is None else used.lower(said)
        self.dialect = lowered or used
        return lowered is not None

    async def _call_within_limits(self, ask: Ask, dialect: Dialect, seed: int) -> JournalEntry:
        """One call that fits the limits."""
        sent = len(json.dumps(ask.messages).encode())
        worst = Usage(Usage.of_texts(sent, 0).prompt, self.config.answer_tokens)
        await self.spending.reserve(worst)
        usage: Usage | None = None
        try:
            payload = await self._call_timed(self._post(ask, dialect, seed))
            entry = self._reply(payload)
            answered = len(entry.reply.encode(errors="replace"))
            usage = _usage(payload) or Usage.of_texts(sent, answered)
            return replace(entry, prompt=usage.prompt, completion=usage.completion)
        finally:
            await self.spending.settle(worst, usage)

    async def _call_timed(self, call: Awaitable[dict[str, Any]]) -> dict[str, Any]:
        """A call with an end; what went wrong, in our words."""
        try:
            return await asyncio.wait_for(call, self.config.timeout)
        except TimeoutError as exc:
            raise _ServerFault(f"no answer within {self.config.timeout:g} s") from exc
        except (HumobError, _ServerFault, _RefusedError, _FilteredError, CallError):
            raise
        except ResponseError as exc:
            raise _ServerFault(str(exc)) from exc
        except Exception as exc:  # the HTTP library's own, whose names depend on its version
            said = tidy(self.key.hide(repr(exc), short=True), 120)
            if "Read" in type(exc).__name__ or "Protocol" in type(exc).__name__:
                raise _ServerFault(f"an answer that broke off ({said})") from exc
            raise _ServerFault(f"{self.config.server}: no connection ({said})") from exc

    async def _post(self, ask: Ask, dialect: Dialect, seed: int) -> dict[str, Any]:
        config = self.config
        body = dialect.request(
            ask, temperature=config.temperature, tokens=config.answer_tokens, seed=seed
        )
        return await self._send("chat/completions", body)

    async def _send(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """What comes back for a request to this model."""
        whole = {"model": self.config.model, **body, **self.config.extra_body}
        response = await self._connection.post(path, whole)
        if not 200 <= response.status < 300:
            raise self._status_fault(response)
        return response.payload()

    def _status_fault(self, response: Response) -> Exception:
        status = response.status
        said = tidy(self.key.hide(words_of(response.body), short=True), 200)
        place = f"{self.config.server}: {status}: {said or 'no message'}"
        if status == 402 or out_of_quota(response.body):
            return self._stop(place)
        if status in _FATAL:
            hint = f"; is {KEY_VARIABLE} right?" if status in (401, 403) else ""
            hint = hint or "; are --model and --base-url right?"
            return HumobError(f"{place}{hint}")
        if is_filtered(response.body):
            return _FilteredError(said)
        passing = status in (408, 409, 429) or status >= 500
        if not passing or (status >= 500 and refuses_system_turn(said)):  # by a chat template
            return _RefusedError(place)
        wait = asked_wait(response, clock.now())
        if wait is not None and wait > LONGEST_ASKED:
            return self._stop(f"{place}; it asks to wait {wait:,.0f} s")
        return _ServerFault(place, wait=wait, plainer=status >= 500, limited=status == 429)

    def _stop(self, place: str) -> CallError:
        self.spending.stop(f"not asked: the server refuses more requests ({place})")
        return CallError(place)

    def _reply(self, payload: dict[str, Any]) -> JournalEntry:
        """What the model said, and why it is not an answer, if it is none."""
        try:
            choice = payload["choices"][0]
            said = choice["message"]
            content, refusal = said.get("content"), said.get("refusal")
        except (KeyError, IndexError, TypeError, AttributeError) as exc:
            words = words_of(json.dumps(payload.get("error") or "").encode())
            text = tidy(self.key.hide(words, short=True), 200)
            raise _ServerFault(text.strip('"') or "a response without choices") from exc
        if isinstance(refusal, str) and refusal.strip():
            return JournalEntry("", f"a refusal ({tidy(self.key.hide(refusal), 100)})")
        end = tidy(self.key.hide(str(choice.get("finish_reason"))), 40)
        reply = self.key.hide(text_of(content))
        if not reply.strip():
            fault = f"an empty reply (finish reason {end})"
            if end == "length" or said.get("reasoning_content") or said.get("reasoning"):
                fault = f"{fault}: reasoning used all tokens; raise --answer-tokens"
            return JournalEntry("", fault)
        return JournalEntry(reply, cut=end == "length")


def text_of(content: object) -> str:
    """The text of a message: as it is, or the parts of a list that are text and no thinking."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict) and _is_text(part)]
    return "".join(text for text in texts if isinstance(text, str))


def _is_text(part: dict[str, Any]) -> bool:
    return part.get("type", "text") in ("text", "output_text")


def _waiting(failed: int, fault: _ServerFault, seed: int, retries: int) -> float:
    """Seconds to wait; questions wait a little differently, so as not to return all at once."""
    spread = (seed % 997) / 997
    if fault.wait is not None:
        return fault.wait + spread * min(fault.wait, FIRST_WAIT)
    if fault.limited:
        part = 2.0**failed / (2.0 ** min(retries, 30) - 1)
        return max(A_MINUTE * part, FIRST_WAIT) * (1 + spread / 2)
    return min(FIRST_WAIT * 2.0 ** min(failed, 10) * (0.5 + spread), LONGEST_WAIT)


def _usage(payload: dict[str, Any]) -> Usage | None:
    """Tokens as the server counted them, if it did."""
    found = payload.get("usage")
    if not isinstance(found, dict):
        return None
    prompt, completion = (
        _count(found.get(name)) for name in ("prompt_tokens", "completion_tokens")
    )
    return None if prompt is None or completion is None else Usage(prompt, completion)


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else None

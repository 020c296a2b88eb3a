"""One question to a server: retries, limits, and what of a reply is believed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import openai

from humobctl.errors import HumobError
from humobctl.llm.json_reply import tidy
from humobctl.llm.question import Ask
from humobctl.llm.server.budget import Spending, Usage
from humobctl.llm.server.capabilities import Dialect
from humobctl.llm.server.config import KEY_VARIABLE, OpenAIConfig, Secret
from humobctl.llm.server.journal import JournalEntry

MOST_BYTES = 2 << 20
"""Of one response; what is longer is not read on."""
MOST_TOKENS = 10_000_000
"""Of one call, as a server reports them; more is not believed."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds before a retry; doubled each time. A server's Retry-After is kept up to the longest."""

_FATAL = (401, 403, 404)
_QUOTA = ("insufficient_quota", "billing_hard_limit_reached", "insufficient_balance")


class CallError(Exception):
    """Why a question got no reply, in one line."""


class _ServerFault(Exception):  # noqa: N818 - passed on as a CallError when retries are used up
    """A fault of the server that may pass.

    Args:
        reason: in words.
        wait: seconds that the server asked for, if it did.
        plainer: whether a plainer request may help.
    """

    def __init__(self, reason: str, *, wait: float | None = None, plainer: bool = False) -> None:
        self.wait, self.plainer = wait, plainer
        super().__init__(reason)


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
        # Servers without keys get one all the same: the library insists on one.
        self._sdk = openai.AsyncOpenAI(
            api_key=self.key.reveal() or "none",
            base_url=self.config.base_url,
            max_retries=0,
            timeout=self.config.timeout,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._sdk.close()

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
        failed = 0
        while failed <= self.config.retries:
            if fault is not None:
                self.retries += 1
                await asyncio.sleep(_waiting(failed - 1, fault.wait, seed))
            used = self.dialect
            try:
                entry = await self._limited(ask, used, seed)
            except _ServerFault as exc:
                fault, failed = exc, failed + 1
                if failed > self.config.retries and exc.plainer and self._step(used, None):
                    failed = 0
                continue
            except _RefusedError as exc:
                if not self._step(used, str(exc)):
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
        lowered = used.plainer() if said is None else used.lowered(said)
        self.dialect = lowered or used
        return lowered is not None

    async def _limited(self, ask: Ask, dialect: Dialect, seed: int) -> JournalEntry:
        """One call that fits the limits."""
        sent = len(json.dumps(ask.messages).encode())
        worst = Usage(Usage.of_texts(sent, 0).prompt, self.config.answer_tokens)
        await self.spending.reserve(worst)
        usage: Usage | None = None
        try:
            payload = await self._timed(self._post(ask, dialect, seed))
            reply, fault = self._reply(payload)
            usage = _usage(payload) or Usage.of_texts(sent, len(reply.encode(errors="replace")))
            return JournalEntry(reply, fault, usage.prompt, usage.completion)
        finally:
            await self.spending.settle(worst, usage)

    async def _timed(self, call: Awaitable[dict[str, Any]]) -> dict[str, Any]:
        """A call with an end; what went wrong, in our words."""
        try:
            return await asyncio.wait_for(call, self.config.timeout)
        except (TimeoutError, openai.APITimeoutError) as exc:
            raise _ServerFault(f"no answer within {self.config.timeout:g} s") from exc
        except openai.APIStatusError as exc:
            # Not "from exc": --verbose shows causes, and this one says what the server said.
            raise self._status_fault(exc) from None
        except openai.APIConnectionError as exc:
            said = tidy(self.key.hide(repr(exc.__cause__ or exc)), 120)
            raise _ServerFault(f"{self.config.server}: no connection ({said})") from exc
        except (openai.OpenAIError, json.JSONDecodeError, UnicodeDecodeError) as exc:
            raise _ServerFault(f"a response that is no JSON ({type(exc).__name__})") from exc

    async def _post(self, ask: Ask, dialect: Dialect, seed: int) -> dict[str, Any]:
        config = self.config
        body = dialect.request(
            ask, temperature=config.temperature, tokens=config.answer_tokens, seed=seed
        )
        return await self._read(self._sdk.chat.completions.with_streaming_response.create, body)

    async def _read(self, create: Callable[..., Any], body: dict[str, Any]) -> dict[str, Any]:
        """The response to a request, as far as its size is believed."""
        content = bytearray()
        async with create(model=self.config.model, **body) as response:
            try:
                async for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > MOST_BYTES:
                        raise _ServerFault(f"a response of more than {MOST_BYTES >> 20} MB")
            except (openai.OpenAIError, _ServerFault):
                raise
            except Exception as exc:  # the HTTP library's own, whose name depends on its version
                raise _ServerFault(f"an answer that broke off ({type(exc).__name__})") from exc
        try:
            payload = json.loads(bytes(content))
        except RecursionError as exc:
            raise _ServerFault("a response that is nested too deeply") from exc
        if not isinstance(payload, dict):
            raise _ServerFault("a response that is no JSON object")
        return payload

    def _status_fault(self, exc: openai.APIStatusError) -> Exception:
        status = exc.status_code
        said = tidy(self.key.hide(str(exc.message)), 200)
        place = f"{self.config.server}: {status}: {said}"
        if status in _FATAL:
            hint = f"; is {KEY_VARIABLE} right?" if status in (401, 403) else ""
            hint = hint or "; are --model and --base-url right?"
            return HumobError(f"{place}{hint}")
        if status == 402 or (status == 429 and _out_of_quota(exc)):
            self.spending.stop(f"not asked: the server takes no more ({place})")
            return CallError(place)
        if status in (408, 409, 429) or status >= 500:
            return _ServerFault(place, wait=_retry_after(exc), plainer=status >= 500)
        return _RefusedError(place)

    def _reply(self, payload: dict[str, Any]) -> tuple[str, str]:
        """What the model said, and why it is no answer, if it is none."""
        try:
            choice = payload["choices"][0]
            said = choice["message"]
            content, refusal = said.get("content"), said.get("refusal")
        except (KeyError, IndexError, TypeError, AttributeError) as exc:
            error = payload.get("error")
            text = tidy(self.key.hide(str(error)), 200) if error else "a response without choices"
            raise _ServerFault(text) from exc
        if isinstance(refusal, str) and refusal.strip():
            return "", f"a refusal ({tidy(self.key.hide(refusal), 100)})"
        reply = self.key.hide(content) if isinstance(content, str) else ""
        if not reply.strip():
            end = tidy(self.key.hide(str(choice.get("finish_reason"))), 40)
            return "", f"an empty reply (finish reason {end})"
        return reply, ""


class _RefusedError(Exception):
    """A request that the server will not take as it is."""


def _out_of_quota(exc: openai.APIStatusError) -> bool:
    said = f"{exc.code} {exc.type} {exc.message}"
    return any(word in said for word in _QUOTA)


def _retry_after(exc: openai.APIStatusError) -> float | None:
    try:
        wait = float(exc.response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return wait if wait >= 0 else None  # no NaN, either


def _waiting(failed: int, asked: float | None, seed: int) -> float:
    """Seconds to wait; questions wait a little differently, so as not to return all at once."""
    doubled = FIRST_WAIT * 2.0 ** min(failed, 10) * (0.5 + (seed % 997) / 997)
    return min(max(doubled, asked or 0.0), LONGEST_WAIT)


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

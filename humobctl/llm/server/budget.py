"""What a run used and what it cost, and the limits that it keeps."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

BYTES_PER_TOKEN = 2.5
"""For a bound on the tokens of a text before it is sent; English has about 4."""
MILLION = 1_000_000


class SpentError(Exception):
    """No further question is asked: why, in words."""


@dataclass(frozen=True)
class Usage:
    """Tokens of one call.

    Attributes:
        prompt: sent.
        completion: answered.
        estimated: whether the server did not say, so that they were estimated from the texts.
    """

    prompt: int = 0
    completion: int = 0
    estimated: bool = False

    @property
    def total(self) -> int:
        """Both."""
        return self.prompt + self.completion

    @staticmethod
    def of_texts(sent: int, answered: int) -> Usage:
        """Estimated from bytes sent and answered."""
        return Usage(int(sent / BYTES_PER_TOKEN) + 1, int(answered / BYTES_PER_TOKEN) + 1, True)


FIRST_GUESS = Usage(9_000, 3_000)
"""Tokens of a conversation, as long as none has ended: too much rather than too little."""


@dataclass
class Spending:
    """Counts tokens and keeps the limits: a call is let through when even its worst case fits.

    Where a limit is near, a conversation waits until those begun before it have ended: half a
    conversation costs and comes to nothing.

    Attributes:
        price_input: of a million tokens sent.
        price_output: of a million tokens answered.
        max_cost: limit, in the same money.
        max_tokens: limit.
        stopped: why no further question is asked, once that is so.
    """

    price_input: float | None = None
    price_output: float | None = None
    max_cost: float | None = None
    max_tokens: int | None = None
    stopped: str | None = None
    calls: int = 0
    prompt: int = 0
    completion: int = 0
    estimated_calls: int = 0
    _reserved: list[Usage] = field(default_factory=list)
    _talks: int = 0
    _ended: Usage = field(default_factory=Usage)
    _ended_count: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def cost(self, prompt: int, completion: int) -> float:
        """Money for so many tokens; 0 without prices."""
        price_in, price_out = self.price_input or 0.0, self.price_output or 0.0
        return (prompt * price_in + completion * price_out) / MILLION

    def stop(self, reason: str) -> None:
        """Ask no further question; the first reason stays."""
        self.stopped = self.stopped or reason

    async def enter(self) -> None:
        """Wait until a conversation fits beside those under way; alone, it may try."""
        async with self._changed:
            while self._talks and self.stopped is None and not self._has_room():
                await self._changed.wait()
            self._talks += 1

    async def leave(self, used: Usage) -> None:
        """End a conversation that used so many tokens."""
        async with self._changed:
            self._talks -= 1
            if used.total:
                self._ended_count += 1
                prompt = self._ended.prompt + used.prompt
                self._ended = Usage(prompt, self._ended.completion + used.completion)
            self._changed.notify_all()

    def _has_room(self) -> bool:
        """Whether the conversations under way and one more are likely to end within the limits."""
        typical = FIRST_GUESS
        if self._ended_count:
            count = self._ended_count
            typical = Usage(self._ended.prompt // count, self._ended.completion // count)
        talks = self._talks + 1
        return self._limit([Usage(talks * typical.prompt, talks * typical.completion)]) is None

    async def reserve(self, worst: Usage) -> None:
        """Wait until the call fits beside those under way.

        Raises:
            SpentError: it does not fit any more, or all is stopped.
        """
        async with self._changed:
            while self.stopped is None and (limit := self._limit([*self._reserved, worst])):
                if not self._reserved:
                    self.stop(f"not asked: {limit} would be exceeded")
                    break
                await self._changed.wait()
            if self.stopped is not None:
                raise SpentError(self.stopped)
            self._reserved.append(worst)

    async def settle(self, worst: Usage, used: Usage | None) -> None:
        """Give the reserved tokens back, and count those that were used."""
        async with self._changed:
            self._reserved.remove(worst)
            if used is not None:
                self.calls += 1
                self.prompt += used.prompt
                self.completion += used.completion
                self.estimated_calls += used.estimated
            self._changed.notify_all()

    def _limit(self, more: list[Usage]) -> str | None:
        """The limit that so much more might pass."""
        prompt = self.prompt + sum(usage.prompt for usage in more)
        completion = self.completion + sum(usage.completion for usage in more)
        if self.max_tokens is not None and prompt + completion > self.max_tokens:
            return f"--max-tokens-total {self.max_tokens}"
        if self.max_cost is not None and self.cost(prompt, completion) > self.max_cost:
            return f"--max-cost {self.max_cost:g}"
        return None

    def summary(self) -> dict[str, Any]:
        """For the report."""
        priced = self.price_input is not None or self.price_output is not None
        tokens = {
            "prompt": self.prompt,
            "completion": self.completion,
            "total": self.prompt + self.completion,
            "estimated_calls": self.estimated_calls,
        }
        cost = round(self.cost(self.prompt, self.completion), 6) if priced else None
        return {"calls": self.calls, "tokens": tokens, "cost": cost, "stopped": self.stopped}

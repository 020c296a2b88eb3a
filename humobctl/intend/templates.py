"""Conversations in, plans out: people of the same attributes share conversations.

CoPB saves 97.7 % of the tokens by planning for kinds of people rather than for people. Here the
first ``plans_per_template`` plans of a kind (attributes and weekday) share a conversation, the next
ones the next, and so on; all but the first of them are jittered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from humobctl.intend.backends.base import Failure, Request
from humobctl.intend.chain import ChainError, DayConversation
from humobctl.intend.day_plan import DayPlan, Event
from humobctl.tables.keyed_random import uniforms

JITTER_MINUTES = 10
"""An event's end moves by up to so much, as in CoPB's published code."""
MOST_WAITING = 4096
"""Plans that are held while those before them are not done."""
_JITTER = 0x6A6974746572
"""Keeps these draws apart from others."""

Kind = tuple[tuple[str, str, str, str], int]


@dataclass
class Talk:
    """A conversation under way, and how it ended.

    Attributes:
        chain: the conversation.
        uid: of the first person it is for.
        d: that person's day.
        sample: number among the conversations about the same kind of person and day.
        seed: of the run.
        calls: questions that were asked, from the journal or not.
        events: the day, when it is full.
        fault: why there will be none.
    """

    chain: DayConversation
    uid: int
    d: int
    sample: int
    seed: int
    calls: int = 0
    events: tuple[Event, ...] | None = None
    fault: str | None = None

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.events is not None or self.fault is not None

    def close(self) -> None:
        """End it, if its day is full."""
        if self.chain.full and not self.done:
            try:
                self.events = self.chain.events()
            except ChainError as exc:
                self.fault = str(exc)


class Talker(Protocol):
    """What holds conversations, several at a time."""

    capacity: int

    def begin(self, talk: Talk) -> None:
        """Take on a conversation."""
        ...

    def step(self) -> list[Talk]:
        """Continue with those begun; those that ended."""
        ...


@dataclass
class Sharing:
    """Gives each request its conversation.

    Attributes:
        plans_per_template: plans that share one.
        shared: plans that needed none of their own.
        calls_saved: questions that those did not ask.
        ended: conversations that ended in a plan.
        failed: conversations that did not.
    """

    plans_per_template: int = 1
    shared: int = 0
    calls_saved: int = 0
    ended: int = 0
    failed: int = 0
    _open: dict[Kind, tuple[Talk, int]] = field(default_factory=dict)

    def plans(self, requests: Iterable[Request], talker: Talker) -> Iterator[DayPlan | Failure]:
        """One answer for each request, in their order."""
        stream, active = iter(requests), 0
        waiting: deque[tuple[Request, Talk, int]] = deque()
        exhausted = False
        while waiting or not exhausted or active:
            while not exhausted and active < talker.capacity and len(waiting) < MOST_WAITING:
                request = next(stream, None)
                if request is None:
                    exhausted = True
                    break
                talk, rank = self._assign(request)
                waiting.append((request, talk, rank))
                if rank == 0:
                    talker.begin(talk)
                    active += 1
            # Conversations may have ended that the talker has not given back yet.
            if active and not (waiting and waiting[0][1].done):
                for talk in talker.step():
                    active -= 1
                    self.ended += talk.fault is None
                    self.failed += talk.fault is not None
            while waiting and waiting[0][1].done:
                yield self._answer(*waiting.popleft())

    def _assign(self, request: Request) -> tuple[Talk, int]:
        """The conversation for a request, and how many plans it has served before."""
        kind = (request.person.key, request.weekday)
        talk, used = self._open.get(kind, (None, 0))
        if talk is None or used == self.plans_per_template:
            sample = talk.sample + 1 if talk is not None else 0
            chain = DayConversation(request.person, request.weekday, request.without)
            talk = Talk(chain, request.person.uid, request.d, sample, request.seed)
            used = 0
        self._open[kind] = (talk, used + 1)
        return talk, used

    def _answer(self, request: Request, talk: Talk, rank: int) -> DayPlan | Failure:
        uid, d = request.person.uid, request.d
        if rank:
            self.shared += 1
            self.calls_saved += talk.calls
        if talk.events is None:
            return Failure(uid, d, talk.fault or "no plan")
        events = jitter(talk.events, request.seed, uid, d) if rank else talk.events
        return DayPlan(uid, d, events)

    def summary(self) -> dict[str, Any]:
        """For the report."""
        return {
            "plans_per_template": self.plans_per_template,
            "conversations": self.ended + self.failed,
            "conversations_failed": self.failed,
            "plans_shared": self.shared,
            "calls_saved": self.calls_saved,
        }


def jitter(events: tuple[Event, ...], seed: int, uid: int, d: int) -> tuple[Event, ...]:
    """A valid day like this one: the same events and travel times, other moments.

    The end of each event but the last moves by up to ``JITTER_MINUTES``, and the start of the next
    one with it; no event loses more than half of its minutes on either side.
    """
    draws = uniforms(max(len(events) - 1, 1), seed, uid, d, _JITTER)[0]
    moved = list(events)
    for number, draw in enumerate(draws[: len(events) - 1]):
        before, after = events[number], events[number + 1]
        most = min(JITTER_MINUTES, (before.minutes - 1) // 2, (after.minutes - 1) // 2)
        by = int(draw * (2 * most + 1)) - most
        moved[number] = replace(moved[number], end_min=before.end_min + by)
        moved[number + 1] = replace(moved[number + 1], start_min=after.start_min + by)
    return tuple(moved)

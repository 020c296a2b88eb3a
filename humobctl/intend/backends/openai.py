"""The ``openai`` backend: conversations with a server, several at a time, kept in a journal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

from humobctl.console import report, signals
from humobctl.console.words import pluralize
from humobctl.extras import require
from humobctl.intend.backends.base import BackendSettings, Failure, Request
from humobctl.intend.chain import ChainError
from humobctl.intend.day_plan import DayPlan
from humobctl.intend.distill import Recorder
from humobctl.intend.prompts import VERSION
from humobctl.intend.templates import Sharing, Talk
from humobctl.llm.question import Ask, digest
from humobctl.llm.server.budget import Spending, SpentError, Usage
from humobctl.llm.server.config import OpenAIConfig, Secret, key_for, make_config
from humobctl.llm.server.journal import Journal, JournalEntry

MOST_SERVER_FAILURES = 10
"""Conversations in a row (or as many as are held at once) that the server may fail."""
MOST_BAD_TALKS = 100
"""Conversations in a row that may come to no plan; a model that cannot do it costs all the same."""


def make(settings: BackendSettings, options: dict[str, Any]) -> Served:
    """The backend; the server is not asked yet.

    Raises:
        UsageError: options that do not go together.
        HumobError: no key, no ``openai`` package, or the journal cannot be used.
    """
    options = dict(options)
    journal, record = options.pop("journal", None), options.pop("recorder", None)
    config = make_config(options)
    key = key_for(config)
    require("openai", "--backend openai")  # said before anything is opened
    kept = Journal(journal) if journal is not None else None
    if kept is not None and kept.found:
        report.detail(f"{kept.path}: {pluralize(kept.found, 'answer')} of earlier runs")
    return Served(config, key, kept, record)


class Served:
    """Plans from an OpenAI-compatible server.

    Args:
        config: of the backend.
        key: for the server.
        journal: answers of earlier runs, and where those of this run go; None for nowhere.
        record: where conversations that came to a plan go; None for nowhere.
    """

    def __init__(
        self,
        config: OpenAIConfig,
        key: Secret,
        journal: Journal | None = None,
        record: Recorder | None = None,
    ) -> None:
        from humobctl.llm.server.client import Client  # noqa: PLC0415 - imports openai

        self.config, self.capacity = config, config.concurrency
        self._journal, self._record = journal, record
        self._sharing = Sharing(config.plans_per_template)
        self._spending = Spending(
            config.price_input, config.price_output, config.max_cost, config.max_tokens_total
        )
        self._client = Client(config, key, self._spending)
        self._tasks: dict[asyncio.Task[None], Talk] = {}
        self._from_journal = self._asked_again = self._failed_in_a_row = 0

    def plans(self, requests: Iterable[Request]) -> Iterator[DayPlan | Failure]:
        """One answer for each request, in their order."""
        self._loop = asyncio.new_event_loop()
        try:
            with signals.last_words(self._tell_kept):
                yield from self._sharing.plans(requests, self)
            self._tell()
        finally:
            self._close()

    def _tell_kept(self) -> str:
        if self._journal is None:
            return "interrupted; nothing is kept, as standard output has no journal"
        return f"{self._journal.path}: interrupted; the answers are kept, the same command goes on"

    def begin(self, talk: Talk) -> None:
        """Take on a conversation."""
        self._tasks[self._loop.create_task(self._hold(talk))] = talk

    def step(self) -> list[Talk]:
        """Wait until a conversation ends."""
        ended, _ = self._loop.run_until_complete(
            asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        )
        errors = [error for task in ended if (error := task.exception()) is not None]
        if errors:  # what makes all further questions useless
            raise errors[0]
        return [self._tasks.pop(task) for task in ended]

    async def _hold(self, talk: Talk) -> None:
        from humobctl.llm.server.client import CallError  # noqa: PLC0415

        paid = Usage()
        await self._spending.enter()
        try:
            while (ask := talk.chain.ask) is not None:
                entry, used = await self._answer(ask, talk)
                paid = Usage(paid.prompt + used.prompt, paid.completion + used.completion)
                talk.calls += 1
                if entry.fault:
                    talk.chain.refuse(entry.fault)
                else:
                    talk.chain.take(entry.reply, cut=entry.cut)
                following = talk.chain.ask
                self._asked_again += following is not None and following.tries > 0
            self._failed_in_a_row = 0
            talk.close()
        except SpentError as exc:
            talk.fault = str(exc)
        except ChainError as exc:
            talk.fault = str(exc)
            self._count_failure(str(exc), MOST_BAD_TALKS)
        except CallError as exc:
            talk.fault = str(exc)
            self._count_failure(str(exc), MOST_SERVER_FAILURES)
        finally:
            await self._spending.leave(paid)
        if talk.events is not None and self._record is not None:
            self._record.add(talk.chain, talk.uid, talk.d)

    def _count_failure(self, reason: str, most: int) -> None:
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= max(most, self.capacity):
            self._spending.stop(
                f"not asked: {self._failed_in_a_row} plans failed in a row; the last: {reason}"
            )

    async def _answer(self, ask: Ask, talk: Talk) -> tuple[JournalEntry, Usage]:
        """The reply to a question, from the journal where it has one, and what it cost now."""
        config = self.config
        extra = {"extra_body": config.extra_body} if config.extra_body else {}
        name = digest(
            {
                **extra,
                "server": config.base_url,
                "model": config.model,
                "temperature": config.temperature,
                "tokens": config.answer_tokens,
                "seed": talk.seed,
                "sample": talk.sample,
                "tries": ask.tries,
                "messages": ask.messages,
            }
        )
        kept = self._journal.get(name) if self._journal is not None else None
        if kept is not None:
            self._from_journal += 1
            return kept, Usage()
        entry = await self._client.ask(ask, int(name[:7], 16))
        if self._journal is not None:
            about = {"model": config.model, "prompts": VERSION, "ask": ask.name}
            self._journal.put(name, entry, **about)
        return entry, Usage(entry.prompt, entry.completion)

    def _tell(self) -> None:
        """Sum up for people."""
        spent = self._spending.summary()
        cost = "" if spent["cost"] is None else f", cost {spent['cost']:g}"
        saved = self._sharing.calls_saved
        report.info(
            f"{pluralize(spent['calls'], 'call')}, {spent['tokens']['total']:,} tokens{cost}"
            f"; {pluralize(self._from_journal, 'answer')} from the journal"
            f"; {pluralize(saved, 'call')} saved by shared templates"
        )
        if self._spending.stopped is not None:
            report.warn(f"stopped early: {self._spending.stopped.removeprefix('not asked: ')}")

    def _close(self) -> None:
        try:
            self._loop.run_until_complete(self._end())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()
            if self._journal is not None:
                self._journal.close()

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()

    def summary(self) -> dict[str, Any]:
        """What the report says of the run; no key in it."""
        config = self.config
        return {
            "backend": "openai",
            "server": config.server,
            "model": config.model,
            "prompts": VERSION,
            "structured_outputs": self._client.dialect.structure,
            **self._spending.summary(),
            "calls_from_journal": self._from_journal,
            "calls_retried": self._client.retries,
            "asked_again": self._asked_again,
            **self._sharing.summary(),
            "journal": self._journal.path if self._journal is not None else None,
        }

"""Instruction-tuning records: what a small model learns from, to plan days by itself.

One line of JSON a decision. ``messages`` is the conversation up to the decision and the answer, as
chat templates take it; profile, context, chain and decision are the same in fields. A conversation
that several people share is written once.

The planner holds no conversation: its records ask for decisions alone, and their reasons say which
part of the chain spoke for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import IO, Any, Literal

import polars as pl

from humobctl.errors import UsageError
from humobctl.intend.backends.base import (
    PARTS,
    WEEKDAYS,
    Backend,
    BackendEntry,
    BackendSettings,
    Person,
    TableBackend,
)
from humobctl.intend.chain import ChainStep, DayConversation
from humobctl.intend.day_plan import Event, clock
from humobctl.intend.population import persons
from humobctl.intend.prompts import VERSION
from humobctl.io.streams import STANDARD, clear_os_errors, whole_file
from humobctl.llm.question import message

FORMAT = "humobctl-intention-1"
RecordForm = Literal["messages", "alpaca", "sharegpt"]


def records(chain: DayConversation, uid: int, d: int) -> Iterator[dict[str, Any]]:
    """The records of a conversation that came to a plan."""
    for number, step in enumerate(chain.steps):
        yield {
            "format": FORMAT,
            "prompts": VERSION,
            "uid": uid,
            "d": d,
            "step": number,
            "profile": _profile(chain.person),
            "context": _context(chain, step),
            "chain": _reasoning(chain, step),
            "decision": step.decision.model_dump(exclude={"ranking"}),
            "messages": [
                *step.messages,
                message("assistant", step.decision.model_dump_json()),
            ],
        }


def in_form(record: dict[str, Any], form: RecordForm) -> dict[str, Any]:
    """A record as other trainers read it: LLaMA-Factory's alpaca and ShareGPT forms have no fields.

    Args:
        record: see ``records``.
        form: of what comes back; messages for the record itself.
    """
    if form == "messages":
        return record
    turns = record["messages"]
    system = {"system": turns[0]["content"]} if turns[0]["role"] == "system" else {}
    told = turns[len(system) :]
    key = {name: record[name] for name in ("uid", "d", "step")}
    if form == "sharegpt":
        names = {"user": "human", "assistant": "gpt"}
        said = [{"from": names[turn["role"]], "value": turn["content"]} for turn in told]
        return {**key, "conversations": said, **system}
    texts = [turn["content"] for turn in told]
    pairs = [list(pair) for pair in zip(texts[:-2:2], texts[1:-2:2], strict=True)]
    asked = {"instruction": texts[-2], "input": "", "output": texts[-1]}
    return {**key, **asked, **system, "history": pairs}


def _profile(person: Person) -> dict[str, str]:
    return {name: value for name, value in asdict(person).items() if isinstance(value, str)}


def _context(chain: DayConversation, step: ChainStep) -> dict[str, Any]:
    so_far = [
        {"intent": e.intent, "start_min": e.start_min, "end_min": e.end_min} for e in step.so_far
    ]
    return {"weekday": WEEKDAYS[chain.weekday], "now": clock(step.now), "so_far": so_far}


def _reasoning(chain: DayConversation, step: ChainStep) -> dict[str, Any]:
    parts: dict[str, Any] = {name: answer.model_dump() for name, answer in chain.answers.items()}
    return {**parts, "control": step.decision.ranked} if step.decision.ranked else parts


class Recorder:
    """Writes the records of conversations to an open file."""

    def __init__(self, file: IO[str], form: RecordForm = "messages") -> None:
        self._file, self._form, self.count = file, form, 0

    def add(self, chain: DayConversation, uid: int, d: int) -> None:
        """Write the records of a conversation that came to a plan."""
        for record in records(chain, uid, d):
            told = in_form(record, self._form)
            self._file.write(json.dumps(told, ensure_ascii=False) + "\n")
            self.count += 1


@contextmanager
def recorder(path: str | None, form: RecordForm = "messages") -> Iterator[Recorder | None]:
    """A recorder into a file that appears when the block ends well; None without a path.

    Raises:
        UsageError: standard output, which is for the table.
    """
    if path is None:
        yield None
        return
    if path == STANDARD:
        raise UsageError("--distill needs a file, expected a name other than -")
    with (
        whole_file(path) as place,
        clear_os_errors(path),
        place.open("w", encoding="utf-8") as file,
    ):
        yield Recorder(file, form)


class Recording:
    """A backend that makes tables, and records what it decides.

    Args:
        backend: makes them.
        recorder: gets the records.
        settings: of the run.
    """

    def __init__(
        self, backend: TableBackend, recorder: Recorder, settings: BackendSettings
    ) -> None:
        self._backend, self._recorder, self._settings = backend, recorder, settings

    def tables(self, people: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Those of the backend."""
        known = {person.uid: person for person in persons(people)}
        for table in self._backend.tables(people):
            columns = ("intent", "start_min", "end_min", "reason")
            for (uid, d), day in table.group_by(["uid", "d"], maintain_order=True):
                chain = DayConversation(known[uid], self._settings.weekday_of(d), frozenset(PARTS))
                for intent, start, end, reason in day.select(columns).iter_rows():
                    chain.follow(Event(intent, start, end, reason or ""))
                self._recorder.add(chain, uid, d)
            yield table

    def summary(self) -> dict[str, Any]:
        """That of the backend."""
        return self._backend.summary()


def make_recorded(
    entry: BackendEntry,
    settings: BackendSettings,
    options: dict[str, Any],
    recorder: Recorder | None,
) -> Backend | TableBackend:
    """A backend that records what it decides, if there is a recorder."""
    if recorder is None:
        return entry.make(settings, options)
    if "recorder" in entry.options:
        return entry.make(settings, {**options, "recorder": recorder})
    backend = entry.make(settings, options)
    return Recording(backend, recorder, settings) if isinstance(backend, TableBackend) else backend

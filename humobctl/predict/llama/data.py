"""Instruction records: what an adapter learns from, as text and as tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.errors import HumobError
from humobctl.io.run_record import fingerprint_of
from humobctl.llm.chat import conversation_text, require_chat_template
from humobctl.native import Int32s, Int64s
from humobctl.predict.base import UserHistory
from humobctl.predict.llama import template_compact, template_published
from humobctl.predict.llama.config import LlamaSettings, PromptShape
from humobctl.predict.llama.records import read_records
from humobctl.predict.llama.tokens import (
    Compact,
    Example,
    check_digits,
    conversation,
    pack,
    row_of,
)
from humobctl.predict.llama.users import PromptedUser, Source, read_people


@dataclass
class LlamaData:
    """What is learnt from.

    Attributes:
        tokenizer: of the model.
        train: examples.
        held: examples of people, or records, that validate.
        asked: the people behind ``held``, for the template ``compact``.
        shown: one record as text, for people.
        about: what ``run.json`` says of each file.
        dropped_days: days of history left out, as the record would have been too long.
        left_out: records that were too long even so.
    """

    tokenizer: Any
    train: list[Example] = field(default_factory=list)
    held: list[Example] = field(default_factory=list)
    asked: list[PromptedUser] = field(default_factory=list)
    shown: str = ""
    about: list[dict[str, Any]] = field(default_factory=list)
    dropped_days: int = 0
    left_out: int = 0

    def add(self, example: Example | None, *, validates: bool) -> None:
        """Take an example; None for one that is too long."""
        if example is None:
            self.left_out += 1
        else:
            (self.held if validates else self.train).append(example)

    def tell(self, most: int) -> None:
        """Say what did not fit."""
        if self.dropped_days:
            report.warn(
                f"dropped {pluralize(self.dropped_days, 'day')} of history, the oldest first, to "
                f"fit records into --max-length {most}"
            )
        if self.left_out:
            report.warn(
                f"left out {pluralize(self.left_out, 'record')} longer than --max-length {most}"
            )


class PackedRows:
    """Rows of examples: packed, or one each."""

    def __init__(self, examples: Sequence[Example], settings: LlamaSettings) -> None:
        self._examples = examples
        lengths = [len(example) for example in examples]
        alone = [[number] for number in range(len(lengths))]
        self.rows = pack(lengths, settings.max_length) if settings.packing else alone

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        """A row, as the network takes it."""
        return row_of([self._examples[i] for i in self.rows[number]])

    def answers(self, number: int) -> int:
        """Tokens of a row that its loss is divided by: transformers leaves out the first one."""
        return sum(self._examples[i].answers for i in self.rows[number]) - 1


def mobility(
    paths: Sequence[str], source: Source, settings: LlamaSettings, tokenizer: Any, name: str
) -> LlamaData:
    """Records of trajectories, by the template of the settings.

    Raises:
        HumobError: a file cannot be read, or the tokenizer cannot write the records.
    """
    found = LlamaData(tokenizer)
    people: list[PromptedUser] = []
    for path in paths:
        some, about = read_people(path, source, settings)
        people += some
        found.about.append(about)
    if settings.template == "compact":
        _compact(found, people, settings, Compact(tokenizer, settings.shape, name))
    else:
        check_digits(tokenizer, name)
        require_chat_template(tokenizer, name)
        _published_records(found, people, settings, tokenizer)
    if not found.train:
        raise HumobError(
            f"--max-length: found {settings.max_length}, in which no record fits, expected more"
        )
    return found


def _compact(
    found: LlamaData, people: list[PromptedUser], settings: LlamaSettings, tokens: Compact
) -> None:
    rng = np.random.default_rng(settings.seed)
    for one in people:
        prompt = template_compact.ask(one.user, one.city, settings.shape)
        letters = letters_of(prompt, one.truth, settings.shape)
        rows = np.arange(len(letters))
        if not one.validates:
            rows = np.sort(rng.permutation(rows)[: settings.questions])
        pairs = [(int(prompt.number[row]), int(letters[row])) for row in rows]
        example = tokens.example(prompt, pairs)
        while len(example) > settings.max_length and len(pairs) > 1:
            pairs = pairs[: len(pairs) // 2]
            example = tokens.example(prompt, pairs)
        if not found.shown and not one.validates:
            found.shown = text_of(prompt, pairs, settings)
        fits = len(example) <= settings.max_length
        found.add(example if fits else None, validates=one.validates)
        if one.validates:
            found.asked.append(one)


def letters_of(prompt: template_compact.Prompt, truth: Int32s, shape: PromptShape) -> Int64s:
    """The letter that answers each row, shape (r,)."""
    own = {(int(x), int(y)): int(n) for (x, y), n in zip(prompt.cells, prompt.letter, strict=True)}
    return np.array([own.get((int(x), int(y)), shape.letters) for x, y in truth], np.int64)


def text_of(
    prompt: template_compact.Prompt, pairs: Sequence[tuple[int, int]], settings: LlamaSettings
) -> str:
    """A record as text."""
    names = template_compact.names(settings.shape)
    lines = [f"{prompt.questions[number]} {names[letter]}" for number, letter in pairs]
    return prompt.profile + "".join(lines)


def _published_records(
    found: LlamaData, people: list[PromptedUser], settings: LlamaSettings, tokenizer: Any
) -> None:
    for one in people:
        answer = template_published.answer(
            one.user.target_d.tolist(), one.user.target_t.tolist(), one.truth
        )
        said = [*plain(tokenizer, answer), tokenizer.eos_token_id]
        room = settings.max_length - len(said)
        fitted = fit_history(one.user, tokenizer, room)
        example = None
        if fitted is not None:
            messages, ids, dropped = fitted
            found.dropped_days += dropped
            example = conversation(ids, said)
            if not found.shown:
                found.shown = shown_tokens(tokenizer, messages, answer)
        found.add(example, validates=one.validates)


def fit_history(
    user: UserHistory, tokenizer: Any, room: int
) -> tuple[list[dict[str, str]], list[int], int] | None:
    """The published messages with as many of the last days as there is room for, in tokens.

    Returns:
        Messages, tokens, and the number of days left out; None where not even the question fits.
    """
    days = list(template_published.history_days(user))
    low, high = 0, len(days)
    best: tuple[list[dict[str, str]], list[int], int] | None = None
    number = 0  # mostly, all fits
    while low < high:
        messages = template_published.messages(user, days[number])
        ids = plain(tokenizer, conversation_text(tokenizer, messages))
        if len(ids) <= room:
            best, high = (messages, ids, number), number
        else:
            low = number + 1
        number = (low + high) // 2
    return best


def shown_tokens(tokenizer: Any, messages: list[dict[str, str]], answer: str) -> str:
    """A conversation as the model sees it."""
    return conversation_text(tokenizer, messages) + answer


def plain(tokenizer: Any, text: str) -> list[int]:
    """Tokens of a text, with nothing put before or after."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def intention(
    paths: Sequence[str], settings: LlamaSettings, tokenizer: Any, name: str
) -> LlamaData:
    """Records of ``intend --distill``, or of one's own (``read_records``).

    Records of one person (``uid``) validate together.

    Raises:
        HumobError: a record cannot be read, or nothing is left to learn from.
    """
    require_chat_template(tokenizer, name)
    found = LlamaData(tokenizer)
    for path in paths:
        records = read_records(path)
        keys = [one.key or str(number) for number, one in enumerate(records)]
        order = np.random.default_rng(settings.seed).permutation(sorted(set(keys)))
        held = set(order[: round(settings.validation_fraction * len(order))].tolist())
        for key, one in zip(keys, records, strict=True):
            prompt = plain(tokenizer, conversation_text(tokenizer, one.messages[:-1]))
            answer = one.messages[-1]["content"]
            example = conversation(prompt, [*plain(tokenizer, answer), tokenizer.eos_token_id])
            fits = len(example) <= settings.max_length
            found.add(example if fits else None, validates=key in held)
            found.shown = found.shown or shown_tokens(tokenizer, one.messages[:-1], answer)
        about = {"file": Path(path).name, "records": len(records)}
        found.about.append({**about, "fingerprint": fingerprint_of(path)})
    if not found.train:
        raise HumobError(
            f"{', '.join(paths)}: found no record to learn from within --max-length "
            f"{settings.max_length}, expected some"
        )
    return found

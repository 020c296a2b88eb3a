"""From prompts to tokens: rows of examples that training packs and prediction shares.

An example is a prefix that all its questions see, and questions that do not see one another:

    ids        p p p p  q q q  q q q q
    block      0 0 0 0  1 1 1  2 2 2 2
    position   0 1 2 3  4 5 6  4 5 6 7
    label      - - - -  - - A  - - - C

``label`` is the token that is to follow. A conversation has no questions: all of it is block 0.

Shapes:  S tokens of a row, A answers of it, L letters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from humobctl.errors import HumobError
from humobctl.predict.llama.config import PromptShape
from humobctl.predict.llama.template_compact import Prompt, names

NONE = -100
"""The label of a token after which nothing is asked."""
Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Example:
    """Tokens of one record; each array of shape (S,)."""

    ids: Ints
    block: Ints
    position: Ints
    label: Ints

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def answers(self) -> int:
        """Tokens that are learnt."""
        return int((self.label != NONE).sum())


class Compact:
    """Tokens of compact prompts.

    Attributes:
        letters: the token of each possible answer, ``?`` last, shape (L + 1,).
    """

    def __init__(self, tokenizer: Any, shape: PromptShape, name: str) -> None:
        """Detect how a tokenizer encodes digits and letters.

        Raises:
            HumobError: it has no digits, or some letters are not a single token.
        """
        self._tokenizer, self.shape = tokenizer, shape
        check_digits(tokenizer, name)
        written = [self._plain(f" {letter}") for letter in names(shape)]
        lead = 0
        shortest = min(map(len, written))
        while lead < shortest and len({tuple(tokens[: lead + 1]) for tokens in written}) == 1:
            lead += 1
        last = [tokens[lead:] for tokens in written]
        if any(len(tokens) != 1 for tokens in last) or len({t[0] for t in last}) < len(last):
            bad = next((n for n, t in zip(names(shape), last, strict=True) if len(t) != 1), "A")
            raise HumobError(
                f"{name}: found a tokenizer that does not write ' {bad}' as a token of its own, "
                "expected letters to be single tokens; try --template llama3-8b-mob"
            )
        self._lead = written[0][:lead]
        self.letters = np.array([tokens[0] for tokens in last], np.int64)

    def _plain(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def profile(self, prompt: Prompt) -> list[int]:
        """Tokens of the shared text, with what the tokenizer puts before any text."""
        ids: list[int] = self._tokenizer(prompt.profile)["input_ids"]
        end = self._tokenizer.eos_token_id
        return ids[:-1] if ids and ids[-1] == end else ids

    def questions(self, prompt: Prompt) -> list[list[int]]:
        """Tokens of each question, up to where the answer's is to come."""
        if not prompt.questions:
            return []
        found = self._tokenizer(prompt.questions, add_special_tokens=False)["input_ids"]
        return [[*ids, *self._lead] for ids in found]

    def example(self, prompt: Prompt, rows: Sequence[tuple[int, int]]) -> Example:
        """An example of some questions and their answers.

        Args:
            prompt: of a person.
            rows: number of the question and of the letter that answers it.
        """
        profile, questions = self.profile(prompt), self.questions(prompt)
        parts = [questions[number] for number, _ in rows]
        return join(profile, parts, [int(self.letters[letter]) for _, letter in rows])


def check_digits(tokenizer: Any, name: str) -> None:
    """Refuse a tokenizer that loses digits.

    Raises:
        HumobError: cells cannot be told apart.
    """
    text = "0 1 2 3 4 5 6 7 8 9 84,199"
    back = tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"])
    if "".join(back.split()) != "".join(text.split()):
        raise HumobError(
            f"{name}: found a tokenizer without digits ({text!r} comes back as {back!r}), expected "
            "one that can write cells"
        )


def join(profile: Sequence[int], parts: Sequence[Sequence[int]], answers: Sequence[int]) -> Example:
    """An example of a prefix and of questions, each with a token as its answer."""
    size = len(profile) + sum(len(part) for part in parts)
    ids, block, position = (np.zeros(size, np.int32) for _ in range(3))
    example = Example(ids, block, position, np.full(size, NONE, np.int32))
    begin = len(profile)
    example.ids[:begin] = profile
    example.position[:begin] = np.arange(begin)
    for number, (part, answer) in enumerate(zip(parts, answers, strict=True), start=1):
        here = slice(begin, begin + len(part))
        example.ids[here] = part
        example.block[here] = number
        example.position[here] = np.arange(len(profile), len(profile) + len(part))
        begin += len(part)
        example.label[begin - 1] = answer
    return example


def conversation(prompt: Sequence[int], answer: Sequence[int]) -> Example:
    """An example of a prompt and the tokens that answer it, which alone are learnt."""
    ids = np.array([*prompt, *answer], np.int32)
    label = np.full(len(ids), NONE, np.int32)
    label[len(prompt) - 1 : len(ids) - 1] = answer
    return Example(ids, np.zeros_like(ids), np.arange(len(ids), dtype=np.int32), label)


def pack(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Examples that share a row, first fit from the longest; each row ascending.

    Args:
        lengths: tokens of each example.
        most: tokens of a row; an example that is longer has one of its own.
    """
    rows: list[list[int]] = []
    left: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        size = lengths[number]
        # Only the last rows have room worth looking for: earlier ones are full.
        place = next((r for r in range(max(0, len(rows) - 64), len(rows)) if left[r] >= size), None)
        if place is None:
            rows.append([])
            left.append(most)
            place = len(rows) - 1
        rows[place].append(number)
        left[place] -= size
    return [sorted(row) for row in rows]


def row_of(examples: Sequence[Example]) -> dict[str, Tensor]:
    """A row for a network, batch size 1: what each token sees, and what is asked.

    Returns:
        ``input_ids`` and ``position_ids`` (1, S), ``attention_mask`` (1, 1, S, S), true where a
        token sees another (left out for a single conversation, which is causal), ``logits_to_keep``
        (A,), the places after which something is asked, and ``labels`` (A,).
    """
    ids, block, position, label = (
        np.concatenate([getattr(e, name) for e in examples])
        for name in ("ids", "block", "position", "label")
    )
    asked = np.flatnonzero(label != NONE)
    row = {
        "input_ids": torch.from_numpy(ids.astype(np.int64))[None],
        "position_ids": torch.from_numpy(position.astype(np.int64))[None],
        "logits_to_keep": torch.from_numpy(asked),
        "labels": torch.from_numpy(label[asked].astype(np.int64)),
    }
    if len(examples) > 1 or block.any():
        number = np.repeat(np.arange(len(examples)), [len(e) for e in examples])
        row["attention_mask"] = visible(number, block, number, block).tril()[None, None]
    return row


def visible(number: Any, block: Any, other: Any, other_block: Any) -> Tensor:
    """Which tokens may see which, their order aside, shape (tokens, others).

    Args:
        number: example of each token that sees.
        block: its block.
        other: example of each token that is seen.
        other_block: its block.
    """
    same = number[:, None] == other[None, :]
    shared = (other_block[None, :] == 0) | (block[:, None] == other_block[None, :])
    return torch.from_numpy(same & shared)


def mean_tokens(examples: Iterable[Example]) -> tuple[float, float, int]:
    """Mean, 95th percentile and most tokens of some examples."""
    lengths = np.array([len(example) for example in examples])
    return float(lengths.mean()), float(np.percentile(lengths, 95)), int(lengths.max())

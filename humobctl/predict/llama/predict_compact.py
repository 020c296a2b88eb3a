"""Prediction with the template ``compact``: one letter a question, of many questions at once.

A person's profile goes through the network once; its keys and values stay. The questions follow in
chunks, packed side by side: each sees the profile and itself, so that they are as many independent
continuations of one prefix. Nothing is generated: the answer is the score of each letter after a
question, one forward pass for all of a chunk's. Equal questions are asked once. A few scores are
compared with a plain pass; a network in which they differ is asked question by question.

Shapes:  B people, P tokens of the longest profile, C tokens of a chunk, L letters, k cells, r rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import transformers
from torch import Tensor

from humobctl.console import report
from humobctl.errors import HumobError
from humobctl.llm.forward import UNFIT, Head, agree, context_of, masks, plain_scores
from humobctl.llm.load import Loaded, inference, past_name
from humobctl.native import Floats
from humobctl.predict.base import SlotDistributions, UserHistory, normalize
from humobctl.predict.city_profile import BatchPredictor, CityProfile
from humobctl.predict.llama.config import PromptShape
from humobctl.predict.llama.template_compact import Prompt, ask
from humobctl.predict.llama.tokens import Compact

CHUNK = 512
"""Tokens of a person's questions that go through the network together."""
_ALONE = "alone"
"""Noted of a model whose questions are asked one by one."""
NEIGHBOURS = 1e-3
"""Share of the eight cells around each own cell, where they are candidates."""


@dataclass
class TokenTally:
    """Tokens of a run.

    Attributes:
        prefilled: tokens that went through the network.
        generated: tokens that were chosen one after another.
        users: people.
        dropped_days: days of history that a context had no room for.
    """

    prefilled: int = 0
    generated: int = 0
    users: int = 0
    dropped_days: int = 0


class CompactPredictor(BatchPredictor):
    """Distributions over a person's own cells, from a language model.

    Attributes:
        tally: tokens so far.
    """

    def __init__(
        self,
        loaded: Loaded,
        city: CityProfile,
        shape: PromptShape,
        name: str,
        *,
        batch: int | None = None,
        bf16: bool = False,
        near: bool = False,
    ) -> None:
        """Take a model to use in one city.

        Args:
            loaded: the model and its tokenizer.
            city: weekdays and days off, and where people are who have no known row.
            shape: what a prompt shows, as the model was trained.
            name: of the model, for messages.
            batch: people at once; None for 1 on a CPU and 16 elsewhere.
            bf16: compute in bf16.
            near: make the cells around a person's own candidates, too.

        Raises:
            HumobError: the tokenizer cannot write the answers.
        """
        self.city, self.shape, self.near = city, shape, near
        self.tokens = Compact(loaded.tokenizer, shape, name)
        self.device = torch.device(loaded.device)
        self.batch_users = batch or (1 if loaded.device == "cpu" else 16)
        self.tally = TokenTally()
        self._bf16, self._loaded, self._name = bf16, loaded, name
        network = loaded.model
        causal = network.get_base_model() if hasattr(network, "get_base_model") else network
        self._causal, self._body = causal, causal.base_model
        self._head = Head(causal, self.tokens.letters.tolist())
        self._context = context_of(causal)
        self._pad = loaded.tokenizer.pad_token_id or loaded.tokenizer.eos_token_id or 0

    def of_known(self, users: list[UserHistory]) -> list[SlotDistributions]:
        """The answers to each user's questions, spread over cells."""
        prompts = [ask(user, self.city, self.shape) for user in users]
        scores = self.letter_scores(prompts)
        self.tally.users += len(users)
        return [
            spread(prompt, found, near=self.near)
            for prompt, found in zip(prompts, scores, strict=True)
        ]

    def letter_scores(self, prompts: Sequence[Prompt]) -> list[Floats]:
        """Log-probability of each letter as the answer to each question, shapes (questions, L + 1).

        Raises:
            HumobError: a prompt is longer than the model's context, or no memory is left.
        """
        if not prompts:
            return []
        profiles = [self.tokens.profile(prompt) for prompt in prompts]
        chunks = [_chunks(self.tokens.questions(prompt)) for prompt in prompts]
        longest = max(
            len(profile) + max((len(q) for chunk in some for q in chunk), default=0)
            for profile, some in zip(profiles, chunks, strict=True)
        )
        if longest > self._context:
            raise HumobError(
                f"--model: found a context of {self._context} tokens, expected {longest} or more; "
                "a compact prompt has fewer with fewer --letters"
            )
        with inference(self.device.type, len(prompts), bf16=self._bf16):
            return self._score_checked(profiles, chunks)

    def _score_checked(
        self, profiles: list[list[int]], chunks: list[list[list[list[int]]]]
    ) -> list[Floats]:
        """Scores by person, packed where that is shown to change nothing."""
        if _ALONE in self._loaded.compared:
            return [self._alone(*one) for one in zip(profiles, chunks, strict=True)]
        lengths = [
            len(profile) + max((len(q) for chunk in some for q in chunk), default=0)
            for profile, some in zip(profiles, chunks, strict=True)
        ]
        longest = int(np.argmax(lengths))
        is_new = self._loaded.is_new("packed", lengths[longest])
        try:
            found = self._score_packed(profiles, chunks)
        except UNFIT as exc:
            if not is_new or isinstance(exc, torch.OutOfMemoryError):
                raise
            same = False  # networks without attention have no place for our masks
        else:
            same = not is_new or self._is_plain(found[longest], profiles[longest], chunks[longest])
        if same:
            return found
        self._loaded.compared[_ALONE] = 1
        report.warn(
            f"{self._name}: its architecture ({self._loaded.architecture}) takes one question a "
            "pass, which takes many times longer"
        )
        return self._score_checked(profiles, chunks)

    def _is_plain(self, found: Floats, profile: list[int], chunks: list[list[list[int]]]) -> bool:
        """Whether the scores of the longest and of the last question are those of a plain pass."""
        questions = [question for chunk in chunks for question in chunk]
        longest = max(range(len(questions)), key=lambda i: len(questions[i]))
        return all(
            agree(self._causal, found[number], self._alone(profile, [[questions[number]]])[0])
            for number in {longest, len(questions) - 1}
        )

    def _alone(self, profile: list[int], chunks: list[list[list[int]]]) -> Floats:
        """Scores of one person's questions, each by a plain pass."""
        scores = []
        for question in (question for chunk in chunks for question in chunk):
            every = plain_scores(self._causal, [*profile, *question])
            letters = every[torch.from_numpy(self.tokens.letters).to(every.device)]
            scores.append(letters.log_softmax(0).double().cpu().numpy())
        return np.array(scores)

    def _score_packed(
        self, profiles: list[list[int]], chunks: list[list[list[list[int]]]]
    ) -> list[Floats]:
        order = sorted(range(len(profiles)), key=lambda i: -len(chunks[i]))
        found = self._scores([profiles[i] for i in order], [chunks[i] for i in order])
        return [found[order.index(i)] for i in range(len(profiles))]

    def _scores(
        self, profiles: list[list[int]], chunks: list[list[list[list[int]]]]
    ) -> list[Floats]:
        """Scores by person; the people come with the most chunks first."""
        ids, there = pad_right(profiles, self._pad)
        lengths, width = there.sum(dim=1), ids.shape[1]
        seen = (there[:, None, :] & torch.ones(width, width, dtype=torch.bool).tril())[:, None]
        # A token that is not there sees itself: a softmax over nothing is not a number.
        seen = seen | torch.eye(width, dtype=torch.bool)
        cache = transformers.DynamicCache()
        position = torch.arange(width).expand(len(profiles), -1)
        self._run(ids, position, position, seen, cache)
        self.tally.prefilled += int(lengths.sum())
        found: list[list[Floats]] = [[] for _ in profiles]
        for number in range(len(chunks[0]) if chunks else 0):
            active = sum(len(some) > number for some in chunks)
            if active < cache.layers[0].keys.shape[0]:
                cache.batch_select_indices(torch.arange(active, device=self.device))
            here = [chunks[row][number] for row in range(active)]
            states = self._chunk(here, lengths[:active], there[:active], cache)
            cache.crop(-(cache.get_seq_length() - width))
            for row, scores in enumerate(states):
                found[row].append(scores)
        return [np.concatenate(some) for some in found]

    def _chunk(
        self, questions: list[list[list[int]]], lengths: Tensor, there: Tensor, cache: object
    ) -> list[Floats]:
        """Scores of one chunk of each person's questions."""
        flats = [[token for question in some for token in question] for some in questions]
        ids, _ = pad_right(flats, self._pad)
        size = ids.shape[1]
        position = torch.zeros(len(questions), size, dtype=torch.long)
        block = -torch.ones(len(questions), size, dtype=torch.long)
        ends = []
        for row, (some, flat) in enumerate(zip(questions, flats, strict=True)):
            counts = torch.tensor([len(question) for question in some])
            steps = torch.cat([torch.arange(n) for n in counts.tolist()])
            position[row, : len(flat)] = steps + lengths[row]
            block[row, : len(flat)] = torch.repeat_interleave(torch.arange(len(some)), counts)
            ends.append(counts.cumsum(0) - 1)
            self.tally.prefilled += len(flat)
        earlier = torch.ones(size, size, dtype=torch.bool).tril()
        own = (block[:, :, None] == block[:, None, :]) & earlier
        shared = there[:, None, :].expand(-1, size, -1)
        seen = torch.cat([shared, own], dim=2)[:, None]
        before = torch.arange(there.shape[1]).expand(len(questions), -1)
        others = torch.cat([before, position], dim=1)
        states = self._run(ids, position, others, seen, cache)
        return [
            self._head(states[row, places.to(self.device)]).double().cpu().numpy()
            for row, places in enumerate(ends)
        ]

    def _run(
        self, ids: Tensor, position: Tensor, others: Tensor, seen: Tensor, cache: object
    ) -> Tensor:
        position, others, seen = (some.to(self.device) for some in (position, others, seen))
        out = self._body(
            input_ids=ids.to(self.device),
            position_ids=position,
            attention_mask=masks(self._causal, seen, position, others),
            use_cache=True,
            **{past_name(): cache},
        )
        states: Tensor = out.last_hidden_state
        return states


def pad_right(rows: Sequence[Sequence[int]], pad: int) -> tuple[Tensor, Tensor]:
    """Tokens with padding behind each row's, and which of them are there, shapes (B, longest)."""
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.full((len(rows), int(lengths.max())), pad)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.tensor(row, dtype=torch.long)
    return ids, torch.arange(ids.shape[1]) < lengths[:, None]


def _chunks(questions: list[list[int]]) -> list[list[list[int]]]:
    """Questions in chunks of about equal size, in their order."""
    total = sum(map(len, questions))
    count = max(1, -(-total // CHUNK))
    chunks: list[list[list[int]]] = [[] for _ in range(count)]
    done = 0
    for question in questions:
        chunks[min(count - 1, done * count // max(total, 1))].append(question)
        done += len(question)
    return [chunk for chunk in chunks if chunk]


def spread(prompt: Prompt, scores: Floats, *, near: bool) -> SlotDistributions:
    """Letters' scores as a distribution over cells.

    The share of ``?`` goes to the cells without a letter, by how like their records are to each
    row. A person who has none leaves it to the letters.

    Args:
        prompt: of a person.
        scores: log-probabilities by question, shape (questions, L + 1).
        near: whether the cells around the person's own are candidates, with a small share.
    """
    p = np.exp(scores)[prompt.number]
    letters = p.shape[1] - 1
    named = prompt.letter < letters
    shares = np.zeros((len(p), len(prompt.cells)))
    shares[:, named] = p[:, prompt.letter[named]]
    if not named.all():
        rest = prompt.weight[:, ~named]
        rest = rest / np.maximum(rest.sum(axis=1, keepdims=True), 1e-300)
        shares[:, ~named] = p[:, letters:] * rest
    found = SlotDistributions(prompt.cells, normalize(shares + 1e-12))
    return with_neighbours(found) if near else found


def with_neighbours(dist: SlotDistributions) -> SlotDistributions:
    """The distribution with a small share for the eight cells around each candidate."""
    steps = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)], np.int32)
    around = (dist.cells[:, None, :] + steps[None, :, :]).reshape(-1, 2)
    inside = ((around >= 1) & (around <= 200)).all(axis=1)
    cells, place = np.unique(around[inside], axis=0, return_inverse=True)
    source = np.repeat(np.arange(len(dist.cells)), len(steps))[inside]
    p = np.zeros((len(dist.p), len(cells)))
    np.add.at(p.T, place.reshape(-1), NEIGHBOURS * dist.p.T[source])
    middle = (around[inside] == dist.cells[source]).all(axis=1)
    np.add.at(p.T, place.reshape(-1)[middle], dist.p.T[source[middle]])
    return SlotDistributions(cells.astype(np.int32), normalize(p))

"""Prediction by a model behind an OpenAI-compatible server: vLLM, llama.cpp, and others.

Each question of the template ``compact`` is one completion of one token: profile and question are
the prompt, and the scores of the likeliest tokens come back. The profile is a prefix that all of a
person's questions share, which servers keep in their cache.

What is wanted are the scores of the letters alone. A grammar does not give them: llama.cpp and vLLM
tell scores from before it, so that the letters may not even be among the likeliest. llama.cpp is
asked to raise all letters alike before it samples, and for the scores after that; these are exact.
Other servers tell the likeliest tokens as they are: a letter that does not come back gets less than
the last one that does, which is good where the model says hardly anything but letters. Where the
letters hold less than half of the scores, the server is refused.

Answers are kept in a journal as they come, so that a killed run asks for none twice; the client
retries, waits and hides the key.
"""

from __future__ import annotations

import asyncio
import atexit
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from humobctl.console import report
from humobctl.errors import HumobError, UsageError
from humobctl.llm.question import Ask, digest, message
from humobctl.llm.server.budget import Spending, SpentError
from humobctl.llm.server.capabilities import Dialect
from humobctl.llm.server.client import CallError, Client
from humobctl.llm.server.config import key_for, make_config
from humobctl.llm.server.journal import Journal, JournalEntry
from humobctl.native import Floats
from humobctl.predict.base import PredictOptions, SlotDistributions, UserHistory
from humobctl.predict.city_profile import BatchPredictor, CityProfile
from humobctl.predict.llama.config import PromptShape
from humobctl.predict.llama.predict_compact import spread
from humobctl.predict.llama.template_compact import Prompt, ask, names

USERS = 8
"""Number of users whose questions are sent together."""
MOST_LOGPROBS = 20
LETTERS_AND_MORE = 64
"""Scores that are asked of llama.cpp, which gives as many as it is asked for."""
RAISE = 50.0
"""Logit bias of all letters, in nats; it leaves their relative scores unchanged."""
SCORES = 2
"""Version of the way in which scores are asked for; answers to another way are not used."""
UNSEEN = 2.0
"""How much less likely, in nats, a letter is taken to be than the last score that came back."""
LEAST = 1e-12
"""Probability of a letter that is reported as 0."""
LEAST_MASS, FEW = 0.5, 5
"""Least mean probability of all letters together, over so many answers or more."""


@dataclass(frozen=True)
class CellDialect(Dialect):
    """What a server takes beside a prompt, found out by trying, from most to least.

    Attributes:
        raised: whether the letters can be raised before sampling, as llama.cpp does.
        guided: whether the letters can be demanded.
        logprobs: scores that it gives back, at most.
    """

    raised: bool = True
    guided: bool = True
    logprobs: int = MOST_LOGPROBS

    def lower(self, said: str) -> Dialect | None:
        """What to try when the server refused a request."""
        if self.raised:
            return replace(self, raised=False)
        if "logprob" in said.lower() and self.logprobs > 5:
            return replace(self, logprobs=5)  # OpenAI's own limit
        return self.plainer()

    def plainer(self) -> Dialect | None:
        """The dialect without raised letters, without guided decoding, then with fewer scores."""
        if self.raised:
            return replace(self, raised=False)
        if self.guided:
            return replace(self, guided=False)
        return replace(self, logprobs=5) if self.logprobs > 5 else None

    def body(self, prompt: str, letters: Sequence[str]) -> dict[str, Any]:
        """A request, but for the model."""
        body: dict[str, Any] = {"prompt": prompt, "max_tokens": 1, "temperature": 0}
        body["logprobs"] = self.logprobs
        choices = [f" {letter}" for letter in letters]
        if self.raised:
            neutral = {"top_k": 0, "top_p": 1, "min_p": 0, "typical_p": 1, "repeat_penalty": 1}
            return body | {
                **neutral,
                "temperature": 1,
                "logprobs": LETTERS_AND_MORE,
                "post_sampling_probs": True,
                "logit_bias": [[choice, RAISE] for choice in choices],
            }
        if self.guided:
            body |= {
                "structured_outputs": {"choice": choices},  # vLLM
                "guided_choice": choices,  # vLLM before 0.12
            }
        return body


class _Completions(Client):
    """The client, asking for completions."""

    letters: Sequence[str] = ()

    async def _post(self, ask: Ask, dialect: Dialect, seed: int) -> dict[str, Any]:
        assert isinstance(dialect, CellDialect)
        body = dialect.body(ask.messages[0]["content"], self.letters)
        return await self._send("completions", body)

    def _reply(self, payload: dict[str, Any]) -> JournalEntry:
        try:
            scores = top_scores(payload["choices"][0])
        except (KeyError, IndexError, TypeError, AttributeError, ValueError):
            return JournalEntry("", "a response without logprobs of tokens")
        if not any(letter in scores for letter in self.letters):
            return JournalEntry("", "logprobs without a letter of the prompt")
        return JournalEntry(json.dumps(scores))


def top_scores(choice: dict[str, Any]) -> dict[str, float]:
    """Log-probabilities of the first token by its text, from any form in use."""
    found = choice["logprobs"]
    if found.get("top_logprobs"):
        pairs = list(found["top_logprobs"][0].items())
    else:  # llama.cpp gives the form of chat completions
        first = found["content"][0]
        if "top_probs" in first:  # after sampling
            pairs = [(one["token"], _log(one["prob"])) for one in first["top_probs"]]
        else:
            pairs = [(one["token"], one["logprob"]) for one in first["top_logprobs"]]
    scores: dict[str, float] = {}
    for token, score in pairs:
        name, value = str(token).strip(), float(score)
        if not value <= 0.01:  # a NaN, or no logarithm of a probability
            raise ValueError(f"found the score {value}")
        scores[name] = float(np.logaddexp(scores.get(name, -np.inf), max(value, -1e4)))
    return scores


def _log(probability: float) -> float:
    return float(np.log(max(float(probability), LEAST)))


class ServedPredictor(BatchPredictor):
    """Distributions over a person's own cells, from a server.

    Attributes:
        asked: questions that the server was asked.
        from_journal: answers of earlier runs.
    """

    batch_users = USERS

    def __init__(
        self, name: str, city: CityProfile, options: PredictOptions, shape: PromptShape
    ) -> None:
        """Take a server's model to use in one city; nothing is asked yet.

        Raises:
            UsageError: an address that is none.
            HumobError: no key, or the journal cannot be used.
        """
        prompting = options.prompting
        self.city, self.shape, self.near = city, shape, prompting.candidates == "near"
        self.config = make_config(
            {
                "model": name,
                "base_url": prompting.base_url,
                "concurrency": prompting.concurrency,
                "temperature": 0.0,
                "answer_tokens": 1,
                "extra_body": prompting.extra_body,
            }
        )
        key = key_for(self.config)
        self._key = key
        self._journal = Journal(prompting.journal) if prompting.journal is not None else None
        atexit.register(self.close)
        if self._journal is not None and self._journal.found:
            report.info(f"{prompting.journal}: {self._journal.found:,} answers of earlier runs")
        self.asked = self.from_journal = 0
        self._dialect: Dialect = CellDialect()
        self._spending = Spending()
        self._masses: list[float] = []

    def close(self) -> None:
        """Close the journal; all of it is on the disk then."""
        if self._journal is not None:
            self._journal.close()

    def of_known(self, users: list[UserHistory]) -> list[SlotDistributions]:
        """The answers to each user's questions, spread over cells.

        Raises:
            HumobError: the server cannot be reached, or gives no scores.
        """
        prompts = [ask(user, self.city, self.shape) for user in users]
        scores = asyncio.run(self._all(prompts))
        return [
            spread(prompt, found, near=self.near)
            for prompt, found in zip(prompts, scores, strict=True)
        ]

    async def _all(self, prompts: list[Prompt]) -> list[Floats]:
        client = _Completions(self.config, self._key, self._spending)
        client.letters, client.dialect = names(self.shape), self._dialect
        places = asyncio.Semaphore(self.config.concurrency)
        tasks = [
            [
                asyncio.ensure_future(self._one(client, places, prompt.profile + question))
                for question in prompt.questions
            ]
            for prompt in prompts
        ]
        flat = [task for some in tasks for task in some]
        try:
            await asyncio.gather(*flat)
        except (CallError, SpentError) as exc:
            raise HumobError(f"{self.config.server}: {exc}") from exc
        finally:
            for task in flat:
                task.cancel()
            await asyncio.gather(*flat, return_exceptions=True)
            await client.close()
            self._dialect = client.dialect
        self._check_mass()
        return [np.array([task.result() for task in some]) for some in tasks]

    def _check_mass(self) -> None:
        """Refuse a server whose scores hold little of the letters' probability.

        Raises:
            HumobError: they do.
        """
        if len(self._masses) >= FEW and (mass := float(np.mean(self._masses))) < LEAST_MASS:
            raise HumobError(
                f"{self.config.server}: its logprobs ignore the restriction to letters: these "
                f"hold {mass:.0%} of the probability, expected {LEAST_MASS:.0%} or more; use "
                "post_sampling_probs and logit_bias of llama.cpp, --logprobs-mode "
                "processed_logprobs of vLLM, or a model on this machine"
            )

    async def _one(
        self, client: _Completions, places: asyncio.Semaphore, prompt: str
    ) -> list[float]:
        """Log-probabilities of the letters after a prompt."""
        extra = {"extra_body": self.config.extra_body} if self.config.extra_body else {}
        name = digest(
            {
                **extra,
                "server": self.config.base_url,
                "model": self.config.model,
                "letters": self.shape.letters,
                "scores": SCORES,
                "prompt": prompt,
            }
        )
        entry = self._journal.get(name) if self._journal is not None else None
        if entry is None:
            async with places:
                question = Ask("cell", (message("user", prompt),))
                entry = await client.ask(question, seed=0)
                self.asked += 1
            if entry.fault:
                raise CallError(f"{entry.fault}; the server should give logprobs of completions")
            self._keep(name, entry)
        else:
            self.from_journal += 1
        found = json.loads(entry.reply)
        self._masses.append(float(sum(np.exp(found.get(x, -np.inf)) for x in names(self.shape))))
        return letter_scores(found, self.shape)

    def _keep(self, name: str, entry: JournalEntry) -> None:
        if self._journal is not None:
            self._journal.put(name, entry)


def letter_scores(found: dict[str, float], shape: PromptShape) -> list[float]:
    """Log-probabilities of all letters, made to sum to 1, from those of the likeliest tokens."""
    last = min(found.values()) - UNSEEN
    scores = np.array([found.get(name, last) for name in names(shape)])
    whole: list[float] = (scores - np.logaddexp.reduce(scores)).tolist()
    return whole


def from_name(name: str, city: CityProfile, options: PredictOptions) -> ServedPredictor:
    """A predictor from the name of a model on a server.

    Raises:
        UsageError: options that do not go with a server.
        HumobError: no key, no ``openai`` package, or the journal cannot be used.
    """
    prompting = options.prompting
    if prompting.template not in (None, "compact") or prompting.candidates == "all":
        raise UsageError(
            "--base-url needs --template compact and --candidates own or near; other prompts "
            "need a model on this machine"
        )
    if prompting.base is not None:
        raise UsageError("--base-url: found --base, which the server ignores; leave it out")
    return ServedPredictor(name, city, options, PromptShape())

"""The ``hf`` backend: conversations with a local model, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.extras import require
from humobctl.intend.backends.base import BackendSettings, Failure, Request
from humobctl.intend.backends.transformers_config import HFConfig, make_config
from humobctl.intend.chain import ChainError
from humobctl.intend.day_plan import DayPlan
from humobctl.intend.distill import Recorder
from humobctl.intend.prompts import VERSION
from humobctl.intend.templates import Sharing, Talk
from humobctl.llm.question import Ask, digest

if TYPE_CHECKING:
    from humobctl.intend.backends.transformers_model import LocalModel, Said


def make(settings: BackendSettings, options: dict[str, Any]) -> Local:
    """The backend, with its model loaded.

    Raises:
        UsageError: options that do not go together.
        HumobError: a package is missing, or the model cannot be loaded.
    """
    options = dict(options)
    record = options.pop("recorder", None)
    config = make_config(options)
    require("llm", "--backend hf")
    from humobctl.intend.backends.transformers_model import LocalModel  # noqa: PLC0415 - imports torch

    return Local(config, LocalModel(config), record)


class Local:
    """Plans from a model on this machine.

    Args:
        config: of the backend.
        model: answers.
        record: where conversations that came to a plan go; None for nowhere.
    """

    def __init__(self, config: HFConfig, model: LocalModel, record: Recorder | None = None) -> None:
        self.config, self.capacity = config, config.batch_size
        self._model, self._record = model, record
        self._sharing = Sharing(config.plans_per_template)
        self._active: list[Talk] = []
        self._calls = self._prompt = self._completion = self._asked_again = 0

    def plans(self, requests: Iterable[Request]) -> Iterator[DayPlan | Failure]:
        """One answer for each request, in their order."""
        yield from self._sharing.plans(requests, self)
        report.info(
            f"{pluralize(self._calls, 'answer')}, {self._completion:,} tokens; "
            f"{pluralize(self._sharing.calls_saved, 'answer')} saved by shared templates"
        )

    def begin(self, talk: Talk) -> None:
        """Take on a conversation."""
        self._active.append(talk)

    def step(self) -> list[Talk]:
        """One answer for each conversation; those that ended."""
        asked = [(talk, ask) for talk in self._active if (ask := talk.chain.ask) is not None]
        answers = self._model.answer([ask for _, ask in asked], [_seed(*one) for one in asked])
        for (talk, _), said in zip(asked, answers, strict=True):
            self._calls += 1
            self._prompt += said.prompt
            self._completion += said.completion
            talk.calls += 1
            self._go_on(talk, said)
        ended = [talk for talk in self._active if talk.done]
        self._active = [talk for talk in self._active if not talk.done]
        return ended

    def _go_on(self, talk: Talk, said: Said) -> None:
        try:
            talk.chain.take(said.reply, cut=said.completion >= self.config.answer_tokens)
        except ChainError as exc:
            talk.fault = str(exc)
            return
        following = talk.chain.ask
        self._asked_again += following is not None and following.tries > 0
        talk.close()
        if talk.events is not None and self._record is not None:
            self._record.add(talk.chain, talk.uid, talk.d)

    def summary(self) -> dict[str, Any]:
        """What the report says of the run."""
        config = self.config
        tokens = {"prompt": self._prompt, "completion": self._completion}
        return {
            "backend": "hf",
            "model": config.model,
            "adapter": config.adapter,
            "device": self._model.device,
            "precision": self._model.precision,
            "prompts": VERSION,
            "calls": self._calls,
            "tokens": {**tokens, "total": self._prompt + self._completion},
            "asked_again": self._asked_again,
            **self._sharing.summary(),
        }


def _seed(talk: Talk, ask: Ask) -> int:
    """Seed of an answer's draws: the same for the same question, whatever else is in the batch."""
    question = {"seed": talk.seed, "sample": talk.sample, "tries": ask.tries}
    return int(digest({**question, "messages": ask.messages})[:15], 16)

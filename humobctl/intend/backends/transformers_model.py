"""A local language model: loading it, and batches of answers that keep to their forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import llguidance.hf
import torch
import transformers
from llguidance import LLMatcher

from humobctl.intend.backends.transformers_config import HFConfig
from humobctl.llm.chat import conversation_text, require_chat_template
from humobctl.llm.constrained import Constrained
from humobctl.llm.json_reply import schema
from humobctl.llm.load import (
    device_of,
    ends_of,
    inference,
    load_language_model,
    readable,
)
from humobctl.llm.question import Ask
from humobctl.training.device import choose_precision


@dataclass(frozen=True)
class Said:
    """An answer, and the tokens it took."""

    reply: str
    prompt: int
    completion: int


class LocalModel:
    """A causal language model with a chat template, on one device.

    Raises:
        HumobError: it cannot be loaded, or has no chat template.
    """

    def __init__(self, config: HFConfig) -> None:
        self.config = config
        self.device = device_of(config.device)
        self.precision = choose_precision(config.precision, torch.device(self.device))
        loaded = load_language_model(
            config.model, adapter=config.adapter, device=self.device, precision=self.precision
        )
        self._model, self._tokenizer = loaded.model, loaded.tokenizer
        require_chat_template(self._tokenizer, config.model)
        self._ends = ends_of(self._model, self._tokenizer)
        size = self._model.get_output_embeddings().weight.shape[0]
        with readable(config.model):
            self._vocabulary = llguidance.hf.from_tokenizer(
                self._tokenizer, n_vocab=size, eos_token=self._ends
            )

    def answer(self, asks: Sequence[Ask], seeds: Sequence[int]) -> list[Said]:
        """Answers to a batch of questions, each in its form.

        Args:
            asks: the questions.
            seeds: of each answer's draws.

        Raises:
            HumobError: no memory left on the device.
        """
        texts = [conversation_text(self._tokenizer, ask.messages) for ask in asks]
        self._tokenizer.pad_token = self._tokenizer.pad_token or self._tokenizer.eos_token
        batch = self._tokenizer(
            texts,
            padding=True,
            padding_side="left",
            add_special_tokens=False,
            return_tensors="pt",
        ).to(self.device)
        ids, mask = batch["input_ids"], batch["attention_mask"]
        matchers = [self._matcher(ask) for ask in asks]
        rule = Constrained(
            matchers, ids.shape[1], self.config.temperature, seeds, end=self._ends[0]
        )
        with inference(self.device, len(asks)):
            found = self._model.generate(
                input_ids=ids,
                attention_mask=mask,
                generation_config=self._settings(),
                logits_processor=transformers.LogitsProcessorList([rule]),
            )
        prompts = mask.sum(dim=1).tolist()
        return [
            self._decode(row, prompt)
            for row, prompt in zip(found[:, ids.shape[1] :].tolist(), prompts, strict=True)
        ]

    def _matcher(self, ask: Ask) -> LLMatcher:
        grammar = LLMatcher.grammar_from_json_schema(
            schema(ask.form), overrides={"whitespace_flexible": False}
        )
        matcher = LLMatcher(self._vocabulary, grammar)
        if matcher.is_error():
            raise RuntimeError(matcher.get_error())
        return matcher

    def _settings(self) -> Any:
        """Our own settings alone: a model's defaults for sampling would work on the noise."""
        return transformers.GenerationConfig(
            do_sample=False,
            max_new_tokens=self.config.answer_tokens,
            eos_token_id=self._ends,
            pad_token_id=self._tokenizer.pad_token_id,
        )

    def _decode(self, row: list[int], prompt: int) -> Said:
        length = next((n for n, token in enumerate(row) if token in self._ends), len(row))
        reply = self._tokenizer.decode(row[:length], skip_special_tokens=True)
        return Said(reply, prompt, min(length + 1, len(row)))

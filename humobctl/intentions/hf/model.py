"""A local language model: loading it, and batches of answers that keep to their forms."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llguidance.hf
import torch
import transformers
from llguidance import LLMatcher

from humobctl import native
from humobctl.errors import HumobError
from humobctl.intentions.answers import schema, tidy
from humobctl.intentions.chain import Ask, Message
from humobctl.intentions.hf.config import HFConfig
from humobctl.intentions.hf.constrain import Constrained
from humobctl.models.hub import hub_settings

_TYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


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
        self.device = _device(config.device)
        self.precision = _precision(config.precision, self.device)
        transformers.utils.logging.set_verbosity_error()
        torch.set_num_threads(native.threads())
        try:
            # All that people see comes from our own report: no bars and notes of libraries.
            with contextlib.redirect_stderr(io.StringIO()):
                self._load()
        except HumobError:
            raise
        except Exception as exc:  # whatever the libraries raise on a file they cannot take
            name = config.model if config.adapter is None else f"{config.model}, {config.adapter}"
            raise HumobError(f"{name}: cannot be loaded: {tidy(str(exc), 200)}") from exc
        if not self._tokenizer.chat_template:
            raise HumobError(f"{config.model}: found no chat template, expected an instruct model")

    def _load(self) -> None:
        name, where = _place(self.config.model)
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(name, **where)
        # No pickle is read: safetensors or GGUF.
        safe = {} if "gguf_file" in where else {"use_safetensors": True}
        model = transformers.AutoModelForCausalLM.from_pretrained(
            name, dtype=_TYPES[self.precision], trust_remote_code=False, **safe, **where
        )
        if self.config.adapter is not None:
            import peft  # noqa: PLC0415 - takes seconds, and only adapters need it

            model = peft.PeftModel.from_pretrained(model, self.config.adapter)
        self._model = model.to(self.device).eval()
        self._ends = _ends(model, self._tokenizer)
        size = model.get_output_embeddings().weight.shape[0]
        self._vocabulary = llguidance.hf.from_tokenizer(
            self._tokenizer, n_vocab=size, eos_token=self._ends
        )
        self._special = _special(self._tokenizer)

    def answer(self, asks: Sequence[Ask], seeds: Sequence[int]) -> list[Said]:
        """Answers to a batch of questions, each in its form.

        Args:
            asks: the questions.
            seeds: of each answer's draws.

        Raises:
            HumobError: no memory left on the device.
        """
        texts = [self._text(ask.messages) for ask in asks]
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
        rule = Constrained(matchers, ids.shape[1], self.config.temperature, seeds)
        with torch.inference_mode():
            try:
                found = self._model.generate(
                    input_ids=ids,
                    attention_mask=mask,
                    generation_config=self._settings(),
                    logits_processor=transformers.LogitsProcessorList([rule]),
                )
            except torch.OutOfMemoryError as exc:
                raise HumobError(
                    f"{self.device}: no memory left; try a --batch below {len(asks)}"
                ) from exc
        prompts = mask.sum(dim=1).tolist()
        return [
            self._said(row, prompt)
            for row, prompt in zip(found[:, ids.shape[1] :].tolist(), prompts, strict=True)
        ]

    def _text(self, messages: Sequence[Message]) -> str:
        plain = [{**turn, "content": self._without_special(turn["content"])} for turn in messages]
        try:
            return self._filled(plain)
        except Exception:  # templates that know no system turn raise what they like
            first = f"{plain[0]['content']}\n\n{plain[1]['content']}"
            return self._filled([{"role": "user", "content": first}, *plain[2:]])

    def _filled(self, messages: list[Message]) -> str:
        text: str = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        return text

    def _without_special(self, text: str) -> str:
        """Text that ends no turn and begins none, whatever a profile says."""
        for token in self._special:
            text = text.replace(token, " ")
        return text

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

    def _said(self, row: list[int], prompt: int) -> Said:
        length = next((n for n, token in enumerate(row) if token in self._ends), len(row))
        reply = self._tokenizer.decode(row[:length], skip_special_tokens=True)
        return Said(reply, prompt, min(length + 1, len(row)))


def _place(model: str) -> tuple[str, dict[str, Any]]:
    """What to call the model, and where to look for it."""
    path = Path(model)
    if path.suffix == ".gguf":
        return str(path.parent), {"gguf_file": path.name, "local_files_only": True}
    return model, {"local_files_only": True} if path.is_dir() else hub_settings()


def _ends(model: Any, tokenizer: Any) -> list[int]:
    """Tokens that end an answer."""
    configured = model.generation_config.eos_token_id
    ends = configured if isinstance(configured, list) else [configured]
    return sorted({end for end in (*ends, tokenizer.eos_token_id) if end is not None})


def _special(tokenizer: Any) -> list[str]:
    """Texts that the tokenizer takes for control tokens, the longest first."""
    added = [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]
    return sorted({*added, *tokenizer.all_special_tokens}, key=len, reverse=True)


def _device(asked: str) -> str:
    """The device to use.

    Raises:
        HumobError: it is not there.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available()}
    there["mps"] = torch.backends.mps.is_available()
    if asked == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there[asked]:
        raise HumobError(f"--device {asked}: found no such device here")
    return asked


def _precision(asked: str, device: str) -> str:
    if asked != "auto":
        return asked
    return "bf16" if device == "cuda" else "f32"

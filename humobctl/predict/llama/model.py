"""The network that is fine-tuned: LoRA by peft, and the loss on answers alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import peft
import torch
from torch import Tensor

from humobctl.errors import HumobError, UsageError
from humobctl.llm.forward import UNFIT, agree, masks, plain_scores
from humobctl.llm.load import name_of
from humobctl.predict.llama.config import LlamaSettings
from humobctl.predict.llama.tokens import NONE, Example, row_of


def with_lora(network: Any, settings: LlamaSettings) -> Any:
    """The network with an untrained adapter, which is all that is to be trained.

    Raises:
        UsageError: target modules that it does not have.
    """
    names = [name.strip() for name in settings.target_modules.split(",")]
    config = peft.LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules="all-linear" if names == ["all"] else names,
        task_type="CAUSAL_LM",
    )
    if settings.quantization != "none":
        network = peft.prepare_model_for_kbit_training(
            network, use_gradient_checkpointing=settings.gradient_checkpointing
        )
    elif settings.gradient_checkpointing:
        network.enable_input_require_grads()
    try:
        return peft.get_peft_model(network, config)
    except ValueError as exc:
        if "not found in the base model" not in str(exc):
            raise
        linear = sorted(
            {
                name.rpartition(".")[2]
                for name, module in network.named_modules()
                if isinstance(module, torch.nn.Linear)
            }
        )
        raise UsageError(
            f"--target-modules: found {settings.target_modules}, expected all, or some of "
            f"{', '.join(linear)}, the linear layers of {name_of(network)}"
        ) from exc


def answers_loss(model: Any, inputs: dict[str, Tensor], labels: Tensor) -> Tensor:
    """Sum of the cross-entropies of a row's answers."""
    scores = _scores(model, inputs)
    return torch.nn.functional.cross_entropy(scores, labels, reduction="sum")


def _scores(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Scores of all tokens at each answer of a row."""
    inputs = dict(inputs)
    if "attention_mask" in inputs:
        places = inputs["position_ids"]
        inputs["attention_mask"] = masks(model, inputs["attention_mask"], places, places)
    found: Tensor = model(**inputs, use_cache=False).logits[0].float()
    return found


def check_packing(model: Any, examples: Sequence[Example], name: str) -> None:
    """Refuse a network in which questions and records of a row do not stay apart.

    Args:
        model: the network.
        examples: some to learn from; the two shortest share a row.
        name: of the network, for the message.

    Raises:
        HumobError: an answer is scored otherwise than by a plain pass of what it may see.
    """
    pair = sorted(examples, key=len)[:2]
    row = row_of(pair)
    if "attention_mask" not in row:
        return
    device = next(model.parameters()).device
    with torch.inference_mode():
        try:
            inputs = {key: value.to(device) for key, value in row.items() if key != "labels"}
            found = _scores(model, inputs)[-1].log_softmax(0).double().cpu().numpy()
            wanted = plain_scores(model, _tokens_seen_last(pair[-1])).log_softmax(0)
            same = agree(model, found, wanted.double().cpu().numpy())
        except UNFIT:
            same = False
    if not same:
        raise HumobError(
            f"{name}: found the architecture {model.config.model_type}, in which questions of one "
            "row do not stay apart, expected one with attention masks, such as Llama or Qwen"
        )


def _tokens_seen_last(example: Example) -> list[int]:
    """The tokens that the last answer of an example sees."""
    end = int(np.flatnonzero(example.label != NONE)[-1]) + 1
    block = example.block[:end]
    seen: list[int] = example.ids[:end][(block == 0) | (block == block[-1])].tolist()
    return seen


def mean_loss(model: Any, examples: Sequence[Example], settings: LlamaSettings) -> float:
    """Mean cross-entropy of the answers of some examples."""
    total = 0.0
    count = 0
    device = next(model.parameters()).device
    bf16 = settings.precision == "bf16"
    model.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for example in examples:
            row = {name: values.to(device) for name, values in row_of([example]).items()}
            labels = row.pop("labels")
            total += float(answers_loss(model, row, labels))
            count += len(labels)
    return total / max(count, 1)

"""The network that is fine-tuned: LoRA by peft, and the loss on answers alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import peft
import torch
from torch import Tensor

from humobctl.errors import UsageError
from humobctl.llm.load import name_of
from humobctl.predict.llama.config import LlamaSettings
from humobctl.predict.llama.tokens import Example, row_of


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
    scores = model(**inputs, use_cache=False).logits[0].float()
    return torch.nn.functional.cross_entropy(scores, labels, reduction="sum")


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

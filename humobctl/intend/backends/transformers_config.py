"""What the ``hf`` backend needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from humobctl.errors import UsageError
from humobctl.io.streams import missing_file
from humobctl.llm.model_files import adapter_settings

Precision = Literal["auto", "fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class HFConfig:
    """Settings of the ``hf`` backend.

    Attributes:
        model: a folder, a GGUF file, or a name on the hub.
        adapter: folder of a LoRA adapter; None for the model as it is.
        device: auto, cpu, cuda or mps.
        precision: of the numbers; auto is bf16 where the processor has it, otherwise fp32.
        batch_size: conversations at once.
        temperature: of sampling; 0 takes the most probable token.
        answer_tokens: of one answer, at most.
        plans_per_template: plans of people of the same attributes that share a conversation.
    """

    model: str
    adapter: str | None = None
    device: str = "auto"
    precision: Precision = "auto"
    batch_size: int = 16
    temperature: float = 1.0
    answer_tokens: int = 512
    plans_per_template: int = 1


def make_config(options: dict[str, Any]) -> HFConfig:
    """The settings of these options.

    Raises:
        UsageError: no model.
        HumobError: an adapter that is not there, or that holds a pickle.
    """
    if "model" not in options:
        raise UsageError("--backend hf needs --model, a folder, a GGUF file or a hub name")
    config = HFConfig(**options)
    if config.adapter is not None:
        adapter_settings(config.adapter)
    if config.model.endswith(".gguf") and not Path(config.model).is_file():
        raise missing_file(config.model)
    return config

"""Settings of ``finetune llama`` and its presets."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from humobctl.training import settings

Task = Literal["mobility", "intention"]
Template = Literal["compact", "llama3-8b-mob"]
TYPE = "llama"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""Letters of cells in the template compact."""


@dataclass(frozen=True)
class PromptShape:
    """What a compact prompt shows; part of a model's settings, since it was trained on it.

    Attributes:
        letters: most visited cells that have a letter, L.
        evidence: past records that a question counts, E.
        shown: different cells of them that it names, at most.
    """

    letters: Annotated[int, settings.Range(1, len(ALPHABET))] = 26
    evidence: settings.Count = 16
    shown: settings.Count = 6


@dataclass(frozen=True)
class LlamaSettings(settings.ModelSettings):
    """How records are made and an adapter is trained; the defaults are the preset ``small``.

    Attributes:
        template: template of mobility records: compact, or llama3-8b-mob (as published).
        letters: number of candidate cells with a letter: the user's most visited ones (template
            compact).
        evidence: number of past records that are summarised in a question (template compact).
        shown: maximum number of distinct cells listed in a question (template compact).
        questions: maximum number of questions per record, drawn at random (template compact).
        records: number of training records per user; their days to predict end on different days.
        horizon: forecast horizon of a record, in days.
        max_length: maximum number of tokens per sequence; longer records lose their oldest days.
        packing: pack several records into one sequence, without attention between them.
        rank: LoRA rank r.
        alpha: LoRA alpha; the matrices are scaled by alpha / rank.
        dropout: LoRA dropout.
        target_modules: linear layers with an adapter, separated by commas, or all.
        quantization: quantization of the base model (bitsandbytes, on CUDA): none, 8bit or 4bit.
        gradient_checkpointing: recompute activations in the backward pass, to save memory.
        epochs: number of epochs: passes over the records.
        max_steps: maximum number of optimizer steps; 0: no limit.
        batch_size: number of sequences per step and process.
        learning_rate: peak learning rate.
        schedule: learning-rate schedule after warm-up: cosine or linear.
        warmup: warm-up fraction: fraction of steps with a rising learning rate.
        weight_decay: AdamW weight decay.
        precision: numeric precision: fp32, bf16, or auto (bf16 if the processor supports it).
        validation_fraction: fraction of users (with --task intention: of records) used for
            validation only.
        evaluate_every: number of steps between validations; 0: once per epoch.
        patience: early stopping: stop after this many validations without a lower loss (0: off).
        seed: seed of the random numbers.
    """

    template: Template = "compact"
    letters: int = 26
    evidence: int = 16
    shown: int = 6
    questions: settings.Count = 64
    records: settings.Count = 3
    horizon: Annotated[int, settings.Range(1, 60)] = 15
    max_length: Annotated[int, settings.Range(64, settings.MANY)] = 2048
    packing: bool = True
    rank: settings.Count = 16
    alpha: settings.Count = 32
    dropout: settings.Part = 0.0
    target_modules: str = "all"
    quantization: Literal["none", "8bit", "4bit"] = "none"
    gradient_checkpointing: bool = False
    epochs: settings.Count = 1
    max_steps: settings.CountOrNone = 0
    batch_size: settings.Count = 2
    learning_rate: Annotated[float, settings.Range(0, 1)] = 5e-4
    schedule: Literal["cosine", "linear"] = "cosine"
    warmup: settings.Fraction = 0.05
    weight_decay: settings.WeightDecay = 0.0
    precision: settings.Precision = "auto"
    validation_fraction: settings.Part = 0.05
    evaluate_every: settings.CountOrNone = 0
    patience: settings.CountOrNone = 0
    seed: settings.CountOrNone = 0

    def check_together(self) -> None:
        """Refuse settings that do not go together."""
        named = all(name.strip() for name in self.target_modules.split(","))
        self.expect(named, "target_modules", "all, or names with commas between them")

    @property
    def shape(self) -> PromptShape:
        """What a compact prompt shows."""
        return PromptShape(self.letters, self.evidence, self.shown)


def tiny() -> LlamaSettings:
    """Seconds with a tiny model; for tests and for trying things out."""
    return LlamaSettings(
        letters=8,
        evidence=6,
        shown=3,
        questions=16,
        records=1,
        max_length=1024,
        rank=4,
        alpha=8,
        target_modules="q_proj,v_proj",
        learning_rate=1e-2,
        validation_fraction=0.1,
        precision="fp32",
    )


def small() -> LlamaSettings:
    """A model of 135 million parameters, half an hour of one core for 200 people."""
    return LlamaSettings()


def llama3_8b_mob() -> LlamaSettings:
    """As Llama-3-8B-Mob was trained: its adapter_config.json and training script.

    An effective batch of 4 conversations of up to 30,000 tokens, 4-bit base, linear schedule
    (arXiv 2410.23692 and its authors' code).
    """
    return LlamaSettings(
        template="llama3-8b-mob",
        records=1,
        max_length=30_000,
        packing=False,
        rank=16,
        alpha=16,
        quantization="4bit",
        gradient_checkpointing=True,
        batch_size=4,
        learning_rate=2e-4,
        schedule="linear",
        warmup=0.0,
        weight_decay=0.01,
        precision="bf16",
    )


def copb() -> LlamaSettings:
    """As CoPB's authors distilled into Llama-3-8B: their llama3_lora_sft.yaml.

    q_proj and v_proj, the library's default rank of 8, 2 epochs, cosine, an effective batch of 16.
    """
    return LlamaSettings(
        max_length=4096,
        packing=False,
        rank=8,
        alpha=16,
        target_modules="q_proj,v_proj",
        epochs=2,
        batch_size=16,
        learning_rate=1e-4,
        warmup=0.1,
        precision="bf16",
        validation_fraction=0.1,
    )


PRESETS: dict[str, Callable[[], LlamaSettings]] = {
    "tiny": tiny,
    "small": small,
    "llama3-8b-mob": llama3_8b_mob,
    "copb": copb,
}
resolve = functools.partial(settings.resolve_settings, PRESETS)

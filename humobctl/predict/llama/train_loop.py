"""LoRA by peft and the transformers Trainer: rows of packed examples, loss on answers alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import peft
import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import EarlyStoppingCallback

from humobctl.errors import HumobError, UsageError
from humobctl.llm.load import name_of
from humobctl.predict.llama.config import Settings
from humobctl.predict.llama.tokens import Example, pack, row_of
from humobctl.ranks import world_size
from humobctl.training.hf_trainer import Place, ValidatingTrainer, Wording, arguments, run

Validate = Callable[[Any], dict[str, float]]


class Rows(Dataset[dict[str, Tensor]]):
    """Rows of examples: packed, or one each."""

    def __init__(self, examples: Sequence[Example], settings: Settings) -> None:
        self._examples = examples
        lengths = [len(example) for example in examples]
        alone = [[number] for number in range(len(lengths))]
        self.rows = pack(lengths, settings.max_length) if settings.packing else alone

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        """A row, as the network takes it."""
        return row_of([self._examples[i] for i in self.rows[number]])

    @property
    def tokens(self) -> int:
        """Of all rows."""
        return sum(len(example) for example in self._examples)


def with_lora(network: Any, settings: Settings) -> Any:
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


def steps_in_epoch(rows: int, settings: Settings) -> int:
    """Optimiser steps in a pass over the rows."""
    return math.ceil(rows / (settings.batch_size * world_size()))


def train(
    network: Any, rows: Rows, settings: Settings, place: Place, validate: Validate | None
) -> list[dict[str, Any]]:
    """Train a network's adapter in place; it ends with the weights of its lowest validation loss.

    Continues from the newest whole checkpoint of ``place.work``, if there is one.

    Args:
        network: of ``with_lora``.
        rows: what to learn from.
        settings: how.
        place: where.
        validate: scores of a network, ``loss`` among them; None to train without.

    Returns:
        One record a log: step, epoch, loss, learning rate; or the validation scores.

    Raises:
        HumobError: the loss became no number, or no memory is left.
    """
    every = settings.evaluate_every or steps_in_epoch(len(rows), settings)
    trainer = _Trainer(
        model=network,
        args=arguments(
            *(place, every, None if validate is None else "loss"),
            per_device_train_batch_size=1,
            gradient_accumulation_steps=settings.batch_size,
            gradient_checkpointing=settings.gradient_checkpointing,
            gradient_checkpointing_kwargs={"use_reentrant": False},
            num_train_epochs=settings.epochs,
            max_steps=settings.max_steps or -1,
            learning_rate=settings.learning_rate,
            warmup_steps=settings.warmup,
            lr_scheduler_type=settings.schedule,
            weight_decay=settings.weight_decay,
            bf16=settings.precision == "bf16",
            seed=settings.seed,
            data_seed=settings.seed,
        ),
        train_dataset=rows,
        eval_dataset=rows,  # asked for, never read: see ValidatingTrainer.evaluate
        data_collator=_only,
    )
    trainer.validate, trainer.wording = validate, _wording(rows, settings)
    if settings.patience and validate is not None:
        trainer.add_callback(EarlyStoppingCallback(settings.patience))
    try:
        return run(trainer, place, every)
    except torch.OutOfMemoryError as exc:
        raise HumobError(
            f"{place.device}: no memory left; try a --max-length below {settings.max_length}, "
            "--gradient-checkpointing or --quantization 4bit"
        ) from exc


def _only(batch: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """A batch is one row: rows are packed already."""
    return batch[0]


class _Trainer(ValidatingTrainer):
    # The mean over a step's answers, not over its rows, which have different numbers of them.
    model_accepts_loss_kwargs = True

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Cross-entropy of the answers; no other token's scores are computed."""
        labels = inputs.pop("labels")
        loss = answers_loss(model, inputs, labels)
        if num_items_in_batch is None:
            return loss / len(labels)
        return loss / num_items_in_batch * (self.args.world_size if world_size() > 1 else 1)


def answers_loss(model: Any, inputs: dict[str, Tensor], labels: Tensor) -> Tensor:
    """Sum of the cross-entropies of a row's answers."""
    scores = model(**inputs, use_cache=False).logits[0].float()
    return torch.nn.functional.cross_entropy(scores, labels, reduction="sum")


def mean_loss(model: Any, examples: Sequence[Example], settings: Settings) -> float:
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


def _wording(rows: Rows, settings: Settings) -> Wording:
    return Wording(
        unit="rows",
        of_step=settings.batch_size * world_size(),
        told=_told,
        remedy="a lower --learning-rate, a longer --warmup or --precision fp32",
    )


def _told(logs: dict[str, Any]) -> str | None:
    if "eval_loss" not in logs:
        return None
    geobleu = f", GEO-BLEU {logs['eval_geobleu']:.4f}" if "eval_geobleu" in logs else ""
    return f"loss {logs['eval_loss']:.3f}{geobleu}"

"""Training of bert-moe by the transformers Trainer; see ``models/training.py``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import EarlyStoppingCallback

from humobctl.predict.bert_moe.config import Settings
from humobctl.predict.bert_moe.data import LengthBatches, Windows
from humobctl.predict.bert_moe.model import BertMoe
from humobctl.ranks import world_size
from humobctl.training.hf_trainer import Place, ValidatingTrainer, Wording, arguments, run

Validate = Callable[[BertMoe], dict[str, float]]


def steps_in_epoch(windows: int, settings: Settings) -> int:
    """Optimiser steps in a pass over the windows."""
    batches = math.ceil(windows / (settings.batch_size * world_size()))
    return math.ceil(batches / settings.accumulate)


def train(
    network: BertMoe,
    windows: Windows,
    settings: Settings,
    place: Place,
    validate: Validate | None,
) -> list[dict[str, Any]]:
    """Train a network in place; it ends with the weights of its best validation.

    Continues from the newest whole checkpoint of ``place.work``, if there is one.

    Args:
        network: what to train.
        windows: what to learn from.
        settings: how.
        place: where.
        validate: scores of a network, ``geobleu`` among them; None to train without.

    Returns:
        One record a log: step, epoch, loss, learning rate; or the validation scores.

    Raises:
        HumobError: the loss became no number.
    """
    every = settings.evaluate_every or steps_in_epoch(len(windows), settings)
    best = None if validate is None else "geobleu"
    trainer = _Trainer(
        model=network,
        args=arguments(
            *(place, every, best),
            per_device_train_batch_size=settings.batch_size,
            gradient_accumulation_steps=settings.accumulate,
            num_train_epochs=settings.epochs,
            max_steps=settings.max_steps or -1,
            learning_rate=settings.learning_rate,
            warmup_steps=settings.warmup,
            lr_scheduler_type="linear",
            weight_decay=settings.weight_decay,
            bf16=settings.precision == "bf16",
            seed=settings.seed,
            data_seed=settings.seed,
        ),
        train_dataset=windows,
        eval_dataset=windows,  # asked for, never read: see ValidatingTrainer.evaluate
        data_collator=_batch,
    )
    trainer.validate, trainer.settings, trainer.wording = validate, settings, _wording(settings)
    if settings.patience and validate is not None:
        trainer.add_callback(EarlyStoppingCallback(settings.patience))
    return run(trainer, place, every)


def _wording(settings: Settings) -> Wording:
    return Wording(
        unit="windows",
        of_step=settings.batch_size * settings.accumulate * world_size(),
        told=_told,
        remedy="a lower --learning-rate, a longer --warmup or --precision fp32",
    )


def _told(logs: dict[str, Any]) -> str | None:
    if "eval_geobleu" not in logs:
        return None
    return (
        f"loss {logs['eval_loss']:.3f}, GEO-BLEU {logs['eval_geobleu']:.4f}, "
        f"DTW {logs['eval_dtw']:.2f} km"
    )


def _batch(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The data set makes whole batches already."""
    return batch


class _Trainer(ValidatingTrainer):
    settings: Settings

    def _get_train_sampler(self, train_dataset: Windows | None = None) -> LengthBatches:
        """Windows of a step are alike in length, the same whatever the number of processes."""
        windows: Windows = self.train_dataset
        s = self.settings
        step = s.batch_size * s.accumulate * world_size()
        return LengthBatches(windows.past_lengths(), step, s.seed, windows)

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """The library's, with a learning rate of its own for the location embedding."""
        optimizer: torch.optim.Optimizer = super().create_optimizer(model)
        rate = self.settings.location_learning_rate
        if rate is not None and len(optimizer.param_groups) == 2:
            table = self.model.embeddings.location.weight
            for group in list(optimizer.param_groups):
                kept = [p for p in group["params"] if p is not table]
                if len(kept) < len(group["params"]):
                    group["params"] = kept
                    optimizer.add_param_group({**group, "params": [table], "lr": rate})
        return optimizer

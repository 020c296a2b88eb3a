"""What a training would take, measured on one batch before it runs."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from humobctl.predict.bert_moe.config import BertMoeSettings
from humobctl.predict.bert_moe.data import TrainingWindows
from humobctl.predict.bert_moe.model import BertMoe
from humobctl.training.recipe import TrainingPlan


def preview(
    network: BertMoe, windows: TrainingWindows, settings: BertMoeSettings, plan: TrainingPlan
) -> str:
    """Lines for people: parameters, windows and steps, memory, and the shapes of a batch."""
    parameters = sum(p.numel() for p in network.parameters())
    order = windows.past_lengths().argsort()[::-1][: settings.batch_size]
    batch = windows.batch(order)
    kept = _kept_bytes(network, batch, settings)
    steps = math.ceil(len(windows) / plan.batch)
    state = 16 * parameters
    shapes = ", ".join(f"{name} {tuple(values.shape)}" for name, values in batch.items())
    return "\n".join(
        [
            f"parameters: {parameters:,}; softmax over {len(network.cells()):,} visited cells",
            f"windows: {len(windows):,}; {steps:,} steps an epoch, {plan.steps:,} in all, of "
            f"{plan.batch} windows",
            f"memory: {_size(state)} for weights, gradients and optimiser, {_size(kept)} for the "
            f"longest batch, {_size(state + kept)} in all",
            f"batch: {shapes}",
        ]
    )


def _kept_bytes(network: BertMoe, batch: dict[str, Tensor], settings: BertMoeSettings) -> int:
    """Bytes that autograd keeps of a batch's forward pass, the weights left out."""
    own = {p.untyped_storage().data_ptr() for p in network.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    bf16 = settings.precision == "bf16"
    network.train()
    with (
        torch.autocast("cpu", torch.bfloat16, enabled=bf16),
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
    ):
        loss = network(**batch).loss
    del loss
    return sum(kept.values())


def _size(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.1f} kB"

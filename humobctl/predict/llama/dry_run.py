"""What a fine-tuning would take, before it runs: tokens, memory, time."""

from __future__ import annotations

import time
from typing import Any

import torch

from humobctl.predict.llama.config import LlamaSettings
from humobctl.predict.llama.data import LlamaData, PackedRows
from humobctl.predict.llama.model import answers_loss
from humobctl.predict.llama.tokens import mean_tokens, row_of
from humobctl.training.recipe import TrainingPlan

_TRIED = 512
"""Tokens of the row that is timed, at most."""


def preview(
    network: Any,
    material: LlamaData,
    rows: PackedRows,
    settings: LlamaSettings,
    plan: TrainingPlan,
    device: torch.device,
) -> str:
    """Lines for people: tokens of a record, rows and steps, memory and time.

    The time is that of one row's pass, forward and back, measured on a part of it; the memory is
    weights, the adapter with its gradients and two moments, and what autograd keeps of that part,
    scaled to the longest row.
    """
    mean, high, most = mean_tokens(material.train)
    answers = sum(example.answers for example in material.train)
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    weights = sum(p.numel() * p.element_size() for p in network.parameters())
    tried = min(material.train, key=lambda example: abs(len(example) - _TRIED))
    seconds, kept = _pass(network, row_of([tried]), settings, device)
    lengths = [len(example) for example in material.train]
    row_tokens = sum(lengths) / len(rows)
    longest = max(sum(lengths[i] for i in row) for row in rows.rows)
    memory = weights + 12 * trained + kept * longest / len(tried)
    total = seconds / len(tried) * row_tokens * settings.batch_size * plan.steps
    return "\n".join(
        [
            f"records: {len(material.train):,} to train on, {len(material.held):,} to validate; "
            f"{answers:,} tokens are learnt, {answers / sum(lengths):.1%} of all",
            f"tokens a record: {mean:,.0f} in the mean, {high:,.0f} at the 95th percentile, "
            f"{most:,} the longest",
            f"history: {material.dropped_days:,} days dropped, {material.left_out:,} records left "
            "out",
            f"rows: {len(rows):,} of {row_tokens:,.0f} tokens in the mean; {plan.steps:,} steps of "
            f"{plan.batch} rows",
            f"parameters: {trained:,} of the adapter are trained",
            f"memory: about {memory / 1e9:.1f} GB, {weights / 1e9:.2f} GB of them weights",
            f"time: about {total / 60:.1f} min on this {device.type}, validation not counted "
            f"({len(tried) / seconds:,.0f} tokens/s)",
        ]
    )


def _pass(
    network: Any, row: dict[str, Any], settings: LlamaSettings, device: torch.device
) -> tuple[float, float]:
    """Seconds of a pass forward and back, and bytes that autograd keeps for it."""
    own = {p.untyped_storage().data_ptr() for p in network.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    row = {name: values.to(device) for name, values in row.items()}
    labels = row.pop("labels")
    network.train()
    begun = time.perf_counter()
    bf16 = settings.precision == "bf16"
    with (
        torch.autocast(device.type, torch.bfloat16, enabled=bf16),
        torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
    ):
        loss = answers_loss(network, row, labels)
    loss.backward()  # type: ignore[no-untyped-call]
    seconds = time.perf_counter() - begun
    network.zero_grad()
    return seconds, float(sum(kept.values()))

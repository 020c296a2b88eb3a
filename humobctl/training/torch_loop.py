"""What training loops of our own share: the learning rate, the log, states to go on from.

A state is one file of tensors, ``state.safetensors``: weights, the optimiser's moments, numbers.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from humobctl.errors import HumobError

STATE, METRICS = "state.safetensors", "metrics.jsonl"
MOST_GRADIENT = 1.0
SEED_STRIDE = 1_000_003
"""From the seeds of one training to those of the next, which count steps."""
_OPTIMIZER = "optimizer"


class Rated(Protocol):
    """Settings of a learning rate."""

    @property
    def learning_rate(self) -> float:
        """The highest."""

    @property
    def warmup(self) -> float:
        """Share of the steps in which it rises."""


def rate(step: int, steps: int, settings: Rated) -> float:
    """Learning rate after ``step`` of ``steps``: it rises, then falls along a cosine."""
    rising = max(1, round(settings.warmup * steps))
    if step < rising:
        return settings.learning_rate * (step + 1) / rising
    done = (step - rising) / max(1, steps - rising)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


def check_loss(loss: float, step: int, learning_rate: float, remedy: str) -> None:
    """Refuse to go on with a loss that is no number.

    Raises:
        HumobError: it is none.
    """
    if not math.isfinite(loss):
        raise HumobError(
            f"training: the loss became {loss:g} at step {step} (learning rate "
            f"{learning_rate:g}), expected a finite number; try {remedy}"
        )


def records_until(path: Path, step: int) -> list[dict[str, Any]]:
    """The log of an unfinished training, up to its state."""
    if not path.is_file():
        return []
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [record for record in records if record["step"] <= step]


def write_records(path: Path, records: list[dict[str, Any]]) -> None:
    """Write the log anew."""
    path.write_text("".join(json.dumps(one) + "\n" for one in records))


def save_state(
    path: Path,
    parts: dict[str, dict[str, Tensor]],
    optimizer: torch.optim.Optimizer,
    numbers: dict[str, Tensor],
) -> None:
    """Write all that is needed to go on, whole or not at all.

    Args:
        path: the file.
        parts: weights by name, by the name of what they belong to.
        optimizer: whose moments are kept.
        numbers: what else there is; names without a dot.
    """
    moments = {
        f"{number}.{name}": value
        for number, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }
    tensors = {
        f"{part}.{name}": value
        for part, held in {**parts, _OPTIMIZER: moments}.items()
        for name, value in held.items()
    }
    tensors |= numbers
    partial = path.with_name(f".{path.name}")
    save_file({name: value.contiguous().clone() for name, value in tensors.items()}, partial)
    partial.rename(path)


def load_state(
    path: Path, optimizer: torch.optim.Optimizer, device: torch.device
) -> tuple[dict[str, dict[str, Tensor]], dict[str, Tensor]]:
    """What ``save_state`` wrote: parts and numbers; the optimiser gets its moments back.

    Args:
        path: the file.
        optimizer: of the same parameters.
        device: where the tensors go.
    """
    parts: dict[str, dict[str, Tensor]] = {}
    numbers: dict[str, Tensor] = {}
    for name, value in load_file(path, device=str(device)).items():
        part, dot, rest = name.partition(".")
        if dot:
            parts.setdefault(part, {})[rest] = value
        else:
            numbers[part] = value
    states: dict[int, dict[str, Tensor]] = {}
    for name, value in parts.pop(_OPTIMIZER, {}).items():
        number, _, key = name.partition(".")
        states.setdefault(int(number), {})[key] = value.cpu() if key == "step" else value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": states, "param_groups": groups})
    return parts, numbers
